"""SFT on stories before GSM8K's problems, or beside them: as small as it gets, and its table."""

import json
import pathlib

import pytest
import real_problem_files
import small_models

from procsup_jax import main, settings
from procsup_jax.errors import UserError
from procsup_jax.io.models import save_model

FOLDER = pathlib.Path(__file__).parents[2] / "experiments/gsm8k"
POLICIES = ["gsm8k", "stories", "stories_then_gsm8k", "stories_and_gsm8k"]


@pytest.fixture
def tables(experiment_module):
    return experiment_module("gsm8k", "stories_tables")


def test_every_policy_is_measured_against_gsm8k_alone(digits_bpe_folder, tables, tmp_path, capsys):
    save_model(tmp_path / "base", small_models.writer(digits_bpe_folder, "lines", max_len=1024))
    run, paths = tmp_path / "run", real_problem_files.write(tmp_path, ("svamp",))
    args = ["run", f"--config={FOLDER / 'stories.py'}:tiny", f"--config.base.source={tmp_path / 'base'}", *paths]
    assert main.main([*args, "--config.seq_len=512", f"--workdir={run}"]) == 0
    found = json.loads((run / "stories.json").read_text())
    assert list(found) == ["test", "short", "svamp"]
    for by_policy in found.values():
        assert list(by_policy) == POLICIES
        for policy, by_decoding in by_policy.items():
            assert by_decoding.keys() == {"greedy", "one_sample"}
            for how, each in by_decoding.items():
                gap = each["error"]["value"] - by_policy["gsm8k"][how]["error"]["value"]
                assert each["minus_gsm8k"]["value"] == pytest.approx(gap)
                assert policy != "gsm8k" or each["minus_gsm8k"]["interval"] == [0, 0]
    stages = {each: json.loads((run / f"stages/train-{each}.json").read_text()) for each in POLICIES}
    assert "models/stories/model.json" in stages["stories_then_gsm8k"]["inputs"]
    both = (run / "data/stories_and_sft.jsonl").read_text().splitlines()
    parts = [(run / f"data/{each}.jsonl").read_text().splitlines() for each in ("stories", "sft")]
    assert both == [*parts[0], *parts[1]] and list(map(len, parts)) == [4, 8]
    capsys.readouterr()
    tables.main([str(run)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 3 * len(POLICIES) * 2 and len({line.count("|") for line in lines}) == 1
    assert sum(line.startswith("| SVAMP | stories, then GSM8K | greedy |") for line in lines) == 1
    with pytest.raises(UserError, match=r"cannot read .*stories.json: no such file"):
        list(tables.markdown(tmp_path))


@pytest.mark.parametrize("size", ["cpu", "gpu"])
def test_both_kinds_together_take_the_steps_of_both(size, capsys, tmp_path):
    args = [
        "run",
        f"--config={FOLDER / 'stories.py'}:{size}",
        f"--workdir={tmp_path}",
        "--config.base.source=worlds_base",
    ]
    assert main.main([*args, "--stages=list"]) == 0
    assert "train-stories_and_gsm8k: to run" in capsys.readouterr().out.splitlines()
    config = settings.load([args[1]])
    assert config.both.num_steps == config.sft.num_steps + config.stories.num_steps


def test_stories_of_stories_are_refused(capsys):
    args = ["run", f"--config={FOLDER / 'stories.py'}:tiny", "--config.data.kind=worlds", "--stages=list"]
    assert main.main(args) == 2
    assert "gsm8k, as the stories come of themselves" in capsys.readouterr().err
