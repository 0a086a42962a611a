import numpy as np
import pytest

from procsup_jax.data import examples
from procsup_jax.data.worlds import splits
from procsup_jax.errors import UserError
from procsup_jax.text.vocab import train_vocab
from procsup_jax.types import Sample, StepLabels


@pytest.fixture(scope="module")
def problems():
    return splits.problems("sft", 6)


@pytest.fixture(scope="module")
def vocab(problems, tmp_path_factory):
    texts = [f"{problem.question}\n{problem.solution}" for problem in problems]
    return train_vocab(texts, 400, tmp_path_factory.mktemp("vocab") / "vocab.model", seed=0)


def test_every_step_ends_with_its_separator_and_the_last_with_eos(vocab):
    steps = examples.step_ids(vocab, "a <<1+1=2>>2\nb\n#### 2")
    assert [ids[-1] for ids in steps] == [vocab.sep_id, vocab.sep_id, vocab.eos_id]
    assert vocab.decode([i for ids in steps for i in ids]) == "a <<1+1=2>>2\nb\n#### 2"


def test_worked_examples_stand_before_a_prompt_token_for_token(vocab, problems):
    question, shots = problems[3].question, problems[:2]
    before = examples.example_ids(vocab, shots)
    assert examples.prompt_ids(vocab, question, shots) == before + examples.prompt_ids(vocab, question)
    assert examples.example_ids(vocab, ()) == []


def test_an_empty_solution_has_no_steps(vocab):
    assert examples.step_ids(vocab, "") == []


def test_a_solutions_loss_starts_with_its_first_token(vocab, problems):
    [example] = examples.solution_examples(vocab, [(problems[0], problems[0].solution)])
    learned = example.targets_l[example.weights_l > 0]
    assert vocab.decode(learned) == problems[0].solution
    assert learned[-1] == vocab.eos_id


def test_equal_samples_are_one_example_with_their_number_as_weight(vocab, problems):
    by_uid = {problem.uid: problem for problem in problems}
    uid = problems[0].uid
    samples = [Sample(uid, i, "one\ntwo\n#### 3") for i in range(3)] + [Sample(uid, 3, "other\n#### 4")]
    labels = [StepLabels(uid, i, 1, 3, "r", "oracle") for i in range(3)] + [StepLabels(uid, 3, -1, 2, "r", "oracle")]
    first, second = examples.label_examples(vocab, by_uid, samples, labels)
    assert sorted(set(first.weights_l)) == [0.0, 3.0]
    assert first.targets_l[first.weights_l > 0].tolist() == [1, 0, 0]
    assert second.targets_l[second.weights_l > 0].tolist() == [1, 1]


def test_samples_without_any_label_are_an_error(vocab, problems):
    samples = [Sample(problems[0].uid, 0, "one")]
    with pytest.raises(UserError, match="none of the 1 samples has a label"):
        examples.label_examples(vocab, {problems[0].uid: problems[0]}, samples, [])


def test_soft_labels_are_targets_and_unknown_ones_carry_no_loss(vocab, problems):
    by_uid, uid = {problem.uid: problem for problem in problems}, problems[0].uid
    samples = [Sample(uid, i, "one\ntwo\n#### 3") for i in range(4)]
    soft, other = (1, 0.25, None), (1, 0.75, None)
    labels = [StepLabels(uid, i, None, 3, "r", "judge", steps=soft if i < 2 else other) for i in range(3)]
    labels.append(StepLabels(uid, 3, None, 3, "r", "judge", steps=(None, None, None)))
    first, second = examples.label_examples(vocab, by_uid, samples, labels)
    assert first.targets_l.dtype == np.float32
    assert first.targets_l[first.weights_l > 0].tolist() == [1, 0.25]
    assert first.weights_l[first.weights_l > 0].tolist() == [2, 2]
    assert second.targets_l[second.weights_l > 0].tolist() == [1, 0.75]
    with pytest.raises(UserError, match="none of the 4 samples has a label"):
        examples.label_examples(vocab, by_uid, samples, labels[3:])


def test_labels_that_fit_no_steps_name_their_sample(vocab, problems):
    by_uid, uid = {problem.uid: problem for problem in problems}, problems[0].uid
    labels = [StepLabels(uid, 7, 1, 3, "r", "human")]
    with pytest.raises(UserError, match=f"sample 7 of problem '{uid}' has 2 steps but 3 labels"):
        examples.label_examples(vocab, by_uid, [Sample(uid, 7, "one\n#### 3")], labels)


def test_given_steps_are_labelled_by_their_index(vocab, problems):
    by_uid, uid = {problem.uid: problem for problem in problems}, problems[0].uid
    given = Sample(uid, 0, "one\n- more\n#### 3", steps=("one\n- more", "#### 3"))
    [example] = examples.label_examples(vocab, by_uid, [given], [StepLabels(uid, 0, 1, 2, "r", "human")])
    assert example.targets_l[example.weights_l > 0].tolist() == [1, 0]
