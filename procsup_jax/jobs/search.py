"""`procsup search`: search a solution of each problem step by step."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Literal

from procsup_jax import compilation, interface, records
from procsup_jax.flags import Flags, flag
from procsup_jax.io.models import load_model, load_policy, read_header
from procsup_jax.jobs.sample import worked_examples
from procsup_jax.models import roles
from procsup_jax.parallel.mesh import MeshSettings, mesh_or_none
from procsup_jax.ranges import Seed, Size, check
from procsup_jax.searching.settings import StepSearchSettings, TreeSearchSettings
from procsup_jax.settings import Config, from_config


@dataclasses.dataclass(frozen=True)
class SearchFlags(Flags):
    """Hold the flags of `procsup search`."""

    problems: pathlib.Path = flag("the problems file")
    policy: pathlib.Path = flag("the folder of the model that writes")
    rm: pathlib.Path = flag("the folder of the reward model that chooses")
    output: pathlib.Path = flag("the samples file to write")
    method: Literal["step", "beam", "puct"] = flag("the best next step, the best paths, or a tree", "step")
    judge: str = flag("what to call the reward model in the samples' decoding", "prm")
    examples: pathlib.Path | None = flag("a problems file with solutions, to show worked examples from", None)
    seed: Seed = flag("what steps and the choice of examples are drawn by", 0)
    skip_bad: bool = flag("leave malformed lines out and say how many", False)
    force: bool = flag("take a reward model for a policy, without its head, and an orm for a prm", False)


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """Set how to search: `steps` holds for every method, `tree` for beam and puct; their own `steps` are not read."""

    steps: StepSearchSettings = StepSearchSettings(max_new_tokens=208, max_step_tokens=48, num_candidates=8)
    tree: TreeSearchSettings = TreeSearchSettings()
    few_shot: Size = 5

    def __post_init__(self) -> None:
        check(self)


def run(flags: SearchFlags, config: Config | None, mesh: MeshSettings) -> None:
    """Write samples.jsonl: one solution of each problem, found step by step with a reward model.

    step keeps the best of the candidate next steps and goes on, beam the best paths; puct grows a tree, likely steps
    the sooner the higher exploration is. Settings, budgets among them, are in configs/search.py.
    """
    compilation.announce()
    chosen = SearchSettings() if config is None else from_config(SearchSettings, config)
    problems = records.read_problems(flags.problems, skip_bad=flags.skip_bad)
    shown = worked_examples(flags.examples, chosen.few_shot, flags.seed)
    judge = read_header(flags.rm)
    roles.check_judge(f"--rm={flags.rm}", judge.head)
    if not flags.force:
        roles.check_called(f"--rm={flags.rm}", judge.metadata, flags.judge)
    policy = load_policy(flags.policy, "policy", mesh=mesh_or_none(mesh), force=flags.force).unstack()
    rm = load_model(flags.rm, mesh=mesh_or_none(mesh)).unstack()
    settings: StepSearchSettings | TreeSearchSettings = chosen.steps
    if flags.method != "step":
        settings = dataclasses.replace(chosen.tree, steps=chosen.steps, method=flags.method)
    samples = interface.search(policy, rm, problems, settings, seed=flags.seed, examples=shown, judge=flags.judge)
    records.write_samples(flags.output, samples)
    print(f"{len(samples)} solutions of {len(problems)} problems written to {flags.output}")
