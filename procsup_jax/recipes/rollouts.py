"""The stage that labels samples by rollouts of a policy."""

from __future__ import annotations

from collections.abc import Mapping

from procsup_jax.labels.sources import ROLLOUTS
from procsup_jax.recipes.artefacts import Labels, Problems, Samples
from procsup_jax.recipes.solutions import Policy, worked_examples
from procsup_jax.recipes.work import Ctx, finished_parts, load, seed
from procsup_jax.runner.stage import Stage
from procsup_jax.runner.view import Setting, whole
from procsup_jax.shards import Part, of_mine
from procsup_jax.types import Sample, StepLabels

# How many completions there are is said by `config.rollouts`; all else about them by `config.sample`.
_TAKES = {"sample.num_samples": Setting("rollouts.num_rollouts"), "sample.with_greedy": False}


def roll_out(samples: Samples, problems: Problems, policy: Policy) -> Stage:
    """Label samples by what the policy makes of each of their steps, by `config.rollouts`."""
    found = Labels(samples, ROLLOUTS)
    inputs = (samples, problems, *policy.files)
    args = found, problems, policy
    name = f"label-{samples.name}-{ROLLOUTS}"
    return Stage(name, _roll_out, args, inputs=inputs, outputs=(found,), takes=_TAKES, together=True)


def _roll_out(
    ctx: Ctx, labels: Labels, problems: Problems, policy: Policy
) -> Mapping[Labels, Part[StepLabels, Sample]]:
    from procsup_jax.labels.rollouts import Rollouts

    all_, samples = ctx.read(problems), ctx.read(labels.samples)
    with finished_parts(ctx) as journal:
        source = Rollouts(
            load(ctx, policy.model).unstack(),
            whole(ctx.settings.rollouts),
            whole(ctx.settings.sample),
            seed(ctx, labels.path),
            worked_examples(ctx, policy),
            journal,
        )
        return {labels: Part(source.label(all_, of_mine(samples, all_)), samples)}
