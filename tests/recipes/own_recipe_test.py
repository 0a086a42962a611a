"""A user's own recipe: the one that the documentation shows, run as it stands there."""

import json
import pathlib
import re

import pytest

from procsup_jax import main
from procsup_jax.errors import UserError
from procsup_jax.recipes import load

PAGE = pathlib.Path(__file__).parents[2] / "docs/recipes.md"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "two_prms.py"
    [block] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path.write_text(block, encoding="utf-8")
    return path


def run(recipe, *args):
    return main.main(["run", f"--config={recipe}:tiny", f"--workdir={recipe.parent / 'run'}", *args])


def test_it_compares_two_reward_models_of_one_policy(recipe, capsys):
    assert run(recipe) == 0
    folder = recipe.parent / "run"
    found = json.loads((folder / "comparison.json").read_text())
    assert found.keys() == {"majority", "prm_oracle_weighted", "prm_intermediate_weighted"}
    for source in ("oracle", "intermediate"):
        marker = json.loads((folder / f"stages/train-sft_prm_{source}.json").read_text())
        assert f"labels/sft.rm.{source}.jsonl" in marker["inputs"]
        assert (folder / f"scores/sft.test.drawn.sft_prm_{source}.jsonl").is_file()
    capsys.readouterr()
    assert run(recipe, "--stages=list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "compare: finished" in lines and lines[-1].startswith("17 stages, 17 finished")
    assert run(recipe, "--config.prm.num_steps=3") == 2
    assert "--config.prm.num_steps is 3, but stage train-sft_prm_" in capsys.readouterr().err
    assert run(recipe, "--config.orm.num_steps=3", "--config.improve.num_epochs=9") == 0, "no stage has read these"


OWN_SETTINGS = """
import dataclasses
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.runner.artefacts import Json
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.stage import Stage
from procsup_jax.settings import to_config

@dataclasses.dataclass(frozen=True)
class Settings(ExperimentSettings):
    factor: int = 2

def get_config():
    return to_config(Settings(recipe=__file__))

def graph(settings):
    return Graph.of([Stage("times", times, outputs=[Json("times.json")])])

def times(ctx):
    return {Json("times.json"): 21 * ctx.settings.factor}
"""


def test_its_own_settings_are_flags(tmp_path, capsys):
    recipe = tmp_path / "own.py"
    recipe.write_text(OWN_SETTINGS)
    args = ["run", f"--config={recipe}", f"--workdir={tmp_path / 'run'}"]
    assert main.main([*args, "--config.factor=3"]) == 0
    assert (tmp_path / "run/times.json").read_text() == "63\n"
    assert main.main([*args, "--config.factor=4"]) == 2
    assert "--config.factor is 4, but stage times in" in capsys.readouterr().err
    assert main.main([*args, "--help"]) == 0
    assert "--config.factor=" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def graph(settings: ", "cannot read the recipe .*mine.py: SyntaxError"),
        ("import nothing_of_this_name", "cannot read the recipe .*mine.py: ModuleNotFoundError"),
        ("x = 1", "mine.py has no function graph"),
        ("graph = Settings = len", "mine.py: its Settings are .*, expected a subclass of ExperimentSettings"),
    ],
)
def test_what_is_no_recipe_is_one_line(tmp_path, text, said):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UserError, match=said):
        load.load(str(tmp_path / "mine.py"))


def test_a_recipe_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match="config.recipe is '.*none.py', and there is no such file"):
        load.load(str(tmp_path / "none.py"))
    with pytest.raises(UserError, match="config.recipe is 'uesato'; procsup has uesato2022; did you mean uesato2022?"):
        load.load("uesato")
    assert load.names() == ["uesato2022"]
