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
    "\u3000".encode(),
    b"c d",
]


def ids_of(*pieces):
    return [PIECES.index(piece) for piece in pieces]


def reference_steps(text, separator):
    """Split as `steps.split_steps` does, with any separator."""
    found, leading = [], ""
    for part in text.split(separator):
        if part.strip():
            found.append(leading + part)
            leading = ""
        elif found:
            found[-1] += separator + part
        else:
            leading += part + separator
    return found or ([text] if text else [])


@pytest.mark.parametrize(
    ("pieces", "separator", "kept", "text", "ends"),
    [
        ([b"a", b"\n", b"c d", b""], "\n", 3, "a\nc d", [1, 3]),
        ([b"a", b"\n", b"#### 5", b"\n"], "\n", 3, "a\n#### 5", [1, 3]),
        ([b"a", b"\n", b"\n", b"#### 5", b"\n"], "\n", 4, "a\n\n#### 5", [2, 4]),
        ([b"a", b"\n", b"\n", b"#### 5", b"\n", b"\n"], "\n\n", 4, "a\n\n#### 5", [2, 5]),
        ([b"a", b".\n\n", b"#### 5", b".\n\n"], "\n\n", 4, "a.\n\n#### 5.", [1, 3]),
        ([b"a", b"\n\nThe", b"#### 5", b"\n\nThe"], "\n\n", 4, "a\n\nThe#### 5", [1, 3]),
        ([b"a", b"\n", b"\nb", b"\n\n"], "\n\n", 3, "a\n\nb", [2, 3]),
        ([b"a", b"\n", b"\n\n"], "\n\n", 3, "a", [2]),
        ([b"\n"], "\n", 0, "", []),
        ([b""], "\n", 0, "", []),
        ([], "\n", 0, "", []),
        ([b"\n", b""], "\n", 1, "\n", [1]),
    ],
)
def test_what_ended_a_solution_is_cut(pieces, separator, kept, text, ends):
    ids = ids_of(*pieces)
    assert written.body(ids, PIECES, separator) == (ids[:kept], text)
    assert written.step_ends(ids, PIECES, separator) == ends


def test_what_was_not_stopped_is_kept_whole():
    ids = ids_of(b"a", b"\n\nThe", b"\n\n")
    assert written.body(ids, PIECES, "\n\n", stopped=False) == (ids, "a\n\nThe\n\n")
    assert written.step_ends(ids, PIECES, "\n\n", stopped=False) == [1, 2]


@hypothesis.given(
    st.lists(st.integers(1, len(PIECES) - 1), max_size=8), st.booleans(), st.booleans(), st.sampled_from(["\n", "\n\n"])
)
@hypothesis.settings(max_examples=300)
def test_steps_are_those_of_the_text(ids, ends, stopped, separator):
    ids = [*ids, END] if ends else ids
    body = written.body(ids, PIECES, separator, stopped=stopped)
    found = written.step_ends(ids, PIECES, separator, stopped=stopped)
    assert len(found) == len(reference_steps(body.text, separator))
    assert found == sorted(found) and found[-1:] == [len(ids) - 1][: len(found)]
    assert ids[: len(body.ids)] == body.ids
    decoded = b"".join(PIECES[i] for i in ids).decode()
    assert decoded.startswith(body.text) and b"".join(PIECES[i] for i in body.ids).decode().startswith(body.text)
    if separator == "\n":
        assert reference_steps(body.text, separator) == steps.split_steps(body.text)
    if not stopped:
        assert decoded == body.text
