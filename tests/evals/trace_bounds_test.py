"""Traces of right answers without an oracle: wrong arithmetic, and values that the reference does not have."""

from procsup_jax.evals import trace_bounds
from procsup_jax.types import Problem, Sample

REFERENCE = "5+3=<<5+3=8>>8\n8*2=<<8*2=16>>16\n#### 16"
FAULTY = "5+3=<<5+3=9>>9\n8*2=<<8*2=16>>16\n#### 16"
OTHER_WAY = "5*2=<<5*2=10>>10\n10+6=<<10+6=16>>16\n#### 16"


def measured(problem):
    texts = {0: REFERENCE, 1: FAULTY, 2: OTHER_WAY, 3: "1+1=<<1+1=3>>3\n#### 3"}
    samples = [Sample("a", i, text, text.rpartition(" ")[2]) for i, text in texts.items()]
    return trace_bounds.measure([problem], [*samples, Sample("a", 0, FAULTY, "16", decoding="greedy")], {})


def test_the_calculator_sees_arithmetic_and_intermediate_values_more():
    found = measured(Problem("a", "?", "16", REFERENCE))
    assert found["one_sample"]["calculator"]["value"] == 1 / 3
    assert found["one_sample"]["intermediate"]["value"] == 2 / 3
    assert found["greedy"]["calculator"]["value"] == found["greedy"]["intermediate"]["value"] == 1
    assert found["greedy"]["calculator"]["n"] == 1
    assert "majority" in found


def test_without_a_reference_only_the_calculator_says_something():
    assert set(measured(Problem("a", "?", "16"))["one_sample"]) == {"calculator"}
