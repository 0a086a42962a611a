"""A made-up run in which everything was measured: results.json and examples as docs/report.md describes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from procsup_jax.report import paper_results

JUDGES = ("orm_prediction", "prm_prediction", "orm_label", "prm_label")


@pytest.fixture
def results() -> dict[str, Any]:
    """Return results.json of a whole run."""
    return make_results()


@pytest.fixture
def examples() -> list[dict[str, Any]]:
    """Return the lines of its examples.jsonl."""
    return make_examples()


def interval(share: float, n: int) -> list[float]:
    """Return Wilson's 95 % interval."""
    z = 1.96
    centre, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return [max(0.0, (centre - half) / (1 + z * z / n)), min(1.0, (centre + half) / (1 + z * z / n))]


def decoding(final: float, trace: float | None, n: int) -> dict[str, Any]:
    """Return one decoding's entry."""
    wrong = round(final * n)
    trace_n = n - wrong
    entry: dict[str, Any] = {
        "final_answer_error": wrong / n,
        "trace_error": None,
        "trace_error_min": None,
        "trace_error_max": None,
        "n": n,
        "selective": [[t / 10, wrong / n * (1 - t / 10) ** 1.7] for t in range(10)],
        "intervals": {"final_answer_error": interval(wrong / n, n), "trace_error": None},
    }
    if trace is not None:
        share = round(trace * trace_n) / trace_n
        entry |= {"trace_error": share, "trace_error_min": share, "trace_error_max": share, "trace_n": trace_n}
        entry["intervals"]["trace_error"] = interval(share, trace_n)
    return entry


def minus(final: float, trace: float, half: float) -> dict[str, Any]:
    """Return paired differences with intervals of half a width `half`."""
    metrics = {"final_answer_error": final, "trace_error": trace}
    return {**metrics, "intervals": {name: [value - half, value + half] for name, value in metrics.items()}}


def agreement(values: tuple[float, ...], n: int) -> dict[str, Any]:
    """Return a symmetric matrix from its upper triangle."""
    matrix: dict[str, Any] = {row: dict.fromkeys(JUDGES, 1.0) for row in JUDGES}
    pairs = [(a, b) for i, a in enumerate(JUDGES) for b in JUDGES[i + 1 :]]
    for (a, b), value in zip(pairs, values, strict=True):
        matrix[a][b] = matrix[b][a] = value
    return {**matrix, "n": n}


