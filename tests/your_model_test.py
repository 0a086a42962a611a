"""The README's section "Your model, your data", command by command as it stands there, on a tiny model."""

import json
import pathlib
import re
import shlex

import jax
import numpy as np
import pytest
from notebooks import Notebook
from tokenizer_fixtures import word_problems

import procsup_jax
from procsup_jax import main
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text.encoding import layout_for
from procsup_jax.text.steps import split_steps
from procsup_jax.text.tokenizer import load_tokenizer

ROOT = pathlib.Path(__file__).parents[1]
NUM_PROBLEMS = 8


def blocks():
    """Return the section's blocks of lines."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Your model, your data\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


def commands(place):
    """Return the commands of one of the section's blocks that are commands."""
    block = [block for block in blocks() if block.startswith("procsup")][place].replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in block.splitlines() if line.strip()]


def records_shown(key):
    """Return the record that the section shows which has this key."""
    [found] = [record for block in blocks() if block.startswith("{") if key in (record := json.loads(block))]
    return found


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, digits_bpe_folder):
    """Return a folder with what the commands start from: a small model, GSM8K's form, small settings."""
    folder = tmp_path_factory.mktemp("yours")
    tokenizer = load_tokenizer(digits_bpe_folder)
    config = api.ModelConfig(tokenizer.size, 2, 16, 2, 1, 8, 32, max_len=512)
    params = api.init_params(config, jax.random.key(0))
    procsup_jax.save_model(folder / "models/smollm2", Model(config, params, tokenizer, layout_for(tokenizer, "lines")))
    lines = [text for text in word_problems() if text.startswith("Question")][:NUM_PROBLEMS]
    rows = [dict(zip(("question", "answer"), text[10:].split("\nSolution:\n"), strict=True)) for text in lines]
    (folder / "gsm8k").mkdir()
    for split in ("train", "test"):
        write_lines(folder / f"gsm8k/{split}.jsonl", rows)
    return folder


def run(workplace, monkeypatch, words):
    monkeypatch.chdir(workplace)
    small = {"--config=train": "--config=train:tiny", "--config=train:reward_model": "--config=train:tiny"}
    words = [small[word] if word.startswith("--config=") else word for word in words]
    assert words[0] == "procsup"
    return main.main(words[1:])


def run_all(workplace, monkeypatch, capsys, place):
    for words in commands(place):
        assert run(workplace, monkeypatch, words) == 0, f"{shlex.join(words)}: {capsys.readouterr().err}"


def test_every_command_works_as_it_stands(workplace, monkeypatch, capsys):
    given = commands(0)
    assert len(given) <= 10
    run_all(workplace, monkeypatch, capsys, 0)
    jobs = [words[1] for words in given]
    assert {"data", "train", "sample", "label", "score", "search", "evaluate", "convert"} == set(jobs)
    assert jobs.count("train") == 3


def test_what_they_leave_is_whole(workplace):
    results = json.loads((workplace / "results.json").read_text())
    assert results["n"] == NUM_PROBLEMS
    assert {"majority", "orm_weighted", "prm_weighted", "prm_step"} <= set(results["decoding"])
    sft, exported = (procsup_jax.read_any(workplace / "models" / name) for name in ("sft", "sft_hf"))
    ids = sft.encode("Question: Ann has 5 + 3 apples.\n")
    np.testing.assert_allclose(sft.logprobs(ids), exported.logprobs(ids), atol=1e-5)
    assert procsup_jax.load_model(workplace / "models/prm").head.kind == "verdict"


def test_the_exported_model_is_the_same_in_transformers(workplace):
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(workplace / "models/sft_hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(workplace / "models/sft_hf")
    ours = procsup_jax.load_model(workplace / "models/sft")
    ids = ours.encode("Question: Ann has 5 + 3 apples.\n")
    assert tokenizer("Question: Ann has 5 + 3 apples.\n")["input_ids"] == ids
    with torch.no_grad():
        logprob_lv = torch.log_softmax(theirs(torch.tensor([ids])).logits[0], -1)
    wanted = logprob_lv[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].numpy()
    np.testing.assert_allclose(ours.logprobs(ids), wanted, atol=1e-4)


def test_a_reward_model_learns_from_labels_that_people_made(workplace, monkeypatch, capsys):
    shown = records_shown("steps")
    assert {type(value) for value in shown["steps"]} == {int, float, type(None)}
    samples = procsup_jax.read_samples(workplace / "s.jsonl")
    rows = []
    for sample in samples:
        num_steps = len(split_steps(sample.solution))
        key = {"problem_uid": sample.problem_uid, "sample": sample.sample}
        rows.append({**shown, **key, "steps": (shown["steps"] * num_steps)[:num_steps]})
    write_lines(workplace / "people.jsonl", rows)
    run_all(workplace, monkeypatch, capsys, 1)
    found = json.loads((workplace / "three.json").read_text())
    assert {"orm", "prm", "people"} <= set(found["reward_models"])
    assert {"majority", "orm_weighted", "prm_weighted", "people_weighted", "people_best"} <= set(found["decoding"])
    assert procsup_jax.load_model(workplace / "models/people").metadata["examples"] > 0


def test_solutions_of_another_system_are_graded_scored_and_voted_on(workplace, monkeypatch, capsys):
    shown, rows = records_shown("solution"), []
    for problem in procsup_jax.read_problems(workplace / "p.jsonl"):
        for sample, answer in enumerate([problem.answer, problem.answer, "1" + problem.answer]):
            text = f"Ann has some.\n\nThey add up.\n\nThe answer is $\\boxed{{{answer}}}$."
            rows.append({**shown, "problem_uid": problem.uid, "sample": sample, "answer": answer, "solution": text})
    write_lines(workplace / "theirs.jsonl", rows)
    run_all(workplace, monkeypatch, capsys, 2)
    assert f"{len(rows)} solutions: {len(rows) * 2 // 3} correct" in capsys.readouterr().out
    scores = procsup_jax.read_scores(workplace / "theirs_scores.jsonl")
    assert [len(score.step_probs) for score in scores] == [3] * len(rows)
    found = json.loads((workplace / "theirs.json").read_text())["decoding"]
    assert found["majority"]["final_answer_error"] == 0.0
    assert found["people_weighted"]["n"] == NUM_PROBLEMS


def test_the_notebook_goes_the_same_way(workplace, tmp_path, monkeypatch, capsys):
    notebook = Notebook("your_model", tmp_path, monkeypatch)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/mine").symlink_to(workplace / "models/smollm2")
    (tmp_path / "gsm8k").symlink_to(workplace / "gsm8k")
    notebook.run(num_problems=NUM_PROBLEMS, fit="tiny", judge_fit="tiny")
    jobs = [command.split()[0] for command in notebook.commands]
    assert {"data", "train", "sample", "label", "score", "evaluate", "convert"} == set(jobs)
    found = json.loads((tmp_path / "results.json").read_text())["decoding"]
    assert {"majority", "prm_weighted", "prm_best"} <= set(found)
    assert [shown.count("hsl(") > 0 for shown in notebook.shown] == [True] * 8  # k
    assert procsup_jax.read_any(tmp_path / "models/sft_hf")
