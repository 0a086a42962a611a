"""`procsup train`: train a policy or a reward model on files."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from procsup_jax import lock, records, remote, temporaries
from procsup_jax.data.completions import is_completions, read_completions
from procsup_jax.errors import UserError
from procsup_jax.flags import Flags, flag
from procsup_jax.io.kinds import Dtype
from procsup_jax.joining import ProcessFlags
from procsup_jax.parallel.settings import MeshSettings
from procsup_jax.processes import is_first, wait
from procsup_jax.ranges import Seed
from procsup_jax.training.lesson import Lesson
from procsup_jax.training.settings import Task, TrainSettings
from procsup_jax.types import StepLabels


@dataclasses.dataclass(frozen=True)
class TrainFlags(Flags):
    """Hold the flags of `procsup train`."""

    task: Task = flag("sft, distil: a policy; orm, prm: a reward model")
    model: pathlib.Path = flag("the folder of the model to start from", reads="model")
    problems: pathlib.Path = flag("the problems file; for sft also rows of prompt and completion", reads="file")
    output: pathlib.Path = flag("the folder to write the trained model to", writes="folder")
    samples: pathlib.Path | None = flag("solutions, for distil, orm and prm", None, reads="file")
    labels: Sequence[pathlib.Path] = flag(
        "step labels of the samples; an orm without any learns final answers; repeat it for another file",
        (),
        reads="file",
    )
    seed: Seed = flag("what examples are held out and shuffled by", 0)
    dtype: Dtype = flag("the type to store parameters in", "float32")
    force: bool = flag("sft, distil: take a reward model for a policy, without its head", False)


def check_flags(flags: TrainFlags, **_: Any) -> None:
    """Raise UserError where another process trains to this output; called before anything is loaded."""
    lock.check(_kept(flags))


def run(
    flags: TrainFlags,
    mesh: MeshSettings,
    processes: ProcessFlags = ProcessFlags(),  # noqa: B008
    config: TrainSettings = TrainSettings(),  # noqa: B008
) -> None:
    """Train a model on files and write it as a folder.

    sft learns the problems' reference solutions, distil given samples, orm whether samples' final answers are right,
    prm step labels, soft and unknown ones too. --config=train sets a fit of a policy, --config=train:reward_model one
    of a reward model. Losses go to OUTPUT.fit, for TensorBoard too; killed anywhere, the same command goes on.
    """
    lesson = _lesson(flags)
    processes.join()
    from procsup_jax import compilation
    from procsup_jax.io.models import load_model, load_policy, save_model
    from procsup_jax.parallel.mesh import mesh_or_none
    from procsup_jax.training.loop import forget
    from procsup_jax.training.tasks import train

    compilation.announce()
    kept = _kept(flags)
    with lock.hold(kept) if is_first() else contextlib.nullcontext():
        if is_first():
            temporaries.sweep_all(kept)
        wait("start of the training")
        if flags.task in ("orm", "prm"):
            model = load_model(flags.model, mesh=mesh_or_none(mesh))
        else:
            model = load_policy(flags.model, "model", mesh=mesh_or_none(mesh), force=flags.force)
        trained = train(model, lesson, config, seed=flags.seed, workdir=_fit_folder(flags))
        save_model(flags.output, trained.model, dtype=flags.dtype)
        wait("end of the training")
        if is_first():
            forget(_fit_folder(flags), flags.task)
    left_out = f", {trained.num_left_out} longer than seq_len={config.seq_len} left out"
    print(
        f"{flags.task}: {trained.num_examples} examples{left_out if trained.num_left_out else ''}; "
        f"best after {trained.best_step} steps; written to {flags.output}"
    )


def _fit_folder(flags: TrainFlags) -> pathlib.Path:
    """Return the folder of losses and checkpoints, which may be in an object store."""
    return flags.output.with_name(f"{flags.output.name}.fit")


def _kept(flags: TrainFlags) -> pathlib.Path:
    """Return its local folder."""
    return remote.scratch(_fit_folder(flags))


def _lesson(flags: TrainFlags) -> Lesson:
    if flags.task == "sft" and is_completions(flags.problems):
        return Lesson(flags.task, completions=read_completions(flags.problems))
    problems = records.read_problems(flags.problems)
    if flags.task == "sft":
        if flags.samples is not None or flags.labels:
            raise UserError("sft learns from the problems alone: leave --samples and --labels out, or take distil")
        return Lesson(flags.task, problems)
    if flags.samples is None:
        raise UserError(f"procsup train --task={flags.task} needs --samples, a file of solutions")
    samples = records.read_samples(flags.samples, problem_uids={problem.uid for problem in problems})
    labels: list[StepLabels] = [each for path in flags.labels for each in records.read_labels(path)]
    return Lesson(flags.task, problems, samples, labels)
