"""How a samples file tells greedy and step-searched solutions from samples drawn at a temperature.

The one solution that greedy decoding or a step search gives a problem names that decoding under the extra key
`decoding`. Its index only has to differ from those of the problem's other solutions, so that (problem_uid, sample)
stays unique in a file; `mark` gives it one that no sample drawn at a temperature reaches.
"""

from __future__ import annotations

import dataclasses

from procsup_jax.errors import UserError
from procsup_jax.types import Sample

SAMPLE_INDEX = {
    "greedy": 1_000_000,
    "prm_step": 1_000_001,
    "orm_step": 1_000_002,
    "prm_beam": 1_000_003,
    "orm_beam": 1_000_004,
    "prm_puct": 1_000_005,
    "orm_puct": 1_000_006,
}


def mark(sample: Sample, decoding: str) -> Sample:
    """Return `sample` as the one solution that `decoding` (one of `SAMPLE_INDEX`) gives its problem."""
    _check_name(decoding, sample)
    return dataclasses.replace(sample, sample=SAMPLE_INDEX[decoding], extra={**sample.extra, "decoding": decoding})


def with_tokens(sample: Sample, policy_tokens: int, rm_tokens: int) -> Sample:
    """Return a searched solution with what it cost: tokens that the policy sampled and the reward model read."""
    return dataclasses.replace(sample, extra={**sample.extra, "policy_tokens": policy_tokens, "rm_tokens": rm_tokens})


def decoding_of(sample: Sample) -> str | None:
    """Return which decoding a sample is the solution of, None for a sample drawn at a temperature.

    Raises `UserError` if the sample names a decoding that is not known.
    """
    name = sample.extra.get("decoding")
    if name is None:
        return None
    _check_name(name, sample)
    return str(name)


def _check_name(name: object, sample: Sample) -> None:
    if name not in SAMPLE_INDEX:
        raise UserError(
            f"sample {sample.sample} of problem {sample.problem_uid!r} has decoding {name!r}, expected one of "
            f"{', '.join(SAMPLE_INDEX)}, or no such key for a sample drawn at a temperature"
        )
