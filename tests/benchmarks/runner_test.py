import dataclasses
import os

import pytest

from benchmarks import runner, suite
from benchmarks.suite import Group, Spec

SETTING = runner.Setting(core=max(os.sched_getaffinity(0)), rounds=2)
MEMORY = suite.LIMITS[2]


def test_a_contender_answers_each_line(task):
    contender = runner.Contender(MEMORY, task, SETTING, warm_up=False)
    ready = contender.answer()
    assert ready["ready"] and ready["unit"] == "GB" and ready["threads"] == 1
    assert contender.answer("run")["seconds"] > 0 and contender.answer("run")["facts"] == {}
    contender.close()


def test_ours_is_measured_and_absent_peers_are_named(task):
    ragged = dataclasses.replace(task, num_problems=2, shortest=2)
    absent = Spec("absent", "benchmarks.peers.absent", library="tunix", rival=True)
    broken = Spec("broken", "benchmarks.ours.memory", {"unknown": 1})
    sampler = dataclasses.replace(suite.OURS, options={"calculator": False})
    left_out, failed, memory, ours = runner.measure(Group("ragged", ragged, (MEMORY, sampler, absent, broken)), SETTING)
    assert "google-tunix" in left_out["left_out"] and "--python tunix=PATH" in left_out["left_out"]
    assert "unknown" in failed["failed"]
    assert memory["unit"] == "GB/s"
    assert ours["unit"] == "tokens/s" and ours["n"] == 2 and ours["rate"]["median"] > 0
    assert ours["flops_per_token"] > 0 and ours["characters"] > 0 and "jax" in ours["versions"]


def test_a_contender_that_ends_says_why(task):
    contender = runner.Contender(Spec("broken", "benchmarks.ours.memory", {"unknown": 1}), task, SETTING, warm_up=False)
    with pytest.raises(runner.Failed, match="unknown"):
        contender.answer()
    contender.close()
