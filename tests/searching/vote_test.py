import collections

import hypothesis
import pytest
from hypothesis import strategies as st

from procsup_jax.searching import vote
from procsup_jax.types import Sample


def make(*answers, uid="p"):
    return [Sample(uid, i, f"solution {i}", answer) for i, answer in enumerate(answers)]


ANSWERS = st.lists(st.sampled_from(["1", "2", "3", "2.0", "1/2", "0.5", None]), min_size=1, max_size=12)
# Few distinct values, so that ties come up.
SCORED = st.lists(
    st.tuples(st.sampled_from(["1", "2", "2.00", None]), st.sampled_from([0.0, 0.1, 0.2, 0.7])), min_size=1
)


def test_majority_takes_the_most_common_answer():
    choice = vote.majority(make("7", "8", "8", None), seed=0)
    assert choice.answer == "8"
    assert choice.sample.sample in (1, 2)
    assert choice.score == 2 / 4


def test_majority_counts_equal_rationals_together():
    choice = vote.majority(make("3", "3", "0.5", "1/2", "0.50"), seed=0)
    assert choice.answer in ("0.5", "1/2")
    assert choice.sample.sample in (2, 3, 4)
    assert choice.score == 3 / 5


def test_majority_counts_one_value_in_plain_and_in_latex():
    choice = vote.majority(make("0.5", "\\frac{1}{2}", "\\frac12", "3", "3"), seed=0)
    assert (choice.answer, choice.score) == ("0.5", 3 / 5)


def test_the_winning_sample_is_drawn_at_random_by_problem_and_seed():
    drawn = collections.Counter(
        vote.majority(make("1", "1", "1", "2", uid=f"p{i}"), seed=5).sample.sample for i in range(300)
    )
    assert set(drawn) == {0, 1, 2}
    assert min(drawn.values()) > 60
    by_seed = {vote.majority(make("1", "1", "1", "2"), seed=seed).sample.sample for seed in range(50)}
    assert by_seed == {0, 1, 2}


def test_ties_between_answers_are_broken_at_random():
    winners = collections.Counter(vote.majority(make("1", "2", uid=f"p{i}"), seed=0).answer for i in range(200))
    assert set(winners) == {"1", "2"}
    assert min(winners.values()) > 60


def test_rm_weighted_sums_scores_and_then_takes_the_best_of_the_winners():
    samples = make("9", "4", "4.0", "4")
    choice = vote.rm_weighted(samples, [0.9, 0.3, 0.4, 0.35])
    assert (choice.answer, choice.sample.sample, choice.score) == ("4", 2, 0.4)
    assert vote.best(samples, [0.9, 0.3, 0.4, 0.35]).answer == "9"


def test_a_sum_that_floats_get_wrong_does_not_turn_a_tie():
    # Added up from the left the scores of "2" come to 0.6000000000000001, those of "1" to 0.6.
    samples = make("1", "1", "1", "2", "2", "2")
    assert vote.rm_weighted(samples, [0.3, 0.2, 0.1, 0.1, 0.2, 0.3]).answer == "1"


def test_the_same_weights_grouped_otherwise_tie():
    # The floats 0.1 + 0.2 come to 0.30000000000000004, 0.15 + 0.1 + 0.05 to 0.3; the tie goes to more samples.
    assert vote.rm_weighted(make("1", "1", "2", "2", "2"), [0.1, 0.2, 0.15, 0.1, 0.05]).answer == "2"
    assert vote.best(make("1", "2"), [0.3, 0.1 + 0.2]).answer == "1"


def test_weighted_ties_go_to_more_samples_then_to_the_shorter_answer():
    assert vote.rm_weighted(make("1", "2", "2"), [0.5, 0.25, 0.25]).answer == "2"
    assert vote.rm_weighted(make("10", "9"), [0.5, 0.5]).answer == "9"
    assert vote.best(make("10", "9"), [0.5, 0.5]).sample.sample == 0


def test_a_sample_without_a_final_answer_never_wins():
    samples = make(None, "5", "")
    assert vote.best(samples, [0.99, 0.01, 0.9]).sample.sample == 1
    assert vote.rm_weighted(samples, [0.99, 0.01, 0.9]).sample.sample == 1
    assert vote.majority(make(None, None, "5"), seed=0).answer == "5"


@pytest.mark.parametrize("samples", [[], make(None, None), make("", " ")])
def test_without_any_final_answer_nothing_is_chosen(samples):
    scores = [0.5] * len(samples)
    for choice in (vote.majority(samples, 0), vote.rm_weighted(samples, scores), vote.best(samples, scores)):
        assert choice == vote.Choice(None, None, 0.0)


def test_scores_of_zero_still_choose():
    assert vote.rm_weighted(make("5", "6", "6"), [0.0, 0.0, 0.0]).answer == "6"
    assert vote.best(make(None, "6"), [0.9, 0.0]).answer == "6"


def test_misuse_is_refused():
    with pytest.raises(ValueError, match="1 scores for 2 samples"):
        vote.best(make("1", "2"), [0.5])
    with pytest.raises(ValueError, match="samples of one problem"):
        vote.majority([*make("1", uid="a"), *make("1", uid="b")], seed=0)


@hypothesis.given(ANSWERS, st.randoms(use_true_random=False), st.integers(0, 3))
def test_majority_does_not_depend_on_the_order_of_samples(answers, rng, seed):
    samples = make(*answers)
    assert vote.majority(rng.sample(samples, len(samples)), seed) == vote.majority(samples, seed)


@hypothesis.given(SCORED, st.randoms(use_true_random=False))
def test_reranking_does_not_depend_on_the_order_of_samples(scored, rng):
    samples, scores = make(*(answer for answer, _ in scored)), [score for _, score in scored]
    order = rng.sample(range(len(samples)), len(samples))
    shuffled = [samples[i] for i in order], [scores[i] for i in order]
    assert vote.rm_weighted(*shuffled) == vote.rm_weighted(samples, scores)
    assert vote.best(*shuffled) == vote.best(samples, scores)


@hypothesis.given(SCORED, st.integers(0, 3))
def test_a_sample_without_an_answer_changes_no_choice(scored, seed):
    samples, scores = make(*(answer for answer, _ in scored)), [score for _, score in scored]
    more, more_scores = [*samples, Sample("p", len(samples), "no answer", None)], [*scores, 1.0]
    assert vote.majority(more, seed).sample == vote.majority(samples, seed).sample
    assert vote.rm_weighted(more, more_scores) == vote.rm_weighted(samples, scores)
    assert vote.best(more, more_scores) == vote.best(samples, scores)


@hypothesis.given(ANSWERS)
def test_equal_scores_make_weighted_voting_a_majority_vote(answers):
    samples = make(*answers)
    weighted = vote.rm_weighted(samples, [0.5] * len(samples))
    groups = vote.group_by_answer(samples)
    assert sum(map(len, groups.values())) == sum(answer is not None for answer in answers)
    if groups:
        assert len(groups[weighted.answer]) == max(map(len, groups.values()))
