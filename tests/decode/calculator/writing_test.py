import random

import jax
import numpy as np
import pytest
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from procsup_jax.decode.calculator import rational, uint64, writing
from procsup_jax.errors import UserError
from procsup_jax.text.tokenizer import load_tokenizer


class ByteLevel:
    """A byte-pair tokenizer of its own making, trained on numbers."""

    def __init__(self, texts, pre_tokenizer=None, size=400):
        self._tokenizer = tokenizers.Tokenizer(models.BPE())
        if pre_tokenizer is not None:
            self._tokenizer.pre_tokenizer = pre_tokenizer
        trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=list("0123456789.->=<"), show_progress=False)
        self._tokenizer.train_from_iterator(texts, trainer)

    def encode(self, text):
        return self._tokenizer.encode(text).ids

    def token_bytes(self):
        return [self._tokenizer.id_to_token(i).encode() for i in range(self._tokenizer.get_vocab_size())]


def random_values(num, seed=0):
    rng = random.Random(seed)
    values = [str(rng.randrange(10 ** rng.randint(1, 19))) for _ in range(num)]
    values += [f"{v[:7]}.{rng.randrange(10 ** rng.randint(1, 6))}1" for v in values]
    return [*values, *(f"-{v}" for v in values[1::3]), "0", "0.000001", "-0.5", "10000000000000000000"]


def to_rational(values):
    """Return decimals as fractions over powers of ten."""
    digits = [v.lstrip("-").partition(".") for v in values]
    words = [[int(whole + part) for whole, _, part in digits], [10 ** len(part) for _, _, part in digits]]
    num, den = (uint64.U64(*np.array([(w >> 32, w & 0xFFFFFFFF) for w in each], np.uint32).T) for each in words)
    return rational.Rational(num, den, np.array([v.startswith("-") for v in values]))


def assert_writes_as_it(tokenizer, values):
    tokens = jax.jit(writing.write)(writing.make_writer(tokenizer), to_rational(values))
    assert tokens.shape == (len(values), writing.MAX_TOKENS)
    for value, row in zip(values, tokens.tolist(), strict=True):
        assert [token for token in row if token >= 0] == tokenizer.encode(f"{value}>>"), value


@pytest.mark.parametrize(
    ("kind", "digits"), [("vocab", 1), ("bpe", None), ("digits_bpe", 1), ("triples_bpe", 3), ("sentencepiece", 1)]
)
def test_values_are_written_as_each_kind_of_tokenizer_does(kind, digits, request):
    tokenizer = load_tokenizer(request.getfixturevalue(f"{kind}_folder"))
    writer = writing.make_writer(tokenizer)
    assert isinstance(writer, writing.Merged) if digits is None else writer.group_ids.shape[1] == digits
    assert_writes_as_it(tokenizer, random_values(40))


def test_signs_that_merge_with_digits_are_known():
    tokenizer = ByteLevel([f"{v}>>" for v in random_values(3000, seed=1)])
    assert {len(t) > 1 and any(c in t for c in b"-.>") for t in tokenizer.token_bytes()} == {True, False}
    assert isinstance(writing.make_writer(tokenizer), writing.Merged)
    assert_writes_as_it(tokenizer, random_values(40))


def test_rules_that_are_not_known_are_refused():
    pattern = tokenizers.Regex(r"\d{1,3}(?=(?:\d{3})*(?!\d))")  # groups of three from the right
    right = ByteLevel(["123456"] * 9, pre_tokenizers.Split(pattern, behavior="isolated"))
    with pytest.raises(UserError, match=r"writes '\d+>>' as \[b.*calculator=False"):
        writing.make_writer(right)


def test_a_tokenizer_that_cannot_write_numbers_is_refused():
    with pytest.raises(UserError, match="'0>>' as .*calculator=False"):
        writing.make_writer(Words())


class Words:
    def token_bytes(self):
        return [b"", b"x"]

    def encode(self, text):
        return [1] * len(text)
