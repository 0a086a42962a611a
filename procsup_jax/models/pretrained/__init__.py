"""Parameters under other systems' names: one table a family, one loader for all; numpy alone, no jax."""
