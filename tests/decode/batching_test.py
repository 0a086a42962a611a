import zlib

import jax
import numpy as np
import pytest

from procsup_jax.decode import batching


@pytest.mark.parametrize(("wanted", "num_samples", "slots"), [(8, 9, 5), (8, 8, 8), (8, 3, 3), (40, 96, 32), (1, 5, 1)])
def test_no_round_of_samples_is_nearly_empty(wanted, num_samples, slots):
    assert batching.num_slots(wanted, num_samples) == slots


def test_lengths_go_into_few_buckets():
    assert [batching.length_bucket(n, 16) for n in (0, 16, 17, 24, 25, 33, 49)] == [16, 16, 24, 24, 32, 48, 64]


def test_rows_are_padded_to_one_size():
    tokens_rp, len_r = batching.pad_rows([[5, 6], [], [7]], 4, 3)
    np.testing.assert_array_equal(tokens_rp, [[5, 6, 0], [0, 0, 0], [7, 0, 0], [0, 0, 0]])
    assert len_r.tolist() == [2, 0, 1, 0]


def test_a_problems_key_is_its_own():
    key = jax.random.key_data(jax.random.fold_in(jax.random.key(3), zlib.crc32(b"a")))
    np.testing.assert_array_equal(batching.problem_key(3, "a"), key)
    assert len({tuple(batching.problem_key(seed, uid)) for seed in (0, 1) for uid in "ab"}) == 4
