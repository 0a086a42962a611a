import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.decode.calculator import loop, tables


class PieceVocab:
    """A vocabulary of given pieces, encoded greedily: just enough text for the calculator."""

    def __init__(self, pieces):
        self.pieces = [piece.encode() for piece in pieces]

    def token_bytes(self):
        return self.pieces

    def encode(self, text):
        ids, data = [], text.encode()
        while data:
            piece = max((p for p in self.pieces if p and data.startswith(p)), key=len)
            ids.append(self.pieces.index(piece))
            data = data[len(piece) :]
        return ids


CHARACTERS = [*"\n0123456789.,+-*/()=<> abc"]


advance, force = jax.jit(loop.advance), jax.jit(loop.force)


def run_tokens(vocab, *rows):
    """Feed rows of ids to as many slots (a row's end: a newline, unread) and return what each then forces."""
    known, state = tables.make_tables(vocab), loop.init_state((2, 2))
    length = max(map(len, rows))
    padding = vocab.encode("a")
    padded = [padding * (length - len(row)) + row for row in [*rows, *[padding] * (4 - len(rows))]]
    for tokens in np.array(padded, np.int32).T:
        state = advance(known, state, tokens.reshape(2, 2))
    written = [b""] * 4
    while True:
        tokens, forced = force(state, jnp.full((2, 2), padding[0]))
        if not forced.any():
            return [w.decode() for w in written[: len(rows)]]
        for i, (token, is_forced) in enumerate(zip(np.ravel(tokens), np.ravel(forced), strict=True)):
            assert is_forced or token == padding[0]
            written[i] += vocab.token_bytes()[token] if is_forced else b""
        state = advance(known, state, tokens)


WHOLE = PieceVocab([*CHARACTERS, "<<", ">>", "a<<5+", "3=", "=8", "<<5+3=", "=====================", "the"])


def test_forces_the_value_and_the_closing_bracket_as_tokens():
    texts = ["ab <<12/5-3=", "<<1+1=", "abc", "<<2*3= a<<1+1="]
    assert run_tokens(WHOLE, *([WHOLE.pieces.index(c.encode()) for c in t] for t in texts)) == [
        "-0.6>>",
        "2>>",
        "",
        "2>>",
    ]
    split = PieceVocab(CHARACTERS)
    assert run_tokens(split, split.encode("<<1+1="), split.encode("<<7/2=")) == ["2>>", "3.5>>"]


def test_tokens_of_several_bytes():
    write = lambda *pieces: [WHOLE.pieces.index(p.encode()) for p in pieces]  # noqa: E731
    rows = [
        write("a<<5+", "3="),
        write("<<5+3="),
        write("<<", "5", "+", "3", "=8"),
        write("<<", "5", "the", "+", "3", "="),
    ]
    assert run_tokens(WHOLE, *rows) == ["8>>", "8>>", "", ""]
    rows = [
        write("<<", "5", "====================="),
        write("<<", "5", "\n", "+", "3", "="),
        write("<", "<", "5", "+", "<<", "7", "="),
        write("<<", "<", "5", "="),
    ]
    assert run_tokens(WHOLE, *rows) == ["", "", "7>>", ""]


LONG = PieceVocab(
    [
        *CHARACTERS,
        *[" <<", "<<(", "=<<", ")=", " 12", "<<2+3=", "=1", "4*", ">>", "answer is exactly <<", "<<1234567+7654321="],
        *[" " * 40, "-" * 40, "===================<<", "1>><<2+", "\n\n<<3*", "0" * 33],
    ]
)


def test_tokens_that_begin_end_or_hold_expressions():
    write = lambda *pieces: [LONG.pieces.index(p.encode()) for p in pieces]  # noqa: E731
    rows = [
        [write(" <<", " 12", "+", "3", "="), write("<<(", "1", "+", "5", ")="), write("<<2+3=")],
        [write("7", "=<<", " 12", "="), write("1>><<2+", "2", "="), write("\n\n<<3*", "2", "=")],
        [write("answer is exactly <<", "2", "=1"), write(" <<", "4*", "2", "=1"), write(" <<", "0" * 33, "5", "=")],
        [write("answer is exactly <<", "4*", "2", "="), write("<<1234567+7654321=")],
        [write("===================<<", "5", "="), write(" <<", "5", " " * 40, "="), write("<<(", "-" * 40, "5", ")=")],
    ]
    want = [["15>>", "6>>", "5>>"], ["12>>", "4>>", "6>>"], ["", "", ""], ["8>>", "8888888>>"], ["5>>", "", ""]]
    assert [run_tokens(LONG, *row) for row in rows] == want


def test_reset_makes_single_slots_idle():
    known, state = tables.make_tables(WHOLE), loop.init_state((2, 2))
    state = advance(known, state, jnp.full((2, 2), WHOLE.encode("<<5+3=")[0]))
    state = loop.reset(state, jnp.array([[True, False], [False, False]]))
    assert force(state, jnp.zeros((2, 2), jnp.int32))[1].tolist() == [[False, True], [True, True]]
