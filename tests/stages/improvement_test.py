"""Which samples an epoch of expert iteration keeps, from a run's files."""

import dataclasses

import pytest

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.searching.aggregate import to_scores
from procsup_jax.stages.context import Context, problems_file
from procsup_jax.stages.experiment import ExperimentSettings, ImproveSettings
from procsup_jax.stages.improvement import approach, keep_experts
from procsup_jax.stages.solutions import Policy, samples_file, scores_file
from procsup_jax.stages.stage import RunFolder
from procsup_jax.types import Problem, Sample

# A product of steps: .8 is left after two of them, .7 after four, so that a long step-for-step better one ranks second.
SHORT, LONG = (0.9, 0.8), (0.95, 0.9, 0.8, 0.7)


@pytest.mark.parametrize(("aggregate", "kept"), [("last", 0), ("per_step", 1)])
def test_orm_rl_chooses_by_the_setting(aggregate, kept, tmp_path):
    settings = dataclasses.replace(ExperimentSettings(), improve=ImproveSettings(aggregate=aggregate))
    ctx = Context(settings, RunFolder(tmp_path))
    samples = [Sample("p", 0, "a\nb", "2"), Sample("p", 1, "a\nb\nc\nd", "1")]
    records.write_problems(ctx.path(problems_file("rl")), [Problem("p", "?", "1")])
    records.write_samples(ctx.path(samples_file("drawn")), samples)
    records.write_scores(
        ctx.path(scores_file("drawn", "sft_orm")), to_scores(samples, [SHORT, LONG], "last", "sft_orm")
    )
    plan = approach("sft_orm_rl", Policy("sft", "sft"))
    keep_experts(ctx, plan, "experts", "rl", "drawn", "sft_orm")
    assert records.read_samples(ctx.path(samples_file("experts"))) == [samples[kept]]


def test_no_epoch_is_an_error():
    with pytest.raises(UserError, match="num_epochs=0: expected at least 1"):
        ImproveSettings(num_epochs=0)
