import dataclasses
import pathlib
from typing import Literal

import pytest

from procsup_jax import settings
from procsup_jax.errors import UserError
from procsup_jax.jobs.search import SearchSettings
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.training.tasks import TrainSettings

CONFIGS = pathlib.Path(settings.__file__).parents[1] / "configs"


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    kind: Literal["a", "b"] = "a"
    sizes: tuple[int, ...] = (1, 2)


@dataclasses.dataclass(frozen=True)
class Outer:
    steps: int = 3
    name: str = "x"
    on: bool = False
    inner: Inner = Inner()


def test_a_config_returns_to_the_settings_it_came_from():
    outer = Outer(steps=7, inner=Inner(rate=0.25, kind="b", sizes=(4,)))
    assert settings.from_config(Outer, settings.to_config(outer)) == outer


def test_missing_fields_keep_their_defaults_and_whole_numbers_pass_as_floats():
    found = settings.from_config(Outer, {"inner": {"rate": 1}})
    assert found == Outer(inner=Inner(rate=1.0))
    assert isinstance(found.inner.rate, float)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"stps": 1}, r"unknown setting config.stps; did you mean config.steps\?"),
        ({"inner": {"zzzz": 1}}, "known there: rate, kind, sizes"),
        ({"steps": 1.5}, "config.steps is 1.5, expected a whole number"),
        ({"steps": True}, "config.steps is True, expected a whole number"),
        ({"on": 1}, "config.on is 1, expected true or false"),
        ({"inner": {"kind": "c"}}, "config.inner.kind is 'c', expected one of a, b"),
        ({"inner": {"sizes": (1, "2")}}, r"config.inner.sizes\[1\] is '2', expected a whole number"),
        ({"inner": 3}, "config.inner is 3, expected a group of settings"),
    ],
)
def test_bad_settings_are_named(config, message):
    with pytest.raises(UserError, match=message):
        settings.from_config(Outer, config)


@pytest.mark.parametrize(
    ("cls", "key", "value", "expected"),
    [
        (ExperimentSettings, "seed", -1, "a whole number from 0 to 4294967295"),
        (ExperimentSettings, "seed", 2**64, "a whole number from 0 to"),
        (ExperimentSettings, "rm_samples", 0, "at least 1"),
        (ExperimentSettings, "name", "a/b", "a name that a folder can have"),
        (ExperimentSettings, "sample.top_p", 1.5, "a number above 0, up to 1"),
        (ExperimentSettings, "sample.temperature", float("nan"), "a finite number"),
        (ExperimentSettings, "sft.batch_size", 0, "at least 1"),
        (ExperimentSettings, "sft.grad_accum", 3, "a positive multiple of 3"),
        (ExperimentSettings, "orm.optim.peak_lr", float("inf"), "a finite number"),
        (ExperimentSettings, "mesh.data", 0, "a positive number, or -1"),
        (ExperimentSettings, "data.num_test", 0, "at least 1, as worlds have no end"),
        (ExperimentSettings, "data.kind", "gsm8k", "intermediate, as the oracle reads the graphs"),
        (ExperimentSettings, "data.world.swap_rate", 1.01, "a number from 0 to 1"),
        (ExperimentSettings, "data.world.given_range", (5, 2), "the lower number first"),
        (ExperimentSettings, "data.world.factors", (2, 0), "at least 1"),
        (ExperimentSettings, "data.world.num_steps", (("99", 1.0),), "weights of 2, 3"),
        (ExperimentSettings, "data.world.forms", (("riddle", 1.0),), "weights of one, difference"),
        (ExperimentSettings, "data.world.relations", (("more", 0.0),), "at least one positive weight"),
        (ExperimentSettings, "base.corpus.slop.kinds", (("copy", -1.0),), "a number from 0 on"),
        (ExperimentSettings, "base.preset", "2b", "one of 0.1m, 0.5m"),
        (ExperimentSettings, "improve.approaches", ("sft_rl",), "some of sft_final_answer_rl"),
        (ExperimentSettings, "evaluate.step_search_models", ("sfd",), "some of few_shot"),
        (SearchSettings, "tree.width", 0, "at least 1"),
        (SearchSettings, "few_shot", -1, "0 or more"),
        (TrainSettings, "validation", 1.0, "a number from 0 to below 1"),
    ],
)
def test_a_value_that_cannot_work_is_named_by_its_key(cls, key, value, expected):
    config = settings.to_config(cls())
    group, (*parents, leaf) = config, key.split(".")
    for name in parents:
        group = group[name]
    with group.ignore_type():
        group[leaf] = value
    with pytest.raises(UserError, match=f"setting config\\..* expected {expected}") as caught:
        settings.from_config(cls, config)
    assert "\n" not in str(caught.value)


