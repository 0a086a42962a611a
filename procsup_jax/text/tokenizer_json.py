"""What a Hugging Face tokenizer.json says, as pure functions of the parsed file.

Two families of models write text in reversible pieces: byte-level BPE (a piece is written in 256 characters, one for
each byte) and SentencePiece's kin ("▁" for a blank, tokens such as <0x0A> for the bytes of what has no piece).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

from procsup_jax import json_lines
from procsup_jax.errors import UserError
from procsup_jax.text.pieces import BLANK, byte_piece

Spec = Mapping[str, Any]

_PARTS = ("normalizers", "pretokenizers", "decoders", "processors")  # what a sequence's parts are called
_ONLY_SPLIT = {"ByteLevel", "Digits", "Metaspace", "UnicodeScripts", "FixedLength", "Split", "Punctuation"}
_BYTE_PIECE = re.compile("<0x[0-9A-F]{2}>")
_CONTROL = re.compile(r"<[|\uff5c].+[|\uff5c]>", re.DOTALL)


def parse(content: bytes, path: str) -> Spec:
    """Return the file's content; raise UserError where it is damaged or of no kind that we read."""
    try:
        spec = _known(json_lines.loads(content, finite=False), path)
        _check_ids(piece_ids(spec))
        _check_parts(spec)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise UserError(f"{path}: is no tokenizer.json of the tokenizers library; download it again") from error
    return spec


def _check_parts(spec: Spec) -> None:
    """Raise TypeError for a part whose type is no name."""
    for key in ("normalizer", "pre_tokenizer", "decoder", "post_processor"):
        for part in parts(spec, key):
            if not isinstance(part["type"], str):
                raise TypeError(f"{key}: {part['type']!r} is no type")


def _check_ids(ids: Mapping[str, int]) -> None:
    """Raise ValueError for ids that are none, and for gaps that no tokenizer has: a table has a place for each id."""
    if not ids or not all(isinstance(name, str) and type(i) is int and i >= 0 for name, i in ids.items()):
        raise ValueError("an id or a piece is none")
    if max(ids.values()) > 2 * len(ids) + 65_536:
        raise ValueError(f"id {max(ids.values())} of {len(ids)} pieces")


def _known(spec: Spec, path: str) -> Spec:
    """Return the file's content with what old versions left out."""
    model = spec["model"]
    listed = isinstance(model["vocab"], list)
    kind = model.get("type") or ("Unigram" if listed else "BPE" if "merges" in model else "WordPiece")
    spec = {**spec, "model": {**model, "type": kind}, "added_tokens": spec.get("added_tokens") or []}
    if kind not in ("BPE", "Unigram"):
        raise UserError(f"{path}: is a {kind} tokenizer, which loses blanks; expected BPE or Unigram")
    if any(model.get(key) for key in ("continuing_subword_prefix", "end_of_word_suffix")):
        raise UserError(f"{path}: marks the ends of words, which loses blanks; expected byte-level BPE or Metaspace")
    if not is_byte_level(spec) and not _has_blanks(spec):
        raise UserError(f'{path}: neither byte-level nor with "{BLANK}" for a blank; expected one of the two')
    return spec


def is_byte_level(spec: Spec) -> bool:
    """Return whether pieces are written in one character for each byte."""
    keys = ("normalizer", "pre_tokenizer", "decoder")
    return any(part["type"] == "ByteLevel" for key in keys for part in parts(spec, key))


def parts(spec: Spec, key: str) -> Iterator[Spec]:
    """Yield the normalisers, pre-tokenizers or decoders, sequences taken apart."""
    yield from _flat(spec.get(key))


def piece_ids(spec: Spec) -> dict[str, int]:
    """Return the id of each piece, added tokens included."""
    vocab = spec["model"]["vocab"]
    ids = {piece: i for i, (piece, _) in enumerate(vocab)} if isinstance(vocab, list) else dict(vocab)
    return ids | {token["content"]: token["id"] for token in spec["added_tokens"]}


def special_names(spec: Spec) -> set[str]:
    """Return the added tokens that are special: marked so, or named like <|this|> (which is often not marked)."""
    return {t["content"] for t in spec["added_tokens"] if t.get("special") or _CONTROL.fullmatch(t["content"])}


def plain(spec: Spec, special: Set[str]) -> Spec:
    """Return the tokenizer that cuts nothing off, always reads alike and marks exactly the special tokens.

    They stay among the added tokens: the library would number the others anew.
    """
    added = [{**token, "special": token["content"] in special} for token in spec["added_tokens"]]
    return {
        **spec,
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "model": {**spec["model"], "dropout": None},
    }


