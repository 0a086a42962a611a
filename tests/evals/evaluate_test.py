import json
import random

import hypothesis
import pytest
from hypothesis import strategies as st

from procsup_jax.evals import intervals, outcomes
from procsup_jax.evals.evaluate import difference, evaluate
from procsup_jax.evals.join import join
from procsup_jax.searching import decodings
from procsup_jax.searching.aggregate import to_scores
from procsup_jax.text import steps
from procsup_jax.types import Problem, Sample, Score, StepLabels


def make(seed, num_problems=12, num_samples=5, raters=("one",)):
    """Return random problems, samples (greedy and step-searched ones too), an ORM's and a PRM's scores and labels."""
    rng = random.Random(seed)
    problems = [Problem(f"p{i}", "?", str(i % 3)) for i in range(num_problems)]
    samples, scores, labels = [], ([], []), []
    for problem in problems:
        drawn = [
            Sample(problem.uid, i, "\n".join(["s"] * rng.randint(1, 3)), rng.choice(["0", "1", "2", None]))
            for i in range(num_samples)
        ]
        marked = [decodings.mark(drawn[0], "greedy"), decodings.mark(drawn[1], "prm_step")]
        samples += [*drawn, *marked]
        for sample in (*drawn, *marked):
            num_steps = len(steps.split_steps(sample.solution))
            for rm_scores in scores:
                step_probs = tuple(rng.choice([0.2, 0.5, 0.8]) for _ in range(num_steps))
                rm_scores += to_scores([sample], [step_probs], "last", None)
            labels += [
                StepLabels(
                    problem.uid,
                    sample.sample,
                    rng.randint(-1, num_steps - 1),
                    num_steps,
                    rater,
                    "human",
                    decoding=sample.decoding,
                )
                for rater in raters
            ]
    return problems, samples, dict(zip(("orm", "prm"), scores, strict=True)), labels


def test_a_set_worked_out_by_hand():
    problems = [Problem(uid, "?", "1") for uid in "abcd"]
    answers = {"a": ["1", "1", "2"], "b": ["1", "1", "1"], "c": ["3", "3", "1"], "d": [None, None, None]}
    probs = {"a": [0.9, 0.1, 0.2], "b": [0.3, 0.5, 0.4], "c": [0.1, 0.1, 0.8], "d": [0.9, 0.9, 0.9]}
    samples = [Sample(uid, i, "s", answer) for uid, row in answers.items() for i, answer in enumerate(row)]
    scores = [Score(uid, i, (p,), p, "last") for uid, row in probs.items() for i, p in enumerate(row)]
    wrong_traces = {("a", 0, None), ("a", 1, None), ("c", 2, None)}
    labels = [
        StepLabels(s.problem_uid, s.sample, 0 if s.key in wrong_traces else -1, 1, "r", "oracle") for s in samples
    ]
    found = evaluate(problems, samples, {"orm": scores}, labels)

    majority = found["decoding"]["majority"]
    assert (majority["final_answer_error"], majority["n"]) == (0.5, 4)
    assert (majority["trace_error"], majority["trace_n"]) == (0.5, 2)
    weighted = found["decoding"]["orm_weighted"]
    assert (weighted["final_answer_error"], weighted["trace_error"], weighted["trace_n"]) == (0.25, 2 / 3, 3)
    # Chosen scores .9, .5, .8 and none: d goes first, then b, then c.
    assert weighted["selective"][:6] == [[0.0, 0.25], [0.1, 0.25], [0.2, 0.0], [0.3, 0.0], [0.4, 0.0], [0.5, 0.0]]
    assert weighted["selective_trace"][3:6] == [[0.3, 2 / 3], [0.4, 1.0], [0.5, 1.0]]
    assert weighted["intervals"]["final_answer_error"] == list(intervals.wilson(0.25, 4))
    assert weighted["intervals"]["trace_error"] == list(intervals.wilson(2 / 3, 3))
    assert found["one_sample"]["final_answer_error"] == pytest.approx(6 / 12)
    assert found["one_sample"]["trace_error"] == pytest.approx(3 / 6)
    assert (found["one_sample"]["n"], found["one_sample"]["trace_n"]) == (4, 3)
    assert found["minus_majority"]["orm_weighted"]["final_answer_error"] == -0.25
    assert found["minus_majority"]["orm_weighted"]["trace_error"] == pytest.approx(2 / 3 - 1 / 2)
    assert (found["n"], found["samples_per_problem"], found["raters"]) == (4, [3, 3], ["r"])
    assert found["reward_models"].keys() == {"orm"}


