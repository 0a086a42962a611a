"""A model's folder says what it is, and a job that wants another says so before it reads its parameters."""

import json

import jax
import pytest

from procsup_jax import main
from procsup_jax.data.worlds import splits
from procsup_jax.io import models as model_files
from procsup_jax.io.models import save_model
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.records import write_problems
from procsup_jax.text.vocab import train_vocab


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("roles")
    problems = splits.problems("sft", 12)
    write_problems(path / "p.jsonl", problems)
    lines = [{"problem_uid": p.uid, "sample": 0, "solution": p.solution, "answer": p.answer} for p in problems]
    (path / "s.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    vocab = train_vocab([f"{p.question}\n{p.solution}" for p in problems], 400, path / "vocab.model", seed=0)
    config = api.ModelConfig(vocab.size, 1, 16, 2, 2, 8, 32, max_len=384)
    params = api.init_params(config, jax.random.key(0))
    save_model(path / "policy", Model(config, params, vocab))
    for name, head in (("orm", api.ProductHead()), ("verdict", api.VerdictHead(5, 6))):
        model = Model(config, params, vocab).with_head(head, jax.random.key(1))
        save_model(path / name, model.replace(metadata={"task": "orm"}))
    return path


def run(folder, job, **flags):
    given = {"problems": folder / "p.jsonl", "output": folder / f"{job}.out"} if job != "convert" else {}
    flags = {name.replace("force", "--force"): value for name, value in flags.items()}
    argv = ["--force" if name == "--force" else f"--{name}={value}" for name, value in {**given, **flags}.items()]
    return main.main([job, *argv])


@pytest.mark.parametrize(
    ("job", "flags", "said"),
    [
        ("sample", {"policy": "orm"}, "--policy=FOLDER/orm is a reward model (its head is product): give a policy, or"),
        ("search", {"policy": "orm", "rm": "orm", "judge": "orm"}, "--policy=FOLDER/orm is a reward model"),
        ("search", {"policy": "policy", "rm": "policy"}, "--rm=FOLDER/policy is no reward model"),
        ("search", {"policy": "policy", "rm": "orm"}, "is a reward model of the kind orm, and would be called prm"),
        ("score", {"samples": "s.jsonl", "rm": "policy"}, "--rm=FOLDER/policy is no reward model"),
        ("train", {"task": "sft", "model": "orm"}, "--model=FOLDER/orm is a reward model"),
        ("train", {"task": "distil", "samples": "s.jsonl", "model": "verdict"}, "its head is verdict"),
        ("convert", {"input": "verdict", "output": "hf", "to": "hf"}, "--input=FOLDER/verdict is a reward model"),
    ],
)
def test_a_model_of_the_other_role_is_refused_before_its_parameters_are_read(
    folder, job, flags, said, capsys, monkeypatch
):
    if job != "convert":
        monkeypatch.setattr(model_files, "read_params", lambda *args: pytest.fail("the parameters were read"))
    paths = ("policy", "rm", "samples", "model", "input", "output")
    assert run(folder, job, **{name: folder / value if name in paths else value for name, value in flags.items()}) == 2
    error = capsys.readouterr().err
    assert said.replace("FOLDER", str(folder)) in error
    assert error.count("\n") == 1


def test_force_takes_the_trunk_of_a_reward_model(folder):
    assert run(folder, "convert", input=folder / "verdict", output=folder / "hf", to="hf", force=True) == 0
    forced = model_files.load_policy(folder / "orm", "policy", force=True)
    assert forced.head is None
    assert forced.params.keys() == model_files.load_model(folder / "policy").params.keys()


def test_scores_that_tell_nothing_are_warned_of_and_carry_the_task(folder, capsys):
    blank = model_files.load_model(folder / "verdict")
    params = jax.tree.map(lambda a: 0 * a, blank.params)
    save_model(folder / "blank", blank.replace(params=params, metadata={"task": "orm", "tokens_seen": "AA=="}))
    assert run(folder, "score", samples=folder / "s.jsonl", rm=folder / "blank", batch_size=4) == 0
    assert "procsup: warning" in (error := capsys.readouterr().err)
    assert "gives 12 different solutions the same score" in error and "never saw 100.0 % of these tokens" in error
    lines = [json.loads(line) for line in (folder / "score.out").read_text().splitlines()]
    assert {line["rm_task"] for line in lines} == {"orm"}
    scores = f"--scores=prm={folder / 'score.out'}"
    given = [f"--problems={folder / 'p.jsonl'}", f"--samples={folder / 's.jsonl'}", f"--output={folder / 'e.json'}"]
    for job in ("evaluate", "vote"):
        assert main.main([job, *given, scores]) == 2
        assert "are the files exchanged?" in capsys.readouterr().err
        assert main.main([job, *given, scores, "--force"]) == 0
