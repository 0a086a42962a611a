"""Steps: the lines of a solution."""

from __future__ import annotations

from procsup_jax.text import answers


def split_steps(solution: str) -> list[str]:
    r"""Return the steps of a solution, one a line, such that `join_steps` gives the solution back.

    No step is empty: a blank line belongs to the step before it (to the first one at the start), so a step may end
    in newlines; its end token is the separator after them.
    """
    steps: list[str] = []
    leading = ""
    for line in solution.split("\n"):
        if line.strip():
            steps.append(leading + line)
            leading = ""
        elif steps:
            steps[-1] += "\n" + line
        else:
            leading += line + "\n"
    if not steps and solution:
        return [solution]
    return steps


def join_steps(steps: list[str] | tuple[str, ...]) -> str:
    """Return the solution of these steps."""
    return "\n".join(steps)


def is_final_step(step: str) -> bool:
    """Say whether a step holds a final answer marker (see `text.answers`)."""
    return answers.has_answer_marker(step)
