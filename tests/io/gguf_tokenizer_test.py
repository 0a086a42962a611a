import io
import json

import pytest
import sentencepiece
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.errors import UserError
from procsup_jax.io.gguf_tokenizer import tokenizer_files


def tokenizer(metadata):
    return tokenizers.Tokenizer.from_str(tokenizer_files(metadata)["tokenizer.json"].decode())


def pieces(metadata, text):
    return tokenizer(metadata).encode(text, add_special_tokens=False).tokens


@pytest.mark.parametrize(
    ("pre", "expected"),
    [
        ("smollm", ["Ġthe", "Ġ", "1", "2", "5"]),
        ("gpt-2", ["Ġthe", "Ġ", "12", "5"]),
        ("llama-bpe", ["Ġthe", "Ġ", "12", "5"]),
        ("default", ["Ġthe", "Ġ", "12", "5"]),
    ],
)
def test_text_is_split_as_the_file_says(byte_bpe, pre, expected):
    assert pieces(byte_bpe | {"tokenizer.ggml.pre": pre}, " the 125") == expected


def test_only_digits_stand_alone_and_merges_hold_elsewhere(byte_bpe):
    assert pieces(byte_bpe, "the\n\nthe") == ["t", "he", "Ċ", "Ċ", "t", "he"]
    assert pieces(byte_bpe, "\n\n") == ["ĊĊ"]


@pytest.mark.parametrize("pre", ["smollm", "gpt-2", "llama-bpe", "default"])
def test_any_text_comes_back(byte_bpe, pre):
    made = tokenizer(byte_bpe | {"tokenizer.ggml.pre": pre})

    @given(st.text())
    def check(text):
        assert made.decode(made.encode(text, add_special_tokens=False).ids, skip_special_tokens=False) == text

    check()


def test_control_tokens_are_one_token_and_special(byte_bpe):
    made = tokenizer(byte_bpe)
    assert made.encode("<|user|>x<|end|>").ids[::2] == [1, 0]
    assert made.decode([1, 0]) == ""
    said = json.loads(tokenizer_files(byte_bpe)["tokenizer_config.json"])
    assert (said["bos_token"], said["eos_token"], said["add_bos_token"]) == ("<|user|>", "<|end|>", False)
    assert said["chat_template"] == "{{ messages }}"


def test_a_text_starts_with_bos_where_the_file_says_so_or_llama3_does(byte_bpe):
    added = byte_bpe | {"tokenizer.ggml.add_bos_token": True}
    assert tokenizer(added).encode("a").ids[0] == 1
    assert tokenizer(byte_bpe).encode("a").ids[0] != 1
    unsaid = {name: value for name, value in byte_bpe.items() if "add_bos" not in name}
    assert tokenizer(unsaid).encode("a").ids[0] != 1
    assert tokenizer(unsaid | {"tokenizer.ggml.pre": "llama-bpe"}).encode("a").ids[0] == 1


def test_every_id_that_ends_a_text_is_named(byte_bpe):
    one = json.loads(tokenizer_files(byte_bpe)["generation_config.json"])
    two = json.loads(tokenizer_files(byte_bpe | {"tokenizer.ggml.eot_token_id": 5})["generation_config.json"])
    assert (one["eos_token_id"], two["eos_token_id"]) == (0, [0, 5])


def test_a_sentencepiece_model_comes_back(tmp_path):
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the cat sat on the mat", "12 jars and 3 tins"] * 20), model_writer=trained,
        vocab_size=300, model_type="bpe", byte_fallback=True, minloglevel=2,
        normalization_rule_name="identity", remove_extra_whitespaces=False,
    )  # fmt: skip
    theirs = sentencepiece.SentencePieceProcessor(model_proto=trained.getvalue())
    size = range(theirs.get_piece_size())
    kinds = [2 if theirs.is_unknown(i) else 3 if theirs.is_control(i) else 6 if theirs.is_byte(i) else 1 for i in size]
    metadata = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [theirs.id_to_piece(i) for i in size],
        "tokenizer.ggml.scores": [theirs.get_score(i) for i in size],
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }
    files = tokenizer_files(metadata)
    ours = sentencepiece.SentencePieceProcessor(model_proto=files["tokenizer.model"])
    assert (ours.bos_id(), ours.eos_id(), ours.unk_id()) == (1, 2, 0)
    assert json.loads(files["tokenizer_config.json"])["add_bos_token"] is True

    @given(st.text(st.sampled_from("the cat sat12 \n½")))
    def check(text):
        assert ours.encode(text) == theirs.encode(text)

    check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tokenizer.ggml.pre": "qwen2"},
            "pre='qwen2' is not supported: expected 'llama', or 'gpt2' with one of gpt-2",
        ),
        ({"tokenizer.ggml.model": "bert"}, "tokenizer.ggml.model='bert'"),
        ({"tokenizer.ggml.eos_token_id": 999}, "eos_token_id=999: the file has"),
    ],
)
def test_what_we_have_not_is_refused_by_name(byte_bpe, changes, message):
    with pytest.raises(UserError, match=message):
        tokenizer_files(byte_bpe | changes)


def test_a_file_without_a_tokenizer_gives_none():
    assert tokenizer_files({"tokenizer.ggml.model": "no_vocab"}) == {} == tokenizer_files({})
