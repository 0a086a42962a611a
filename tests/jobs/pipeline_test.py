"""The jobs hand files to each other: data, sample, label, score, grade, evaluate as whole commands."""

import json

import jax
import pytest

from procsup_jax import main
from procsup_jax.data.worlds import splits
from procsup_jax.io.params import save_params
from procsup_jax.models import api
from procsup_jax.text.vocab import train_vocab


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("jobs")
    problems = splits.problems("sft", 20)
    vocab = train_vocab([f"{p.question}\n{p.solution}" for p in problems], 400, path / "vocab.model", seed=0)
    config = api.ModelConfig(vocab.size, 2, 16, 2, 2, 8, 32, max_len=384)
    for name, seed in (("policy", 0), ("rm", 1)):
        params = api.init_params(config, jax.random.key(seed))
        save_params(path / "models" / name, params, config, {"vocab": vocab.digest})
    assert main.main(["data", "--dataset=worlds", "--num=3", f"--output={path / 'p.jsonl'}"]) == 0
    assert sample(path, "s.jsonl", "--k=3") == 0
    return path


def sample(path, output, *args):
    common = [
        f"--problems={path / 'p.jsonl'}",
        f"--policy={path / 'models/policy'}",
        "--max_new_tokens=16",
        "--lanes=3",
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
    assert sample(folder, "again.jsonl", "--k=3", "--lanes=1", "--slots=2") == 0
    assert (folder / "again.jsonl").read_bytes() == (folder / "s.jsonl").read_bytes()


@pytest.mark.parametrize("decoding", ["prm_step", "orm_beam", "prm_puct"])
def test_search_is_a_job_and_needs_a_reward_model(decoding, folder, capsys):
    args = [f"--decoding={decoding}", "--k=2", "--max_step_tokens=8", "--num_expansions=3", "--max_policy_tokens=20"]
    assert sample(folder, "searched.jsonl", *args) == 2
    assert "step search needs --rm=FOLDER" in capsys.readouterr().err
    assert sample(folder, "searched.jsonl", *args, f"--rm={folder / 'models/rm'}") == 0
    found = lines(folder / "searched.jsonl")
    assert {line["decoding"] for line in found} == {decoding}
    for line in found:
        assert 0 < line["policy_tokens"] <= (20 if decoding != "prm_step" else 2 * 16)
        assert line["rm_tokens"] > 0


def test_label_score_grade_evaluate_chain(folder):
    files = [f"--problems={folder / 'p.jsonl'}", f"--samples={folder / 's.jsonl'}"]
    assert main.main(["label", *files, "--source=oracle", f"--output={folder / 'l.jsonl'}"]) == 0
    assert main.main(["score", *files, f"--rm={folder / 'models/rm'}", f"--output={folder / 'o.jsonl'}"]) == 0
    assert main.main(["grade", *files, f"--output={folder / 'g.jsonl'}"]) == 0
    scores = [f"--orm_scores={folder / 'o.jsonl'}", f"--labels={folder / 'l.jsonl'}"]
    assert main.main(["evaluate", *files, *scores, f"--output={folder / 'r.json'}"]) == 0
    steps = {(line["problem_uid"], line["sample"]): len(line["steps"]) for line in lines(folder / "g.jsonl")}
    for line in lines(folder / "o.jsonl"):
        assert len(line["step_probs"]) == steps[line["problem_uid"], line["sample"]]
        assert all(0 <= prob <= 1 for prob in line["step_probs"])
    assert {"majority", "orm_weighted"} <= set(json.loads((folder / "r.json").read_text())["decoding"])


def test_a_vocabulary_of_another_model_is_refused(folder, tmp_path, capsys):
    train_vocab(["some other text"], 400, tmp_path / "other.model", seed=0)
    assert sample(folder, "x.jsonl", f"--vocab={tmp_path / 'other.model'}") == 2
    assert "is not the vocabulary that" in capsys.readouterr().err
