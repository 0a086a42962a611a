"""The result of `evaluate` as aligned text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from procsup_jax.text.columns import aligned

_ABSENT = "-"
_SHOWN_ABSTAINED = (0.3, 0.5)


def table(result: Mapping[str, Any]) -> str:
    """Return the metrics of `evals.evaluate.evaluate` as lines for people: percentages with 95 % intervals."""
    lines = [f"{result['n']} problems; error in % [95 % interval]; abstaining by score"]
    rows = [_row("one sample", result["one_sample"])] if result["one_sample"] else []
    rows += [_row(name, found) for name, found in result["decoding"].items()]
    abstained = [f"error, {share:.0%} abstained" for share in _SHOWN_ABSTAINED]
    header = ["decoding", "final-answer error", "trace error", "(min-max)", "traces", *abstained]
    lines += ["", *aligned([header, *rows])]
    lines += [line for name, found in result["reward_models"].items() for line in _reward_model(name, found)]
    for name, cells in result["agreement"].items():
        judges = [judge for judge in cells if judge != "n" and cells[judge][judge] is not None]
        if len(judges) > 1:
            body = [[judge, *(_percent(cells[judge][other]) for other in judges)] for judge in judges]
            title = f"agreement on {name.replace('_', ' ')} (n={cells['n']}), %"
            lines += ["", *aligned([[title, *judges], *body])]
    return "\n".join(lines)


def _row(name: str, found: Mapping[str, Any]) -> list[str]:
    ends = [found.get(f"trace_error_{end}") for end in ("min", "max")]
    selective = dict(found.get("selective") or [])
    return [
        name,
        _estimate(found, "final_answer_error"),
        _estimate(found, "trace_error"),
        _ABSENT if None in ends else f"({_percent(ends[0])}-{_percent(ends[1])})",
        str(found["trace_n"]),
        *(_percent(selective.get(share)) for share in _SHOWN_ABSTAINED),
    ]


def _reward_model(name: str, found: Mapping[str, Any]) -> list[str]:
    aucs = [[kind, _interval(value, found["intervals"][f"auc.{kind}"])] for kind, value in found["auc"].items()]
    header = [f"{name.upper()} (aggregate {found['aggregate']})", "AUC, %", "n"]
    return ["", *aligned([header, *([*row, str(found["auc_n"][row[0]])] for row in aucs)])]


def _estimate(found: Mapping[str, Any], name: str) -> str:
    return _interval(found[name], found["intervals"][name])


def _interval(value: float | None, interval: Sequence[float] | None) -> str:
    if interval is None:
        return _percent(value)
    return f"{_percent(value)} [{_percent(interval[0])}, {_percent(interval[1])}]"


def _percent(share: float | None) -> str:
    return _ABSENT if share is None else f"{100 * share:.1f}"
