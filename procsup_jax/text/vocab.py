r"""The vocabulary: SentencePiece under a few guarantees that labels, the calculator and caches rest on.

- Every newline is `sep_id`, and each line is encoded by itself, so that what a step encodes to never depends on what
  stands around it: `encode(a + "\n" + b) == encode(a) + [sep_id] + encode(b)`.
- `decode(encode(text)) == text` for any string (byte fallback, no normalisation, no added or dropped blanks).
- Each of `SYMBOLS` is one token wherever it stands; a digit never merges with its neighbours, nor with a blank.
- The reserved ids never come out of text.
"""

from __future__ import annotations

import hashlib
import io
import pathlib
import random
import re
from collections.abc import Iterable, Sequence
from typing import Self

import sentencepiece

from procsup_jax import files
from procsup_jax.errors import UserError

PAD, UNK, BOS, EOS, SEP = "<pad>", "<unk>", "<bos>", "<eos>", "<sep>"
CORRECT, INCORRECT = "<correct>", "<incorrect>"
SYMBOLS = ("<<", ">>", "#### ", "=", "+", "-", "*", "/", "(", ")", ".", ",", *"0123456789")

_BLANK = "\u2581"  # SentencePiece writes a blank as this character
_RESERVED = (PAD, UNK, BOS, EOS, SEP, CORRECT, INCORRECT)
# SentencePiece would read these back as a blank, or not take them at all: they are spelled in byte tokens.
_BYTES_ONLY = re.compile(f"[{_BLANK}\ud800-\udfff]")
_MAX_TRAINING_LINES = 500_000
_MAX_LINE_BYTES = 1 << 20


