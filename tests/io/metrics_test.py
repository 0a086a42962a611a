import gc
import json
import os
import pathlib
import struct
import threading

import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.io.metrics import MetricsWriter


def write(folder, steps, **options):
    with MetricsWriter(folder, **options) as metrics:
        for step in steps:
            metrics.write(step, {"loss": 1 / step}, {"tokens_per_s": 10.0 * step})
        return metrics.history


def test_lines_are_json_with_the_clock_apart(tmp_path):
    history = write(tmp_path, [1, 3])
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history == [{"step": 1, "loss": 1.0}, {"step": 3, "loss": 1 / 3}]
    timing = [json.loads(line) for line in (tmp_path / "timing.jsonl").read_text().splitlines()]
    assert timing == [{"step": 1, "tokens_per_s": 10.0}, {"step": 3, "tokens_per_s": 30.0}]


def test_a_resumed_run_repeats_no_line(tmp_path):
    write(tmp_path / "a", [1, 2, 3, 4])
    write(tmp_path / "a", [3, 4, 5], resume_step=2)
    write(tmp_path / "b", [1, 2, 3, 4, 5])
    for name in ("metrics.jsonl", "timing.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_line_cut_short_by_a_crash_is_dropped(tmp_path):
    write(tmp_path, [1, 2])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')
    assert [record["step"] for record in write(tmp_path, [3], resume_step=3)] == [1, 2, 3]


def test_tensorboard_gets_the_same_numbers(tmp_path):
    write(tmp_path, [1])
    (events,) = (tmp_path / "tensorboard").iterdir()
    content = events.read_bytes()
    assert b"loss" in content and b"tokens_per_s" in content


def test_without_a_folder_the_history_stays_in_memory():
    assert write(None, [2]) == [{"step": 2, "loss": 0.5}]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    files.write_text(tmp_path / "a", "")
    with pytest.raises(UserError, match=r"cannot write .*choose another name"):
        MetricsWriter(tmp_path / "a" / "b")


def test_tensorboard_drops_what_a_resumed_run_repeats(tmp_path):
    write(tmp_path, [1, 2], resume_step=4)
    (path,) = (tmp_path / "tensorboard").iterdir()
    events = read_events(path)
    assert events[0].file_version == "brain.Event:2"
    assert (events[1].step, events[1].session_log.status) == (5, SessionLog.START)
    found = [(event.step, value.tag, value.simple_value) for event in events[2:] for value in event.summary.value]
    assert found == [(1, "loss", 1.0), (1, "tokens_per_s", 10.0), (2, "loss", 0.5), (2, "tokens_per_s", 20.0)]


def read_events(path):
    content, events = path.read_bytes(), []
    while content:
        (size,) = struct.unpack("<Q", content[:8])
        events.append(Event.FromString(content[12 : 12 + size]))
        content = content[16 + size :]
    return events


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("name", ["metrics.jsonl", "events"])
def test_a_full_disk_is_one_clear_line_and_no_thread_is_left_waiting(name, tmp_path):
    metrics = MetricsWriter(tmp_path)
    full = os.open("/dev/full", os.O_WRONLY)
    file = metrics._files["metrics"] if name == "metrics.jsonl" else metrics._board._records._writer
    os.dup2(full, file.fileno())
    os.close(full)

    with pytest.raises(UserError, match="the disk is full"), metrics:
        for step in range(2000):
            metrics.write(step, {"loss": 1.0})
    before = threading.active_count()
    del metrics
    gc.collect()
    assert threading.active_count() == before
