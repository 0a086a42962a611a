"""Which problems a run has, by its settings."""

import json

import pytest

from procsup_jax.recipes.artefacts import Problems
from procsup_jax.recipes.data import problems
from procsup_jax.recipes.settings import DataSettings, ExperimentSettings
from procsup_jax.runner.folder import RunFolder
from procsup_jax.runner.graph import Graph


@pytest.fixture
def held_out(tmp_path):
    """Return how to draw a run's validation problems, of 300 training ones."""
    for split, num in (("train", 300), ("test", 3)):
        lines = [json.dumps({"question": f"{i}?", "answer": f"so\n#### {i}"}) for i in range(num)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    nothing = dict.fromkeys(("num_sft", "num_rm", "num_rl", "num_validation", "num_test"), 0)

    def drawn(seed, **changes):
        data = DataSettings(kind="gsm8k", path=str(tmp_path), **nothing, **changes)
        settings = ExperimentSettings(seed=seed, data=data, process_labels="intermediate")
        folder = RunFolder(tmp_path / f"run{seed}{changes}", settings)
        folder.run(Graph.of([problems(settings)]))
        return [problem.uid for problem in folder.read(Problems("validation"))]

    return drawn


def test_gsm8ks_validation_problems_are_the_same_whatever_the_seed(held_out):
    first = held_out(0)
    assert len(first) == 256 and held_out(1) == first
    assert held_out(0, split_seed=1) != first
