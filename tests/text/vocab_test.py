"""The vocabulary's guarantees, on a vocabulary trained on some fifty short problems."""

import pathlib

import hypothesis
import hypothesis.strategies as st
import pytest
import sentencepiece

from procsup_jax.errors import UserError
from procsup_jax.text import vocab as vocab_lib

NAMES = ("Ann", "Bob", "Cleo", "Dan", "Eve")
TEXTS = [
    f"Question: {a} has {n} apples. {b} got {n * 7 % 83} more apples than {a}. How many has {b}?\nSolution:\n"
    f"{b} has {n} + {n * 7 % 83} = <<{n}+{n * 7 % 83}={n + n * 7 % 83}>>{n + n * 7 % 83} apples\n#### {n + n * 7 % 83}"
    for n, (a, b) in enumerate([(a, b) for a in NAMES for b in NAMES if a != b] * 3)
]
ANY_TEXT = st.text(st.characters(), max_size=60) | st.text("ab <>#=+-*/().,019\n\t\u2581é你😀\u0000\ufffd", max_size=60)


@pytest.fixture(scope="module")
def vocab(tmp_path_factory: pytest.TempPathFactory) -> vocab_lib.Vocab:
    return vocab_lib.train_vocab(TEXTS, 420, tmp_path_factory.mktemp("vocab") / "v.model", seed=0)


def test_reserved_ids_are_distinct_and_never_come_out_of_text(vocab):
    reserved = {vocab.pad_id, vocab.unk_id, vocab.eos_id, vocab.correct_id, vocab.incorrect_id}
    assert len(reserved | {vocab.sep_id}) == 6
    text = "<pad><unk><bos><eos></s><sep> <correct> <incorrect> <0x41> é \u2581 \n"
    ids = vocab.encode(text)
    assert not reserved & set(ids)
    assert ids.count(vocab.sep_id) == 1


@hypothesis.given(text=ANY_TEXT)
def test_decode_inverts_encode_and_reserved_ids_stay_out(vocab, text):
    ids = vocab.encode(text)
    assert vocab.decode(ids) == text
    assert ids.count(vocab.sep_id) == text.count("\n")
    assert not {vocab.pad_id, vocab.unk_id, vocab.eos_id, vocab.correct_id, vocab.incorrect_id} & set(ids)


@pytest.mark.parametrize(
    "text",
    ["", "\n", "\n\n a", "a \n", "  two  blanks ", "\ttab\t", "\ud800 lone", "a\u2581b", "x\u0000y", "\r\n", "ﬁ ½ Å"],
)
def test_decode_inverts_encode_on_awkward_text(vocab, text):
    assert vocab.decode(vocab.encode(text)) == text


@hypothesis.given(a=ANY_TEXT, b=ANY_TEXT)
def test_encoding_is_context_free_at_newlines(vocab, a, b):
    assert vocab.encode(a + "\n" + b) == [*vocab.encode(a), vocab.sep_id, *vocab.encode(b)]


@hypothesis.given(before=ANY_TEXT, symbol=st.sampled_from(vocab_lib.SYMBOLS), after=ANY_TEXT)
def test_symbols_are_single_tokens_in_every_context(vocab, before, symbol, after):
    # "<" + "<<" is read from the left, and "### #### " likewise: only such a run may shift a symbol's borders.
    hypothesis.assume(not (before.endswith(("<", ">", "#")) and symbol in ("<<", ">>", "#### ")))
    own = vocab.encode(symbol)
    assert len(own) == 1
    assert vocab.encode(before + symbol + after)[: len(vocab.encode(before)) + 1] == [*vocab.encode(before), *own]


@pytest.mark.parametrize("text", ["5 + 3", "5+3", "x12y", " 1 2", "1,234.50"])
def test_each_digit_is_a_token(vocab, text):
    pieces = [vocab.decode([i]) for i in vocab.encode(text)]
    assert all(piece.isdigit() and len(piece) == 1 for piece in pieces if any(c.isdigit() for c in piece))
    assert "".join(pieces) == text


def test_words_of_the_training_text_are_few_tokens(vocab):
    assert len(vocab.encode(TEXTS[0])) < len(TEXTS[0]) / 2


def test_token_bytes_join_to_the_text(vocab):
    pieces = vocab.token_bytes()
    text = "Ann has <<5+3=8>>8 é\n#### 8"
    assert len(pieces) == vocab.size
    assert b"".join(pieces[i] for i in vocab.encode(text)) == text.encode()
    assert pieces[vocab.sep_id] == b"\n" and pieces[vocab.correct_id] == b""


def test_decode_of_half_a_character_does_not_raise(vocab):
    assert vocab.decode(vocab.encode("你")[:-1]).endswith("\ufffd")


def test_training_is_deterministic_and_load_gives_the_same(tmp_path: pathlib.Path, vocab):
    again = vocab_lib.train_vocab(TEXTS, 420, tmp_path / "v.model", seed=0)
    loaded = vocab_lib.Vocab.load(tmp_path / "v.model")
    assert vocab.digest == again.digest == loaded.digest
    assert loaded.encode(TEXTS[3]) == vocab.encode(TEXTS[3])
    assert vocab_lib.train_vocab(TEXTS[:9], 420, tmp_path / "w.model", seed=0).digest != vocab.digest


def test_seed_chooses_the_lines_of_a_large_text(tmp_path: pathlib.Path, monkeypatch):
    monkeypatch.setattr(vocab_lib, "_MAX_TRAINING_LINES", 20)
    digests = [vocab_lib.train_vocab(TEXTS, 400, tmp_path / "v", seed=seed).digest for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_asking_for_more_than_the_text_holds_gives_the_real_size(tmp_path: pathlib.Path):
    vocab = vocab_lib.train_vocab(["ab ab"], 5000, tmp_path / "v.model", seed=0)
    assert vocab.size < 400
    assert vocab.decode(vocab.encode("ab cd\n é")) == "ab cd\n é"


def test_too_small_a_size_is_one_clear_line(tmp_path: pathlib.Path):
    with pytest.raises(UserError, match=r"size 290 is too small .* expected at least (\d+)") as caught:
        vocab_lib.train_vocab(TEXTS, 290, tmp_path / "v.model", seed=0)
    assert "\n" not in str(caught.value)
    least = int(str(caught.value).split("at least ")[1].split()[0])
    assert vocab_lib.train_vocab(TEXTS, least, tmp_path / "v.model", seed=0).size == least


@pytest.mark.parametrize("texts", [[], ["", "\n\n"]])
def test_no_text_is_one_clear_line(tmp_path: pathlib.Path, texts):
    with pytest.raises(UserError, match="no text to train on"):
        vocab_lib.train_vocab(texts, 400, tmp_path / "v.model", seed=0)


def test_load_refuses_what_is_no_vocabulary_of_ours(tmp_path: pathlib.Path):
    with pytest.raises(UserError, match="absent.model"):
        vocab_lib.Vocab.load(tmp_path / "absent.model")
    (tmp_path / "junk.model").write_bytes(b"junk")
    with pytest.raises(UserError, match="no SentencePiece model"):
        vocab_lib.Vocab.load(tmp_path / "junk.model")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_prefix=str(tmp_path / "plain"), vocab_size=80, minloglevel=2
    )
    with pytest.raises(UserError, match="lacks .*'<pad>'.*train_vocab"):
        vocab_lib.Vocab.load(tmp_path / "plain.model")
