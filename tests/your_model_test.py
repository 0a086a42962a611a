"""The README's section "Your model, your data", command by command as it stands there, on a tiny model."""

import json
import pathlib
import re
import shlex

import jax
import numpy as np
import pytest
from tokenizer_fixtures import word_problems

import procsup_jax
from procsup_jax import main
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text.encoding import layout_for
from procsup_jax.text.tokenizer import load_tokenizer

ROOT = pathlib.Path(__file__).parents[1]
NUM_PROBLEMS = 8


def commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Your model, your data\n", 1)[1].split("\n## ", 1)[0]
    block = re.search(r"```\n(procsup.*?)```", section, re.DOTALL)[1].replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in block.splitlines() if line.strip()]


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
        (folder / f"gsm8k/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def run(workplace, monkeypatch, words):
    monkeypatch.chdir(workplace)
    small = {"configs/train.py": f"{ROOT}/configs/train.py:tiny", "configs/train.py:reward_model": None}
    small["configs/train.py:reward_model"] = small["configs/train.py"]
    words = [f"--config={small[word.partition('=')[2]]}" if word.startswith("--config=") else word for word in words]
    assert words[0] == "procsup"
    return main.main(words[1:])


def test_every_command_works_as_it_stands(workplace, monkeypatch, capsys):
    given = commands()
    assert len(given) <= 10
    for words in given:
        assert run(workplace, monkeypatch, words) == 0, f"{shlex.join(words)}: {capsys.readouterr().err}"
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
