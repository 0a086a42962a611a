"""Selective-prediction curves (the paper's Fig. 5) and learning curves of expert iteration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from procsup_jax import roster
from procsup_jax.report import line_chart, names, paper_results, svg
from procsup_jax.report.results import Epoch, Results
from procsup_jax.searching import decodings

# Key of a curve's row -> what it is called at the line's end, its description, its CSS class.
ERRORS = {
    "validation_error": ("validation", "final-answer error, validation set", "solid"),
    "test_error": ("test", "final-answer error, test set", "dashed"),
    "trace_error": ("trace", "trace error", "dotted"),
}


def selective_figures(results: Results, test_set: str = "test") -> list[svg.Figure]:
    """Draw the error left by abstaining, one panel for few-shot-based and one for SFT-based policies."""
    panels = [(roster.FEW_SHOT, "Few-shot-based policies"), (roster.SFT, "SFT-based policies")]
    figures = []
    for base, title in panels:
        lines = [line for line in _selective_lines(results, test_set) if line[0].startswith(base)]
        if lines:
            figures.append(
                line_chart.line_chart(
                    [line for _, line in lines],
                    names.slug("selective", base),
                    title,
                    line_chart.Axis("problems abstained on, %"),
                    line_chart.Axis("final-answer error on the rest, %"),
                )
            )
    return figures


def _selective_lines(results: Results, test_set: str) -> list[tuple[str, line_chart.Line]]:
    lines = []
    for row in paper_results.TABLE_1:
        found = results.decoding(row.model, row.decoding, test_set)
        if found is None or not found.selective:
            continue
        what = names.approach(row.model, row.decoding)
        classes = f"{names.rl_kind(row.model)} {_dash(row.decoding)}"
        lines.append((row.model, line_chart.Line(row.letter, what, classes, found.selective, row=row.letter)))
    return lines


def _dash(decoding: str) -> str:
    return {"orm": "solid", "prm": "dashed"}.get(decodings.judge_of(decoding) or "", "dotted")


def learning(curves: Mapping[str, Sequence[Epoch]]) -> list[tuple[svg.Figure, Sequence[Epoch]]]:
    """Draw errors over the epochs of expert iteration, one panel a model on a common scale, the kept epoch ringed.

    Each panel comes with its epochs.
    """
    panels = {model: _learning_lines(model, curves[model]) for model in names.in_order(names.MODELS, curves)}
    tops = [py for lines in panels.values() for line in lines for _, py in line.points]
    return [
        (
            line_chart.line_chart(
                lines,
                names.slug("learning", model),
                names.label(names.MODELS, model),
                line_chart.Axis("epoch", "d"),
                line_chart.Axis("error, %"),
                tags_right=84.0,
                top=max(tops),
                size=(345.0, 250.0),
            ),
            curves[model],
        )
        for model, lines in panels.items()
        if lines
    ]


def why_kept(epochs: Sequence[Epoch]) -> str:
    """Write which epoch was kept and what its errors say for it; empty where none was."""
    kept = next((each for each in epochs if each.chosen), None)
    if kept is None:
        return ""
    said = f"epoch {kept.epoch:g} kept"
    others = [each for each in epochs if each.epoch > 0]
    for key in ("validation_error", "test_error"):
        errors = [each.errors[key] for each in others if key in each.errors]
        if key not in kept.errors or kept.errors[key] > min(errors, default=0.0):
            continue
        where, value = ERRORS[key][0], f"{names.percent(kept.errors[key])}\u00a0%"
        equals = "" if errors.count(min(errors)) == 1 else ", the earliest of equals"
        why = f"lowest {where} error, {value}{equals}" if len(errors) > 1 else f"the only one; {where} error {value}"
        return f"{said}: {why}{_against_start(epochs, kept, key)}"
    return f"{said}, not for the lowest of these errors"


def _against_start(epochs: Sequence[Epoch], kept: Epoch, key: str) -> str:
    start = next((each.errors[key] for each in epochs if each.epoch == 0 and key in each.errors), None)
    if start is None:
        return ""
    if kept.errors[key] == start:
        return ", the same as at the start"
    return f", {'down' if kept.errors[key] < start else 'up'} from {names.percent(start)}\u00a0% at the start"


def rule(config: Mapping[str, Any]) -> str:
    """Write by which problems a run's configuration chooses the epoch; empty where it does not say."""
    where = config.get("config.improve.choose_epoch_by")
    if where not in ("validation", "test"):
        return ""
    own_vote = " by the vote of the reward model that it learns from, by majority where it has none,"
    vote = own_vote if chosen_by_reward_model(config) else ""
    own = " The test set chose, so the kept epoch’s test error flatters it." if where == "test" else ""
    return (
        f"It has the lowest final-answer error{vote} on {where} problems, the earliest of equals; epoch 0, the policy "
        f"it started from, is never kept, even where its error is lower.{own}"
    )


def chosen_by_reward_model(config: Mapping[str, Any]) -> bool:
    """Return whether the errors that choose epochs are those of votes by reward models where there are any."""
    return config.get("config.improve.choose_epoch_with") == "reward_model"


def _learning_lines(model: str, epochs: Sequence[Epoch]) -> list[line_chart.Line]:
    lines = []
    for key, (tag, description, dash) in ERRORS.items():
        points = [(each.epoch, each.errors[key]) for each in epochs if key in each.errors]
        if len(points) > 1:
            kept = [(each.epoch, each.errors[key]) for each in epochs if each.chosen and key in each.errors]
            lines.append(line_chart.Line(tag, description, f"{names.rl_kind(model)} {dash}", points, kept))
    return lines
