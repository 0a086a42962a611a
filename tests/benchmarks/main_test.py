import pathlib
import shlex

import benchmarks
from benchmarks import __main__ as command
from benchmarks.suite import BENCHMARKS
from benchmarks.workload import Task

README = pathlib.Path(benchmarks.__file__).with_name("README.md")


def test_the_readme_s_commands_parse_and_name_every_benchmark():
    text = README.read_text(encoding="utf-8").replace("\\\n", " ")
    commands = [line.strip() for line in text.splitlines() if line.strip().startswith("python -m benchmarks")]
    assert len(commands) >= 4
    for each in commands:
        command.parse(shlex.split(each, comments=True)[3:])
    assert all(f"`{name}`" in text for name in [*BENCHMARKS, "demo", "memory"])


def test_mistakes_are_one_clear_line(capsys):
    for arguments, message in (
        (["samplin"], "benchmark 'samplin' is unknown: expected some of check, limits, sampling"),
        (["limits", "--rounds", "0"], "--rounds=0: expected at least 1"),
        (["limits", "--python", "vllm=x"], "--python vllm=x: expected LIBRARY=PATH"),
        (["table", "absent.jsonl"], "absent.jsonl"),
    ):
        assert command.main(arguments) == 2
        assert message in capsys.readouterr().err


def test_a_gpu_runs_the_benchmarks_that_have_sizes_there(capsys):
    assert command.main(["check", "--device", "gpu"]) == 2
    assert "benchmark 'check' is for the CPU alone: leave out --device gpu" in capsys.readouterr().err
    names = [name for name, each in BENCHMARKS.items() if each.sizes_on("gpu")]
    assert names == ["limits", "sampling", "scoring", "training"]
    for name in names:
        (group,) = BENCHMARKS[name].groups(Task("25m", "", device="gpu"))
        assert all(spec.on_gpu and not spec.name.endswith("bf16") for spec in group.specs)
