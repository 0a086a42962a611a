"""What people had to write or to mark for each policy and reward model: the cost of its labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from procsup_jax import files, records
from procsup_jax.roster import FEW_SHOT, FINAL_ANSWER_RL, ORM, ORM_RL, PRM, PRM_RL, SFT, improved, rm_of
from procsup_jax.stages.context import BASE, Context, model_files, problems_file
from procsup_jax.stages.data import splits_of
from procsup_jax.stages.solutions import labels_file, worked_examples
from procsup_jax.stages.stage import Stage
from procsup_jax.text.tokenizer import Tokenizer
from procsup_jax.types import Problem, StepLabels

SUPERVISION = "evaluations/supervision.json"
Cost = Mapping[str, int]


def run_supervision(ctx: Context) -> None:
    """Count the supervision of every policy and reward model of the run."""
    kind = ctx.settings.process_labels
    inputs = [*model_files(BASE), *map(problems_file, splits_of(ctx)), labels_file(f"{SFT}.rm", kind)]
    settings = {"config.few_shot": ctx.settings.few_shot, "config.seed": ctx.settings.seed}

    def work() -> None:
        labels = records.read_labels(ctx.path(labels_file(f"{SFT}.rm", kind))) if kind == "oracle" else None
        sft, rm, rl = (ctx.problems(split) for split in ("sft", "rm", "rl"))
        found = supervision(ctx.encoding.tokenizer, worked_examples(ctx), sft, rm, rl, labels)
        files.write_text(ctx.path(SUPERVISION), json.dumps(found, indent=1) + "\n")

    ctx.folder.run(Stage("count-supervision", settings, inputs, (SUPERVISION,), work))


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
    and with the first wrong step; without `labels` they were derived from the problems' reference solutions, and those
    count. An ORM needs the answers of the problems it was trained on; ORM-RL and PRM-RL need no others.
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
