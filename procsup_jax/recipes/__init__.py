"""Experiments as graphs of stages: the paper's, `uesato2022`, and the building blocks of others (docs/recipes.md)."""
