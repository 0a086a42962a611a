"""Which tokens a model was trained on: one bit for each of its vocabulary, as text that metadata can hold."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from procsup_jax.data.pack import Packed

TOKENS_SEEN = "tokens_seen"


def tokens_seen(packed: Packed, vocab_size: int) -> dict[str, str]:
    """Return the entry of a model's metadata that says which tokens stand in its training rows."""
    seen_v = np.zeros(vocab_size, bool)
    seen_v[packed.tokens[packed.segments > 0]] = True
    return {TOKENS_SEEN: base64.b64encode(np.packbits(seen_v).tobytes()).decode()}


def share_unseen(metadata: Mapping[str, Any], texts: Iterable[Sequence[int]]) -> float | None:
    """Return the share of the tokens of some texts that a model never saw in training, None where it does not say."""
    try:
        bits = np.frombuffer(base64.b64decode(metadata[TOKENS_SEEN], validate=True), np.uint8)
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None
    ids = np.array([i for text in texts for i in text], np.int64)
    if not len(ids):
        return None
    seen_v = np.unpackbits(bits).astype(bool)
    known = ids < len(seen_v)
    return float(1 - (seen_v[ids[known]].sum() / len(ids)))
