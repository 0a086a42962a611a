"""The top of the page: what was run, and its best figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from procsup_jax import roster
from procsup_jax.evals.findings import Approach
from procsup_jax.report import names
from procsup_jax.report.markup import element, text
from procsup_jax.report.paper_results import TABLE_1
from procsup_jax.report.results import Decoding, Estimate, Results


def header(results: Results) -> str:
    """Return the page's title, lines on what was run, and tiles with the best figures."""
    facts = [f"seed {results.seed}"] if results.seed is not None else []
    counts = [f"{count:,} {names.label(names.SETS, name)}" for name, count in problem_counts(results).items()]
    facts += [f"{' and '.join(counts)} problems"] if counts else []
    facts += [f"{len(results.models)} {'policy' if len(results.models) == 1 else 'policies'}"] if results.models else []
    if results.wall_clock:
        facts.append(names.duration(sum(results.wall_clock.values())))
    facts += [f"{name} {results.versions[name]}" for name in ("procsup_jax", "jax") if name in results.versions]
    return "".join(
        [
            element("p", "procsup · process- and outcome-based feedback", class_="eyebrow"),
            element("h1", text(results.name)),
            element("p", text(" · ".join(facts)), class_="facts"),
            element("p", text(introduction(results)), class_="intro") if results.models else "",
            element("div", *tiles(results), class_="tiles"),
        ]
    )


def introduction(results: Results) -> str:
    """Return what was run and how sure its figures are, for someone who knows nothing of it."""
    testbed = " of a generated testbed" if results.config.get("config.data.kind") == "worlds" else ""
    said = [f"Policies, language models that write a solution step by step, answer the problems{testbed}."]
    if results.verifiers:
        said.append(
            "Reward models score each step: an ORM has learned from final answers, a PRM from labels of the steps."
        )
    said.append(
        "Two errors count: a wrong final answer, and a trace error, a wrong step on the way to a right answer. "
        "The 95 % intervals say how far the choice of problems may have moved a figure; another seed trains other "
        "models, which moves it further."
    )
    return " ".join(said)


def problem_counts(results: Results) -> dict[str, int]:
    """Return the number of problems of each test set, the largest where decodings differ."""
    counts: dict[str, int] = {}
    for sets in results.models.values():
        for name, evaluation in sets.items():
            for found in evaluation.decodings.values():
                counts[name] = max(counts.get(name, 0), found.final.n or 0)
    return {name: counts[name] for name in names.in_order(names.SETS, counts) if counts[name]}


def tiles(results: Results) -> list[str]:
    """Return the tiles whose figures this run measured; each repeats a row of the tables further down."""
    made = [
        _lowest(results, "Lowest final-answer error", lambda found: found.final),
        _lowest(results, "Lowest trace error", lambda found: found.trace),
        *(_reward_model_tile(results, name) for name in _shown_verifiers(results)),
    ]
    return [tile for tile in made if tile]


def _lowest(results: Results, title: str, metric: Callable[[Decoding], Estimate | None]) -> str:
    """Return the tile of the lowest error in Table 1, or of all decodings where the run has none of its rows."""
    rows = [(f", row {row.letter} of Table 1", (row.model, row.decoding)) for row in TABLE_1]
    measured, of = _measured(results, rows, metric), "its {} rows"
    if not measured:
        every = [(m, d) for m in names.in_order(names.MODELS, results.models) for d in _test_decodings(results, m)]
        measured, of = _measured(results, [("", each) for each in every], metric), "{} measured"
    if not measured:
        return ""
    said, (model, decoding), estimate = min(measured, key=lambda each: each[2].value)
    many = f"; the lowest of {of.format(len(measured))}, so partly by luck" if len(measured) > 1 else ""
    return _tile(title, estimate, names.approach(model, decoding) + said + many, names.rl_kind(model))


def _measured(
    results: Results, rows: Sequence[tuple[str, Approach]], metric: Callable[[Decoding], Estimate | None]
) -> list[tuple[str, Approach, Estimate]]:
    found = [(said, approach, results.decoding(*approach)) for said, approach in rows]
    return [
        (said, approach, estimate)
        for said, approach, decoding in found
        if decoding is not None and (estimate := metric(decoding)) is not None
    ]


def _test_decodings(results: Results, model: str) -> list[str]:
    evaluation = results.models[model].get("test")
    return [] if evaluation is None else list(evaluation.decodings)


def _shown_verifiers(results: Results) -> list[str]:
    """Return an ORM and a PRM, SFT's where there are several; without either the first two of other names."""
    known = [name for name, measures in results.verifiers.items() if "auc.process" in measures]
    shown = []
    for kind in (roster.ORM, roster.PRM):
        named = sorted(
            (n for n in known if names.verifier_kind(n) == kind), key=lambda n: (n != f"{roster.SFT}_{kind}", n)
        )
        shown += named[:1]
    return shown or known[:2]


def _reward_model_tile(results: Results, name: str) -> str:
    kind = names.verifier_kind(name)
    said = kind.upper() if kind != "none" else names.reward_model(name)
    where = names.label(names.SETS, results.verifier_set(name))
    note = f"{names.reward_model(name)} on {where} samples; chance is 0.5"
    return _tile(f"{said}: AUC on process labels", results.verifiers[name]["auc.process"], note, kind, names.ratio, "")


def _tile(
    title: str,
    estimate: Estimate,
    note: str,
    kind: str,
    written: Callable[[float | None], str] = names.percent,
    unit: str = " %",
) -> str:
    certainty = []
    if estimate.lo is not None and estimate.hi is not None:
        comma = "" if estimate.n is None else ","
        certainty = ["95 % interval", element("span", f"{written(estimate.lo)}–{written(estimate.hi)}{comma}")]
    if estimate.n is not None:
        certainty.append(element("span", f"n = {estimate.n:,}"))
    return element(
        "section",
        element("h2", text(title)),
        element("p", written(estimate.value), element("span", unit) if unit else "", class_="figure"),
        element("p", " ".join(certainty), class_="certainty"),
        element("p", text(note), class_="note"),
        class_=f"tile {kind}",
        aria_label=title,
    )
