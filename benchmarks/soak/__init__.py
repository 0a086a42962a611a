"""Long tests against faults: what is promised in docs/reliability.md, tried at random."""
