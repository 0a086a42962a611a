"""Who takes part in the paper's experiment: policies and reward models, by the names of their files and in tables."""

from __future__ import annotations

FEW_SHOT, SFT = STARTS = "few_shot", "sft"
FINAL_ANSWER_RL, ORM_RL, PRM_RL = METHODS = "final_answer_rl", "orm_rl", "prm_rl"
ORM, PRM = "orm", "prm"


def improved(start: str, method: str) -> str:
    """Return the policy that a method of RL makes of a start."""
    return f"{start}_{method}"


def rm_of(policy: str, kind: str) -> str:
    """Return the reward model of a kind (`ORM`, `PRM`, one of `CONTROLS`) that is trained on a policy's samples."""
    return f"{policy}_{kind}"


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
