"""A tiny Llama, a byte-level BPE that knows every byte, a few merges and two control tokens, and a small disk."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from tokenizers.pre_tokenizers import ByteLevel

from procsup_jax.models import api

MERGES = ["Ġ t", "h e", "Ġt he", "1 2", "Ċ Ċ"]
TOKENS = ["<|end|>", "<|user|>", *sorted(ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in MERGES)]


@pytest.fixture(scope="session")
def llama():
    """Return a config and random parameters; dimensions are whole blocks of Q8_0."""
    config = api.ModelConfig(
        vocab_size=len(TOKENS), num_layers=2, d_model=32, num_heads=4, num_kv_heads=2, head_dim=8, d_ff=64, max_len=64,
        rope_theta=1e5, norm_eps=1e-6,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    draw = lambda a: rng.standard_normal(a.shape).astype(np.float32) / 4  # noqa: E731
    return config, jax.tree.map(draw, api.abstract_params(config))


@pytest.fixture
def byte_bpe():
    """Return GGUF's metadata of the tokenizer."""
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": list(TOKENS),
        "tokenizer.ggml.token_type": [3, 3] + [1] * (len(TOKENS) - 2),
        "tokenizer.ggml.merges": list(MERGES),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": "{{ messages }}",
    }


@pytest.fixture
def on_a_small_disk(tmp_path):
    """Return how to run a script whose first argument, `tmp_path`, is a disk of a size such as "1m"."""

    def run(size, script):
        mount = f"mount -t tmpfs -o size={size} none {tmp_path}"
        if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True).returncode:
            pytest.skip("needs to mount a small disk: unshare -m as root")
        command = f"{mount} && exec {sys.executable} -c '{script}' {tmp_path}"
        return subprocess.run(["unshare", "-m", "sh", "-c", command], capture_output=True, text=True, timeout=200)

    return run
