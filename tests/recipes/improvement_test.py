"""Which samples an epoch of expert iteration keeps, from a run's files."""

import dataclasses

import pytest

from procsup_jax.errors import UserError
from procsup_jax.recipes.artefacts import Problems, Samples, Scores
from procsup_jax.recipes.improvement import approach, choose_epoch, epoch_scores, improvement, keep
from procsup_jax.recipes.settings import ExperimentSettings, ImproveSettings
from procsup_jax.recipes.supervised import sft_policy
from procsup_jax.runner.folder import RunFolder
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.stage import Stage
from procsup_jax.searching.aggregate import to_scores
from procsup_jax.types import Problem, Sample

# A product of steps: .8 is left after two of them, .7 after four, so that a long step-for-step better one ranks second.
SHORT, LONG = (0.9, 0.8), (0.95, 0.9, 0.8, 0.7)


@pytest.mark.parametrize(("aggregate", "kept"), [("last", 0), ("per_step", 1)])
def test_orm_rl_chooses_by_the_setting(aggregate, kept, tmp_path):
    settings = dataclasses.replace(ExperimentSettings(), improve=ImproveSettings(aggregate=aggregate))
    samples = [Sample("p", 0, "a\nb", "2"), Sample("p", 1, "a\nb\nc\nd", "1")]
    problems, drawn, kept_ones = Problems("rl"), Samples("drawn"), Samples("experts")
    scores = Scores(drawn, "sft_orm")
    problems.write(tmp_path / problems.path, [Problem("p", "?", "1")])
    drawn.write(tmp_path / drawn.path, samples)
    scores.write(tmp_path / scores.path, to_scores(samples, [SHORT, LONG], "last", "sft_orm"))
    args = approach("sft_orm_rl", sft_policy()), kept_ones, problems, drawn, scores
    folder = RunFolder(tmp_path, settings)
    folder.run(Graph.of([Stage("keep", keep, args, inputs=[problems, drawn, scores], outputs=[kept_ones])]))
    assert folder.read(kept_ones) == [samples[kept]]


def scored(samples, probs):
    return to_scores(samples, [(prob,) for prob in probs], "last", "rm")


def test_an_epoch_is_chosen_by_the_vote_that_is_asked_for():
    problems = [Problem("p", "?", "1")]
    right_by_majority = [Sample("p", 0, "a", "1"), Sample("p", 1, "a", "1"), Sample("p", 2, "a", "2")]
    wrong_by_majority = [Sample("p", 0, "a", "1"), Sample("p", 1, "a", "2"), Sample("p", 2, "a", "2")]
    samples = [wrong_by_majority, right_by_majority, wrong_by_majority]
    assert choose_epoch(problems, samples, [None] * 3, seed=0) == ([1.0, 0.0, 1.0], 1)
    scores = [scored(wrong_by_majority, (0.9, 0.1, 0.1)), scored(right_by_majority, (0.1, 0.1, 0.9))]
    assert choose_epoch(problems, samples, [*scores, scores[0]], seed=0) == ([0.0, 1.0, 0.0], 2)


def test_an_epochs_policy_is_judged_by_the_reward_model_that_it_learned_from():
    settings = dataclasses.replace(
        ExperimentSettings(), improve=ImproveSettings(num_epochs=2, choose_epoch_with="reward_model")
    )
    plans = {name: approach(name, sft_policy()) for name in ("sft_orm_rl", "sft_final_answer_rl", "few_shot_orm_rl")}
    judged = {name: [each and each.rm for each in epoch_scores(settings, plan)] for name, plan in plans.items()}
    assert judged["sft_orm_rl"] == ["sft_orm"] * 3
    assert judged["sft_final_answer_rl"] == [None] * 3
    retrained = "few_shot_orm_rl.epoch1.orm"
    assert judged["few_shot_orm_rl"] == [retrained, retrained, "few_shot_orm_rl.epoch2.orm"]
    choice = list(improvement(settings, plans["sft_orm_rl"]))[-1]
    assert set(epoch_scores(settings, plans["sft_orm_rl"])) <= set(choice.inputs)
    by_majority = dataclasses.replace(settings, improve=ImproveSettings(num_epochs=2))
    assert not any(isinstance(each, Scores) for each in list(improvement(by_majority, plans["sft_orm_rl"]))[-1].inputs)


def test_no_epoch_is_an_error():
    with pytest.raises(UserError, match="num_epochs=0: expected at least 1"):
        ImproveSettings(num_epochs=0)
