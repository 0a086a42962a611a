"""Stages that make, label and score solutions; the files are named after what they hold."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

from procsup_jax import records
from procsup_jax.decode.generate import sample_problems
from procsup_jax.decode.score import score_samples
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.labels.sources import SourceName, source
from procsup_jax.searching import decodings
from procsup_jax.searching.aggregate import to_scores
from procsup_jax.searching.step_search import StepSearchSettings, step_search
from procsup_jax.stages.context import BASE, Context, model_files, problems_file
from procsup_jax.stages.data import splits_of
from procsup_jax.stages.stage import Stage, used
from procsup_jax.text.worked_examples import choose_examples
from procsup_jax.types import Problem

# These set speed and memory and never change a solution.
_FREE = (".lanes", ".slots")
_NUM_SAMPLES = "config.sample.num_samples"


@dataclasses.dataclass(frozen=True)
class Policy:
    """Name a policy: the folder of its parameters, and whether its prompt holds worked examples."""

    name: str
    model: str
    few_shot: bool = False


def samples_file(name: str) -> str:
    """Return the name of a samples file."""
    return f"samples/{name}.jsonl"


def labels_file(name: str, kind: SourceName) -> str:
    """Return the name of the file with one kind of labels of a samples file."""
    return f"labels/{name}.{kind}.jsonl"


def scores_file(name: str, rm: str) -> str:
    """Return the name of the file with one reward model's scores of a samples file."""
    return f"scores/{name}.{rm}.jsonl"


def run_samples(
    ctx: Context,
    name: str,
    policy: Policy,
    split: str,
    num_samples: int,
    *,
    set_by: str = _NUM_SAMPLES,
    with_greedy: bool = False,
) -> None:
    """Sample `num_samples` solutions of each of a split's problems, and the greedy one where asked for.

    `set_by` is the setting that their number comes from.
    """
    settings = dataclasses.replace(ctx.settings.sample, num_samples=num_samples, with_greedy=with_greedy)
    work = functools.partial(_sample, ctx, name, policy, split, settings)
    _run(ctx, name, policy, split, used("sample", settings), work, set_by={_NUM_SAMPLES: set_by})


def run_search(ctx: Context, name: str, policy: Policy, rm: str, decoding: str | None, split: str) -> None:
    """Search a solution of each problem step by step with a reward model; `decoding` marks it for evaluation."""
    settings = ctx.settings.search
    work = functools.partial(_search, ctx, name, policy, rm, decoding, split, settings)
    _run(ctx, name, policy, split, used("search", settings), work, inputs=model_files(rm))


def run_labels(ctx: Context, name: str, split: str, kind: SourceName) -> None:
    """Label a samples file."""

    def work() -> None:
        samples = records.read_samples(ctx.path(samples_file(name)))
        labels = source(kind, ctx.encoding.layout.separator).label(ctx.problems(split), samples)
        records.write_labels(ctx.path(labels_file(name, kind)), labels)

    inputs = (samples_file(name), problems_file(split))
    ctx.folder.run(Stage(f"label-{name}-{kind}", {}, inputs, (labels_file(name, kind),), work))


def run_scores(ctx: Context, name: str, split: str, rm: str) -> None:
    """Score every step of a samples file with a reward model."""
    how = ctx.settings.evaluate.aggregate

    def work() -> None:
        samples = records.read_samples(ctx.path(samples_file(name)))
        size = ctx.settings.score_batch
        probs = score_samples(ctx.model(rm), ctx.problems(split), samples, batch_size=size, flag="--config.score_batch")
        records.write_scores(ctx.path(scores_file(name, rm)), to_scores(samples, probs, how, rm))

    inputs = (samples_file(name), problems_file(split), *model_files(rm))
    settings = {"config.evaluate.aggregate": how}
    ctx.folder.run(Stage(f"score-{name}-{rm}", settings, inputs, (scores_file(name, rm),), work))


def _run(
    ctx: Context,
    name: str,
    policy: Policy,
    split: str,
    settings: dict[str, object],
    work: Callable[[], None],
    inputs: Sequence[str] = (),
    set_by: Mapping[str, str] | None = None,
) -> None:
    # A cache_dtype of "" is left out like one that was never set: runs from before there was one go on.
    kept = {key: value for key, value in settings.items() if not key.endswith(_FREE) and value != ""}
    kept["config.seed"] = ctx.settings.seed
    if policy.few_shot:
        kept["config.few_shot"] = ctx.settings.few_shot
        # Which examples are shown depends on what has to fit after them.
        inputs = (*inputs, *map(problems_file, splits_of(ctx)))
    inputs = (problems_file(split), *model_files(policy.model), *inputs)
    ctx.folder.run(Stage(f"sample-{name}", kept, inputs, (samples_file(name),), work, set_by or {}))


def worked_examples(ctx: Context) -> list[Problem]:
    """Return the problems that few-shot prompts show with their solutions: such that every problem fits after them."""
    settings = ctx.settings
    questions = (problem.question for split in splits_of(ctx) for problem in ctx.problems(split))
    longest = max(len(ctx.encoding.prompt_ids(question)) for question in questions)
    new_tokens = max(settings.sample.max_new_tokens, settings.search.max_new_tokens)
    room = ctx.model(BASE).config.max_len - new_tokens - longest
    return choose_examples(
        ctx.problems("sft"),
        settings.few_shot,
        settings.seed,
        lambda some: len(ctx.encoding.example_ids(some)) <= room,
    )


def _examples(ctx: Context, policy: Policy) -> list[Problem]:
    return worked_examples(ctx) if policy.few_shot else []


def _sample(ctx: Context, name: str, policy: Policy, split: str, settings: DecodeSettings) -> None:
    model = ctx.model(policy.model).replace(name=policy.name).unstack()
    samples = sample_problems(
        model, ctx.problems(split), settings, seed=ctx.seed(name), examples=_examples(ctx, policy)
    )
    samples = [
        decodings.mark(sample, decodings.GREEDY)
        if settings.with_greedy and sample.sample == settings.num_samples
        else sample
        for sample in samples
    ]
    records.write_samples(ctx.path(samples_file(name)), samples)


def _search(
    ctx: Context,
    name: str,
    policy: Policy,
    rm: str,
    decoding: str | None,
    split: str,
    settings: StepSearchSettings,
) -> None:
    model = ctx.model(policy.model).replace(name=policy.name).unstack()
    judge, shown = ctx.model(rm).unstack(), _examples(ctx, policy)
    found = step_search(model, judge, ctx.problems(split), settings, seed=ctx.seed(name), examples=shown)
    samples = [
        dataclasses.replace(each.sample, policy_tokens=each.policy_tokens, rm_tokens=each.rm_tokens) for each in found
    ]
    if decoding is not None:
        samples = [decodings.mark(sample, decoding) for sample in samples]
    records.write_samples(ctx.path(samples_file(name)), samples)
