import random

import hypothesis
import hypothesis.strategies as st
import pytest

from procsup_jax.text import steps, written

END = 0
PIECES = [
    b"",
    b"a",
    b" ",
    b"\n",
    b"\n\n",
    b".\n\n",
    b"\n\nThe",
    b"\n\n\n",
    b"#### 5",
    b"\nb",
    b"5.\n\nSo",
    "\u3000".encode(),
    b"c d",
]


def ids_of(*pieces):
    return [PIECES.index(piece) for piece in pieces]


@pytest.mark.parametrize(
    ("pieces", "separator", "kept", "text", "ends"),
    [
        ([b"a", b"\n", b"c d", b""], b"\n", 3, "a\nc d", [1]),
        ([b"a", b"\n", b"#### 5", b"\n"], b"\n", 3, "a\n#### 5", [1]),
        ([b"a", b"\n", b"\n", b"#### 5", b"\n"], b"\n", 4, "a\n\n#### 5", [2]),
        ([b"a", b"\n", b"\n", b"#### 5", b"\n", b"\n"], b"\n\n", 4, "a\n\n#### 5", [2]),
        ([b"a", b".\n\n", b"#### 5", b".\n\n"], b"\n\n", 4, "a.\n\n#### 5.", [1]),
        ([b"a", b"\n\nThe", b"#### 5", b"\n\nThe"], b"\n\n", 3, "a\n\nThe#### 5", [1]),
        ([b"a", b"\n", b"\nb", b"\n\n"], b"\n\n", 3, "a\n\nb", [2]),
        ([b"a", b"\n", b"\n\n"], b"\n\n", 1, "a", []),
        ([b"5.\n\nSo"], b"\n\n", 1, "5.", []),
        ([b"5.\n\nSo", b""], b"\n\n", 1, "5.\n\nSo", [0]),
        ([b"\n"], b"\n", 0, "", []),
        ([b""], b"\n", 0, "", []),
        ([], b"\n", 0, "", []),
        ([b"\n", b""], b"\n", 1, "\n", []),
    ],
)
def test_what_ended_a_solution_is_cut(pieces, separator, kept, text, ends):
    ids = ids_of(*pieces)
    body = written.body(ids, PIECES, separator, (END,))
    assert body == (ids[:kept], text)
    assert written.step_ends(body, PIECES, separator) == ends


def test_what_was_not_stopped_is_kept_whole():
    ids = ids_of(b"a", b"\n\nThe", b"\n\n")
    body = written.body(ids, PIECES, b"\n\n", (END,), stopped=False)
    assert body == (ids, "a\n\nThe\n\n")
    assert written.step_ends(body, PIECES, b"\n\n") == [1]


@hypothesis.given(
    st.lists(st.integers(1, len(PIECES) - 1), max_size=8), st.booleans(), st.booleans(), st.sampled_from(["\n", "\n\n"])
)
@hypothesis.settings(max_examples=300)
def test_steps_are_those_of_the_text(ids, ends, stopped, separator):
    ids = [*ids, END] if ends else ids
    body = written.body(ids, PIECES, separator.encode(), (END,), stopped=stopped)
    found = written.step_ends(body, PIECES, separator.encode())
    assert len(found) == max(len(steps.split_steps(body.text, separator)) - 1, 0)
    assert found == sorted(found) and all(0 <= end < len(body.ids) for end in found)
    assert ids[: len(body.ids)] == body.ids
    decoded = b"".join(PIECES[i] for i in ids).decode()
    assert decoded.startswith(body.text) and b"".join(PIECES[i] for i in body.ids).decode().startswith(body.text)
    if not stopped:
        assert decoded == body.text


@hypothesis.given(st.data())
def test_ends_are_found_however_a_text_is_cut(data):
    text = data.draw(st.text("ab \n\u00a0\u2003é", max_size=30))
    separator = data.draw(st.sampled_from(["\n", "\n\n"]))
    raw, rng = text.encode(), random.Random(data.draw(st.integers(0, 1000)))
    cuts = sorted({0, len(raw), *(rng.randrange(len(raw) + 1) for _ in range(rng.randrange(20)))})
    pieces = [raw[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]
    ends = written.step_ends(written.Body(list(range(len(pieces))), text), pieces, separator.encode())
    split = steps.split_steps(text, separator)
    assert len(ends) == max(len(split) - 1, 0)
    for i, end in enumerate(ends):
        before = separator.join(split[: i + 1]) + separator
        assert len(b"".join(pieces[:end])) < len(before.encode()) <= len(b"".join(pieces[: end + 1]))