ODD = (
    None,
    True,
    -1,
    0,
    2**31,
    2**64,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\0",
    [],
    {},
    [1],
    [["a", -1]],
    (0,),
)


@pytest.mark.parametrize("cls", [ExperimentSettings, SearchSettings, TrainSettings])
def test_whatever_a_key_is_set_to_is_taken_or_refused_in_a_line_that_names_it(cls):
    for key in settings.flatten(cls()):
        for value in ODD:
            nested = value
            for name in reversed(key.split(".")[1:]):
                nested = {name: nested}
            try:
                settings.from_config(cls, nested)
            except UserError as error:
                assert "config." in str(error) and len(str(error).splitlines()) == 1


def test_flatten_names_every_leaf():
    assert settings.flatten(Outer()) == {
        "config.steps": 3,
        "config.name": "x",
        "config.on": False,
        "config.inner.rate": 0.5,
        "config.inner.kind": "a",
        "config.inner.sizes": [1, 2],
    }


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "c.py"
    path.write_text(
        "import ml_collections\n"
        "def get_config(arg='one'):\n"
        "  if arg == 'bad': raise ValueError('no such size')\n"
        "  return ml_collections.ConfigDict({'steps': 1, 'inner': {'rate': .5, 'sizes': (1,)}, 'arg': arg})\n"
    )
    return path


def test_load_applies_the_argument_and_the_changes(config_file):
    config = settings.load([f"--config={config_file}:two", "--config.inner.rate=2", "--config.inner.sizes=(3, 4)"])
    assert (config.arg, config.inner.rate, config.inner.sizes) == ("two", 2.0, (3, 4))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--config.inner.rat=2"], r"unknown setting config.inner.rat; did you mean config.inner.rate\?"),
        (["--config.steps=many"], "steps"),
        (["--config.steps"], "--config.steps has no value"),
    ],
)
def test_bad_changes_are_one_line(config_file, args, message):
    with pytest.raises(UserError, match=message) as error:
        settings.load([f"--config={config_file}", *args])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", ["demo", "configs/demo.py"])
def test_a_configuration_that_ships_is_known_by_name_from_any_folder(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings.config_file(given) == CONFIGS / "demo.py"
    assert (
        settings.load([f"--config={given}:tiny"]).to_dict()
        == settings.load([f"--config={CONFIGS}/demo.py:tiny"]).to_dict()
    )


def test_a_file_at_hand_comes_before_the_one_that_ships(config_file, monkeypatch):
    monkeypatch.chdir(config_file.parent)
    own = pathlib.Path("configs/demo.py")
    own.parent.mkdir(exist_ok=True)
    config_file.rename(own)
    assert settings.config_file("configs/demo.py") == own
    assert settings.config_file("demo") == CONFIGS / "demo.py"


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("dem", "did you mean demo"),
        ("zzz", "or pass the path of a file"),
        ("x/demo.py", "no configuration file x/demo.py"),
    ],
)
def test_an_unknown_configuration_lists_those_there_are(given, hint):
    with pytest.raises(UserError, match=hint) as error:
        settings.load([f"--config={given}"])
    names = (
        "demo, findings, gsm8k_llama3_1b, gsm8k_llama3_8b, gsm8k_small, gsm8k_smollm2, paper_70b, sample, search, train"
    )
    assert names in str(error.value)


def test_a_faulty_or_missing_file_is_named(config_file, tmp_path):
    with pytest.raises(UserError, match="no configuration file .*absent.py"):
        settings.load([f"--config={tmp_path / 'absent.py'}"])
    with pytest.raises(UserError, match="no such size"):
        settings.load([f"--config={config_file}:bad"])


def test_the_papers_rates_are_in_its_ratios():
    full, paper = (settings.load([f"--config={CONFIGS / 'findings.py'}{size}"]) for size in ("", ":paper_rates"))
    rates = {name: paper[name].optim.peak_lr for name in ("sft", "orm", "prm", "distil")}
    assert rates["sft"] == rates["orm"] == rates["distil"] == full.sft.optim.peak_lr
    assert rates["prm"] == pytest.approx(rates["orm"] / 20)  # 2e-6 and 1e-7
    assert (paper.orm.dropout, paper.prm.dropout, full.orm.dropout) == (0.1, 0.1, 0.0)
    assert (paper.improve.choose_epoch_with, full.improve.choose_epoch_with) == ("reward_model", "majority")
