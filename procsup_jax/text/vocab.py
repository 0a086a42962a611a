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
from procsup_jax.text.pieces import BLANK, SURROGATES, PieceTokenizer, any_of, byte_piece
from procsup_jax.text.sentencepiece_model import byte_ids, piece_bytes, read_pieces
from procsup_jax.text.tokenizer_files import read_bytes

PAD, UNK, BOS, EOS, SEP = "<pad>", "<unk>", "<bos>", "<eos>", "<sep>"
CORRECT, INCORRECT = "<correct>", "<incorrect>"
FILE = "vocab.model"
SYMBOLS = ("<<", ">>", "#### ", "=", "+", "-", "*", "/", "(", ")", ".", ",", *"0123456789")

_RESERVED = (PAD, UNK, BOS, EOS, SEP, CORRECT, INCORRECT)
# SentencePiece would read these back as a blank, or not take them at all: they are spelled in byte tokens.
_BYTES_ONLY = re.compile(f"[{BLANK}{SURROGATES}]")
_MAX_TRAINING_LINES = 500_000
_MAX_LINE_BYTES = 1 << 20


class Vocab(PieceTokenizer):
    """Map text to token ids and back; made by `Vocab.load` or `train_vocab`.

    A `Tokenizer` whose `pad_id`, `unk_id`, `eos_id`, `sep_id` (the newline), `correct_id` and `incorrect_id` are
    reserved: of these only `sep_id` ever comes out of text.
    """

    kind = "procsup"
    lossless = True
    bos_id: int | None = None
    chat_template: str | None = None

    def __init__(self, model: bytes, name: str = "vocabulary") -> None:
        self._model = model
        refusal = f"{name}: is no SentencePiece model; pass a .model file that train_vocab wrote"
        self._processor, self._ids = _, ids = read_pieces(model, refusal)
        self.size = self._processor.get_piece_size()
        _require_pieces(ids, self._processor, name)
        self.pad_id, self.unk_id, self.eos_id = (ids[piece] for piece in (PAD, UNK, EOS))
        self.sep_id, self.correct_id, self.incorrect_id = (ids[piece] for piece in (SEP, CORRECT, INCORRECT))
        self.eos_ids = (self.eos_id,)
        self.digest = hashlib.sha256(model).hexdigest()[:12]
        self._byte_ids = byte_ids(self._processor, ids)
        self._token_bytes = [b"\n" if i == self.sep_id else piece_bytes(self._processor, i) for i in range(self.size)]
        self._cuts = re.compile(f"[\n{BLANK}{SURROGATES}]")
        self._specials = any_of(_RESERVED)

    @classmethod
    def load(cls, path: files.PathLike) -> Self:
        """Read a model file; raise `UserError` where it is missing or lacks our reserved pieces."""
        return cls(read_bytes(pathlib.Path(path)), str(path))

    @staticmethod
    def reads(model: bytes) -> bool:
        """Return whether a model file's content is a vocabulary of ours."""
        try:
            Vocab(model)
        except UserError:
            return False
        return True

    def save(self, folder: files.PathLike) -> tuple[str, ...]:
        """Write vocab.model, whole or not at all, into a folder and return its name."""
        files.write_bytes(pathlib.Path(folder) / FILE, self._model)
        return (FILE,)

    def _encode_stretch(self, text: str, start: bool) -> list[int]:
        return self._processor.encode(text)

    def _spell(self, text: str) -> list[int]:
        return [self.sep_id] if text == "\n" else super()._spell(text)


def train_vocab(texts: Iterable[str], size: int, path: files.PathLike, *, seed: int) -> Vocab:
    """Train a byte-pair vocabulary as `make_vocab` does, write it to `path` and return it."""
    vocab = make_vocab(texts, size, seed=seed, name=str(path))
    files.write_bytes(path, vocab._model)
    return vocab


def make_vocab(texts: Iterable[str], size: int, *, seed: int, name: str = FILE) -> Vocab:
    """Train a byte-pair vocabulary on `texts`; messages call it `name`.

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
    return Vocab(_train(lines, size), name)


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
        user_defined_symbols=[symbol.replace(" ", BLANK) for symbol in SYMBOLS],
        required_chars=BLANK,
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


def _require_pieces(ids: dict[str, int], processor: sentencepiece.SentencePieceProcessor, name: str) -> None:
    controls = [piece for piece in _RESERVED if piece not in ids]
    controls += [piece for piece in _RESERVED if piece in ids and piece != UNK and not processor.is_control(ids[piece])]
    missing = controls + [s for s in SYMBOLS if s.replace(" ", BLANK) not in ids]
    missing += [piece for piece in map(byte_piece, range(256)) if piece not in ids]
    if missing:
        shown = ", ".join(repr(piece) for piece in missing[:4])
        raise UserError(
            f"{name}: this SentencePiece model lacks {len(missing)} of the pieces we need (such as {shown}); "
            "use a model that train_vocab wrote"
        )
