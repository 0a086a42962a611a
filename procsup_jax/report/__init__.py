"""Figures, tables and the one-file HTML report of a run (input: docs/report.md)."""
