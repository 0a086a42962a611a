"""What a model can be trained for from files: solutions to write, or steps to judge."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import get_args

import jax

from procsup_jax import files, grouping
from procsup_jax.data import pack
from procsup_jax.data.completions import completion_examples
from procsup_jax.data.examples import label_examples, references, solution_examples
from procsup_jax.data.seen import tokens_seen
from procsup_jax.errors import UserError
from procsup_jax.io.metrics import Record
from procsup_jax.labels.outcome import Outcome
from procsup_jax.labels.sources import label_answered
from procsup_jax.models.api import make_head
from procsup_jax.models.model import Model
from procsup_jax.ranges import Seed, check_value
from procsup_jax.training.lesson import Lesson
from procsup_jax.training.loop import fit
from procsup_jax.training.settings import Task, TrainSettings, stated
from procsup_jax.types import Problem, Sample, StepLabels


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """Hold a trained model, after how many steps it was best, how many examples it had, and the fit's history."""

    model: Model
    best_step: int
    num_examples: int
    num_left_out: int
    history: list[Record]


def train(
    model: Model, lesson: Lesson, settings: TrainSettings, *, seed: int = 0, workdir: files.PathLike | None = None
) -> Trained:
    """Train a copy of a model on a lesson; "orm" and "prm" give a reward model, the others a policy.

    What a fit keeps, checkpoints included, is kept in `workdir`: there the same call goes on where it was stopped.
    Raises UserError where a reward model is to become a policy (`with_head(None)` takes its trunk for one), where the
    lesson lacks something, where its steps and labels do not correspond, and as `fit` does.
    """
    check_value("seed", seed, Seed)
    is_judge = lesson.task in ("orm", "prm")
    if not is_judge:
        model.check_policy()
    head = make_head(settings.head, model.encoding.verdict_ids) if is_judge else None
    started = model.with_head(head, jax.random.key(seed))
    groups = _examples(model, lesson)
    valid_uids = _held_out(sorted(groups), settings.validation, seed)
    train_part = [each for uid, some in groups.items() if uid not in valid_uids for each in some]
    valid_part = [each for uid, some in groups.items() if uid in valid_uids for each in some]
    fit_settings = settings.fit if valid_part else dataclasses.replace(settings.fit, patience=0)
    train_rows = pack.pack(train_part, settings.seq_len)
    valid_rows = pack.pack(valid_part, settings.seq_len) if valid_part else None
    result = fit(started.network, train_rows, valid_rows, fit_settings, seed=seed, workdir=workdir, name=lesson.task)
    metadata = {
        "task": lesson.task,
        "start": {"name": model.name, "digest": model.digest},
        "settings": dataclasses.asdict(settings, dict_factory=stated),
        "seed": seed,
        "examples": train_rows.num_examples,
        "best_step": result.best_step,
        **tokens_seen(train_rows, model.config.vocab_size),
    }
    trained = started.replace(params=result.params, metadata=metadata, digest="", name=f"{model.name}.{lesson.task}")
    return Trained(trained, result.best_step, train_rows.num_examples, train_rows.num_left_out, result.history)


def _examples(model: Model, lesson: Lesson) -> dict[str, list[pack.Example]]:
    """Return the examples of each problem by its uid."""
    encoding, problems = model.encoding, grouping.by_uid(lesson.problems)
    match lesson.task:
        case "sft":
            pairs = references(lesson.problems)
            found = {each.uid: solution_examples(encoding, [(each, reference)]) for each, reference in pairs}
            for i, example in enumerate(completion_examples(encoding, lesson.completions)):
                found[f"completion {i}"] = [example]
            if not found:
                raise UserError(
                    f'none of the {len(problems)} problems has a "solution", which sft learns from: add reference '
                    "solutions, or give rows of prompt and completion"
                )
            return found
        case "distil":
            by_problem = grouping.by_problem(_needed(lesson))
            return {
                uid: solution_examples(encoding, [(grouping.problem_of(problems, each), each) for each in some])
                for uid, some in by_problem.items()
            }
        case "orm" | "prm":
            labels = lesson.labels
            if not labels:
                if lesson.task == "prm":
                    raise UserError("prm learns from step labels: give --labels, or train an orm on final answers")
                labels = label_answered(Outcome(encoding.layout.separator), lesson.problems, _needed(lesson))
            return _judged(model, problems, _needed(lesson), labels)
        case other:
            raise UserError(f"task {other!r} is unknown: expected one of {', '.join(get_args(Task))}")


def _judged(
    model: Model, problems: dict[str, Problem], samples: Sequence[Sample], labels: Sequence[StepLabels]
) -> dict[str, list[pack.Example]]:
    labelled = {label.key for label in labels if any(target is not None for target in label.targets)}
    by_problem = grouping.by_problem(sample for sample in samples if sample.key in labelled)
    if not by_problem:
        raise UserError(f"none of the {len(samples)} samples has a label: the labels belong to other samples")
    return {
        uid: label_examples(model.encoding, {uid: grouping.problem_of(problems, some[0])}, some, labels)
        for uid, some in by_problem.items()
    }


def _needed(lesson: Lesson) -> Sequence[Sample]:
    if not lesson.samples:
        raise UserError(f"{lesson.task} learns from samples: give --samples, a file of solutions")
    return lesson.samples


def _held_out(uids: Sequence[str], share: float, seed: int) -> set[str]:
    return set(random.Random(seed).sample(uids, round(share * len(uids))))
