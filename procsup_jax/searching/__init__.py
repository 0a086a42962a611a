"""Choosing a solution: scores of whole solutions, votes among samples, and search step by step."""
