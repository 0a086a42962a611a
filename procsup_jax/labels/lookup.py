"""Find the problem of a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from procsup_jax.errors import UserError
from procsup_jax.types import Problem, Sample


def problems_by_uid(problems: Sequence[Problem]) -> dict[str, Problem]:
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
