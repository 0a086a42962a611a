import dataclasses

import hypothesis
import pytest
from hypothesis import strategies as st

from procsup_jax.errors import UserError
from procsup_jax.evals.join import TraceVerdict, join, keep_joined
from procsup_jax.searching import decodings
from procsup_jax.searching.aggregate import AGGREGATES, aggregate, to_scores
from procsup_jax.types import Problem, Sample, StepLabels

PROBLEMS = [Problem("a", "?", "1"), Problem("b", "?", "2")]
SAMPLES = [Sample(uid, i, "x\n#### 1", "1") for uid in "ab" for i in range(2)]
GREEDY = [decodings.mark(Sample(uid, 0, "#### 1", "1"), "greedy") for uid in "ab"]


def score(sample, *step_probs, aggregate="last"):
    return to_scores([sample], [step_probs or (0.5, 0.25)], aggregate, None)[0]


def label(sample, first_error=-1, rater="r", **changes):
    return StepLabels(**{"problem_uid": sample.problem_uid, "sample": sample.sample, "num_steps": 2, "source": "human",
                         "first_error": first_error, "rater": rater, "decoding": sample.decoding,
                         **changes})  # fmt: skip


SCORES = [score(sample) for sample in SAMPLES]


def refused(problems=PROBLEMS, samples=SAMPLES, scores=None, labels=()):
    with pytest.raises(UserError) as caught:
        join(problems, samples, scores or {}, labels)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_records_are_joined_on_problem_and_sample():
    labels = [label(SAMPLES[0], rater="z"), label(SAMPLES[0], 1, rater="y"), label(SAMPLES[1], 1)]
    joined = join(PROBLEMS, [SAMPLES[1], *GREEDY, *SAMPLES[2:], SAMPLES[0]], {"orm": SCORES}, labels)
    assert joined.drawn == {"a": SAMPLES[:2], "b": SAMPLES[2:]}
    assert joined.single == {"greedy": {"a": GREEDY[0], "b": GREEDY[1]}}
    assert joined.scores["orm"]["b", 1, None] is SCORES[3]
    assert [one.rater for one in joined.labels["a", 0, None]] == ["y", "z"]
    assert joined.right == {SAMPLES[0].key, SAMPLES[1].key, GREEDY[0].key}
    assert joined.trace == {SAMPLES[0].key: TraceVerdict(0.5, 0.0, 1.0), SAMPLES[1].key: TraceVerdict(1.0, 1.0, 1.0)}


def test_labels_of_single_steps_make_a_trace_wrong_where_any_is():
    labels = [label(SAMPLES[0], -1, steps=(False, True)), label(SAMPLES[1], 0, steps=(True, True))]
    joined = join(PROBLEMS, SAMPLES, {}, labels)
    assert joined.trace["a", 0, None].mean == 1.0
    assert joined.trace["a", 1, None].mean == 0.0


def test_duplicates_are_refused():
    assert "1 problems are given twice, first problem 'a'" in refused(problems=[*PROBLEMS, PROBLEMS[0]])
    assert "1 samples are given twice, first sample 1 of problem 'b'" in refused(samples=[*SAMPLES, SAMPLES[3]])
    assert "1 scores by orm are given twice, first sample 0 of" in refused(scores={"orm": [*SCORES, SCORES[0]]})
    twice = [label(SAMPLES[2], 0), label(SAMPLES[2], 1)]
    assert "1 labels are given twice, first sample 0 of problem 'b' by 'r'" in refused(labels=twice)
    second = dataclasses.replace(GREEDY[0], sample=77)
    assert "problem 'a' has two greedy solutions" in refused(samples=[*SAMPLES, *GREEDY, second])


def test_what_belongs_to_nothing_is_refused():
    stray = Sample("c", 5, "", None)
    message = refused(samples=[*SAMPLES, stray])
    assert "1 of 5 samples are of problems that are not given, first sample 5 of problem 'c'" in message
    message = refused(scores={"prm": [*SCORES, score(stray)]})
    assert "1 of 5 scores by prm are of samples that are not given, first sample 5 of problem 'c'" in message
    message = refused(labels=[label(SAMPLES[0]), label(stray)])
    assert "1 of 2 labels are of samples that are not given, first sample 5 of problem 'c'" in message


