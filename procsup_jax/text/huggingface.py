"""Any Hugging Face tokenizer.json of byte-level BPE or of SentencePiece's kin, read by the tokenizers library."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterable
from typing import Self

# A process that forked after a parallel call would warn on its standard error; texts are encoded one by one here.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import tokenizers

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.text import tokenizer_json
from procsup_jax.text.pieces import BLANK, SURROGATES, UTF8, PieceTokenizer, cut
from procsup_jax.text.tokenizer_files import Beside, read_beside, read_bytes

FILE = "tokenizer.json"


class HuggingFaceTokenizer(PieceTokenizer):
    """Read any tokenizer.json of byte-level BPE, or of BPE or Unigram with "▁" for a blank.

    Special are the added tokens marked so, those that the files beside name (bos, eos, padding, additional ones) and
    those named like <|this|>; other added tokens (runs of blanks, <think>) are ordinary text, always read and with
    bytes. `lossless` is False with Unicode normalisers (Qwen's NFC) and where text may hold unknown characters.
    """

    kind = "huggingface"

    def __init__(self, content: bytes, beside: Beside, name: str = FILE) -> None:
        self._content, self._beside = content, beside
        spec = tokenizer_json.parse(content, name)
        self.digest = hashlib.sha256(content).hexdigest()[:12]
        self._ids = ids = tokenizer_json.piece_ids(spec)
        self.size = max(ids.values()) + 1
        beside.check_added(self.token_id, self.size, FILE)
        self.eos_ids = beside.ends(self.token_id, self.size)
        pad = beside.named("pad_token", beside.pad, self.token_id)
        self.pad_id = self.eos_ids[0] if pad is None else pad
        special = self._special(spec)
        self._specials = self._special_pattern(spec, special)
        self._byte_ids = {value: ids[name] for value, name in enumerate(tokenizer_json.byte_names(spec)) if name in ids}
        convert = tokenizer_json.piece_bytes(spec)
        self._token_bytes = [b""] * self.size
        for piece, i in ids.items():
            self._token_bytes[i] = b"" if piece in special else convert(piece)
        self.lossless = tokenizer_json.is_lossless(spec, special) and self._byte_ids.keys() >= UTF8
        spaced = bool(self._byte_ids) and not tokenizer_json.is_byte_level(spec)
        parted = "|(?<=<)(?=0x[0-9A-F]{2}>)" if tokenizer_json.reads_byte_pieces(spec) else ""
        self._cuts = re.compile(f"[{BLANK if spaced else ''}{SURROGATES}]{parted}")
        self._never = {ids[name] for name in special} - {ids.get(spec["model"].get("unk_token"))}
        self._inside = re.compile("|".join(f"(?<={re.escape(n[0])})(?={re.escape(n[1:])})" for n in sorted(special)))
        reading = tokenizer_json.plain(spec, special)
        bare = tokenizer_json.without_prefix(reading)
        self._tokenizer = self._starting = _build(bare, name)
        if bare != reading:
            self._starting = _build(reading, name)
        self._prefix_after_special = tokenizer_json.prefixes_each_stretch(spec)
        self.bos_id = self._find_bos()
        self.chat_template = beside.chat_template

    @classmethod
    def load(cls, path: files.PathLike) -> Self:
        """Read a tokenizer.json and what stands beside it; raise UserError where one is missing or damaged."""
        path = pathlib.Path(path)
        return cls(read_bytes(path), read_beside(path.parent), str(path))

    def save(self, folder: files.PathLike) -> tuple[str, ...]:
        """Write tokenizer.json and what stood beside it, as read, into a folder and return their names."""
        files.write_bytes(pathlib.Path(folder) / FILE, self._content)
        return FILE, *self._beside.save(folder)

    def _encode_stretch(self, text: str, start: bool) -> list[int]:
        ids = self._read(text, start)
        if self._never.isdisjoint(ids):
            return ids
        # The model has the name of a special token among its pieces, and read it: part the name.
        parts = [part for part in cut(text, self._inside) if isinstance(part, str)]
        return [i for place, part in enumerate(parts) for i in self._read(part, start and place == 0)]

    def _read(self, text: str, start: bool) -> list[int]:
        return (self._starting if start else self._tokenizer).encode(text, add_special_tokens=False).ids

    def _special(self, spec: tokenizer_json.Spec) -> set[str]:
        names = {name for name in (*self._beside.specials, spec["model"].get("unk_token")) if name in self._ids}
        ends = {*self.eos_ids, self.pad_id}
        return names | tokenizer_json.special_names(spec) | {piece for piece, i in self._ids.items() if i in ends}

    def _find_bos(self) -> int | None:
        """Return what the post-processor puts in front of a text, unless the files beside say yes or no."""
        if self._beside.add_bos is not None:
            bos = self._beside.bos if self._beside.add_bos else None
            return self._beside.named("bos_token", bos, self.token_id)
        bare, whole = (self._tokenizer.encode("a", add_special_tokens=special).ids for special in (False, True))
        starts = len(whole) > len(bare) and whole[1 : 1 + len(bare)] == bare
        return whole[0] if starts else None

    @staticmethod
    def _special_pattern(spec: tokenizer_json.Spec, special: Iterable[str]) -> re.Pattern[str] | None:
        """Return a pattern of the special tokens, with the blanks that some of them take in."""
        added = {token["content"]: token for token in spec["added_tokens"]}
        patterns = []
        for name in sorted(special, key=lambda name: (-len(name), name)):
            token = added.get(name, {})
            edge = r"\b" if token.get("single_word") else ""
            left, right = (r"\s*" if token.get(side) else "" for side in ("lstrip", "rstrip"))
            patterns.append(f"{left}{edge}{re.escape(name)}{edge}{right}")
        return re.compile("|".join(patterns)) if patterns else None


def _build(spec: tokenizer_json.Spec, name: str) -> tokenizers.Tokenizer:
    try:
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(spec))
    except Exception as error:  # the library raises nothing more precise
        raise UserError(f"{name}: the tokenizers library cannot read it ({error}); download it again") from error
    tokenizer.encode_special_tokens = True  # as the text that they are
    for token in spec["added_tokens"]:
        if (found := tokenizer.token_to_id(token["content"])) != token["id"]:
            raise UserError(
                f"{name}: the added token {token['content']!r} has id {token['id']}, but the tokenizers library reads "
                f"{found}; expected ids that follow the model's own without gaps"
            )
    return tokenizer
