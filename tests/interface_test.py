"""The Python interface: the jobs as functions, and an import that costs nothing."""

import subprocess
import sys

import jax
import pytest

import procsup_jax
from procsup_jax.models import api
from procsup_jax.text.encoding import layout_for
from procsup_jax.text.tokenizer import load_tokenizer

PROBLEMS = [procsup_jax.Problem(f"p{i}", f"What is {i}+1?", str(i + 1), f"{i}+1\n#### {i + 1}") for i in range(2)]


@pytest.fixture(scope="module")
def model(digits_bpe_folder):
    tokenizer = load_tokenizer(digits_bpe_folder)
    config = api.ModelConfig(tokenizer.size, 1, 16, 2, 1, 8, 24, max_len=128)
    params = api.init_params(config, jax.random.key(0))
    return procsup_jax.Model(config, params, tokenizer, layout_for(tokenizer, "lines"), name="tiny")


def test_importing_it_imports_no_library():
    code = "import sys, procsup_jax; sys.exit(any(m in sys.modules for m in ('jax', 'numpy', 'flax', 'tokenizers')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_name_is_there():
    assert set(procsup_jax.__all__) <= set(dir(procsup_jax))
    assert all(getattr(procsup_jax, name).__doc__ for name in procsup_jax.__all__)
    with pytest.raises(AttributeError, match="no attribute 'verify'"):
        _ = procsup_jax.verify


def test_the_jobs_as_functions(model, tmp_path):
    settings = procsup_jax.DecodeSettings(num_samples=2, max_new_tokens=8)
    samples = procsup_jax.sample(model, PROBLEMS, settings, seed=1)
    greedy = procsup_jax.sample(model, PROBLEMS, procsup_jax.DecodeSettings(temperature=0.0, max_new_tokens=8))
    assert [each.decoding for each in (*samples, *greedy)] == [None] * 4 + ["greedy"] * 2
    judge = model.with_head(api.ClassifierHead())
    steps = procsup_jax.StepSearchSettings(num_candidates=2, max_step_tokens=4, max_new_tokens=8)
    searched = procsup_jax.search(model, judge, PROBLEMS, steps, judge="mine")
    assert [each.decoding for each in searched] == ["mine_step"] * 2 and all(each.rm_tokens for each in searched)
    everything = [*samples, *greedy, *searched]
    scores = procsup_jax.score(judge, PROBLEMS, everything, aggregate="min")
    labels = procsup_jax.label("intermediate", PROBLEMS, samples)
    found = procsup_jax.evaluate(PROBLEMS, everything, {"mine": scores}, labels)
    assert {"greedy", "majority", "mine_weighted", "mine_best", "mine_step"} <= set(found["decoding"])
    procsup_jax.write_samples(tmp_path / "s.jsonl", everything)
    assert procsup_jax.read_samples(tmp_path / "s.jsonl") == everything


def test_answers_are_read_from_solutions(capsys):
    problems = [procsup_jax.Problem("a", "?", "#### 18"), procsup_jax.Problem("b", "?", "5")]
    samples = [procsup_jax.Sample("a", 0, "#### 18"), procsup_jax.Sample("b", 0, "So \\boxed{4}", "5")]
    assert procsup_jax.evaluate(problems, samples)["decoding"]["majority"]["final_answer_error"] == 0.5
    assert [label.trace_correct for label in procsup_jax.label("outcome", problems, samples)] == [True, False]
    voted = procsup_jax.vote(samples)
    assert [voted[uid]["majority"].answer for uid in "ab"] == ["18", "4"]
    assert (
        capsys.readouterr().err.count("first sample 0 of problem 'b': \"answer\" is '5', the solution gives '4'") == 3
    )
    assert procsup_jax.vote(samples, answers="strict")["b"]["majority"] == procsup_jax.Choice(None, None, 0.0)
    with pytest.raises(procsup_jax.UserError, match="1 of 1 problems have no final answer, first problem 'b'"):
        procsup_jax.evaluate([procsup_jax.Problem("b", "?", "")], samples[1:])
