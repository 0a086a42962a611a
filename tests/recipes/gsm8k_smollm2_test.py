"""GSM8K's config at its tiniest, on random weights: every stage, every set, and what is measured on real problems."""

import json

import jax
import pytest

from procsup_jax import main
from procsup_jax.io.models import save_model
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text.encoding import layout_for
from procsup_jax.text.tokenizer import load_tokenizer

SETS = {"test", "short", "ood", "svamp"}
RMS = {"sft_orm", "sft_prm", "sft_prm_rollouts"}


def solved(i, num_steps):
    """Return a problem in GSM8K's form whose solution has so many steps and an answer."""
    steps = [f"Ann has {i}+{k}=<<{i}+{k}={i + k}>>{i + k} pens." for k in range(1, num_steps + 1)]
    question = f"Ann has {i} pens and gets {num_steps} more. How many has she?"
    return {"question": question, "answer": "\n".join([*steps, f"#### {i + num_steps}"])}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Return flags that name made-up problems of every set, in the published forms."""
    folder = tmp_path_factory.mktemp("problems")
    rows = {
        "train": [solved(i, 1 + i % 4) for i in range(270)],
        "test": [solved(i, 2 + 3 * (i % 2)) for i in range(300, 308)],
        "ood": [
            {"problem": f"${i}+1$?", "level": "Level 1", "type": "Prealgebra", "solution": f"$\\boxed{{{i + 1}}}$"}
            for i in range(3)
        ],
        "svamp": [{"ID": f"{i}", "Body": "Ann has 2 pens.", "Question": "How many?", "Answer": 2.0} for i in range(3)],
        "processbench": [
            {"id": f"gsm8k-{i}", "generator": "one", "problem": "Ann has 2 pens and gets 2. How many?",
             "steps": ["2+2 is 4.", "So 5."], "label": i - 1, "final_answer_correct": i == 0}
            for i in range(3)
        ],
    }  # fmt: skip
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    further = ("ood", "svamp", "processbench")
    return [f"--config.data.path={folder}", *(f"--config.data.{name}_path={folder / name}.jsonl" for name in further)]


@pytest.fixture(scope="module")
def finished(bpe_folder, paths, tmp_path_factory):
    tokenizer = load_tokenizer(bpe_folder)
    config = api.ModelConfig(
        vocab_size=tokenizer.size, num_layers=4, d_model=16, num_heads=2, num_kv_heads=1, head_dim=8, d_ff=32,
        max_len=1024, tied_embeddings=True,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("smollm2")
    params = api.init_params(config, jax.random.key(0))
    save_model(folder / "base", Model(config, params, tokenizer, layout_for(tokenizer, "lines")))
    args = ["--config=configs/gsm8k_smollm2.py:tiny", f"--config.base.source={folder / 'base'}", *paths]
    args += ["--config.base.keep_layers=2", f"--workdir={folder / 'run'}"]
    assert main.main(["run", *args]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def results(finished):
    return json.loads((finished / "results.json").read_text())


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
    assert set(found["pass_at_k"]) == {"1", "2"}
    assert set(found["trace_bounds"]["majority"]) == {"calculator", "intermediate"}
    assert set(results["real_problems"]["text"]["sft"]["svamp"]["trace_bounds"]["majority"]) == {"calculator"}
    assert set(results["real_problems"]["label_sources"]["sources"]) == {
        "outcome", "intermediate", "calculator", "rollouts",
    }  # fmt: skip


def test_the_base_is_cut_to_its_first_layers(finished):
    header = json.loads((finished / "models/base/model.json").read_text())
    assert header["config"]["num_layers"] == 2


def test_a_finished_run_is_finished(finished, capsys, paths):
    args = ["--config=configs/gsm8k_smollm2.py:tiny", *paths, f"--workdir={finished}"]
    base = json.loads((finished / "results.json").read_text())["config"]["config.base.source"]
    assert (
        main.main(["run", *args, f"--config.base.source={base}", "--config.base.keep_layers=2", "--stages=list"]) == 0
    )
    last = capsys.readouterr().out.splitlines()[-1].split()
    assert int(last[0]) == int(last[2]) + 1
