"""Tokenizers that only the conformance suite reads, beside the shared ones of tokenizer_fixtures."""

import io
import json
import pathlib

import pytest
import sentencepiece
import tokenizers
from tokenizer_fixtures import CHATML, word_problems
from tokenizers import models, pre_tokenizers, trainers

BLANKS = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
BYTES = [f"<0x{value:02X}>" for value in range(256)]


def write(folder: pathlib.Path, spec: dict, **config) -> pathlib.Path:
    """Write a Llama-like tokenizer.json and its configuration."""
    (folder / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    config = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": CHATML} | config
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def special(i: int, content: str, **changes) -> dict:
    """Return an added token as tokenizer.json holds it."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": i, "content": content} | flags | changes


@pytest.fixture(scope="session")
def llama_spec() -> dict:
    """Return Llama 2's kind of tokenizer.json: BPE, byte fallback, the blank in front by a normaliser, bos."""
    made = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    names = ["<unk>", "<s>", "</s>", *BYTES]
    trainer = trainers.BpeTrainer(vocab_size=460, special_tokens=names, show_progress=False)
    made.train_from_iterator(word_problems(), trainer)
    spec = json.loads(made.to_str())
    start = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    spec["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [start, text],
        "pair": [start, text, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
    }
    spec["pre_tokenizer"] = None
    spec["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, BLANKS]}
    spec["added_tokens"] = [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")]
    return spec


@pytest.fixture(scope="session")
def prepend_folder(llama_spec, tmp_path_factory) -> pathlib.Path:
    """Return Llama 2's kind of tokenizer as it first came."""
    return write(tmp_path_factory.mktemp("prepend"), llama_spec, add_bos_token=True)


@pytest.fixture(scope="session")
def metaspace_folder(llama_spec, tmp_path_factory) -> pathlib.Path:
    """Return Llama 2's kind of tokenizer as transformers writes it now."""
    first = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False}
    return write(tmp_path_factory.mktemp("metaspace"), llama_spec | {"normalizer": None, "pre_tokenizer": first})


@pytest.fixture(scope="session")
def gemma_folder(llama_spec, tmp_path_factory) -> pathlib.Path:
    """Return Gemma's kind: no blank in front, named turns, runs of blanks and newlines as tokens."""
    size = len(llama_spec["model"]["vocab"])
    names = ["<start_of_turn>", "<end_of_turn>", "<|im_end|>"]
    added = [special(size + n, name, special=n < 2) for n, name in enumerate(names)]
    added += [special(size + 3 + n, run, special=False) for n, run in enumerate(("\n\n", "\u2581\u2581", "  "))]
    split = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    spec = llama_spec | {"normalizer": BLANKS, "pre_tokenizer": split}
    spec["added_tokens"] = [*llama_spec["added_tokens"], *added]
    folder = write(tmp_path_factory.mktemp("gemma"), spec)
    (folder / "config.json").write_text(json.dumps({"eos_token_id": [2, size + 1]}), encoding="utf-8")
    return folder


def unigram(normalizer: str) -> bytes:
    """Return a unigram SentencePiece model with byte fallback and a user-defined symbol."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in word_problems() for line in text.split("\n") if line),
        model_writer=model,
        model_type="unigram",
        vocab_size=420,
        hard_vocab_limit=False,
        byte_fallback=True,
        pad_id=3,
        user_defined_symbols=["<sum>"],
        control_symbols=["<mark>"],
        normalization_rule_name=normalizer,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


@pytest.fixture(scope="session")
def unigram_model_folder(tmp_path_factory) -> pathlib.Path:
    """Return a unigram tokenizer.model that drops blanks by training, and nothing beside it."""
    folder = tmp_path_factory.mktemp("unigram_model")
    (folder / "tokenizer.model").write_bytes(unigram("identity"))
    return folder


@pytest.fixture(scope="session")
def nfkc_folder(tmp_path_factory) -> pathlib.Path:
    """Return a tokenizer.model with SentencePiece's own normaliser."""
    folder = tmp_path_factory.mktemp("nfkc")
    (folder / "tokenizer.model").write_bytes(unigram("nmt_nfkc"))
    return folder


@pytest.fixture(scope="session")
def unigram_folder(tmp_path_factory) -> pathlib.Path:
    """Return a unigram tokenizer.json with byte fallback, its control symbols among the pieces."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=unigram("identity"))
    pieces = [[processor.id_to_piece(i), processor.get_score(i)] for i in range(processor.get_piece_size())]
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    spec = {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 16, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": [special(i, processor.id_to_piece(i)) for i in (0, 1, 2, 3)],
        "normalizer": None,
        "pre_tokenizer": metaspace,
        "post_processor": None,
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": True},
    }
    return write(tmp_path_factory.mktemp("unigram"), spec, pad_token="<pad>", add_bos_token=False)
