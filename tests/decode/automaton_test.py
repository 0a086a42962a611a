import re
import time

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.decode import automaton
from procsup_jax.errors import UserError

BOX = b"\\boxed{"
LAYOUTS = [(b"\n", b"#### "), (b"\n\n", BOX), (b"\n\n", b"#### "), (b"\n", BOX), (b"\n\n", b""), (b" ki\n", b"A: {")]
advance = jax.jit(automaton.advance)


def holds_answer(step, marker):
    """Say whether a step holds the whole marker and, if that ends in a brace, its other brace."""
    start = 0
    while marker and (found := step.find(marker, start)) >= 0:
        start = found + len(marker)
        if not marker.endswith(b"{"):
            return True
        depth, place = 1, start
        while place < len(step) and 0 < depth <= automaton.MAX_DEPTH:
            depth += {b"{": 1, b"}": -1}.get(step[place : place + 1], 0)
            place += 2 if step[place : place + 1] == b"\\" else 1
        if depth == 0:
            return True
        start = place
    return False


def unfinished(step, separator):
    """Return a step without what may yet be a separator."""
    num = next(n for n in range(len(separator) - 1, -1, -1) if step.endswith(separator[:n]))
    return step[: len(step) - num]


def reference_events(pieces, separator, marker):
    """Say what each token does: (step ends, answer here, visible, exact)."""
    data, events = b"", []
    for piece in pieces:
        start, data = len(data), data + piece
        ends = [m.end() for m in re.finditer(re.escape(separator), data)]
        steps = [data[a : b - len(separator)] for a, b in zip([0, *ends], ends, strict=False)]
        new = [step for step, end in zip(steps, ends, strict=True) if end > start]
        here = new or [data[ends[-1] if ends else 0 :]]
        answer = any(holds_answer(step, marker) for step in here)
        visible = any(step.strip() for step in (new or [unfinished(here[0], separator)]))
        events.append((bool(new), answer, visible, bool(new) and ends[-1] == len(data)))
    return events


def events_of(advance, tables, ids):
    state, found = np.zeros(1, np.int32), []
    for token in ids:
        state, events = advance(tables, state, np.array([token]))
        assert bool(events.solution_ends[0]) == bool(events.step_ends[0] & events.answer_here[0])
        found.append(tuple(bool(e[0]) for e in (events.step_ends, events.answer_here, events.visible, events.exact)))
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
        want = reference_events(pieces, separator, marker)
        assert events_of(automaton.advance, jax.tree.map(np.asarray, tables), map(vocab.index, pieces)) == want

    check()


def test_a_box_gives_up_at_too_many_braces_and_ignores_escaped_ones():
    def answers(text):
        pieces = [bytes([byte]) for byte in text]
        vocab = sorted(set(pieces))
        tables = automaton.make_tables(vocab, b"\n\n", BOX)
        return events_of(advance, tables, [vocab.index(piece) for piece in pieces])[-1][1]

    assert answers(BOX + b"\\{1\\}}") and not answers(BOX + b"\\{1\\}") and answers(BOX + b"\\\\{}}")
    deep = automaton.MAX_DEPTH - 1
    assert answers(BOX + b"{" * deep + b"}" * deep + b"}")
    assert not answers(BOX + b"{" * (deep + 1) + b"}" * (deep + 1) + b"}")
    assert answers(BOX + b"1} and " + BOX) and answers(BOX + BOX + b"3}}") and not answers(BOX + b"1\n\n2}")


@pytest.mark.parametrize(
    ("pieces", "mixes"),
    [([b"a", b"\n"], False), ([b"a", b".\n"], True), ([b"a", b"\nb"], True), ([b"\n\n"], True), ([b"b\t"], False)],
)
def test_says_whether_a_token_can_hold_more_than_a_separator(pieces, mixes):
    assert automaton.can_mix(automaton.make_tables(pieces, b"\n", b"#### "), b"\n") == mixes


def test_final_len_drops_the_separators_tokens():
    pieces = [b"", b"\n", b"\n\n", b".\n", b"a"]
    tables = automaton.make_tables(pieces, b"\n\n", b"")
    rows = jnp.array([[4, 1, 1, 4], [4, 2, 2, 2], [4, 4, 3, 1], [1, 1, 4, 4]])
    lens = jnp.array([3, 2, 4, 2])
    assert automaton.final_len(tables, rows, lens, 2).tolist() == [1, 1, 3, 0]


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
