"""Flags that several jobs have, each described once."""

from __future__ import annotations

from procsup_jax.flags import About

PROBLEMS = About("the problems file", reads="file")
SAMPLES = About("the samples file", reads="file")
SAMPLES_OUTPUT = About("the samples file to write", writes="file")
RM = About("the folder of a reward model", reads="model")
POLICY = About("a model's folder, or worlds_base, the base that ships with the package", reads="model")
EXAMPLES = About("a problems file with solutions, to show worked examples from", reads="file")
LAYOUT = About("what separates the steps of solutions that do not give their own")
SKIP_BAD = About("leave malformed lines out and say how many")
