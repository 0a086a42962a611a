"""Process- and outcome-supervised reasoning in JAX, after Uesato et al. 2022."""
