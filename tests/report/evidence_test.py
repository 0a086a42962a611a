import pytest

from procsup_jax.report import evidence, parse
from procsup_jax.report.evidence import Gap


@pytest.mark.parametrize(
    ("gap", "written", "clear"),
    [
        (Gap(0.01, 0.002, 0.018), "+1.0 [+0.2, +1.8]", True),
        (Gap(-0.01, -0.03, 0.01), "−1.0 [−3.0, +1.0]", False),
        (Gap(-0.01, -0.02, 0.0), "−1.0 [−2.0, 0.0]", False),
        (Gap(0.05, apart=True), "+5.0 (intervals apart)", True),
        (Gap(0.05, apart=False), "+5.0 (intervals overlap)", False),
        (Gap(0.05), "+5.0", False),
    ],
)
def test_a_gap_is_written_with_what_is_known_of_its_sureness(gap, written, clear):
    assert str(gap).replace("\u00a0points", "") == written and gap.clear is clear


def error(value):
    return {"final_answer_error": value, "n": 100, "intervals": {"final_answer_error": None}}


def run(minus=None, samples=(8, 8), **errors):
    """Return results of policies with a (greedy, majority) error each."""
    return {
        "models": {
            model: {
                "test": {
                    "decoding": {"greedy": error(greedy), "majority": error(majority)},
                    "minus_majority": minus or {},
                    "samples_per_problem": samples and list(samples),
                }
            }
            for model, (greedy, majority) in errors.items()
        }
    }


def test_majority_that_loses_to_greedy_is_said_with_its_interval():
    minus = {"greedy": {"final_answer_error": -0.1, "intervals": {"final_answer_error": [-0.2, -0.05]}}}
    said = evidence.majority_against_greedy(parse.parse(run(minus, sft=(0.2, 0.3))))
    assert said.endswith(
        "In this run it does for 1 of 1 policies, beyond chance for 1: +10.0\u00a0points [+5.0, +20.0] for SFT."
    )
    assert "few of them (8 here)" in said


def test_majority_that_may_have_lost_by_chance_is_only_counted():
    minus = {"greedy": {"final_answer_error": -0.1, "intervals": {"final_answer_error": [-0.2, 0.05]}}}
    said = evidence.majority_against_greedy(parse.parse(run(minus, sft=(0.2, 0.3))))
    assert said.endswith("In this run it does for 1 of 1 policies, beyond chance for none.")


def test_majority_that_wins_is_said_too():
    said = evidence.majority_against_greedy(parse.parse(run(samples=(4, 6), sft=(0.3, 0.2), few_shot=(0.4, 0.4))))
    assert said.endswith("In this run it does for none of 2 policies.") and "(6 here)" in said
    assert "here)" not in evidence.majority_against_greedy(parse.parse(run(samples=None, sft=(0.3, 0.2))))


def test_nothing_is_said_of_majority_where_greedy_was_not_run():
    results = run(sft=(0.2, 0.3))
    del results["models"]["sft"]["test"]["decoding"]["greedy"]
    assert evidence.majority_against_greedy(parse.parse(results)) == ""
