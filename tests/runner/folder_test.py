"""Stages run once and are remembered."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from procsup_jax import processes
from procsup_jax.errors import UserError
from procsup_jax.runner.artefacts import Json
from procsup_jax.runner.folder import RunFolder
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.listing import listed
from procsup_jax.runner.stage import Stage
from procsup_jax.runner.view import Fact, Setting, whole

IN, OUT = Json("in.json"), Json("out/a.json")


@dataclasses.dataclass(frozen=True)
class Part:
    num_steps: int = 3
    kind: str = "a"


@dataclasses.dataclass(frozen=True)
class Settings:
    factor: int = 2
    unread: int = 0
    others: int = 3
    part: Part = Part()


def double(ctx, runs, read):
    runs.append(ctx.folder.name)
    assert read is None or read(ctx)
    return {OUT: ctx.settings.factor * ctx.read(IN)}


class Doubler:
    """A folder with a stage that doubles the number in a file and counts how often it ran."""

    def __init__(self, path):
        self.path, self.runs = path, []

    def stage(self, read=None, **fields):
        return Stage("double", double, (self.runs, read), inputs=[IN], outputs=[OUT], **fields)

    def run(self, read=None, settings=Settings(), **fields):  # noqa: B008
        RunFolder(self.path, settings).run(Graph.of([self.stage(read, **fields)]))

    @property
    def marker(self):
        return self.path / "stages/double.json"


@pytest.fixture
def doubler(tmp_path):
    made = Doubler(tmp_path / "run")
    IN.write(made.path / IN.path, 21)
    return made


def test_a_finished_stage_is_not_run_again(doubler):
    doubler.run()
    doubler.run()
    assert doubler.runs == ["run"]
    assert (doubler.path / OUT.path).read_text() == "42\n"
    assert list(RunFolder(doubler.path, Settings()).wall_clock()) == ["double"]


def test_a_marker_says_what_was_read_and_what_was_compiled(doubler, capsys, monkeypatch):
    monkeypatch.setattr("procsup_jax.runner.folder._SHOWN_COMPILE_S", 0.0)
    doubler.run(lambda ctx: jax.jit(lambda x: x * 7)(np.arange(13.0)) is not None and whole(ctx.settings.part))
    marker = json.loads(doubler.marker.read_text())
    assert marker["settings"] == {"config.factor": 2, "config.part.num_steps": 3, "config.part.kind": "a"}
    assert marker["whole"] == ["config.part"]
    assert marker["inputs"].keys() == {IN.path} and marker["outputs"].keys() == {OUT.path}
    assert marker["programs_compiled"] + marker["programs_cached"] == 1
    assert marker["compile_s"] >= 0.0
    assert capsys.readouterr().err.startswith("double: ")


def test_a_changed_setting_that_was_read_is_an_error_that_names_the_key(doubler):
    doubler.run()
    doubler.run(settings=Settings(unread=1))
    with pytest.raises(
        UserError, match="^--config.factor is 3, but stage double in .* was finished with 2; set it back"
    ):
        doubler.run(settings=Settings(factor=3))
    assert len(doubler.runs) == 1


def test_the_error_names_the_flag_that_was_given(doubler):
    doubler.run(lambda ctx: whole(ctx.settings.part), takes={"part.num_steps": Setting("others")})
    with pytest.raises(UserError, match=r"^--config.factor is 1, .* with 2 \(1 more settings differ\)"):
        doubler.run(settings=Settings(others=4, factor=1), takes={"part.num_steps": Setting("others")})
    with pytest.raises(UserError, match=r"^--config.others is 4, but stage double in .* with 3; set it back"):
        doubler.run(settings=Settings(others=4), takes={"part.num_steps": Setting("others")})


def test_what_lies_outside_is_recorded_and_compared(doubler):
    def facts(digest):
        return (Fact("base digest", lambda settings: digest, Setting("unread")),)

    doubler.run(facts=facts("a"))
    doubler.run(facts=facts("a"))
    with pytest.raises(UserError, match="^--config.unread: its base digest is 'b', but stage double"):
        doubler.run(facts=facts("b"))
    assert len(doubler.runs) == 1


def test_what_shaped_a_stage_is_recorded(doubler):
    doubler.run(shaped_by=[Setting("part.kind")])
    with pytest.raises(UserError, match="--config.part.kind is 'b', but stage double in .* was finished with 'a'"):
        doubler.run(settings=Settings(part=Part(kind="b")), shaped_by=[Setting("part.kind")])


def test_a_setting_of_a_marker_that_no_flag_sets_is_shown(doubler):
    doubler.run()
    marker = json.loads(doubler.marker.read_text())
    marker["settings"]["config&x\n"] = 1
    doubler.marker.write_text(json.dumps(marker))
    with pytest.raises(UserError, match="the setting .config&x.* is not set, but stage double"):
        doubler.run()


def test_a_setting_and_an_input_that_earlier_versions_did_not_record_are_compared_once_they_are(doubler):
    more = Json("more.json")
    more.write(doubler.path / more.path, 1)
    doubler.run()
    newer = {"newer": [more], "shaped_by": [Setting("part.kind")]}
    doubler.run(**newer)
    assert len(doubler.runs) == 1
    IN.write(doubler.path / IN.path, 4)
    doubler.run(**newer)
    more.write(doubler.path / more.path, 2)
    doubler.run(**newer)
    assert len(doubler.runs) == 3
    with pytest.raises(UserError, match="--config.part.kind is 'b', but"):
        doubler.run(settings=Settings(part=Part(kind="b")), **newer)


def test_settings_are_refused_before_any_stage_runs(doubler):
    doubler.run()
    before = Stage("before", double, (doubler.runs, None), inputs=[IN], outputs=[Json("out/b.json")])
    with pytest.raises(UserError, match="--config.factor is 4"):
        RunFolder(doubler.path, Settings(factor=4)).run(Graph.of([before, doubler.stage()]))
    assert len(doubler.runs) == 1


@pytest.mark.parametrize("artefact", [IN, OUT])
def test_a_changed_file_makes_the_stage_run_again(doubler, artefact):
    doubler.run()
    artefact.write(doubler.path / artefact.path, 5)
    doubler.run()
    assert len(doubler.runs) == 2


def test_other_inputs_make_the_stage_run_again(doubler):
    doubler.run()
    more = Json("more.json")
    more.write(doubler.path / more.path, 1)
    stage = dataclasses.replace(doubler.stage(), inputs=(IN, more))
    RunFolder(doubler.path, Settings()).run(Graph.of([stage]))
    assert len(doubler.runs) == 2


def test_a_stage_reads_and_makes_what_it_declares(doubler):
    with pytest.raises(ValueError, match="stage double reads other.json, which is not among its inputs"):
        doubler.run(lambda ctx: ctx.read(Json("other.json")))
    stage = dataclasses.replace(doubler.stage(), outputs=(OUT, Json("b.json")))
    with pytest.raises(ValueError, match="stage double does not give what it declares as outputs: b.json"):
        RunFolder(doubler.path, Settings()).run(Graph.of([stage]))
    assert not doubler.marker.exists()


def test_what_was_kept_to_go_on_from_goes_when_the_outputs_are_safe(doubler):
    seen = []
    doubler.run(lambda ctx: ctx.when_written(lambda: seen.append((doubler.path / OUT.path).is_file())) is None)
    assert seen == [True]


def test_a_stage_that_fails_leaves_no_marker(doubler):
    (doubler.path / IN.path).write_text("no number")
    with pytest.raises(json.JSONDecodeError):
        doubler.run()
    assert not doubler.marker.exists()


def test_a_stage_that_always_runs_leaves_no_marker(doubler):
    doubler.run(always=True)
    doubler.run(always=True, settings=Settings(factor=5))
    assert (doubler.path / OUT.path).read_text() == "105\n"
    assert not doubler.marker.exists()


def test_it_lists_what_is_to_do_and_runs_nothing(doubler, tmp_path):
    graph = Graph.of([doubler.stage()])
    fresh = listed(graph, tmp_path / "none", Settings())
    assert fresh.splitlines()[:3] == ["double: to run", "  reads  in.json", "  makes  out/a.json"]
    assert not (tmp_path / "none").exists()
    doubler.run()
    assert "double: finished\n" in listed(graph, doubler.path, Settings())
    assert "finished with other settings: --config.factor" in listed(graph, doubler.path, Settings(factor=3))
    IN.write(doubler.path / IN.path, 4)
    shown = listed(graph, doubler.path, Settings())
    assert "double: to run again: what it read or made has changed" in shown
    assert shown.endswith(f"1 stages, 0 finished in {doubler.path}")
    assert len(doubler.runs) == 1


def test_a_damaged_marker_is_named(doubler):
    doubler.run()
    good = doubler.marker.read_text()
    for text in (
        "{", "[]", "3", "null", '"x"', "", "[" * 100_000, "\0", "\ufeff{}", "{}", good.replace('"settings"', '"set"'),
        good.replace('"inputs": {', '"inputs": [{').replace(' },\n "outputs"', ' }],\n "outputs"'),
        json.dumps({**json.loads(good), "settings": [1]}), json.dumps({**json.loads(good), "outputs": {"a": 1}}),
        json.dumps({**json.loads(good), "whole": "config.a"}), json.dumps({**json.loads(good), "whole": [1]}),
        json.dumps({**json.loads(good), "wall_clock_s": "1"}), json.dumps({**json.loads(good), "wall_clock_s": 1e999}),
    ):  # fmt: skip
        doubler.marker.write_text(text)
        with pytest.raises(UserError, match="double.json is not what a finished stage leaves .*; delete it"):
            doubler.run()
        with pytest.raises(UserError, match="double.json"):
            RunFolder(doubler.path, Settings()).check_markers()


class Together(Json):
    """A file of parts."""

    def write_together(self, path, value):
        self.write(path, [value])


def test_what_is_made_together_is_written_together(doubler):
    stage = dataclasses.replace(doubler.stage(), outputs=(OUT, Together("b.json")), together=True)
    stage = dataclasses.replace(stage, function=lambda ctx, *_: {OUT: 1, Together("b.json"): 2})
    RunFolder(doubler.path, Settings()).run(Graph.of([stage]))
    assert OUT.read(doubler.path / OUT.path) == 1 and Json("b.json").read(doubler.path / "b.json") == [2]


def test_a_process_that_is_not_the_first_does_its_share_and_decides_nothing(doubler, monkeypatch):
    """It waits until it sees what the first has written, reads no marker and leaves none."""
    alone = Stage("alone", double, (doubler.runs, None), inputs=[IN], outputs=[Json("alone.json")])
    stage = doubler.stage(lambda ctx: ctx.read(IN) == 21, together=True)
    size = (doubler.path / IN.path).stat().st_size
    said = iter([None, {}, {IN.path: size}, {IN.path: size + 1}])
    monkeypatch.setattr(processes, "SEEN_S", 0.0)
    monkeypatch.setattr(processes, "told", lambda name, decide: next(said))
    monkeypatch.setattr(processes, "index", lambda: 1)
    later = dataclasses.replace(stage, name="later", outputs=(Json("later.json"),))
    with pytest.raises(UserError, match="in.json, written by process 0, is not to be seen by process 1: give a --work"):
        RunFolder(doubler.path, Settings()).run(Graph.of([alone, stage, later]))
    assert doubler.runs == ["run"]
    assert [path.name for path in doubler.path.rglob("*") if path.is_file()] == ["in.json"]
