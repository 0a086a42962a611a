import numpy as np
import pytest

from procsup_jax.data import pack
from procsup_jax.data.seen import TOKENS_SEEN, share_unseen, tokens_seen


def test_the_share_of_tokens_that_training_never_saw():
    rows = pack.pack([pack.document_example([3, 5, 5, 9, 1]), pack.document_example([3, 7])], 8)
    metadata = tokens_seen(rows, 12)
    assert share_unseen(metadata, [[3, 5], [9, 9]]) == 0.0
    assert share_unseen(metadata, [[3, 5], [0, 11]]) == 0.5, "padding is no token, and 1 and 7 are never read"
    assert share_unseen(metadata, [[7], [500]]) == 1.0
    assert share_unseen(metadata, []) is None
    assert len(metadata[TOKENS_SEEN]) == 4


@pytest.mark.parametrize("said", [None, 3, "?", "é", ["AA=="], np.nan])
def test_metadata_that_do_not_say_give_none(said):
    assert share_unseen({} if said is None else {TOKENS_SEEN: said}, [[1]]) is None
