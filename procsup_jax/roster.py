"""Who and what takes part in the paper's experiment, by the names of files and in tables.

Problem splits, policies and reward models: what makes, evaluates and reports them takes their names from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

# Problems to train on, in three stages; that choose parameters and epochs; that everything is measured on.
SPLITS = SFT_SPLIT, RM_SPLIT, RL_SPLIT, VALIDATION, TEST = "sft", "rm", "rl", "validation", "test"
OOD = "ood"
# Test problems whose reference solutions have few steps; other sets of word problems.
SHORT = "short"
WORD_PROBLEMS = "svamp", "asdiv", "multiarith"
EVALUATION_SETS = TEST, SHORT, OOD, *WORD_PROBLEMS

BASE = "base"
FEW_SHOT, SFT = STARTS = "few_shot", "sft"
FINAL_ANSWER_RL, ORM_RL, PRM_RL = METHODS = "final_answer_rl", "orm_rl", "prm_rl"
ORM, PRM = JUDGES = "orm", "prm"


def improved(start: str, method: str) -> str:
    """Return the policy that a method of RL makes of a start."""
    return f"{start}_{method}"


def rm_of(policy: str, kind: str) -> str:
    """Return the reward model of a kind (`ORM`, `PRM`, one of `CONTROLS`) that is trained on a policy's samples."""
    return f"{policy}_{kind}"


def prm_from(source: str) -> str:
    """Return the kind of a PRM beside `PRM`, the first: one that learned from the labels of another source."""
    return f"{PRM}_{source}"


# The rows of the paper's Table 1 that differ in their policy, in the order in which a run makes them; PRM-RL was run
# from SFT alone.
APPROACHES = (
    *(improved(SFT, method) for method in METHODS),
    *(improved(FEW_SHOT, method) for method in (FINAL_ANSWER_RL, ORM_RL)),
)
# In the order of tables.
POLICIES = tuple(
    policy
    for start in STARTS
    for policy in (start, *(improved(start, method) for method in METHODS))
    if policy in (start, *APPROACHES)
)
# Fitted to the labels that the SFT policy's ORM and PRM are trained on (evals.surprise).
CONTROLS = ("surprise_outcome", "surprise_process")
REWARD_MODELS = (*(rm_of(SFT, kind) for kind in (ORM, PRM, *CONTROLS)), rm_of(FEW_SHOT, ORM))


def start_of(policy: str) -> str:
    """Return what a policy starts from; the start of a start is itself."""
    return FEW_SHOT if policy.startswith(FEW_SHOT) else SFT


def method_of(policy: str) -> str:
    """Return the method of RL that made a policy, "" for a start."""
    return policy.removeprefix(start_of(policy)).removeprefix("_")


def task_of(metadata: Mapping[str, Any]) -> str | None:
    """Return as which kind of reward model a model was trained, "orm" or "prm", None where its metadata do not say."""
    task = metadata.get("task")
    return task if task in JUDGES else None


def named_in(name: str, judges: Iterable[str]) -> set[str]:
    """Return those of the judges' names that stand as words in the last part of a model's name."""
    last = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    return {each for each in judges if re.search(rf"(?<![A-Za-z0-9]){re.escape(each)}(?![A-Za-z0-9])", last)}
