import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest

from procsup_jax import remote
from procsup_jax.data import pack, pipeline
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.training import loop, losses, step
from procsup_jax.training.settings import FitSettings, OptimSettings

SETTINGS = FitSettings(
    OptimSettings(peak_lr=1e-2, warmup_steps=2), num_steps=12, batch_size=4, grad_accum=2, dropout=0.1,
    eval_every=5, checkpoint_every=4, log_every=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def splits(make_documents):
    return make_documents(20, 0), make_documents(6, 1)


@pytest.fixture
def fit(config, params, splits):
    """Return a function that fits the tiny model; `settings` changes are keyword arguments."""

    def run(workdir=None, *, splits=splits, seed=3, head=None, params=params, **changes):
        settings, network = dataclasses.replace(SETTINGS, **changes), api.Network(config, params, head)
        return loop.fit(network, *splits, settings, seed=seed, workdir=workdir, name="f")

    return run


@pytest.fixture(scope="module")
def uninterrupted(config, params, splits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    return loop.fit(api.Network(config, params), *splits, SETTINGS, seed=3, workdir=folder, name="f"), folder / "f"


def assert_equal(tree, other):
    jax.tree.map(np.testing.assert_array_equal, tree, other)


def at_batch(monkeypatch, number, action):
    """Let `action` happen when the data are asked for their batch `number`, counted from 1."""
    count, original = itertools.count(1), pipeline.Batches.__next__

    def next_batch(self):
        if next(count) == number:
            action()
        return original(self)

    monkeypatch.setattr(pipeline.Batches, "__next__", next_batch)


def crash():
    raise RuntimeError("the machine went away")


@pytest.mark.parametrize("crash_at", [2, 8, 11])
def test_a_killed_fit_goes_on_to_the_same_bits(fit, uninterrupted, tmp_path, monkeypatch, crash_at):
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="the machine went away"):
        at_batch(patch, crash_at, crash)
        fit(tmp_path)
    wanted, folder = uninterrupted
    result = fit(tmp_path)
    assert_equal(result.params, wanted.params)
    assert (result.best_step, result.history) == (wanted.best_step, wanted.history)
    assert (tmp_path / "f" / "metrics.jsonl").read_bytes() == (folder / "metrics.jsonl").read_bytes()


def flip(path):
    """Flip a bit of a file, or of a folder's largest one, which holds its arrays."""
    paths = [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    largest = max(paths, key=lambda each: each.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)


@pytest.mark.parametrize(
    ("damaged", "goes_on"),
    [
        (["checkpoints/8"], "going back to step 4"),
        (["best/5.safetensors"], "going back to step 4"),
        (["checkpoints/4", "checkpoints/8"], "this training starts anew"),
    ],
)
def test_damage_costs_steps_and_never_changes_a_number(
    fit, uninterrupted, tmp_path, monkeypatch, capsys, damaged, goes_on
):
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="the machine went away"):
        at_batch(patch, 11, crash)
        fit(tmp_path)
    for name in damaged:
        flip(tmp_path / "f" / name)
    wanted, folder = uninterrupted
    capsys.readouterr()
    result = fit(tmp_path)
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("procsup: warning: ")]
    assert "8 is damaged" in warnings[0] and warnings[-1].endswith(goes_on)
    assert_equal(result.params, wanted.params)
    assert result.history == wanted.history
    assert (tmp_path / "f" / "metrics.jsonl").read_bytes() == (folder / "metrics.jsonl").read_bytes()
    loop.forget(tmp_path, "f")
    assert not {"checkpoints", "best", "damaged"} & {path.name for path in (tmp_path / "f").iterdir()}


@pytest.mark.parametrize(
    ("at", "action", "error", "step"), [(7, "signal", SystemExit, 7), (10, "crash", RuntimeError, 8)]
)
def test_another_machine_goes_on_from_the_copy_in_a_bucket(
    fit, uninterrupted, bucket, tmp_path, monkeypatch, at, action, error, step
):
    workdir = "gs://b/run/train"
    act = crash if action == "crash" else lambda: os.kill(os.getpid(), signal.SIGTERM)
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path / "machine1")
    with monkeypatch.context() as patch, pytest.raises(error):
        at_batch(patch, at, act)
        fit(workdir)
    assert json.loads(remote.path_of(f"{workdir}/f/mirror.json").read_bytes())["step"] == step
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path / "machine2")
    counted = itertools.count()
    with monkeypatch.context() as patch:
        original = pipeline.Batches.__next__
        patch.setattr(pipeline.Batches, "__next__", lambda self: (next(counted), original(self))[1])
        result = fit(workdir)
    assert next(counted) == SETTINGS.num_steps - step
    wanted, folder = uninterrupted
    assert_equal(result.params, wanted.params)
    assert result.history == wanted.history
    local = remote.scratch(workdir) / "f"
    assert (local / "metrics.jsonl").read_bytes() == (folder / "metrics.jsonl").read_bytes()
    loop.forget(workdir, "f")
    assert bucket.names() == [] and not (local / "checkpoints").exists()


