"""`procsup sample`: sample solutions of problems from a policy."""

from __future__ import annotations

import dataclasses
import pathlib

from procsup_jax import compilation, interface, records
from procsup_jax.decode.settings import CacheDtype, DecodeSettings
from procsup_jax.flags import Flags, flag
from procsup_jax.io.models import load_policy
from procsup_jax.parallel.mesh import MeshSettings, mesh_or_none
from procsup_jax.ranges import Amount, Count, Seed, ShareAboveZero, Size, check
from procsup_jax.settings import Config, from_config
from procsup_jax.text.worked_examples import choose_examples
from procsup_jax.types import Problem


@dataclasses.dataclass(frozen=True)
class SampleFlags(Flags):
    """Hold the flags of `procsup sample`."""

    problems: pathlib.Path = flag("the problems file")
    policy: pathlib.Path = flag("a model's folder, or worlds_base, the base that ships with the package")
    output: pathlib.Path = flag("the samples file to write")
    k: Count = flag("samples of each problem", 8)
    temperature: Amount = flag("0 writes the greedy solution", 1.0)
    max_new_tokens: Count = flag("the most tokens of a solution, its end token included", 208)
    examples: pathlib.Path | None = flag("a problems file with solutions, to show worked examples from", None)
    seed: Seed = flag("what samples and the choice of examples are drawn by", 0)
    skip_bad: bool = flag("leave malformed lines out and say how many", False)
    force: bool = flag("take a reward model for a policy, without its head", False)


@dataclasses.dataclass(frozen=True)
class SampleSettings:
    """Set what flags do not; see `DecodeSettings`. `few_shot` worked examples are shown where there are some."""

    top_k: Size = 0
    top_p: ShareAboveZero = 1.0
    calculator: bool = True
    lanes: Count = 8
    slots: Count = 8
    cache_dtype: CacheDtype = ""
    few_shot: Size = 5

    def __post_init__(self) -> None:
        check(self)


def run(flags: SampleFlags, config: Config | None, mesh: MeshSettings) -> None:
    """Write samples.jsonl: k samples of each problem, or its greedy solution.

    Further settings are in configs/sample.py: lanes and slots set speed and memory and never change a sample.
    """
    compilation.announce()
    others = SampleSettings() if config is None else from_config(SampleSettings, config)
    problems = records.read_problems(flags.problems, skip_bad=flags.skip_bad)
    shown = worked_examples(flags.examples, others.few_shot, flags.seed)
    decoding = {name: value for name, value in dataclasses.asdict(others).items() if name != "few_shot"}
    settings = DecodeSettings(
        num_samples=flags.k if flags.temperature else 1,
        temperature=flags.temperature,
        max_new_tokens=flags.max_new_tokens,
        **decoding,
    )
    model = load_policy(flags.policy, "policy", mesh=mesh_or_none(mesh), force=flags.force).unstack()
    samples = interface.sample(model, problems, settings, seed=flags.seed, examples=shown)
    records.write_samples(flags.output, samples)
    print(f"{len(samples)} solutions of {len(problems)} problems written to {flags.output}")


def worked_examples(path: pathlib.Path | None, number: int, seed: int) -> list[Problem]:
    """Return the worked examples to show, none without a file."""
    return [] if path is None else choose_examples(records.read_problems(path), number, seed)
