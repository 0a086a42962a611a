"""The one training loop: base model, SFT, distillation, ORM and PRM differ in data and loss only."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import math
import shutil
import sys
import time
from typing import Any

import jax
import numpy as np

from procsup_jax import files, lock, processes, remote
from procsup_jax.data.pack import Packed
from procsup_jax.data.pipeline import Batches
from procsup_jax.errors import UserError
from procsup_jax.io.checkpoint import DAMAGED, Checkpoints
from procsup_jax.io.metrics import MetricsWriter
from procsup_jax.mirror import Mirror
from procsup_jax.models import api
from procsup_jax.progress import Progress
from procsup_jax.training.best import Best
from procsup_jax.training.checks import check_inputs, check_params
from procsup_jax.training.early_stop import EarlyStop
from procsup_jax.training.identity import check_same, identity
from procsup_jax.training.interrupt import Interrupts
from procsup_jax.training.optim import learning_rate
from procsup_jax.training.programs import programs
from procsup_jax.training.result import FitResult
from procsup_jax.training.settings import FitSettings
from procsup_jax.training.step import StepInfo, place

MAX_IN_FLIGHT = 2


def fit(
    network: api.Network,
    train: Packed,
    valid: Packed | None,
    settings: FitSettings,
    *,
    seed: int,
    workdir: files.PathLike | None = None,
    name: str = "fit",
) -> FitResult:
    """Train from a copy of the parameters; return the best by validation loss (without `valid`, the last).

    A network with a head learns step labels, one without the next token. Everything is kept under `workdir`/`name`:
    metrics, and with `checkpoint_every` the checkpoints from which the same call goes on by itself, to the same
    parameters bit for bit. The result is a function of the arguments only. Raises UserError for data that do not suit
    the model, for a checkpoint of another fit, when another process has the folder, and when the loss is no longer
    finite; Ctrl-C and SIGTERM end it after the current step, which is saved first. A damaged checkpoint is set aside
    with a warning, and the one before taken up, or the fit started anew. A `workdir` in an object store has a local
    folder (`remote.scratch`), and with checkpoints a copy from which another machine goes on.
    """
    network = network._replace(config=settings.computing(network.config))
    check_params(network)
    check_inputs(network, train, valid, settings)
    folder = None if workdir is None else remote.scratch(workdir) / name
    target = remote.path_of(workdir) / name if workdir is not None and remote.is_remote(workdir) else None
    with contextlib.ExitStack() as stack:
        checkpoints = None
        if folder is not None and processes.is_first():
            stack.enter_context(lock.hold(folder))
        if folder is not None and settings.checkpoint_every:
            files.make_folder(folder)
            processes.check_shared(folder, "the folder of checkpoints")
            checkpoints = stack.enter_context(Checkpoints(folder / "checkpoints", target))
        best = Best(None if checkpoints is None or folder is None else folder / "best")
        run = _Fit(network, train, valid, settings, seed, name, checkpoints, best)
        run.metrics = stack.enter_context(MetricsWriter(folder if processes.is_first() else None, resume_step=run.step))
        run.train()
        return run.result()


def forget(workdir: files.PathLike, name: str) -> None:
    """Remove the checkpoints and the best parameters that a fit kept, once its result is safe; metrics stay."""
    for kept in ("checkpoints", "best", DAMAGED):
        shutil.rmtree(remote.scratch(workdir) / name / kept, ignore_errors=True)
    if remote.is_remote(workdir):
        Mirror(remote.scratch(workdir) / name, remote.path_of(workdir) / name).remove()


class _Fit:
    """Hold a fit under way; every attribute that changes is in a checkpoint."""

    metrics: MetricsWriter

    def __init__(
        self,
        network: api.Network,
        train: Packed,
        valid: Packed | None,
        settings: FitSettings,
        seed: int,
        name: str,
        checkpoints: Checkpoints | None,
        best: Best,
    ) -> None:
        self._settings, self._valid, self._mesh, self._name = settings, valid, network.mesh, name
        self._checkpoints, self._best = checkpoints, best
        self._batches = Batches(train, settings.batch_size, seed)
        self._programs = programs(network.config, network.head, settings.optim, network.mesh)
        self._learning_rate = learning_rate(settings.optim, settings.num_steps)
        self._dropout_key = jax.random.key(seed) if settings.dropout else None
        self._in_flight: collections.deque[tuple[int, int, StepInfo]] = collections.deque()
        self._identity: dict[str, Any] = {}
        if checkpoints is not None:
            self._identity = identity(network, train, valid, settings, seed)

        self.step = 0
        self._early_stop = EarlyStop(settings.patience)
        self._window = np.zeros(3)
        if checkpoints is None or not self._restore(checkpoints):
            self._state = self._programs.init(network.params)
        self._start = self._logged_at = time.monotonic()
        self._tokens = 0

    def train(self) -> None:
        """Take the steps that are left."""
        settings = self._settings
        with Progress(self._name, settings.num_steps - self.step, "step") as bar, Interrupts() as interrupts:
            while self.step < settings.num_steps and not self._early_stop.stopped:
                bar.update(1, self._advance())
                if self._due(settings.eval_every) or self.step == settings.num_steps:
                    self._validate()
                if self._due(settings.checkpoint_every):
                    self._save()
                if interrupts.requested():
                    self._stop(interrupts)
            self._absorb(0)
            self._save()
            if interrupts.requested():
                self._stop(interrupts)

    def result(self) -> FitResult:
        """Return the outcome so far."""
        params, best_step = self._state.params, self._early_stop.best_step or self.step
        if best_step != self.step:
            params = self._best.load(best_step, params)
        return FitResult(params, best_step, self.metrics.history)

    def _due(self, every: int) -> bool:
        return bool(every) and self.step % every == 0

    def _advance(self) -> str:
        """Start one step and take in the steps before it that have ended; returns a note for the progress bar."""
        batch = next(self._batches)
        num_tokens = np.count_nonzero(batch["segments"])
        placed = place(batch, self._settings.grad_accum, self._mesh)
        self._state, info = self._programs.step(self._state, placed, self._learning_rate(self.step), self._dropout_key)
        self.step += 1
        self._in_flight.append((self.step, int(num_tokens), info))
        return self._absorb(MAX_IN_FLIGHT)

    def _absorb(self, leave: int) -> str:
        """Read the results of steps in flight until `leave` are left, so that the host never runs far ahead."""
        note = ""
        while len(self._in_flight) > leave:
            step, num_tokens, info = self._in_flight.popleft()
            loss, grad_norm = float(info.sums.loss) / float(info.sums.weight), float(info.grad_norm)
            if not (math.isfinite(loss) and math.isfinite(grad_norm)):
                raise UserError(self._not_finite(step, f"loss {loss}, gradient norm {grad_norm}"))
            self._window += [float(x) for x in info.sums]
            self._tokens += num_tokens
            note = f"loss {loss:.4f}"
            if step % self._settings.log_every == 0:
                self._log(step, grad_norm)
        return note

    def _log(self, step: int, grad_norm: float) -> None:
        loss, weight, correct = self._window
        now = time.monotonic()
        self.metrics.write(
            step,
            {
                "loss": float(loss / weight),
                "accuracy": float(correct / weight),
                "grad_norm": grad_norm,
                "lr": float(self._learning_rate(step - 1)),
            },
            {
                "tokens": self._tokens,
                "tokens_per_s": self._tokens / (now - self._logged_at),
                "elapsed_s": now - self._start,
            },
        )
        self._window, self._tokens, self._logged_at = np.zeros(3), 0, now

    def _validate(self) -> None:
        self._absorb(0)
        if self._valid is None:
            return
        began = time.monotonic()
        rows = self._settings.batch_size // self._settings.grad_accum
        means = self._programs.evaluate(self._state.params, self._valid, rows)
        if not math.isfinite(means["loss"]):
            raise UserError(self._not_finite(self.step, f"validation loss {means['loss']}"))
        self.metrics.write(self.step, {f"valid_{name}": value for name, value in means.items()})
        if self._early_stop.update(self.step, means["loss"]):
            self._best.keep(self.step, self._state.params)
        self._logged_at += time.monotonic() - began

    def _not_finite(self, step: int, what: str) -> str:
        kept = self._checkpoints.latest_step() if self._checkpoints is not None else None
        last = "no checkpoint was written yet" if kept is None else f"the checkpoint of step {kept} is kept"
        optim_settings = self._settings.optim
        return (
            f"{self._name}: not finite at step {step} (batch {step - 1} of seed's order): {what}; {last}; "
            f"lower peak_lr (now {optim_settings.peak_lr:g}), raise warmup_steps (now {optim_settings.warmup_steps}) "
            f"or set clip_norm (now {optim_settings.clip_norm:g}), then start afresh"
        )

    def _save(self) -> None:
        if self._checkpoints is None:
            return
        self._absorb(0)
        info = {
            "identity": self._identity,
            "early_stop": dataclasses.asdict(self._early_stop),
            "best_digest": self._best.digest,
            "window": self._window.tolist(),
            "data": self._batches.get_state(),
        }
        self.metrics.flush()
        self._checkpoints.save(self.step, {"state": self._state}, info)
        self._best.saved(self._early_stop.best_step)

    def _restore(self, checkpoints: Checkpoints) -> bool:
        """Take up the newest whole checkpoint and return whether there is one."""

        def check(info: dict[str, Any]) -> None:
            check_same(info["identity"], self._identity, checkpoints.folder)
            self._best.check(info["early_stop"]["best_step"], info.get("best_digest", ""))

        found = checkpoints.restore({"state": self._programs.abstract}, check)
        if found is None:
            return False
        self._batches.set_state(found.info["data"])
        self._state = found.trees["state"]
        self.step = int(self._state.step)
        best = found.info["early_stop"]
        self._early_stop = EarlyStop(self._settings.patience, best["best_loss"], best["best_step"], best["num_worse"])
        self._window = np.array(found.info["window"])
        return True

    def _stop(self, interrupts: Interrupts) -> None:
        self._absorb(0)
        self._save()
        if self._checkpoints is None:
            how = "no checkpoints are kept (checkpoint_every=0); the same command starts this part again"
        else:
            self._checkpoints.wait()
            how = "run the same command again to go on from there"
        message = f"{self._name}: stopped after step {self.step}; {how}"
        if processes.is_first():
            print(message, file=sys.stderr)
        interrupts.leave(message)
