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
    # tunix 0.1.7 turns by this one whatever its config says, and so stays away from the others.
    rope_theta: float = 1e6
    norm_eps: float = 1e-5


SIZES = {
    "tiny": Size(32, 2, 4, 2, 8, 48, 512),
    "2m": Size(192, 4, 4, 4, 48, 512, 512),
    "25m": Size(512, 8, 8, 8, 64, 1408, 8192),
    # SmolLM2-135M.
    "135m": Size(576, 30, 9, 3, 64, 1536, 49152, rope_theta=1e5),
    "1b": Size(2048, 16, 32, 8, 64, 8192, 32768),
}

# What takes less of a CPU's time at a large size.
SMALLER = {"135m": {"num_samples": 32, "batch_size": 2}}


@dataclasses.dataclass(frozen=True)
class Task:
    """Hold what to do; `folder` holds the model in each contender's format, `device` is "cpu" or "gpu".

    Sampling: `num_samples` for each of `num_problems` prompts of `prompt_len` tokens; a sample has `new_tokens`, or,
    with `shortest`, a number between both that its problem's schedule says. Scoring: `num_samples` solutions of one
    prompt, `new_tokens` each, judged after every `step_tokens`. Search: `num_steps` of `step_tokens`, with
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

    @classmethod
    def usual(cls, size: str, folder: str, device: str = "cpu") -> Task:
        """Return what is done at a size unless a benchmark says otherwise."""
        return cls(size, folder, device=device, **(SMALLER.get(size, {}) if device == "cpu" else {}))

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
    def model(self) -> str:
        """Return the path of the model's folder."""
        return f"{self.folder}/model"

    @property
    def hf(self) -> str:
        """Return the path of the same model as a Hugging Face folder."""
        return f"{self.folder}/hf"

    def gguf(self, dtype: str) -> str:
        """Return the path of the same model as a GGUF file, of type "f32" or "q8_0"."""
        return f"{self.folder}/{dtype}.gguf"

    def prompt(self, problem: int) -> list[int]:
        """Return the token ids of a problem's prompt."""
        rng = np.random.default_rng(problem + 1)
        ids = rng.integers(FIRST_START_ID, self.shape.vocab_size, self.prompt_len)
        ids[-1] = FIRST_START_ID + problem
        return [int(i) for i in ids]

    def solutions(self) -> np.ndarray:
        """Return the tokens of the first problem's solutions, int32 [k, t]."""
        shape = self.num_samples, self.new_tokens
        return np.random.default_rng(0).integers(FIRST_START_ID, self.shape.vocab_size, shape).astype(np.int32)

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