def without_prefix(spec: Spec) -> Spec:
    """Return the tokenizer that puts no blank in front of a text."""

    def change(part: Spec) -> Spec | None:
        match part["type"]:
            case "Prepend":
                return None
            case "Metaspace":
                return {**{k: v for k, v in part.items() if k != "add_prefix_space"}, "prepend_scheme": "never"}
            case "ByteLevel" if part.get("add_prefix_space"):
                return {**part, "add_prefix_space": False}
            case _:
                return part

    return {**spec, **{key: _mapped(spec.get(key), change) for key in ("normalizer", "pre_tokenizer")}}


def prefixes_each_stretch(spec: Spec) -> bool:
    """Return whether a text's blank in front comes behind each special token too."""
    return all(part.get("prepend_scheme") != "first" for part in parts(spec, "pre_tokenizer"))


def is_lossless(spec: Spec, special: Set[str]) -> bool:
    """Return whether the tokens of a text spell it where all its bytes are tokens: only blanks are rewritten."""
    byte_level = is_byte_level(spec)
    kept = byte_level or bool(spec["model"].get("byte_fallback"))
    kept &= all(
        part["type"] in ("ByteLevel", "Prepend") or (_writes_blanks(part) and not byte_level)
        for part in parts(spec, "normalizer")
    )
    kept &= all(
        part["type"] in _ONLY_SPLIT and str(part.get("behavior")).lower() != "removed"
        for part in parts(spec, "pre_tokenizer")
    )
    ordinary = [token for token in spec["added_tokens"] if token["content"] not in special]
    return kept and not any(token.get("lstrip") or token.get("rstrip") for token in ordinary)


def reads_byte_pieces(spec: Spec) -> bool:
    """Return whether the model reads the plain text <0x41> as the token of that byte: it looks up whole words."""
    model = spec["model"]
    return not is_byte_level(spec) and (model["type"] == "Unigram" or bool(model.get("ignore_merges")))


def piece_bytes(spec: Spec) -> Callable[[str], bytes]:
    """Return the function from a piece to its UTF-8 bytes."""
    if not is_byte_level(spec):
        return _spaced_bytes
    added = {token["content"] for token in spec["added_tokens"]}
    bytes_of = {character: value for value, character in enumerate(byte_characters())}

    def convert(piece: str) -> bytes:
        if piece in added or not all(character in bytes_of for character in piece):
            return piece.encode("utf-8")
        return bytes(bytes_of[character] for character in piece)

    return convert


def byte_names(spec: Spec) -> list[str]:
    """Return the pieces of the 256 bytes."""
    return byte_characters() if is_byte_level(spec) else [byte_piece(value) for value in range(256)]


def byte_characters() -> list[str]:
    """Return the character that GPT-2's byte-level BPE writes each of the 256 bytes as.

    Printable bytes of Latin-1 are themselves, the others stand in a row from U+0100 on.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (value for value in range(256) if value not in printable)
    written = {value: 0x100 + place for place, value in enumerate(others)}
    return [chr(written.get(value, value)) for value in range(256)]


def _spaced_bytes(piece: str) -> bytes:
    if _BYTE_PIECE.fullmatch(piece):
        return bytes([int(piece[3:-1], 16)])
    return piece.replace(BLANK, " ").encode("utf-8")


def _has_blanks(spec: Spec) -> bool:
    return any(_writes_blanks(part) for key in ("normalizer", "pre_tokenizer") for part in parts(spec, key))


def _writes_blanks(part: Spec) -> bool:
    if part["type"] == "Metaspace":
        return part.get("replacement") == BLANK
    return part["type"] == "Replace" and part["content"] == BLANK and " " in part["pattern"].values()


def _flat(part: Spec | None) -> Iterator[Spec]:
    if part is None:
        return
    if part["type"] != "Sequence":
        yield part
        return
    for each in next((part[key] for key in _PARTS if key in part), ()):
        yield from _flat(each)


def _mapped(part: Spec | None, change: Callable[[Spec], Spec | None]) -> Spec | None:
    kept = [new for each in _flat(part) if (new := change(each)) is not None]
    if part is None or not kept:
        return None
    if part["type"] != "Sequence":
        return kept[0]
    return {"type": "Sequence", next(key for key in _PARTS if key in part): kept}
