"""ASDiv's published XML as rows with the keys of its JSON form."""

from __future__ import annotations

import os
import pathlib
from typing import NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

from procsup_jax import files
from procsup_jax.errors import UserError

_KEYS = {"Body": "body", "Question": "question", "Solution-Type": "solution_type", "Answer": "answer"}
_KEYS |= {"Formula": "formula"}


def read_rows(path: files.PathLike) -> list[dict[str, str]]:
    """Return each `Problem` of ASDiv.xml: its elements, and its attributes in lower case (`id`, `grade`, `source`).

    Raises `UserError` for what is no such XML, and for one that defines entities, which could make a small file large
    or read another.
    """
    with files.explain_os_errors(path, "read"):
        data = pathlib.Path(path).read_bytes()
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = lambda *_: _refuse(path, "it defines entities")
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the others for an encoding that Python lacks
        _refuse(path, str(error))
    problems = [_row(each) for each in builder.close().iter("Problem")]
    if not problems:
        _refuse(path, "it holds no Problem")
    return problems


def _row(problem: ElementTree.Element) -> dict[str, str]:
    row = {name.lower(): value for name, value in problem.items()}
    for each in problem:
        if each.tag in _KEYS:
            row[_KEYS[each.tag]] = " ".join("".join(each.itertext()).split())
    return row


def _refuse(path: files.PathLike, reason: str) -> NoReturn:
    raise UserError(f"{os.fspath(path)} is no ASDiv.xml ({reason}); expected the file as published, or JSON lines")
