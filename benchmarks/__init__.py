"""Benchmarks as commands; see README.md here."""
