"""The worlds experiment with both heads beside each other, as small as it gets, and its tables."""

import json
import pathlib

import pytest

from procsup_jax import main
from procsup_jax.errors import UserError

FOLDER = pathlib.Path(__file__).parents[2] / "experiments/worlds_smollm2"
JUDGES = ["orm_verdict", "prm_verdict", "orm_product", "prm_product"]


@pytest.fixture
def tables(experiment_module):
    return experiment_module("worlds_smollm2", "heads_tables")


def test_both_heads_judge_the_same_samples(tables, tmp_path, capsys):
    run = tmp_path / "run"
    args = ["run", f"--config={FOLDER / 'heads.py'}:tiny", f"--workdir={run}"]
    assert main.main(args) == 0
    found = json.loads((run / "heads.json").read_text())
    assert list(found["reward_models"]) == [*JUDGES, "surprise_outcome", "surprise_process"]
    assert {"greedy", "majority", *(f"{judge}_weighted" for judge in JUDGES)} <= found["decoding"].keys()
    assert set(JUDGES) | {"always_correct", "falling"} <= found["emulation"]["all_steps"]["by"].keys()
    for judge in JUDGES:
        header = json.loads((run / f"models/sft_{judge}/model.json").read_text())
        assert judge.endswith(header["head"]["kind"])
        marker = json.loads((run / f"stages/train-sft_{judge}.json").read_text())
        assert marker["settings"]["config.rm_head"] == header["head"]["kind"]
        assert ("models/sft/model.json" in marker["inputs"]) == judge.startswith("orm")
    capsys.readouterr()
    assert tables.main([str(run)]) is None
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| run | prm_product |") for line in lines) == 1
    assert len({line.count("|") for line in lines[lines.index("") + 1 :]}) == 1
    with pytest.raises(UserError, match=r"cannot read .*heads.json: no such file"):
        list(tables.markdown([tmp_path]))


@pytest.mark.parametrize("size", ["smollm2", "shipped", "gpu"])
def test_every_size_is_a_graph_of_stages(size, capsys, tmp_path):
    args = ["run", f"--config={FOLDER / 'heads.py'}:{size}", f"--workdir={tmp_path}", "--stages=list"]
    assert main.main([*args, "--config.base.source=worlds_base"]) == 0
    assert "train-sft_prm_product: to run" in capsys.readouterr().out.splitlines()
