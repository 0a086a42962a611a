"""Can the final answer be had from the question alone? Fine-tune a base to answer at once, and count.

python experiments/testbed/answer_probe.py [--base=FOLDER] [--num=4000] [--steps=200]

Prints one JSON line: the share of test problems answered right in one go (greedy), its 95 % interval, and the share
that the most common answer gets. The testbed is built so that the two hardly differ: a verifier that can compute the
answer silently need not look at the steps.
"""

import argparse
import collections
import dataclasses
import json
import pathlib
import sys

import numpy as np

from procsup_jax.data import pack
from procsup_jax.data.examples import solution_examples
from procsup_jax.data.worlds import splits
from procsup_jax.decode.generate import sample_problems
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.errors import UserError
from procsup_jax.evals import intervals
from procsup_jax.io.models import SHIPPED, read_model, shipped
from procsup_jax.text.vocab import Vocab
from procsup_jax.train.loop import fit
from procsup_jax.train.settings import FitSettings, OptimSettings
from procsup_jax.types import Problem

SEQ_LEN = 384


def main() -> None:
    """Train, sample and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=pathlib.Path, default=shipped(SHIPPED))
    parser.add_argument("--num", type=int, default=4000, help="problems to train on")
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()
    base, vocab = read_model(args.base, None)
    train, valid = _packed(vocab, splits.problems("rm", args.num)), _packed(vocab, splits.problems("validation", 200))
    settings = FitSettings(OptimSettings(peak_lr=1e-3, warmup_steps=10), args.steps, 8, eval_every=25, patience=3)
    params = fit(base.config, base.params, "lm", train, valid, settings, seed=0, name="probe").params
    problems = splits.problems("test", 500)
    decoding = DecodeSettings(temperature=0.0, num_samples=1, max_new_tokens=12, lanes=64, slots=1)
    answers = [s.answer for s in sample_problems(base.config, params, vocab, problems, decoding, seed=0)]
    right = np.array([answer == problem.answer for answer, problem in zip(answers, problems, strict=True)], float)
    found = intervals.proportion(right)
    common = collections.Counter(problem.answer for problem in problems).most_common(1)[0][1] / len(problems)
    print(json.dumps({"right": found.value, "interval": found.interval, "n": found.n, "most_common_answer": common}))


def _packed(vocab: Vocab, problems: list[Problem]) -> pack.Packed:
    at_once = [dataclasses.replace(problem, solution=f"#### {problem.answer}") for problem in problems]
    return pack.pack(solution_examples(vocab, [(p, p.solution or "") for p in at_once]), SEQ_LEN)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"{pathlib.Path(__file__).name}: {error}")
