"""Sample solutions of problems from a policy: token level (`generate`) and text level (`sample_problems`)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.decode import automaton, engine, feeder, kept, memory
from procsup_jax.decode.batching import length_bucket, num_slots, pad_rows, problem_key
from procsup_jax.decode.calculator import tables as calculator_tables
from procsup_jax.decode.draw import VocabTables
from procsup_jax.decode.engine import Lanes, NewPrompts, Program, Shared
from procsup_jax.decode.memory import Size
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.errors import UserError
from procsup_jax.free import bound
from procsup_jax.journal import NOTHING, Journal
from procsup_jax.models import api
from procsup_jax.models.api import DecoderParams, ModelConfig
from procsup_jax.models.model import Model
from procsup_jax.parallel import rules
from procsup_jax.parallel.streams import called
from procsup_jax.progress import Progress
from procsup_jax.text import answers
from procsup_jax.text.encoding import Encoding
from procsup_jax.text.layout import Layout
from procsup_jax.types import Problem, Sample

__all__ = ["DecodeSettings", "Generated", "Prompt", "generate", "sample_problems"]

_CHUNK_STEPS = 256


@dataclasses.dataclass(frozen=True)
class Prompt:
    """Hold the token ids of a prompt; `uid` names its problem and decides its random keys."""

    uid: str
    tokens: Sequence[int]


_Indexed = tuple[int, Prompt]


@dataclasses.dataclass(frozen=True)
class Generated:
    """Hold a sample as written.

    `tokens` includes the token that ended it, unless `stopped` is False: then it ran into max_new_tokens. `logprob`
    (nats) sums the log-probabilities of the tokens the policy chose under its whole distribution at temperature 1,
    whatever temperature and filters drew them; a token forced by the calculator was not its choice and adds 0.
    """

    uid: str
    sample: int
    tokens: tuple[int, ...]
    logprob: float
    stopped: bool


def generate(
    model: Model,
    prompts: Sequence[Prompt],
    settings: DecodeSettings,
    *,
    seed: int,
    first_sample: int = 0,
    shared: Sequence[int] = (),
    journal: Journal = NOTHING,
) -> list[list[Generated]]:
    """Write `settings.num_samples` samples for each prompt, numbered from `first_sample`, in the prompts' order.

    With `settings.with_greedy` the greedy one follows them, with the next number. `shared` are tokens that stand before
    every prompt, worked examples say: they are read once. A prompt's samples are kept in the `journal` as they are
    done, and those that are kept there are not written again.

    A sample depends on the params, its prompt and fold_in(fold_in(fold_in(key(seed), crc32(uid)), sample), index of
    the token), on nothing else: not on lanes, slots, the other prompts or the mesh (up to rounding in the logits).
    With a mesh the lanes are spread over its data and fsdp axes; params are used as they are placed.

    Raises UserError when a prompt leaves too little room, or memory lacks.
    """
    _check(model.config, prompts, settings, len(shared))
    if not prompts:
        return []
    model = with_cache_dtype(model, settings.cache_dtype)
    num_each = settings.num_samples + settings.with_greedy
    greedy = settings.num_samples if settings.with_greedy else -1
    program, shape = make_program(model, settings), _shape(prompts, settings, num_each, len(shared))
    streams = feeder.split(settings.lanes, shape.slots, len(prompts), model.mesh)
    _check_memory(program, model, streams.all_lanes, num_each, shape)
    done: dict[int, list[Generated]] = {}
    with rules.use(model.mesh), Progress("sampling", len(prompts) * num_each, "sample") as progress:
        dparams = api.unstack(model.config, model.params, donate=False)
        tables = vocab_tables(model, settings.calculator)
        before = _read_shared(program, dparams, shared, shape.prefix_len)

        def assign(state: Lanes, owners: Mapping[int, _Indexed]) -> Lanes:
            new = _new_prompts({lane: each[1] for lane, each in owners.items()}, streams.lanes, seed, num_each, greedy)
            return engine.assign(program, dparams, state, new, before)

        def advance(state: Lanes, enough: int) -> tuple[Lanes, jax.Array]:
            return called(engine.run, program, dparams, tables, state, first_sample, enough, _CHUNK_STEPS)

        lanes = feeder.Feeder(
            lanes=streams.lanes,
            swap_size=engine.swap_size(streams.lanes),
            init=lambda: engine.init_lanes(program, streams.lanes, *shape),
            assign=assign,
            advance=advance,
            results=engine.results,
        )

        name = kept.naming([model], "sample", bound(settings), seed, first_sample, list(shared))
        # Neighbours in length are read together, the longest first: a cache too large for the machine fails at once.
        by_length = sorted(enumerate(prompts), key=lambda each: -len(each[1].tokens))
        run = functools.partial(lanes.run, number=streams.number)
        for (index, prompt), arrays in journal.through(by_length, lambda each: name(each[1].uid, each[1].tokens), run):
            done[index] = _generated(prompt.uid, first_sample, num_each, *arrays)
            progress.update(num_each)
    return [done[i] for i in range(len(prompts))]


def sample_problems(
    model: Model,
    problems: Sequence[Problem],
    settings: DecodeSettings,
    *,
    seed: int,
    examples: Sequence[Problem] = (),
    journal: Journal = NOTHING,
) -> list[Sample]:
    """Sample solutions of problems, zero-shot or after worked `examples`: all of a problem, in order, then the next's.

    The model's name is the samples' `policy`. `logprob` is that of `Generated`; `tokens` counts the end token. What is
    done is kept in the `journal`, as by `generate`.
    """
    encoding = model.encoding
    own = encoding.example_ids(examples)
    written = [Prompt(p.uid, encoding.prompt_ids(p.question, examples)[len(own) :]) for p in problems]
    generated = generate(model, written, settings, seed=seed, shared=own, journal=journal)
    return [to_sample(model, each) for samples in generated for each in samples]


def to_sample(model: Model, generated: Generated) -> Sample:
    """Return the record of a sample: its text without what ended it, and the final answer in it."""
    solution, written = model.encoding.written(generated.tokens, generated.stopped)
    return Sample(
        problem_uid=generated.uid,
        sample=generated.sample,
        solution=solution,
        answer=answers.extract_answer(solution),
        logprob=generated.logprob,
        tokens=len(generated.tokens),
        policy=model.name,
        token_ids=written,
        tokenizer=None if written is None else model.tokenizer.digest,
    )


def make_program(model: Model, settings: DecodeSettings) -> Program:
    """Return what is static about decoding with these settings; equal inputs share compiled programs."""
    # How many samples are written, and in which batches, shows in the arrays.
    settings = dataclasses.replace(settings, num_samples=1, with_greedy=False, lanes=1, slots=1)
    return Program(model.config, settings)


def vocab_tables(model: Model, with_calculator: bool) -> VocabTables:
    """Return a vocabulary's tables; a token that stands for no text is never written, those that end one apart."""
    return _vocab_tables(cast(Hashable, model.tokenizer), model.layout, model.config.vocab_size, with_calculator)


