"""What finding 2's gap would be without knowing anything: always the same answer, or a score that can only fall.

A gap is about the steps alone on which a trace's process label and its outcome label differ (docs/metrics.md,
"Emulation"). Runs keep them as `emulation` since they are measured; what older ones keep settles them on last steps:
there the process label is right exactly where the trace is, so that the share of right answers, their trace error and
how often the two labels agree give the share of each kind. Over all steps these bound them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import summary

from procsup_jax.evals import agreement, emulation, findings

Cell = Sequence[summary.Row]
STEPS = ("all_steps", "last_step")
ORM = agreement.prediction("orm")
PROCESS, OUTCOME = agreement.PROCESS_LABEL, agreement.OUTCOME_LABEL


class LastSteps(NamedTuple):
    """Hold shares of a policy's samples: with right answers, with right traces, and those whose two labels differ.

    `lucky` are right answers with a wrong trace, `unlucky` wrong answers with a right one.
    """

    right_answers: float
    right_traces: float
    lucky: float
    unlucky: float


def last_steps(measured: Any) -> LastSteps:
    """Return the shares that settle last steps, from a policy's evaluation on a set."""
    one, cells = measured["one_sample"], measured["agreement"]["last_step"]
    right = 1 - one["final_answer_error"]
    lucky = right * one["trace_error"]
    unlucky = 1 - cells[OUTCOME][PROCESS] - lucky
    return LastSteps(right, right - lucky + unlucky, lucky, unlucky)


def always_correct_bounds(measured: Any) -> tuple[float, float]:
    """Return between what the gap of calling every step correct lies, over all steps.

    It is the share of disputed steps less twice those in traces of right answers. Each wrong one of these has at least
    its last step wrong, which gives the upper end; the lower one is where all of its steps are, and it is of the
    length of the average solution.
    """
    cells, lucky = measured["agreement"], last_steps(measured).lucky
    disputed = 1 - cells["all_steps"][OUTCOME][PROCESS]
    return disputed - 2 * lucky, disputed - 2 * lucky * cells["last_step"]["n"] / cells["all_steps"]["n"]


def falling_bounds(measured: Any) -> tuple[float, float]:
    """Return between what the largest gap lies of calling the same number of last steps of every sample incorrect.

    It is at least that of calling one incorrect, as that of calling none is known from below, and no gap is above the
    share of disputed steps.
    """
    cells = measured["agreement"]
    one = 2 * constant_gap(measured) * cells["last_step"]["n"] / cells["all_steps"]["n"]
    return always_correct_bounds(measured)[0] - one, disputed(measured, "all_steps")


def rows(runs: Mapping[str, Any], policy: str) -> Iterator[tuple[str, Cell, Cell]]:
    """Yield what it is, in % or points over runs, over all steps and over last steps, of a policy's test samples.

    A cell holds a value, the two ends that it lies between, or nothing where the runs do not keep it.
    """
    sets = {name: found["models"][policy]["test"] for name, found in runs.items()}

    def each(what: Callable[[Any], float]) -> summary.Row:
        return summary.over({name: 100 * what(measured) for name, measured in sets.items()})

    def both(what: Callable[[Any, str], float]) -> tuple[Cell, Cell]:
        every, last = (each(lambda measured, steps=steps: what(measured, steps)) for steps in STEPS)
        return [every], [last]

    def kept(predictor: str, key: str) -> Cell:
        if any("emulation" not in measured for measured in sets.values()):
            return []
        return [each(lambda measured: measured["emulation"]["all_steps"]["by"][predictor][key])]

    always, falling = emulation.BASELINES
    bounds, falls = (
        [each(lambda measured, ends=ends, end=end: ends(measured)[end]) for end in (0, 1)]
        for ends in (always_correct_bounds, falling_bounds)
    )
    yield ("the ORM agrees with process labels", *both(lambda found, steps: _cell(found, steps, ORM, PROCESS)))
    yield ("... with the outcome labels it learned", *both(lambda found, steps: _cell(found, steps, ORM, OUTCOME)))
    yield ("... the gap", *both(gap))
    yield ("the two labels differ on, and no gap is larger than", *both(disputed))
    yield ("... of these the ORM sides with the process label on", *both(sided))
    right = [each(lambda found: last_steps(found).right_traces)]
    yield ("saying `correct` of every step agrees with process labels", kept(always, "process"), right)
    right = [each(lambda found: last_steps(found).right_answers)]
    yield ("... with outcome labels", kept(always, "outcome"), right)
    yield ("... the gap", kept(always, "gap") or bounds, [each(constant_gap)])
    yield ("saying `incorrect` of every step: the gap", [], [each(lambda found: -constant_gap(found))])
    yield (
        "saying it of the same number of last steps of each: the largest gap",
        kept(falling, "gap")
        or [each(lambda found: falling_bounds(found)[0]), each(lambda found: falling_bounds(found)[1])],
        [each(lambda found: abs(constant_gap(found)))],
    )
    for label, share in ((PROCESS, "right_traces"), (OUTCOME, "right_answers")):
        better = [each(lambda found, label=label, share=share: _above_constant(found, label, share))]
        said = "process labels" if label == PROCESS else "... outcome labels"
        yield (f"the ORM's agreement above the better constant's, {said}" if label == PROCESS else said, [], better)


def gap(measured: Any, steps: str) -> float:
    """Return finding 2's gap, of an evaluation that measured it."""
    value = findings.emulation(measured["agreement"][steps])
    assert value is not None
    return value


def disputed(measured: Any, steps: str) -> float:
    """Return the share of steps whose process and outcome labels differ."""
    return 1 - _cell(measured, steps, OUTCOME, PROCESS)


def sided(measured: Any, steps: str) -> float:
    """Return the share of the disputed steps on which the ORM says what the process label does."""
    return (gap(measured, steps) / disputed(measured, steps) + 1) / 2


def constant_gap(measured: Any) -> float:
    """Return the gap of calling every last step correct; calling each incorrect has the same below 0."""
    last = last_steps(measured)
    return last.right_traces - last.right_answers


def _above_constant(measured: Any, label: str, share: str) -> float:
    correct = getattr(last_steps(measured), share)
    return _cell(measured, "last_step", ORM, label) - max(correct, 1 - correct)


def _cell(measured: Any, steps: str, judge: str, other: str) -> float:
    value: float = measured["agreement"][steps][judge][other]
    return value
