"""The findings' reward models made in other ways: as small as it gets, and its tables."""

import json
import pathlib
import runpy

import pytest

from procsup_jax import main, records
from procsup_jax.errors import UserError
from procsup_jax.types import StepLabels

FOLDER = pathlib.Path(__file__).parents[2] / "experiments/findings"
RECIPE = runpy.run_path(str(FOLDER / "ablations.py"))
LABELS = [StepLabels(f"p{i // 2}", i % 2, -1 if i % 3 else 1, 3, "oracle", "oracle") for i in range(50)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablations") / "shipped-0"
    args = ["run", f"--config={FOLDER / 'ablations.py'}:tiny", f"--workdir={folder}"]
    assert main.main(args) == 0
    return folder


def test_each_way_differs_from_the_reference_in_one_thing(run):
    def marker(judge):
        return json.loads((run / f"stages/train-sft_{judge}.json").read_text())

    def read(judge):
        return {name.split("/")[-1] for name in marker(judge)["inputs"] if name.startswith(("labels", "samples"))}

    assert marker("orm")["settings"]["config.rm_head"] == marker("prm")["settings"]["config.rm_head"] == "product"
    assert marker("orm_verdict")["settings"]["config.rm_head"] == "verdict"
    assert read("orm_verdict") == read("orm_base") == read("orm") >= {"sft.rm_half.outcome.jsonl"}
    assert "sft.rm_half.intermediate.jsonl" in read("prm_intermediate")
    assert "models/base/model.json" in marker("orm_base")["inputs"]
    assert {"models/sft_orm_base/model.json"} <= marker("prm_base")["inputs"].keys()
    sizes = {each: len(records.read_problems(run / f"data/rm{each}.jsonl")) for each in ("", "_half", "_eighth")}
    assert sizes == {"": 8, "_half": 4, "_eighth": 1}
    assert records.read_problems(run / "data/rm_half.jsonl") == records.read_problems(run / "data/rm.jsonl")[:4]


def test_few_labels_are_those_of_the_same_samples_some_of_them_moved(run):
    few, exact = (records.read_labels(run / f"labels/sft.rm_{name}.oracle.jsonl") for name in ("few", "few_exact"))
    oracle = {label.key: label for label in records.read_labels(run / "labels/sft.rm_half.oracle.jsonl")}
    assert [label.key for label in few] == [label.key for label in exact] and len(few) == 6
    assert exact == [oracle[label.key] for label in exact]
    assert sum(label.first_error != oracle[label.key].first_error for label in few) == 3


@pytest.mark.parametrize(("agreement", "moved"), [(1.0, 0), (0.9, 2), (0.0, 20)])
def test_a_share_of_the_labels_drawn_is_moved(agreement, moved):
    found = RECIPE["few"](LABELS, 20, agreement, 0)
    oracle = {label.key: label.first_error for label in LABELS}
    assert len({label.key for label in found}) == 20
    assert sum(label.first_error != oracle[label.key] for label in found) == moved
    assert all(-1 <= label.first_error < label.num_steps for label in found)
    assert len(RECIPE["few"](LABELS, 99, 1.0, 0)) == 50


def test_tables_have_a_row_for_each_way_and_what_is_no_run_is_one_line(run, findings_command, tmp_path, capsys):
    findings_command("ablations_tables", run, f"--output={tmp_path}")
    assert "1 runs; ablations.md is in" in capsys.readouterr().out
    kept = json.loads((tmp_path / "ablations/shipped-0.json").read_text())
    assert kept["judges"].keys() == RECIPE["ways"]().keys()
    tables = [part.splitlines()[2:] for part in (tmp_path / "ablations.md").read_text().split("\n\n## ")]
    ways = len(RECIPE["ways"]())
    assert [len(table) - 2 for table in tables] == [ways + 2, ways, 5 + 2, 8, 16]
    for table in tables:
        assert len({line.count("|") for line in table}) == 1
    with pytest.raises(UserError, match=r"cannot read .*ablations.json: no such file"):
        findings_command("ablations_tables", tmp_path, f"--output={tmp_path}")
    with pytest.raises(UserError, match="nothing of a run in .*elsewhere"):
        findings_command("ablations_tables", f"--output={tmp_path / 'elsewhere'}")
