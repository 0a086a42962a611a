import json
import random
import subprocess
import sys

import pytest

import procsup_jax
from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.evals.evaluate import evaluate
from procsup_jax.jobs.vote import VoteFlags, run
from procsup_jax.searching import decodings
from procsup_jax.searching.aggregate import to_scores
from procsup_jax.text import answered, answers
from procsup_jax.types import Problem, Sample

NUM_PROBLEMS = 40


def make(seed):
    """Return random problems, their samples, greedy and searched solutions, and two reward models' scores."""
    rng = random.Random(seed)
    problems = [Problem(f"p{i}", "?", "0.5") for i in range(NUM_PROBLEMS)]
    endings = ["#### 0.5", "#### 1/2", "#### 3", "#### 4", "no answer"]
    drawn = [Sample(each.uid, i, f"s\n{rng.choice(endings)}") for each in problems for i in range(rng.randint(1, 5))]
    first = [sample for sample in drawn if sample.sample == 0]
    samples = [*drawn, *(decodings.mark(each, name) for name in ("greedy", "orm_step") for each in first)]
    samples = answered.samples(samples).samples
    scores = {
        judge: to_scores(samples, [(0.5, rng.choice([0.1, 0.2, 0.3])) for _ in samples], "last", judge)
        for judge in ("orm", "mine")
    }
    return problems, samples, scores


@pytest.fixture
def files(tmp_path):
    problems, samples, scores = make(0)
    paths = {name: tmp_path / f"{name}.jsonl" for name in ("problems", "samples", "orm", "mine", "output")}
    records.write_problems(paths["problems"], problems)
    records.write_samples(paths["samples"], samples)
    for judge, found in scores.items():
        records.write_scores(paths[judge], found)
    return paths


def lines_of(paths, **chosen):
    run(VoteFlags(paths["output"], [paths["samples"]], [f"{name}={paths[name]}" for name in ("orm", "mine")], **chosen))
    return [json.loads(line) for line in paths["output"].read_text().splitlines()]


@pytest.mark.parametrize("seed", [0, 7])
def test_it_chooses_what_evaluate_measures(files, seed, capsys):
    problems, samples, scores = make(0)
    measured = evaluate(problems, samples, scores, seed=seed)["decoding"]
    lines = lines_of(files, seed=seed)
    assert [line["problem_uid"] for line in lines] == [problem.uid for problem in problems]
    by_key = {sample.key: sample for sample in samples}
    for decoding, found in measured.items():
        wrong = 0
        for line in lines:
            choice = line["choices"][decoding]
            wrong += not answers.same_answer(choice["answer"], "0.5")
            if choice["sample"] is not None:
                own = decoding if decodings.writes(decoding) else None
                chosen = by_key[line["problem_uid"], choice["sample"], own]
                assert answers.same_answer(chosen.answer, choice["answer"])
        assert wrong / NUM_PROBLEMS == found["final_answer_error"]
    assert list(lines[0]["choices"]) == list(measured)
    assert capsys.readouterr().out.startswith(
        f"{NUM_PROBLEMS} problems decided by greedy, majority, orm_weighted, mine_"
    )


def test_the_python_interface_chooses_the_same(files):
    problems, samples, scores = make(0)
    found = procsup_jax.vote(samples, scores, problems=problems, seed=3)
    for line in lines_of(files, seed=3):
        for decoding, choice in line["choices"].items():
            chosen = found[line["problem_uid"]][decoding]
            assert (chosen.sample and chosen.sample.sample, chosen.answer, chosen.score) == tuple(choice.values())
    assert procsup_jax.vote(samples, scores, seed=3) == found


def test_answers_and_problems_are_not_needed(files):
    without = lines_of(files)
    problems, samples, _ = make(0)
    records.write_problems(files["problems"], [Problem(each.uid, "?", "") for each in reversed(problems)])
    records.write_samples(
        files["samples"], [Sample(*each.key[:2], each.solution, decoding=each.decoding) for each in samples]
    )
    assert lines_of(files, problems=files["problems"]) == without[::-1]


def test_values_count_together_however_they_are_written(tmp_path):
    endings = ["\\boxed{0.5}", "\\boxed{\\frac{1}{2}}", "\\boxed{\\frac12}", "\\boxed{3}", "\\boxed{3}"]
    records.write_samples(tmp_path / "s.jsonl", [Sample("a", i, ending) for i, ending in enumerate(endings)])
    run(VoteFlags(tmp_path / "v.jsonl", [tmp_path / "s.jsonl"]))
    choice = json.loads((tmp_path / "v.jsonl").read_text())["choices"]["majority"]
    assert (choice["answer"], choice["score"]) == ("0.5", 0.6)
    assert choice["sample"] in (0, 1, 2)


def test_what_has_no_answer_or_no_score_is_null(tmp_path):
    greedy = [Sample("a", 0, "nothing", decoding="greedy"), Sample("b", 0, "#### 4", decoding="greedy")]
    records.write_samples(tmp_path / "s.jsonl", greedy)
    run(VoteFlags(tmp_path / "v.jsonl", [tmp_path / "s.jsonl"]))
    assert [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()] == [
        {"problem_uid": "a", "choices": {"greedy": {"sample": None, "answer": None, "score": 0.0}}},
        {"problem_uid": "b", "choices": {"greedy": {"sample": 0, "answer": "4", "score": None}}},
    ]


def test_mistakes_are_one_clear_line(files, tmp_path):
    with pytest.raises(UserError, match="procsup vote needs --samples"):
        run(VoteFlags(tmp_path / "v.jsonl"))
    records.write_problems(files["problems"], [Problem("p0", "?", "1"), Problem("other", "?", "1")])
    with pytest.raises(UserError, match='"problem_uid" is "p1", expected a problem of the file'):
        lines_of(files, problems=files["problems"])
    records.write_samples(files["samples"], [])
    with pytest.raises(UserError, match="found 0 problems and 0 samples, expected at least one of each"):
        lines_of(files)


def test_bad_lines_are_left_out(files, capsys):
    whole = files["samples"].read_text().splitlines(keepends=True)
    files["samples"].write_text("".join(["{broken\n", *whole[1:]]))
    with pytest.raises(UserError, match="samples.jsonl:1"):
        lines_of(files)
    assert lines_of(files, skip_bad=True)
    assert "left out 1 bad lines" in capsys.readouterr().out


def test_the_job_needs_no_jax():
    code = "import sys, procsup_jax.jobs.vote; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
