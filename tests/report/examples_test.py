import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.errors import UserError
from procsup_jax.report import examples as example_list

EXAMPLE = {
    "problem_uid": "p1",
    "question": "How many?",
    "answer": "7",
    "model": "sft",
    "decoding": "greedy",
    "steps": ["3 + 4 = <<3+4=7>>7", "#### 7"],
    "step_probs": {"orm": [0.9, 0.8], "prm": None},
    "labels": [1, 1],
    "correct": True,
}


def prepare(**changes):
    example = {key: value for key, value in {**EXAMPLE, **changes}.items() if value is not ...}
    return example_list.prepare([example])[0]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "right"),
        ({"labels": [1, 0]}, "lucky"),
        ({"labels": None}, "unlabelled"),
        ({"correct": False}, "wrong"),
        ({"trace_correct": False}, "lucky"),
        ({"correct": False, "labels": [1, 0]}, "wrong"),
    ],
)
def test_verdicts(changes, verdict):
    assert prepare(**changes)["verdict"] == verdict


def test_steps_and_answer_are_read_from_the_solution():
    prepared = prepare(steps=..., solution="one\ntwo\n#### 1,007", labels=None, step_probs=None)
    assert prepared["steps"] == ["one", "two", "#### 1,007"]
    assert prepared["answer"] == "1007" and prepared["scores"] == {}
    assert prepare(predicted=None)["answer"] is None
    assert prepare(steps=["no answer"], labels=None, step_probs={})["answer"] is None


def test_a_solution_that_several_decodings_choose_is_one():
    longer = {**EXAMPLE, "steps": ["no", "#### 7"]}
    given = [EXAMPLE, longer, *({**EXAMPLE, "decoding": how} for how in ("prm_weighted", "majority", "greedy"))]
    made = example_list.prepare([*given, {**EXAMPLE, "model": "few_shot"}])
    assert [(each["model"], each["steps"][0], each["decodings"]) for each in made] == [
        ("sft", EXAMPLE["steps"][0], ["greedy", "majority", "prm_weighted"]),
        ("sft", "no", ["greedy"]),
        ("few_shot", EXAMPLE["steps"][0], ["greedy"]),
    ]
    assert [key for key, _ in example_list.choices(made)["decoding"]] == ["greedy", "majority", "prm_weighted"]


def test_choices_hold_what_occurs_in_the_order_of_the_paper():
    made = example_list.prepare([{**EXAMPLE, "model": m} for m in ("mine", "sft_prm_rl", "few_shot", "sft")])
    choices = example_list.choices(made)
    assert [key for key, _ in choices["model"]] == ["few_shot", "sft", "sft_prm_rl", "mine"]
    assert choices["verdict"] == [["right", "right answer, right trace"]] and choices["set"] == []


def test_scores_of_judges_of_any_name_are_kept_in_the_order_of_tables():
    probs = {"qwen-7b": [0.5, 0.25], "prm": None, "orm": [0.9, 0.8], "constructor": [1, 0]}
    prepared = prepare(step_probs=probs)
    assert list(prepared["scores"].items()) == [
        ("orm", [0.9, 0.8]), ("qwen-7b", [0.5, 0.25]), ("constructor", [1.0, 0.0]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("scored", "first"),
    [
        ([["orm", "prm"], ["orm", "prm"]], "prm"),
        ([["orm"], ["orm", "prm"]], "orm"),
        ([["orm"], ["prm"]], "prm"),
        ([["orm"], ["orm"]], "orm"),
        ([["b"], ["a", "b"], ["a"]], "a"),
        ([["mine"], ["orm"], ["mine"]], "mine"),
        ([[], []], ""),
        ([], ""),
    ],
)
def test_the_browser_opens_on_the_judge_who_scored_the_most(scored, first):
    made = [prepare(step_probs={judge: [0.5, 0.5] for judge in judges}) for judges in scored]
    assert example_list.first_score(made) == first
    assert (first == "") == (example_list.choices(made)["score"] == [])
    assert {judge for judge, _ in example_list.choices(made)["score"]} == {
        judge for judges in scored for judge in judges
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correct": None}, "example 1: correct is None, expected bool"),
        ({"question": ...}, "example 1: question is None, expected str"),
        ({"steps": "text"}, r"example 1 \(p1\): steps is 'text', expected a list of texts"),
        ({"labels": [1]}, r"example 1 \(p1\): labels has 1 values for 2 steps"),
        ({"reason": "why"}, "reason has 'why' for 2 steps"),
        ({"step_probs": [0.5, 0.5]}, r"step_probs is \[0.5, 0.5\], expected"),
        ({"step_probs": {"orm": [0.5, 1.5]}}, r"step_probs.orm holds 1.5, expected probabilities"),
        ({"step_probs": {"prm": [0.5, float("nan")]}}, r"step_probs.prm holds nan, expected probabilities"),
        ({"step_probs": {"prm": [0.5]}}, r"step_probs.prm has 1 values for 2 steps"),
    ],
)
def test_bad_examples_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        prepare(**changes)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5), st.text())
def test_any_text_survives_and_never_ends_the_script(steps, question):
    from procsup_jax.report.markup import script_json

    prepared = prepare(steps=steps, question=question, labels=None, step_probs={}, predicted="1")
    written = script_json(prepared)
    assert not re.search("[<>&\u2028\u2029]", written)
    assert json.loads(written) == prepared
