"""Compile the plans that docs/scaling.md quotes, and keep each as docs/plans/CONFIG.SLICE.PROGRAM.json.

python docs/plans.py [part of a name ...]

It needs libtpu (pip install procsup_jax[tpu]) and minutes of a core for each; plans that are there are not made again.
"""

import pathlib
import subprocess
import sys
from typing import NamedTuple

FOLDER = pathlib.Path(__file__).parent / "plans"
PARTS = ("sft", "rm", "sample", "score", "search")


class Slice(NamedTuple):
    """Hold a slice, what a configuration is changed in for it, and which parts of the run are compiled."""

    config: str
    topology: str
    changes: tuple[str, ...] = ()
    parts: tuple[str, ...] = PARTS

    def name(self, part: str) -> str:
        """Return what the plan of one part is called."""
        return f"{self.config}.{self.topology.replace(':', '-')}.{part}"


def smallest(config: str, topology: str, fsdp: int, tensor: int, grad_accum: int, lanes: int = 0, **kwargs) -> Slice:
    """Return a slice that is smaller than the one a configuration is made for: fewer rows and lanes at a time."""
    mesh = f"--mesh.fsdp={fsdp}", f"--mesh.tensor={tensor}"
    rows = [f"--config.{fit}.grad_accum={grad_accum}" for fit in ("sft", "orm", "prm", "distil")]
    fewer = [f"--config.{kind}.lanes={lanes}" for kind in ("sample", "search") if lanes]
    return Slice(config, topology, (*mesh, *rows, *fewer), **kwargs)


SLICES = (
    # Those that the configurations name. A 70B pair's search takes the compiler more memory than most machines have.
    Slice("gsm8k_llama3_1b", "v5e:4x4"),
    Slice("gsm8k_llama3_8b", "v5p:4x4x4"),
    Slice("paper_70b", "v5p:4x4x8", parts=("sft", "rm", "sample", "score")),
    # The smallest of each generation on which they train and search.
    smallest("gsm8k_llama3_8b", "v5p:2x2x1", 4, 1, grad_accum=4, parts=("sft", "rm", "search")),
    smallest("gsm8k_llama3_8b", "v6e:2x4", 2, 4, grad_accum=8, lanes=16, parts=("sft", "rm", "search")),
    smallest("gsm8k_llama3_8b", "v5e:4x4", 4, 4, grad_accum=4, lanes=16, parts=("sft", "rm", "search")),
    smallest("gsm8k_llama3_1b", "v5e:2x2", 4, 1, grad_accum=4, parts=("sft", "search")),
    smallest("paper_70b", "v5p:2x2x4", 2, 8, grad_accum=16, parts=("sft",)),
)


def main(wanted):
    """Make the plans whose names have all of these in them."""
    FOLDER.mkdir(exist_ok=True)
    for each in SLICES:
        for part in each.parts:
            name = each.name(part)
            kept = FOLDER / f"{name}.json"
            if kept.exists() or not all(word in name for word in wanted):
                continue
            command = [sys.executable, "-m", "procsup_jax", "plan", f"--config={each.config}"]
            flags = f"--topology={each.topology}", f"--programs={part}", f"--json={kept}", *each.changes
            subprocess.run([*command, *flags], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
