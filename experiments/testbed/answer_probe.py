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
from procsup_jax.data.examples import references, solution_examples
from procsup_jax.data.worlds import splits
from procsup_jax.decode.generate import sample_problems
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.errors import UserError
from procsup_jax.evals import intervals
from procsup_jax.io.models import SHIPPED, load_model
from procsup_jax.text.encoding import Encoding
from procsup_jax.training.loop import fit
from procsup_jax.training.settings import FitSettings, OptimSettings
from procsup_jax.types import Problem

SEQ_LEN = 384


def main() -> None:
    """Train, sample and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default=SHIPPED)
    parser.add_argument("--num", type=int, default=4000, help="problems to train on")
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()
    base = load_model(args.base)
    train, valid = (_packed(base.encoding, splits.problems(*each)) for each in (("rm", args.num), ("validation", 200)))
    settings = FitSettings(OptimSettings(peak_lr=1e-3, warmup_steps=10), args.steps, 8, eval_every=25, patience=3)
    params = fit(base.network, train, valid, settings, seed=0, name="probe").params
    problems = splits.problems("test", 500)
    decoding = DecodeSettings(temperature=0.0, num_samples=1, max_new_tokens=12, lanes=64, slots=1)
    answers = [s.answer for s in sample_problems(base.replace(params=params), problems, decoding, seed=0)]
    right = np.array([answer == problem.answer for answer, problem in zip(answers, problems, strict=True)], float)
    found = intervals.proportion(right)
    common = collections.Counter(problem.answer for problem in problems).most_common(1)[0][1] / len(problems)
    print(json.dumps({"right": found.value, "interval": found.interval, "n": found.n, "most_common_answer": common}))


def _packed(encoding: Encoding, problems: list[Problem]) -> pack.Packed:
    at_once = [dataclasses.replace(problem, solution=f"#### {problem.answer}") for problem in problems]
    return pack.pack(solution_examples(encoding, references(at_once)), SEQ_LEN)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"{pathlib.Path(__file__).name}: {error}")
