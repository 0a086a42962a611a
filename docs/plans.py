"""Compile the plans that docs/scaling.md quotes, and keep each as docs/plans/CONFIG.SLICE.PROGRAM.json.

python docs/plans.py [part of a name ...]

It needs libtpu (pip install procsup_jax[tpu]) and minutes of a core for each; plans that are there are not made again.
In the end the tables of docs/scaling.md are written anew from what is kept.
"""

import json
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

FOLDER = pathlib.Path(__file__).parent / "plans"
PAGE = FOLDER.parent / "scaling.md"
_TABLES = re.compile(r"(?<=<!-- plans -->\n).*?(?=<!-- end -->)", re.DOTALL)
_HEAD = (
    "program", "GiB a chip", "arguments", "temporaries", "TFLOP", "GB moved", "GB sent", "ms", "bound by", "useful",
    "tokens/s",
)  # fmt: skip
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
    mesh = f"--config.mesh.fsdp={fsdp}", f"--config.mesh.tensor={tensor}"
    fewer = [f"--config.{kind}.lanes={lanes}" for kind in ("sample", "search") if lanes]
    return Slice(config, topology, (*mesh, *_every_fit("grad_accum", grad_accum), *fewer), **kwargs)


def larger(config: str, topology: str, fsdp: int, tensor: int, batch_size: int) -> Slice:
    """Return a slice of more chips than a configuration is made for, and SFT with a batch that grows with them."""
    mesh = f"--config.mesh.fsdp={fsdp}", f"--config.mesh.tensor={tensor}"
    return Slice(config, topology, (*mesh, *_every_fit("batch_size", batch_size)), ("sft",))


def _every_fit(name: str, value: int) -> list[str]:
    return [f"--config.{fit}.{name}={value}" for fit in ("sft", "orm", "prm", "distil")]


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
    smallest("paper_70b", "v5p:2x4x4", 4, 8, grad_accum=8, parts=("sft",)),
    # Larger ones: what grows with the number of chips, at as many rows a chip.
    larger("gsm8k_llama3_8b", "v6e:16x16", 64, 4, batch_size=256),
    larger("paper_70b", "v5p:8x8x16", 128, 8, batch_size=512),
)


def tables():
    """Return a table in Markdown for each slice, of the plans that are kept."""
    return "".join(f"\n{_table(each)}" for each in SLICES) + "\n"


def _table(each: Slice) -> str:
    paths = [FOLDER / f"{each.name(part)}.json" for part in each.parts]
    rows = [row for path in paths if path.exists() for row in json.loads(path.read_text())["programs"]]
    if not rows:
        return ""
    mesh = ", ".join(f"{axis}={size}" for axis, size in zip(("data", "fsdp", "tensor"), rows[0]["mesh"], strict=True))
    unsaid = tuple(f"--config.{name}." for name in ("mesh", "orm", "prm", "distil"))
    settings = "".join(f", `{change}`" for change in each.changes if not change.startswith(unsaid))
    title = f"**{each.config}, {each.topology}**: {mesh}; {rows[0]['memory'] / 2**30:.4g} GiB a chip{settings}"
    lines = [_HEAD, ["---"] * len(_HEAD), *map(_cells, rows)]
    return f"{title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(row: dict) -> list[str]:
    gib = [f"{row[name] / 2**30:.2f}" for name in ("total", "arguments", "temporaries")]
    work = row["flops"] / 1e12, row["moved"] / 1e9, sum(row["sent"].values()) / 1e9, 1e3 * row["time"]
    bound = row["bound"].replace("compute", "arithmetic")
    useful = f"{row['utilisation']:.0%}"
    return [row["program"], *gib, *map(_figure, work), bound, useful, _figure(row["tokens_per_s"])]


def _figure(value: float) -> str:
    """Return a number to three digits, next to nothing as 0."""
    return f"{float(f'{value:.3g}'):,.10g}" if value > 1e-3 else "0"


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
    PAGE.write_text(_TABLES.sub(lambda _: tables(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
