import pytest

from procsup_jax.data.worlds import graph, oracle, settings, splits
from procsup_jax.errors import UserError
from procsup_jax.text import steps


def test_no_story_stands_in_two_splits() -> None:
    """Exact by construction: the split is a function of the story's key, which ignores names, wording and order."""
    keys: dict[str, str] = {}
    for split in splits.SPLITS:
        for seed in (0, 1):
            for problem in splits.problems(split, 40, seed=seed):
                world = graph.from_json(problem.extra["world"])
                assert splits.split_of(world) == split
                assert keys.setdefault(world.key, split) == split
    assert len(keys) > 500


def test_every_bucket_belongs_to_one_split() -> None:
    buckets = [bucket for owned in splits._BUCKETS.values() for bucket in owned]
    assert sorted(buckets) == list(range(splits.NUM_BUCKETS))


def test_a_story_depends_on_split_seed_and_index_only() -> None:
    whole = splits.problems("rl", 6)
    assert whole[4:] == splits.problems("rl", 2, first=4)
    assert whole == splits.problems("rl", 6)
    other = splits.problems("rl", 6, seed=1)
    assert not {p.question for p in whole} & {p.question for p in other}
    assert not {p.uid for p in whole} & {p.uid for p in other}
    assert [p.uid for p in whole[:2]] == ["worlds-rl-0", "worlds-rl-1"]


@pytest.mark.parametrize("split", ["test", "ood"])
def test_reference_solutions_are_right(split: str) -> None:
    for problem in splits.problems(split, 60):
        world = graph.from_json(problem.extra["world"])
        assert problem.answer == str(world.answer)
        written = steps.split_steps(problem.solution or "")
        assert oracle.check(world, written).first_error == -1
        assert written[-1] == f"#### {problem.answer}"


def test_ood_is_longer_and_has_a_form_of_its_own() -> None:
    lengths, forms = {}, {}
    for split in ("test", "ood"):
        drawn = splits.problems(split, 80)
        lengths[split] = sum((p.solution or "").count("\n") for p in drawn) / len(drawn)
        forms[split] = {p.extra["world"]["question"][0] for p in drawn}
    assert lengths["ood"] > lengths["test"] + 1
    assert "left" in forms["ood"] - forms["test"]


def test_settings_can_be_given() -> None:
    easy = settings.WorldSettings(num_steps=(("3", 1.0),), num_unneeded=(("0", 1.0),))
    assert all((p.solution or "").count("\n") == 3 for p in splits.problems("sft", 20, settings=easy))


def test_an_unknown_split_is_a_user_error() -> None:
    with pytest.raises(UserError, match="split 'train' of worlds, expected one of base, sft, rm, rl, .*ood: name one"):
        splits.problems("train", 1)
