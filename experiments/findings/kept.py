"""What the committed files keep of the runs, for what is said of them, and how comparisons are written there."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import summary
from tables import estimate, number

from procsup_jax import roster
from procsup_jax.evals.findings import FINAL_ANSWER, TRACE, Approach, Pair
from procsup_jax.report import names
from procsup_jax.roster import ORM, PRM
from procsup_jax.searching.decodings import by

FS, FS_ANSWER, FS_ORM, SFT, SFT_ANSWER, SFT_ORM, SFT_PRM = roster.POLICIES
ORM_VOTE, PRM_VOTE = (by(judge, "weighted") for judge in (ORM, PRM))
SHORT = {FINAL_ANSWER: "FAE", TRACE: "TE"}


class Kept(NamedTuple):
    """Hold what is kept of the runs, of their further epochs and of votes over more samples, by a run's name."""

    runs: Mapping[str, Any]
    epochs: Mapping[str, Any]
    votes: Mapping[str, Any]

    def gap(self, first: Approach, second: Approach, metric: str, test_set: str = "test") -> str:
        """Return the first's error minus the second's with its interval."""
        return estimate(summary.compared(self.runs, Pair(first, second), metric, test_set))

    def error(self, approach: Approach, metric: str) -> str:
        """Return an approach's error on the test set, the mean of the bases' means."""
        return number(summary.errors(self.runs)[(*approach, metric)]["mean"])


def read(folder: pathlib.Path) -> Kept:
    """Return what a folder keeps."""
    return Kept(*(summary.read(folder / name) for name in Kept._fields))


def label(pair: Pair) -> str:
    """Write what is compared: `SFT: ORM-weighted - majority`, `SFT + ORM-RL - SFT + Final-Answer RL, majority`."""
    (policy, how), (other, other_how) = pair
    first, second = (_lower(names.label(names.MODELS, each)) for each in (policy, other))
    if policy == other:
        return f"{first}: {names.decoding(how)} - {names.decoding(other_how)}"
    if how == other_how:
        return f"{first} - {second}, {names.decoding(how)}"
    return f"{first}, {names.decoding(how)} - {second}, {names.decoding(other_how)}"


def _lower(name: str) -> str:
    return name.replace("Few-shot", "few-shot")
