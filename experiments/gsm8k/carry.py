"""A run's folder in parts small enough to carry from one machine to the next, where a machine is lent for minutes.

python experiments/gsm8k/carry.py pack runs/gsm8k_smollm2_gpu parts --models sft [--part_mb 55]
python experiments/gsm8k/carry.py join parts runs/gsm8k_smollm2_gpu

Packed are all files of the run but its models and checkpoints, and of the models the ones named, rounded to bfloat16:
270 MB each. The markers of the stages that made or read a rounded model are given its new digest, so that the run goes
on after them; a stage whose model is left behind runs again. `join` refuses parts that are missing or damaged.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import pathlib
import shutil
import tarfile
import tempfile
from collections.abc import Sequence

from procsup_jax import files, places
from procsup_jax.errors import UserError
from procsup_jax.io.models import load_model, save_model

MANIFEST, PART_MB = "parts.json", 55
_LEFT, _LEFT_BELOW = ("models", "figures"), ("checkpoints", "best", "tensorboard")


def main(args: Sequence[str] | None = None) -> None:
    """Pack a run's folder, or join it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    packing, joining = commands.add_parser("pack"), commands.add_parser("join")
    for name in ("run", "parts"):
        packing.add_argument(name, type=pathlib.Path)
    packing.add_argument("--models", nargs="*", default=[])
    packing.add_argument("--part_mb", type=float, default=PART_MB)
    for name in ("parts", "run"):
        joining.add_argument(name, type=pathlib.Path)
    given = parser.parse_args(args)
    if given.command == "pack":
        pack(given.run, given.parts, given.models, round(given.part_mb * 1e6))
    else:
        join(given.parts, given.run)


def pack(run: pathlib.Path, parts: pathlib.Path, models: Sequence[str], part_bytes: int) -> list[pathlib.Path]:
    """Write a run's files, and those of its models named, as parts of at most so many bytes; return them."""
    missing = [name for name in models if not (run / "models" / name / places.MODEL_HEADER).is_file()]
    if missing:
        raise UserError(f"{run} has no model {missing[0]}; name some of its models/")
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "run"
        shutil.copytree(run, copy, ignore=lambda path, _: _LEFT if pathlib.Path(path) == run else _LEFT_BELOW)
        for name in models:
            _round_model(run / "models" / name, copy / "models" / name)
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(run / f"models/{name}.history.jsonl", copy / "models")
        _give_new_digests(run, copy, models)
        packed = pathlib.Path(folder) / "run.tar.gz"
        with tarfile.open(packed, "w:gz", compresslevel=6) as archive:
            archive.add(copy, ".")
        return _split(packed, parts, part_bytes)


def join(parts: pathlib.Path, run: pathlib.Path) -> None:
    """Put a packed run's files where they were; files that are there already are replaced."""
    with files.explain_os_errors(parts / MANIFEST, "read"):
        manifest = json.loads((parts / MANIFEST).read_text(encoding="utf-8"))
    with tempfile.TemporaryFile() as packed:
        for name, digest in manifest.items():
            with files.explain_os_errors(parts / name, "read"):
                data = (parts / name).read_bytes()
            if hashlib.sha256(data).hexdigest() != digest:
                raise UserError(f"{parts / name} is damaged: its SHA-256 is not the one in {MANIFEST}; carry it again")
            packed.write(data)
        packed.seek(0)
        run.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=packed, mode="r:gz") as archive:
            archive.extractall(run, filter="data")


def _round_model(source: pathlib.Path, target: pathlib.Path) -> None:
    save_model(target, load_model(source), dtype="bfloat16")


def _give_new_digests(run: pathlib.Path, copy: pathlib.Path, models: Sequence[str]) -> None:
    new = {}
    for name in models:
        for file in (places.MODEL_PARAMS, places.MODEL_HEADER):
            path = f"models/{name}/{file}"
            new[path] = files.sha256_file(run / path), files.sha256_file(copy / path)
    for marker in (copy / "stages").glob("*.json"):
        record = json.loads(marker.read_text(encoding="utf-8"))
        for held in (record["inputs"], record["outputs"]):
            for path, (old, rounded) in new.items():
                if held.get(path) == old:
                    held[path] = rounded
        files.write_text(marker, json.dumps(record, indent=1, sort_keys=True) + "\n")


def _split(packed: pathlib.Path, parts: pathlib.Path, part_bytes: int) -> list[pathlib.Path]:
    parts.mkdir(parents=True, exist_ok=True)
    written: list[pathlib.Path] = []
    digests: dict[str, str] = {}
    with packed.open("rb") as data:
        while piece := data.read(part_bytes):
            path = parts / f"part-{len(written):03d}"
            files.write_bytes(path, piece)
            digests[path.name] = hashlib.sha256(piece).hexdigest()
            written.append(path)
    files.write_text(parts / MANIFEST, json.dumps(digests, indent=1) + "\n")
    return written


if __name__ == "__main__":
    main()
