"""Layouts: the text before a solution, presets, chat templates in their sandbox, JSON."""

import dataclasses
import json

import pytest

from procsup_jax.errors import UserError
from procsup_jax.text import layout
from procsup_jax.text.layout import CHAT, LINES, PARAGRAPHS, Layout
from procsup_jax.types import Problem

EXAMPLES = [Problem(f"p-{i}", f"What is {i}+1?", str(i + 1), f"{i}+1\n#### {i + 1}") for i in range(2)]
TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}</>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def test_a_prompt_in_lines():
    assert LINES.prompt_text("How many?") == "Question: How many?\nSolution:\n"
    assert LINES.prompt_text("{question} {x}?") == "Question: {question} {x}?\nSolution:\n"


def test_worked_examples_stand_before_it_with_a_blank_line_after_each():
    shown, own = LINES.example_and_prompt_text("How many?", EXAMPLES)
    assert shown == (
        "Question: What is 0+1?\nSolution:\n0+1\n#### 1\n\nQuestion: What is 1+1?\nSolution:\n1+1\n#### 2\n\n"
    )
    assert own == LINES.prompt_text("How many?")
    with pytest.raises(UserError, match="'p' has no \"solution\", which a worked example needs"):
        LINES.example_and_prompt_text("Why?", [Problem("p", "?", "1")])


def test_a_chat_has_a_system_message_and_examples_as_earlier_turns():
    chat = dataclasses.replace(CHAT, chat_template=TEMPLATE, system="Think.")
    assert chat.prompt_text("How many?") == "<system>Think.</><user>How many?</><assistant>"
    shown, own = chat.example_and_prompt_text("How many?", EXAMPLES[:1])
    assert shown == "<system>Think.</><user>What is 0+1?</><assistant>0+1\n#### 1</>"
    assert own == "<user>How many?</><assistant>"
    assert dataclasses.replace(chat, system=None).prompt_text("How many?") == "<user>How many?</><assistant>"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('no system\nrole here') }}", "the chat template failed: no system role here"),
        ("{% for %}", "the chat template failed: "),
        ("{{ messages.__class__.__mro__ }}", "the chat template failed: access to attribute '__class__'"),
        ("{{ messages.append(1) }}", "the chat template failed: access to attribute 'append'"),
    ],
)
def test_a_chat_template_that_fails_or_leaves_the_sandbox_is_one_clear_line(template, message):
    chat = dataclasses.replace(CHAT, chat_template=template)
    with pytest.raises(UserError, match=message) as error:
        chat.prompt_text("How many?")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "each", [LINES, PARAGRAPHS, dataclasses.replace(CHAT, step_marker="<extra_0>", ends=("</s>",))]
)
def test_json_round_trip(each):
    assert Layout.from_json(json.loads(json.dumps(each.to_json()))) == each


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"model.json is \[\], expected an object with some of name, prompt"),
        ({"sep": "x"}, "model.json is {'sep': 'x'}, expected an object with some of"),
        ({"ends": "</s>"}, "model.json: ends is '</s>', expected text"),
        ({"prompt": None}, "model.json: prompt is None, expected text"),
        ({"prompt": "Q:"}, "prompt 'Q:' has no {question}"),
        ({"separator": "; "}, "separator '; ': expected line breaks"),
        ({"separator": ""}, "separator '': expected line breaks"),
        ({"verdicts": ["+", "+"]}, "expected two different tokens"),
    ],
)
def test_what_is_no_layout_is_one_clear_line(value, message):
    with pytest.raises(UserError, match=message):
        Layout.from_json(value, "model.json")


def test_unknown_presets_are_refused():
    with pytest.raises(UserError, match="layout 'poem' is unknown: expected one of lines, paragraphs, chat"):
        layout.preset("poem")
