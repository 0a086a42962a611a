"""Can wrong traces with a right answer be told by their words alone? Fit a bag-of-tokens classifier, and count.

python experiments/testbed/surface_probe.py RUN [--samples=sft.test.drawn] [--folds=10]

RUN is the folder of a run that sampled and labelled (configs/worlds_base.py, findings.py). Of its samples with the
right final answer, some have a wrong step by the oracle. A logistic regression on how often each token of the
vocabulary stands in the solution, with and without the question's beside it, is fitted to which, and measured on
problems that it was not fitted to. Prints one JSON line for each: the AUC, its 95 % interval over problems, the number
of samples, and the share with a wrong trace; and the AUC among samples of the same problem, which knowing that some
problems are harder does not help. The testbed is built so that they stay under .65: then a verifier has to check the
steps against the story.
"""

import argparse
import json
import pathlib
import sys

import numpy as np

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.evals import intervals, logistic, verifier
from procsup_jax.grouping import by_uid, problem_of
from procsup_jax.text.answers import same_answer
from procsup_jax.text.tokenizer import Tokenizer, load_tokenizer

# Counts of hundreds of tokens against some hundred samples: shrunk harder than a control of eight features.
L2 = 100.0


def main() -> None:
    """Read, fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--samples", default="sft.test.drawn", help="POLICY.SPLIT.drawn, as the files are named")
    parser.add_argument("--folds", type=int, default=10)
    args = parser.parse_args()
    problems = by_uid(records.read_problems(args.run / f"data/{args.samples.split('.')[1]}.jsonl"))
    labels = {each.key: each for each in records.read_labels(args.run / f"labels/{args.samples}.oracle.jsonl")}
    tokenizer = load_tokenizer(args.run)
    right = [
        sample
        for sample in records.read_samples(args.run / f"samples/{args.samples}.jsonl")
        if same_answer(sample.answer, problem_of(problems, sample).answer)
    ]
    names = sorted({sample.problem_uid for sample in right})
    problem_n = np.array([names.index(sample.problem_uid) for sample in right])
    trace_n = np.array([labels[sample.key].trace_correct for sample in right], float)
    solution_nv = np.stack([_counts(tokenizer, sample.solution) for sample in right])
    question_nv = np.stack([_counts(tokenizer, problem_of(problems, sample).question) for sample in right])
    for name, x_nf in (("solution", solution_nv), ("solution and question", np.hstack([solution_nv, question_nv]))):
        score_n = _held_out(x_nf, trace_n, problem_n, args.folds)
        print(json.dumps({"read": name, **_measured(score_n, trace_n, problem_n)}))


def _counts(tokenizer: Tokenizer, text: str) -> np.ndarray:
    return np.bincount(tokenizer.encode(text), minlength=tokenizer.size).astype(float)


def _held_out(x_nf: np.ndarray, y_n: np.ndarray, problem_n: np.ndarray, folds: int) -> np.ndarray:
    """Score each row by a classifier fitted to the other folds' problems."""
    score_n = np.zeros(len(y_n))
    for fold in range(folds):
        held_out = problem_n % folds == fold
        score_n[held_out] = logistic.fit(x_nf[~held_out], y_n[~held_out], l2=L2).probs(x_nf[held_out])
    return score_n


def _measured(score_n: np.ndarray, trace_n: np.ndarray, problem_n: np.ndarray) -> dict[str, object]:
    auc = verifier.auc(score_n, trace_n, problem_n)
    within = _within_problems(score_n, trace_n, problem_n)
    return {
        "auc": auc.value, "interval": auc.interval, "n": auc.n, "wrong_traces": 1 - trace_n.mean(),
        "within_problems": within.value, "within_interval": within.interval, "pairs": within.n,
    }  # fmt: skip


def _within_problems(score_n: np.ndarray, trace_n: np.ndarray, problem_n: np.ndarray) -> intervals.Estimate:
    """Return how often, of two samples of one problem, that with the right trace scores above the other."""
    wins_p, pairs_p = np.zeros(problem_n.max() + 1), np.zeros(problem_n.max() + 1)
    for i in range(len(pairs_p)):
        of_it = problem_n == i
        right, wrong = score_n[of_it & (trace_n == 1)], score_n[of_it & (trace_n == 0)]
        gap = right[:, None] - wrong
        wins_p[i], pairs_p[i] = (gap > 0).sum() + (gap == 0).sum() / 2, gap.size
    value, pairs = float(wins_p.sum() / pairs_p.sum()), int(pairs_p.sum())
    influence_p = (wins_p - value * pairs_p) / pairs
    return intervals.Estimate(value, intervals.clustered(value, influence_p, np.arange(len(pairs_p))), pairs)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"{pathlib.Path(__file__).name}: {error}")
