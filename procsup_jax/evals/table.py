"""The result of `evaluate` as aligned text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from procsup_jax.text.columns import aligned

_ABSENT = "-"
_SHOWN_ABSTAINED = (0.3, 0.5)
_RM_TITLES = [
    "reward model", "aggregate", "AUC: process, %", "steps", "AUC: outcome, %", "steps",
    "AUC: right answers' traces, %", "traces", "agrees: process, %",
]  # fmt: skip


def table(result: Mapping[str, Any]) -> str:
    """Return the metrics of `evals.evaluate.evaluate` as lines for people: percentages with 95 % intervals."""
    lines = [f"{result['n']} problems; error in % [95 % interval]; abstaining by score"]
    rows = [_row("one sample", result["one_sample"])] if result["one_sample"] else []
    rows += [_row(name, found) for name, found in result["decoding"].items()]
    abstained = [f"error, {share:.0%} abstained" for share in _SHOWN_ABSTAINED]
    header = ["decoding", "final-answer error", "trace error", "(min-max)", "traces", *abstained]
    lines += ["", *aligned([header, *rows])]
    lines += _undecided(result)
    models = [_reward_model(name, found) for name, found in result["reward_models"].items()]
    lines += ["", *aligned([_RM_TITLES, *models])] if models else []
    for name, cells in result["agreement"].items():
        judges = [judge for judge in cells if judge != "n" and cells[judge][judge] is not None]
        if len(judges) > 1:
            body = [[judge, *(_percent(cells[judge][other]) for other in judges)] for judge in judges]
            title = f"agreement on {name.replace('_', ' ')} (n={cells['n']}), %"
            lines += ["", *aligned([[title, *judges], *body])]
    return "\n".join(lines)


def processbench_table(result: Mapping[str, Any]) -> str:
    """Return what `evals.processbench.report` gives as lines for people: percentages with 95 % intervals."""
    titles = ["reward model", "F1", "errors found", "solutions", "correct ones passed", "solutions", "threshold"]
    rows = [
        [
            judge,
            _estimate(found, "f1"),
            _estimate(found, "erroneous"),
            str(found["erroneous_n"]),
            _estimate(found, "correct"),
            str(found["correct_n"]),
            f"{found['threshold']:.3g}",
        ]
        for judge, found in result["judges"].items()
    ]
    head = (
        f"ProcessBench, {result['n']} solutions; % [95 % interval]; the first step below the threshold is called wrong"
    )
    return "\n".join([head, "", *aligned([titles, *rows])])


def _undecided(result: Mapping[str, Any]) -> list[str]:
    rows = {"one sample": result["one_sample"] or {}, **result["decoding"]}
    counts = [f"{name} {found['trace_undecided']}" for name, found in rows.items() if "trace_undecided" in found]
    return (
        ["", f"traces left out of trace error, as unknown steps leave them open: {', '.join(counts)}"] if counts else []
    )


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
    cells = [
        cell
        for kind, value in found["auc"].items()
        for cell in (_interval(value, found["intervals"][f"auc.{kind}"]), str(found["auc_n"][kind]))
    ]
    return [name, found["aggregate"] or _ABSENT, *cells, _percent(found["agreement"]["process"])]


def _estimate(found: Mapping[str, Any], name: str) -> str:
    return _interval(found[name], found["intervals"][name])


def _interval(value: float | None, interval: Sequence[float] | None) -> str:
    if interval is None:
        return _percent(value)
    return f"{_percent(value)} [{_percent(interval[0])}, {_percent(interval[1])}]"


def _percent(share: float | None) -> str:
    return _ABSENT if share is None else f"{100 * share:.1f}"
