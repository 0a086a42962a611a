"""Sample solutions of problems from a policy: token level (`generate`) and text level (`sample_problems`)."""

from __future__ import annotations

import dataclasses
import functools
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from procsup_jax.data.examples import example_ids, prompt_ids
from procsup_jax.decode import engine, feeder, memory
from procsup_jax.decode.calculator import tables as calculator_tables
from procsup_jax.decode.draw import VocabTables
from procsup_jax.decode.engine import Lanes, NewPrompts, Program, Shared
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.models.api import DecoderParams, ModelConfig, Params
from procsup_jax.parallel import rules
from procsup_jax.progress import Progress
from procsup_jax.text import answers
from procsup_jax.text.vocab import Vocab
from procsup_jax.types import Problem, Sample

__all__ = ["DecodeSettings", "Generated", "Prompt", "generate", "sample_problems"]

ANSWER_MARKER = "#### "
_CHUNK_STEPS = 256

decoder_params = jax.jit(api.decoder_params, static_argnums=0)


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
    config: ModelConfig,
    params: Params,
    vocab: Vocab,
    prompts: Sequence[Prompt],
    settings: DecodeSettings,
    *,
    seed: int,
    mesh: Mesh | None = None,
    first_sample: int = 0,
    shared: Sequence[int] = (),
) -> list[list[Generated]]:
    """Write `settings.num_samples` samples for each prompt, numbered from `first_sample`, in the prompts' order.

    With `settings.with_greedy` the greedy one follows them, with the next number. `shared` are tokens that stand before
    every prompt, worked examples say: they are read once.

    A sample depends on the params, its prompt and fold_in(fold_in(fold_in(key(seed), crc32(uid)), sample), index of
    the token), on nothing else: not on lanes, slots, the other prompts or the mesh (up to rounding in the logits).
    With a mesh the lanes are spread over its data and fsdp axes; params are used as they are placed.

    Raises UserError when the vocabulary does not fit the model, a prompt leaves too little room, or memory lacks.
    """
    _check(config, vocab, prompts, settings, len(shared))
    if not prompts:
        return []
    config = memory.with_cache_dtype(config, settings.cache_dtype)
    num_each = settings.num_samples + settings.with_greedy
    greedy = settings.num_samples if settings.with_greedy else -1
    program, shape = make_program(config, vocab, settings), _shape(prompts, settings, num_each, len(shared))
    streams = feeder.split(settings.lanes, shape.slots, len(prompts), mesh)
    _check_memory(program, params, streams.all_lanes, shape, mesh)
    done: dict[int, list[Generated]] = {}
    with rules.use(mesh), Progress("sampling", len(prompts) * num_each, "sample") as progress:
        dparams, tables = decoder_params(config, params), vocab_tables(config, vocab, settings.calculator)
        before = _read_shared(program, dparams, shared, shape.prefix_len)

        def assign(state: Lanes, owners: Mapping[int, _Indexed]) -> Lanes:
            new = _new_prompts({lane: each[1] for lane, each in owners.items()}, streams.lanes, seed, num_each, greedy)
            return engine.assign(program, dparams, state, new, before)

        def advance(state: Lanes, enough: int) -> tuple[Lanes, jax.Array]:
            return engine.run(program, dparams, tables, state, first_sample, enough, _CHUNK_STEPS)

        lanes = feeder.Feeder(
            lanes=streams.lanes,
            swap_size=engine.swap_size(streams.lanes),
            init=lambda: engine.init_lanes(program, streams.lanes, *shape),
            assign=assign,
            advance=advance,
            results=engine.results,
        )
        # Neighbours in length are read together, the longest first: a cache too large for the machine fails at once.
        by_length = sorted(enumerate(prompts), key=lambda each: -len(each[1].tokens))
        for (index, prompt), arrays in lanes.run(by_length, streams.number):
            done[index] = _generated(prompt.uid, first_sample, num_each, *arrays)
            progress.update(num_each)
    return [done[i] for i in range(len(prompts))]


def sample_problems(
    config: ModelConfig,
    params: Params,
    vocab: Vocab,
    problems: Sequence[Problem],
    settings: DecodeSettings,
    *,
    seed: int,
    mesh: Mesh | None = None,
    examples: Sequence[Problem] = (),
    policy: str | None = None,
) -> list[Sample]:
    """Sample solutions of problems, zero-shot or after worked `examples`: all of a problem, in order, then the next's.

    `policy` names the sampler in the records. `logprob` is that of `Generated`; `tokens` counts the end token.
    """
    written = [Prompt(p.uid, prompt_ids(vocab, p.question)) for p in problems]
    shared = example_ids(vocab, examples)
    generated = generate(config, params, vocab, written, settings, seed=seed, mesh=mesh, shared=shared)
    return [to_sample(vocab, g, policy) for samples in generated for g in samples]


