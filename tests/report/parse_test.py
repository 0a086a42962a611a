import dataclasses

import pytest

from procsup_jax.errors import UserError
from procsup_jax.report import parse, run_tables
from procsup_jax.report.results import Difference, Estimate


def test_whole_results_become_typed_values(results):
    parsed = parse.parse(results)
    raw = results["models"]["sft"]["test"]["decoding"]["prm_weighted"]
    found = parsed.decoding("sft", "prm_weighted")
    assert found.final == Estimate(raw["final_answer_error"], *raw["intervals"]["final_answer_error"], 400)
    assert found.trace == Estimate(raw["trace_error"], *raw["intervals"]["trace_error"], raw["trace_n"])
    assert found.selective[0] == (0.0, raw["final_answer_error"]) and len(found.selective) == 10
    assert parsed.agreement("sft")["all_steps"].share["orm_prediction", "prm_label"] == 0.866
    assert parsed.agreement("sft")["all_steps"].n == 3127
    assert parsed.verifiers["sft_orm"]["auc.right_answer"].n == 1650
    assert "auc.right_answer" not in parsed.verifiers["few_shot_orm"]
    assert parsed.verifiers["sft_prm"]["agreement.process"].n == 3127
    assert parsed.decoding("sft", "nothing") is None and parsed.decoding("nothing", "greedy") is None


def test_unmeasured_metrics_are_none(results):
    entry = results["models"]["sft"]["test"]["decoding"]["greedy"]
    entry |= {"trace_error": None, "selective": None}
    results["models"]["sft"]["ood"]["decoding"]["majority"]["final_answer_error"] = None
    parsed = parse.parse(results)
    assert parsed.decoding("sft", "greedy").trace is None and parsed.decoding("sft", "greedy").selective == ()
    assert parsed.decoding("sft", "majority", "ood") is None


def test_differences_are_read_from_both_places(results):
    results["differences"] = [
        {
            "a": ["sft_orm_rl", "majority"],
            "b": ["sft", "majority"],
            "final_answer_error": -0.02,
            "trace_error": None,
            "intervals": {"final_answer_error": [-0.05, 0.01], "trace_error": None},
        }
    ]
    found = parse.parse(results).differences
    key = ("test", ("sft_orm_rl", "majority"), ("sft", "majority"), "final_answer_error")
    assert found[key] == Difference(-0.02, -0.05, 0.01)
    assert (*key[:3], "trace_error") not in found
    own = ("test", ("sft", "prm_weighted"), ("sft", "majority"), "trace_error")
    assert found[own].value == -0.094


def test_measures_of_test_samples_stand_in_for_missing_ones(results):
    results["models"]["sft"]["test"]["reward_models"] = {"prm": results.pop("reward_models")["sft_prm"]}
    assert set(parse.parse(results).verifiers) == {"sft_prm"}


def broken(results, path, value):
    *parents, last = path
    for key in parents:
        results = results[key]
    results[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["models"], None, 'no "models"'),
        (["models", "sft"], 3, "models.sft is 3, expected an object"),
        (["wall_clock", "sft"], "long", "wall_clock.sft is 'long', expected a number"),
        (["curves", "sft_orm_rl"], {}, r"curves.sft_orm_rl is \{\}, expected a list"),
        (["curves", "sft_orm_rl", 0, "epoch"], None, r"curves.sft_orm_rl\[0\].epoch is None, expected a number"),
        (["models", "sft", "test", "decoding", "greedy", "n"], "400", "expected a whole number from 0"),
        (["models", "sft", "test", "decoding", "greedy", "n"], -1, "expected a whole number from 0"),
        (["curves", "sft_orm_rl", 0, "epoch"], 10**400, "expected a number"),
        (["differences"], {"a": 1}, "differences is {'a': 1}, expected a list of objects"),
        (["curves", "sft_orm_rl", 0, "test_error"], 20, "test_error is 20, expected a share from 0 to 1"),
        (["models", "sft", "test", "decoding", "greedy", "trace_error"], -0.1, "trace_error is -0.1, expected a share"),
        (["models", "sft", "test", "decoding", "greedy", "trace_error"], float("nan"), "is nan, expected a number"),
        (["models", "sft", "test", "decoding", "greedy", "selective"], [1], r"selective is \[1\], expected \[\["),
        (["models", "sft", "test", "decoding", "greedy", "intervals"], {"trace_error": 1}, "is 1, expected .low, high"),
        (["models", "sft", "test", "agreement", "all_steps", "orm_label"], {"prm_label": 7}, "prm_label is 7"),
        (["reward_models", "sft_orm", "auc", "process"], True, "auc.process is True, expected a number"),
        (["differences"], [{"a": "sft"}], r"differences\[0\] is .* expected \"a\": \[model, decoding\]"),
        (
            ["differences"],
            [{"a": ["x"], "b": ["y", "z"]}],
            r"differences\[0\] is .* expected \"a\": \[model, decoding\]",
        ),
    ],
)
def test_bad_values_are_named_by_their_path(results, path, value, message):
    broken(results, path, value)
    with pytest.raises(UserError, match=message) as caught:
        parse.parse(results)
    assert "\n" not in str(caught.value)


def test_supervision_is_shown_for_the_policies_that_were_run(results):
    results["supervision"] = {
        "sft": {"solution_tokens": 41234, "answer_tokens": 0, "step_labels": 0},
        "sft_prm": {"solution_tokens": 41234, "answer_tokens": 300, "step_labels": 777},
    }
    found = parse.parse(results)
    table = run_tables.supervision_table(found)
    assert "41,234" in table and "777" not in table
    assert run_tables.supervision_table(dataclasses.replace(found, supervision={})) == ""
    results["supervision"]["sft"]["step_labels"] = "many"
    with pytest.raises(UserError, match="supervision.sft.step_labels"):
        parse.parse(results)
