"""What every contender does: the sizes, prompts and lengths; numpy alone, so that peers need nothing of ours."""

from __future__ import annotations

import dataclasses

import numpy as np

# A prompt's last token is this one plus its problem's index, so that a contender can tell problems apart by it.
FIRST_START_ID = 10


@dataclasses.dataclass(frozen=True)
class Size:
    """Hold the shape of a Llama-style transformer with tied embeddings."""

    d_model: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    d_ff: int
    vocab_size: int
    # tunix 0.1.7 turns by this one whatever its config says.
    rope_theta: float = 1e6
    norm_eps: float = 1e-5


SIZES = {
    "tiny": Size(32, 2, 4, 2, 8, 48, 512),
    "2m": Size(192, 4, 4, 4, 48, 512, 512),
    "25m": Size(512, 8, 8, 8, 64, 1408, 8192),
    "135m": Size(576, 30, 9, 3, 64, 1536, 49152),
    "1b": Size(2048, 16, 32, 8, 64, 8192, 32768),
}


@dataclasses.dataclass(frozen=True)
class Task:
    """Hold what to do; `folder` holds weights.npz and vocab.model, `device` is "cpu" or "gpu".

    Sampling: `num_samples` for each of `num_problems` prompts of `prompt_len` tokens; a sample has `new_tokens`, or,
    with `shortest`, a number between both that its problem's schedule says. Search: `num_steps` of `step_tokens`, with
    `num_samples` candidates each. Training: a step of `batch_size` rows of `seq_len`.
    """

    size: str
    folder: str
    num_samples: int = 96
    num_problems: int = 1
    prompt_len: int = 128
    new_tokens: int = 128
    shortest: int = 0
    num_steps: int = 8
    step_tokens: int = 16
    batch_size: int = 8
    seq_len: int = 512
    device: str = "cpu"

    @property
    def dtype(self) -> str:
        """Return the type that contenders compute in, unless their options say otherwise."""
        return "bfloat16" if self.device == "gpu" else "float32"

    def matmul_width(self, dtype: str) -> int:
        """Return the rows of the square matrices that the rate of products is measured with."""
        if self.device == "gpu":
            return 8192
        # Where the processor has no products in bfloat16, torch takes a hundred times as long for them.
        return 512 if dtype == "bfloat16" else 2048

    @property
    def shape(self) -> Size:
        """Return the model's shape."""
        return SIZES[self.size]

    @property
    def weights(self) -> str:
        """Return the path of the model's parameters."""
        return f"{self.folder}/weights.npz"

    def prompt(self, problem: int) -> list[int]:
        """Return the token ids of a problem's prompt."""
        rng = np.random.default_rng(problem + 1)
        ids = rng.integers(FIRST_START_ID, self.shape.vocab_size, self.prompt_len)
        ids[-1] = FIRST_START_ID + problem
        return [int(i) for i in ids]

    def lengths(self, problem: int) -> np.ndarray:
        """Return how many tokens each of a problem's samples has, int32 [k]; the longest has `new_tokens`."""
        if not self.shortest:
            return np.full(self.num_samples, self.new_tokens, np.int32)
        rng = np.random.default_rng(problem)
        found = rng.integers(self.shortest, self.new_tokens + 1, self.num_samples).astype(np.int32)
        found[found.argmax()] = self.new_tokens
        return found

    @property
    def num_tokens(self) -> int:
        """Return how many tokens all samples have together."""
        return sum(int(self.lengths(problem).sum()) for problem in range(self.num_problems))
