"""How votes get better with more samples: each vote over the first 1, 2, 4, ... samples of every problem."""

from __future__ import annotations

import dataclasses
from typing import Any

from procsup_jax.evals import intervals, outcomes, pass_at_k
from procsup_jax.evals.join import Joined
from procsup_jax.searching import decodings


def measure(joined: Joined, *, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Return the final-answer error of majority and of each reward model's weighted vote, by decoding and k, as text.

    k is as in `pass_at_k`; each has its interval and the number of problems.
    """
    judges = [decodings.by(judge, "weighted") for judge in joined.scores]
    found: dict[str, dict[str, Any]] = {}
    for k in pass_at_k.ks(joined):
        first = {uid: group[:k] for uid, group in joined.drawn.items()}
        measured = outcomes.measure_all(dataclasses.replace(joined, drawn=first, single={}), seed)
        for decoding in (decodings.MAJORITY, *judges):
            error = intervals.proportion(measured[decoding].error_b)
            found.setdefault(decoding, {})[str(k)] = intervals.shown(error)
    return found
