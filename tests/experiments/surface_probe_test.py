"""The surface probe finds what words give away, and nothing where they give nothing away."""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from procsup_jax import records
from procsup_jax.data.worlds import splits
from procsup_jax.io.models import SHIPPED, model_folder
from procsup_jax.types import Sample, StepLabels

COMMAND = pathlib.Path(__file__).parents[2] / "experiments/testbed/surface_probe.py"


@pytest.mark.parametrize(("told", "least", "most"), [(True, 0.95, 1.0), (False, 0.2, 0.8)])
def test_the_probe_sees_words_alone(tmp_path, told, least, most):
    problems, samples, labels = splits.problems("test", 40), [], []
    for i, problem in enumerate(problems):
        steps = problem.solution.count("\n") + 1
        for k in range(2):
            is_wrong = (i + k) % 2
            word = "so so so\n" if told and is_wrong else ""
            samples.append(Sample(problem.uid, k, word + problem.solution, problem.answer))
            labels.append(StepLabels(problem.uid, k, 0 if is_wrong else -1, steps + bool(word), "oracle", "oracle"))
    for name in ("data", "samples", "labels"):
        (tmp_path / name).mkdir()
    records.write_problems(tmp_path / "data/test.jsonl", problems)
    records.write_samples(tmp_path / "samples/sft.test.drawn.jsonl", samples)
    records.write_labels(tmp_path / "labels/sft.test.drawn.oracle.jsonl", labels)
    shutil.copy(model_folder(SHIPPED) / "vocab.model", tmp_path)
    done = subprocess.run([sys.executable, COMMAND, tmp_path], capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["read"] for each in found] == ["solution", "solution and question"]
    for each in found:
        assert least <= each["auc"] <= most and least <= each["within_problems"] <= most
        assert (each["n"], each["pairs"], each["wrong_traces"]) == (80, 40, 0.5)


def test_a_missing_run_is_one_line(tmp_path):
    ended = subprocess.run([sys.executable, COMMAND, tmp_path / "none"], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"surface_probe.py: cannot read {tmp_path / 'none' / 'data/test.jsonl'}")
    assert len(ended.stderr.splitlines()) == 1
