"""What every tokenizer does alike: text is cut where its model may not read it, ids become bytes and bytes text."""

from __future__ import annotations

import abc
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from procsup_jax import files

UTF8 = frozenset(range(0xF5)) - {0xC0, 0xC1}  # the bytes that text is made of
BLANK = "\u2581"  # SentencePiece and its kin write a blank as this character
SURROGATES = "\ud800-\udfff"


class PieceTokenizer(abc.ABC):
    """Map text to ids and back by a model that reads plain text; `Tokenizer` says what the attributes mean.

    A subclass sets the attributes and reads a stretch of text that holds nothing that `_cuts` matches.
    """

    kind: str
    size: int
    digest: str
    lossless: bool
    bos_id: int | None
    eos_ids: tuple[int, ...]
    pad_id: int
    chat_template: str | None

    _ids: Mapping[str, int]  # of every piece
    _token_bytes: Sequence[bytes]
    _byte_ids: Mapping[int, int]  # of the bytes that are tokens
    _cuts: re.Pattern[str]  # what is spelled in byte tokens; an empty match only parts what stands around it
    _specials: re.Pattern[str] | None  # the names of special tokens
    _prefix_after_special: bool = False  # a text that is read in stretches between special tokens starts with each

    @abc.abstractmethod
    def _encode_stretch(self, text: str, start: bool) -> list[int]:
        """Return the ids of plain text, which begins a document where `start` says so."""

    @abc.abstractmethod
    def save(self, folder: files.PathLike) -> tuple[str, ...]:
        """Write the tokenizer's files into a folder and return their names."""

    def encode(self, text: str, *, special: bool = False, start: bool = False) -> list[int]:
        """Return the ids of `text`, without bos or eos.

        With `special` the name of a special token is that token, else it is plain text. With `start` the text begins
        a document: only there is a dummy prefix written (behind each special token too, where Hugging Face does so).
        """
        if not special or self._specials is None:
            return self._encode_plain(text, start)
        ids: list[int] = []
        for piece in cut(text, self._specials):
            if isinstance(piece, str):
                ids.extend(self._encode_plain(piece, start and (self._prefix_after_special or not ids)))
            else:
                name = piece.group()
                ids.append(self._ids[name] if name in self._ids else self._ids[name.strip()])
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of `ids`; special ids give nothing, broken UTF-8 the replacement character."""
        return decode_bytes(b"".join([self._token_bytes[i] for i in ids]))

    def token_bytes(self) -> list[bytes]:
        """Return the UTF-8 bytes each id stands for, none for special ids."""
        return list(self._token_bytes)

    def token_id(self, name: str) -> int | None:
        """Return the id of the piece that is spelled exactly `name`, None where there is none."""
        return self._ids.get(name)

    def _encode_plain(self, text: str, start: bool) -> list[int]:
        ids: list[int] = []
        for place, piece in enumerate(cut(text, self._cuts)):
            if isinstance(piece, str):
                ids.extend(self._encode_stretch(piece, start and place == 0))
            else:
                ids.extend(self._spell(piece.group()))
        return ids

    def _spell(self, text: str) -> list[int]:
        data = text.encode("utf-8", "surrogatepass")
        if not self._byte_ids.keys() >= set(data):
            return self._encode_stretch("\ufffd" * len(text), False)
        return [self._byte_ids[value] for value in data]


def decode_bytes(data: bytes) -> str:
    """Return the text of tokens' bytes, broken UTF-8 as the replacement character."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def cut(text: str, pattern: re.Pattern[str]) -> Iterator[str | re.Match[str]]:
    """Yield the pattern's matches and the text between them that is not empty."""
    place = 0
    for match in pattern.finditer(text):
        if place < match.start():
            yield text[place : match.start()]
        yield match
        place = match.end()
    if place < len(text):
        yield text[place:]


def any_of(names: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern of the longest name that stands at a place, None without names."""
    ordered = sorted(set(names), key=lambda name: (-len(name), name))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


def byte_piece(value: int) -> str:
    """Return the name of a byte's token in vocabularies with byte fallback."""
    return f"<0x{value:02X}>"