@functools.lru_cache(maxsize=8)
def _vocab_tables(tokenizer: Any, layout: Layout, size: int, with_calculator: bool) -> VocabTables:
    if with_calculator:
        without = _vocab_tables(tokenizer, layout, size, False)
        return without._replace(calculator=calculator_tables.make_tables(tokenizer))
    encoding = Encoding(tokenizer, layout)
    allowed_v, ends_v = np.zeros((2, size), bool)
    allowed_v[: tokenizer.size] = [bool(data) for data in encoding.token_bytes]
    ends_v[list(encoding.end_ids)] = True
    marker = layout.answer_marker.encode()
    return VocabTables(
        allowed_v=jnp.asarray(allowed_v | ends_v),
        ends_v=jnp.asarray(ends_v),
        automaton=automaton.make_tables(encoding.token_bytes, encoding.separator, marker, size=size),
        calculator=None,
    )


def with_cache_dtype(model: Model, cache_dtype: str) -> Model:
    """Return the model with caches of this type; "" leaves it as it is."""
    return model.replace(config=memory.with_cache_dtype(model.config, cache_dtype))


class _Shape(NamedTuple):
    """Hold what `engine.init_lanes` asks beside lanes: slots of each, room for its prompt and for its samples."""

    slots: int
    prefix_len: int
    room: int


