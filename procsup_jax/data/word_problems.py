"""Other sets of word problems, for tests out of distribution; and one door to every set that lies in files."""

from __future__ import annotations

import dataclasses
import decimal
import re
from collections.abc import Callable, Mapping
from typing import Any

from procsup_jax import files, json_lines
from procsup_jax.data import gsm8k
from procsup_jax.data.jsonl import load_jsonl
from procsup_jax.errors import UserError
from procsup_jax.text import answers, latex
from procsup_jax.types import Problem

_Parse = Callable[[Mapping[str, Any]], Problem]
_UNIT = re.compile(r"\s+\([^()]*\)\s*$")
_NEGATIVE_FRACTION = re.compile(r"^-\(([0-9]+/[0-9]+)\)$")
_DIAGRAM = "[asy]"
_DIAGRAM_BLOCK = re.compile(r"\s*\[asy\].*?\[/asy\]\s*", re.DOTALL)


def load(dataset: str, path: files.PathLike | None = None, split: str = "test") -> list[Problem]:
    """Return the problems of a set by name: `gsm8k`, `svamp`, `asdiv`, `multiarith`, `math_prealgebra` or `jsonl`.

    `path` is the set's file (for `gsm8k` a folder, or None to use TFDS; for `jsonl` our own problems.jsonl). Only
    GSM8K has splits. Raises `UserError` for an unknown set, a missing path, or a bad line.
    """
    if dataset == "gsm8k":
        return gsm8k.load_gsm8k(split, path)
    if dataset not in _LOADERS:
        raise UserError(f"there is no data set {dataset!r}; expected one of {', '.join(['gsm8k', *_LOADERS])}")
    if path is None:
        raise UserError(f"the data set {dataset!r} needs a path: the file that holds its problems, one JSON a line")
    return _LOADERS[dataset](path)


def load_svamp(path: files.PathLike) -> list[Problem]:
    """Return SVAMP (Patel et al. 2021): `Body`, `Question`, `Answer`, `ID` a line; uids such as "svamp-chal-777"."""

    def parse(line: Mapping[str, Any]) -> Problem:
        body, question, name = (json_lines.take(line, key, json_lines.TEXT) for key in ("Body", "Question", "ID"))
        extra = _rest(line, "Body", "Question", "ID", "Answer")
        return Problem(f"svamp-{name}", _joined(body, question), _number(line, "Answer"), extra=extra)

    return json_lines.read(path, parse, ("ID",))


def load_asdiv(path: files.PathLike) -> list[Problem]:
    """Return ASDiv (Miao et al. 2020): `body`, `question`, `answer` a line; uids such as "asdiv-12" by line.

    The unit in `9 (apples)` is dropped; answers that are no numbers (names, times, ratios) are kept as strings.
    """

    def parse(line: Mapping[str, Any]) -> Problem:
        body, question, answer = (json_lines.take(line, key, json_lines.TEXT) for key in ("body", "question", "answer"))
        bare = _NEGATIVE_FRACTION.sub(r"-\1", _UNIT.sub("", answer).strip())
        extra = _rest(line, "body", "question", "answer")
        return Problem("", _joined(body, question), answers.normalise_answer(bare), extra=extra)

    return _numbered(path, parse, "asdiv")


def load_multiarith(path: files.PathLike) -> list[Problem]:
    """Return MultiArith (Roy and Roth 2015): `input`, `target` a line; uids such as "multiarith-12" by line."""

    def parse(line: Mapping[str, Any]) -> Problem:
        question = json_lines.take(line, "input", json_lines.TEXT).strip()
        return Problem("", question, _number(line, "target"), extra=_rest(line, "input", "target"))

    return _numbered(path, parse, "multiarith")


def load_math_prealgebra(path: files.PathLike, *, keep_diagrams: bool = False) -> list[Problem]:
    r"""Return MATH's pre-algebra problems (Hendrycks et al. 2021) in plain text, as the paper's zero-shot OOD set.

    The answer is the argument of the solution's last `\boxed`, in plain text too. Problems with a diagram (`[asy]` in
    the problem) are left out, 771 of the test set's 871 stay (the paper's own filter, which left 633, is not given);
    with `keep_diagrams` they stay, marked by `extra["diagram"]`. uids such as "math-prealgebra-12" count lines.
    """
    problems = _numbered(path, _parse_math, "math-prealgebra")
    return [problem for problem in problems if keep_diagrams or not problem.extra["diagram"]]


def _parse_math(line: Mapping[str, Any]) -> Problem:
    problem, solution = (json_lines.take(line, key, json_lines.TEXT) for key in ("problem", "solution"))
    trace = latex.plain_text(_DIAGRAM_BLOCK.sub("\n", solution)).strip()
    answer = answers.boxed(trace)
    if answer is None:
        raise json_lines.BadLine(r'"solution" has no \boxed{...}, expected one around the final answer')
    extra = {**_rest(line, "problem", "solution"), "diagram": _DIAGRAM in problem}
    return Problem(
        "", latex.plain_text(problem).strip(), answers.normalise_answer(" ".join(answer.split())), trace, extra
    )


_LOADERS: Mapping[str, Callable[[files.PathLike], list[Problem]]] = {
    "svamp": load_svamp,
    "asdiv": load_asdiv,
    "multiarith": load_multiarith,
    "math_prealgebra": load_math_prealgebra,
    "jsonl": load_jsonl,
}


def _joined(body: str, question: str) -> str:
    return f"{body.strip()} {question.strip()}".strip()


def _number(line: Mapping[str, Any], name: str) -> str:
    value = decimal.Decimal(str(json_lines.take(line, name, json_lines.NUMBER)))
    return answers.normalise_answer(f"{value:f}")


def _rest(line: Mapping[str, Any], *read: str) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in read}


def _numbered(path: files.PathLike, parse: _Parse, prefix: str) -> list[Problem]:
    """Read problems and give them uids by their place in the file."""
    problems = json_lines.read(path, parse)
    return [dataclasses.replace(problem, uid=f"{prefix}-{i}") for i, problem in enumerate(problems)]