def test_a_bucket_that_takes_nothing_is_a_warning_and_the_fit_goes_on(
    fit, uninterrupted, bucket, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    bucket.fails_after = 0
    result = fit("gs://b/run/train")
    assert "procsup: warning: cannot write gs://b/run/train/f: the disk is full" in capsys.readouterr().err
    assert_equal(result.params, uninterrupted[0].params)


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_saves_the_step_under_way(fit, uninterrupted, tmp_path, monkeypatch, capsys, number, error):
    handler = signal.getsignal(number)
    with monkeypatch.context() as patch, pytest.raises(error) as caught:
        at_batch(patch, 7, lambda: os.kill(os.getpid(), number))
        fit(tmp_path)
    assert signal.getsignal(number) == handler
    assert "f: stopped after step 7; run the same command again to go on from there\n" in capsys.readouterr().err
    assert (tmp_path / "f" / "checkpoints" / "7").is_dir()
    if error is SystemExit:
        assert caught.value.code == 143
    result = fit(tmp_path)
    assert_equal(result.params, uninterrupted[0].params)
    assert result.history == uninterrupted[0].history


def test_a_finished_fit_takes_no_step(fit, uninterrupted, monkeypatch):
    wanted, folder = uninterrupted
    at_batch(monkeypatch, 1, crash)
    again = fit(folder.parent)
    assert_equal(again.params, wanted.params)
    assert again.history == wanted.history


def test_a_constant_rate_can_be_prolonged(fit, tmp_path):
    fit(tmp_path, num_steps=5)
    longer, at_once = fit(tmp_path, num_steps=12), fit(num_steps=12)
    assert_equal(longer.params, at_once.params)


def test_history_is_what_the_metrics_file_holds(uninterrupted):
    result, folder = uninterrupted
    assert result.history == [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [record["step"] for record in result.history if "loss" in record]
    assert steps == [3, 6, 9, 12]
    assert [record["step"] for record in result.history if "valid_loss" in record] == [5, 10, 12]
    timed = [json.loads(line) for line in (folder / "timing.jsonl").read_text().splitlines()]
    assert [record["step"] for record in timed] == steps and all(record["tokens_per_s"] > 0 for record in timed)


def test_the_result_depends_on_the_arguments_only(fit, uninterrupted):
    result = fit(checkpoint_every=0, log_every=5)
    assert_equal(result.params, uninterrupted[0].params)
    other = fit(checkpoint_every=0, log_every=5, seed=4)
    assert np.abs(np.asarray(other.params["embedding"] - result.params["embedding"])).max() > 1e-4


def test_early_stopping_keeps_the_best(config, fit, make_documents, tmp_path):
    splits = make_documents(3, 0), make_documents(6, 1)
    changes = {"num_steps": 60, "eval_every": 4, "patience": 2, "dropout": 0.0, "splits": splits, "grad_accum": 1}
    result = fit(tmp_path, **changes)
    valid = {record["step"]: record["valid_loss"] for record in result.history if "valid_loss" in record}
    assert result.best_step == min(valid, key=valid.get)
    assert max(valid) == result.best_step + 2 * 4 < 60
    means = step.make_eval(losses.make_loss(config))(result.params, splits[1], 4)
    assert means["loss"] == pytest.approx(min(valid.values()), rel=1e-6)
    assert_equal(fit(tmp_path, **changes).params, result.params)


def test_a_small_set_is_learned_by_heart(fit, make_documents):
    splits = make_documents(4, 5), None
    result = fit(splits=splits, num_steps=100, dropout=0.0, eval_every=0, grad_accum=1, log_every=10)
    assert result.best_step == 100
    assert result.history[0]["loss"] > 1.0 and result.history[-1]["loss"] < 0.5


@pytest.mark.parametrize(
    "head",
    [api.VerdictHead(30, 31), api.ClassifierHead(), api.ClassifierHead(2, 2)],
    ids=["verdict", "linear", "two layers"],
)
def test_a_reward_model_learns_a_separable_rule(config, params, fit, head):
    rng = np.random.default_rng(0)
    labels = rng.random((40, 2)) < 0.5
    examples = [
        pack.rm_example([1, 2], [3 + first, 9, 5 + 2 * second, 9], [1, 3], [first, second]) for first, second in labels
    ]
    splits = pack.pack(examples[:32], 12), pack.pack(examples[32:], 12)
    params = api.with_head(config, params, head)
    changes = {"num_steps": 80, "dropout": 0.0, "grad_accum": 1, "eval_every": 80}
    result = fit(head=head, params=params, splits=splits, **changes)
    assert result.history[-1]["valid_accuracy"] == 1.0
    assert result.history[-1]["valid_loss"] < 0.1


def test_a_loss_that_is_not_finite_stops_the_fit_and_keeps_the_checkpoint(fit, tmp_path, monkeypatch, splits):
    original, count = pipeline.Batches.__next__, itertools.count(1)

    def overflow(self):
        batch = dict(original(self))
        if next(count) == 7:
            batch["weights"] = batch["weights"] * np.float32(3e38)
        return batch

    monkeypatch.setattr(pipeline.Batches, "__next__", overflow)
    with pytest.raises(UserError) as caught:
        fit(tmp_path)
    message = str(caught.value)
    assert message.startswith("f: not finite at step 7 (batch 6")
    assert "the checkpoint of step 4 is kept; lower peak_lr (now 0.01)" in message and "\n" not in message
    assert [p.name for p in (tmp_path / "f" / "checkpoints").iterdir() if p.is_dir()] == ["4"]


def test_a_checkpoint_of_another_head_is_refused(config, params, fit, tmp_path):
    packed = pack.pack([pack.rm_example([1, 2], [3, 9, 5, 9], [1, 3], [True, False])] * 8, 12)
    changes = {"splits": (packed, None), "num_steps": 2, "checkpoint_every": 2, "eval_every": 0}
    relu, tanh = (api.ClassifierHead(2, 2, activation=name) for name in ("relu", "tanh"))
    params = api.with_head(config, params, relu)
    fit(tmp_path, head=relu, params=params, **changes)
    with pytest.raises(UserError, match="holds a checkpoint of another fit: head was .*relu.*, now .*tanh"):
        fit(tmp_path, head=tanh, params=params, **changes)


def test_a_checkpoint_of_another_fit_is_refused(fit, uninterrupted):
    _, folder = uninterrupted
    with pytest.raises(UserError, match=r"holds a checkpoint of another fit: batch_size was 4, now 6; restore the"):
        fit(folder.parent, batch_size=6)
    with pytest.raises(UserError, match="seed was 3, now 4"):
        fit(folder.parent, seed=4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 5}, "batch_size=5: expected a positive multiple of 2"),
        ({"head": api.VerdictHead(30, 31)}, "a reward model expects 0 to 1"),
        ({"num_steps": 0}, "num_steps=0: expected at least 1"),
        ({"batch_size": 10**9}, "training with batch_size=1000000000 needs .* are available: set batch_size="),
        ({"dropout": 1.0}, "dropout=1.0: expected a number from 0 to below 1"),
    ],
)
def test_unsuitable_arguments_are_one_clear_line(fit, changes, message):
    with pytest.raises(UserError, match=message):
        fit(**changes)


