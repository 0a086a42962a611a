"""GSM8K's config at its tiniest, on random weights: every stage, every set, and what is measured on real problems."""

import json

import pytest
import real_problem_files
import small_models

from procsup_jax import main, records, settings
from procsup_jax.errors import UserError
from procsup_jax.io.models import save_model
from procsup_jax.recipes import uesato2022
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.report import names

SETS = {"test", "short", "ood", "svamp"}
RMS = {"sft_orm", "sft_prm", "sft_prm_rollouts"}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Return flags that name problems of every set."""
    return real_problem_files.write(tmp_path_factory.mktemp("problems"))


@pytest.fixture(scope="module")
def finished(digits_bpe_folder, paths, tmp_path_factory):
    folder = tmp_path_factory.mktemp("smollm2")
    save_model(folder / "base", small_models.writer(digits_bpe_folder, "lines", max_len=1024))
    args = ["--config=configs/gsm8k_smollm2.py:tiny", f"--config.base.source={folder / 'base'}", *paths]
    args += ["--config.seq_len=256", f"--workdir={folder / 'run'}"]
    assert main.main(["run", *args]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def results(finished):
    return json.loads((finished / "results.json").read_text())


@pytest.mark.parametrize("size", ["cpu", "gpu", "paper"])
def test_every_size_is_a_config(size):
    found = settings.from_config(ExperimentSettings, settings.load([f"--config=configs/gsm8k_smollm2.py:{size}"]))
    assert found.rm_head == "verdict" and found.sample.calculator and found.data.short_steps == 3
    assert uesato2022.graph(found)["train-sft_prm"]
    assert ("train-sft_prm_rollouts" in uesato2022.graph(found).dot()) == (size == "cpu")
    if size == "paper":
        rates = [fit.optim.peak_lr for fit in (found.sft, found.orm, found.prm, found.distil)]
        assert [rate / rates[0] for rate in rates] == pytest.approx([1, 1, 1 / 20, 1])


def test_the_first_prm_learns_from_the_first_source():
    changes = ["--config.process_labels=rollouts", "--config.more_process_labels=('intermediate',)"]
    found = settings.from_config(
        ExperimentSettings, settings.load(["--config=configs/gsm8k_smollm2.py:tiny", *changes])
    )
    graph = uesato2022.graph(found)
    read = {stage: {each.path for each in graph[stage].inputs} for stage in graph.needs}
    assert "labels/sft.rm.rollouts.jsonl" in read["train-sft_prm"]
    assert "labels/sft.rm.intermediate.jsonl" in read["train-sft_prm_intermediate"]
    assert "train-sft_prm_rollouts" not in read
    assert {"models/sft", "samples/sft.rm.jsonl"} <= read["label-sft.rm-rollouts"]


def test_a_size_that_there_is_not_is_an_error():
    with pytest.raises(UserError, match="'huge' is no size of this config: tiny, cpu, gpu, paper"):
        settings.load(["--config=configs/gsm8k_smollm2.py:huge"])


def test_every_policy_is_measured_on_every_set(results):
    policies = {"sft", "sft_final_answer_rl", "sft_orm_rl", "sft_prm_rl"}
    assert set(results["models"]) == set(results["real_problems"]["text"]) == policies
    for policy in policies:
        assert set(results["models"][policy]) == set(results["real_problems"]["text"][policy]) == SETS
    assert results["models"]["sft"]["test"]["samples_per_problem"] == [2, 2]
    assert results["models"]["sft_orm_rl"]["test"]["samples_per_problem"] == [1, 1]
    assert 0 < results["models"]["sft"]["short"]["n"] < results["models"]["sft"]["test"]["n"] == 3


def test_two_prms_stand_side_by_side(results, finished):
    assert set(results["reward_models"]) == RMS
    assert {"prm_weighted", "prm_rollouts_weighted", "orm_weighted"} <= set(
        results["models"]["sft"]["test"]["decoding"]
    )
    marker = json.loads((finished / "stages/train-sft_prm_rollouts.json").read_text())
    assert "labels/sft.rm.rollouts.jsonl" in marker["inputs"]
    labels = json.loads((finished / "stages/label-sft.rm-rollouts.json").read_text())
    assert labels["settings"]["config.rollouts.num_rollouts"] == 2
    assert set(results["real_problems"]["processbench"]["judges"]) == RMS


def test_texts_and_label_sources_are_measured(results):
    found = results["real_problems"]["text"]["sft"]["test"]
    for reading in ("one_sample", "greedy"):
        shares = found["readings"][reading]
        assert 0 <= shares["flexible_error"] <= shares["strict_error"] <= 1 and 0 <= shares["unparsed"] <= 1
    assert set(found["pass_at_k"]) == set(found["votes"]["prm_rollouts_weighted"]) == {"1", "2"}
    assert (
        found["votes"]["majority"]["2"]["value"]
        == results["models"]["sft"]["test"]["decoding"]["majority"]["final_answer_error"]
    )
    assert set(found["trace_bounds"]["majority"]) == {"calculator", "intermediate"}
    assert set(results["real_problems"]["text"]["sft"]["svamp"]["trace_bounds"]["majority"]) == {"calculator"}
    assert set(results["real_problems"]["label_sources"]["sources"]) == {
        "outcome", "intermediate", "calculator", "rollouts",
    }  # fmt: skip


@pytest.fixture
def tables(experiment_module):
    return experiment_module("gsm8k", "result_tables")


def test_its_results_are_tables(finished, results, tables, tmp_path):
    tables.main([str(finished), f"--output={tmp_path / 'tables.md'}"])
    text = (tmp_path / "tables.md").read_text()
    tables.main([str(tmp_path / "tables.json"), f"--output={tmp_path / 'again.md'}"])
    assert (tmp_path / "again.md").read_text() == text, "the tables are made from what is kept beside them"
    for name in ("errors", "votes-test", "votes-short"):
        figure = (tmp_path / f"tables-{name}.svg").read_text()
        assert figure.replace("tables-", "again-") == (tmp_path / f"again-{name}.svg").read_text()
        assert "PRM (rollouts labels)-weighted" in figure
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    sft = results["models"]["sft"]["test"]["decoding"]["prm_rollouts_weighted"]
    error = names.with_interval(sft["final_answer_error"], sft["intervals"]["final_answer_error"])
    assert ["| test", "SFT", "PRM (rollouts labels)-weighted", error, "3 |"] in rows
    assert ["| SVAMP", "SFT"] in [row[:2] for row in rows]
    f1 = results["real_problems"]["processbench"]["judges"]["sft_prm_rollouts"]
    assert any(
        row[1] == names.with_interval(f1["f1"], f1["intervals"]["f1"])
        for row in rows
        if row[0] == "| SFT PRM (rollouts labels)"
    )
    kinds = {row[0].removeprefix("| "): row for row in rows}
    for kind in ("sampling", "search", "rollouts", "scoring", "training"):
        assert int(kinds[kind][4].replace(",", "")) > 0, kind
    sampled = sum(
        sample.tokens or 0
        for path in (finished / "samples").glob("*.jsonl")
        if "experts" not in path.name and "search" not in path.name
        for sample in records.read_samples(path)
    )
    assert int(kinds["sampling"][4].replace(",", "")) == sampled


def test_a_run_of_the_testbed_has_no_such_tables(tables, tmp_path):
    (tmp_path / "results.json").write_text('{"models": {}}')
    with pytest.raises(UserError, match="holds no real_problems; expected a run of GSM8K that has ended"):
        tables.kept(tmp_path)


def test_a_finished_run_is_finished(finished, capsys, paths):
    args = ["--config=configs/gsm8k_smollm2.py:tiny", *paths, "--config.seq_len=256", f"--workdir={finished}"]
    base = json.loads((finished / "results.json").read_text())["config"]["config.base.source"]
    assert main.main(["run", *args, f"--config.base.source={base}", "--stages=list"]) == 0
    last = capsys.readouterr().out.splitlines()[-1].split()
    assert int(last[0]) == int(last[2]) + 1


def test_a_run_is_carried_in_parts_and_goes_on(finished, results, tmp_path, experiment_module, paths):
    carry = experiment_module("gsm8k", "carry")
    parts, again = tmp_path / "parts", tmp_path / "run"
    kept = [path.name for path in (finished / "models").iterdir() if path.is_dir() and path.name != "base"]
    carry.main(["pack", str(finished), str(parts), "--part_mb=0.1", "--models", *kept])
    sizes = [path.stat().st_size for path in parts.glob("part-*")]
    assert len(sizes) > 3 and max(sizes) <= 100_000
    carry.main(["join", str(parts), str(again)])
    assert json.loads((again / "models/sft/model.json").read_text())["dtype"] == "bfloat16"
    assert (again / "samples/sft.test.drawn.jsonl").read_bytes() == (
        finished / "samples/sft.test.drawn.jsonl"
    ).read_bytes()
    base = json.loads((finished / "results.json").read_text())["config"]["config.base.source"]
    args = ["--config=configs/gsm8k_smollm2.py:tiny", *paths, "--config.seq_len=256", f"--config.base.source={base}"]
    trained = {path: path.read_bytes() for path in (again / "stages").glob("train-*.json")}
    assert len(trained) == len(list((finished / "stages").glob("train-*.json")))
    assert main.main(["run", *args, f"--workdir={again}"]) == 0
    assert {path: path.read_bytes() for path in trained} == trained, "none is trained again"
    joined = json.loads((again / "results.json").read_text())
    for kept_same in ("models", "real_problems", "reward_models"):
        assert joined[kept_same] == results[kept_same]

    (parts / "part-001").write_bytes(b"else")
    with pytest.raises(UserError, match="part-001 is damaged: its SHA-256 is not the one in parts.json"):
        carry.join(parts, again)
    with pytest.raises(UserError, match="has no model nobody; name some of its models/"):
        carry.pack(finished, parts, ["nobody"], 100_000)
