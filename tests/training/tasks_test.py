"""Training on files: each task learns from what it should, held out by problem, the rest named."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from procsup_jax.data.completions import Completion
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text.encoding import layout_for
from procsup_jax.text.tokenizer import load_tokenizer
from procsup_jax.training.settings import FitSettings, OptimSettings, TrainSettings
from procsup_jax.training.tasks import Lesson, train
from procsup_jax.types import Problem, Sample, StepLabels

FIT = FitSettings(OptimSettings(peak_lr=3e-3), num_steps=6, batch_size=4, eval_every=3, log_every=3)
SETTINGS = TrainSettings(FIT, seq_len=96, validation=0.25)
PROBLEMS = [Problem(f"p{i}", f"What is {i}+1?", str(i + 1), f"{i}+1={i + 1}\n#### {i + 1}") for i in range(8)]
SAMPLES = [
    Sample(each.uid, k, f"{each.answer}\n#### {int(each.answer) + k}", str(int(each.answer) + k))
    for each in PROBLEMS
    for k in range(2)
]
SOFT = [StepLabels(s.problem_uid, s.sample, None, 2, "me", "hand", steps=(0.8, None)) for s in SAMPLES]
LONGER = dataclasses.replace(SOFT[3], steps=(1, 0, 1), num_steps=3)


@pytest.fixture(scope="module")
def model(digits_bpe_folder):
    tokenizer = load_tokenizer(digits_bpe_folder)
    config = api.ModelConfig(tokenizer.size, 1, 16, 2, 1, 8, 24, max_len=96)
    params = api.init_params(config, jax.random.key(0))
    return Model(config, params, tokenizer, layout_for(tokenizer, "lines"), name="tiny", digest="abc")


@pytest.mark.parametrize(
    ("lesson", "head", "examples"),
    [
        (Lesson("sft", PROBLEMS), None, 6),
        (Lesson("sft", completions=[Completion("2+2=", "4")] * 4), None, 3),
        (Lesson("distil", PROBLEMS, SAMPLES), None, 12),
        (Lesson("orm", PROBLEMS, SAMPLES), "verdict", 12),
        (Lesson("prm", PROBLEMS, SAMPLES, SOFT), "classifier", 12),
    ],
)
def test_each_task_learns(model, lesson, head, examples):
    trained = train(model, lesson, dataclasses.replace(SETTINGS, head=head or "verdict"), seed=1)
    losses = [record["loss"] for record in trained.history if "loss" in record]
    assert losses[-1] < losses[0] and any("valid_loss" in record for record in trained.history)
    assert trained.num_examples == examples and trained.num_left_out == 0
    assert (trained.model.head.kind if trained.model.head else None) == head
    assert trained.model.metadata["task"] == lesson.task
    assert trained.model.metadata["start"] == {"name": "tiny", "digest": "abc"}
    assert not np.array_equal(trained.model.params["embedding"], model.params["embedding"])


def test_a_head_of_the_same_kind_is_gone_on_from(model):
    judge = train(model, Lesson("orm", PROBLEMS, SAMPLES), dataclasses.replace(SETTINGS, head="classifier")).model
    still = FitSettings(OptimSettings(peak_lr=1e-9), num_steps=1, batch_size=4)
    again = train(judge, Lesson("prm", PROBLEMS, SAMPLES, SOFT), TrainSettings(still, 96, "classifier", 0.0)).model
    close = functools.partial(np.testing.assert_allclose, atol=1e-6)
    jax.tree.map(close, again.params["head"], judge.params["head"])
    with pytest.raises(UserError, match="tiny.orm is a reward model"):
        train(judge, Lesson("sft", PROBLEMS), TrainSettings(still, 96))
    policy = train(judge.with_head(None), Lesson("sft", PROBLEMS), TrainSettings(still, 96)).model
    assert policy.head is None
    assert policy.metadata["tokens_seen"] and again.metadata["task"] == "prm"


@pytest.mark.parametrize(
    ("lesson", "message"),
    [
        (Lesson("sft", [dataclasses.replace(PROBLEMS[0], solution=None)]), 'none of the 1 problems has a "solution"'),
        (Lesson("distil", PROBLEMS), "distil learns from samples: give --samples"),
        (Lesson("prm", PROBLEMS, SAMPLES), "prm learns from step labels: give --labels"),
        (Lesson("prm", PROBLEMS, SAMPLES, [StepLabels("q", 0, -1, 2, "me", "hand")]), "none of the 16 samples has a"),
        (Lesson("prm", PROBLEMS[1:], SAMPLES, SOFT), "'p0', which is not among the 7 problems"),
        (
            Lesson("prm", PROBLEMS, SAMPLES, [dataclasses.replace(SOFT[3], steps=(1, 0, 1), num_steps=3)]),
            "has 2 steps but 3",
        ),
        (Lesson("poem", PROBLEMS), "task 'poem' is unknown: expected one of sft, distil, orm, prm"),
    ],
)
def test_what_a_lesson_lacks_is_one_clear_line(model, lesson, message):
    with pytest.raises(UserError, match=message):
        train(model, lesson, SETTINGS)


def test_a_share_that_is_none_is_refused():
    with pytest.raises(UserError, match="validation=1: expected a number from 0 to below 1"):
        TrainSettings(validation=1)
