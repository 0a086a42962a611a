"""Install procsup_jax into a notebook's Python. jax stays as it is: the one that is there fits the accelerator.

python colab/install.py
"""

from __future__ import annotations

import importlib.metadata
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
KEPT = ("jax", "jaxlib", "libtpu", "jax-cuda12-plugin", "jax-cuda12-pjrt", "jax-cuda13-plugin", "jax-cuda13-pjrt")


def constraints() -> str:
    """Return pip constraints that hold jax and what belongs to it at the versions that are installed."""
    lines = []
    for name in KEPT:
        try:
            lines.append(f"{name}=={importlib.metadata.version(name)}\n")
        except importlib.metadata.PackageNotFoundError:
            continue
    return "".join(lines)


def main() -> None:
    """Install, or say in one line why jax as it is does not do."""
    held = constraints()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(held)
        file.flush()
        command = [sys.executable, "-m", "pip", "install", "-q", "-c", file.name, "-e", str(ROOT)]
        if subprocess.run(command, check=False).returncode:
            here = held.split("\n")[0] or "no jax"
            sys.exit(f"install: procsup_jax does not go with {here} of this runtime; setup.cfg says which jax it needs")


if __name__ == "__main__":
    main()
