"""The top of the page: what was run, and its best figures."""

from __future__ import annotations

from collections.abc import Callable

from procsup_jax.report import names
from procsup_jax.report.markup import element, text
from procsup_jax.report.results import Decoding, Estimate, Results


def header(results: Results) -> str:
    """Return the page's title, a line on what was run, and tiles with the best figures."""
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
            element("div", *tiles(results), class_="tiles"),
        ]
    )


def problem_counts(results: Results) -> dict[str, int]:
    """Return the number of problems of each test set, the largest where decodings differ."""
    counts: dict[str, int] = {}
    for sets in results.models.values():
        for name, evaluation in sets.items():
            for found in evaluation.decodings.values():
                counts[name] = max(counts.get(name, 0), found.final.n or 0)
    return {name: counts[name] for name in names.in_order(names.SETS, counts) if counts[name]}


def tiles(results: Results) -> list[str]:
    """Return the tiles whose figures this run measured."""
    made = [
        _lowest(results, "Lowest final-answer error", lambda found: found.final),
        _lowest(results, "Lowest trace error", lambda found: found.trace),
        _reward_model_tile(results, "orm"),
        _reward_model_tile(results, "prm"),
    ]
    return [tile for tile in made if tile]


def _lowest(results: Results, title: str, metric: Callable[[Decoding], Estimate | None]) -> str:
    measured = [
        (estimate.value, model, decoding, estimate)
        for model in names.in_order(names.MODELS, results.models)
        for decoding, found in _test_decodings(results, model).items()
        if (estimate := metric(found)) is not None
    ]
    if not measured:
        return ""
    _, model, decoding, estimate = min(measured, key=lambda each: each[0])
    many = f"; the lowest of {len(measured)} measured" if len(measured) > 1 else ""
    return _tile(title, estimate, names.approach(model, decoding) + many, names.rl_kind(model))


def _test_decodings(results: Results, model: str) -> dict[str, Decoding]:
    evaluation = results.models[model].get("test")
    return {} if evaluation is None else dict(evaluation.decodings)


def _reward_model_tile(results: Results, kind: str) -> str:
    for name in sorted(results.verifiers, key=lambda name: (name != f"sft_{kind}", name)):
        auc = results.verifiers[name].get("auc.process")
        if kind in name.split("_") and auc is not None:
            title = f"{kind.upper()}: AUC on process labels"
            return _tile(title, auc, f"{names.reward_model(name)}; chance is 0.5", kind, names.ratio, "")
    return ""


def _tile(
    title: str,
    estimate: Estimate,
    note: str,
    kind: str,
    written: Callable[[float | None], str] = names.percent,
    unit: str = " %",
) -> str:
    interval = ""
    if estimate.lo is not None and estimate.hi is not None:
        interval = f"95 % interval {written(estimate.lo)}–{written(estimate.hi)}"
    cases = "" if estimate.n is None else f"n = {estimate.n:,}"
    return element(
        "section",
        element("h2", text(title)),
        element("p", written(estimate.value), element("span", unit) if unit else "", class_="figure"),
        element("p", ", ".join(element("span", part) for part in (interval, cases) if part), class_="certainty"),
        element("p", text(note), class_="note"),
        class_=f"tile {kind}",
        aria_label=title,
    )
