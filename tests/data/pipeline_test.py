import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procsup_jax.data import pack, pipeline
from procsup_jax.errors import UserError


def rows(n):
    """Pack n documents that fill a row each; row i holds token i + 1 first."""
    return pack.pack([pack.document_example([i + 1, 0, 0]) for i in range(n)], 2)


def row_ids(batch):
    return (batch["tokens"][:, 0] - 1).tolist()


@settings(max_examples=20)
@given(st.integers(1, 12), st.integers(1, 7), st.integers(0, 2**40))
def test_every_row_is_used_once_in_each_epoch(num_rows, batch_size, seed):
    batches = pipeline.Batches(rows(num_rows), batch_size, seed)
    seen = [row_ids(next(batches)) for _ in range(num_rows)]
    assert all(len(ids) == batch_size for ids in seen)
    stream = list(itertools.chain(*seen))
    for epoch in range(batch_size):
        assert sorted(stream[epoch * num_rows : (epoch + 1) * num_rows]) == list(range(num_rows))


def test_epochs_differ_and_the_seed_decides():
    def stream(seed):
        batches = pipeline.Batches(rows(20), 20, seed)
        return [row_ids(next(batches)) for _ in range(3)]

    first, second, third = stream(1)
    assert first != second != third != first
    assert stream(1) == [first, second, third]
    assert stream(2)[0] != first


def test_the_place_is_restored_exactly():
    batches = pipeline.Batches(rows(7), 3, 5)
    for _ in range(4):
        next(batches)
    state = batches.get_state()
    wanted = [row_ids(next(batches)) for _ in range(6)]
    other = pipeline.Batches(rows(7), 3, 5)
    other.set_state(state)
    assert [row_ids(next(other)) for _ in range(6)] == wanted


def test_arrays_are_what_the_model_takes():
    batch = next(pipeline.Batches(rows(3), 2, 0))
    assert {name: array.dtype for name, array in batch.items()} == {
        "tokens": np.int32, "positions": np.int32, "segments": np.int32, "targets": np.int32, "weights": np.float32,
    }  # fmt: skip
    assert all(array.shape == (2, 2) for array in batch.values())
    labelled = pack.pack([pack.rm_example([1], [2], [0], [0.5])], 2)
    assert pipeline.take_rows(labelled, np.zeros(1, int))["targets"].dtype == np.float32


@given(st.integers(1, 9), st.integers(1, 5))
def test_padded_batches_count_every_row_once(num_rows, batch_size):
    batches = list(pipeline.padded_batches(rows(num_rows), batch_size))
    assert all(batch["tokens"].shape == (batch_size, 2) for batch in batches)
    counted = [i for batch in batches for i, w_l in zip(row_ids(batch), batch["weights"], strict=True) if w_l.any()]
    assert counted == list(range(num_rows))


def test_a_batch_without_a_label_is_refused():
    documents = [pack.document_example([i + 1, 0, 0]) for i in range(2)]
    documents[1] = documents[1]._replace(weights_l=np.zeros(2, np.float32))
    batches = pipeline.Batches(pack.pack(documents, 2), 1, 0)
    with pytest.raises(UserError, match="a batch has no label"):
        for _ in range(2):
            next(batches)