def _shape(prompts: Sequence[Prompt], settings: DecodeSettings, num_each: int, shared_len: int) -> _Shape:
    return _Shape(
        slots=num_slots(settings.slots, num_each),
        prefix_len=_prefix_len(prompts, shared_len),
        room=_room(num_each),
    )


def _room(num_each: int) -> int:
    return length_bucket(num_each, smallest=12)


def _new_prompts(owners: Mapping[int, Prompt], lanes: int, seed: int, num_samples: int, greedy: int) -> NewPrompts:
    """Return prompts to put into their lanes, padded to `engine.swap_size`, so that few shapes are compiled."""
    size = engine.swap_size(lanes)
    tokens_rp, len_r = pad_rows([p.tokens[:-1] for p in owners.values()], size, _prefix_len(list(owners.values())))
    row_r, start_r, key_r2 = np.full(size, lanes), np.zeros(size, np.int32), np.zeros((size, 2), np.uint32)
    for i, (lane, prompt) in enumerate(owners.items()):
        row_r[i], start_r[i], key_r2[i] = lane, prompt.tokens[-1], problem_key(seed, prompt.uid)
    arrays = (row_r, tokens_rp, len_r, start_r, key_r2, np.int32(num_samples), np.int32(greedy))
    return NewPrompts(*map(jnp.asarray, arrays))


def _generated(
    uid: str,
    first_sample: int,
    num_samples: int,
    out_kt: np.ndarray,
    len_k: np.ndarray,
    logprob_k: np.ndarray,
    stopped_k: np.ndarray,
) -> list[Generated]:
    return [
        Generated(uid, first_sample + k, tuple(row[:length].tolist()), float(logprob_k[k]), bool(stopped_k[k]))
        for k, (row, length) in enumerate(zip(out_kt, len_k[:num_samples], strict=False))
    ]


def _read_shared(program: Program, dparams: DecoderParams, tokens: Sequence[int], prefix_len: int) -> Shared | None:
    if not tokens:
        return None
    tokens_1p, len_1 = pad_rows([tokens], 1, length_bucket(len(tokens)))
    return engine.read_shared(program, dparams, jnp.asarray(tokens_1p), jnp.asarray(len_1), prefix_len)


def _prefix_len(prompts: Sequence[Prompt], shared_len: int = 0) -> int:
    return length_bucket(shared_len + max(len(prompt.tokens) - 1 for prompt in prompts))


def _check(config: ModelConfig, prompts: Sequence[Prompt], settings: DecodeSettings, shared_len: int) -> None:
    for prompt in prompts:
        if not prompt.tokens:
            raise UserError(f"problem {prompt.uid!r}: its prompt is empty; expected at least one token")
        prompt_len = shared_len + len(prompt.tokens)
        total = prompt_len + settings.max_new_tokens
        if total > config.max_len:
            raise UserError(
                f"problem {prompt.uid!r}: a prompt of {prompt_len} tokens and max_new_tokens="
                f"{settings.max_new_tokens} make {total}, more than the model's max_len={config.max_len}: "
                "lower max_new_tokens, give fewer worked examples, or leave the problem out"
            )


def _check_memory(program: Program, model: Model, lanes: int, num_each: int, shape: _Shape) -> None:
    """Raise UserError, with sizes that would fit, when sampling does not.

    Where no number of lanes and slots does, a problem's samples are too many or too long, and the error says how much
    of that fits.
    """

    def need(size: Size, num_each: int = num_each, max_new_tokens: int = program.settings.max_new_tokens) -> int:
        settings = dataclasses.replace(program.settings, max_new_tokens=max_new_tokens)

        def make_state(config: ModelConfig, lanes: int, slots: int) -> Lanes:
            sized = _Shape(slots, shape.prefix_len, _room(num_each))
            return engine.init_lanes(dataclasses.replace(program, config=config, settings=settings), lanes, *sized)

        return memory.sampling_bytes(program.config, model.params, make_state, (shape.prefix_len, max_new_tokens), size)

    size = memory.size_of(program.config, lanes, shape.slots, model.mesh)
    numbers = (
        memory.Number("num_samples (--k)", num_each, lambda size, number: need(size, num_each=number)),
        memory.Number(
            "max_new_tokens", program.settings.max_new_tokens, lambda size, number: need(size, max_new_tokens=number)
        ),
    )
    memory.check("sampling", size, need, model.mesh, numbers)
