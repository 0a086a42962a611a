"""The decodings there are: how one solution of a problem is chosen, or written.

Some choose among a problem's samples drawn at a temperature: majority, and a judge's votes. The others write one
solution, whose `Sample.decoding` names them: greedy, and a search by a judge. A judge is a reward model by the name
that its scores are given under.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Protocol

from procsup_jax.errors import UserError
from procsup_jax.types import Sample

GREEDY, MAJORITY = "greedy", "majority"
VOTES = ("weighted", "best")
SEARCHES = ("step", "beam", "puct")
_JUDGE = re.compile(r"[A-Za-z0-9._-]+")


def in_turn(judges: Iterable[str]) -> tuple[str, ...]:
    """Return different judges in the order of tables: an ORM and a PRM of these names, then others as they come."""
    return tuple(sorted(dict.fromkeys(judges), key=lambda judge: (judge != "orm", judge != "prm")))


def check_judge(judge: str) -> None:
    """Raise `UserError` for what can be no judge's name."""
    if not _JUDGE.fullmatch(judge):
        raise UserError(f"reward model {judge!r}: expected a name of letters, digits, '.', '-' and '_', such as prm")


def by(judge: str, how: str) -> str:
    """Return the decoding in which `judge` chooses by one of `VOTES` or `SEARCHES`."""
    return f"{judge}_{how}"


def judge_of(decoding: str) -> str | None:
    """Return the judge of a decoding, None for one that has none."""
    judge, _, how = decoding.rpartition("_")
    return judge if judge and how in (*VOTES, *SEARCHES) else None


def in_order(judges: Iterable[str]) -> tuple[str, ...]:
    """Return every decoding that there is with some judges, in the order of tables."""
    judges = in_turn(judges)
    return (GREEDY, MAJORITY, *(by(judge, how) for how in (*VOTES, *SEARCHES) for judge in judges))


def writes(decoding: str) -> bool:
    """Say whether a decoding writes one solution, rather than choose among drawn ones."""
    judge, _, how = decoding.rpartition("_")
    return decoding == GREEDY or (judge != "" and how in SEARCHES)


def mark(sample: Sample, decoding: str) -> Sample:
    """Return `sample` as the one solution that `decoding` gives its problem; raise `UserError` for no such decoding."""
    marked = dataclasses.replace(sample, sample=0, decoding=decoding)
    check(marked)
    return marked


class Searched(Protocol):
    """Be what a search found: a sample, and how many tokens both models spent on it."""

    @property
    def sample(self) -> Sample:
        """Return the sample."""

    @property
    def policy_tokens(self) -> int:
        """Return how many tokens the policy sampled."""

    @property
    def rm_tokens(self) -> int:
        """Return how many tokens the reward model read."""


def with_cost(found: Searched) -> Sample:
    """Return the sample that a search found, with what it cost."""
    return dataclasses.replace(found.sample, policy_tokens=found.policy_tokens, rm_tokens=found.rm_tokens)


def check(sample: Sample) -> None:
    """Raise `UserError` if a sample names a decoding that writes no solution."""
    if sample.decoding is not None and not writes(sample.decoding):
        searches = ", ".join(by("JUDGE", how) for how in SEARCHES)
        raise UserError(
            f"sample {sample.sample} of problem {sample.problem_uid!r} has decoding {sample.decoding!r}, expected "
            f"{GREEDY}, {searches} (JUDGE a reward model's name), or no such key for a sample drawn at a temperature"
        )
