"""Which problems an experiment has."""

from __future__ import annotations

import dataclasses
from typing import Literal

from procsup_jax.data.worlds.settings import WorldSettings
from procsup_jax.ranges import BadValue, Seed, Size, check


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """Choose the problems. A size of 0 takes every problem there is (worlds are unbounded and need a size)."""

    kind: Literal["worlds", "gsm8k"] = "worlds"
    """The generated testbed, or GSM8K's files."""
    path: str = ""
    """GSM8K's folder with train.jsonl and test.jsonl; empty reads it through TFDS."""
    ood_path: str = ""
    """The JSON lines of MATH's test problems, pre-algebra alone; empty leaves the OOD set out (GSM8K only)."""
    svamp_path: str = ""
    """SVAMP's file; empty leaves the set "svamp" out, as of the next two (GSM8K only)."""
    asdiv_path: str = ""
    """ASDiv's file."""
    multiarith_path: str = ""
    """MultiArith's file."""
    short_steps: Size = 0
    """Test problems whose reference solutions have at most so many steps, the one with the answer apart, are measured
    as the set "short" too, by the same samples; 0 leaves it out (GSM8K only)."""
    processbench_path: str = ""
    """ProcessBench's GSM8K split, on which reward models are measured; empty leaves that out (GSM8K only)."""
    num_processbench: Size = 0
    """How many of its solutions."""
    num_sft: Size = 1000
    """Problems whose reference solutions SFT learns."""
    num_rm: Size = 1000
    """Problems whose samples reward models learn from."""
    num_rl: Size = 1000
    """Problems of expert iteration."""
    num_validation: Size = 256
    """Problems that choose parameters and epochs."""
    num_test: Size = 500
    """Problems that everything is measured on."""
    num_ood: Size = 200
    """Out-of-distribution problems that everything is measured on too, of each set."""
    split_seed: Seed = 0
    """Which of GSM8K's training problems are held out for validation: the same ones whatever `seed` is."""
    world: WorldSettings = WorldSettings()
    ood_world: WorldSettings = WorldSettings()

    def __post_init__(self) -> None:
        check(self)
        for name in ("num_sft", "num_rm", "num_rl", "num_validation", "num_test"):
            if self.kind == "worlds" and not getattr(self, name):
                raise BadValue(name, 0, "at least 1, as worlds have no end")
