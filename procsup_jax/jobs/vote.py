"""`procsup vote`: what each decoding chooses for each problem."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from procsup_jax import json_lines
from procsup_jax.errors import UserError
from procsup_jax.evals import inputs, outcomes
from procsup_jax.evals.inputs import LayoutName
from procsup_jax.evals.join import join
from procsup_jax.flags import Flags, flag
from procsup_jax.jobs import shared
from procsup_jax.ranges import Seed
from procsup_jax.searching.vote import Choice
from procsup_jax.text.answers import Reading


@dataclasses.dataclass(frozen=True)
class VoteFlags(Flags):
    """Hold the flags of `procsup vote`."""

    output: pathlib.Path = flag("the JSON-lines file to write", writes="file")
    samples: Sequence[pathlib.Path] = flag(
        "samples, drawn, greedy or searched; repeat it for another file", (), reads="file"
    )
    scores: Annotated[Sequence[str], shared.SCORES] = ()
    problems: pathlib.Path | None = flag(
        "the problems, which need no answers; without them those of the samples", None, reads="file"
    )
    seed: Annotated[Seed, shared.SEED] = 0
    answers: Annotated[Reading, shared.ANSWERS] = "flexible"
    layout: Annotated[LayoutName, shared.JOINED_LAYOUT] = ""
    skip_bad: Annotated[bool, shared.SKIP_UNJOINED] = False
    force: Annotated[bool, shared.FORCE_JUDGES] = False


def run(flags: VoteFlags) -> None:
    """Choose a solution of each problem by each decoding: samples (+ scores) -> one line a problem.

    majority takes the most common answer, NAME_weighted and NAME_best what the reward model NAME scores highest;
    greedy and searched solutions stand as they are. They are what evaluate measures with the same seed.
    """
    if not flags.samples:
        raise UserError("procsup vote needs --samples, a file of solutions")
    marker, separator = inputs.written(flags.layout)
    named = inputs.Files(flags.problems, flags.samples, flags.scores, need_answers=False, force=flags.force)
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
