"""Launch `procsup run`, or a sweep of it, with XManager (xmanager 0.8.5).

xmanager launch experiments/launch/xm_launch.py -- --config=configs/demo.py --executor=local --sweep=config.seed=0,1,2

A sweep is one experiment; several --sweep are their product. What stands after a further -- goes to `procsup run` as
it is. `local` starts the runs on this machine, one after the other; `gke` and `vertex` build the repository's
Dockerfile, or take --image, and write under --workdir=gs://BUCKET/FOLDER. docs/tpu.md says what each executor needs.
"""

from __future__ import annotations

import asyncio
import pathlib
import shlex
import shutil
import sys
from collections.abc import Sequence

import gke_jobs
import tpu_slices
import work_units
from absl import flags
from tpu_slices import LaunchError, TpuSlice
from work_units import ROOT, WorkUnit
from xmanager import xm, xm_local

CONFIG = flags.DEFINE_string("config", "", "The configuration, FILE[:arg], as procsup run takes it.")
EXECUTOR = flags.DEFINE_enum("executor", "local", ["local", "vertex", "gke"], "Where the runs are started.")
TPU = flags.DEFINE_string("tpu", "", "The slice of each run, such as v5e-16 or v5e:4x4; vertex has v2 and v3 only.")
SWEEP = flags.DEFINE_multi_string("sweep", [], "KEY=VALUE,VALUE...; several are multiplied.")
WORKDIR = flags.DEFINE_string("workdir", "", "Where runs are written: a folder, in the cloud gs://BUCKET/FOLDER.")
SPOT = flags.DEFINE_boolean("spot", False, "Run on spot nodes (gke).")
IMAGE = flags.DEFINE_string("image", "", "An image that is there already, instead of building the Dockerfile.")
PUSH_TO = flags.DEFINE_string("push_to", "", "Where a built image goes, HOST/PROJECT/REPOSITORY/NAME:TAG.")
PROCSUP = flags.DEFINE_string("procsup", "", "The procsup command of this machine (local); .venv's or PATH's if empty.")


def main(argv: Sequence[str]) -> None:
    """Check the flags, and create the experiment with a work unit for each run."""
    try:
        units = plan(argv[1:])
        spec, executor = executor_for(units)
        asyncio.run(launch(units, packageable(spec), executor))
    except LaunchError as error:
        sys.exit(f"xm_launch: {error}")


def plan(extra: Sequence[str]) -> list[WorkUnit]:
    """Return the runs that the flags ask for."""
    work_units.check_config(CONFIG.value)
    name = pathlib.Path(CONFIG.value.partition(":")[0]).stem
    if EXECUTOR.value == "local":
        return work_units.work_units(CONFIG.value, SWEEP.value, WORKDIR.value or f"runs/{name}", extra)
    work_units.bucket_of(WORKDIR.value)
    config, workdir = work_units.config_in_image(CONFIG.value), work_units.mounted(WORKDIR.value)
    return work_units.work_units(config, SWEEP.value, workdir, extra)


def executor_for(units: Sequence[WorkUnit]) -> tuple[xm.ExecutorSpec, xm.Executor]:
    """Return what the runs are packaged for, and what starts them."""
    if EXECUTOR.value == "local":
        if TPU.value:
            raise LaunchError(f"--tpu={TPU.value} asks for a slice, --executor=local has this machine; drop one")
        return xm_local.Local.Spec(), xm_local.Local()
    if not TPU.value:
        raise LaunchError(f"--executor={EXECUTOR.value} needs --tpu, such as --tpu=v5e-16")
    tpu = tpu_slices.parse(TPU.value)
    if EXECUTOR.value == "vertex":
        return xm_local.Vertex.Spec(push_image_tag=PUSH_TO.value or None), vertex_executor(tpu)
    if not tpu.gke_accelerator:
        raise LaunchError(f"--tpu={TPU.value}: GKE has slices of v4 and later; use --executor=vertex")
    options = gke_jobs.Options(work_units.bucket_of(WORKDIR.value), SPOT.value)
    return xm_local.Kubernetes.Spec(push_image_tag=PUSH_TO.value or None), gke_jobs.executor(tpu, options)


def vertex_executor(tpu: TpuSlice) -> xm_local.Vertex:
    """Return the executor of Vertex AI, which counts TensorCores and, in xmanager 0.8.5, knows v2 and v3 only."""
    if tpu.gke_accelerator:
        raise LaunchError(f"--tpu={TPU.value}: xmanager's Vertex executor has v2 and v3 only; use --executor=gke")
    return xm_local.Vertex(xm.JobRequirements({f"tpu_{tpu.generation}": tpu.cores}))


def packageable(spec: xm.ExecutorSpec) -> xm.Packageable:
    """Return this machine's command for the local executor, an image for the others."""
    if isinstance(spec, xm_local.LocalSpec):
        return xm.binary(spec, path=procsup_command())
    if IMAGE.value:
        return xm.container(spec, image_path=IMAGE.value)
    return xm.dockerfile_container(spec, path=str(ROOT))


def procsup_command() -> str:
    """Return the path of the procsup command."""
    beside = ROOT / ".venv/bin/procsup"
    found = PROCSUP.value or (str(beside) if beside.is_file() else shutil.which("procsup"))
    if not found or not pathlib.Path(found).is_file():
        raise LaunchError(f"no command {found or 'procsup'}; install the repository, or pass --procsup=PATH")
    return found


async def launch(units: Sequence[WorkUnit], what: xm.Packageable, executor: xm.Executor) -> None:
    """Create the experiment; on this machine a run starts when the one before it has ended, as they share its chips.

    Raises:
      LaunchError: runs on this machine that failed, once all have ended.

    """
    failed: list[str] = []
    try:
        async with xm_local.create_experiment(experiment_title=f"procsup {CONFIG.value}") as experiment:
            [executable] = experiment.package([what])
            for unit in units:
                job = xm.Job(executable, executor, name="procsup", args=list(unit.arguments))
                started = await experiment.add(job)
                print(f"work unit {started.work_unit_id}: procsup {shlex.join(unit.arguments)}", flush=True)
                if isinstance(executor, xm_local.Local) and not await succeeded(started):
                    failed.append(str(started.work_unit_id))
    except RuntimeError:
        if not failed:  # otherwise it is the experiment that, when left, waits once more for what has failed
            raise
    if failed:
        raise LaunchError(f"of {len(units)} runs {len(failed)} failed: work unit {', '.join(failed)}; see above")


async def succeeded(unit: xm.ExperimentUnit) -> bool:
    """Wait for a run, and say whether it ended well."""
    try:
        await unit.wait_until_complete()
    except xm.ExperimentUnitFailedError:
        return False
    return True
