import dataclasses

import pytest

from procsup_jax.decode import kept
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.errors import UserError
from procsup_jax.free import bound
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.searching.settings import TreeSearchSettings


def test_a_key_goes_by_the_model_and_needs_its_digest(config, vocab):
    model = Model(config, {}, vocab, digest="1")
    others = (
        model.replace(digest="2"),
        model.replace(config=dataclasses.replace(config, dtype="bfloat16")),
        model.replace(layout=dataclasses.replace(model.layout, separator="\n\n")),
        model.replace(head=api.ProductHead()),
    )
    assert len({kept.naming([each])(1) for each in (model, *others)}) == 5
    assert kept.naming([model])(1) == kept.naming([model.replace(name="another", metadata={"a": 1})])(1)
    assert kept.naming([model])(1) != kept.naming([model])(2)
    assert kept.naming([model], 1)(2) != kept.naming([model], 2)(2)
    with pytest.raises(UserError, match="save the model and load it"):
        kept.naming([model.replace(digest="")])(1)


def test_a_key_goes_by_all_settings_but_those_of_speed():
    settings = DecodeSettings()
    assert bound(settings).keys() == {each.name for each in dataclasses.fields(settings)} - {"lanes", "slots"}
    tree = TreeSearchSettings()
    assert bound(tree)["steps"].keys() == {each.name for each in dataclasses.fields(tree.steps)} - {"lanes"}
    assert bound(tree)["method"] == "beam"
