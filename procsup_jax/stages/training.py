"""Stages that train: supervised fine-tuning and distillation of policies, and reward models."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from procsup_jax import files, grouping, records
from procsup_jax.data import pack
from procsup_jax.data.examples import label_examples, references, solution_examples
from procsup_jax.data.seen import tokens_seen
from procsup_jax.errors import UserError
from procsup_jax.io.models import save_model
from procsup_jax.labels.sources import SourceName
from procsup_jax.models.api import HeadKind, make_head
from procsup_jax.stages.context import Context, model_files, problems_file
from procsup_jax.stages.solutions import labels_file, samples_file
from procsup_jax.stages.stage import Stage, used
from procsup_jax.training.loop import fit, forget
from procsup_jax.training.settings import FitSettings

_PROCESS_LABELS = "config.process_labels"


def history_file(name: str) -> str:
    """Return the name of the file with a fit's losses, one JSON object a line."""
    return f"models/{name}.history.jsonl"


def run_sft(ctx: Context, name: str, start: str) -> None:
    """Fine-tune a model on the reference solutions of the problems."""

    def examples(split: str) -> list[pack.Example]:
        pairs = references(ctx.problems(split))
        if not pairs:
            raise UserError(f"no problem of split {split} has a reference solution; SFT needs them")
        return solution_examples(ctx.encoding, pairs)

    inputs = [problems_file("sft"), problems_file("validation")]
    work = functools.partial(_fit, ctx, name, start, "sft", lambda: (examples("sft"), examples("validation")))
    _run(ctx, name, start, "sft", inputs, work)


def run_distil(ctx: Context, name: str, start: str, experts: Sequence[str], valid_experts: str) -> None:
    """Fine-tune `start` on expert samples of the RL problems; early stopping on those of the validation problems.

    Without a single expert sample, as with a policy that never finds an answer, the result is `start` itself.
    """

    def examples(names: Sequence[str], split: str) -> list[pack.Example]:
        problems = grouping.by_uid(ctx.problems(split))
        samples = [sample for each in names for sample in records.read_samples(ctx.path(samples_file(each)))]
        return solution_examples(ctx.encoding, [(problems[sample.problem_uid], sample) for sample in samples])

    inputs = [problems_file("rl"), problems_file("validation"), *map(samples_file, [*experts, valid_experts])]
    data = lambda: (examples(experts, "rl"), examples([valid_experts], "validation"))  # noqa: E731
    _run(ctx, name, start, "distil", inputs, functools.partial(_fit, ctx, name, start, "distil", data))


def run_reward_model(
    ctx: Context, name: str, start: str, kind: SourceName, group: str, train: tuple[str, str], valid: tuple[str, str]
) -> None:
    """Train a reward model on labelled samples; `train` and `valid` are pairs of a samples name and its split."""

    def examples(samples_name: str, split: str) -> list[pack.Example]:
        problems = grouping.by_uid(ctx.problems(split))
        samples = records.read_samples(ctx.path(samples_file(samples_name)))
        labels = records.read_labels(ctx.path(labels_file(samples_name, kind)))
        return label_examples(ctx.encoding, problems, samples, labels)

    inputs = [
        part
        for samples_name, split in (train, valid)
        for part in (problems_file(split), samples_file(samples_name), labels_file(samples_name, kind))
    ]
    data = lambda: (examples(*train), examples(*valid))  # noqa: E731
    work = functools.partial(_fit, ctx, name, start, group, data, ctx.settings.rm_head)
    others: dict[str, Any] = {"config.rm_head": ctx.settings.rm_head}
    if kind != "outcome":
        others[_PROCESS_LABELS] = kind
    _run(ctx, name, start, group, inputs, work, others)


def _run(
    ctx: Context,
    name: str,
    start: str,
    group: str,
    inputs: Sequence[str],
    work: functools.partial[None],
    others: Mapping[str, Any] | None = None,
) -> None:
    settings = {
        "config.seed": ctx.settings.seed,
        "config.seq_len": ctx.settings.seq_len,
        **used(group, getattr(ctx.settings, group)),
        **(others or {}),
    }
    settings = {key: value for key, value in settings.items() if not key.endswith((".checkpoint_every",))}
    outputs = (*model_files(name), history_file(name))
    inputs = (*model_files(start), *inputs)
    ctx.folder.run(Stage(f"train-{name}", settings, inputs, outputs, work, newer=(_PROCESS_LABELS,)))


def _fit(  # type: ignore[no-untyped-def]
    ctx: Context, name: str, start: str, group: str, data, head_kind: HeadKind | None = None
) -> None:
    settings: FitSettings = getattr(ctx.settings, group)
    head = None if head_kind is None else make_head(head_kind, ctx.encoding.verdict_ids)
    model = ctx.model(start).with_head(head, jax.random.key(ctx.seed(f"{name} head")))
    train_examples, valid_examples = data()
    if not train_examples:
        print(f"{name}: there is nothing to train on, so this is {start} itself")
        save_model(ctx.path(f"models/{name}"), model.replace(metadata={"start": start}))
        files.write_text(ctx.path(history_file(name)), "")
        return
    train = pack.pack(train_examples, ctx.settings.seq_len)
    valid = pack.pack(valid_examples, ctx.settings.seq_len) if valid_examples else None
    if valid is None:
        settings = dataclasses.replace(settings, patience=0)
    if train.num_left_out:
        print(f"{name}: {train.num_left_out} examples are longer than seq_len={ctx.settings.seq_len} and left out")
    result = fit(model.network, train, valid, settings, seed=ctx.seed(name), workdir=ctx.path("train"), name=name)
    metadata = {
        "task": group,
        "start": start,
        "best_step": result.best_step,
        "examples": train.num_examples,
        **tokens_seen(train, model.config.vocab_size),
    }
    save_model(ctx.path(f"models/{name}"), model.replace(params=result.params, metadata=metadata))
    files.write_text(ctx.path(history_file(name)), "".join(json.dumps(each) + "\n" for each in result.history))
    forget(ctx.path("train"), name)
