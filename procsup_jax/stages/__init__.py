"""The runner: an experiment as stages whose artifacts are files."""
