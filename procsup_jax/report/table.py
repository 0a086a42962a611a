"""The tables that a run prints at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from procsup_jax import roster
from procsup_jax.report import names, parse
from procsup_jax.report.paper_results import TABLE_1
from procsup_jax.report.results import Estimate, Results
from procsup_jax.searching import decodings
from procsup_jax.text.columns import aligned

TITLES = ("approach", "decoding", "final-answer error, %", "n", "trace error, %", "n")
RM_TITLES = ("reward model", "agrees: process, %", "agrees: outcome, %", "steps", "AUC: process, %", "steps")
UNKNOWN = "-"  # ASCII, as all of the tables: terminals may know no more


def text_table(results: Mapping[str, Any]) -> str:
    """Return results.json as aligned text: the approaches of the paper's Table 1, one block a test set; reward models.

    Votes weighted by further reward models than the paper's two stand behind the approaches.
    Errors are percentages with their 95 % intervals; n counts problems for the final answer, and problems with a right
    answer for the trace. A reward model agrees with process or outcome labels in a share of the steps. A dash stands
    for what could not be measured, and a last line names what was not run.
    """
    parsed = parse.parse(results)
    sets = {test_set for sets in parsed.models.values() for test_set in sets}
    blocks = []
    for test_set in names.in_order(names.SETS, sets):
        rows = _rows(parsed, test_set)
        if rows:
            blocks.append(_block(f"{names.label(names.SETS, test_set)} problems", TITLES, rows, 2))
    if parsed.verifiers:
        blocks.append(_block("reward models against step labels", RM_TITLES, _verifiers(parsed), 1))
    not_run = [names.label(names.MODELS, model) for model in names.MODELS if model not in parsed.models]
    if not_run:
        blocks.append(f"not run: {', '.join(not_run)}")
    return "\n\n".join(blocks)


def _rows(results: Results, test_set: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for model, how in [*((row.model, row.decoding) for row in TABLE_1), *_further(results, test_set)]:
        found = results.decoding(model, how, test_set)
        if found is not None:
            approach = names.label(names.MODELS, model), names.decoding(how)
            rows.append((*approach, *_cells(found.final), *_cells(found.trace)))
    return rows


def _further(results: Results, test_set: str) -> list[tuple[str, str]]:
    """Return the models and their votes that are weighted by reward models which the paper does not have."""
    found = []
    for model in names.in_order(names.MODELS, results.models):
        evaluation = results.models[model].get(test_set)
        for how in names.decodings_in_order(evaluation.decodings if evaluation else ()):
            if how.endswith("_weighted") and decodings.judge_of(how) not in roster.JUDGES:
                found.append((model, how))
    return found


def _verifiers(results: Results) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, measures in results.verifiers.items():
        process, outcome, auc = map(measures.get, ("agreement.process", "agreement.outcome", "auc.process"))
        rows.append((names.reward_model(name), _cells(process)[0], *_cells(outcome), *_cells(auc)))
    return rows


def _cells(estimate: Estimate | None) -> tuple[str, str]:
    if estimate is None:
        return UNKNOWN, UNKNOWN
    n = UNKNOWN if estimate.n is None else str(estimate.n)
    if estimate.lo is None or estimate.hi is None:
        return f"{names.percent(estimate.value):>5}", n
    return f"{names.percent(estimate.value):>5} [{names.percent(estimate.lo):>4}, {names.percent(estimate.hi):>4}]", n


def _block(title: str, titles: tuple[str, ...], rows: list[tuple[str, ...]], num_left: int) -> str:
    return "\n".join([f"{title}, 95 % intervals in brackets", *aligned([titles, *rows], num_left, rule=True)])
