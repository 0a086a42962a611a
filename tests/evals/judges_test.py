import pytest

from procsup_jax.errors import UserError
from procsup_jax.evals.judges import RM_TASK, check_judges
from procsup_jax.types import Score


def scores(*models, **extra):
    return [Score("p", i, (0.5,), 0.5, "last", model, extra=extra) for i, model in enumerate(models)]


@pytest.mark.parametrize(
    "given",
    [
        {"orm": scores("runs/a/models/sft_orm"), "prm": scores("runs/a/models/sft_prm")},
        {"orm": scores(None), "prm": scores("rm", "rm")},
        {"mine": scores("models/sft_prm")},
        {"orm": scores("models/orm_to_prm")},
        {"orm": scores("models/few_shot_final_answer_rl_orm"), "sft_orm": scores("models/sft_orm")},
        {"orm": scores("models/prm", **{RM_TASK: "orm"})},
        {"orm": scores("storm"), "prm": scores("my.prm/")},
    ],
)
def test_names_that_fit_or_say_nothing_pass(given):
    check_judges(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"orm": scores("models/sft_prm")},
            'scores given as orm are another reward model\'s, as their "rm" is models/sft',
        ),
        ({"prm": scores("models\\sft_orm\\")}, "scores given as prm"),
        ({"prm": scores("x", **{RM_TASK: "orm"})}, 'as their "rm_task" is orm: are the files exchanged'),
        ({"qwen": scores("models/skywork"), "skywork": scores("models/qwen")}, "scores given as qwen"),
        ({"orm": scores("a", "b")}, r"scores by orm are of 2 reward models \(a, b\): give each its own name"),
    ],
)
def test_scores_of_another_judge_are_refused(given, said):
    with pytest.raises(UserError, match=said):
        check_judges(given)
