"""A run's results as typed values (their JSON form: docs/report.md, read by `parse`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from procsup_jax.evals.findings import Approach


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Hold a share in [0, 1], its 95 % interval and the number of cases behind it, as far as they are known."""

    value: float
    lo: float | None = None
    hi: float | None = None
    n: int | None = None


@dataclasses.dataclass(frozen=True)
class Decoding:
    """Hold what one decoding of one model scored on one test set; `trace` is None where there are no labels.

    `selective` holds (share of problems abstained on, final-answer error on the rest).
    """

    final: Estimate
    trace: Estimate | None
    trace_min: float | None
    trace_max: float | None
    selective: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Hold the share of `n` steps on which two judges agree, by (row, column) of the matrix."""

    share: Mapping[tuple[str, str], float]
    n: int | None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Hold what is shown of one model on one test set.

    `agreement` is keyed "all_steps" and "last_step", `verifiers` by reward model ("orm", "prm") and then by what was
    measured: "auc.process", "auc.outcome", "auc.right_answer", "agreement.process", "agreement.outcome". `num_samples`
    is the largest number of samples that a vote was over, None where it is not known. `emulation` is keyed as
    `agreement` and then by predictor: how much more it agrees with process labels than with outcome labels.
    """

    decodings: Mapping[str, Decoding]
    agreement: Mapping[str, Agreement]
    verifiers: Mapping[str, Mapping[str, Estimate]]
    num_samples: int | None = None
    emulation: Mapping[str, Mapping[str, Difference]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Difference:
    """Hold how far one share lies from another over the same problems, with a paired interval."""

    value: float
    lo: float
    hi: float

    def turned(self) -> Difference:
        """Return how far the other share lies from this one."""
        return Difference(-self.value, -self.hi, -self.lo)


@dataclasses.dataclass(frozen=True)
class Epoch:
    """Hold the errors after an epoch of expert iteration, by metric; `chosen` marks the epoch that was kept."""

    epoch: float
    errors: Mapping[str, float]
    chosen: bool


@dataclasses.dataclass(frozen=True)
class Results:
    """Hold a run's results.json.

    `verifiers` is keyed by reward model and measure as in `Evaluation`, and `verifiers_own` says whether they were
    measured on the policies' own test samples, not on validation samples; `differences` by test set, the two approaches
    and the metric. `supervision` says what people gave each policy and reward model: "solution_tokens",
    "answer_tokens" and "step_labels".
    """

    name: str
    seed: Any
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    wall_clock: Mapping[str, float]
    models: Mapping[str, Mapping[str, Evaluation]]
    verifiers: Mapping[str, Mapping[str, Estimate]]
    curves: Mapping[str, Sequence[Epoch]]
    base: Mapping[str, Any]
    differences: Mapping[tuple[str, Approach, Approach, str], Difference]
    supervision: Mapping[str, Mapping[str, float]]
    verifiers_own: bool = False

    def decoding(self, model: str, decoding: str, test_set: str = "test") -> Decoding | None:
        """Return what a model scored by a decoding, None where that was not run."""
        evaluation = self.models.get(model, {}).get(test_set)
        return evaluation.decodings.get(decoding) if evaluation else None

    def difference(self, a: Approach, b: Approach, metric: str, test_set: str = "test") -> Difference | None:
        """Return `a`'s error minus `b`'s, whichever way round it was measured; None where it was not."""
        found = self.differences.get((test_set, a, b, metric))
        if found is None and (other := self.differences.get((test_set, b, a, metric))) is not None:
            found = other.turned()
        return found

    def verifier_set(self, name: str) -> str:
        """Return whose samples a reward model was measured on: "test" its policy's own, else "validation"."""
        return "test" if self.verifiers_own or "_rl_" in name else "validation"

    def agreement(self, model: str, test_set: str = "test") -> Mapping[str, Agreement]:
        """Return a model's agreement tables, empty where there are none."""
        evaluation = self.models.get(model, {}).get(test_set)
        return evaluation.agreement if evaluation else {}
