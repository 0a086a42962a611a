"""Tokenizer files from GGUF metadata (`tokenizer.ggml.*`).

A byte-level BPE ("gpt2") becomes tokenizer.json, a SentencePiece BPE ("llama") tokenizer.model: GGUF keeps that one's
pieces, scores and types as they were. Beside it tokenizer_config.json and generation_config.json say which tokens
start and end a text. The ways to split text (`tokenizer.ggml.pre`) are those of llama.cpp's llama-vocab.cpp.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

from procsup_jax.errors import UserError

_CONTROL, _USER_DEFINED = 3, 4
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_DEFAULT = (r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", r"[0-9][0-9][0-9]")


def _byte_level(*before: pre_tokenizers.PreTokenizer, use_regex: bool) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence([*before, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)])


def _split(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Split(Regex(pattern), "isolated")


_SPLITS: Mapping[str, Callable[[], pre_tokenizers.PreTokenizer]] = {
    "gpt-2": lambda: _byte_level(use_regex=True),
    # Hugging Face's Digits also sets numbers apart that are no digits, such as the half in one character.
    "smollm": lambda: _byte_level(_split(r"\p{Nd}"), use_regex=True),
    "llama-bpe": lambda: _byte_level(_split(_LLAMA3), use_regex=False),
    "default": lambda: _byte_level(*map(_split, _DEFAULT), use_regex=False),
}


def tokenizer_files(metadata: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files by name; none for a file without a tokenizer.

    Raises UserError naming a kind of tokenizer or a way to split that we don't have.
    """
    values = {name: value for name, value in metadata.items() if name.startswith("tokenizer.")}
    values = {name.removeprefix("tokenizer.").removeprefix("ggml."): value for name, value in values.items()}
    kind, split = values.get("model", "no_vocab"), values.get("pre", "default")
    if kind == "no_vocab":
        return {}
    if kind == "gpt2" and split in _SPLITS:
        files = {"tokenizer.json": _byte_bpe(values, split)}
    elif kind == "llama":
        files = {"tokenizer.model": _sentencepiece(values)}
    else:
        raise UserError(
            f"tokenizer.ggml.model={kind!r} with tokenizer.ggml.pre={split!r} is not supported: expected 'llama', or "
            f"'gpt2' with one of {', '.join(_SPLITS)}"
        )
    files["tokenizer_config.json"] = _json(_config(values, kind))
    files["generation_config.json"] = _json(_generation(values))
    return files


def _byte_bpe(values: Mapping[str, Any], split: str) -> bytes:
    tokens: Sequence[str] = values["tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in values.get("merges", ())]
    vocab = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=split == "llama-bpe"))
    tokenizer.pre_tokenizer, tokenizer.decoder = _SPLITS[split](), decoders.ByteLevel()
    for token, kind in zip(tokens, values.get("token_type", ()), strict=False):
        if kind in (_CONTROL, _USER_DEFINED):
            tokenizer.add_tokens([AddedToken(token, normalized=False, special=kind == _CONTROL)])
    if _adds_bos(values):
        bos = _token(values, "bos")
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, values["bos_token_id"])]
        )
    return tokenizer.to_str(pretty=True).encode()


def _sentencepiece(values: Mapping[str, Any]) -> bytes:
    pb2: Any = sentencepiece_model_pb2
    proto = pb2.ModelProto()
    for piece, score, kind in zip(values["tokens"], values["scores"], values["token_type"], strict=True):
        proto.pieces.add(piece=piece, score=score, type=kind)
    trainer, normalizer = proto.trainer_spec, proto.normalizer_spec
    trainer.model_type, trainer.vocab_size, trainer.byte_fallback = trainer.BPE, len(proto.pieces), True
    for name in ("unk", "bos", "eos", "pad"):
        token_id = values.get(_ID_NAMES[name], -1)
        setattr(trainer, f"{name}_id", token_id)
        if token_id >= 0:
            setattr(trainer, f"{name}_piece", values["tokens"][token_id])
    normalizer.name = "identity"
    normalizer.add_dummy_prefix = values.get("add_space_prefix", True)
    normalizer.remove_extra_whitespaces = values.get("remove_extra_whitespaces", False)
    normalizer.escape_whitespaces = True
    return proto.SerializeToString(deterministic=True)


_ID_NAMES = {
    "bos": "bos_token_id", "eos": "eos_token_id", "eot": "eot_token_id", "eom": "eom_token_id",
    "unk": "unknown_token_id", "pad": "padding_token_id",
}  # fmt: skip


def _adds_bos(values: Mapping[str, Any]) -> bool:
    """Return whether a text starts with bos; where the file does not say, llama.cpp's rule."""
    absent = values["model"] == "llama" or values.get("pre") == "llama-bpe"
    return bool(values.get("add_bos_token", absent)) and "bos_token_id" in values


def _token(values: Mapping[str, Any], name: str) -> str | None:
    token_id = values.get(_ID_NAMES[name])
    if token_id is not None and not 0 <= token_id < len(values["tokens"]):
        raise UserError(f"tokenizer.ggml.{_ID_NAMES[name]}={token_id}: the file has {len(values['tokens'])} tokens")
    return None if token_id is None else values["tokens"][token_id]


def _config(values: Mapping[str, Any], kind: str) -> dict[str, Any]:
    config = {
        "tokenizer_class": "LlamaTokenizer" if kind == "llama" else "PreTrainedTokenizerFast",
        "add_bos_token": _adds_bos(values),
        "add_eos_token": bool(values.get("add_eos_token", False)),
        "clean_up_tokenization_spaces": False,
        **{f"{name}_token": _token(values, name) for name in ("bos", "eos", "unk", "pad")},
        "chat_template": values.get("chat_template"),
    }
    return {name: value for name, value in config.items() if value is not None}


def _generation(values: Mapping[str, Any]) -> dict[str, Any]:
    ends = [values[_ID_NAMES[name]] for name in ("eos", "eot", "eom") if _ID_NAMES[name] in values]
    ends = list(dict.fromkeys(ends))
    config = {
        "bos_token_id": values.get("bos_token_id"),
        "eos_token_id": ends[0] if len(ends) == 1 else ends or None,
        "pad_token_id": values.get("padding_token_id"),
    }
    return {name: value for name, value in config.items() if value is not None}


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
