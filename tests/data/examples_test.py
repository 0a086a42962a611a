import dataclasses

import numpy as np
import pytest

from procsup_jax.data import examples
from procsup_jax.data.worlds import splits
from procsup_jax.errors import UserError
from procsup_jax.text.encoding import Encoding
from procsup_jax.text.layout import LINES
from procsup_jax.text.tokenizer import load_tokenizer
from procsup_jax.types import Problem, Sample, StepLabels


@pytest.fixture(scope="module")
def problems():
    return splits.problems("sft", 6)


@pytest.fixture(scope="module")
def encoding(vocab_folder):
    return Encoding(load_tokenizer(vocab_folder), LINES)


def test_a_solutions_loss_starts_with_its_first_token(encoding, problems):
    [example] = examples.solution_examples(encoding, examples.references([problems[0], Problem("x", "?", "1")]))
    learned = example.targets_l[example.weights_l > 0]
    assert encoding.tokenizer.decode(learned) == problems[0].solution
    assert learned[-1] == encoding.end_id


def test_equal_samples_are_one_example_with_their_number_as_weight(encoding, problems):
    by_uid = {problem.uid: problem for problem in problems}
    uid = problems[0].uid
    samples = [Sample(uid, i, "one\ntwo\n#### 3") for i in range(3)] + [Sample(uid, 3, "other\n#### 4")]
    labels = [StepLabels(uid, i, 1, 3, "r", "oracle") for i in range(3)] + [StepLabels(uid, 3, -1, 2, "r", "oracle")]
    first, second = examples.label_examples(encoding, by_uid, samples, labels)
    assert sorted(set(first.weights_l)) == [0.0, 3.0]
    assert first.targets_l[first.weights_l > 0].tolist() == [1, 0, 0]
    assert second.targets_l[second.weights_l > 0].tolist() == [1, 1]


def test_samples_without_any_label_are_an_error(encoding, problems):
    samples = [Sample(problems[0].uid, 0, "one")]
    with pytest.raises(UserError, match="none of the 1 samples has a label"):
        examples.label_examples(encoding, {problems[0].uid: problems[0]}, samples, [])


def test_soft_labels_are_targets_and_unknown_ones_carry_no_loss(encoding, problems):
    by_uid, uid = {problem.uid: problem for problem in problems}, problems[0].uid
    samples = [Sample(uid, i, "one\ntwo\n#### 3") for i in range(4)]
    soft, other = (1, 0.25, None), (1, 0.75, None)
    labels = [StepLabels(uid, i, None, 3, "r", "judge", steps=soft if i < 2 else other) for i in range(3)]
    labels.append(StepLabels(uid, 3, None, 3, "r", "judge", steps=(None, None, None)))
    first, second = examples.label_examples(encoding, by_uid, samples, labels)
    assert first.targets_l.dtype == np.float32
    assert first.targets_l[first.weights_l > 0].tolist() == [1, 0.25]
    assert first.weights_l[first.weights_l > 0].tolist() == [2, 2]
    assert second.targets_l[second.weights_l > 0].tolist() == [1, 0.75]
    with pytest.raises(UserError, match="none of the 4 samples has a label"):
        examples.label_examples(encoding, by_uid, samples, labels[3:])


def test_labels_that_fit_no_steps_name_their_sample(encoding, problems):
    by_uid, uid = {problem.uid: problem for problem in problems}, problems[0].uid
    labels = [StepLabels(uid, 7, 1, 3, "r", "human")]
    with pytest.raises(UserError, match=f"sample 7 of problem '{uid}' has 2 steps but 3 labels"):
        examples.label_examples(encoding, by_uid, [Sample(uid, 7, "one\n#### 3")], labels)


def test_given_steps_are_labelled_by_their_index(encoding, problems):
    by_uid, uid = {problem.uid: problem for problem in problems}, problems[0].uid
    given = Sample(uid, 0, "one\n- more\n#### 3", steps=("one\n- more", "#### 3"))
    [example] = examples.label_examples(encoding, by_uid, [given], [StepLabels(uid, 0, 1, 2, "r", "human")])
    assert example.targets_l[example.weights_l > 0].tolist() == [1, 0]


def test_what_a_policy_wrote_is_what_a_reward_model_learns_from(encoding, problems):
    by_uid, uid = {problem.uid: problem for problem in problems}, problems[0].uid
    written = [i for char in "one\n#### 3" for i in encoding.tokenizer.encode(char)]
    assert written != encoding.tokenizer.encode("one\n#### 3")
    own = {"token_ids": tuple(written), "tokenizer": encoding.tokenizer.digest}
    samples = [Sample(uid, 0, "one\n#### 3", **own), Sample(uid, 1, "one\n#### 3")]
    labels = [StepLabels(uid, i, 1, 2, "r", "oracle") for i in range(2)]
    read, encoded = examples.label_examples(encoding, by_uid, samples, labels)
    assert read.tokens_l[-len(written) - 1 :].tolist() == [*written, encoding.end_id]
    assert len(encoded.tokens_l) < len(read.tokens_l)
    other = [dataclasses.replace(samples[0], tokenizer="another"), samples[1]]
    assert len(examples.label_examples(encoding, by_uid, other, labels)) == 1
