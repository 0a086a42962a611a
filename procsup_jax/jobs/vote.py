"""`procsup vote`: what each decoding chooses for each problem."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from procsup_jax import json_lines
from procsup_jax.errors import UserError
from procsup_jax.evals import inputs, outcomes
from procsup_jax.evals.inputs import LayoutName
from procsup_jax.evals.join import join
from procsup_jax.flags import Flags, flag
from procsup_jax.searching.vote import Choice
from procsup_jax.text.answers import Reading


@dataclasses.dataclass(frozen=True)
class VoteFlags(Flags):
    """Hold the flags of `procsup vote`."""

    output: pathlib.Path = flag("the JSON-lines file to write")
    samples: Sequence[pathlib.Path] = flag("samples, drawn, greedy or searched; repeat it for another file", ())
    scores: Sequence[str] = flag("NAME=FILE, a reward model's scores of the samples; repeat it for other files", ())
    problems: pathlib.Path | None = flag("the problems, which need no answers; without them those of the samples", None)
    seed: int = flag("settles majority's random choices, as in evaluate", 0)
    answers: Reading = flag("read as language models write them, or behind the layout's marker alone", "flexible")
    layout: LayoutName = flag("how steps that samples do not give are split; empty takes what fits", "")
    skip_bad: bool = flag("leave out malformed lines, and what cannot be joined without them", False)


def run(flags: VoteFlags) -> None:
    """Choose a solution of each problem by each decoding: samples (+ scores) -> one line a problem.

    majority takes the most common answer, NAME_weighted and NAME_best what the reward model NAME scores highest;
    greedy and searched solutions stand as they are. They are what evaluate measures with the same seed.
    """
    if not flags.samples:
        raise UserError("procsup vote needs --samples, a file of solutions")
    marker, separator = inputs.written(flags.layout)
    named = inputs.Files(flags.problems, flags.samples, flags.scores, need_answers=False)
    found = named.read(flags.answers, marker, skip_bad=flags.skip_bad)
    joined = join(found.problems, found.samples, found.scores, (), separator)
    choices = outcomes.by_problem(joined, flags.seed)
    json_lines.write(flags.output, (_line(uid, chosen) for uid, chosen in choices.items()))
    shown = ", ".join(next(iter(choices.values())))
    print(f"{len(choices)} problems decided by {shown}; written to {flags.output}")


def _line(uid: str, chosen: Mapping[str, Choice]) -> dict[str, Any]:
    return {"problem_uid": uid, "choices": {decoding: _choice(choice) for decoding, choice in chosen.items()}}


def _choice(choice: Choice) -> dict[str, Any]:
    index = None if choice.sample is None else choice.sample.sample
    return {"sample": index, "answer": choice.answer, "score": choice.score}