def test_two_models_are_compared_on_the_same_problems():
    problems = [Problem(uid, "?", "1") for uid in "abcd"]
    by_model = [
        outcomes.measure_all(
            join(problems, [Sample(p.uid, 0, "", a) for p, a in zip(problems, row, strict=True)], {}, ()), seed=0
        )
        for row in ("1110", "1000")
    ]
    found = difference(by_model[0]["majority"], by_model[1]["majority"], seed=0)
    assert found["final_answer_error"] == -0.5
    assert found["intervals"]["final_answer_error"] == [-1.0, 0.0]
    assert found["trace_error"] is None


def test_everything_is_there_and_is_json():
    found = evaluate(*make(0))
    assert list(found["decoding"]) == [
        "greedy", "majority", "orm_weighted", "prm_weighted", "orm_best", "prm_best", "prm_step",
    ]  # fmt: skip
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for decoding in found["decoding"].values():
        for name, interval in decoding["intervals"].items():
            if "selective" not in name:
                assert interval[0] <= decoding[name] <= interval[1]
        assert [share for share, _ in decoding["selective"]] == [i / 10 for i in range(10)]
        assert len(decoding["intervals"]["selective"]) == 10


def test_trace_error_is_null_without_labels():
    problems, samples, scores, _ = make(1)
    found = evaluate(problems, samples, scores)
    for decoding in found["decoding"].values():
        assert decoding["trace_error"] is decoding["trace_error_min"] is decoding["trace_error_max"] is None
        assert decoding["intervals"]["trace_error"] is None
        assert decoding["trace_n"] == 0
        assert {error for _, error in decoding["selective_trace"]} == {None}
    assert found["one_sample"]["trace_error"] is None
    assert found["minus_majority"]["greedy"]["trace_error"] is None


@pytest.mark.parametrize("answer", ["1", "2"])
def test_samples_that_are_all_right_or_all_wrong_are_no_certainty(answer):
    problems = [Problem(uid, "?", "1") for uid in "abcd"]
    samples = [Sample(uid, i, "s", answer) for uid in "abcd" for i in range(3)]
    one = evaluate(problems, samples)["one_sample"]
    assert one["final_answer_error"] == float(answer != "1")
    assert one["intervals"]["final_answer_error"] == list(intervals.wilson(float(answer != "1"), 4))


def test_trace_error_is_null_where_no_answer_is_right():
    samples = [Sample("a", 0, "s", "2")]
    found = evaluate([Problem("a", "?", "1")], samples, labels=[StepLabels("a", 0, 0, 1, "r", "human")])
    assert found["decoding"]["majority"]["final_answer_error"] == 1.0
    assert found["decoding"]["majority"]["trace_error"] is None
    json.dumps(found, allow_nan=False)


def test_greedy_solutions_alone_are_enough():
    problems, samples, *_ = make(2)
    found = evaluate(problems, [s for s in samples if s.decoding == "greedy"])
    assert found["decoding"].keys() == {"greedy"}
    assert found["decoding"]["greedy"]["selective"] is None
    assert found["one_sample"] is None
    assert found["minus_majority"] == {}


@hypothesis.given(st.integers(0, 10_000), st.randoms(use_true_random=False))
@hypothesis.settings(max_examples=15)
def test_the_order_of_records_does_not_matter(seed, rng):
    problems, *rest = make(seed)
    samples, scores, labels = rest
    shuffled = {judge: rng.sample(records, len(records)) for judge, records in scores.items()}
    others = (rng.sample(records, len(records)) for records in (samples, labels))
    assert evaluate(problems, next(others), shuffled, next(others)) == evaluate(problems, *rest)


