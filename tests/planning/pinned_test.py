"""The plans that are kept still are those of the configurations, and what they plan fits."""

import json
import pathlib
import runpy

import jax
import pytest

from procsup_jax import settings
from procsup_jax.jobs import plan as job
from procsup_jax.parallel.settings import AXES
from procsup_jax.planning import programs
from procsup_jax.recipes.settings import ExperimentSettings

ROOT = pathlib.Path(__file__).parents[2]
KEPT = sorted((ROOT / "docs" / "plans").glob("*.json"))


PLANS = runpy.run_path(str(ROOT / "docs" / "plans.py"))
SLICES = {each.name(part): (each, part) for each in PLANS["SLICES"] for part in each.parts}


def read(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["topology"] == SLICES[path.stem][0].topology
    return found


def test_all_that_is_named_is_planned_and_nothing_else():
    assert [path.stem for path in KEPT] == sorted(SLICES)


def test_the_page_shows_them():
    assert PLANS["tables"]() in PLANS["PAGE"].read_text(encoding="utf-8")


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_is_planned_fits(path):
    found = read(path)
    assert found["fits"]
    for program in found["programs"]:
        assert 0 < program["total"] <= program["memory"]
        assert program["tokens_per_s"] > 0 and 0 < program["utilisation"] <= 1


@pytest.mark.parametrize("path", [path for path in KEPT if ".sample" in path.name], ids=lambda path: path.stem)
def test_decoding_moves_little_more_than_it_must(path):
    [write] = [program for program in read(path)["programs"] if program["program"] == "sample write"]
    assert 1 <= write["moved"] / write["least"] < 1.25, "docs/scaling.md says where the rest goes"


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_kept_plan_is_that_of_the_configuration(path):
    """Its arguments are those that the configuration's programs have on its mesh by now."""
    found, (each, part) = read(path), SLICES[path.stem]
    args = f"--config=configs/{each.config}.py", *each.changes
    config = settings.from_config(ExperimentSettings, settings.load(args))
    mesh = config.mesh.data, config.mesh.fsdp, config.mesh.tensor
    assert all(tuple(program["mesh"]) == mesh for program in found["programs"])
    work = job.make_work(config, job.PlanFlags(topology=found["topology"]))
    for program, kept in zip(
        programs.parts(part, work, jax.sharding.AbstractMesh(mesh, AXES)), found["programs"], strict=True
    ):
        assert program.held == kept["held"]
        if part in ("sft", "rm"):  # of others the compiler pads some and drops what is not read
            assert program.held == pytest.approx(kept["arguments"], rel=0.01)
