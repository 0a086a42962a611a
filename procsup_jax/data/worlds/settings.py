"""Every knob of the testbed, as frozen dataclasses; see docs/worlds.md for what the figures lead to."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from procsup_jax.data.worlds.graph import FORMS, RELATIONS
from procsup_jax.ranges import Amount, BadValue, Count, Share, check

Weights = tuple[tuple[str, Amount], ...]
SLIPS = ("person", "number", "misquote", "skip", "copy")
NAMES = (
    "Ann", "Bob", "Cid", "Dora", "Eli", "Fay", "Gus", "Hana", "Ian", "Joy", "Kim", "Leo", "Mia", "Ned", "Olga", "Pat",
)  # fmt: skip
# Of the people in a story, those whom the question starts from, at most, and the one who is needed for nothing.
_OTHER_PEOPLE = 4
# Documents draw their stories at every fourth index.
_MOST_PROBLEMS = 4


def check_weights(field: str, weights: Weights, known: Collection[str]) -> None:
    """Raise `BadValue` for weights of other names than the known ones, and where none is positive."""
    for name, _ in weights:
        if name not in known:
            raise BadValue(field, name, f"weights of {', '.join(known)}")
    if not any(weight for _, weight in weights):
        raise BadValue(field, weights, "at least one positive weight")


def check_numbers(field: str, weights: Weights, low: int, high: int) -> None:
    """Raise `BadValue` for weights of other names than the whole numbers from `low` to `high`."""
    check_weights(field, weights, [str(number) for number in range(low, high + 1)])


@dataclasses.dataclass(frozen=True)
class WorldSettings:
    """Say which stories are drawn. Rates are probabilities per story, weights are relative."""

    num_steps: Weights = (("4", 0.45), ("5", 0.35), ("6", 0.20))
    """Weights of the number of computed steps that the question needs, the final answer's line not counted."""
    max_value: Count = 99
    """The largest number of a story."""
    given_range: tuple[Count, Count] = (2, 20)
    """The least and the largest number that a story gives for a quantity."""
    addend_range: tuple[Count, Count] = (2, 15)
    """The least and the largest number that a relation adds or takes away."""
    factors: tuple[Count, ...] = (2, 3, 4)
    """The numbers that relations multiply by."""
    relations: Weights = (
        ("more", 0.33),
        ("fewer", 0.32),
        ("needs", 0.035),
        ("spare", 0.035),
        ("times", 0.16),
        ("half", 0.12),
    )
    """Weights of what a quantity is told by."""
    forms: Weights = (("one", 0.13), ("difference", 0.24), ("total", 0.11), ("bags", 0.26), ("most", 0.26))
    """Weights of what is asked for."""
    num_sums: Weights = (("0", 0.35), ("1", 0.45), ("2", 0.20))
    """Weights of the number of quantities that are sums of two others."""
    num_unneeded: Weights = (("0", 0.30), ("1", 0.60), ("2", 0.10))
    """Weights of the number of quantities that the question does not need."""
    num_distractors: Weights = (("0", 0.45), ("1", 0.45), ("2", 0.10))
    """Weights of the number of sentences about something else."""
    shared_rate: Share = 0.8
    """Of the differences: both people's numbers go back to one person's."""
    equal_given_rate: Share = 0.35
    """Two given numbers are equal."""
    bystander_rate: Share = 0.2
    """One given number is needed for nothing."""
    swap_rate: Share = 0.5
    """The sentences are not in a solvable order."""

    def __post_init__(self) -> None:
        check(self)
        for name in ("given_range", "addend_range"):
            low, high = getattr(self, name)
            if low > high:
                raise BadValue(name, (low, high), "the lower number first")
        if not self.factors:
            raise BadValue("factors", self.factors, "at least one number")
        check_weights("relations", self.relations, RELATIONS[1:-1])
        check_weights("forms", self.forms, FORMS)
        check_numbers("num_steps", self.num_steps, 2, len(NAMES) - _OTHER_PEOPLE - 1)
        most = max(int(name) for name, _ in self.num_steps)
        check_numbers("num_sums", self.num_sums, 0, len(NAMES) - _OTHER_PEOPLE - most)
        for name in ("num_unneeded", "num_distractors"):
            check_numbers(name, getattr(self, name), 0, len(NAMES))


@dataclasses.dataclass(frozen=True)
class SlopSettings:
    """Say how often a writer slips, and how."""

    rate: Share = 0.0
    """The probability that a step is written with a slip."""
    kinds: Weights = (
        ("person", 0.22),
        ("number", 0.15),
        ("misquote", 0.33),
        ("skip", 0.10),
        ("copy", 0.20),
    )
    """Weights of the slips (docs/worlds.md describes each)."""
    trap_rate: Share = 0.0
    """The probability that a "needs" or "spare" is read the wrong way round: errors that many writers share."""
    pen_slip_rate: Share = 0.4
    """The share of the "copy" slips after which the writer goes on with the computed value, not with what stands
    there."""
    unneeded_rate: Share = 0.5
    """The probability that a quantity that the question does not need is computed all the same, which is no mistake."""

    def __post_init__(self) -> None:
        check(self)
        check_weights("kinds", self.kinds, SLIPS)


@dataclasses.dataclass(frozen=True)
class CorpusSettings:
    """Say how the base corpus is written: stories, slop, styles and documents."""

    worlds: WorldSettings = WorldSettings()
    slop: SlopSettings = SlopSettings(rate=0.07, trap_rate=0.6)
    gsm8k_share: Share = 0.68
    """The share of documents in GSM8K's form; the others draw their style at random."""
    num_problems: Weights = (("1", 0.78), ("2", 0.14), ("3", 0.08))
    """Weights of the number of problems in a document."""
    marked: bool = False
    """End every solution with a line that says whether its final answer is the right one: outcome information, as
    marked homework on the web has it."""

    def __post_init__(self) -> None:
        check(self)
        check_numbers("num_problems", self.num_problems, 1, _MOST_PROBLEMS)


def default() -> WorldSettings:
    """Return the settings of every in-distribution split."""
    return WorldSettings()


def ood() -> WorldSettings:
    """Return the settings of the out-of-distribution split: longer chains, and a form that no other split has."""
    return dataclasses.replace(
        WorldSettings(),
        num_steps=(("5", 0.30), ("6", 0.40), ("7", 0.30)),
        forms=(("one", 0.12), ("difference", 0.14), ("total", 0.10), ("bags", 0.14), ("most", 0.16), ("left", 0.34)),
    )