def test_parameters_without_their_head_are_refused(fit):
    with pytest.raises(UserError, match=r"parameter \['head'\] has shape absent, the model config wants \(27,\)"):
        fit(head=api.ProductHead())


def test_parameters_of_another_model_are_refused(config, params, splits):
    wider = dataclasses.replace(config, vocab_size=40)
    with pytest.raises(
        UserError, match=r"parameter \['embedding'\] has shape \(32, 16\), the model config wants \(40, 16\)"
    ):
        loop.fit(api.Network(wider, params), *splits, SETTINGS, seed=0)


def test_data_that_do_not_suit_the_model_are_refused(fit, make_documents):
    document = pack.document_example([1, 2, 32, 4])
    with pytest.raises(UserError, match="hold token id 32, the model has vocab_size=32"):
        fit(splits=(pack.pack([document], 8), None))
    with pytest.raises(UserError, match="validation rows have seq_len=64, the model max_len=32"):
        fit(splits=(make_documents(4, 0), make_documents(4, 0, seq_len=64)))
    with pytest.raises(UserError, match="patience=2 needs validation data"):
        fit(splits=(make_documents(4, 0), None), patience=2)


def test_two_processes_never_fit_in_one_folder(fit, tmp_path):
    code = (
        "import sys, time; from procsup_jax import lock\nwith lock.hold(sys.argv[1]): print(flush=True), time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "f")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as other:
        other.stdout.readline()
        with pytest.raises(UserError, match=f"f is in use by pid {other.pid} on "):
            fit(tmp_path)
        other.kill()
    assert [path.name for path in (tmp_path / "f").iterdir()] == [".lock"]
