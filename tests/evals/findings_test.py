import pytest

from procsup_jax import roster
from procsup_jax.evals import findings

RESULTS = {
    "models": {
        policy: {"test": {"decoding": {"majority": {"final_answer_error": error, "trace_error": None}}}}
        for policy, error in (("sft", 0.25), ("few_shot_final_answer_rl", 0.5))
    }
}


def test_pairs_are_of_the_rosters_policies():
    pairs = [*(each.pair for each in findings.COMPARISONS), *findings.PAIRED]
    assert {policy for pair in pairs for policy, _ in pair} <= set(roster.POLICIES)
    assert all(pair.first != pair.second for pair in pairs)
    assert len(set(findings.COMPARISONS)) == len(findings.COMPARISONS) == 22
    assert len({frozenset(pair) for pair in findings.PAIRED}) == len(findings.PAIRED)


def test_a_greedy_comparison_needs_no_samples():
    answer, orm = ("few_shot_final_answer_rl", "orm_weighted"), ("few_shot_orm_rl", "orm_weighted")
    greedy = (("few_shot_orm_rl", "greedy"), ("few_shot_final_answer_rl", "greedy"))
    assert findings.greedily(findings.Pair(orm, answer)) == greedy
    vote = findings.Pair(("sft", "prm_weighted"), ("sft", "majority"))
    assert findings.greedily(vote) == (("sft", "prm_weighted"), ("sft", "greedy"))
    assert findings.greedily(findings.Pair(("sft", "orm_weighted"), ("sft", "prm_weighted"))) is None


def test_every_comparison_and_its_greedy_one_has_a_paired_interval_or_is_against_majority():
    measured = {frozenset(pair) for pair in findings.PAIRED}
    for pair in (each.pair for each in findings.COMPARISONS):
        for found in filter(None, (pair, findings.greedily(pair))):
            (policy, how), (other, other_how) = found
            own = policy == other and "majority" in (how, other_how)
            assert own != (frozenset(found) in measured)


def test_a_difference_is_the_firsts_minus_the_seconds():
    assert findings.difference(RESULTS, findings.WITHOUT_TRACES, findings.FINAL_ANSWER) == 0.25
    assert findings.difference(RESULTS, findings.WITHOUT_TRACES, findings.TRACE) is None


def test_an_orm_emulates_process_feedback_where_it_agrees_more_with_it():
    cells = {"orm_prediction": {"prm_label": 0.9, "orm_label": 0.75}}
    assert findings.emulation(cells) == pytest.approx(0.15)
    assert findings.emulation({"orm_prediction": {"prm_label": None, "orm_label": 0.75}}) is None
    assert findings.emulation({}) is None
