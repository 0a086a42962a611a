"""What people had to write or to mark for each policy and reward model: the cost of its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from procsup_jax.labels.sources import ROLLOUTS
from procsup_jax.recipes.artefacts import SUPERVISION, Labels, Problems
from procsup_jax.recipes.solutions import Policy, worked_examples
from procsup_jax.recipes.work import Ctx
from procsup_jax.roster import (
    FEW_SHOT,
    FINAL_ANSWER_RL,
    ORM,
    ORM_RL,
    PRM,
    PRM_RL,
    RL_SPLIT,
    RM_SPLIT,
    SFT,
    SFT_SPLIT,
    improved,
    rm_of,
)
from procsup_jax.runner.artefacts import Json
from procsup_jax.runner.stage import Stage
from procsup_jax.types import Problem, StepLabels

if TYPE_CHECKING:
    from procsup_jax.text.tokenizer import Tokenizer

Cost = Mapping[str, int]


def count_supervision(policy: Policy, splits: Sequence[Problems], marked: Labels) -> Stage:
    """Count the supervision of every policy and reward model of the paper.

    `policy` is the few-shot one, whose worked examples count; `marked` are the labels that the PRM is trained on.
    """
    inputs: list[Any] = [policy.model, *splits, marked]
    args = policy, marked
    return Stage("count-supervision", _count, args, inputs=inputs, outputs=(SUPERVISION,))


def _count(ctx: Ctx, policy: Policy, marked: Labels) -> Mapping[Json, Any]:
    labels: Sequence[StepLabels] | None = ctx.read(marked) if marked.source == "oracle" else None
    if marked.source == ROLLOUTS:
        labels = ()  # nobody marks a step: final answers are all that it takes
    sft, rm, rl = (ctx.read(Problems(split)) for split in (SFT_SPLIT, RM_SPLIT, RL_SPLIT))
    tokenizer = ctx.read(policy.model).encoding.tokenizer
    return {SUPERVISION: supervision(tokenizer, worked_examples(ctx, policy), sft, rm, rl, labels)}


def supervision(
    tokenizer: Tokenizer,
    examples: Sequence[Problem],
    sft: Sequence[Problem],
    rm: Sequence[Problem],
    rl: Sequence[Problem],
    labels: Sequence[StepLabels] | None,
) -> dict[str, dict[str, int]]:
    """Return for each policy and reward model what people gave it.

    `solution_tokens` of reference solutions, `answer_tokens` of final answers alone, and `step_labels` marked, up to
    and with the first wrong step; where `labels` is None they were derived from the problems' reference solutions, and
    those count. An ORM needs the answers of the problems it was trained on; ORM-RL and PRM-RL need no others.
    """
    few_shot = _cost(solution_tokens=_tokens(tokenizer, [each.solution or "" for each in examples]))
    on_sft = _cost(solution_tokens=_tokens(tokenizer, [each.solution or "" for each in sft]))
    rl_answers, rm_answers = (
        _cost(answer_tokens=_tokens(tokenizer, [each.answer for each in some])) for some in (rl, rm)
    )
    if labels is None:
        marked = _cost(solution_tokens=_tokens(tokenizer, [each.solution or "" for each in rm]))
    else:
        marked = _cost(step_labels=sum(_marked_steps(label) for label in labels))
    return {
        FEW_SHOT: few_shot,
        improved(FEW_SHOT, FINAL_ANSWER_RL): _add(few_shot, rl_answers),
        improved(FEW_SHOT, ORM_RL): _add(few_shot, rl_answers),
        SFT: on_sft,
        improved(SFT, FINAL_ANSWER_RL): _add(on_sft, rl_answers),
        improved(SFT, ORM_RL): _add(on_sft, rm_answers),
        # The PRM starts from the ORM.
        improved(SFT, PRM_RL): _add(on_sft, rm_answers, marked),
        rm_of(FEW_SHOT, ORM): _add(few_shot, rm_answers),
        rm_of(SFT, ORM): _add(on_sft, rm_answers),
        rm_of(SFT, PRM): _add(on_sft, rm_answers, marked),
    }


def _marked_steps(label: StepLabels) -> int:
    if label.steps is not None or label.first_error is None:
        return sum(target is not None for target in label.targets)
    return label.num_steps if label.first_error < 0 else label.first_error + 1


def _tokens(tokenizer: Tokenizer, texts: Sequence[str]) -> int:
    return sum(len(tokenizer.encode(text)) for text in texts)


def _cost(solution_tokens: int = 0, answer_tokens: int = 0, step_labels: int = 0) -> dict[str, int]:
    return {"solution_tokens": solution_tokens, "answer_tokens": answer_tokens, "step_labels": step_labels}


def _add(*costs: Cost) -> dict[str, int]:
    return {key: sum(cost[key] for cost in costs) for key in costs[0]}
