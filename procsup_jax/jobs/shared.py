"""Flags that several jobs have, each described once."""

from __future__ import annotations

from procsup_jax.flags import About

PROBLEMS = About("the problems file", reads="file")
SAMPLES = About("the samples file", reads="file")
SAMPLES_OUTPUT = About("the samples file to write", writes="file")
RM = About("the folder of a reward model", reads="model")
POLICY = About("a model's folder, or worlds_base, the base that ships with the package", reads="model")
ANSWERS = About("read as language models write them, or behind the layout's marker alone")
EXAMPLES = About("a problems file with solutions, to show worked examples from", reads="file")
SEED = About("settles majority's random choices and the bootstrap")
SCORES = About(
    "a reward model's scores of the samples, and what to call it; repeat it for other files", reads="named file"
)
LAYOUT = About("what separates the steps of solutions that do not give their own")
JOINED_LAYOUT = About("how steps that samples do not give are split; empty takes what fits")
SKIP_UNJOINED = About("leave out malformed lines, and what cannot be joined without them")
FORCE_JUDGES = About("take scores as the judge's they are given as, whatever they say")
SKIP_BAD = About("leave malformed lines out and say how many")