class Vocab:
    """Map text to token ids and back; made by `Vocab.load` or `train_vocab`.

    `size` counts ids, `digest` names the model file's content. `pad_id`, `unk_id`, `bos_id`, `eos_id`, `sep_id` (the
    newline), `correct_id` and `incorrect_id` are reserved: of these only `sep_id` ever comes out of text.
    """

    def __init__(self, model: bytes, name: str = "vocabulary") -> None:
        self._model = model
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except (RuntimeError, TypeError) as error:
            raise UserError(f"{name}: is no SentencePiece model; pass a .model file that train_vocab wrote") from error
        self.size: int = self._processor.get_piece_size()
        ids = {self._processor.id_to_piece(i): i for i in range(self.size)}
        _require_pieces(ids, self._processor, name)
        self.pad_id, self.unk_id, self.bos_id, self.eos_id = (ids[piece] for piece in (PAD, UNK, BOS, EOS))
        self.sep_id, self.correct_id, self.incorrect_id = (ids[piece] for piece in (SEP, CORRECT, INCORRECT))
        self.digest: str = hashlib.sha256(model).hexdigest()[:12]
        self._byte_ids = [ids[_byte_piece(value)] for value in range(256)]
        self._token_bytes = [self._bytes_of(i) for i in range(self.size)]

    @classmethod
    def load(cls, path: str | pathlib.Path) -> Self:
        """Read a model file; raise `UserError` where it is missing or lacks our reserved pieces."""
        with files.explain_os_errors(path, "read"):
            model = pathlib.Path(path).read_bytes()
        return cls(model, str(path))

    def save(self, path: str | pathlib.Path) -> None:
        """Write the model file, whole or not at all."""
        files.write_bytes(path, self._model)

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`, without bos or eos."""
        lines = text.split("\n")
        ids = self._encode_line(lines[0])
        for line in lines[1:]:
            ids.append(self.sep_id)
            ids.extend(self._encode_line(line))
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids`; reserved ids but `sep_id` give nothing, broken UTF-8 the replacement character."""
        data = b"".join([self._token_bytes[i] for i in ids])
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")

    def token_bytes(self) -> list[bytes]:
        """Return the UTF-8 bytes each id stands for: a newline for `sep_id`, none for the other reserved ids."""
        return list(self._token_bytes)

    def _encode_line(self, line: str) -> list[int]:
        if _BYTES_ONLY.search(line) is None:
            return self._processor.encode(line)
        ids: list[int] = []
        start = 0
        for match in _BYTES_ONLY.finditer(line):
            ids.extend(self._processor.encode(line[start : match.start()]))
            ids.extend(self._byte_ids[value] for value in match.group().encode("utf-8", "surrogatepass"))
            start = match.end()
        ids.extend(self._processor.encode(line[start:]))
        return ids

    def _bytes_of(self, token: int) -> bytes:
        if token == self.sep_id:
            return b"\n"
        if self._processor.is_control(token) or self._processor.is_unknown(token):
            return b""
        piece = self._processor.id_to_piece(token)
        if self._processor.is_byte(token):
            return bytes([int(piece[3:-1], 16)])
        return piece.replace(_BLANK, " ").encode("utf-8")


def train_vocab(texts: Iterable[str], size: int, path: str | pathlib.Path, *, seed: int) -> Vocab:
    """Train a byte-pair vocabulary on `texts`, write it to `path` and return it.

    The same texts, size and seed give the same file. `size` counts every id, reserved ones, symbols and the 256 byte
    tokens included; where the texts hold fewer distinct pieces the real size is smaller. Of more than 500,000 lines a
    random subset chosen by `seed` is read. Raises `UserError` when there is no text, or `size` is too small for it.
    """
    lines = _training_lines(texts, seed)
    characters = set().union(*lines) - {symbol for symbol in SYMBOLS if len(symbol) == 1} | {" "}
    least = len(_RESERVED) + len(SYMBOLS) + 256 + len(characters)
    if not lines:
        raise UserError("vocabulary: there is no text to train on; pass at least one line that is not empty")
    if size < least:
        raise UserError(
            f"vocabulary: size {size} is too small for a text of {len(characters)} distinct characters; "
            f"expected at least {least} ({len(_RESERVED)} reserved, {len(SYMBOLS)} symbols, 256 bytes, characters)"
        )
    vocab = Vocab(_train(lines, size), str(path))
    vocab.save(path)
    return vocab


def _training_lines(texts: Iterable[str], seed: int) -> list[str]:
    lines = [_BYTES_ONLY.sub("", line) for text in texts for line in text.split("\n")]
    lines = [line for line in lines if line and len(line) * 4 < _MAX_LINE_BYTES]
    if len(lines) > _MAX_TRAINING_LINES:
        chosen = sorted(random.Random(seed).sample(range(len(lines)), _MAX_TRAINING_LINES))
        lines = [lines[i] for i in chosen]
    return lines


def _train(lines: Sequence[str], size: int) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",  # unlike unigram, it reads user-defined symbols greedily from the left in every context
        vocab_size=size,
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        pad_piece=PAD,
        unk_piece=UNK,
        bos_piece=BOS,
        eos_piece=EOS,
        control_symbols=[SEP, CORRECT, INCORRECT],
        user_defined_symbols=[symbol.replace(" ", _BLANK) for symbol in SYMBOLS],
        required_chars=_BLANK,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        character_coverage=1.0,
        max_sentence_length=_MAX_LINE_BYTES,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def _byte_piece(value: int) -> str:
    return f"<0x{value:02X}>"


def _require_pieces(ids: dict[str, int], processor: sentencepiece.SentencePieceProcessor, name: str) -> None:
    controls = [piece for piece in _RESERVED if piece not in ids]
    controls += [piece for piece in _RESERVED if piece in ids and piece != UNK and not processor.is_control(ids[piece])]
    missing = controls + [s for s in SYMBOLS if s.replace(" ", _BLANK) not in ids]
    missing += [piece for piece in map(_byte_piece, range(256)) if piece not in ids]
    if missing:
        shown = ", ".join(repr(piece) for piece in missing[:4])
        raise UserError(
            f"{name}: this SentencePiece model lacks {len(missing)} of the pieces we need (such as {shown}); "
            "use a model that train_vocab wrote"
        )
