"""What reward models are worth as classifiers on the samples drawn at a temperature: agreement, AUC, calibration."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from procsup_jax.evals import agreement, emulation, intervals, verifier
from procsup_jax.evals.emulation import Steps
from procsup_jax.evals.intervals import Estimate
from procsup_jax.evals.join import Joined
from procsup_jax.types import Key, StepLabels


@dataclasses.dataclass(frozen=True)
class _Steps:
    """Hold the steps of all samples, and of each reward model its probability of `correct`, one a step."""

    prob_s: Mapping[str, np.ndarray]
    labelled: Steps

    @property
    def last_s(self) -> np.ndarray:
        return self.labelled.left_s == 0


def report(joined: Joined, *, seed: int = 0) -> dict[str, Any]:
    """Return `agreement`, `emulation` and `reward_models`, ready for JSON.

    Of each reward model `auc` holds `process` and `outcome`, its step probabilities against a step's process label
    and against whether the sample's final answer is right; and `right_answer`, the sample's score against whether its
    trace is right, among samples with a right final answer: what decides whether reranking lowers trace error.
    `agreement` of each is the share of steps on which its prediction agrees with either kind of label. `emulation` is
    what `emulation.measure` finds over all steps and over last ones; `seed` settles its bootstrap.
    """
    steps = _steps(joined)
    return {
        "agreement": _agreement(joined, steps),
        "emulation": {
            name: emulation.measure(
                {rm: agreement.predictions(prob_s[chosen_s]) for rm, prob_s in steps.prob_s.items()},
                steps.labelled.at(chosen_s),
                seed=seed,
            )
            for name, chosen_s in _parts(steps)
        },
        "reward_models": {rm: _reward_model(joined, rm, steps) for rm in joined.scores},
    }


def _reward_model(joined: Joined, rm: str, steps: _Steps) -> dict[str, Any]:
    auc: dict[str, Estimate] = {}
    agrees: dict[str, Estimate] = {}
    brier: dict[str, float | None] = {}
    calibration_error: dict[str, float | None] = {}
    for kind, right_s in (("process", steps.labelled.process_s), ("outcome", steps.labelled.outcome_s)):
        known = ~np.isnan(right_s)
        prob_n, right_n, problem_n = steps.prob_s[rm][known], right_s[known], steps.labelled.problem_s[known]
        auc[kind] = verifier.auc(prob_n, right_n, problem_n)
        agrees[kind] = agreement.share(prob_n, right_n, problem_n)
        brier[kind] = verifier.brier(prob_n, right_n)
        calibration_error[kind] = verifier.calibration_error(prob_n, right_n)
    auc["right_answer"] = verifier.auc(*_right_answer_traces(joined, rm))
    values, shares = intervals.with_intervals(auc), intervals.with_intervals(agrees)
    return {
        "intervals": {
            f"{measure}.{kind}": interval
            for measure, found in (("auc", values), ("agreement", shares))
            for kind, interval in found.pop("intervals").items()
        },
        "auc": values,
        "auc_n": {kind: estimate.n for kind, estimate in auc.items()},
        "agreement": shares,
        "agreement_n": {kind: estimate.n for kind, estimate in agrees.items()},
        "brier": brier,
        "calibration_error": calibration_error,
        "aggregate": next((score.aggregate for score in joined.scores[rm].values()), None),
        "n": sum(1 for _ in _drawn(joined)),
    }


def _agreement(joined: Joined, steps: _Steps) -> dict[str, Any]:
    verdict_s = {agreement.prediction(rm): agreement.predictions(prob_s) for rm, prob_s in steps.prob_s.items()}
    if len(steps.labelled.outcome_s):
        verdict_s[agreement.OUTCOME_LABEL] = steps.labelled.outcome_s
    if joined.labels:
        verdict_s[agreement.PROCESS_LABEL] = steps.labelled.process_s
    found = {}
    for name, chosen_s in _parts(steps):
        cells, n = agreement.matrix({judge: verdict[chosen_s] for judge, verdict in verdict_s.items()})
        found[name] = {**cells, "n": n}
    return found


def _parts(steps: _Steps) -> tuple[tuple[str, np.ndarray], ...]:
    """Return which steps tables are over."""
    return ("all_steps", np.ones_like(steps.last_s)), ("last_step", steps.last_s)


def _steps(joined: Joined) -> _Steps:
    probs: dict[str, list[float]] = {rm: [] for rm in joined.scores}
    process: list[float] = []
    outcome: list[bool] = []
    problem_of: list[int] = []
    lens: list[int] = []
    for i, key in _drawn(joined):
        labels = joined.labels.get(key, ())
        scores = {rm: by_key[key].step_probs for rm, by_key in joined.scores.items()}
        num_steps = next(map(len, scores.values()), labels[0].num_steps if labels else 0)
        for rm, step_probs in scores.items():
            probs[rm].extend(step_probs)
        process.extend(_share_correct(labels) if labels else [float("nan")] * num_steps)
        outcome.append(key in joined.right)
        problem_of.append(i)
        lens.append(num_steps)
    repeats = np.array(lens, dtype=int)
    left = [np.arange(n)[::-1] for n in lens]
    return _Steps(
        prob_s={rm: np.array(values, dtype=float) for rm, values in probs.items()},
        labelled=Steps(
            process_s=np.array(process, dtype=float),
            outcome_s=np.repeat(np.array(outcome, dtype=float), repeats),
            problem_s=np.repeat(np.array(problem_of, dtype=int), repeats),
            left_s=np.concatenate(left) if left else np.zeros(0, dtype=int),
        ),
    )


def _right_answer_traces(joined: Joined, rm: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return score, share of raters that call the whole trace right, and problem of each right-answer sample."""
    rows = [
        (joined.scores[rm][key].score, 1 - verdict.mean, i)
        for i, key in _drawn(joined)
        if key in joined.right and (verdict := joined.trace.get(key)) is not None
    ]
    score_n, right_n, problem_n = np.array(rows, dtype=float).reshape(-1, 3).T
    return score_n, right_n, problem_n


def _drawn(joined: Joined) -> Iterator[tuple[int, Key]]:
    for i, problem in enumerate(joined.problems):
        for sample in joined.drawn.get(problem.uid, ()):
            yield i, sample.key


def _share_correct(labels: Sequence[StepLabels]) -> Sequence[float]:
    shares = []
    for verdicts in zip(*(label.correct for label in labels), strict=True):
        known = [verdict for verdict in verdicts if verdict is not None]
        shares.append(sum(known) / len(known) if known else float("nan"))
    return shares
