"""The jobs as functions: what `import procsup_jax` offers (see docs/api.md).

Records in, records out; models are `Model` objects that `load_model` reads. Each function is one of the jobs of the
`procsup` command, under its name.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from procsup_jax.decode.doubt import doubt
from procsup_jax.decode.generate import sample_problems
from procsup_jax.decode.score import score_samples
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.evals import evaluate as evaluation
from procsup_jax.evals import inputs, outcomes
from procsup_jax.evals.inputs import LayoutName
from procsup_jax.evals.join import join
from procsup_jax.evals.judges import RM_TASK, check_judges
from procsup_jax.journal import NOTHING, Journal
from procsup_jax.labels.sources import Source, SourceName, label_answered
from procsup_jax.labels.sources import source as named_source
from procsup_jax.models import roles
from procsup_jax.models.model import Model
from procsup_jax.ranges import Seed, check_value
from procsup_jax.roster import task_of
from procsup_jax.searching import decodings
from procsup_jax.searching.aggregate import Aggregate, to_scores
from procsup_jax.searching.settings import StepSearchSettings, TreeSearchSettings
from procsup_jax.searching.step_search import step_search
from procsup_jax.searching.tree_search import tree_search
from procsup_jax.searching.vote import Choice
from procsup_jax.text import answered
from procsup_jax.text.answers import Reading
from procsup_jax.text.layout import StepLayout, preset
from procsup_jax.training.lesson import Lesson
from procsup_jax.training.tasks import Trained
from procsup_jax.training.tasks import train as train
from procsup_jax.types import Problem, Sample, Score, StepLabels

__all__ = ["Lesson", "Trained", "evaluate", "label", "sample", "score", "search", "train", "vote"]


def sample(
    model: Model,
    problems: Sequence[Problem],
    settings: DecodeSettings | None = None,
    *,
    seed: int = 0,
    examples: Sequence[Problem] = (),
    journal: Journal = NOTHING,
) -> list[Sample]:
    """Sample solutions of problems, zero-shot or after worked `examples`; all of a problem, in order, then the next's.

    At temperature 0 they are greedy, and say so. A sample depends on the model, its problem, its number and the seed
    alone. With a `journal`, `Journal(path)`, each problem's samples are kept as they are done, and the same call goes
    on from there. Raises UserError when the model is a reward model, a prompt leaves too little room in it, or memory
    lacks.
    """
    model.check_policy()
    check_value("seed", seed, Seed)
    settings = settings or DecodeSettings()
    samples = sample_problems(model, problems, settings, seed=seed, examples=examples, journal=journal)
    if settings.temperature > 0:
        return samples
    return [decodings.mark(each, decodings.GREEDY) for each in samples]


def search(
    policy: Model,
    rm: Model,
    problems: Sequence[Problem],
    settings: StepSearchSettings | TreeSearchSettings | None = None,
    *,
    seed: int = 0,
    examples: Sequence[Problem] = (),
    judge: str = "prm",
    journal: Journal = NOTHING,
) -> list[Sample]:
    """Search one solution of each problem step by step: the best next step, a beam of paths, or a tree (PUCT).

    `settings` decide which. The reward model is called `judge` in the samples' decoding. The `journal` is as for
    `sample`. Raises UserError when `rm` is no reward model or `policy` is one, and where a prompt leaves too little
    room or memory lacks.
    """
    policy.check_policy()
    roles.check_judge(rm.name, rm.head)
    check_value("seed", seed, Seed)
    settings = settings or StepSearchSettings()
    found: Sequence[decodings.Searched]
    if isinstance(settings, TreeSearchSettings):
        found = tree_search(policy, rm, problems, settings, seed=seed, examples=examples, journal=journal)
        method = settings.method
    else:
        found = step_search(policy, rm, problems, settings, seed=seed, examples=examples, journal=journal)
        method = "step"
    return [decodings.mark(decodings.with_cost(each), decodings.by(judge, method)) for each in found]


def score(
    model: Model,
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    *,
    aggregate: Aggregate | str = "last",
    batch_size: int = 64,
    flag: str = "batch_size",
    journal: Journal = NOTHING,
) -> list[Score]:
    """Return a reward model's probability of `correct` after each step of each sample, and their aggregate.

    `batch_size` sets speed and memory, and never changes a score; errors call it by its `flag`. The `journal` is as for
    `sample`, and keeps what is read at a time. Raises UserError when the model is no reward model, for a sample of
    another problem, for one that is longer than the model reads, and where memory lacks. Where every score is the same
    a warning on the standard error says so, with the share of tokens that the model never saw in training.
    """
    probs = score_samples(model, problems, samples, batch_size=batch_size, flag=flag, journal=journal)
    found = to_scores(samples, probs, aggregate, model.name)
    if (warning := doubt(model, problems, samples, found)) is not None:
        print(f"procsup: warning: {warning}", file=sys.stderr)
    task = task_of(model.metadata)
    return found if task is None else [dataclasses.replace(each, extra={RM_TASK: task}) for each in found]


def label(
    source: Source | SourceName,
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    *,
    answers: Reading = "flexible",
    layout: StepLayout = "lines",
) -> list[StepLabels]:
    """Label the steps of samples by a source (see `labels.sources`), or by the name of one.

    Final answers are read from the solutions, `flexible` ones as language models write them, `strict` ones behind the
    layout's marker; where a sample's own `answer` says otherwise a line says so. `layout` says how a named source
    splits steps that samples do not give. Raises UserError for a sample of another problem, for a problem without an
    answer to compare with, and where a source cannot label a problem's samples.
    """
    written = preset(layout)
    chosen = named_source(source, written.separator) if isinstance(source, str) else source
    return label_answered(chosen, problems, samples, answers, written.answer_marker)


def vote(
    samples: Sequence[Sample],
    scores: Mapping[str, Sequence[Score]] | None = None,
    *,
    problems: Sequence[Problem] = (),
    seed: int = 0,
    answers: Reading = "flexible",
    layout: LayoutName = "",
) -> dict[str, dict[str, Choice]]:
    """Return what each decoding chooses, by problem and decoding: majority, JUDGE_weighted and JUDGE_best, greedy, ...

    They are the choices that `evaluate` measures with the same seed. `scores` are those of any number of reward models,
    by the names to call them by; `problems`, which need no answers, those that there should be samples of, without any
    those that there are. `answers` and `layout` as in `evaluate`. Raises UserError where records do not fit together.
    """
    marker, separator = inputs.written(layout)
    found = answered.samples(samples, answers, marker)
    joined = join(problems or inputs.of_samples(samples), found.samples, scores or {}, (), separator)
    return outcomes.by_problem(joined, seed)


def evaluate(
    problems: Sequence[Problem],
    samples: Sequence[Sample],
    scores: Mapping[str, Sequence[Score]] | None = None,
    labels: Sequence[StepLabels] = (),
    *,
    seed: int = 0,
    answers: Reading = "flexible",
    layout: LayoutName = "",
    force: bool = False,
) -> dict[str, Any]:
    """Return every metric of a model's samples: both errors, abstention, agreement (docs/metrics.md).

    `scores` are those of any number of reward models, by the names to call them by; `labels` are process labels, of
    one rater or several. Final answers are read from the solutions, `flexible` ones as language models write them,
    `strict` ones behind the marker of the layout (without a name that of lines); where a sample's own `answer` says
    otherwise a line says so. `layout` says how steps that samples do not give are split; without a name they are split
    as fits the scores and labels. Raises UserError where records do not fit together, for a problem without an answer
    and, unless `force`, for scores that say they are another reward model's than the one they are given as.
    """
    check_value("seed", seed, Seed)
    if not force:
        check_judges(scores or {})
    marker, separator = inputs.written(layout)
    found = answered.samples(samples, answers, marker)
    gold = answered.problems(problems)
    return evaluation.evaluate(gold, found.samples, scores or {}, labels, seed=seed, separator=separator)