def test_gaps_are_refused():
    assert "found 2 problems and 0 samples" in refused(samples=[])
    assert "found 0 problems and 4 samples" in refused(problems=[])
    assert "1 of 2 problems have no samples, first 'b'" in refused(samples=SAMPLES[:2])
    assert "1 of 2 problems have no greedy solution, first 'b'" in refused(samples=[*SAMPLES, GREEDY[0]])
    message = refused(scores={"orm": SCORES[1:3]})
    assert "2 of 4 samples have no score by orm, first sample 0 of problem 'a'" in message


def test_greedy_solutions_need_no_score():
    assert join(PROBLEMS, [*SAMPLES, *GREEDY], {"orm": SCORES}, ()).scores["orm"].keys() == {s.key for s in SAMPLES}
    assert join(PROBLEMS, GREEDY, {}, ()).drawn == {}


@pytest.mark.parametrize("bad", [1.5, -0.1, float("nan")])
def test_scores_have_to_be_probabilities(bad):
    for changed in (score(SAMPLES[0], 0.5, bad), dataclasses.replace(SCORES[0], score=bad)):
        message = refused(scores={"orm": [changed, *SCORES[1:]]})
        assert "1 of 4 scores by orm are no probabilities from 0 to 1, first sample 0 of problem 'a'" in message


def test_aggregates_may_not_be_mixed():
    mixed = [score(SAMPLES[0], aggregate="min"), *SCORES[1:]]
    assert "scores by orm mix the aggregates last, min" in refused(scores={"orm": mixed})


def test_steps_have_to_be_counted_alike():
    three = [score(SAMPLES[0], 0.1, 0.1, 0.1), *SCORES[1:]]
    assert "1 of 4 scores by prm count other steps than those by orm" in refused(scores={"orm": SCORES, "prm": three})
    labels = [label(SAMPLES[0])]
    assert "1 of 1 labels count other steps than the scores by orm" in refused(scores={"orm": three}, labels=labels)
    labels += [label(SAMPLES[0], rater="other", num_steps=3)]
    assert "1 of 1 labelled samples have raters that count different steps" in refused(labels=labels)


def test_outcome_labels_are_no_process_labels():
    message = refused(labels=[label(SAMPLES[0], source="outcome")])
    assert "1 of 1 labels are outcome labels, first sample 0 of problem 'a'" in message


def test_keep_joined_leaves_out_what_bad_lines_orphaned():
    labels = [label(sample) for sample in SAMPLES]
    stray = Sample("c", 0, "", None)
    problems, samples, scores, labels = keep_joined(PROBLEMS, [*SAMPLES, *GREEDY, stray], {"orm": SCORES[1:]}, labels)
    assert problems == PROBLEMS
    assert samples == [*SAMPLES[1:], *GREEDY]
    assert scores == {"orm": SCORES[1:]}
    assert [one.key for one in labels] == [sample.key for sample in SAMPLES[1:]]
    join(problems, samples, scores, labels)


def test_keep_joined_leaves_out_problems_that_lost_their_samples():
    for samples in ([*SAMPLES, GREEDY[1]], [*SAMPLES[2:], *GREEDY]):
        problems, samples, scores, _ = keep_joined(PROBLEMS, samples, {"orm": SCORES}, [])
        assert problems == PROBLEMS[1:]
        assert samples == [*SAMPLES[2:], GREEDY[1]]
        join(problems, samples, scores, [])


def test_a_trace_with_unknown_steps_is_wrong_or_undecided():
    labels = [label(SAMPLES[0], None, steps=(None, 0)), label(SAMPLES[1], None, steps=(1, None))]
    labels += [label(SAMPLES[1], None, rater="s"), label(SAMPLES[2], None, steps=(0.9, 0.5))]
    joined = join(PROBLEMS, SAMPLES, {}, labels)
    means = [verdict and verdict.mean for verdict in (joined.trace[sample.key] for sample in SAMPLES[:3])]
    assert means == [1.0, None, 0.0]
    decided = join(PROBLEMS, SAMPLES, {}, [*labels, label(SAMPLES[1], 0, rater="t")])
    assert decided.trace[SAMPLES[1].key] == TraceVerdict(1.0, 1.0, 1.0)


def test_a_judge_has_a_plain_name():
    assert "reward model 'my rm': expected a name of letters" in refused(scores={"my rm": SCORES})


