"""Tables of what else a run measured: its reward models, time by stage, every decoding."""

from __future__ import annotations

from procsup_jax.report import cells, names, svg
from procsup_jax.report.markup import element, text
from procsup_jax.report.results import Estimate, Results
from procsup_jax.report.strip import PAD, WIDTH, strip

AUCS = {
    "auc.process": "AUC, process labels",
    "auc.outcome": "AUC, outcome labels",
    "auc.right_answer": "AUC, right answers’ traces",
}
AGREEMENT = {
    "agreement.process": "Agrees: process",
    "agreement.outcome": "Agrees: outcome",
}


def verifier_table(results: Results) -> str:
    """Return what each reward model is worth against each kind of label, empty when none was measured."""
    if not results.verifiers:
        return ""
    found = [measures[key] for measures in results.verifiers.values() for key in AUCS if key in measures]
    lowest = min([0.5, *(value for estimate in found for value in (estimate.value, estimate.lo) if value)])
    scale = svg.Scale(0.5 if lowest >= 0.5 else 0.0, 1.0, PAD, WIDTH - PAD)
    heads = [element("th", "Reward model", scope="col")]
    heads += [cells.column_head(title, scale, paper=False) for title in AUCS.values()]
    heads += [cells.column_head(title, None, paper=False) for title in AGREEMENT.values()]
    body = []
    for name, measures in results.verifiers.items():
        kind = names.verifier_kind(name)
        row = [
            cells.cell(
                title,
                strip(measures.get(key), None, scale, kind) if key in AUCS else None,
                cells.measure(measures.get(key), _cases(measures.get(key)), names.ratio),
            )
            for key, title in (AUCS | AGREEMENT).items()
        ]
        body.append(element("tr", cells.row_head(names.reward_model(name)), *row, class_=kind))
    return cells.table("table-verifiers", heads, body, "Reward models against each kind of label")


def _cases(estimate: Estimate | None) -> list[str]:
    return [] if estimate is None or estimate.n is None else [f"n = {estimate.n:,}"]


def supervision_table(results: Results) -> str:
    """Return what people had to write or mark for each policy, empty where it was not counted."""
    kinds = {
        "solution_tokens": "Solutions, tokens",
        "answer_tokens": "Final answers, tokens",
        "step_labels": "Steps marked",
    }
    policies = [name for name in names.in_order(names.MODELS, results.supervision) if name in results.models]
    if not policies:
        return ""
    head = element("tr", *(element("th", title, scope="col") for title in ("Policy", *kinds.values())))
    rows = []
    for name in policies:
        counts = [results.supervision[name].get(kind, 0) for kind in kinds]
        figures = [element("td", f"{count:,.0f}" if count else "–", class_="num") for count in counts]
        rows.append(element("tr", element("th", text(names.label(names.MODELS, name)), scope="row"), *figures))
    caption = element("caption", "What people gave each policy", class_="visually-hidden")
    return element("table", caption, element("thead", head), element("tbody", *rows), class_="plain")


def everything(results: Results) -> str:
    """Return one row for each model, test set and decoding that was measured, empty when none was."""
    titles = ("Policy", "Set", "Decoding", "Final-answer error, %", "Problems", "Trace error, %", "Raters", "Traces")
    head = element("tr", *(element("th", title, scope="col") for title in titles))
    body = [
        _measured(results, model, test_set, decoding)
        for model in names.in_order(names.MODELS, results.models)
        for test_set in names.in_order(names.SETS, results.models[model])
        for decoding in names.decodings_in_order(results.models[model][test_set].decodings)
    ]
    if not body:
        return ""
    caption = element("caption", "Every decoding measured", class_="visually-hidden")
    return element("table", caption, element("thead", head), element("tbody", *body), class_="plain wide")


def _measured(results: Results, model: str, test_set: str, decoding: str) -> str:
    found = results.models[model][test_set].decodings[decoding]
    raters = names.UNKNOWN
    if found.trace_min is not None and found.trace_max is not None and found.trace_min < found.trace_max:
        raters = f"{names.percent(found.trace_min)}–{names.percent(found.trace_max)}"
    return element(
        "tr",
        element("th", text(names.label(names.MODELS, model)), scope="row"),
        element("td", text(names.label(names.SETS, test_set))),
        element("td", text(names.decoding(decoding))),
        element("td", cells.measure(found.final), class_="num"),
        element("td", _count(found.final), class_="num"),
        element("td", cells.measure(found.trace), class_="num"),
        element("td", raters, class_="num"),
        element("td", _count(found.trace), class_="num"),
    )


def _count(estimate: Estimate | None) -> str:
    return names.UNKNOWN if estimate is None or estimate.n is None else f"{estimate.n:,}"
