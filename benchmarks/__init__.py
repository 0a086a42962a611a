"""Benchmarks as commands; see README.md here. Nothing but numpy may be imported on a peer's way in."""
