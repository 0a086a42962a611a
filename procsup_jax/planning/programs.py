"""The programs that a run compiles, lowered from shapes alone: nothing of a model is ever made."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from procsup_jax.decode import engine, generate, rows, score
from procsup_jax.decode.batching import length_bucket, num_slots
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.parallel import rules, split
from procsup_jax.searching import branch, feed, greedy
from procsup_jax.searching.settings import StepSearchSettings
from procsup_jax.text.encoding import EncodedSolution, Encoding
from procsup_jax.training import step
from procsup_jax.training.programs import programs
from procsup_jax.training.settings import FitSettings

Name = Literal["sft", "rm", "sample", "score", "search"]


@dataclasses.dataclass(frozen=True)
class Work:
    """Hold what a run does with a model, as far as programs depend on it; lengths are in tokens."""

    config: api.ModelConfig
    head: api.Head
    encoding: Encoding
    sft: FitSettings
    rm: FitSettings
    seq_len: int
    prompt_len: int
    sample: DecodeSettings
    search: StepSearchSettings
    score_batch: int


class Program(NamedTuple):
    """Hold one program: what it is, how to lower it, the bytes of its arguments on a device, its tokens.

    `flops` is the useful arithmetic of all devices; `least` the bytes that a device must at least read, where that is
    what counts.
    """

    what: str
    lower: Callable[[], jax.stages.Lowered]
    held: int
    tokens: int
    flops: float
    least: int = 0


def parts(name: Name, work: Work, mesh: Mesh) -> Iterator[Program]:
    """Yield the programs of one part of a run, on this mesh."""
    makers: Mapping[Name, Callable[[Work, Mesh], Iterator[Program]]] = {
        "sft": functools.partial(_fit, "sft"), "rm": functools.partial(_fit, "rm"), "sample": _sample, "score": _score,
        "search": _search,
    }  # fmt: skip
    yield from makers[name](work, mesh)


def _fit(name: str, work: Work, mesh: Mesh) -> Iterator[Program]:
    settings, head = (work.sft, None) if name == "sft" else (work.rm, work.head)
    config = dataclasses.replace(settings.computing(work.config), dropout=0.0)
    fit = programs(config, head, settings.optim, mesh)
    batch = settings.grad_accum, settings.batch_size // settings.grad_accum, work.seq_len
    arguments: Any = fit.abstract, step.abstract_batch(batch, mesh, is_rm=head is not None)
    lowered = functools.partial(fit.step.lower, *arguments), _held(arguments)
    tokens = settings.batch_size * work.seq_len
    flops = api.forward_flops_per_token(config, work.seq_len // 2, _reads_logits(config, head))
    yield Program("step", *lowered, tokens, 3.0 * tokens * flops)


def _sample(work: Work, mesh: Mesh) -> Iterator[Program]:
    config, settings, shards = work.config, work.sample, rules.batch_shards(mesh)
    model = _model(work, None, mesh)
    program, dparams = generate.make_program(model, settings), _decoder(config, model.params, mesh)
    lanes, slots = -(-settings.lanes // shards) * shards, num_slots(settings.slots, settings.num_samples)
    prefix_len, room = length_bucket(work.prompt_len), length_bucket(settings.num_samples, smallest=12)
    state = _shapes(mesh, functools.partial(engine.init_lanes, program, lanes, slots, prefix_len, room))
    state = _placed(state, engine.lane_axes(state), mesh)
    size = engine.swap_size(lanes)
    prompts: Any = [_whole(each, mesh) for each in _new_prompts(size, prefix_len)]
    new = engine.NewPrompts(*prompts)
    flops = _prompt_flops(config, prefix_len)
    lowered = _lowered(mesh, engine.assign, program, dparams, state, new)
    yield Program("prompts", *lowered, size * prefix_len, size * prefix_len * flops)
    tables = jax.tree.map(lambda array: _whole(array, mesh), generate.vocab_tables(model, settings.calculator))
    numbers = [jax.ShapeDtypeStruct((), jnp.int32)] * 3
    lowered = _lowered(mesh, engine.run, program, dparams, tables, state, *numbers)
    rounds = split.STRIDE if shards > 1 else 1
    flops = api.forward_flops_per_token(config, prefix_len + settings.max_new_tokens // 2)
    least = rules.bytes_on_device(mesh, api.decoder_axes(config, dparams), dparams)
    least += sum(rules.bytes_on_device(mesh, api.kv_axes(kv), kv) for kv in (state.prefix, state.suffix))
    tokens = lanes * slots * rounds
    yield Program("write", *lowered, tokens, float(tokens * flops), least * rounds)


def _score(work: Work, mesh: Mesh) -> Iterator[Program]:
    shards = rules.batch_shards(mesh)
    each, new_tokens = -(-work.score_batch // shards), work.sample.max_new_tokens
    solutions: dict[rows.Key, EncodedSolution] = {
        ("", i): EncodedSolution([0] * new_tokens, [new_tokens - 1]) for i in range(4)
    }
    documents = rows.Documents({"": [0] * work.prompt_len}, solutions)
    shape = rows.shape_of(documents, length_bucket(new_tokens, 64), each)
    part = rows.Part([list(solutions)[:1]], shape, length_bucket(work.search.max_steps, 16))
    batch = jax.tree.map(lambda array: _whole(array, mesh), rows.batch_of(documents, part, 1))
    batch = jax.tree.map(lambda array: _resized(array, shards), batch)
    config = work.config
    lowered = _lowered(mesh, score.step_logits, config, work.head, _params(config, work.head, mesh), batch)
    tokens = shards * shape.num_tokens
    flops = api.forward_flops_per_token(config, work.prompt_len, _reads_logits(config, work.head))
    yield Program("read", *lowered, tokens, float(tokens * flops))


def _search(work: Work, mesh: Mesh) -> Iterator[Program]:
    settings, shards = work.search, rules.batch_shards(mesh)
    policy, judge = _model(work, None, mesh), _model(work, work.head, mesh)
    program = feed.make_program(policy, judge, settings)
    lanes, length = -(-settings.lanes // shards) * shards, length_bucket(work.prompt_len)
    state = _shapes(mesh, functools.partial(greedy.init_search, program, lanes, length, length))
    state = _placed(state, api.state_axes(state), mesh)
    both = [_decoder(work.config, each.params, mesh) for each in (policy, judge)]
    size, int_r = feed.swap_size(lanes), jnp.int32
    row, tokens, key = (size,), (size, length), (size, 2)
    shapes = (row, int_r), (tokens, int_r), (row, int_r), (row, int_r), (tokens, int_r), (row, int_r), (key, jnp.uint32)
    problems: Any = [_whole(jax.ShapeDtypeStruct(*each), mesh) for each in shapes]
    new = branch.NewProblems(*problems)
    flops = _prompt_flops(work.config, length)
    lowered = _lowered(mesh, greedy.assign, program, *both, state, new)
    yield Program("prompts", *lowered, 2 * size * length, 2.0 * size * length * flops)
    tables = jax.tree.map(lambda array: _whole(array, mesh), generate.vocab_tables(policy, settings.calculator))
    lowered = _lowered(mesh, greedy.advance, program, greedy.highest, *both, tables, state)
    written = lanes * settings.num_candidates * (split.STRIDE if shards > 1 else 1)
    read = lanes * settings.num_candidates * program.sampling.max_new_tokens
    per_token = functools.partial(api.forward_flops_per_token, work.config, length + settings.max_new_tokens // 2)
    flops = written * per_token() + read * per_token(_reads_logits(work.config, work.head))
    yield Program("step", *lowered, written, float(flops))


def _prompt_flops(config: api.ModelConfig, length: int) -> int:
    """Count the arithmetic of a prompt's token, of which caches are kept: keys and values are all of the last layer."""
    before = dataclasses.replace(config, num_layers=config.num_layers - 1)
    last = 2 * 2 * config.d_model * config.num_kv_heads * config.head_dim
    return api.forward_flops_per_token(before, length // 2, with_logits=False) + last


def _reads_logits(config: api.ModelConfig, head: api.Head | None) -> bool:
    """Return whether a policy, or this reward model's head, reads logits of each token over the whole vocabulary."""
    return head is None or head.num_logit_rows(config, 1, 1) > 0


def _new_prompts(size: int, length: int) -> Iterator[jax.ShapeDtypeStruct]:
    for shape in ((size,), (size, length), (size,), (size,)):
        yield jax.ShapeDtypeStruct(shape, jnp.int32)
    yield jax.ShapeDtypeStruct((size, 2), jnp.uint32)
    yield from [jax.ShapeDtypeStruct((), jnp.int32)] * 2


def _model(work: Work, head: api.Head | None, mesh: Mesh) -> Model:
    params = _params(work.config, head, mesh)
    return Model(work.config, params, work.encoding.tokenizer, work.encoding.layout, head, mesh)


def _params(config: api.ModelConfig, head: api.Head | None, mesh: Mesh) -> Any:
    params = api.abstract_params(config, head)
    return _placed(params, api.param_axes(config, head), mesh)


def _decoder(config: api.ModelConfig, params: Any, mesh: Mesh) -> api.DecoderParams:
    dparams = _shapes(mesh, functools.partial(api.unstack, config, donate=False), params)
    return _placed(dparams, api.decoder_axes(config, dparams), mesh)


def _lowered(mesh: Mesh, fn: Any, *args: Any) -> tuple[Callable[[], jax.stages.Lowered], int]:
    def lower() -> jax.stages.Lowered:
        # What is computed with the slice's mesh in use would be computed on the slice.
        with rules.use(mesh):
            return fn.lower(*args)

    return lower, _held(args)


def _held(arguments: Any) -> int:
    """Return what each device holds of a program's arguments."""
    arrays = [leaf for leaf in jax.tree.leaves(arguments) if getattr(leaf, "sharding", None) is not None]
    return sum(math.prod(each.sharding.shard_shape(each.shape)) * each.dtype.itemsize for each in arrays)


def _shapes(mesh: Mesh, fn: Callable[..., Any], *args: Any) -> Any:
    with rules.use(mesh):
        return jax.eval_shape(fn, *args)


def _placed(shapes: Any, axes: Any, mesh: Mesh) -> Any:
    def place(each: tuple[str | None, ...], shape: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=rules.sharding(mesh, each, shape.shape))

    return jax.tree.map(place, axes, shapes, is_leaf=rules.is_axes)


def _whole(array: Any, mesh: Mesh) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=rules.sharding(mesh, ()))


def _resized(array: jax.ShapeDtypeStruct, rows_b: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((rows_b, *array.shape[1:]), array.dtype, sharding=array.sharding)