def test_a_greedy_solution_and_a_sample_of_one_index_have_scores_and_labels_of_their_own():
    scores = [*SCORES, *(score(each, 0.9) for each in GREEDY)]
    labels = [label(SAMPLES[0], 0), label(GREEDY[0], -1, num_steps=1)]
    joined = join(PROBLEMS, [*SAMPLES, *GREEDY], {"orm": scores}, labels)
    assert [joined.scores["orm"][each.key].score for each in (SAMPLES[0], GREEDY[0])] == [0.25, 0.9]
    assert [joined.trace[each.key].mean for each in (SAMPLES[0], GREEDY[0])] == [1.0, 0.0]


def test_a_score_is_the_aggregate_that_it_states():
    other = [SCORES[0], dataclasses.replace(SCORES[1], score=0.5), *SCORES[2:]]
    message = refused(scores={"orm": other})
    assert (
        '1 of 4 scores by orm are not the "aggregate" of their "step_probs", first sample 1 of problem \'a\'' in message
    )
    assert 'its "score" is 0.5, \'last\' of its "step_probs" 0.25' in message
    own = [dataclasses.replace(each, score=0.7, aggregate="own") for each in SCORES]
    assert join(PROBLEMS, SAMPLES, {"orm": own}, ()).scores["orm"]["a", 0, None].score == 0.7


@hypothesis.given(
    st.sampled_from(AGGREGATES),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=4, max_size=4),
    st.sampled_from([3, 4, 6, 16]),
    st.sampled_from([4, 6, 16]),
)
def test_rounded_scores_are_the_aggregates_they_state(how, probs, prob_digits, score_digits):
    scores = [
        dataclasses.replace(
            each,
            step_probs=tuple(round(prob, prob_digits) for prob in pair),
            score=round(aggregate(pair, how), score_digits),
            aggregate=how,
        )
        for each, pair in zip(SCORES, [(0.1234567890123456, 0.9876543210123456), *probs[1:]], strict=True)
    ]
    join(PROBLEMS, SAMPLES, {"orm": scores}, ())


def test_steps_are_those_of_the_samples():
    three = [score(each, 0.5, 0.5, 0.25) for each in SAMPLES]
    message = refused(scores={"orm": three})
    assert "4 of 4 scores by orm count other steps than their samples have, first sample 0 of problem 'a'" in message
    assert "3 are counted, 2 by its solution split at '\\n'" in message
    message = refused(labels=[label(SAMPLES[0]), label(SAMPLES[1], num_steps=1)])
    assert "1 of 2 labels count other steps than their samples have, first sample 1 of problem 'a'" in message
    given = [dataclasses.replace(each, steps=("x", "y", "#### 1")) for each in SAMPLES]
    join(PROBLEMS, given, {"orm": three}, [label(given[0], 2, num_steps=3)])
    assert '2 are counted, 3 by its "steps"' in refused(samples=given, scores={"orm": SCORES})


def test_steps_may_be_paragraphs_where_that_fits_all_or_is_said():
    samples = [dataclasses.replace(each, solution="a\nb\n\nc") for each in SAMPLES]
    join(PROBLEMS, samples, {"orm": SCORES}, ())
    join(PROBLEMS, samples, {"orm": SCORES}, (), "\n\n")
    join(PROBLEMS, samples, {"orm": [score(each, 0.5, 0.5, 0.25) for each in SAMPLES]}, ())
    with pytest.raises(UserError, match="2 are counted, 3 by its solution split at"):
        join(PROBLEMS, samples, {"orm": SCORES}, (), "\n")
    mixed = [samples[0], dataclasses.replace(samples[1], solution="a\nb"), *samples[2:]]
    assert "1 of 4 scores by orm count other steps than their samples have" in refused(
        samples=mixed, scores={"orm": SCORES}
    )


def test_labels_end_where_their_steps_do():
    message = refused(labels=[label(SAMPLES[0], 2)])
    assert "1 of 1 labels see the first wrong step beyond the last one, first sample 0 of problem 'a'" in message
    uneven = label(SAMPLES[0], None, steps=(True, True, False))
    assert '1 of 1 labels hold other "steps" than their "num_steps"' in refused(labels=[uneven])
    empty = [Sample(each.problem_uid, each.sample, "") for each in SAMPLES]
    join(PROBLEMS, empty, {}, [label(empty[0], 0, num_steps=0)])  # an empty solution is wrong from the start
