"""The base language model: shipped with the package, read from a folder, or trained by the run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from procsup_jax import places
from procsup_jax.errors import UserError
from procsup_jax.recipes.artefacts import ModelFolder, Problems, Vocabulary
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.recipes.work import Ctx, fit_mesh
from procsup_jax.roster import BASE, SFT_SPLIT, VALIDATION
from procsup_jax.runner.stage import Stage
from procsup_jax.runner.view import Fact, Setting, whole
from procsup_jax.training.settings import stated

if TYPE_CHECKING:
    from procsup_jax.data import pack
    from procsup_jax.models import api
    from procsup_jax.models.model import Model
    from procsup_jax.text.encoding import Encoding

# Documents of the worlds corpus number on from the training ones; these are held out for the validation loss.
NUM_VALIDATION_DOCUMENTS = 500
_VOCABULARY_DOCUMENTS = 5000

MODEL = ModelFolder(BASE)
VOCABULARY = Vocabulary()


def base(settings: ExperimentSettings) -> Iterator[Stage]:
    """Put the base model of `config.base` into the run."""
    if settings.base.source != "train":
        source = Fact("base digest", _source_digest, Setting("base.source"))
        yield Stage("base", _copy, outputs=(MODEL,), facts=(source,))
        return
    facts = (Fact("start digest", _start_digest, Setting("base.start")),) if settings.base.start else ()
    is_read = settings.data.kind == "gsm8k"
    train, valid = Problems(SFT_SPLIT), Problems(VALIDATION)
    yield Stage("vocab", _train_vocab, inputs=(train,) if is_read else (), outputs=(VOCABULARY,), facts=facts)
    inputs: list[Any] = [VOCABULARY, train] if is_read else [VOCABULARY]
    newer = (valid,) if is_read else ()
    yield Stage("base", _train, inputs=inputs, newer=newer, outputs=(MODEL,), facts=facts, together=True)


def source_folder(settings: ExperimentSettings) -> str:
    """Return the folder, or the name, of the model that the base is copied from."""
    return places.SHIPPED_BASE if settings.base.source == "shipped" else settings.base.source


def _source_digest(settings: ExperimentSettings) -> str:
    from procsup_jax.io.models import read_digest

    return read_digest(source_folder(settings))


def _start_digest(settings: ExperimentSettings) -> str:
    from procsup_jax.io.models import read_digest

    return read_digest(settings.base.start)


def _copy(ctx: Ctx) -> Mapping[ModelFolder, Any]:
    from procsup_jax.io.models import load_model

    base = ctx.settings.base
    model = _first_layers(load_model(source_folder(ctx.settings)), base.keep_layers)
    return {MODEL: model.replace(config=dataclasses.replace(model.config, dtype=base.dtype)) if base.dtype else model}


def _first_layers(model: Model, num: int) -> Model:
    """Return a model with its first layers alone; 0 keeps all."""
    import jax

    if not num or num >= model.config.num_layers:
        return model
    layers = jax.tree.map(lambda a: a[:num], model.params["layers"])
    return model.replace(
        config=dataclasses.replace(model.config, num_layers=num), params=model.params | {"layers": layers}
    )


def documents(ctx: Ctx, num: int, first: int, split: str) -> Iterator[str]:
    """Yield the base corpus: worlds' worksheets, or GSM8K's problems of a split with their reference solutions."""
    from procsup_jax.data.worlds.corpus import base_documents
    from procsup_jax.text.layout import LINES

    settings = ctx.settings
    if settings.data.kind == "worlds":
        yield from base_documents(settings.seed, num, whole(settings.base.corpus), first=first)
        return
    for problem in ctx.read(Problems(split)):
        yield LINES.worked_example(problem)


def _train_vocab(ctx: Ctx) -> Mapping[Vocabulary, Any]:
    from procsup_jax.io.models import load_encoding
    from procsup_jax.text.vocab import make_vocab

    settings = ctx.settings.base
    if settings.start:
        return {VOCABULARY: load_encoding(settings.start).tokenizer}
    num = min(settings.num_documents, _VOCABULARY_DOCUMENTS)
    texts = list(documents(ctx, num, settings.first_document, SFT_SPLIT))
    return {VOCABULARY: make_vocab(texts, settings.vocab_size, seed=ctx.settings.seed)}


def _train(ctx: Ctx) -> Mapping[ModelFolder, Any]:
    import jax

    from procsup_jax.io.models import load_model
    from procsup_jax.models import api
    from procsup_jax.models.model import Model
    from procsup_jax.text.encoding import Encoding
    from procsup_jax.text.layout import LINES
    from procsup_jax.training.loop import fit, forget

    settings, base, vocab = ctx.settings, whole(ctx.settings.base), ctx.read(VOCABULARY)
    encoding, devices = Encoding(vocab, LINES), fit_mesh(ctx, base.fit)
    config = api.preset(base.preset, vocab.size, shift_width=base.shift_width, max_len=base.max_len)
    config = dataclasses.replace(config, dtype=base.dtype or config.dtype)
    first, end = base.first_document, base.first_document + base.num_documents
    held_out = list(documents(ctx, NUM_VALIDATION_DOCUMENTS, end, VALIDATION))
    train = _pack(encoding, documents(ctx, base.num_documents, first, SFT_SPLIT), base.num_documents, base.seq_len)
    valid = _pack(encoding, held_out, len(held_out), base.seq_len)
    if base.start:
        started = load_model(base.start, mesh=devices)
        params = _fitting(started, config, base.start)
    else:
        params = api.init_params(config, jax.random.key(settings.seed), devices)
    network = api.Network(config, params, mesh=devices)
    result = fit(network, train, valid, base.fit, seed=settings.seed, workdir=ctx.fits, name=BASE)
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
    ctx.when_written(functools.partial(forget, ctx.fits, BASE))
    return {MODEL: Model(config, result.params, vocab, LINES, metadata=metadata)}


def _fitting(started: Model, config: api.ModelConfig, folder: str) -> api.Params:
    """Return parameters to start from, their token shift as wide as the config's."""
    from procsup_jax.models import api

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
    from procsup_jax.data import pack
    from procsup_jax.progress import Progress

    examples = []
    with Progress("corpus", num, "doc") as bar:
        for text in texts:
            examples.append(pack.document_example(encoding.document_ids(text)))
            bar.update()
    return pack.pack(examples, seq_len)
