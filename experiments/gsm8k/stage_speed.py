"""How many tokens a finished run's stages wrote, read or trained on, and how fast: from its folder."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from procsup_jax import records

KINDS = ("sampling", "search", "rollouts", "scoring", "training", "other")


@dataclasses.dataclass(frozen=True)
class StageSpeed:
    """Hold a stage's kind, its seconds, those of them that it compiled for, and its tokens, None where unknown."""

    name: str
    kind: str
    seconds: float
    compile_s: float
    tokens: int | None


def stages(run: pathlib.Path) -> Iterator[StageSpeed]:
    """Yield the finished stages of a run.

    Tokens of sampling are those written, of a search those that its policy wrote, of rollouts those of completions, of
    scoring those of the solutions read (equal ones once, prompts not), of training those of all steps, padding apart.
    """
    for path in sorted((run / "stages").glob("*.json")):
        marker = json.loads(path.read_text(encoding="utf-8"))
        kind, tokens = _tokens(run, path.stem, marker)
        yield StageSpeed(path.stem, kind, marker["wall_clock_s"], marker.get("compile_s", 0.0), tokens)


def totals(run: pathlib.Path) -> dict[str, Any]:
    """Return of each kind of stage its number, seconds, seconds of compiling, tokens and tokens a second.

    The rate leaves compiling out, and stages whose tokens are not known.
    """
    found = {}
    for kind in KINDS:
        some = [each for each in stages(run) if each.kind == kind]
        known = [each for each in some if each.tokens is not None]
        tokens, busy = sum(each.tokens or 0 for each in known), sum(each.seconds - each.compile_s for each in known)
        found[kind] = {
            "stages": len(some),
            "seconds": sum(each.seconds for each in some),
            "compile_s": sum(each.compile_s for each in some),
            "tokens": tokens if known else None,
            "tokens_per_s": tokens / busy if known and busy > 0 else None,
        }
    return found


def _tokens(run: pathlib.Path, stage: str, marker: Mapping[str, Any]) -> tuple[str, int | None]:
    part, _, name = stage.partition("-")
    output = next(iter(marker["outputs"]), "")
    if part == "sample":
        samples = records.read_samples(run / output)
        if any(sample.policy_tokens is not None for sample in samples):
            return "search", sum(sample.policy_tokens or 0 for sample in samples)
        return "sampling", sum(sample.tokens or 0 for sample in samples)
    if part == "label" and name.endswith("-rollouts"):
        return "rollouts", sum(label.extra.get("rollout_tokens", 0) for label in records.read_labels(run / output))
    if part == "score" and (read := [file for file in marker["inputs"] if file.startswith("samples/")]):
        different = {
            (each.problem_uid, each.solution): each.tokens or 0 for each in records.read_samples(run / read[0])
        }
        return "scoring", sum(different.values())
    if part == "train":
        return "training", _trained_tokens(run / "train" / name / "timing.jsonl")
    return "other", None


def _trained_tokens(timing: pathlib.Path) -> int | None:
    """Return the tokens of the steps that a fit's lines of timing are about."""
    if not timing.is_file():
        return None
    lines = [json.loads(line) for line in timing.read_text(encoding="utf-8").splitlines()]
    return sum(line["tokens"] for line in lines if "tokens" in line) or None
