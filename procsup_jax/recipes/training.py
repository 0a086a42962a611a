"""Stages that train: supervised fine-tuning and distillation of policies, and reward models."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from procsup_jax.errors import UserError
from procsup_jax.labels.sources import SourceName
from procsup_jax.recipes.artefacts import Labels, ModelFolder, Problems, Samples, history
from procsup_jax.recipes.work import Ctx, fit_mesh, seed
from procsup_jax.runner.stage import Stage
from procsup_jax.runner.view import Setting, whole

if TYPE_CHECKING:
    from procsup_jax.data import pack
    from procsup_jax.training.settings import FitSettings


@dataclasses.dataclass(frozen=True)
class Fit:
    """Say which model is made from which, and the group of settings, such as `sft`, that says how."""

    model: ModelFolder
    start: ModelFolder
    group: str

    @property
    def outputs(self) -> tuple[Any, ...]:
        """Return what the stage writes: the model, and its losses."""
        return self.model, history(self.model)

    @property
    def stage(self) -> str:
        """Return the stage's name."""
        return f"train-{self.model.name}"


@dataclasses.dataclass(frozen=True)
class Labelled:
    """Name labelled samples of a split's problems."""

    samples: Samples
    problems: Problems
    source: SourceName

    @property
    def labels(self) -> Labels:
        """Return the labels."""
        return Labels(self.samples, self.source)

    @property
    def files(self) -> tuple[Any, ...]:
        """Return what a stage reads of them."""
        return self.problems, self.samples, self.labels


def sft(model: ModelFolder, start: ModelFolder, train: Problems, valid: Problems, group: str = "sft") -> Stage:
    """Fine-tune a model on the reference solutions of problems."""
    fit = Fit(model, start, group)
    return Stage(fit.stage, _sft, (fit, train, valid), inputs=(start, train, valid), outputs=fit.outputs, together=True)


def distil(fit: Fit, experts: tuple[Samples, ...], valid_experts: Samples, train: Problems, valid: Problems) -> Stage:
    """Fine-tune on expert samples of problems; early stopping on those of other problems.

    Without a single expert sample, as with a policy that never finds an answer, the result is the start itself.
    """
    inputs = (fit.start, train, valid, *experts, valid_experts)
    args = fit, experts, valid_experts, train, valid
    return Stage(fit.stage, _distil, args, inputs=inputs, outputs=fit.outputs, together=True)


def reward_model(fit: Fit, train: Labelled, valid: Labelled, shaped_by: Sequence[Setting] = ()) -> Stage:
    """Train a reward model on labelled samples, read by `config.rm_head`; `shaped_by` as for any stage."""
    inputs, args = (fit.start, *train.files, *valid.files), (fit, train, valid)
    return Stage(fit.stage, _reward_model, args, inputs, fit.outputs, shaped_by=shaped_by, together=True)


def _sft(ctx: Ctx, fit: Fit, train: Problems, valid: Problems) -> Mapping[Any, Any]:
    from procsup_jax.data.examples import references, solution_examples

    encoding = ctx.read(fit.start).encoding

    def examples(problems: Problems) -> list[pack.Example]:
        pairs = references(ctx.read(problems))
        if not pairs:
            raise UserError(f"no problem of split {problems.split} has a reference solution; SFT needs them")
        return solution_examples(encoding, pairs)

    return _fit(ctx, fit, examples(train), examples(valid))


def _distil(
    ctx: Ctx, fit: Fit, experts: Sequence[Samples], valid_experts: Samples, train: Problems, valid: Problems
) -> Mapping[Any, Any]:
    from procsup_jax import grouping
    from procsup_jax.data.examples import solution_examples

    encoding = ctx.read(fit.start).encoding

    def examples(names: Sequence[Samples], split: Problems) -> list[pack.Example]:
        problems = grouping.by_uid(ctx.read(split))
        samples = [sample for each in names for sample in ctx.read(each)]
        return solution_examples(encoding, [(problems[sample.problem_uid], sample) for sample in samples])

    return _fit(ctx, fit, examples(experts, train), examples([valid_experts], valid))


def _reward_model(ctx: Ctx, fit: Fit, train: Labelled, valid: Labelled) -> Mapping[Any, Any]:
    from procsup_jax import grouping
    from procsup_jax.data.examples import label_examples

    encoding = ctx.read(fit.start).encoding

    def examples(found: Labelled) -> list[pack.Example]:
        problems = grouping.by_uid(ctx.read(found.problems))
        return label_examples(encoding, problems, ctx.read(found.samples), ctx.read(found.labels))

    return _fit(ctx, fit, examples(train), examples(valid), is_rm=True)


def _fit(
    ctx: Ctx,
    what: Fit,
    train_examples: Sequence[pack.Example],
    valid_examples: Sequence[pack.Example],
    *,
    is_rm: bool = False,
) -> Mapping[Any, Any]:
    import jax

    from procsup_jax.data import pack
    from procsup_jax.data.seen import tokens_seen
    from procsup_jax.models.api import make_head
    from procsup_jax.training.loop import fit, forget

    name, settings, seq_len = what.model.name, _settings(ctx, what.group), ctx.settings.seq_len
    start = ctx.read(what.start).load(fit_mesh(ctx, settings))
    head = make_head(ctx.settings.rm_head, start.encoding.verdict_ids) if is_rm else None
    model = start.with_head(head, jax.random.key(seed(ctx, f"{name} head")))
    if not train_examples:
        print(f"{name}: there is nothing to train on, so this is {what.start.name} itself")
        return {what.model: model.replace(metadata={"start": what.start.name}), history(what.model): []}
    train = pack.pack(train_examples, seq_len)
    valid = pack.pack(valid_examples, seq_len) if valid_examples else None
    if valid is None:
        settings = dataclasses.replace(settings, patience=0)
    if train.num_left_out:
        print(f"{name}: {train.num_left_out} examples are longer than seq_len={seq_len} and left out")
    result = fit(model.network, train, valid, settings, seed=seed(ctx, name), workdir=ctx.fits, name=name)
    metadata = {
        "task": what.group,
        "start": what.start.name,
        "best_step": result.best_step,
        "examples": train.num_examples,
        **tokens_seen(train, model.config.vocab_size),
    }
    ctx.when_written(functools.partial(forget, ctx.fits, name))
    return {what.model: model.replace(params=result.params, metadata=metadata), history(what.model): result.history}


def _settings(ctx: Ctx, group: str) -> FitSettings:
    return whole(getattr(ctx.settings, group))