def make_results(n: int = 400) -> dict[str, Any]:
    """Return a run in which everything was measured."""
    models: dict[str, Any] = {}
    for row in paper_results.TABLE_1:
        sets = models.setdefault(row.model, {"test": {"decoding": {}, "n": n}, "ood": {"decoding": {}, "n": n // 2}})
        trace = (row.trace if row.trace is not None else 24.0) / 100
        sets["test"]["decoding"][row.decoding] = decoding(row.final / 130, trace * 1.2, n)
        sets["ood"]["decoding"][row.decoding] = decoding(row.final / 65, trace * 1.9, n // 2)
    for row in paper_results.TABLE_3:
        entries = models[row.model]["test"]["decoding"]
        entries["greedy"] = decoding(row.greedy / 130, 0.2, n)
        entries.setdefault("majority", decoding(row.majority / 130, 0.1, n))
        entries.setdefault("prm_best", decoding(row.weighted / 120, 0.06, n))
    models["sft"]["test"]["minus_majority"] = {
        "prm_weighted": minus(-0.065, -0.094, 0.024),
        "orm_weighted": minus(-0.0575, -0.082, 0.027),
    }
    models["sft"]["test"]["agreement"] = {
        "all_steps": agreement((0.91, 0.81, 0.866, 0.78, 0.93, 0.84), 3127),
        "last_step": agreement((0.88, 0.86, 0.83, 0.81, 0.9, 0.86), 400),
    }
    models["sft"]["ood"]["agreement"] = {"all_steps": agreement((0.8, 0.71, 0.74, 0.66, 0.79, 0.58), 1901)}
    return {
        "name": "demo",
        "seed": 0,
        "config": {
            "model": {"preset": "demo", "num_layers": 8},
            "sft": {"peak_lr": 2e-4, "num_steps": 400},
            "samples": 16,
        },
        "versions": {"procsup_jax": "0.1.0", "jax": "0.10.2", "flax": "0.12.8", "python": "3.11.7"},
        "wall_clock": {"base": 12.4, "sft": 61.2, "samples": 402.0, "orm": 190.5, "prm": 88.0, "evaluate": 340.0},
        "models": models,
        "reward_models": {
            "sft_orm": auc(0.88, 0.93, 0.71),
            "sft_prm": auc(0.95, 0.91, 0.86),
            "sft_surprise_process": auc(0.86, 0.8, 0.69),
            "sft_surprise_outcome": auc(0.84, 0.82, 0.66),
            "few_shot_orm": auc(0.83, 0.9, None),
        },
        "curves": {
            "sft_final_answer_rl": curve(0.2, 0.16, 2),
            "sft_orm_rl": curve(0.2, 0.09, 3),
            "sft_prm_rl": curve(0.2, 0.1, 4),
        },
        "base": {"params": 2_900_000, "tokens": 60_000_000, "sha256": "3f7c0a"},
    }


def auc(process: float, outcome: float, right: float | None) -> dict[str, Any]:
    """Return a reward model's entry."""
    values = {"process": process, "outcome": outcome, "right_answer": right}
    shares = {"process": process - 0.04, "outcome": outcome - 0.04}
    return {
        "auc": values,
        "agreement": shares,
        "intervals": {
            f"{measure}.{kind}": [value - 0.02, min(1, value + 0.02)]
            for measure, found in (("auc", values), ("agreement", shares))
            for kind, value in found.items()
            if value is not None
        },
        "auc_n": {"process": 3127, "outcome": 3127, "right_answer": 1650},
        "agreement_n": {"process": 3127, "outcome": 3127},
    }


def curve(start: float, end: float, chosen: int) -> list[dict[str, Any]]:
    """Return the epochs of one expert iteration."""
    return [
        {
            "epoch": epoch,
            "validation_error": start + (end - start) * (1 - 0.55**epoch),
            "test_error": start + (end - start) * (1 - 0.5**epoch) + 0.008,
            "trace_error": 0.11 - 0.01 * epoch * (start - end) * 8,
            "chosen": epoch == chosen,
        }
        for epoch in range(6)
    ]


def noisy(labels: list[int], rng: np.random.Generator, spread: float) -> list[float]:
    """Return probabilities near labels."""
    return [round(float(np.clip(0.1 + 0.8 * label + rng.normal(0, spread), 0.01, 0.99)), 4) for label in labels]


def make_examples(count: int = 60, seed: int = 0) -> list[dict[str, Any]]:
    """Return solutions of all verdicts, some without labels or with one reward model only."""
    rng = np.random.default_rng(seed)
    rows = [
        ("sft", "majority"),
        ("sft", "prm_weighted"),
        ("sft_orm_rl", "orm_weighted"),
        ("sft_final_answer_rl", "majority"),
    ]
    made = []
    for i in range(count):
        a, b = int(rng.integers(2, 40)), int(rng.integers(2, 12))
        model, how = rows[i % len(rows)]
        kind = ("right", "lucky", "wrong", "right", "unlabelled")[i % 5]
        wrong = kind in ("lucky", "wrong")
        steps = [
            f"Ann has {a} apples, and Bob has {b} more: <<{a}+{b}={a + b}>>{a + b} apples.",
            f"Together they have <<{a}+{a + b}={2 * a + b}>>{2 * a + b} apples."
            if not wrong
            else f"Together that is <<{a}+{b}={a + b}>>{a + b}.",
            f"In boxes of {b}: <<{2 * a + b}/{b}={(2 * a + b) / b:.4g}>>{(2 * a + b) // b} full boxes.",
            f"#### {(2 * a + b) // b + (3 if kind == 'wrong' else 0)}",
        ]
        labels = [1, 0, 0, 0] if wrong else [1, 1, 1, 1]
        made.append(
            {
                "problem_uid": f"worlds/test/{i:05d}",
                "set": "ood" if i % 7 == 0 else "test",
                "question": f"Ann has {a} apples. Bob has {b} more apples than Ann. "
                f"They pack all of their apples in boxes of {b}. How many full boxes do they get?",
                "answer": str((2 * a + b) // b),
                "model": model,
                "decoding": how,
                "steps": steps,
                "step_probs": {rm: noisy(labels, rng, spread) for rm, spread in (("orm", 0.25), ("prm", 0.1))},
                "labels": None if kind == "unlabelled" else labels,
                "correct": kind != "wrong",
                "trace_correct": None if kind == "unlabelled" else not wrong,
                "reason": [None, "adds Bob’s surplus, not Bob’s apples", None, None] if wrong else None,
            }
        )
    return made
