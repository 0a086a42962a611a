"""The findings' reward models made in other ways: as small as it gets, and its tables."""

import dataclasses
import json
import pathlib
import runpy

import pytest

from procsup_jax import main, records
from procsup_jax.errors import UserError
from procsup_jax.recipes import load
from procsup_jax.types import StepLabels

FOLDER = pathlib.Path(__file__).parents[2] / "experiments/findings"
RECIPE = runpy.run_path(str(FOLDER / "ablations.py"))
LABELS = [StepLabels(f"p{i // 2}", i % 2, -1 if i % 3 else 1, 3, "oracle", "oracle") for i in range(50)]


WAYS = "prm_few", "orm_base"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablations") / "shipped-0"
    args = ["run", f"--config={FOLDER / 'ablations.py'}:tiny", f"--workdir={folder}", f"--config.ways={WAYS}"]
    assert main.main(args) == 0
    return folder


def test_each_way_differs_from_the_reference_in_one_thing():
    recipe = load.load(str(FOLDER / "ablations.py"))
    stages = {stage.name: stage for stage in recipe.graph(recipe.settings()).stages}

    def differs(name, kind):
        stage, reference = (stages[f"train-sft_{each}"] for each in (name, kind))
        read, before = ({each.path for each in of.inputs} for of in (stage, reference))
        return sorted(read - before), stage.takes

    half = "sft.rm_half"
    assert {each.path for each in stages["train-sft_prm"].inputs} >= {"models/sft_orm", f"labels/{half}.oracle.jsonl"}
    assert differs("orm_verdict", "orm") == ([], {"rm_head": "verdict"})
    assert differs("prm_verdict", "prm") == (["models/sft_orm_verdict"], {"rm_head": "verdict"})
    assert differs("orm_base", "orm") == (["models/base"], {})
    assert differs("prm_base", "prm") == (["models/sft_orm_base"], {})
    for name in ("few", "few_exact"):
        own = f"data/rm_{name}.jsonl", f"labels/sft.rm_{name}.oracle.jsonl", f"samples/sft.rm_{name}.jsonl"
        assert differs(f"prm_{name}", "prm") == ([*own], {})
    intermediate = [f"labels/{each}.intermediate.jsonl" for each in (half, "sft.validation")]
    assert differs("prm_intermediate", "prm") == (intermediate, {})
    assert stages.keys() >= {f"train-sft_{name}" for name in RECIPE["ways"]()}


def test_only_the_ways_named_are_made_and_the_orms_they_start_from(run):
    made = {path.name for path in (run / "models").iterdir() if path.is_dir()}
    assert made == {"base", "sft", "sft_orm", "sft_prm", "sft_prm_few", "sft_orm_base"}
    recipe = load.load(str(FOLDER / "ablations.py"))
    settings = dataclasses.replace(recipe.settings(), ways=("prm_verdict",))
    assert RECIPE["chosen"](settings).keys() == {"orm", "prm", "orm_verdict", "prm_verdict"}
    with pytest.raises(UserError, match=r"ways=\('prm_fewer',\).* and prm_fewer is none of them"):
        dataclasses.replace(settings, ways=("prm_fewer",))


def test_the_reference_learns_from_the_first_half_of_the_problems(run):
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
    assert kept["judges"].keys() == {"orm", "prm", *WAYS}
    tables = [part.splitlines()[2:] for part in (tmp_path / "ablations.md").read_text().split("\n\n## ")]
    assert [len(table) - 2 for table in tables] == [4 + 2, 4, 2 + 2, 2, 16]
    for table in tables:
        assert len({line.count("|") for line in table}) == 1
    with pytest.raises(UserError, match=r"cannot read .*ablations.json: no such file"):
        findings_command("ablations_tables", tmp_path, f"--output={tmp_path}")
    with pytest.raises(UserError, match="nothing of a run in .*elsewhere"):
        findings_command("ablations_tables", f"--output={tmp_path / 'elsewhere'}")
