import time

import byte_ends
import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tokenizer_fixtures import word_problems

from procsup_jax.decode import automaton
from procsup_jax.errors import UserError
from procsup_jax.text import written
from procsup_jax.text.tokenizer import load_tokenizer

BOX = b"\\boxed{"
LAYOUTS = [(b"\n", b"#### "), (b"\n\n", BOX), (b"\n\n", b"#### "), (b"\n", BOX), (b"\n\n", b""), (b" ki\n", b"A: {")]
KINDS = ("vocab", "bpe", "digits_bpe", "triples_bpe", "sentencepiece")
advance = jax.jit(automaton.advance)


def events_of(advance, tables, ids):
    state, found = np.zeros(1, np.int32), []
    for token in ids:
        state, events = advance(tables, state, np.array([token]))
        assert bool(events.solution_ends[0]) == bool(events.step_ends[0] & events.answer_here[0])
        found.append(tuple(e[0].item() for e in (events.step_ends, events.answer_here, events.visible, events.head)))
    return found


SNIPPETS = [
    *[b"\n", b"\n\n", b" ", b"a", b"12", b"#", b"##", b"#### ", b"<<1+1=2>>", b"\\", b"{", b"}", b"\\{", b"\\}", BOX],
    *[b"\\box", b"ed{", b"{{", b"A: {", b" ki", b"k", b"i\n", b"\xc3\xa9", b"\t", b"{" * 9, b"}" * 9],
]


@st.composite
def tokenized_texts(draw):
    """Draw a text, cut at random places, with empty tokens among the pieces."""
    data = b"".join(draw(st.lists(st.sampled_from(SNIPPETS), max_size=14)))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=10)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@pytest.mark.parametrize(("separator", "marker"), LAYOUTS)
def test_equals_a_reading_of_the_bytes_however_they_are_cut(separator, marker):
    @hypothesis.given(tokenized_texts())
    @hypothesis.settings(max_examples=80)
    def check(pieces):
        vocab = sorted(set(pieces))
        tables = automaton.make_tables(vocab, separator, marker)
        want = byte_ends.events(pieces, separator, marker)
        assert events_of(automaton.advance, jax.tree.map(np.asarray, tables), map(vocab.index, pieces)) == want

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_tokenizer_finds_the_same_ends(kind, request):
    tokenizer = load_tokenizer(request.getfixturevalue(f"{kind}_folder"))
    token_bytes = tokenizer.token_bytes()
    for separator, marker, text in zip((b"\n", b"\n\n"), (b"#### ", BOX), word_problems()[:2], strict=True):
        solution = text.split("Solution:\n")[-1] + separator.decode()
        ids = tokenizer.encode(solution)
        tables = automaton.make_tables(token_bytes, separator, marker, size=len(token_bytes) + 3)
        found = events_of(advance, tables, ids)
        assert found == byte_ends.events([token_bytes[i] for i in ids], separator, marker)
        assert [i for i, event in enumerate(found) if event[0] and event[1]] == [len(ids) - 1]
        assert tables.kind_v.shape == tables.len_v.shape == (len(token_bytes) + 3,)


def test_todays_vocabulary_does_what_single_tokens_did(vocab_folder):
    """A step ended at the token of the newline, and was final from the token of the marker on."""
    tokenizer = load_tokenizer(vocab_folder)
    [newline], [marker] = tokenizer.encode("\n"), tokenizer.encode("#### ")
    pieces = tokenizer.token_bytes()
    tables = automaton.make_tables(pieces, b"\n", b"#### ")
    able = [i for i, piece in enumerate(pieces) if i in (newline, marker) or not set(piece) & set(b"\n#")]
    ids = np.random.default_rng(0).choice([*able, *[newline, marker] * 40], 2000)
    marked = False
    for token, (ends, answer, _, head) in zip(ids, events_of(advance, tables, ids), strict=True):
        marked |= token == marker
        assert (ends, answer, head) == (token == newline, marked, token == newline)
        marked &= token != newline
    assert not automaton.can_mix(tables, b"\n")


def test_a_box_gives_up_at_too_many_braces_and_ignores_escaped_ones():
    def answers(text):
        pieces = [bytes([byte]) for byte in text]
        vocab = sorted(set(pieces))
        tables = automaton.make_tables(vocab, b"\n\n", BOX)
        return events_of(advance, tables, [vocab.index(piece) for piece in pieces])[-1][1]

    assert answers(BOX + b"\\{1\\}}") and not answers(BOX + b"\\{1\\}") and answers(BOX + b"\\\\{}}")
    assert automaton.MAX_DEPTH == byte_ends.MAX_DEPTH
    deep = automaton.MAX_DEPTH - 1
    assert answers(BOX + b"{" * deep + b"}" * deep + b"}")
    assert not answers(BOX + b"{" * (deep + 1) + b"}" * (deep + 1) + b"}")
    assert answers(BOX + b"1} and " + BOX) and answers(BOX + BOX + b"3}}") and not answers(BOX + b"1\n\n2}")


@pytest.mark.parametrize(
    ("pieces", "mixes"),
    [([b"a", b"\n", b"\nb"], False), ([b"a", b".\n"], True), ([b"\n\n"], False), ([b"b\t"], False), ([b"a\nb"], True)],
)
def test_says_whether_a_token_can_hold_content_and_a_separator(pieces, mixes):
    assert automaton.can_mix(automaton.make_tables(pieces, b"\n", b"#### "), b"\n") == mixes


@pytest.mark.parametrize(
    ("pieces", "remain"),
    [
        ([b"a", b"\n", b"\n"], 1),
        ([b"a", b"\n\n"], 1),
        ([b"a", b"\n", b"\n\n"], 1),
        ([b"a", b"\n", b"\nI"], 1),
        ([b"a", b"\n\nI"], 1),
        ([b"a", b".\n\n"], 2),
        ([b"a", b".\n", b"\nI"], 2),
        ([b"\n", b"\n"], 0),
    ],
)
def test_final_len_drops_what_is_the_separators_alone(pieces, remain):
    tables = automaton.make_tables(pieces, b"\n\n", b"")
    row = [*range(len(pieces)), 0, 0]
    head = events_of(advance, tables, range(len(pieces)))[-1][3]
    found = automaton.final_len(tables, jnp.array([row]), jnp.array([len(pieces)]), jnp.array([head]), 2)
    assert found.tolist() == [remain]
    body = written.body(list(range(len(pieces))), pieces, b"\n\n", ())
    assert len(body.ids) == remain


def test_reset_starts_single_slots_anew():
    tables = automaton.make_tables([b"#### ", b"\n"], b"\n", b"#### ")
    state, _ = advance(tables, automaton.init_state((2,)), jnp.array([0, 0]))
    state = automaton.reset(state, jnp.array([True, False]))
    assert advance(tables, state, jnp.array([1, 1]))[1].solution_ends.tolist() == [False, True]


def test_a_separator_in_the_marker_is_refused():
    for separator, marker in ((b"", b"#### "), (b"\n", b"\n#### ")):
        with pytest.raises(UserError, match="separator b'.*' and answer marker .*: expected"):
            automaton.make_tables([b"a"], separator, marker)


def test_a_large_vocabulary_is_quick():
    rng = np.random.default_rng(0)
    alphabet = np.frombuffer(b"abcdefghij  \n{}\\#", np.uint8)
    pieces = [bytes(rng.choice(alphabet, rng.integers(1, 9))) for _ in range(50_000)] + [b" " * 128, b"\\{" * 64]
    start = time.perf_counter()
    automaton.make_tables(pieces, b"\n\n", BOX)
    assert time.perf_counter() - start < 10
