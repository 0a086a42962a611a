"""Print stories and figures of the testbed: `python -m procsup_jax.data.worlds.inspect [num_stories] [slop_rate]`.

docs/worlds.md holds its output and says what each figure is good for.
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import re
import sys
import tempfile
import time

import numpy as np

from procsup_jax.data.worlds import corpus, oracle, settings, splits, write
from procsup_jax.data.worlds.settings import SlopSettings, WorldSettings
from procsup_jax.text import vocab

_TOKEN = re.compile(r"[A-Za-z]+|\d|[^\sA-Za-z\d]|\n")


@dataclasses.dataclass(frozen=True)
class Written:
    """Hold a sloppy solution and the two verdicts on it."""

    form: str
    solution: str
    slips: tuple[str, ...]
    answer_right: bool
    trace_right: bool


def write_sloppily(num: int, slop: SlopSettings, world_settings: WorldSettings, split: str = "rm") -> list[Written]:
    """Write one solution with slips for each of the first `num` stories of a split."""
    written = []
    for index in range(num):
        world, rng = splits.draw_split(split, 0, index, world_settings)
        trace = write.write_trace(world, rng, slop)
        trace_right = oracle.check(world, trace.steps).first_error < 0
        answer_right = trace.answer == str(world.answer)
        solution = "\n".join(trace.steps)
        written.append(Written(world.question.form, solution, trace.slips, answer_right, trace_right))
    return written


def lucky_share(written: list[Written]) -> float:
    """Return the share of wrong traces among those with the right answer."""
    right = [w for w in written if w.answer_right]
    return sum(not w.trace_right for w in right) / max(1, len(right))


def surface_auc(written: list[Written], num_steps: int = 300, l2: float = 1e-3) -> float:
    """Return how well a bag of tokens tells wrong from right traces among those with the right answer.

    Logistic regression by gradient descent on one half of the stories, the area under the ROC curve on the other; .5 is
    chance.
    """
    right = [w for w in written if w.answer_right]
    bags = [collections.Counter(_TOKEN.findall(w.solution)) for w in right]
    column = {token: i for i, token in enumerate(sorted({token for bag in bags for token in bag}))}
    x_nv = np.zeros((len(bags), len(column)))
    for row, bag in enumerate(bags):
        for token, count in bag.items():
            x_nv[row, column[token]] = count
    y_n = np.array([not w.trace_right for w in right], float)
    half = len(bags) // 2
    mean_v, std_v = x_nv[:half].mean(0), x_nv[:half].std(0) + 1e-6
    x_nv = np.clip((x_nv - mean_v) / std_v, -5, 5)
    weight_v, bias = np.zeros(len(column)), 0.0
    for _ in range(num_steps):
        prob_n = 1 / (1 + np.exp(-(x_nv[:half] @ weight_v + bias)))
        error_n = prob_n - y_n[:half]
        weight_v -= 0.3 * (x_nv[:half].T @ error_n / half + l2 * weight_v)
        bias -= 0.3 * error_n.mean()
    return auc(x_nv[half:] @ weight_v, y_n[half:] > 0)


def auc(score_n: np.ndarray, positive_n: np.ndarray) -> float:
    """Return the area under the ROC curve: the chance that a positive scores above a negative (ties count half)."""
    ordered, rank_n = np.unique(score_n, return_inverse=True)
    below = np.bincount(rank_n[~positive_n], minlength=len(ordered))
    mid_rank = np.cumsum(below) - below / 2
    pairs = positive_n.sum() * (~positive_n).sum()
    return float(mid_rank[rank_n[positive_n]].sum() / pairs) if pairs else float("nan")


def _print_examples(slop: SlopSettings) -> None:
    for problem in [*splits.problems("test", 2), *splits.problems("ood", 1)]:
        print(f"[{problem.uid}]\n{problem.question}\n{problem.solution}\n")
    shown = 0
    for index in range(10_000):
        world, rng = splits.draw_split("rm", 0, index, settings.default())
        trace = write.write_trace(world, rng, slop)
        checked = oracle.check(world, trace.steps)
        if trace.answer == str(world.answer) and checked.first_error >= 0:
            print(f"[right answer, wrong trace: {', '.join(trace.slips)}; the graph says {world.values}]")
            for step, verdict in zip(trace.steps, checked.verdicts, strict=True):
                print(step + ("" if verdict.right else f"    <- {verdict.reason}"))
            print()
            shown += 1
        if shown == 3:
            return


def _print_tokens(num: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        documents = corpus.base_documents(0, min(num, 4000))
        words = vocab.train_vocab(documents, 1024, pathlib.Path(folder) / "vocab.model", seed=0)
        lengths = [len(words.encode(text)) + 1 for text in documents[:1000]]
        print(f"vocabulary {words.size}; tokens a base document: mean {np.mean(lengths):.0f}, most {max(lengths)}")
        for split in ("rm", "ood"):
            drawn = splits.problems(split, min(num, 500))
            question = np.array([len(words.encode(p.question)) for p in drawn])
            solution = np.array([len(words.encode(p.solution or "")) for p in drawn])
            both = question + solution
            print(
                f"{split}: tokens a question {question.mean():.0f}, a solution {solution.mean():.0f} "
                f"(most {solution.max()}), both {both.mean():.0f} "
                f"(90 % below {np.percentile(both, 90):.0f}, most {both.max()})"
            )


def _print_slop(num: int, rates: tuple[float, ...], chosen: float) -> None:
    print("slop rate | final answer error | wrong traces | wrong among right answers | surface AUC")
    for rate in rates:
        written = write_sloppily(
            num, dataclasses.replace(settings.CorpusSettings().slop, rate=rate), settings.default()
        )
        wrong, wrong_traces = (
            np.mean([not getattr(w, key) for w in written]) for key in ("answer_right", "trace_right")
        )
        print(
            f"{rate:9.2f} | {wrong:18.3f} | {wrong_traces:12.3f} | {lucky_share(written):25.3f} | "
            f"{surface_auc(written):.3f}"
        )
        if rate == chosen:
            shown = written
    lucky = [w for w in shown if w.answer_right and not w.trace_right]
    print(
        f"\nat {chosen}: kinds of slips, their share of the wrong traces with the right answer, "
        "and how often a wrong trace with such a slip has the right answer"
    )
    for kind in sorted({kind for w in shown for kind in w.slips}):
        of_kind = [w for w in shown if kind in w.slips and not w.trace_right]
        share = sum(kind in w.slips for w in lucky) / max(1, len(lucky))
        print(f"  {kind:10s} {share:.2f} {np.mean([w.answer_right for w in of_kind]):.2f}")
    print("forms of question, likewise")
    for form in sorted({w.form for w in shown}):
        of_form = [w for w in shown if w.form == form and not w.trace_right]
        share = sum(w.form == form for w in lucky) / max(1, len(lucky))
        print(f"  {form:10s} {share:.2f} {np.mean([w.answer_right for w in of_form]):.2f}")


def majority_error(num: int, num_writers: int, slop: SlopSettings, world_settings: WorldSettings) -> float:
    """Return the share of stories where the most common answer of independent sloppy writers is wrong."""
    wrong = 0
    for index in range(num):
        world, rng = splits.draw_split("rm", 0, index, world_settings)
        answers = collections.Counter(write.write_trace(world, rng, slop).answer for _ in range(num_writers))
        wrong += answers.most_common(1)[0][0] != str(world.answer)
    return wrong / num


def _print_answers(num: int) -> None:
    for split in ("test", "ood"):
        by_form: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        for problem in splits.problems(split, num):
            by_form[problem.extra["world"]["question"][0]][problem.answer] += 1
        total = sum(by_form.values(), collections.Counter[str]())
        answer, count = total.most_common(1)[0]
        print(f"{split}: {len(total)} answers, most common {answer!r} in {count / num:.3f} of the stories; by form:")
        print("  " + ", ".join(f"{f} {c.most_common(1)[0][1] / c.total():.2f}" for f, c in sorted(by_form.items())))


def _print_speed(num: int) -> None:
    start = time.process_time()
    num_problems = sum(text.count("Question:") for text in corpus.base_documents(1, num))
    print(f"{num_problems / (time.process_time() - start):.0f} base stories a second on one core")


def main(num: int = 3000, rate: float = settings.CorpusSettings().slop.rate) -> None:
    """Print everything."""
    _print_examples(dataclasses.replace(settings.CorpusSettings().slop, rate=rate))
    _print_tokens(num)
    _print_speed(min(num, 1000))
    _print_slop(num, tuple(sorted({0.04, 0.06, 0.08, 0.1, 0.14, rate})), rate)
    slop = dataclasses.replace(settings.CorpusSettings().slop, rate=rate)
    print(f"majority of 16 writers wrong: {majority_error(min(num, 1000), 16, slop, settings.default()):.3f}")
    _print_answers(min(num, 1000))


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((int, float), sys.argv[1:], strict=False)))
