"""`procsup sample`: sample solutions of problems from a policy."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Annotated

from procsup_jax import records
from procsup_jax.decode.settings import DecodeSettings, DrawSettings
from procsup_jax.flags import Flags, flag
from procsup_jax.jobs import shared
from procsup_jax.joining import ProcessFlags
from procsup_jax.parallel.settings import MeshSettings
from procsup_jax.processes import index, share
from procsup_jax.ranges import Amount, Count, Seed, Size
from procsup_jax.text.worked_examples import choose_examples
from procsup_jax.types import Problem


@dataclasses.dataclass(frozen=True)
class SampleFlags(Flags):
    """Hold the flags of `procsup sample`."""

    problems: Annotated[pathlib.Path, shared.PROBLEMS]
    policy: Annotated[pathlib.Path, shared.POLICY]
    output: Annotated[pathlib.Path, shared.SAMPLES_OUTPUT]
    k: Count = flag("samples of each problem", 8)
    temperature: Amount = flag("0 writes the greedy solution", 1.0)
    max_new_tokens: Count = flag("the most tokens of a solution, its end token included", 208)
    examples: Annotated[pathlib.Path | None, shared.EXAMPLES] = None
    seed: Seed = flag("what samples and the choice of examples are drawn by", 0)
    skip_bad: Annotated[bool, shared.SKIP_BAD] = False
    force: bool = flag("take a reward model for a policy, without its head", False)


@dataclasses.dataclass(frozen=True)
class SampleSettings(DrawSettings):
    """Set what flags do not."""

    few_shot: Size = 5
    """Worked examples that are shown, where --examples gives some."""


def run(
    flags: SampleFlags,
    mesh: MeshSettings,
    processes: ProcessFlags = ProcessFlags(),  # noqa: B008
    config: SampleSettings = SampleSettings(),  # noqa: B008
) -> None:
    """Write samples.jsonl: k samples of each problem, or its greedy solution.

    What flags leave out is set by --config=sample --config.KEY=VALUE. Killed anywhere, the same command goes on.
    """
    problems = records.read_problems(flags.problems, skip_bad=flags.skip_bad)
    shown = worked_examples(flags.examples, config.few_shot, flags.seed)
    decoding = {name: value for name, value in dataclasses.asdict(config).items() if name != "few_shot"}
    settings = DecodeSettings(
        num_samples=flags.k if flags.temperature else 1,
        temperature=flags.temperature,
        max_new_tokens=flags.max_new_tokens,
        **decoding,
    )
    processes.join()
    from procsup_jax import compilation, interface, shards
    from procsup_jax.io.models import load_policy
    from procsup_jax.journal import Journal
    from procsup_jax.parallel.mesh import local_mesh_or_none

    compilation.announce()
    model = load_policy(flags.policy, "policy", mesh=local_mesh_or_none(mesh), force=flags.force).unstack()
    with Journal.beside(flags.output, index()) as journal:
        samples = interface.sample(model, share(problems), settings, seed=flags.seed, examples=shown, journal=journal)
        shards.write_samples(flags.output, samples, problems)
        journal.remove()
    print(f"{len(samples)} solutions of {len(problems)} problems written to {flags.output}")


def worked_examples(path: pathlib.Path | None, number: int, seed: int) -> list[Problem]:
    """Return the worked examples to show, none without a file."""
    return [] if path is None else choose_examples(records.read_problems(path), number, seed)
