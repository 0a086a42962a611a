"""Records grouped by problem, and joined by uid and key: the one place that does either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from procsup_jax.errors import UserError
from procsup_jax.types import Key, Problem, Sample


class Keyed(Protocol):
    """Be a sample, or what belongs to one."""

    @property
    def key(self) -> Key:
        """Return what joins it."""


def name(record: Keyed) -> str:
    """Return how messages call a sample, or the sample that a score or labels belong to."""
    uid, sample, decoding = record.key
    return f"sample {sample} ({decoding}) of problem {uid!r}" if decoding else f"sample {sample} of problem {uid!r}"


K = TypeVar("K", bound=Keyed)


def by_uid(problems: Iterable[Problem]) -> dict[str, Problem]:
    """Return the problems under their uids."""
    return {problem.uid: problem for problem in problems}


def problem_of(problems: Mapping[str, Problem], sample: Sample) -> Problem:
    """Return the problem a sample solves; raise `UserError` where it is not among `problems`."""
    problem = problems.get(sample.problem_uid)
    if problem is None:
        raise UserError(
            f"sample {sample.sample} is of problem {sample.problem_uid!r}, which is not among the {len(problems)} "
            "problems; give the file the samples were drawn from"
        )
    return problem


def by_key(records: Iterable[K]) -> dict[Key, K]:
    """Return samples, or one record of each, under what joins them."""
    return {record.key: record for record in records}


def by_problem(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """Return each problem's samples by their index, problems in the order in which they are met."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.problem_uid, []).append(sample)
    return {uid: sorted(group, key=position) for uid, group in groups.items()}


def drawn(samples: Iterable[Sample]) -> list[Sample]:
    """Return the samples that were drawn at a temperature."""
    return [sample for sample in samples if sample.decoding is None]


def position(sample: Sample) -> tuple[int, str]:
    """Return the place of a sample among those of its problem."""
    return sample.sample, sample.solution
