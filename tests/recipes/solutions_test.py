"""Few-shot prompts of the shipped experiments leave room for what the policy writes after them."""

import pathlib

import pytest

from procsup_jax import settings
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.recipes.solutions import worked_examples
from procsup_jax.recipes.uesato2022 import few_shot_policy, graph
from procsup_jax.runner.artefacts import JsonRows
from procsup_jax.runner.folder import RunFolder
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.stage import Stage

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
SHOWN = JsonRows("shown.jsonl")


def shown(ctx, policy):
    return {SHOWN: [problem.uid for problem in worked_examples(ctx, policy)]}


@pytest.mark.parametrize("name", ["demo", "findings", "worlds_base"])
def test_a_worked_example_fits_before_every_problem(name, tmp_path):
    config = settings.load([f"--config={CONFIGS / name}.py", "--config.base.source=shipped"])
    folder = RunFolder(tmp_path, settings.from_config(ExperimentSettings, config))
    policy, whole = few_shot_policy(folder.settings), graph(folder.settings)
    stage = Stage("show", shown, (policy,), inputs=policy.files, outputs=[SHOWN])
    folder.run(Graph.of([whole["data"], whole["base"], stage]))
    assert len(folder.read(SHOWN)) == config.few_shot == 1
