import json
import random
import re
import subprocess
import sys
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.decode.calculator import loop as calculator
from procsup_jax.errors import UserError
from procsup_jax.text import calculator as exact

WRITERS = "+-*/"


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


def random_expression(rng, depth=0):
    """Draw an expression that is usually well formed; about one in eight has a character changed."""
    parts = []
    for i in range(rng.randint(1, 4)):
        if i:
            parts.append(rng.choice(WRITERS))
        if rng.random() < 0.1:
            parts.append(rng.choice("-+"))
        if depth < 3 and rng.random() < 0.15:
            parts.append(f"({random_expression(rng, depth + 1)})")
        else:
            parts.append(random_number(rng))
        if rng.random() < 0.05:
            parts.append(" ")
    text = "".join(parts)
    if depth == 0 and rng.random() < 0.12:
        place = rng.randrange(len(text) + 1)
        text = text[:place] + rng.choice("0123456789.,+-*/() x%") + text[place + rng.randint(0, 1) :]
    return text


def random_number(rng):
    whole = str(rng.randrange(10 ** rng.choice([1, 1, 2, 2, 3, 4, 6, 9])))
    kind = rng.random()
    if kind < 0.1:
        return f"{int(whole):,}"
    if kind < 0.25:
        return f"{whole}.{rng.randrange(10 ** rng.randint(1, 3))}"
    return f".{rng.randrange(100)}" if kind < 0.3 else whole


def plain_value(expression):
    value = exact.evaluate(expression)
    return None if value is None else exact.format_value(value)


def significant_digits(value):
    return len(value.replace("-", "").replace(".", "").strip("0"))


advance, force = jax.jit(calculator.advance), jax.jit(calculator.force)


def run_tokens(vocab, *rows):
    """Feed rows of ids to as many slots (a row's end: a newline, unread) and return what each then forces."""
    tables, state = calculator.make_tables(vocab), calculator.init_state((2, 2))
    length = max(map(len, rows))
    padding = vocab.encode("a")
    padded = [padding * (length - len(row)) + row for row in [*rows, *[padding] * (4 - len(rows))]]
    for tokens in np.array(padded, np.int32).T:
        state = advance(tables, state, tokens.reshape(2, 2))
    written = [b""] * 4
    while True:
        tokens, forced = force(state, jnp.full((2, 2), padding[0]))
        if not forced.any():
            return [w.decode() for w in written[: len(rows)]]
        for i, (token, is_forced) in enumerate(zip(np.ravel(tokens), np.ravel(forced), strict=True)):
            assert is_forced or token == padding[0]
            written[i] += vocab.token_bytes()[token] if is_forced else b""
        state = advance(tables, state, tokens)


def test_every_gsm8k_expression_with_a_finite_value_is_forced(shared_data):
    texts = [
        json.loads(line)["answer"]
        for name in ("train.jsonl", "test.jsonl")
        for line in (shared_data / "gsm8k" / name).read_text().splitlines()
    ]
    expressions = sorted({a.expression for text in texts for a in exact.annotations(text)})
    assert len(expressions) > 12_000
    for expression, forced in zip(
        expressions, calculator.forced_values([e.encode() for e in expressions]), strict=True
    ):
        value = plain_value(expression)
        if value is not None and significant_digits(value) <= 9:
            assert forced == value, expression
        else:
            assert forced in (None, value), expression


def test_agrees_with_exact_arithmetic_or_abstains():
    rng = random.Random(0)
    expressions = [random_expression(rng) for _ in range(4096)]
    forced = calculator.forced_values([e.encode() for e in expressions])
    values = [plain_value(e) for e in expressions]
    for expression, got, want in zip(expressions, forced, values, strict=True):
        assert got is None or got == want, expression
    computable = [got for got, want in zip(forced, values, strict=True) if want is not None]
    assert len(computable) > 1500
    assert sum(got is None for got in computable) < 0.05 * len(computable)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("48/2", "24"),
        ("100/3*3", "100"),
        ("2-3*(4-6)/8", "2.75"),
        ("-2*-3", "6"),
        ("1,250*4", "5000"),
        (".5+0.25", "0.75"),
        ("5-5.0", "0"),
        ("0*-3", "0"),
        ("1461000000+1459000000", "2920000000"),
        ("((((1+1))))", "2"),
        ("(((((1+1)))))", None),
        ("1/3", None),
        ("1/0", None),
        ("2//1", None),
        ("2**2", None),
        ("1,25*4", None),
        ("", None),
        ("+".join("1" * 200), None),
        ("4294967296*4294967296", None),
        ("99999999999999999999999", None),
    ],
)
def test_hand_made_expressions(expression, value):
    assert calculator.forced_values([expression.encode()]) == [value]


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


def test_reset_makes_single_slots_idle():
    tables, state = calculator.make_tables(WHOLE), calculator.init_state((2, 2))
    state = advance(tables, state, jnp.full((2, 2), WHOLE.encode("<<5+3=")[0]))
    state = calculator.reset(state, jnp.array([[True, False], [False, False]]))
    assert force(state, jnp.zeros((2, 2), jnp.int32))[1].tolist() == [[False, True], [True, True]]


def test_a_vocabulary_without_single_digits_is_refused():
    with pytest.raises(UserError, match="'0'.*calculator=False"):
        calculator.make_tables(WordVocab())


class WordVocab:
    def token_bytes(self):
        return [b"", b"x"]

    def encode(self, text):
        return [1] * len(text)


def test_command_prints_a_value_or_a_dash_for_each_line(tmp_path):
    path = tmp_path / "expressions.txt"
    path.write_text("48/2\n1/3\n\n2*(3+4)\n5=5\n")
    command = [sys.executable, "-m", "procsup_jax.decode.calculator"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["24", "-", "-", "14", "-"]
    missing = subprocess.run([*command, str(tmp_path / "absent")], capture_output=True, text=True)
    assert missing.returncode == 2
    assert re.fullmatch(r".*absent: No such file.*\n", missing.stderr)


def test_random_expressions_hold_both_kinds():
    rng = random.Random(0)
    values = [exact.evaluate(random_expression(rng)) for _ in range(500)]
    assert sum(v is None for v in values) > 20
    assert sum(isinstance(v, Fraction) and v.denominator > 1 for v in values) > 50
