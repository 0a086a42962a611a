"""Every figure of the paper's tables, exact and without jax: errors, intervals, abstention, agreement, AUC."""
