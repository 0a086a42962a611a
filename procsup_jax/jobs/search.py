"""`procsup search`: search a solution of each problem step by step."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Annotated, Literal

from procsup_jax import records
from procsup_jax.flags import Flags, flag
from procsup_jax.jobs import shared
from procsup_jax.jobs.sample import worked_examples
from procsup_jax.joining import ProcessFlags
from procsup_jax.parallel.settings import MeshSettings
from procsup_jax.processes import index, share
from procsup_jax.ranges import Seed, Size, check
from procsup_jax.searching.settings import StepSearchSettings, TreeSearchSettings


@dataclasses.dataclass(frozen=True)
class SearchFlags(Flags):
    """Hold the flags of `procsup search`."""

    problems: Annotated[pathlib.Path, shared.PROBLEMS]
    policy: Annotated[pathlib.Path, shared.POLICY]
    rm: Annotated[pathlib.Path, shared.RM]
    output: Annotated[pathlib.Path, shared.SAMPLES_OUTPUT]
    method: Literal["step", "beam", "puct"] = flag("the best next step, the best paths, or a tree", "step")
    judge: str = flag("what to call the reward model in the samples' decoding", "prm")
    examples: Annotated[pathlib.Path | None, shared.EXAMPLES] = None
    seed: Seed = flag("what steps and the choice of examples are drawn by", 0)
    skip_bad: Annotated[bool, shared.SKIP_BAD] = False
    force: bool = flag("take a reward model for a policy, without its head, and an orm for a prm", False)


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """Set how to search: `steps` holds for every method, `tree` for beam and puct; their own `steps` are not read."""

    steps: StepSearchSettings = StepSearchSettings(max_new_tokens=208, max_step_tokens=48, num_candidates=8)
    tree: TreeSearchSettings = TreeSearchSettings()
    few_shot: Size = 5
    """Worked examples that are shown, where --examples gives some."""

    def __post_init__(self) -> None:
        check(self)


def run(
    flags: SearchFlags,
    mesh: MeshSettings,
    processes: ProcessFlags = ProcessFlags(),  # noqa: B008
    config: SearchSettings = SearchSettings(),  # noqa: B008
) -> None:
    """Write samples.jsonl: one solution of each problem, found step by step with a reward model.

    step keeps the best of the candidate next steps and goes on, beam the best paths; puct grows a tree, likely steps
    the sooner the higher exploration is. Settings, budgets among them: --config=search --config.KEY=VALUE. Killed
    anywhere, the same command goes on.
    """
    problems = records.read_problems(flags.problems, skip_bad=flags.skip_bad)
    shown = worked_examples(flags.examples, config.few_shot, flags.seed)
    processes.join()
    from procsup_jax import compilation, interface, shards
    from procsup_jax.io.models import load_model, load_policy, read_header
    from procsup_jax.journal import Journal
    from procsup_jax.models import roles
    from procsup_jax.parallel.mesh import local_mesh_or_none

    compilation.announce()
    judge = read_header(flags.rm)
    roles.check_judge(f"--rm={flags.rm}", judge.head)
    if not flags.force:
        roles.check_called(f"--rm={flags.rm}", judge.metadata, flags.judge)
    policy = load_policy(flags.policy, "policy", mesh=local_mesh_or_none(mesh), force=flags.force).unstack()
    rm = load_model(flags.rm, mesh=local_mesh_or_none(mesh)).unstack()
    settings: StepSearchSettings | TreeSearchSettings = config.steps
    if flags.method != "step":
        settings = dataclasses.replace(config.tree, steps=config.steps, method=flags.method)
    with Journal.beside(flags.output, index()) as journal:
        samples = interface.search(
            policy,
            rm,
            share(problems),
            settings,
            seed=flags.seed,
            examples=shown,
            judge=flags.judge,
            journal=journal,
        )
        shards.write_samples(flags.output, samples, problems)
        journal.remove()
    print(f"{len(samples)} solutions of {len(problems)} problems written to {flags.output}")
