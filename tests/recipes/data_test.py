"""Which problems a run has, by its settings."""

import json
import zlib

import pytest

from procsup_jax.errors import UserError
from procsup_jax.recipes.artefacts import Problems
from procsup_jax.recipes.data import problems
from procsup_jax.recipes.settings import DataSettings, ExperimentSettings
from procsup_jax.runner.folder import RunFolder
from procsup_jax.runner.graph import Graph


@pytest.fixture
def drawn(tmp_path):
    """Return how to draw the problems of a run's split, of 300 training and 3 test ones of 1, 2, and 3 steps."""
    for split, num in (("train", 300), ("test", 3)):
        lines = [json.dumps({"question": f"{i}?", "answer": "so\n" * (i % 3 + 1) + f"#### {i}"}) for i in range(num)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    nothing = dict.fromkeys(("num_sft", "num_rm", "num_rl", "num_validation", "num_test"), 0)

    def draw(split, seed=0, **changes):
        data = DataSettings(kind="gsm8k", path=str(tmp_path), **nothing, **changes)
        settings = ExperimentSettings(seed=seed, data=data, process_labels="intermediate")
        folder = RunFolder(tmp_path / f"run{zlib.crc32(repr((seed, changes)).encode())}", settings)
        folder.run(Graph.of([problems(settings)]))
        return [problem.uid for problem in folder.read(Problems(split))]

    return draw


def test_gsm8ks_validation_problems_are_the_same_whatever_the_seed(drawn):
    first = drawn("validation")
    assert len(first) == 256 and drawn("validation", 1) == first
    assert drawn("validation", split_seed=1) != first


def test_problems_of_few_steps_are_a_part_of_the_test_problems(drawn):
    assert drawn("short", short_steps=2) == drawn("test")[:2]
    with pytest.raises(UserError, match=r"split svamp is empty; raise --config.data.num_svamp|no such file|cannot"):
        drawn("svamp", svamp_path="nowhere.jsonl")


def test_other_sets_of_word_problems_are_read_as_they_were_published(drawn, tmp_path):
    (tmp_path / "asdiv.jsonl").write_text(
        '{"body": "Two pens.", "question": "How many?", "answer": "2 (pens)"}\n'
        '{"body": "Ann and Bob.", "question": "Who?", "answer": ""}\n'
    )
    (tmp_path / "multiarith.jsonl").write_text('{"input": "Two pens. How many?", "target": 2.0}\n')
    (tmp_path / "svamp.jsonl").write_text('{"ID": "1", "Body": "Two pens.", "Question": "How many?", "Answer": 2.0}\n')
    paths = {f"{name}_path": str(tmp_path / f"{name}.jsonl") for name in ("asdiv", "multiarith", "svamp")}
    assert drawn("asdiv", **paths) == ["asdiv-0"], "one without an answer is none to measure"
    assert drawn("multiarith", **paths) == ["multiarith-0"]
    assert drawn("svamp", **paths) == ["svamp-1"]
