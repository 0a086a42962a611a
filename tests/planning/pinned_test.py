"""The plans that are kept still are those of the configurations, and what they plan fits."""

import json
import pathlib

import jax
import pytest

from procsup_jax import settings
from procsup_jax.jobs import plan as job
from procsup_jax.parallel.settings import AXES
from procsup_jax.planning import programs
from procsup_jax.recipes.settings import ExperimentSettings

ROOT = pathlib.Path(__file__).parents[2]
KEPT = sorted((ROOT / "docs" / "plans").glob("*.json"))


def read(path):
    config, topology, part = path.name.removesuffix(".json").split(".")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["topology"] == topology.replace("-", ":")
    return config, found, part


def test_the_slice_that_the_smallest_configuration_names_is_planned():
    assert "gsm8k_llama3_1b.v5e-4x4.sft.json" in [path.name for path in KEPT]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_is_planned_fits(path):
    _, found, _ = read(path)
    assert found["fits"]
    for program in found["programs"]:
        assert 0 < program["total"] <= program["memory"]
        assert program["tokens_per_s"] > 0 and 0 < program["utilisation"] <= 1


@pytest.mark.parametrize("path", [path for path in KEPT if ".sft." in path.name], ids=lambda path: path.stem)
def test_a_kept_plan_is_that_of_the_configuration(path):
    """Its arguments are those that the configuration's training step has on its mesh by now."""
    name, found, part = read(path)
    config = settings.from_config(ExperimentSettings, settings.load([f"--config=configs/{name}.py"]))
    mesh = config.mesh.data, config.mesh.fsdp, config.mesh.tensor
    assert all(tuple(program["mesh"]) == mesh for program in found["programs"])
    work = job.make_work(config, job.PlanFlags(topology=found["topology"]))
    for program, kept in zip(
        programs.parts(part, work, jax.sharding.AbstractMesh(mesh, AXES)), found["programs"], strict=True
    ):
        assert program.held == pytest.approx(kept["arguments"], rel=0.01)
