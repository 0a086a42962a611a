"""`procsup plan`: programs compiled for slices that are not at hand."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

from procsup_jax import main
from procsup_jax.errors import UserError
from procsup_jax.parallel.settings import MeshSettings
from procsup_jax.planning import chips, plan, slices

HAS_LIBTPU = importlib.util.find_spec("libtpu") is not None
ARGS = ["plan", "--config=configs/demo.py:tiny", "--topology=v5e:2x2"]


@pytest.mark.skipif(HAS_LIBTPU, reason="libtpu is installed")
def test_without_the_compiler_it_says_what_to_install(capsys):
    assert main.main(ARGS) == 2
    assert "pip install procsup_jax[tpu]" in capsys.readouterr().err


def test_an_unknown_part_is_one_line(capsys):
    assert main.main([*ARGS, "--programs=sft,train"]) == 2
    said = "--programs=sft,train: 'train' is no part of a run; expected some of sft, rm"
    assert said in capsys.readouterr().err


def test_an_unknown_chip_is_named():
    with pytest.raises(UserError, match=r"topology 'v9:2x2': expected one of v4, v5e, v5p, v6e, a colon and a shape"):
        chips.chip_of("v9:2x2")


def test_meshes_worth_trying_divide_the_batch():
    assert slices.shapes_of(16, [64, 32]) == [
        MeshSettings(1, 16, 1), MeshSettings(1, 8, 2), MeshSettings(1, 4, 4), MeshSettings(1, 2, 8),
        MeshSettings(1, 1, 16),
    ]  # fmt: skip
    assert slices.shapes_of(64, [32]) == [MeshSettings(1, 32, 2), MeshSettings(1, 16, 4), MeshSettings(1, 8, 8),
                                          MeshSettings(1, 4, 16)]  # fmt: skip


def test_a_table_names_what_bounds_and_what_does_not_fit():
    fits = plan.Planned(
        "sample write", (1, 2, 2), True, *(2**30,) * 5, 16 * 2**30, 1e12, 2e9, {"all-reduce": 1e9}, {"all-reduce": 4},
        seconds={"compute": 0.005, "memory": 0.0024, "links": 0.005}, bound="compute", utilisation=0.5,
        tokens_per_s=1000.0, least=10**9,
    )  # fmt: skip
    does_not = plan.Planned("sft step", (1, 2, 2), False, total=20 * 2**30, problem="needs 20.0G of 15.75G")
    text = plan.table("v5e:2x2", [fits, does_not])
    assert "data=1 fsdp=2 tensor=2" in text and "4 all-reduce 1 GB" in text
    assert "2.00 times what it must read" in text and "needs 20.0G of 15.75G" in text
    assert plan.to_json("v5e:2x2", [fits, does_not])["fits"] is False


@pytest.mark.skipif(not HAS_LIBTPU, reason="needs libtpu: pip install procsup_jax[tpu]")
def test_a_tiny_run_is_planned(tmp_path):
    """In a process of its own, as libtpu stays loaded."""
    command = [sys.executable, "-m", "procsup_jax", *ARGS, "--programs=score", f"--json={tmp_path / 'plan.json'}"]
    subprocess.run(
        [*command, "--config.mesh.fsdp=2", "--config.mesh.tensor=2", "--config.base.preset=0.1m"],
        check=True, timeout=600, env={**os.environ, "XLA_FLAGS": ""}, cwd=pathlib.Path(__file__).parents[2],
    )  # fmt: skip
    found = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert found["fits"] and [each["program"] for each in found["programs"]] == ["score read"]
    assert found["programs"][0]["flops"] > 0 and found["programs"][0]["moved"] > 0
