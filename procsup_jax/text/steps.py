"""Steps: the pieces of a solution between separators; lines where nothing else is said."""

from __future__ import annotations

from procsup_jax.text import answers
from procsup_jax.types import Sample

SEPARATOR = "\n"


def steps_of(sample: Sample, separator: str = SEPARATOR) -> list[str]:
    """Return a sample's steps as they are given, else those of its text."""
    return split_steps(sample.solution, separator) if sample.steps is None else list(sample.steps)


def split_steps(solution: str, separator: str = SEPARATOR) -> list[str]:
    r"""Return the steps of a solution, one a piece between separators, such that `join_steps` gives the solution back.

    No step is empty: a blank piece belongs to the step before it (to the first one at the start), so a step may end
    in separators; its end is the separator after them.
    """
    steps: list[str] = []
    leading = ""
    for piece in solution.split(separator):
        if piece.strip():
            steps.append(leading + piece)
            leading = ""
        elif steps:
            steps[-1] += separator + piece
        else:
            leading += piece + separator
    if not steps and solution:
        return [solution]
    return steps


def join_steps(steps: list[str] | tuple[str, ...], separator: str = SEPARATOR) -> str:
    """Return the solution of these steps."""
    return separator.join(steps)


def is_final_step(step: str) -> bool:
    """Say whether a step holds a final answer marker (see `text.answers`)."""
    return answers.has_answer_marker(step)
