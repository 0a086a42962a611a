"""Kills, pairs and full disks: a few of those that `python -m benchmarks.soak` tries, and what it would see."""

import dataclasses
import random
import sys

import pytest

from benchmarks.soak import disk, kills, lock, processes, work
from benchmarks.soak.result import Budget

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    return work.train_job(folder, steps=3).timed(folder / "undisturbed")


def test_a_killed_training_ends_in_the_same_bytes(train, tmp_path):
    found = list(kills.disturbed(train, tmp_path, 1, random.Random(1), Budget(1)))
    assert [each.fault for each in found] == [""] * len(found)
    assert [each.code != 0 for each in found] == [True] * (len(found) - 1) + [False]
    assert len(found) > 1


def test_other_bytes_after_a_kill_are_seen(tmp_path):
    job = work.Job("data", ("data", "--dataset=worlds", "--num=3", "--output={}/p.jsonl"), "").timed(tmp_path / "a")
    changed = dataclasses.replace(job, expected={**job.expected, "new": ""})
    for each, fault in ((job, ""), (changed, "new (missing)")):
        [last] = kills.disturbed(each, tmp_path / "b", 0, random.Random(1), Budget(1))
        assert last.fault == fault


def test_one_of_two_trainings_runs(train, tmp_path):
    assert lock.attempt([train.argv(tmp_path)] * 2, 0.1) == (True, "")
    assert processes.contents(tmp_path) == train.expected


def test_two_that_do_not_meet_both_run_and_what_is_not_promised_is_seen(tmp_path):
    data = ["data", "--dataset=worlds", "--num=3"]
    apart = [[*data, f"--output={tmp_path / name}"] for name in "ab"]
    assert lock.attempt(apart, 0.0) == (False, "")
    met, fault = lock.attempt([apart[0], [*data, "--output="]], 0.0)
    assert met and fault.startswith("exit codes [0, 2], expected one that runs and one that is refused")


def test_a_full_disk_is_one_line_and_goes_on(tmp_path):
    if why := disk.not_permitted(tmp_path):
        pytest.skip(why)
    job = work.Job("data", ("data", "--dataset=worlds", "--num=100", "--output={}/p.jsonl"), "").timed(tmp_path / "a")
    found = [
        disk.attempt_alone(dataclasses.replace(job, size=20 << 10), tmp_path / "disk", f"0/{number}")
        for number in range(2)
    ]
    assert [each["fault"] for each in found] == [""] * 2
    assert sum(each["fills"] for each in found) > 0


@pytest.mark.parametrize(
    ("code", "said", "fault"),
    [
        (0, "", ""),
        (0, "procsup: warning: x\n", ""),
        (2, "f: 3 steps\nprocsup: x\n", ""),
        (2, "procsup: x\nprocsup: y\n", "exit code 2"),
        (2, "procsup: x\nTraceback\n", "exit code 2"),
        (0, "procsup: x\n", "exit code 0"),
        (1, "procsup: x\n", "exit code 1"),
        (-9, "", "exit code -9"),
    ],
)
def test_how_a_command_may_end(code, said, fault):
    assert processes.judge(code, said).startswith(fault) and bool(fault) == bool(processes.judge(code, said))


def test_contents_leave_out_what_the_clock_determines(tmp_path):
    (tmp_path / "stages").mkdir()
    files = {"stages/a.json": '{"wall_clock_s": 1, "b": 2}', "results.json": '{"wall_clock": {}, "c": 1}', "d": "e"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    before = processes.contents(tmp_path)
    assert set(before) == set(files)
    for name, text in files.items():
        (tmp_path / name).write_text(text.replace('k_s": 1', 'k_s": 9'))
    (tmp_path / "timing.jsonl").write_text("x")
    assert processes.contents(tmp_path) == before
    (tmp_path / "d").write_text("f")
    (tmp_path / "results.json").unlink()
    (tmp_path / ".p.12345678.tmp").write_text("")
    found = processes.difference(processes.contents(tmp_path), before)
    assert found == ".p.12345678.tmp (extra), d (other), results.json (missing)"
