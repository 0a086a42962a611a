import pytest

from benchmarks import memory
from procsup_jax.parallel.settings import MeshSettings


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 2, 2)])
def test_pieces_hold_less_than_the_whole(shape):
    sizes = {"rows": 8, "seq_len": 512, "d_model": 8, "vocab_size": 2**14}
    held = {how: memory.loss(fn, MeshSettings(*shape), **sizes)["temporary_mb"] for how, fn in memory.WAYS.items()}
    logits = 4 * sizes["rows"] * sizes["seq_len"] * sizes["vocab_size"] / 1e6 / (shape[0] * shape[1] * shape[2])
    assert held["whole"] >= 0.9 * logits
    assert held["pieces of the vocabulary"] < held["whole"] * (0.9 if shape == (1, 1, 1) else 1.1)
