"""Records as JSON lines: the only reader and writer of the formats in docs/formats.md."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Generic, TypeVar

from procsup_jax import files, json_lines
from procsup_jax.errors import UserError
from procsup_jax.types import Graded, Problem, Sample, Score, StepLabels

PathLike = files.PathLike
T = TypeVar("T")

_FIRST_ERROR = json_lines.Kind(
    "a step's index, -1 for none, or null where it is unknown",
    lambda value: value is None or (type(value) is int and value >= -1),
)
_TEXTS = json_lines.Kind("a list of strings", json_lines.is_list(json_lines.TEXT.holds), tuple)
_STEP_LABELS = json_lines.Kind(
    "a list of true, false, null and probabilities from 0 to 1",
    json_lines.is_list(lambda value: value is None or isinstance(value, bool) or _is_prob(value)),
    tuple,
)
_PROBS = json_lines.Kind(
    "a list of probabilities from 0 to 1",
    json_lines.is_list(lambda value: _is_prob(value)),
    lambda value: tuple(map(float, value)),
)
_IDS = json_lines.Kind("a list of whole numbers from 0", json_lines.is_list(json_lines.COUNT.holds), tuple)

# Older files give these decodings an index that no drawn sample reaches; their scores and labels have it alone.
_OLD_INDEX = {
    1_000_000: "greedy",
    1_000_001: "prm_step",
    1_000_002: "orm_step",
    1_000_003: "prm_beam",
    1_000_004: "orm_beam",
    1_000_005: "prm_puct",
    1_000_006: "orm_puct",
}


def _is_prob(value: Any) -> bool:
    return json_lines.is_number(value) and 0 <= value <= 1


@dataclasses.dataclass(frozen=True)
class _Format(Generic[T]):
    """Tie a record class to the keys of its lines; `identity` are the keys that no two lines may share."""

    cls: Callable[..., T]
    required: Mapping[str, json_lines.Kind]
    optional: Mapping[str, json_lines.Kind]
    identity: tuple[str, ...]
    always_written: tuple[str, ...] = ()

    @functools.cached_property
    def defaults(self) -> Mapping[str, Any]:
        return {field.name: field.default for field in dataclasses.fields(self.cls)}  # type: ignore[arg-type]

    def parse(self, line: Mapping[str, Any]) -> T:
        fields = {name: json_lines.take(line, name, kind) for name, kind in self.required.items()}
        for name, kind in self.optional.items():
            if line.get(name) is not None:
                fields[name] = json_lines.take(line, name, kind)
        extra = {k: v for k, v in line.items() if k not in self.required and k not in self.optional}
        record = self.cls(**fields, extra=extra)
        return _numbered_anew(record) if "sample" in fields else record

    def dump(self, record: Any, **verdict: Any) -> dict[str, Any]:
        line = {name: getattr(record, name) for name in self.required}
        for name in self.optional:
            value = getattr(record, name)
            if value != self.defaults[name] or name in self.always_written:
                line[name] = value
        line |= verdict
        return line | {name: value for name, value in record.extra.items() if name not in line}


def _numbered_anew(record: T) -> T:
    """Return a sample, score or labels of an old file as its new one would have them."""
    index, decoding = record.sample, record.decoding  # type: ignore[attr-defined]
    named = _OLD_INDEX.get(index)
    if named is None or decoding not in (named, None) or (decoding is None and isinstance(record, Sample)):
        return record
    return dataclasses.replace(record, sample=0, decoding=named)  # type: ignore[type-var]


_PROBLEM = _Format(
    Problem,
    {"uid": json_lines.NAME, "question": json_lines.TEXT, "answer": json_lines.TEXT},
    {"solution": json_lines.TEXT},
    ("uid",),
)
_KEY = ("problem_uid", "sample", "decoding")
_SAMPLE = _Format(
    Sample,
    {"problem_uid": json_lines.NAME, "sample": json_lines.COUNT, "solution": json_lines.TEXT},
    {
        "answer": json_lines.TEXT,
        "logprob": json_lines.NUMBER,
        "tokens": json_lines.COUNT,
        "policy": json_lines.TEXT,
        "decoding": json_lines.NAME,
        "policy_tokens": json_lines.COUNT,
        "rm_tokens": json_lines.COUNT,
        "steps": _TEXTS,
        "token_ids": _IDS,
        "tokenizer": json_lines.NAME,
    },
    _KEY,
    always_written=("answer",),
)
_SCORE = _Format(
    Score,
    {
        "problem_uid": json_lines.NAME,
        "sample": json_lines.COUNT,
        "step_probs": _PROBS,
        "score": json_lines.NUMBER,
        "aggregate": json_lines.NAME,
    },
    {"rm": json_lines.TEXT, "decoding": json_lines.NAME},
    _KEY,
)
_LABELS = _Format(
    StepLabels,
    {
        "problem_uid": json_lines.NAME,
        "sample": json_lines.COUNT,
        "first_error": _FIRST_ERROR,
        "num_steps": json_lines.COUNT,
        "rater": json_lines.NAME,
        "source": json_lines.NAME,
    },
    {"flags": _TEXTS, "steps": _STEP_LABELS, "decoding": json_lines.NAME},
    (*_KEY, "rater"),
)


def read_problems(path: PathLike, *, skip_bad: bool = False, left_out: list[str] | None = None) -> list[Problem]:
    """Read problems.jsonl.

    Raises `UserError` "file:line: what is wrong, what was expected" at the first bad line, a uid met before included,
    and for a file without problems. With `skip_bad` bad lines are left out instead, their number is printed, and
    `left_out` receives their messages.
    """
    found = json_lines.read(path, _PROBLEM.parse, _PROBLEM.identity, skip_bad=skip_bad, left_out=left_out)
    if not found:
        raise UserError(f"{os.fspath(path)} holds no problems; expected one JSON object a line")
    return found


def read_samples(
    path: PathLike,
    *,
    problem_uids: Container[str] | None = None,
    skip_bad: bool = False,
    left_out: list[str] | None = None,
) -> list[Sample]:
    """Read samples.jsonl; errors as in `read_problems`. With `problem_uids`, a sample of another problem is one."""

    def parse(line: Mapping[str, Any]) -> Sample:
        sample = _SAMPLE.parse(line)
        if problem_uids is not None and sample.problem_uid not in problem_uids:
            shown = json_lines.shown(sample.problem_uid)
            raise json_lines.BadLine(
                f'"problem_uid" is {shown}, expected a problem of the file that these samples were drawn from'
            )
        return sample

    return json_lines.read(path, parse, _SAMPLE.identity, skip_bad=skip_bad, left_out=left_out)


def read_scores(path: PathLike, *, skip_bad: bool = False, left_out: list[str] | None = None) -> list[Score]:
    """Read scores.jsonl; errors as in `read_problems`."""
    return json_lines.read(path, _SCORE.parse, _SCORE.identity, skip_bad=skip_bad, left_out=left_out)


def read_labels(path: PathLike, *, skip_bad: bool = False, left_out: list[str] | None = None) -> list[StepLabels]:
    """Read labels.jsonl, of one rater or several; errors as in `read_problems`.

    A line with `steps` needs neither `first_error` nor `num_steps`.
    """
    return json_lines.read(path, _parse_labels, _LABELS.identity, skip_bad=skip_bad, left_out=left_out)


def write_problems(path: PathLike, records: Iterable[Problem]) -> None:
    """Write problems.jsonl, whole or not at all; keys kept in `extra` come last."""
    json_lines.write(path, map(_PROBLEM.dump, records))


def write_samples(path: PathLike, records: Iterable[Sample]) -> None:
    """Write samples.jsonl, whole or not at all."""
    json_lines.write(path, map(_SAMPLE.dump, records))


def write_scores(path: PathLike, records: Iterable[Score]) -> None:
    """Write scores.jsonl, whole or not at all."""
    json_lines.write(path, map(_SCORE.dump, records))


def write_labels(path: PathLike, records: Iterable[StepLabels]) -> None:
    """Write labels.jsonl, whole or not at all."""
    json_lines.write(path, map(_LABELS.dump, records))


def write_graded(path: PathLike, records: Iterable[Graded]) -> None:
    """Write graded.jsonl, whole or not at all."""
    json_lines.write(path, map(_dump_graded, records))


def _parse_labels(line: Mapping[str, Any]) -> StepLabels:
    if isinstance(line.get("steps"), list):
        line = {"first_error": None, "num_steps": len(line["steps"]), **line}
    labels = _LABELS.parse(line)
    if labels.first_error is not None and labels.first_error >= max(
        labels.num_steps, 1
    ):  # 0 of an empty solution: it is wrong from the start
        raise json_lines.BadLine(
            f'"first_error" is {labels.first_error}, expected less than "num_steps", {labels.num_steps}'
        )
    if labels.steps is not None and len(labels.steps) != labels.num_steps:
        raise json_lines.BadLine(f'"steps" holds {len(labels.steps)} labels, expected "num_steps", {labels.num_steps}')
    return labels


def _dump_graded(graded: Graded) -> dict[str, Any]:
    faults = [dataclasses.asdict(fault) for fault in graded.calculator_faults]
    return _SAMPLE.dump(
        graded.sample,
        steps=graded.steps,
        correct=graded.correct,
        correct_strict=graded.correct_strict,
        correct_flexible=graded.correct_flexible,
        marker=graded.marker,
        calculator_faults=faults,
    )
