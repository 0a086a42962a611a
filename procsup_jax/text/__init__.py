"""Strings only: steps, answers, the exact calculator, prompts and the vocabulary. Nothing here imports jax."""
