"""Selected solutions for the page's browser: checked, completed and made compact (format: docs/report.md)."""

from __future__ import annotations

import collections
import json
from collections.abc import Mapping, Sequence
from typing import Any

from procsup_jax import roster
from procsup_jax.errors import UserError
from procsup_jax.report import names
from procsup_jax.searching import decodings
from procsup_jax.text import answers, steps

# Verdict -> how the browser's filter calls it.
VERDICTS = {
    "lucky": "right answer, wrong trace",
    "wrong": "wrong answer",
    "right": "right answer, right trace",
    "unlabelled": "right answer, trace not labelled",
}


def prepare(examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the examples as the page's script reads them, in their order.

    A solution that several decodings choose is one, at the place of its first, with all of them.

    Raises:
      UserError: an example without a needed key, or whose scores, labels or reasons do not match its steps.

    """
    solutions: dict[str, dict[str, Any]] = {}
    chosen_by: dict[str, set[str]] = collections.defaultdict(set)
    for i, example in enumerate(examples):
        solution = _prepare(example, i)
        key = json.dumps(solution)
        solutions[key] = solution
        chosen_by[key].add(example["decoding"])
    return [each | {"decodings": names.decodings_in_order(chosen_by[key])} for key, each in solutions.items()]


def choices(prepared: Sequence[Mapping[str, Any]]) -> dict[str, list[list[str]]]:
    """Return the choices that occur, as [key, display name]: verdicts, models, decodings, sets; judges of steps."""
    chosen_by = {each for example in prepared for each in example["decodings"]}
    return {
        "verdict": [[key, title] for key, title in VERDICTS.items() if any(e["verdict"] == key for e in prepared)],
        "model": _titled(names.MODELS, _occurring(prepared, "model")),
        "decoding": [[value, names.decoding(value)] for value in names.decodings_in_order(chosen_by)],
        "set": _titled(names.SETS, _occurring(prepared, "set")),
        "score": [[judge, names.judge_name(judge)] for judge in _num_scored(prepared)],
    }


def first_score(prepared: Sequence[Mapping[str, Any]]) -> str:
    """Return the judge that the browser opens on: who scored the most solutions, of equals the PRM; "" for none."""
    num_scored = _num_scored(prepared)
    return max(num_scored, key=lambda judge: (num_scored[judge], judge == roster.PRM), default="")


def _num_scored(prepared: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many solutions each judge scored, in the order of tables."""
    counts = collections.Counter(judge for example in prepared for judge in example["scores"])
    return {judge: counts[judge] for judge in decodings.in_turn(sorted(counts))}


def _occurring(prepared: Sequence[Mapping[str, Any]], key: str) -> set[str]:
    return {example[key] for example in prepared if example[key]}


def _titled(titles: dict[str, str], values: set[str]) -> list[list[str]]:
    return [[value, names.label(titles, value)] for value in names.in_order(titles, values)]


def _prepare(example: Mapping[str, Any], index: int) -> dict[str, Any]:
    where = f"example {index + 1}"
    if not isinstance(example, Mapping):
        raise UserError(f"{where} is {example!r}, expected an object such as docs/report.md describes")
    for key, kind in (("problem_uid", str), ("question", str), ("model", str), ("decoding", str), ("correct", bool)):
        if not isinstance(example.get(key), kind):
            raise UserError(f"{where}: {key} is {example.get(key)!r}, expected {kind.__name__} (docs/report.md)")
    where = f"{where} ({example['problem_uid']})"
    lines = _steps(example, where)
    labels = _aligned(example.get("labels"), lines, f"{where}: labels")
    if labels is not None and None in labels:  # the browser shows a solution's labels where all are known
        labels = None
    probs = example.get("step_probs") or {}
    if not isinstance(probs, Mapping):
        raise UserError(f'{where}: step_probs is {probs!r}, expected {{"orm": [...], "prm": [...]}}')
    trace_correct = example.get("trace_correct")
    if trace_correct is None and labels is not None:
        trace_correct = all(labels)
    return {
        "uid": example["problem_uid"],
        "set": str(example.get("set") or ""),
        "model": example["model"],
        "question": example["question"],
        "reference": str(example.get("answer", "")),
        "answer": _final_answer(example, lines),
        "steps": lines,
        "scores": {
            str(judge): _probs(probs[judge], lines, f"{where}: step_probs.{judge}")
            for judge in decodings.in_turn(probs)
            if probs[judge] is not None
        },
        "labels": None if labels is None else [int(bool(each)) for each in labels],
        "reason": _aligned(example.get("reason"), lines, f"{where}: reason"),
        "verdict": _verdict(example["correct"], trace_correct),
    }


def _verdict(correct: bool, trace_correct: bool | None) -> str:
    if not correct:
        return "wrong"
    return "unlabelled" if trace_correct is None else "right" if trace_correct else "lucky"


def _steps(example: Mapping[str, Any], where: str) -> list[str]:
    given = example.get("steps")
    if given is None and isinstance(example.get("solution"), str):
        return steps.split_steps(example["solution"])
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise UserError(f'{where}: steps is {given!r}, expected a list of texts (or give the whole text as "solution")')
    return given


def _final_answer(example: Mapping[str, Any], lines: Sequence[str]) -> str | None:
    if "predicted" in example:
        return None if example["predicted"] is None else str(example["predicted"])
    return answers.extract_answer(steps.join_steps(list(lines)))


def _aligned(values: Any, lines: Sequence[str], where: str) -> list[Any] | None:
    if values is None:
        return None
    if not isinstance(values, list) or len(values) != len(lines):
        shown = f"{len(values)} values" if isinstance(values, list) else repr(values)
        raise UserError(f"{where} has {shown} for {len(lines)} steps, expected one for each step, or null")
    return values


def _probs(values: Any, lines: Sequence[str], where: str) -> list[float]:
    checked = _aligned(values, lines, where) or []
    for value in checked:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise UserError(f"{where} holds {value!r}, expected probabilities from 0 to 1")
    return [round(float(value), 4) for value in checked]
