"""The table of heads: by kind, to JSON and back."""

import json

import pytest

from procsup_jax.errors import UserError
from procsup_jax.models import api


@pytest.mark.parametrize(
    "head",
    [
        None,
        api.VerdictHead(5, 11),
        api.ProductHead(),
        api.ClassifierHead(),
        api.ClassifierHead(2, 2, hidden=7, bias=False, activation="gelu"),
    ],
    ids=str,
)
def test_json_there_and_back(head):
    back = api.head_from_json(json.loads(json.dumps(api.head_to_json(head))))
    assert back == head and hash(back) == hash(head)


def test_it_names_the_kind_and_the_settings():
    assert api.head_to_json(api.VerdictHead(5, 11)) == {"kind": "verdict", "correct_id": 5, "incorrect_id": 11}
    assert api.head_to_json(api.ProductHead()) == {"kind": "product"}


def test_a_classifier_may_leave_its_settings_out():
    assert api.head_from_json({"kind": "classifier", "num_outputs": 2}) == api.ClassifierHead(num_outputs=2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "oracle"}, "head kind 'oracle' is unknown: expected one of verdict, product, classifier"),
        ({}, "head kind None is unknown"),
        ({"kind": ["verdict"]}, "head kind .* is unknown"),
        ("product", "head 'product': expected a JSON object with its kind, or null"),
        ({"kind": "verdict", "correct_id": 5}, "a verdict head lacks its field 'incorrect_id': its fields are correct"),
        ({"kind": "product", "gain": 1}, "a product head has no field 'gain': its fields are none"),
        ({"kind": "classifier", "num_outputs": "2"}, "classifier head.num_outputs='2': expected a whole number"),
    ],
)
def test_what_describes_no_head_is_one_clear_line(values, message):
    with pytest.raises(UserError, match=message) as caught:
        api.head_from_json(values)
    assert "\n" not in str(caught.value)


def test_a_kind_alone_gives_the_usual_settings():
    found = [api.make_head(kind, lambda: (5, 11)) for kind in ("verdict", "product", "classifier")]
    assert found == [api.VerdictHead(5, 11), api.ProductHead(), api.ClassifierHead()]
    with pytest.raises(UserError, match="head kind 'both' is unknown"):
        api.make_head("both", lambda: (5, 11))
