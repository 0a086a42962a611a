"""Rows of a prompt and its completion, as other libraries' supervised fine-tuning reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from procsup_jax import files, json_lines
from procsup_jax.data import pack
from procsup_jax.text.encoding import Encoding


class Completion(NamedTuple):
    """Hold what stands before, and what is to be written."""

    prompt: str
    completion: str


def read_completions(path: files.PathLike) -> list[Completion]:
    """Read JSON lines with the keys `prompt` and `completion`, both text.

    Raises `UserError` "file:line: what is wrong, what was expected" at the first bad line.
    """

    def parse(line: Mapping[str, Any]) -> Completion:
        return Completion(*(json_lines.take(line, name, json_lines.TEXT) for name in Completion._fields))

    return json_lines.read(path, parse)


def is_completions(path: files.PathLike) -> bool:
    """Say whether a file's first line is such a row."""
    with files.explain_os_errors(path, "read"):
        return json_lines.first_has(path, Completion._fields)


def completion_examples(encoding: Encoding, rows: Iterable[Completion]) -> list[pack.Example]:
    """Make language-model examples with loss on the completions only; prompts are read as they are, in no layout."""
    return [pack.lm_example(encoding.text_ids(row.prompt), encoding.solution(row.completion).tokens) for row in rows]
