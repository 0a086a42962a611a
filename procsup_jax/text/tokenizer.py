"""Any tokenizer: the one that a run trains, a SentencePiece model, a Hugging Face tokenizer.json."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import Protocol

from procsup_jax.errors import UserError
from procsup_jax.files import PathLike
from procsup_jax.text.huggingface import HuggingFaceTokenizer
from procsup_jax.text.sentencepiece_model import SentencePieceTokenizer
from procsup_jax.text.tokenizer_files import read_bytes
from procsup_jax.text.vocab import Vocab

VOCAB, HUGGING_FACE, SENTENCEPIECE = "vocab.model", "tokenizer.json", "tokenizer.model"


class Tokenizer(Protocol):
    """Map text to ids and back.

    `kind` is "procsup", "sentencepiece" or "huggingface". `size` counts ids. `digest` is the first 12 hexadecimal
    digits of the SHA-256 of its file: tokenizers with the same one give the same ids. `bos_id` is what a document
    starts with, None where with nothing. `eos_ids` end a text; the first is the one to write. `pad_id` is `eos_ids[0]`
    where the tokenizer has no padding. `chat_template` is jinja2 source.
    `lossless` says that the bytes of `encode(text)` (without `start`) are those of `text`, whatever it is; otherwise a
    normaliser rewrites some texts (Unicode's NFC and NFKC are common), or what has no token is dropped (six control
    characters in SmolLM2).
    Safe to use from several threads.
    """

    kind: str
    size: int
    digest: str
    lossless: bool
    bos_id: int | None
    eos_ids: tuple[int, ...]
    pad_id: int
    chat_template: str | None

    def encode(self, text: str, *, special: bool = False, start: bool = False) -> list[int]:
        """Return the ids of `text`, without bos or eos.

        With `special` the name of a special token is that token, else it is plain text. With `start` the text begins
        a document: only there is a dummy prefix written.
        """
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids`; special ids give nothing, broken UTF-8 the replacement character."""
        ...

    def token_bytes(self) -> list[bytes]:
        """Return the UTF-8 bytes each id stands for, none for special ids."""
        ...

    def token_id(self, name: str) -> int | None:
        """Return the id of the piece that is spelled exactly `name`, None where there is none."""
        ...

    def save(self, folder: PathLike) -> tuple[str, ...]:
        """Write the tokenizer's files into a folder and return their names."""
        ...


def load_tokenizer(path: PathLike) -> Tokenizer:
    """Read the tokenizer of a model's folder, or a single vocab.model, tokenizer.json or tokenizer.model.

    Ours comes first where a folder has several, then tokenizer.json. Ends, bos, padding and the chat template are read
    from the files beside it. Raises UserError where there is none or a file is damaged.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        found = [path / name for name in (VOCAB, HUGGING_FACE, SENTENCEPIECE) if (path / name).is_file()]
        if not found:
            raise UserError(
                f"{path}: has no tokenizer; looked for {VOCAB}, {HUGGING_FACE} and {SENTENCEPIECE}; "
                "put one there or give another folder"
            )
        path = found[0]
    match path.suffix:
        case ".json":
            return HuggingFaceTokenizer.load(path)
        case ".model":
            return _load_model(path)
        case _ if path.exists():
            raise UserError(f"{path}: is no tokenizer; expected {VOCAB}, {HUGGING_FACE}, {SENTENCEPIECE} or a folder")
        case _:
            raise UserError(f"{path}: no such file or folder; expected a tokenizer or the folder of a model")


def _load_model(path: pathlib.Path) -> Tokenizer:
    content = read_bytes(path)
    if path.name == VOCAB or Vocab.reads(content):
        return Vocab(content, str(path))
    return SentencePieceTokenizer.load(path)
