"""Tables 1 and 3 of the paper with this run's figures, and the paper's beside them in grey."""

from __future__ import annotations

from procsup_jax.report import cells, names, svg
from procsup_jax.report.markup import element
from procsup_jax.report.paper_results import TABLE_1, TABLE_3, Table1Row, Table3Row
from procsup_jax.report.results import Decoding, Results
from procsup_jax.report.strip import strip, strip_scale


def table_1(results: Results, test_set: str = "test", ood_set: str = "ood") -> str:
    """Return Table 1: trace error and final-answer error by approach, in and out of distribution."""
    rows = [(row, results.decoding(row.model, row.decoding, test_set)) for row in TABLE_1]
    traces = strip_scale([d.trace for _, d in rows if d], [cells.share(r.trace) for r, _ in rows])
    finals = strip_scale([d.final for _, d in rows if d], [cells.share(r.final) for r, _ in rows])
    heads = [
        element("th", "Approach", scope="col"),
        cells.column_head("Trace error, %", traces),
        cells.column_head("Final-answer error, %", finals),
        cells.column_head("Out-of-distribution, %", None),
    ]
    body = [_table_1_row(results, row, found, traces, finals, ood_set) for row, found in rows]
    return cells.table("table-1", heads, body, "Trace error and final-answer error by approach")


def _table_1_row(
    results: Results, row: Table1Row, found: Decoding | None, traces: svg.Scale, finals: svg.Scale, ood_set: str
) -> str:
    kind = names.rl_kind(row.model)
    key = cells.key(row.letter, row.model, row.decoding)
    return element(
        "tr",
        cells.row_head(names.label(names.MODELS, row.model), names.decoding(row.decoding), key),
        _trace_cell(row, found, traces),
        _final_cell("Final-answer error", row.model, found, row.final, finals),
        _ood_cell(row, results.decoding(row.model, row.decoding, ood_set)),
        data_row=row.letter,
        class_=kind if found else f"{kind} absent",
    )


def _trace_cell(row: Table1Row, found: Decoding | None, scale: svg.Scale) -> str:
    trace = found.trace if found else None
    drawing = strip(trace, cells.share(row.trace), scale, names.rl_kind(row.model), cells.hollow(row.model))
    raters = []
    if found and found.trace_min is not None and found.trace_max is not None and found.trace_min < found.trace_max:
        raters = [f"({names.percent(found.trace_min)}–{names.percent(found.trace_max)})"]
    run = cells.measure(trace, raters) if found else cells.NOT_RUN
    if row.trace is None:
        return cells.cell("Trace error, %", drawing, run)
    return cells.cell("Trace error, %", drawing, run, f"{row.trace:.1f}", f"({row.trace_min:.1f}–{row.trace_max:.1f})")


def _final_cell(label: str, model: str, found: Decoding | None, paper: float, scale: svg.Scale, tag: str = "") -> str:
    final = found.final if found else None
    drawing = strip(final, paper / 100, scale, names.rl_kind(model), cells.hollow(model))
    run = cells.measure(final) if found else cells.NOT_RUN
    return cells.cell(f"{label}, %", drawing, run, f"{paper:.1f}", tag=tag if found else "")


def _ood_cell(row: Table1Row, found: Decoding | None) -> str:
    run = cells.measure(found.final) if found else cells.NOT_RUN
    if row.ood is None:
        return cells.cell("Out-of-distribution, %", None, run)
    note = "" if row.ood_decoding is None else f"by {names.decoding(row.ood_decoding)}"
    return cells.cell("Out-of-distribution, %", None, run, f"{row.ood:.1f}", note)


def table_3(results: Results, test_set: str = "test") -> str:
    """Return Table 3: final-answer error by greedy decoding, majority vote and RM-weighted vote."""
    decodings = [decoding for row in TABLE_3 for decoding in _decodings(row)]
    found = [results.decoding(row.model, each, test_set) for row in TABLE_3 for each, _ in _decodings(row)]
    scale = strip_scale([d.final for d in found if d], [paper / 100 for _, paper in decodings])
    heads = [element("th", "Policy", scope="col")]
    heads += [cells.column_head(title, scale) for title in ("Greedy, %", "Majority vote, %", "RM-weighted vote, %")]
    body = [_table_3_row(results, row, scale, test_set) for row in TABLE_3]
    return cells.table("table-3", heads, body, "Final-answer error by decoding")


def _table_3_row(results: Results, row: Table3Row, scale: svg.Scale, test_set: str) -> str:
    found = [(decoding, paper, results.decoding(row.model, decoding, test_set)) for decoding, paper in _decodings(row)]
    kind = names.rl_kind(row.model)
    return element(
        "tr",
        cells.row_head(names.label(names.MODELS, row.model)),
        *(
            _final_cell(names.decoding(decoding), row.model, each, paper, scale, _rm(decoding))
            for decoding, paper, each in found
        ),
        class_=kind if any(each for *_, each in found) else f"{kind} absent",
    )


def _decodings(row: Table3Row) -> list[tuple[str, float]]:
    return [("greedy", row.greedy), ("majority", row.majority), (row.weighted_by, row.weighted)]


def _rm(decoding: str) -> str:
    return decoding.partition("_")[0].upper() if decoding.endswith("_weighted") else ""