def to_sample(vocab: Vocab, generated: Generated, policy: str | None) -> Sample:
    """Return the record of a sample: its text without the token that ended it, and the final answer in it."""
    body = generated.tokens[:-1] if generated.stopped else generated.tokens
    solution = vocab.decode(body)
    return Sample(
        problem_uid=generated.uid,
        sample=generated.sample,
        solution=solution,
        answer=answers.extract_answer(solution),
        logprob=generated.logprob,
        tokens=len(generated.tokens),
        policy=policy,
    )


def make_program(config: ModelConfig, vocab: Vocab, settings: DecodeSettings) -> Program:
    """Return what is static about decoding with these settings; equal inputs share compiled programs."""
    marker = vocab.encode(ANSWER_MARKER)
    # How many samples are written, and in which batches, shows in the arrays.
    settings = dataclasses.replace(settings, num_samples=1, with_greedy=False, lanes=1, slots=1)
    return Program(config, settings, vocab.eos_id, vocab.sep_id, marker[0] if len(marker) == 1 else -1)


def vocab_tables(config: ModelConfig, vocab: Vocab, with_calculator: bool) -> VocabTables:
    """Return a vocabulary's tables; a token that stands for no text is never written, eos apart."""
    allowed = [bool(data) for data in vocab.token_bytes()]
    allowed[vocab.eos_id] = True
    allowed_v = np.zeros(config.vocab_size, bool)
    allowed_v[: len(allowed)] = allowed
    return VocabTables(jnp.asarray(allowed_v), calculator_tables.make_tables(vocab) if with_calculator else None)


def problem_key(seed: int, uid: str) -> np.ndarray:
    """Return the raw random key of a problem, uint32 [2], from which those of its tokens are folded."""
    key = jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), zlib.crc32(uid.encode()))
    return np.asarray(jax.random.key_data(key))


def length_bucket(length: int, smallest: int = 144) -> int:
    """Round a length up to 1, 1.5, 2, 3, 4, 6, ... times `smallest`, so that few shapes are compiled."""
    size = smallest
    while size < length:
        if size * 3 // 2 >= length:
            return size * 3 // 2
        size *= 2
    return size


def pad_rows(rows: Sequence[Sequence[int]], size: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return token rows padded to int32 [size, length], and their lengths [size]."""
    tokens_rp, len_r = np.zeros((size, length), np.int32), np.zeros(size, np.int32)
    for i, row in enumerate(rows):
        len_r[i] = len(row)
        tokens_rp[i, : len_r[i]] = row
    return tokens_rp, len_r


class _Shape(NamedTuple):
    """Hold what `engine.init_lanes` asks beside lanes: slots of each, room for its prompt and for its samples."""

    slots: int
    prefix_len: int
    room: int


def _shape(prompts: Sequence[Prompt], settings: DecodeSettings, num_each: int, shared_len: int) -> _Shape:
    return _Shape(
        slots=num_slots(settings.slots, num_each),
        prefix_len=_prefix_len(prompts, shared_len),
        room=length_bucket(num_each, smallest=12),
    )


def num_slots(wanted: int, num_samples: int) -> int:
    """Return how many samples of a problem to write at a time: `wanted` or fewer, with no nearly empty last round."""
    return -(-num_samples // -(-num_samples // wanted))


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


def _check(
    config: ModelConfig, vocab: Vocab, prompts: Sequence[Prompt], settings: DecodeSettings, shared_len: int
) -> None:
    check_vocab(config, vocab)
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


def _check_memory(program: Program, params: Params, lanes: int, shape: _Shape, mesh: Mesh | None) -> None:
    def make_state(config: ModelConfig, lanes: int, slots: int) -> Lanes:
        return engine.init_lanes(dataclasses.replace(program, config=config), lanes, *shape._replace(slots=slots))

    lens = shape.prefix_len, program.settings.max_new_tokens
    need = functools.partial(memory.sampling_bytes, program.config, params, make_state, lens)
    memory.check("sampling", memory.size_of(program.config, lanes, shape.slots, mesh), need, mesh)


def check_vocab(config: ModelConfig, vocab: Vocab) -> None:
    """Raise UserError when the model has fewer token rows than the vocabulary has tokens."""
    if vocab.size > config.vocab_size:
        raise UserError(
            f"the vocabulary has {vocab.size} tokens and the model vocab_size={config.vocab_size}: "
            "use the vocabulary that the model was trained with"
        )
