import collections

import hypothesis
import pytest
from hypothesis import strategies as st

from procsup_jax.errors import UserError
from procsup_jax.improve import collect
from procsup_jax.types import Problem, Sample, Score

PROBLEMS = [Problem("b", "?", "2"), Problem("a", "?", "1"), Problem("c", "?", "3")]
ANSWERS = {"a": ["1", "9", "1.0", None], "b": ["9", "2", "2", "2"], "c": [None, "9", "9", "9"]}
SAMPLES = [Sample(uid, i, f"{uid}{i}", answer) for uid, row in ANSWERS.items() for i, answer in enumerate(row)]


def keys(samples):
    return [(sample.problem_uid, sample.sample) for sample in samples]


def test_all_correct_keeps_every_right_answer_in_order():
    expected = [("b", 1), ("b", 2), ("b", 3), ("a", 0), ("a", 2)]
    assert keys(collect.all_correct(PROBLEMS, SAMPLES)) == expected
    assert keys(collect.all_correct(PROBLEMS, SAMPLES[::-1])) == expected


def test_equal_solutions_keep_their_multiplicity():
    same = [Sample("a", i, "the same", "1") for i in range(3)]
    assert len(collect.all_correct(PROBLEMS, same)) == 3
    assert len(collect.one_correct(PROBLEMS, same, seed=0)) == 1


def test_one_correct_keeps_one_for_each_problem_that_has_any():
    kept = collect.one_correct(PROBLEMS, SAMPLES, seed=0)
    assert [sample.problem_uid for sample in kept] == ["b", "a"]
    assert set(keys(kept)) <= set(keys(collect.all_correct(PROBLEMS, SAMPLES)))


def test_one_correct_draws_by_seed_and_problem():
    problems = [Problem(f"p{i}", "?", "1") for i in range(300)]
    samples = [Sample(problem.uid, i, "", "1") for problem in problems for i in range(3)]
    drawn = collections.Counter(sample.sample for sample in collect.one_correct(problems, samples, seed=0))
    assert min(drawn[i] for i in range(3)) > 60
    assert collect.one_correct(problems, samples, seed=1) != collect.one_correct(problems, samples, seed=0)
    # What is drawn for a problem does not depend on the other problems.
    alone = collect.one_correct(problems[7:8], samples[21:24], seed=0)
    assert alone == [collect.one_correct(problems, samples, seed=0)[7]]


def test_best_scored_takes_the_highest_right_or_wrong():
    probs = {"a": [0.2, 0.8, 0.3, 0.99], "b": [0.5, 0.7, 0.7, 0.1], "c": [0.9, 0.0, 0.0, 0.0]}
    scores = [Score(uid, i, (), prob, "last") for uid, row in probs.items() for i, prob in enumerate(row)]
    kept = collect.best_scored(SAMPLES, scores)
    assert keys(kept) == [("a", 1), ("b", 1), ("c", 1)]  # no sample without an answer; ties to the lower index
    assert collect.best_scored([Sample("a", 3, "", None)], scores) == []
    with pytest.raises(UserError, match="1 of 12 samples have no score, first sample 0 of problem 'a'"):
        collect.best_scored(SAMPLES, scores[1:])


def test_as_searched_leaves_out_solutions_without_an_end():
    assert keys(collect.as_searched(SAMPLES[2:5])) == [("a", 2), ("b", 0)]


def test_samples_of_unknown_problems_are_refused():
    for rule in (lambda p, s: collect.one_correct(p, s, seed=0), collect.all_correct):
        with pytest.raises(UserError, match="samples of 1 problems that are not given, first 'c'"):
            rule(PROBLEMS[:2], SAMPLES)


@hypothesis.given(st.randoms(use_true_random=False), st.integers(0, 5))
def test_the_order_of_samples_changes_nothing(rng, seed):
    shuffled = rng.sample(SAMPLES, len(SAMPLES))
    assert collect.one_correct(PROBLEMS, shuffled, seed) == collect.one_correct(PROBLEMS, SAMPLES, seed)
    assert collect.all_correct(PROBLEMS, shuffled) == collect.all_correct(PROBLEMS, SAMPLES)
    scores = [Score(sample.problem_uid, sample.sample, (), sample.sample % 2 / 2, "last") for sample in SAMPLES]
    assert set(keys(collect.best_scored(shuffled, scores))) == set(keys(collect.best_scored(SAMPLES, scores)))
