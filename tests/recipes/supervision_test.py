import pytest

from procsup_jax.data.worlds import splits
from procsup_jax.recipes.supervision import supervision
from procsup_jax.text.vocab import train_vocab
from procsup_jax.types import StepLabels


@pytest.fixture(scope="module")
def problems():
    return splits.problems("sft", 8)


@pytest.fixture(scope="module")
def vocab(problems, tmp_path_factory):
    texts = [f"{problem.question}\n{problem.solution}" for problem in problems]
    return train_vocab(texts, 400, tmp_path_factory.mktemp("vocab") / "vocab.model", seed=0)


def test_each_policy_pays_for_what_it_and_its_reward_model_were_given(vocab, problems):
    labels = [StepLabels("a", 0, -1, 4, "r", "oracle"), StepLabels("a", 1, 2, 5, "r", "oracle")]
    sft, rm, rl = problems[:4], problems[4:6], problems[6:]
    found = supervision(vocab, problems[:1], sft, rm, rl, labels)
    written = [len(vocab.encode(each.solution)) for each in problems]
    answers = [len(vocab.encode(each.answer)) for each in problems]

    def cost(solution_tokens, answer_tokens=0, step_labels=0):
        return {"solution_tokens": solution_tokens, "answer_tokens": answer_tokens, "step_labels": step_labels}

    assert found["few_shot"] == cost(written[0])
    assert found["few_shot_final_answer_rl"] == found["few_shot_orm_rl"] == cost(written[0], sum(answers[6:]))
    assert found["few_shot_orm"] == cost(written[0], sum(answers[4:6]))
    assert found["sft"] == cost(sum(written[:4]))
    assert found["sft_final_answer_rl"] == cost(sum(written[:4]), sum(answers[6:]))
    assert found["sft_orm"] == found["sft_orm_rl"] == cost(sum(written[:4]), sum(answers[4:6]))
    assert found["sft_prm"] == found["sft_prm_rl"] == cost(sum(written[:4]), sum(answers[4:6]), 4 + 3)


def test_labels_derived_from_reference_solutions_cost_those(vocab, problems):
    found = supervision(vocab, problems[:1], problems[:4], problems[4:6], problems[6:], None)
    extra = found["sft_prm"]["solution_tokens"] - found["sft_orm"]["solution_tokens"]
    assert extra == sum(len(vocab.encode(each.solution)) for each in problems[4:6])
    assert found["sft_prm"]["step_labels"] == 0


def test_labels_by_rollouts_cost_no_more_than_final_answers(vocab, problems):
    found = supervision(vocab, problems[:1], problems[:4], problems[4:6], problems[6:], ())
    assert found["sft_prm"] == found["sft_orm"]
