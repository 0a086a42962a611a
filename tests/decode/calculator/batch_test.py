import json
import random
from fractions import Fraction

import pytest

from procsup_jax.decode.calculator import batch, rational, tables
from procsup_jax.text import calculator as exact
from procsup_jax.text.tokenizer import load_tokenizer

WRITERS = "+-*/"
KINDS = ("vocab", "bpe", "digits_bpe", "triples_bpe", "sentencepiece")


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


def writable(value):
    """Say whether a value has a decimal that the graph has room for."""
    return value is not None and len(value.partition(".")[2]) <= rational.FRACTION_DIGITS


@pytest.fixture(scope="module")
def gsm8k_values(shared_data):
    """Return the value of each different expression in GSM8K, None where it has no finite decimal."""
    texts = [
        json.loads(line)["answer"]
        for name in ("train.jsonl", "test.jsonl")
        for line in (shared_data / "gsm8k" / name).read_text().splitlines()
    ]
    values = {e: plain_value(e) for e in sorted({a.expression for text in texts for a in exact.annotations(text)})}
    assert len(values) == 12_147
    return {expression: value if writable(value) else None for expression, value in values.items()}


def test_every_gsm8k_expression_is_forced_as_the_exact_calculator_says(gsm8k_values):
    forced = batch.forced_values([e.encode() for e in gsm8k_values])
    assert dict(zip(gsm8k_values, forced, strict=True)) == gsm8k_values
    assert sum(value is None for value in forced) < 100


@pytest.mark.parametrize("kind", KINDS)
def test_gsm8ks_values_are_forced_in_the_tokenizers_own_tokens(kind, gsm8k_values, request):
    tokenizer = load_tokenizer(request.getfixturevalue(f"{kind}_folder"))
    some = list(gsm8k_values)[:: 1 if kind == "digits_bpe" else 8]
    forced = batch.forced_tokens(tables.make_tables(tokenizer), [tokenizer.encode(f"<<{e}=") for e in some])
    for expression, tokens in zip(some, forced, strict=True):
        value = gsm8k_values[expression]
        assert tokens == ([] if value is None else tokenizer.encode(f"{value}>>")), expression


@pytest.mark.parametrize("kind", KINDS)
def test_random_values_are_forced_in_the_tokenizers_own_tokens_or_not_at_all(kind, request):
    tokenizer = load_tokenizer(request.getfixturevalue(f"{kind}_folder"))
    known, rng = tables.make_tables(tokenizer), random.Random(1)
    expressions = [random_expression(rng) for _ in range(400)]
    expressions += [f"{rng.choice('+-')}{rng.randrange(10 ** rng.randint(1, 19))}" for _ in range(200)]
    expressions += [f"{rng.randrange(-99999, 99999)}/{2 ** rng.randint(0, 12)}" for _ in range(200)]
    rows = {e: tokenizer.encode(f"a <<{e}=") for e in expressions}
    expressions = [e for e in expressions if len(rows[e]) <= 64]  # one program
    forced = batch.forced_tokens(known, [rows[e] for e in expressions])
    values = [plain_value(e) for e in expressions]
    for expression, tokens, value in zip(expressions, forced, values, strict=True):
        assert not tokens or tokens == tokenizer.encode(f"{value}>>"), expression
    assert sum(map(bool, forced)) > 0.95 * sum(map(writable, values))


def test_agrees_with_exact_arithmetic_or_abstains():
    rng = random.Random(0)
    expressions = [random_expression(rng) for _ in range(4096)]
    forced = batch.forced_values([e.encode() for e in expressions])
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
    assert batch.forced_values([expression.encode()]) == [value]


def test_random_expressions_hold_both_kinds():
    rng = random.Random(0)
    values = [exact.evaluate(random_expression(rng)) for _ in range(500)]
    assert sum(v is None for v in values) > 20
    assert sum(isinstance(v, Fraction) and v.denominator > 1 for v in values) > 50
