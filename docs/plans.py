"""Compile the plans that docs/scaling.md quotes, and keep each as docs/plans/CONFIG.SLICE.PROGRAM.json.

python docs/plans.py [part of a name ...]

It needs libtpu (pip install procsup_jax[tpu]) and minutes of a core for each; plans that are there are not made again.
"""

import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(__file__).parent / "plans"
PARTS = ("sft", "rm", "sample", "score", "search")
# The slices that the configurations name.
SLICES = {"gsm8k_llama3_1b": "v5e:4x4", "gsm8k_llama3_8b": "v5p:4x4x4", "paper_70b": "v5p:4x4x8"}


def main(wanted):
    """Make the plans whose names have all of these in them."""
    FOLDER.mkdir(exist_ok=True)
    for config, topology in SLICES.items():
        for part in PARTS:
            name = f"{config}.{topology.replace(':', '-')}.{part}"
            kept = FOLDER / f"{name}.json"
            if kept.exists() or not all(each in name for each in wanted):
                continue
            command = [sys.executable, "-m", "procsup_jax", "plan", f"--config={config}", f"--topology={topology}"]
            subprocess.run([*command, f"--programs={part}", f"--json={kept}"], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
