"""Damaged files of every format, a bounded number of those that `python -m benchmarks.soak malformed` tries."""

import random

import pytest

from benchmarks.soak import mutate
from benchmarks.soak.malformed import Malformed

NUM_FILES = 200


@pytest.fixture(scope="module")
def malformed(tmp_path_factory):
    return Malformed(tmp_path_factory.mktemp("malformed"), seed=0)


def test_the_good_files_are_read(malformed):
    outcomes = {trial: malformed.run(trial) for trial in dict.fromkeys(malformed.trials)}
    assert [each for trial, each in outcomes.items() if each.code != trial.code or each.fault] == []


def test_damaged_files_end_well_or_in_one_line(malformed):
    outcomes = [malformed.attempt(number) for number in range(NUM_FILES)]
    assert [outcome for outcome in outcomes if outcome.fault] == []
    assert sum(outcome.code == 2 for outcome in outcomes) > NUM_FILES // 2


def test_damage_is_a_function_of_the_draw_and_changes_something():
    good = b'{"uid": "a", "n": [1, 2.5], "deep": {"x": null}}\n'
    draws = [mutate.damage(random.Random(seed), "p.jsonl", good) for seed in range(100)]
    assert draws == [mutate.damage(random.Random(seed), "p.jsonl", good) for seed in range(100)]
    assert sum(draw != good for draw in draws) > 70
    assert len(set(draws)) > 60
