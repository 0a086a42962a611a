"""The soak's command line and what it prints."""

import json
import pathlib
import subprocess
import sys
import time

import pytest

from benchmarks.soak import __main__ as soak
from benchmarks.soak.result import Budget, Result, at_most

ROOT = pathlib.Path(__file__).parents[3]


def test_a_part_prints_one_line_and_says_whether_a_promise_was_broken(capsys, monkeypatch):
    for broken, code in ((0, 0), (2, 1)):
        monkeypatch.setattr(
            soak, "_run_of", lambda name, broken=broken: lambda budget, seed: Result(name, 9, broken, 1)
        )
        assert soak.main(["lock", "disk"]) == code
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(line["part"], line["tried"], line["broken"]) for line in lines] == [
            ("lock", 9, broken),
            ("disk", 9, broken),
        ]


def test_sizes_are_quick_full_or_given():
    assert soak.parse([]).kills == soak.PARTS["kills"].quick
    args = soak.parse(["kills", "--size=full", "--files=7"])
    assert (args.parts, args.kills, args.files) == (["kills"], 200, 7)
    assert (args.solutions, args.pairs) == (10_000_000, 50)


@pytest.mark.parametrize("argv", [["kill"], ["--kills=0"], ["--size=some"]])
def test_mistakes_are_said(argv, capsys):
    with pytest.raises(SystemExit, match="2"):
        soak.parse(argv)
    assert "error" in capsys.readouterr().err


def test_a_bound_is_the_rule_of_three_for_none_of_many():
    assert at_most(0, 200) == pytest.approx(3 / 200, rel=0.01)
    assert at_most(1, 2) > 0.9 and at_most(5, 5) == 1
    assert json.loads(Result("kills", 200, 0, 5.04, {"aimed": 3}).line) == {
        "part": "kills", "tried": 200, "broken": 0, "at_most": 0.015, "seconds": 5.0, "aimed": 3,
    }  # fmt: skip
    assert "at_most" not in json.loads(Result("disk", 0, 0, 1, skipped="no disk").line)


def test_a_budget_ends_by_number_or_time():
    assert list(Budget(3)) == [0, 1, 2]
    assert list(Budget(3, 0.0)) == [0]
    assert not Budget(3).spent and Budget(3, 0.0).spent


def test_a_signal_ends_it_with_what_was_found_by_then():
    command = [sys.executable, "-m", "benchmarks.soak", "solutions", "signals", "--solutions=1000000"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as soak:
        time.sleep(3)
        soak.terminate()
        said, _ = soak.communicate(timeout=120)
    [line] = said.splitlines()
    found = json.loads(line)
    assert (found["part"], found["broken"]) == ("solutions", 0)
    assert 0 < found["tried"] < 1_000_000
    assert soak.returncode == 0
