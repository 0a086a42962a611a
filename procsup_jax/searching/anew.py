"""Candidate steps in the tokens of a reward model that reads others than the policy writes.

The policy's tokens come to the host once a round, where each step's text is encoded as scoring would encode it; the
reward model's caches stay on the device. Only steps are ever encoded anew: what it has read of a solution it keeps.
Axis letters: n prefix, k candidate, t token of a step, l token of a solution.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.decode.batching import length_bucket, pad_rows
from procsup_jax.parallel import rules
from procsup_jax.searching import branch
from procsup_jax.searching.branch import Candidates, Program
from procsup_jax.searching.judge import ReadSteps
from procsup_jax.text.encoding import Encoding
from procsup_jax.text.written import body


class Written(NamedTuple):
    """Hold what the host needs of a round, whole on every device.

    tokens_nl, len_n: the solution before the candidates; tokens_nkt, len_nk: those; final_nk: they end it; wanted_nk:
    whether to read them at all; rm_len_n: how much the reward model has read, its prompt included.
    """

    tokens_nl: jax.Array
    len_n: jax.Array
    tokens_nkt: jax.Array
    len_nk: jax.Array
    final_nk: jax.Array
    wanted_nk: jax.Array
    rm_len_n: jax.Array


def written(
    tokens_nl: jax.Array, len_n: jax.Array, found: Candidates, active_n: jax.Array, rm_len_n: jax.Array
) -> Written:
    """Return what the host needs of candidates for prefixes of these tokens; traced."""
    wanted_nk = branch.readable(found, active_n)
    fields = (tokens_nl, len_n, found.tokens_nkt, found.len_nk, found.final_nk, wanted_nk, rm_len_n)
    return Written(*(rules.constrain(a, (None,) * a.ndim) for a in fields))


@dataclasses.dataclass(frozen=True, eq=False)
class Reader:
    """Encode the steps of a policy for a reward model.

    What is longer than `program.rm_step_tokens`, brings the solution over `program.rm_max_tokens`, or does not fit
    behind its prefix in the reward model's max_len, is read as no tokens: it can't be chosen.
    """

    policy: Encoding
    rm: Encoding
    program: Program
    known: dict[tuple[str, bool], list[int]] = dataclasses.field(default_factory=dict)

    def read(self, round_of: Written) -> ReadSteps:
        """Return the candidates' tokens as the reward model reads them, padded to one of few lengths."""
        host = jax.tree.map(np.asarray, round_of)
        n, k = host.len_nk.shape
        rows: list[list[int]] = [[] for _ in range(n * k)]
        for i, j in zip(*np.nonzero(host.wanted_nk), strict=True):
            before = host.tokens_nl[i, : host.len_n[i]].tolist()
            step = host.tokens_nkt[i, j, : host.len_nk[i, j]].tolist()
            tokens = self._step([*before, *step], is_last=bool(host.final_nk[i, j]))
            if host.rm_len_n[i] + len(tokens) <= self.program.rm.max_len:
                rows[i * k + j] = tokens
        length = length_bucket(max(map(len, rows)), self.program.sampling.max_new_tokens)
        tokens_rt, len_r = pad_rows(rows, n * k, min(length, self.program.rm_step_tokens))
        return ReadSteps(jnp.asarray(tokens_rt.reshape(n, k, -1)), jnp.asarray(len_r.reshape(n, k)))

    def _step(self, ids: list[int], *, is_last: bool) -> list[int]:
        """Return the tokens of the last step of a solution, whose last token ended it; none where that is too long."""
        text = body(ids, self.policy.token_bytes, self.policy.separator, self.policy.end_ids).text
        *earlier, step = self.policy.steps(text)
        tokens = self._encode(step, is_last=is_last)
        num_tokens = sum(len(self._encode(each, is_last=False)) for each in earlier) + len(tokens)
        fits = len(tokens) <= self.program.rm_step_tokens and num_tokens <= self.program.rm_max_tokens
        return tokens if fits else []

    def _encode(self, step: str, *, is_last: bool) -> list[int]:
        if (step, is_last) not in self.known:
            self.known[step, is_last] = self.rm.step(step, is_last=is_last)
        return self.known[step, is_last]
