import re

import pytest

from procsup_jax.report import curves, parse
from procsup_jax.report.results import Epoch


def test_selective_panels_hold_each_row_once(results):
    figures = curves.selective_figures(parse.parse(results))
    assert [f.name for f in figures] == ["selective-few-shot", "selective-sft"]
    assert [sorted(set(re.findall(r'data-row="(\w)"', f.body))) for f in figures] == [list("ABEFJ"), list("CDGHIKL")]


def test_learning_panels_share_a_scale_and_ring_the_kept_epoch(results):
    figures = [figure for figure, _ in curves.learning(parse.parse(results).curves)]
    assert [f.title for f in figures] == ["SFT + Final-Answer RL", "SFT + ORM-RL", "SFT + PRM-RL"]
    assert all(f.body.count('class="ring"') == 3 for f in figures)
    assert len({tuple(re.findall(r'text-anchor="end">(\d+)<', f.body)) for f in figures}) == 1
    del results["curves"]["sft_orm_rl"][1:]
    assert len(curves.learning(parse.parse(results).curves)) == 2  # one epoch is no curve


def epochs(*errors, chosen, key="validation_error"):
    return [Epoch(i, {} if error is None else {key: error}, i == chosen) for i, error in enumerate(errors)]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (
            epochs(0.3, 0.2, 0.1, chosen=2),
            "epoch 2 kept: lowest validation error, 10.0 %, down from 30.0 % at the start",
        ),
        (
            epochs(0.3, 0.2, 0.2, chosen=1),
            "epoch 1 kept: lowest validation error, 20.0 %, the earliest of equals, down from 30.0 % at the start",
        ),
        (epochs(0.1, 0.3, 0.2, chosen=2), "epoch 2 kept: lowest validation error, 20.0 %, up from 10.0 % at the start"),
        (epochs(0.2, 0.2, chosen=1), "epoch 1 kept: the only one; validation error 20.0 %, the same as at the start"),
        (epochs(None, 0.2, 0.1, chosen=2), "epoch 2 kept: lowest validation error, 10.0 %"),
        (epochs(0.3, 0.1, 0.2, chosen=2), "epoch 2 kept, not for the lowest of these errors"),
        (
            epochs(0.3, 0.2, 0.1, chosen=2, key="test_error"),
            "epoch 2 kept: lowest test error, 10.0 %, down from 30.0 % at the start",
        ),
        (epochs(0.3, 0.2, chosen=None), ""),
    ],
)
def test_a_caption_says_why_its_epoch_was_kept(found, why):
    assert curves.why_kept(found).replace("\u00a0", " ") == why


@pytest.mark.parametrize(("by", "warned"), [("validation", False), ("test", True)])
def test_the_rule_is_that_of_the_configuration(by, warned):
    said = curves.rule({"config.improve.choose_epoch_by": by})
    assert f"on {by} problems" in said and ("flatters" in said) == warned
    assert curves.rule({}) == curves.rule({"config.improve.choose_epoch_by": "<b>"}) == ""


def test_the_rule_says_whose_vote_chose():
    config = {"config.improve.choose_epoch_by": "validation"}
    assert "reward model" not in curves.rule(config) and not curves.chosen_by_reward_model(config)
    weighted = config | {"config.improve.choose_epoch_with": "reward_model"}
    assert "by the vote of the reward model that it learns from" in curves.rule(weighted)
