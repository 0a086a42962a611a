"""What findings rest on: approaches' errors and how far they lie apart, with their intervals, in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from procsup_jax import roster
from procsup_jax.evals.findings import FINAL_ANSWER, METRICS, TRACE, Approach, Pair
from procsup_jax.report import names, paper_results
from procsup_jax.report.results import Decoding, Estimate, Results
from procsup_jax.searching.decodings import GREEDY, MAJORITY


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Hold a line of a finding's interval plot; `paper` is a share, `model` decides the colour."""

    label: str
    model: str
    estimate: Estimate
    paper: float | None = None


@dataclasses.dataclass(frozen=True)
class Gap:
    """Hold how far one error lies from another.

    `lo` and `hi` are a paired interval; without one, `apart` says whether the two errors' own intervals are disjoint,
    None where one of these is unknown.
    """

    value: float
    lo: float | None = None
    hi: float | None = None
    apart: bool | None = None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out, or the errors' own intervals lie apart."""
        return bool(self.apart) if self.lo is None or self.hi is None else self.lo > 0 or self.hi < 0

    @property
    def note(self) -> str:
        """The interval in points, or else whether the errors' own intervals overlap; empty where neither is known."""
        if self.lo is not None and self.hi is not None:
            return f"{names.points(self.lo)}, {names.points(self.hi)}"
        return "" if self.apart is None else "intervals apart" if self.apart else "intervals overlap"

    def __str__(self) -> str:
        written = f"{names.points(self.value)}\u00a0points"
        if self.lo is not None:
            return f"{written} [{self.note}]"
        return f"{written} ({self.note})" if self.note else written


@dataclasses.dataclass(frozen=True)
class Change:
    """Hold how far an approach's errors lie from another's; `trace` is None where it is not known."""

    label: str
    model: str
    final: Gap
    trace: Gap | None


def quote(estimate: Estimate) -> str:
    """Write an estimate as `14.1 % [12.3, 16.1]`."""
    written = f"{names.percent(estimate.value)}\u00a0%"
    if estimate.lo is None or estimate.hi is None:
        return written
    return f"{written} [{names.percent(estimate.lo)}, {names.percent(estimate.hi)}]"


def measured(results: Results, approach: Approach, metric: str, test_set: str) -> Estimate | None:
    """Return an approach's error, None where it was not measured."""
    found: Decoding | None = results.decoding(*approach, test_set)
    return None if found is None else found.final if metric == FINAL_ANSWER else found.trace


def gap(results: Results, pair: Pair, metric: str, test_set: str) -> Gap | None:
    """Return how far the first's error lies from the second's, None where one was not measured."""
    a, b = (measured(results, each, metric, test_set) for each in pair)
    if a is None or b is None:
        return None
    paired = results.difference(*pair, metric, test_set)
    if paired is not None:
        return Gap(paired.value, paired.lo, paired.hi)
    return Gap(a.value - b.value, apart=separate(a, b))


def separate(a: Estimate, b: Estimate) -> bool | None:
    """Return whether two intervals are disjoint, None where one is unknown."""
    if a.lo is None or a.hi is None or b.lo is None or b.hi is None:
        return None
    return a.hi < b.lo or b.hi < a.lo


def change(results: Results, pair: Pair, test_set: str) -> Change | None:
    """Return how far the first's errors lie from the second's, None where either's final-answer error is not known."""
    final, trace = (gap(results, pair, metric, test_set) for metric in METRICS)
    return None if final is None else Change(_label(pair), pair.first[0], final, trace)


def _label(pair: Pair) -> str:
    (policy, how), (other, other_how) = pair
    first, second = (names.label(names.MODELS, model) for model in (policy, other))
    if policy == other:
        return f"{first}: {names.decoding(how)} − {names.decoding(other_how)}"
    if roster.start_of(policy) == roster.start_of(other):
        second = second.removeprefix("SFT + ").removeprefix("Few-shot + ")
    if how == other_how:
        return f"{first} − {second}" + ("" if how == MAJORITY else f" ({names.decoding(how)})")
    return f"{first} ({names.decoding(how)}) − {second} ({names.decoding(other_how)})"


def majority_against_greedy(results: Results, test_set: str = "test") -> str:
    """Write for which policies the majority vote has a higher final-answer error than one greedy solution."""
    pairs = {model: Pair((model, MAJORITY), (model, GREEDY)) for model in names.in_order(names.MODELS, results.models)}
    gaps = {m: found for m, pair in pairs.items() if (found := gap(results, pair, FINAL_ANSWER, test_set)) is not None}
    if not gaps:
        return ""
    worse = {model: found for model, found in gaps.items() if found.value > 0}
    counts = {n for model in gaps if (n := results.models[model][test_set].num_samples) is not None}
    votes = f" ({min(counts)}" + (f" to {max(counts)}" if len(counts) > 1 else "") + " here)" if counts else ""
    said = (
        "Majority can lose to greedy: its samples are drawn at a temperature, each worse on average than the greedy "
        f"solution, and few of them{votes} may not make up for it. "
    )
    if not worse:
        return f"{said}In this run it does for none of {len(gaps)} policies."
    clear = [f"{found} for {names.label(names.MODELS, model)}" for model, found in worse.items() if found.clear]
    beyond = f"{len(clear)}: {'; '.join(clear)}" if clear else "none"
    return f"{said}In this run it does for {len(worse)} of {len(gaps)} policies, beyond chance for {beyond}."


def comparisons(results: Results, approaches: Sequence[Approach], metric: str, test_set: str) -> list[Comparison]:
    """Return the approaches' errors beside the paper's, those that were measured."""
    made = []
    for approach in approaches:
        estimate = measured(results, approach, metric, test_set)
        row = paper_results.table1_row(*approach)
        paper = None if row is None else row.trace if metric == TRACE else row.final
        if estimate is not None:
            share = None if paper is None else paper / 100
            made.append(Comparison(names.approach(*approach), approach[0], estimate, share))
    return made


def span(estimates: Sequence[Estimate]) -> str:
    """Write estimates as `3.6 to 8.2 % (7 approaches)`."""
    values = sorted(estimate.value for estimate in estimates)
    if len(values) == 1:
        return f"{names.percent(values[0])} %"
    return f"{names.percent(values[0])} to {names.percent(values[-1])} % ({len(values)} approaches)"


def of(estimate: Estimate) -> str:
    """Write the number of cases behind an estimate as `, n = 128`, nothing where it is not known."""
    return "" if estimate.n is None else f", n\u00a0=\u00a0{estimate.n:,}"
