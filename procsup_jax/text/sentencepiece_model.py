"""Any SentencePiece model, unigram or BPE."""

from __future__ import annotations

import hashlib
import pathlib
import re
from collections.abc import Mapping
from typing import Self

import sentencepiece

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.text.pieces import BLANK, SURROGATES, UTF8, PieceTokenizer, any_of, byte_piece
from procsup_jax.text.tokenizer_files import Beside, read_beside, read_bytes

FILE = "tokenizer.model"

# A protobuf message may be followed by fields that overrule its own: normalizer_spec (3) here, in it add_dummy_prefix
# (3) and remove_extra_whitespaces (4).
_KEEP_BLANKS = b"\x1a\x02\x20\x00"
_NO_PREFIX = b"\x1a\x04\x18\x00\x20\x00"
# What the usual normalisers change.
_CHANGED = "A \ufb01\u00bd\u00c5A\u030a\u00a0\u3000\t\n\r\x00\x0b\u200b\ufeff\uff03  B "


class SentencePieceTokenizer(PieceTokenizer):
    """Read any SentencePiece model.

    Blanks are kept as they stand whatever the model was trained with; its dummy prefix is written where a document
    starts. Normalisers other than the identity (nmt_nfkc, the default of SentencePiece) are applied: `lossless` is
    False then, as it is without byte fallback. Control symbols are special, user-defined ones are ordinary text.
    """

    kind = "sentencepiece"
    _prefix_after_special = True

    def __init__(self, model: bytes, beside: Beside, name: str = FILE) -> None:
        self._model, self._beside = model, beside
        refusal = f"{name}: is no SentencePiece model; download it again"
        self._processor, self._ids = processor, _ = read_pieces(model + _NO_PREFIX, refusal)
        self._starting, _ = read_pieces(model + _KEEP_BLANKS, refusal)
        self.size = processor.get_piece_size()
        self.digest = hashlib.sha256(model).hexdigest()[:12]
        beside.check_added(self.token_id, self.size, FILE)
        self._byte_ids = byte_ids(processor, self._ids)
        self._token_bytes = [piece_bytes(processor, i) for i in range(self.size)]
        self._cuts = re.compile(f"[{BLANK if self._byte_ids else ''}{SURROGATES}]")
        self._specials = any_of(piece for piece, i in self._ids.items() if processor.is_control(i))
        plain = processor.normalize(_CHANGED) == _CHANGED.replace(" ", BLANK)
        self.lossless = plain and self._byte_ids.keys() >= UTF8
        bos, eos, pad = (i if i >= 0 else None for i in (processor.bos_id(), processor.eos_id(), processor.pad_id()))
        named = None if beside.add_bos is False else beside.named("bos_token", beside.bos, self.token_id)
        self.bos_id = None if beside.add_bos is False else bos if named is None else named
        self.eos_ids = beside.ends(self.token_id, self.size, eos)
        named = beside.named("pad_token", beside.pad, self.token_id)
        self.pad_id = named if named is not None else pad if pad is not None else self.eos_ids[0]
        self.chat_template = beside.chat_template

    @classmethod
    def load(cls, path: files.PathLike) -> Self:
        """Read a model file and what stands beside it; raise UserError where one is missing or damaged."""
        path = pathlib.Path(path)
        return cls(read_bytes(path), read_beside(path.parent), str(path))

    def save(self, folder: files.PathLike) -> tuple[str, ...]:
        """Write tokenizer.model and what stood beside it, as read, into a folder and return their names."""
        files.write_bytes(pathlib.Path(folder) / FILE, self._model)
        return FILE, *self._beside.save(folder)

    def _encode_stretch(self, text: str, start: bool) -> list[int]:
        return (self._starting if start else self._processor).encode(text)


def read_pieces(model: bytes, refusal: str) -> tuple[sentencepiece.SentencePieceProcessor, dict[str, int]]:
    """Return what a model file says, and the id of each piece; raise UserError with the `refusal` where it is none."""
    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        return processor, {processor.id_to_piece(i): i for i in range(processor.get_piece_size())}
    except (RuntimeError, TypeError, ValueError) as error:  # the last where a piece is no UTF-8
        raise UserError(refusal) from error


def byte_ids(processor: sentencepiece.SentencePieceProcessor, ids: Mapping[str, int]) -> dict[int, int]:
    """Return the ids of the byte tokens, none where there is no byte fallback."""
    found = {value: ids[byte_piece(value)] for value in range(256) if byte_piece(value) in ids}
    return {value: i for value, i in found.items() if processor.is_byte(i)}


def piece_bytes(processor: sentencepiece.SentencePieceProcessor, token: int) -> bytes:
    """Return the UTF-8 bytes that an id stands for."""
    if processor.is_control(token) or processor.is_unknown(token):
        return b""
    piece = processor.id_to_piece(token)
    return bytes([int(piece[3:-1], 16)]) if processor.is_byte(token) else piece.replace(BLANK, " ").encode("utf-8")
