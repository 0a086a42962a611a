import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.data import pack
from procsup_jax.errors import UserError


@st.composite
def examples(draw):
    lens = draw(st.lists(st.integers(1, 20), min_size=1, max_size=25))
    made = []
    for i, length in enumerate(lens):
        tokens_l = 1 + 100 * i + np.arange(length)
        weights_l = np.array(draw(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=length, max_size=length)))
        weights_l[0] = 1.0
        made.append(pack.Example(tokens_l, tokens_l + 1, weights_l.astype(np.float32)))
    return made


def unpack(packed):
    """Yield each packed document as (tokens, targets, weights), after checking its segment and positions."""
    for row in range(packed.num_rows):
        segments_l = packed.segments[row]
        used = np.count_nonzero(segments_l)
        assert (segments_l[:used] > 0).all() and (np.diff(segments_l[:used].astype(int)) >= 0).all()
        assert sorted(set(segments_l[:used])) == list(range(1, segments_l.max() + 1))
        for name, array in packed.arrays.items():
            assert not array[row, used:].any(), name
        for segment in range(1, segments_l.max() + 1):
            here = segments_l == segment
            assert packed.positions[row, here].tolist() == list(range(here.sum()))
            yield tuple(tuple(packed.arrays[n][row, here].tolist()) for n in ("tokens", "targets", "weights"))


@given(examples(), st.integers(1, 24))
def test_every_document_that_fits_is_packed_whole_and_once(documents, seq_len):
    kept = [d for d in documents if len(d.tokens_l) <= seq_len]
    if not kept:
        with pytest.raises(UserError, match=f"all {len(documents)} examples are longer than seq_len={seq_len}"):
            pack.pack(documents, seq_len)
        return
    packed = pack.pack(documents, seq_len)
    wanted = collections.Counter(tuple(tuple(part.tolist()) for part in d[:3]) for d in kept)
    assert collections.Counter(unpack(packed)) == wanted
    assert (packed.num_examples, packed.num_left_out) == (len(kept), len(documents) - len(kept))
    assert packed.num_tokens == sum(len(d.tokens_l) for d in kept)
    assert packed.weights.sum() == sum(d.weights_l.sum() for d in kept)


@given(examples(), st.integers(20, 60))
def test_no_two_rows_could_share_one(documents, seq_len):
    used_b = np.sort(np.count_nonzero(pack.pack(documents, seq_len).segments, axis=1))
    assert len(used_b) == 1 or used_b[0] + used_b[1] > seq_len


def test_best_fit_fills_the_fullest_row():
    documents = [pack.document_example(np.arange(1, n + 2)) for n in (6, 5, 4, 3, 2)]
    packed = pack.pack(documents, 10)
    assert np.count_nonzero(packed.segments, axis=1).tolist() == [10, 10]


def test_lm_example_has_loss_on_the_completion_only():
    example = pack.lm_example([5, 6, 7], [8, 9])
    assert example.tokens_l.tolist() == [5, 6, 7, 8]
    assert example.targets_l.tolist() == [6, 7, 8, 9]
    assert example.weights_l.tolist() == [0, 0, 1, 1]


def test_document_example_has_loss_everywhere_and_shares_its_memory():
    example = pack.document_example([5, 6, 7])
    assert (example.tokens_l.tolist(), example.targets_l.tolist()) == ([5, 6], [6, 7])
    assert example.weights_l.tolist() == [1, 1]
    assert example.tokens_l.base is example.targets_l.base


def test_rm_example_labels_the_last_token_of_each_step():
    example = pack.rm_example([5, 6], [7, 1, 8, 9, 1, 3], [1, 4, 5], [True, None, False], weight=4.0)
    assert example.tokens_l.tolist() == [5, 6, 7, 1, 8, 9, 1, 3]
    assert example.weights_l.tolist() == [0, 0, 0, 4, 0, 0, 0, 4]
    assert example.targets_l.tolist() == [0, 0, 0, 1, 0, 0, 0, 0]


def test_soft_labels_are_packed_as_they_are():
    packed = pack.pack([pack.rm_example([5, 6], [7, 1, 8, 1], [1, 3], [0.37, None])], 7)
    assert packed.targets.dtype == np.float32
    assert packed.targets[0].tolist() == pytest.approx([0, 0, 0, 0.37, 0, 0, 0])
    assert packed.weights[0].tolist() == [0, 0, 0, 1, 0, 0, 0]


def test_large_vocabularies_keep_their_ids():
    packed = pack.pack([pack.document_example([70_000, 3, 65_536])], 4)
    assert packed.tokens[0].tolist() == [70_000, 3, 0, 0]
    assert packed.targets[0].tolist() == [3, 65_536, 0, 0]


def test_the_digest_sees_every_array():
    base = pack.pack([pack.rm_example([5], [6, 1], [1], [True])], 4)
    others = [
        pack.pack([pack.rm_example([5], [6, 1], [1], [False])], 4),
        pack.pack([pack.rm_example([5], [6, 1], [1], [True], weight=2.0)], 4),
        pack.pack([pack.rm_example([4], [6, 1], [1], [True])], 4),
        pack.pack([pack.rm_example([5], [6, 1], [1], [True])], 5),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == 5
    assert base.digest == pack.pack([pack.rm_example([5], [6, 1], [1], [True])], 4).digest


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pack.pack([], 8), "empty split: no examples"),
        (lambda: pack.lm_example([1, 2], []), "empty completion"),
        (lambda: pack.document_example([1]), "has 1 token"),
        (lambda: pack.rm_example([1], [2, 3], [0, 1], [True]), "2 steps but 1 labels"),
        (lambda: pack.rm_example([1], [2], [0], [None]), "no label that counts"),
        (lambda: pack.rm_example([1], [2], [0], [True], weight=0), "weight 0 and no label that counts"),
        (
            lambda: pack.pack([pack.document_example([1, 2])._replace(weights_l=np.zeros(1))], 8),
            "none of the 1 examples has a label",
        ),
    ],
)
def test_bad_input_is_one_clear_line(make, message):
    with pytest.raises(UserError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
