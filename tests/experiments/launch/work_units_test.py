"""A sweep becomes runs: their arguments, and a workdir each that the same sweep finds again."""

import importlib
import pathlib
import sys

import hypothesis.strategies as st
import pytest
from hypothesis import given

from procsup_jax import settings

ROOT = pathlib.Path(__file__).parents[3]
sys.path.append(str(ROOT / "experiments/launch"))
units = importlib.import_module("work_units")


def test_without_a_sweep_there_is_one_run():
    [unit] = units.work_units("configs/demo.py", [], "runs/demo", ["--config.few_shot=2"])
    assert unit.name == ""
    assert unit.arguments == ("run", "--config=configs/demo.py", "--workdir=runs/demo", "--config.few_shot=2")


def test_sweeps_are_multiplied_each_run_with_a_workdir_of_its_own():
    found = units.work_units("c.py", ["config.seed=0,1,2", "config.sft.num_steps=10,20"], "gs://b/runs/")
    assert [unit.arguments[2] for unit in found][:3] == [
        "--workdir=gs://b/runs/seed=0_num_steps=10",
        "--workdir=gs://b/runs/seed=0_num_steps=20",
        "--workdir=gs://b/runs/seed=1_num_steps=10",
    ]
    assert found[-1].arguments[3:] == ("--config.seed=2", "--config.sft.num_steps=20")
    assert len({unit.name for unit in found}) == 6


def test_keys_that_end_alike_are_told_apart():
    [unit] = units.work_units("c.py", ["config.sft.num_steps=1", "config.orm.num_steps=2"], "w")
    assert unit.name == "sft.num_steps=1_orm.num_steps=2"


def test_the_swept_settings_are_those_that_procsup_reads():
    config = str(ROOT / "configs/demo.py")
    [_, unit] = units.work_units(config, ["config.seed=0,7"], "w", ["--config.few_shot=2"])
    found = settings.load([argument for argument in unit.arguments if argument.startswith("--config")])
    assert (found.seed, found.few_shot) == (7, 2)


@pytest.mark.parametrize(
    ("sweeps", "extra", "said"),
    [
        (["seed=0,1"], [], "is not KEY=VALUE"),
        (["config.seed"], [], "is not KEY=VALUE"),
        (["config.seed=0,,1"], [], "is not KEY=VALUE"),
        (["config.seed=0,1,0"], [], "has 0 twice"),
        (["config.seed=0", "config.seed=1"], [], "config.seed is swept twice"),
        (["config.seed=0"], ["--config.seed=1"], "--config.seed is given and swept"),
        (["config.x=a b,a-b"], [], "would share the folder 'x=a-b'"),
    ],
)
def test_a_faulty_sweep_is_one_clear_line(sweeps, extra, said):
    with pytest.raises(units.LaunchError, match=said):
        units.work_units("c.py", sweeps, "w", extra)


PLAIN = st.text("abcXYZ0189.+-", min_size=1)
VALUES = st.one_of(PLAIN, st.lists(PLAIN, min_size=1).map(lambda items: f"({', '.join(items)})"))


@given(st.lists(VALUES, min_size=1, unique=True))
def test_what_was_joined_by_commas_is_found_again(values):
    assert units.parse_sweep(f"config.a.b={','.join(values)}") == ("config.a.b", values)


def test_a_cloud_run_has_paths_of_the_image_and_the_mounted_bucket(tmp_path):
    assert units.config_in_image(str(ROOT / "configs/demo.py:tiny")) == "configs/demo.py:tiny"
    assert units.bucket_of("gs://my-bucket/runs/demo") == "my-bucket"
    assert units.mounted("gs://my-bucket/runs/demo") == "/gcs/my-bucket/runs/demo"
    with pytest.raises(units.LaunchError, match="so not in the image"):
        units.config_in_image(str(tmp_path / "mine.py"))
    with pytest.raises(units.LaunchError, match="has to be gs://BUCKET/FOLDER"):
        units.bucket_of("runs/demo")
    with pytest.raises(units.LaunchError, match="no configuration file"):
        units.check_config("configs/absent.py")
