"""The base language model: shipped with the package, read from a folder, or trained by the run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator

import jax

from procsup_jax.data import pack
from procsup_jax.data.worlds.corpus import base_documents
from procsup_jax.errors import UserError
from procsup_jax.io.models import SHIPPED, load_encoding, load_model, read_digest, save_model
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.progress import Progress
from procsup_jax.stages.context import BASE, Context, model_files, problems_file
from procsup_jax.stages.stage import Stage, used
from procsup_jax.text.encoding import Encoding
from procsup_jax.text.layout import LINES
from procsup_jax.text.vocab import FILE as VOCAB
from procsup_jax.text.vocab import Vocab, train_vocab
from procsup_jax.training.loop import fit, forget
from procsup_jax.training.settings import stated

# Documents of the worlds corpus number on from the training ones; these are held out for the validation loss.
NUM_VALIDATION_DOCUMENTS = 500


def run_base(ctx: Context) -> None:
    """Put the base model and its vocabulary into the run."""
    source = ctx.settings.base.source
    if source == "train":
        _run_training(ctx)
        return
    folder = SHIPPED if source == "shipped" else source
    settings = {"config.base.source": source, "base digest": read_digest(folder)}
    if ctx.settings.base.dtype:
        settings["config.base.dtype"] = ctx.settings.base.dtype
    work = functools.partial(_copy_base, ctx, folder)
    ctx.folder.run(Stage("base", settings, (), model_files(BASE), work, {"base digest": "config.base.source"}))


def _copy_base(ctx: Context, folder: str) -> None:
    save_model(ctx.path(f"models/{BASE}"), _computing(load_model(folder), ctx.settings.base.dtype))


def _computing(model: Model, dtype: str) -> Model:
    return model.replace(config=dataclasses.replace(model.config, dtype=dtype)) if dtype else model


def _run_training(ctx: Context) -> None:
    settings = ctx.settings
    data = used("data", settings.data) if settings.data.kind == "gsm8k" else {}
    inputs = (problems_file("sft"),) if settings.data.kind == "gsm8k" else ()
    base = {key: value for key, value in used("base", settings.base).items() if ".fit." not in key}
    text = {"config.seed": settings.seed, **data, **base}
    if settings.base.start:
        text["start digest"] = read_digest(settings.base.start)
    set_by = {"start digest": "config.base.start"}
    ctx.folder.run(Stage("vocab", text, inputs, (VOCAB,), functools.partial(_train_vocab, ctx), set_by))
    ctx.folder.run(
        Stage(
            "base",
            {**text, **used("base", settings.base)},
            (VOCAB, *inputs),
            model_files(BASE),
            functools.partial(_train_base, ctx),
            set_by,
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
        yield LINES.worked_example(problem)


def _train_vocab(ctx: Context) -> None:
    base = ctx.settings.base
    if base.start:
        load_encoding(base.start).tokenizer.save(ctx.path(VOCAB).parent)
        return
    texts = list(documents(ctx, min(base.num_documents, 5000), first=base.first_document))
    train_vocab(texts, base.vocab_size, ctx.path(VOCAB), seed=ctx.settings.seed)


def _train_base(ctx: Context) -> None:
    settings, base, vocab = ctx.settings, ctx.settings.base, Vocab.load(ctx.path(VOCAB))
    encoding = Encoding(vocab, LINES)
    config = api.preset(base.preset, vocab.size, shift_width=base.shift_width, max_len=base.max_len)
    config = dataclasses.replace(config, dtype=base.dtype or config.dtype)
    first, end = base.first_document, base.first_document + base.num_documents
    held_out = list(documents(ctx, NUM_VALIDATION_DOCUMENTS, first=end))
    train = _pack(encoding, documents(ctx, base.num_documents, first=first), base.num_documents, base.seq_len)
    valid = _pack(encoding, held_out, len(held_out), base.seq_len)
    if base.start:
        started = load_model(base.start, mesh=ctx.mesh)
        params = _fitting(started, config, base.start)
    else:
        params = api.init_params(config, jax.random.key(settings.seed), ctx.mesh)
    network = api.Network(config, params, mesh=ctx.mesh)
    result = fit(network, train, valid, base.fit, seed=settings.seed, workdir=ctx.path("train"), name=BASE)
    last = [record for record in result.history if "valid_loss" in record][-1]
    metadata = {
        "vocab": vocab.digest,
        "data": train.digest,
        "seed": settings.seed,
        "settings": {
            name: value for name, value in dataclasses.asdict(base, dict_factory=stated).items() if name != "start"
        },
        "tokens": train.num_tokens,
        "validation_loss": last["valid_loss"],
        "command": _command(settings.name),
    }
    if base.start:
        metadata["start"] = {"digest": started.digest, **started.metadata}
    save_model(ctx.path(f"models/{BASE}"), Model(config, result.params, vocab, LINES, metadata=metadata))
    forget(ctx.path("train"), BASE)


def _fitting(started: Model, config: api.ModelConfig, folder: str) -> api.Params:
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


def _pack(encoding: Encoding, texts: Iterable[str], num: int, seq_len: int) -> pack.Packed:
    examples = []
    with Progress("corpus", num, "doc") as bar:
        for text in texts:
            examples.append(pack.document_example(encoding.document_ids(text)))
            bar.update()
    return pack.pack(examples, seq_len)
