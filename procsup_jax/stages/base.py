"""The base language model: shipped with the package, read from a folder, or trained by the run."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import shutil
from collections.abc import Iterable, Iterator

import jax

from procsup_jax.data import pack
from procsup_jax.data.examples import document_ids
from procsup_jax.data.worlds.corpus import base_documents
from procsup_jax.errors import UserError
from procsup_jax.io.models import SHIPPED, read_model, shipped
from procsup_jax.io.params import SavedModel, load_params, save_params
from procsup_jax.models import api
from procsup_jax.progress import Progress
from procsup_jax.stages.context import VOCAB, Context, model_files, problems_file
from procsup_jax.stages.stage import Stage, used
from procsup_jax.text.prompts import problem_prompt
from procsup_jax.text.vocab import Vocab, train_vocab
from procsup_jax.train.loop import fit

BASE = "base"
# Documents of the worlds corpus number on from the training ones; these are held out for the validation loss.
NUM_VALIDATION_DOCUMENTS = 500


def run_base(ctx: Context) -> None:
    """Put the base model and its vocabulary into the run."""
    source = ctx.settings.base.source
    if source == "train":
        _run_training(ctx)
        return
    folder = shipped(SHIPPED) if source == "shipped" else pathlib.Path(source)
    settings = {"config.base.source": source, "base digest": load_params(folder).digest}
    ctx.folder.run(Stage("base", settings, (), (VOCAB, *model_files(BASE)), functools.partial(_copy_base, ctx, folder)))


def _copy_base(ctx: Context, folder: pathlib.Path) -> None:
    saved, vocab = read_model(folder, None)
    vocab.save(ctx.path(VOCAB).parent)
    save_params(ctx.path(f"models/{BASE}"), saved.params, saved.config, saved.metadata)


def _run_training(ctx: Context) -> None:
    settings = ctx.settings
    data = used("data", settings.data) if settings.data.kind == "gsm8k" else {}
    inputs = (problems_file("sft"),) if settings.data.kind == "gsm8k" else ()
    base = {key: value for key, value in used("base", settings.base).items() if ".fit." not in key}
    text = {"config.seed": settings.seed, **data, **base}
    if settings.base.start:
        text["start digest"] = load_params(settings.base.start).digest
    ctx.folder.run(Stage("vocab", text, inputs, (VOCAB,), functools.partial(_train_vocab, ctx)))
    ctx.folder.run(
        Stage(
            "base",
            {**text, **used("base", settings.base)},
            (VOCAB, *inputs),
            model_files(BASE),
            functools.partial(_train_base, ctx),
        )
    )


def documents(ctx: Context, num: int, first: int = 0) -> Iterator[str]:
    """Yield the base corpus: worlds' worksheets, or GSM8K's problems with their reference solutions."""
    settings = ctx.settings
    if settings.data.kind == "worlds":
        yield from base_documents(settings.seed, num, settings.base.corpus, first=first)
        return
    problems = ctx.problems("sft" if first == settings.base.first_document else "validation")
    for problem in problems:
        yield f"{problem_prompt(problem.question)}{problem.solution}"


def _train_vocab(ctx: Context) -> None:
    base = ctx.settings.base
    if base.start:
        read_model(pathlib.Path(base.start), None)[1].save(ctx.path(VOCAB).parent)
        return
    texts = list(documents(ctx, min(base.num_documents, 5000), first=base.first_document))
    train_vocab(texts, base.vocab_size, ctx.path(VOCAB), seed=ctx.settings.seed)


def _train_base(ctx: Context) -> None:
    settings, base, vocab = ctx.settings, ctx.settings.base, ctx.vocab
    config = api.preset(base.preset, vocab.size, shift_width=base.shift_width, max_len=base.max_len)
    first, end = base.first_document, base.first_document + base.num_documents
    held_out = list(documents(ctx, NUM_VALIDATION_DOCUMENTS, first=end))
    train = _pack(vocab, documents(ctx, base.num_documents, first=first), base.num_documents, base.seq_len)
    valid = _pack(vocab, held_out, len(held_out), base.seq_len)
    if base.start:
        started = load_params(base.start, mesh=ctx.mesh)
        params = _fitting(started, config, base.start)
    else:
        params = api.init_params(config, jax.random.key(settings.seed), ctx.mesh)
    result = fit(
        config, params, "lm", train, valid, base.fit,
        seed=settings.seed, mesh=ctx.mesh, workdir=ctx.path("train"), name=BASE,
    )  # fmt: skip
    last = [record for record in result.history if "valid_loss" in record][-1]
    metadata = {
        "vocab": vocab.digest,
        "data": train.digest,
        "seed": settings.seed,
        "settings": {name: value for name, value in dataclasses.asdict(base).items() if name != "start"},
        "tokens": train.num_tokens,
        "validation_loss": last["valid_loss"],
        "command": _command(settings.name),
    }
    if base.start:
        metadata["start"] = {"digest": started.digest, **started.metadata}
    save_params(ctx.path(f"models/{BASE}"), result.params, config, metadata, dtype="float32")
    shutil.rmtree(ctx.path(f"train/{BASE}/checkpoints"), ignore_errors=True)


def _fitting(started: SavedModel, config: api.ModelConfig, folder: str) -> api.Params:
    """Return parameters to start from, their token shift as wide as the config's."""
    found, params = started.config, started.params
    if 0 < found.shift_width < config.shift_width:
        found, params = api.with_shift_width(found, params, config.shift_width)
    if found != config:
        raise UserError(f"config.base.start={folder} holds a model of other sizes than config.base asks for")
    return params


def _command(name: str) -> str:
    """Return the command that runs the config of this name; what follows a colon is the config's argument."""
    config, colon, argument = name.partition(":")
    return f"procsup run --config=configs/{config}.py{colon}{argument}"


def _pack(vocab: Vocab, texts: Iterable[str], num: int, seq_len: int) -> pack.Packed:
    examples = []
    with Progress("corpus", num, "doc") as bar:
        for text in texts:
            examples.append(pack.document_example(document_ids(vocab, text)))
            bar.update()
    return pack.pack(examples, seq_len)
