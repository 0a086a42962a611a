import pytest
import small_models

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.io.models import save_model
from procsup_jax.jobs import label
from procsup_jax.types import Problem, Sample


@pytest.fixture
def paths(tmp_path):
    return tmp_path / "p.jsonl", tmp_path / "s.jsonl", tmp_path / "l.jsonl"


def test_steps_are_counted_by_the_layout_or_as_they_are_given(paths, capsys):
    text = "2+2 is\nfour\n\nSo \\boxed{%s}"
    records.write_problems(paths[0], [Problem("a", "2+2?", "4")])
    wrong = text % 5
    samples = [Sample("a", 0, text % 4, "4"), Sample("a", 0, wrong, "5", decoding="greedy", steps=(wrong,))]
    records.write_samples(paths[1], samples)
    for layout, num_steps in (("lines", 3), ("paragraphs", 2)):
        label.run(*paths, layout=layout)
        found = records.read_labels(paths[2])
        assert [(each.key, each.num_steps, each.trace_correct) for each in found] == [
            (("a", 0, None), num_steps, True), (("a", 0, "greedy"), 1, False),
        ]  # fmt: skip
    assert "2 solutions labelled by outcome, 1 without a wrong step" in capsys.readouterr().out


def test_strict_answers_stand_behind_the_layouts_marker(paths):
    records.write_problems(paths[0], [Problem("a", "2+2?", "4")])
    records.write_samples(paths[1], [Sample("a", 0, "#### 4"), Sample("a", 1, "\\boxed{4}")])

    def right(**chosen):
        label.run(*paths, **chosen)
        return [each.trace_correct for each in records.read_labels(paths[2])]

    assert right() == [True, True]
    assert right(answers="strict") == [True, False]
    assert right(answers="strict", layout="paragraphs") == [False, True]


def test_a_problem_without_an_answer_is_refused_or_left_out(paths, capsys):
    records.write_problems(
        paths[0], [Problem("a", "?", ""), Problem("b", "?", "", "#### 4"), Problem("c", "?", "#### 4")]
    )
    records.write_samples(paths[1], [Sample(uid, 0, "#### 4") for uid in "bac"])
    with pytest.raises(
        UserError, match="1 of 3 problems have no final answer, first problem 'a': its \"answer\" is ''"
    ):
        label.run(*paths)
    label.run(*paths, skip_bad=True)
    assert [(each.problem_uid, each.trace_correct) for each in records.read_labels(paths[2])] == [
        ("b", True), ("c", True),
    ]  # fmt: skip
    assert "left out 1 problems without an answer, the first: problem 'a'" in capsys.readouterr().out


def test_rollouts_are_sampled_from_a_policy(paths, capsys, vocab_folder, tmp_path):
    policy = small_models.writer(vocab_folder, "lines")
    save_model(tmp_path / "policy", policy)
    records.write_problems(paths[0], [Problem("a", "How many?", "8")])
    records.write_samples(paths[1], [Sample("a", 0, "2\n6\n#### 8"), Sample("a", 1, "#### 9")])
    flags = label.RolloutFlags(policy=tmp_path / "policy", rollouts=2, max_new_tokens=16, lanes=2)
    label.run(*paths, source="rollouts", rollouts=flags)
    found = records.read_labels(paths[2])
    assert [(each.source, each.num_steps, each.steps[-1]) for each in found] == [("rollouts", 3, 1), ("rollouts", 1, 0)]
    assert [each.extra["rollouts"] for each in found] == [[2, 2, 0], [0]]
    assert set(found[0].steps[:2]) <= {0, 0.5, 1}
    assert "2 solutions labelled by rollouts" in capsys.readouterr().out


def test_a_policy_goes_with_rollouts_alone(paths, tmp_path):
    records.write_problems(paths[0], [Problem("a", "How many?", "8")])
    records.write_samples(paths[1], [Sample("a", 0, "#### 8")])
    with pytest.raises(UserError, match="--source=rollouts samples from a policy; add --policy=FOLDER"):
        label.run(*paths, source="rollouts")
    with pytest.raises(UserError, match=r"--policy=\S+ is what --source=rollouts samples from; leave it out"):
        label.run(*paths, rollouts=label.RolloutFlags(policy=tmp_path))
