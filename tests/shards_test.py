"""A file that several processes write: what one process makes of it, and what those that were killed have left."""

import pytest

from procsup_jax import processes, records, shards
from procsup_jax.errors import UserError
from procsup_jax.types import Problem, Sample, Score, StepLabels

PROBLEMS = [Problem(uid=f"p{i}", question="?", answer="1") for i in range(5)]
SAMPLES = [Sample(f"p{i}", k, f"{k}\n#### 1") for i in range(5) for k in range(2)]


def of_two(monkeypatch, index):
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "index", lambda: index)


def test_each_has_the_samples_of_its_problems_and_a_stray_one_is_everyones_to_refuse(monkeypatch):
    stray = Sample("elsewhere", 0, "#### 1")
    assert shards.of_mine([*SAMPLES, stray], PROBLEMS) == [*SAMPLES, stray]
    found = []
    for index in range(2):
        of_two(monkeypatch, index)
        found.append(shards.of_mine([*SAMPLES, stray], PROBLEMS))
        assert found[-1].pop() == stray
    assert {sample.problem_uid for sample in found[0]} == {"p0", "p2", "p4"}
    assert sorted(found[0] + found[1], key=lambda sample: sample.key) == SAMPLES


def test_shards_are_joined_in_the_problems_order(monkeypatch, tmp_path):
    path = tmp_path / "s.jsonl"
    shards.write_samples(tmp_path / "alone.jsonl", SAMPLES, PROBLEMS)
    monkeypatch.setattr(processes, "wait", lambda name: None)
    of_two(monkeypatch, 1)
    shards.write_samples(path, shards.of_mine(SAMPLES, PROBLEMS), PROBLEMS)
    assert not path.exists()
    of_two(monkeypatch, 0)
    shards.write_samples(path, shards.of_mine(SAMPLES, PROBLEMS), PROBLEMS)
    assert path.read_bytes() == (tmp_path / "alone.jsonl").read_bytes()
    assert [each.name for each in tmp_path.glob("s.jsonl*")] == ["s.jsonl"]


def test_labels_and_scores_of_shards_are_joined_in_the_samples_order(monkeypatch, tmp_path):
    labels = [StepLabels(*sample.key[:2], -1, 2, "rollouts", "rollouts") for sample in SAMPLES]
    scores = [Score(*sample.key[:2], (0.5, 0.25), 0.25, "last") for sample in SAMPLES]
    writes = (shards.write_labels, labels, records.read_labels), (shards.write_scores, scores, records.read_scores)
    monkeypatch.setattr(processes, "wait", lambda name: None)
    for index in (1, 0):
        of_two(monkeypatch, index)
        mine = {sample.key for sample in shards.of_mine(SAMPLES, PROBLEMS)}
        for write, all_, _ in writes:
            write(tmp_path / write.__name__, [each for each in all_ if each.key in mine], SAMPLES)
    for write, all_, read in writes:
        assert read(tmp_path / write.__name__) == all_


def test_a_shard_that_comes_to_be_seen_later_is_waited_for_and_one_that_does_not_is_named(monkeypatch, tmp_path):
    path = tmp_path / "s.jsonl"
    of_two(monkeypatch, 1)
    monkeypatch.setattr(processes, "wait", lambda name: None)
    shards.write_samples(path, shards.of_mine(SAMPLES, PROBLEMS), PROBLEMS)
    [shard] = tmp_path.iterdir()
    hidden = shard.rename(tmp_path / "hidden")
    of_two(monkeypatch, 0)
    monkeypatch.setattr(processes, "SEEN_S", 0.0)
    with pytest.raises(UserError, match="s.jsonl.shard-1-of-2, written by process 1, is not to be seen by process 0: "):
        shards.write_samples(path, shards.of_mine(SAMPLES, PROBLEMS), PROBLEMS)
    monkeypatch.setattr(processes, "SEEN_S", 60.0)
    monkeypatch.setattr(processes.time, "sleep", lambda seconds: hidden.rename(shard))
    shards.write_samples(path, shards.of_mine(SAMPLES, PROBLEMS), PROBLEMS)
    assert records.read_samples(path) == SAMPLES


def test_what_killed_ones_have_left_goes(tmp_path):
    records.write_samples(tmp_path / "samples/a.jsonl", SAMPLES)
    for left in ("samples/a.jsonl.shard-0-of-4", "scores/b.jsonl.shard-13-of-16"):
        (tmp_path / left).parent.mkdir(exist_ok=True)
        (tmp_path / left).write_text("")
    (tmp_path / "samples/my.shard").write_text("")
    shards.sweep(tmp_path)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"a.jsonl", "my.shard"}
