"""Which samples an epoch of expert iteration keeps, from a run's files."""

import dataclasses

import pytest

from procsup_jax.errors import UserError
from procsup_jax.recipes.artefacts import Problems, Samples, Scores
from procsup_jax.recipes.improvement import approach, keep
from procsup_jax.recipes.settings import ExperimentSettings, ImproveSettings
from procsup_jax.recipes.uesato2022 import sft_policy
from procsup_jax.runner.folder import RunFolder
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.stage import Stage
from procsup_jax.searching.aggregate import to_scores
from procsup_jax.types import Problem, Sample

# A product of steps: .8 is left after two of them, .7 after four, so that a long step-for-step better one ranks second.
SHORT, LONG = (0.9, 0.8), (0.95, 0.9, 0.8, 0.7)


@pytest.mark.parametrize(("aggregate", "kept"), [("last", 0), ("per_step", 1)])
def test_orm_rl_chooses_by_the_setting(aggregate, kept, tmp_path):
    settings = dataclasses.replace(ExperimentSettings(), improve=ImproveSettings(aggregate=aggregate))
    samples = [Sample("p", 0, "a\nb", "2"), Sample("p", 1, "a\nb\nc\nd", "1")]
    problems, drawn, kept_ones = Problems("rl"), Samples("drawn"), Samples("experts")
    scores = Scores(drawn, "sft_orm")
    problems.write(tmp_path / problems.path, [Problem("p", "?", "1")])
    drawn.write(tmp_path / drawn.path, samples)
    scores.write(tmp_path / scores.path, to_scores(samples, [SHORT, LONG], "last", "sft_orm"))
    args = approach("sft_orm_rl", sft_policy()), kept_ones, problems, drawn, scores
    folder = RunFolder(tmp_path, settings)
    folder.run(Graph.of([Stage("keep", keep, args, inputs=[problems, drawn, scores], outputs=[kept_ones])]))
    assert folder.read(kept_ones) == [samples[kept]]


def test_no_epoch_is_an_error():
    with pytest.raises(UserError, match="num_epochs=0: expected at least 1"):
        ImproveSettings(num_epochs=0)
