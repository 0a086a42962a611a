"""What label sources say of the same samples, worked out by hand."""

import pytest

from procsup_jax.evals import label_sources
from procsup_jax.types import Problem, Sample, StepLabels


def label(uid, sample, steps, source):
    return StepLabels(uid, sample, None, len(steps), source, source, steps=steps)


def test_shares_and_agreement():
    problems = [Problem("a", "?", "1"), Problem("b", "?", "1")]
    samples = [Sample("a", 0, "s", "1"), Sample("a", 1, "s", "2"), Sample("b", 0, "s", "1")]
    hard = [(1, 1), (0, 1), (1, None)]
    soft = [(1.0, 0.5), (0.25, 0.0), (0.75, 1.0)]
    keys = [("a", 0), ("a", 1), ("b", 0)]
    labels = {
        name: [label(*key, steps, name) for key, steps in zip(keys, values, strict=True)]
        for name, values in (("hard", hard), ("soft", soft))
    }
    found = label_sources.measure(problems, samples, labels)
    assert found["sources"]["hard"]["steps"]["value"] == pytest.approx(4 / 5)
    assert found["sources"]["soft"]["steps"]["value"] == pytest.approx(3.5 / 6)
    assert found["sources"]["hard"]["traces"]["value"] == pytest.approx(1 / 2), "one of b's steps is open"
    assert found["sources"]["soft"]["traces"]["value"] == pytest.approx(2 / 3)
    assert found["sources"]["soft"]["right_answers"]["value"] == 1
    assert found["sources"]["hard"]["right_answers"]["n"] == 1
    assert found["agreement"]["hard soft"]["value"] == pytest.approx(4 / 5)
    assert (found["samples"], found["problems"]) == (3, 2)
