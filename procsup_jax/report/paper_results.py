"""The paper's own figures: Uesato et al. 2022, arXiv 2211.14275, Tables 1 and 3, Section 3 and Fig. 4; all in percent.

GSM8K test set (1,319 problems) and MATH pre-algebra (out of distribution), 70B parameters, K = 96 samples.
"""

from __future__ import annotations

import dataclasses

from procsup_jax.evals.findings import FINAL_ANSWER, TRACE, Approach, Pair

SOURCE = "Uesato et al. 2022, arXiv 2211.14275 (GSM8K, 70B parameters, K = 96)"


@dataclasses.dataclass(frozen=True)
class Table1Row:
    """Hold a row of Table 1; `letter` is ours and names the row in the figures.

    `trace` is the mean of two raters, `trace_min` counts the errors both saw, `trace_max` those either saw. `ood` is
    the final-answer error on MATH pre-algebra, measured with `ood_decoding` where that is not the row's own.
    """

    letter: str
    model: str
    decoding: str
    final: float
    trace: float | None = None
    trace_min: float | None = None
    trace_max: float | None = None
    ood: float | None = None
    ood_decoding: str | None = None


TABLE_1 = (
    Table1Row("A", "few_shot", "majority", 41.5),
    Table1Row("B", "few_shot_final_answer_rl", "majority", 23.5, 19.8, 7.9, 31.7, ood=65.7),
    Table1Row("C", "sft_final_answer_rl", "majority", 20.2, 12.1, 4.6, 19.6, ood=63.3),
    Table1Row("D", "sft", "majority", 22.3, 11.4, 4.8, 18.0, ood=67.6),
    Table1Row("E", "few_shot", "orm_weighted", 27.8),
    Table1Row("F", "few_shot_final_answer_rl", "orm_weighted", 16.6, 12.4, 2.1, 22.8),
    Table1Row("G", "sft_final_answer_rl", "orm_weighted", 14.2, 3.7, 0.5, 6.9),
    Table1Row("H", "sft", "orm_weighted", 14.8, 4.4, 0.6, 8.3, ood=65.4),
    Table1Row("I", "sft", "prm_weighted", 14.1, 3.5, 0.5, 6.5, ood=67.7),
    Table1Row("J", "few_shot_orm_rl", "orm_weighted", 13.8, 5.5, 2.6, 8.4),
    Table1Row("K", "sft_orm_rl", "orm_weighted", 12.7, 3.4, 0.0, 6.8, ood=63.2, ood_decoding="majority"),
    Table1Row("L", "sft_prm_rl", "prm_weighted", 12.9, 3.8, 0.5, 7.1),
)


@dataclasses.dataclass(frozen=True)
class Table3Row:
    """Hold a row of Table 3: final-answer error; `weighted_by` is the decoding behind the RM-weighted column."""

    model: str
    greedy: float
    majority: float
    weighted: float
    weighted_by: str


TABLE_3 = (
    Table3Row("few_shot", 54.3, 41.4, 27.8, "orm_weighted"),
    Table3Row("few_shot_final_answer_rl", 36.4, 23.8, 16.6, "orm_weighted"),
    Table3Row("few_shot_orm_rl", 31.5, 18.8, 13.8, "orm_weighted"),
    Table3Row("sft", 41.1, 22.3, 14.1, "prm_weighted"),
    Table3Row("sft_final_answer_rl", 35.0, 20.2, 14.2, "orm_weighted"),
    Table3Row("sft_orm_rl", 31.2, 17.8, 12.7, "orm_weighted"),
    Table3Row("sft_prm_rl", 34.4, 17.6, 12.9, "prm_weighted"),
)

# Share of steps on which two judges agree, PRM validation set.
AGREEMENT_ALL_STEPS = {("orm_prediction", "prm_label"): 85.0, ("orm_prediction", "orm_label"): 77.0}

# The lowest errors published before, by the paper's abstract; the final-answer error is DiVeRSe's (Li et al. 2022).
PUBLISHED_BEFORE = {FINAL_ANSWER: 16.8, TRACE: 14.0}

# Final-answer error of SFT + PRM by share of problems abstained on.
SELECTIVE_SFT_PRM = ((0.0, 14.1), (0.3, 2.7), (0.5, 1.5))


def table1_row(model: str, decoding: str) -> Table1Row | None:
    """Return the row of Table 1 for a model and decoding, None when the paper has none."""
    return next((row for row in TABLE_1 if (row.model, row.decoding) == (model, decoding)), None)


def error(approach: Approach, metric: str) -> float | None:
    """Return an approach's error in Table 1, or else its final-answer error in Table 3; None where neither has it."""
    model, decoding = approach
    row = table1_row(model, decoding)
    if row is not None:
        return row.trace if metric == TRACE else row.final
    if metric == TRACE:
        return None
    found = {
        (row.model, how): value
        for row in TABLE_3
        for how, value in (("greedy", row.greedy), ("majority", row.majority), (row.weighted_by, row.weighted))
    }
    return found.get(approach)


def difference(pair: Pair, metric: str) -> float | None:
    """Return the first's error minus the second's in the paper, in points; None where it does not have both."""
    first, second = (error(approach, metric) for approach in pair)
    return None if first is None or second is None else round(first - second, 1)


def emulation() -> float:
    """Return how much more the paper's ORM agrees with process labels than with its own outcome labels, in points."""
    return AGREEMENT_ALL_STEPS["orm_prediction", "prm_label"] - AGREEMENT_ALL_STEPS["orm_prediction", "orm_label"]
