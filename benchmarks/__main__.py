"""Time sampling, scoring and training at one size: one JSON line each, the median of interleaved runs.

python -m benchmarks [--preset=2m] [--rounds=5]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np

from procsup_jax.data import pack
from procsup_jax.data.examples import document_ids
from procsup_jax.data.pipeline import Batches
from procsup_jax.data.worlds import splits
from procsup_jax.decode.generate import sample_problems
from procsup_jax.decode.score import score_samples
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.models import api
from procsup_jax.text.prompts import worked_example
from procsup_jax.text.vocab import train_vocab
from procsup_jax.train.loop import fit
from procsup_jax.train.settings import FitSettings

SEQ_LEN, BATCH, NUM_STEPS = 256, 16, 4
Contender = Callable[[], int]


def main() -> None:
    """Run every contender once to compile, then in turn for some rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="2m", choices=list(api.PRESETS))
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    contenders = make_contenders(args.preset)
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for round_index in range(args.rounds + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            tokens = run()
            if round_index:
                rates[name].append(tokens / (time.perf_counter() - start))
    for name, found in rates.items():
        spread = {"median": statistics.median(found), "min": min(found), "max": max(found)}
        rounded = {key: round(value, 1) for key, value in spread.items()}
        where = {"device": jax.devices()[0].device_kind, "jax": jax.__version__, "preset": args.preset}
        print(json.dumps({"benchmark": name, "tokens_per_s": rounded, "rounds": args.rounds, **where}))


def make_contenders(preset: str) -> dict[str, Contender]:
    """Return each benchmark as a function that does the work once and returns the tokens it handled."""
    problems = splits.problems("test", 64)
    texts = [worked_example(problem) for problem in problems]
    with tempfile.TemporaryDirectory() as folder:
        vocab = train_vocab(texts, 512, f"{folder}/vocab.model", seed=0)
    config = api.preset(preset, vocab.size)
    params = api.init_params(config, jax.random.key(0))
    settings = DecodeSettings(num_samples=96, max_new_tokens=128, lanes=1, slots=96)
    drawn = sample_problems(config, params, vocab, problems[:2], settings, seed=0)
    packed = pack.pack([pack.document_example(document_ids(vocab, text)) for text in texts], SEQ_LEN)
    per_step = int(np.mean([np.count_nonzero(next(batches)["segments"]) for batches in [Batches(packed, BATCH, 0)]]))
    fit_settings = FitSettings(num_steps=NUM_STEPS, batch_size=BATCH)

    def sample() -> int:
        found = sample_problems(config, params, vocab, problems[:1], settings, seed=1)
        return sum(each.tokens or 0 for each in found)

    def score() -> int:
        score_samples(config, params, vocab, problems, drawn, batch_size=64)
        return sum(each.tokens or 0 for each in drawn)

    def train() -> int:
        fit(config, params, "lm", packed, None, fit_settings, seed=0)
        return per_step * NUM_STEPS

    return {"sample": sample, "score": score, "train": train}


if __name__ == "__main__":
    main()
