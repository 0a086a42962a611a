"""Votes over the first samples of each problem, worked out by hand."""

from procsup_jax.evals import outcomes, votes_by_k
from procsup_jax.evals.join import join
from procsup_jax.types import Problem, Sample, Score


def test_votes_over_more_samples():
    rows = {"a": ["2", "1", "1"], "b": ["1", "2", "2"]}
    problems = [Problem(uid, "?", "1") for uid in rows]
    samples = [Sample(uid, i, "s", answer) for uid, row in rows.items() for i, answer in enumerate(row)]
    scores = [
        Score(s.problem_uid, s.sample, (p,), p, "last") for s in samples for p in [0.9 if s.answer == "1" else 0.1]
    ]
    joined = join(problems, samples, {"orm": scores}, ())
    found = votes_by_k.measure(joined)
    assert list(found) == ["majority", "orm_weighted"]
    assert {k: each["value"] for k, each in found["orm_weighted"].items()} == {"1": 0.5, "2": 0, "3": 0}
    assert (found["majority"]["1"]["value"], found["majority"]["3"]["value"]) == (0.5, 0.5)
    assert found["majority"]["3"]["value"] == outcomes.measure_all(joined, 0)["majority"].error_b.mean()
    assert found["majority"]["1"]["n"] == 2


def test_there_are_none_without_drawn_samples():
    joined = join([Problem("a", "?", "1")], [Sample("a", 0, "s", "1", decoding="greedy")], {}, ())
    assert votes_by_k.measure(joined) == {}
