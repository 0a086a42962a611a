"""The jobs hand files to each other: data, sample, label, score, grade, evaluate as whole commands."""

import json

import pytest
import small_models

from procsup_jax import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("jobs")
    small_models.worlds_folder(path, num_layers=2, num_problems=3)
    assert sample(path, "s.jsonl", "--k=3") == 0
    return path


def sample(path, output, *args):
    common = [
        f"--problems={path / 'p.jsonl'}",
        f"--policy={path / 'models/policy'}",
        "--max_new_tokens=16",
        "--config=configs/sample.py",
        "--config.lanes=3",
    ]
    return main.main(["sample", *common, f"--output={path / output}", *args])


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_data_writes_problems(folder):
    assert [line["uid"] for line in lines(folder / "p.jsonl")] == ["worlds-test-0", "worlds-test-1", "worlds-test-2"]


def test_sample_writes_k_solutions_a_problem_and_repeats_itself(folder):
    found = lines(folder / "s.jsonl")
    assert [(line["problem_uid"], line["sample"]) for line in found] == [
        (f"worlds-test-{i}", k) for i in range(3) for k in range(3)
    ]
    assert sample(folder, "again.jsonl", "--k=3", "--config.lanes=1", "--config.slots=2") == 0
    assert (folder / "again.jsonl").read_bytes() == (folder / "s.jsonl").read_bytes()


def test_temperature_zero_is_greedy(folder):
    assert sample(folder, "greedy.jsonl", "--temperature=0") == 0
    assert [(line["decoding"], line["sample"]) for line in lines(folder / "greedy.jsonl")] == [("greedy", 0)] * 3


def search(path, *args):
    files = [f"--problems={path / 'p.jsonl'}", f"--policy={path / 'models/policy'}", f"--output={path / 'f.jsonl'}"]
    steps = {"num_candidates": 2, "max_step_tokens": 8, "max_new_tokens": 16}
    settings = ["--config=configs/search.py", *(f"--config.steps.{name}={value}" for name, value in steps.items())]
    tree = ["--config.tree.num_expansions=3", "--config.tree.max_policy_tokens=20"]
    return main.main(["search", *files, *settings, *tree, *args])


@pytest.mark.parametrize(("method", "judge"), [("step", "prm"), ("beam", "orm"), ("puct", "mine")])
def test_search_is_a_job_and_needs_a_reward_model(method, judge, folder, capsys):
    args = [f"--method={method}", f"--judge={judge}"]
    assert search(folder, *args) == 2
    assert "procsup search needs --rm" in capsys.readouterr().err
    assert search(folder, *args, f"--rm={folder / 'models/policy'}") == 2
    assert "policy is no reward model, as its model.json names no head" in capsys.readouterr().err
    assert search(folder, *args, f"--rm={folder / 'models/rm'}") == 0
    found = lines(folder / "f.jsonl")
    assert {line["decoding"] for line in found} == {f"{judge}_{method}"}
    for line in found:
        # Step search has no budget but its steps': 15 of them, two candidates of 8 tokens for each.
        assert 0 < line["policy_tokens"] <= (20 if method != "step" else 15 * 2 * 8)
        assert line["rm_tokens"] > 0


def test_label_score_grade_evaluate_chain(folder):
    files = [f"--problems={folder / 'p.jsonl'}", f"--samples={folder / 's.jsonl'}"]
    assert main.main(["label", *files, "--source=oracle", f"--output={folder / 'l.jsonl'}"]) == 0
    assert main.main(["score", *files, f"--rm={folder / 'models/rm'}", f"--output={folder / 'o.jsonl'}"]) == 0
    assert main.main(["grade", *files, f"--output={folder / 'g.jsonl'}"]) == 0
    scores = [f"--scores=orm={folder / 'o.jsonl'}", f"--labels={folder / 'l.jsonl'}"]
    assert main.main(["evaluate", *files, *scores, f"--output={folder / 'r.json'}"]) == 0
    steps = {(line["problem_uid"], line["sample"]): len(line["steps"]) for line in lines(folder / "g.jsonl")}
    for line in lines(folder / "o.jsonl"):
        assert len(line["step_probs"]) == steps[line["problem_uid"], line["sample"]]
        assert all(0 <= prob <= 1 for prob in line["step_probs"])
    assert {"majority", "orm_weighted"} <= set(json.loads((folder / "r.json").read_text())["decoding"])