@hypothesis.given(st.integers(0, 10_000), st.randoms(use_true_random=False))
@hypothesis.settings(max_examples=15)
def test_the_order_of_problems_only_moves_the_bootstrap(seed, rng):
    problems, *rest = make(seed)
    there, back = evaluate(problems, *rest), evaluate(rng.sample(problems, len(problems)), *rest)
    assert there["decoding"] == back["decoding"]
    assert there["agreement"] == back["agreement"]


@hypothesis.given(st.integers(0, 10_000), st.sampled_from([("one",), ("one", "two"), ("one", "two", "three")]))
@hypothesis.settings(max_examples=30)
def test_the_mean_of_raters_lies_between_what_all_and_what_any_see(seed, raters):
    found = evaluate(*make(seed, raters=raters))
    for decoding in found["decoding"].values():
        assert decoding["selective"][0] == [0.0, decoding["final_answer_error"]]
        assert decoding["selective_trace"][0] == [0.0, decoding["trace_error"]]
        if decoding["trace_error"] is not None:
            least, mean, most = (decoding[f"trace_error{end}"] for end in ("_min", "", "_max"))
            assert least - 1e-12 <= mean <= most + 1e-12
            if len(raters) == 1:
                assert least == mean == most


@hypothesis.given(st.integers(0, 10_000))
@hypothesis.settings(max_examples=15)
def test_a_sample_without_an_answer_changes_no_error(seed):
    problems, samples, scores, labels = make(seed)
    silent = [Sample(problem.uid, 900, "hm", None) for problem in problems]
    more = to_scores(silent, [(0.8,)] * len(silent), "last", None)
    scored = {judge: [*records, *more] for judge, records in scores.items()}
    before = evaluate(problems, samples, scores, labels)["decoding"]
    after = evaluate(problems, [*samples, *silent], scored, labels)["decoding"]
    for name in before:
        for metric in ("final_answer_error", "trace_error", "trace_n"):
            assert after[name][metric] == before[name][metric]


def test_undecided_traces_are_left_out_and_counted():
    problems = [Problem(uid, "?", "1") for uid in "abc"]
    samples = [Sample(uid, 0, "x\ny", "1") for uid in "abc"]
    steps = {"a": (1, None), "b": (0, None), "c": (1, 1)}
    labels = [StepLabels(uid, 0, None, 2, "r", "human", steps=each) for uid, each in steps.items()]
    found = evaluate(problems, samples, labels=labels)
    for row in (found["decoding"]["majority"], found["one_sample"]):
        assert (row["trace_error"], row["trace_n"], row["trace_undecided"]) == (0.5, 2, 1)


def test_any_number_of_named_judges_stand_side_by_side():
    problems, samples, scores, labels = make(3)
    scores = {"qwen-7b": scores["prm"], "orm": scores["orm"], "rollout": scores["prm"]}
    found = evaluate(problems, samples, scores, labels)
    judges = ["orm", "qwen-7b", "rollout"]
    assert list(found["reward_models"]) == judges
    votes = [f"{judge}_{how}" for how in ("weighted", "best") for judge in judges]
    assert list(found["decoding"]) == ["greedy", "majority", *votes, "prm_step"]
    assert found["decoding"]["qwen-7b_best"] == found["decoding"]["rollout_best"]
    two = evaluate(problems, samples, {"orm": scores["orm"], "prm": scores["rollout"]}, labels)
    assert two["decoding"]["prm_weighted"] == found["decoding"]["rollout_weighted"]
    assert two["reward_models"]["prm"] == found["reward_models"]["qwen-7b"]
    rows = found["agreement"]["all_steps"]
    assert list(rows) == [
        "orm_prediction", "prm_prediction", "qwen-7b_prediction", "rollout_prediction", "orm_label", "prm_label", "n",
    ]  # fmt: skip
    assert rows["qwen-7b_prediction"]["rollout_prediction"] == 1.0
    assert rows["prm_prediction"]["orm_label"] is None
    assert two["agreement"]["all_steps"]["prm_prediction"]["orm_label"] == rows["rollout_prediction"]["orm_label"]
