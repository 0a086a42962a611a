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

from procsup_jax.jobs.plan import PARTS
from procsup_jax.parallel.settings import AXES

FOLDER = pathlib.Path(__file__).parent / "plans"
PAGE = FOLDER.parent / "scaling.md"
_TABLES = re.compile(r"(?<=<!-- plans -->\n).*?(?=<!-- end -->)", re.DOTALL)
_HEAD = (
    "program", "GiB a chip", "arguments", "temporaries", "TFLOP", "GB moved", "GB sent", "ms", "bound by", "useful",
    "tokens/s",
)  # fmt: skip


class Slice(NamedTuple):
    """Hold a slice, what a configuration is changed in for it, and which parts of the run are compiled."""

    config: str
    topology: str
    changes: tuple[str, ...] = ()
    parts: tuple[str, ...] = PARTS

    def name(self, part: str) -> str:
        """Return what the plan of one part is called."""
        return f"{self.config}.{self.topology.replace(':', '-')}.{part}"


def resized(config: str, topology: str, mesh: tuple[int, int], parts: tuple[str, ...], lanes: int = 0, **fits) -> Slice:
    """Return a slice that a configuration is not made for.

    `mesh` is (fsdp, tensor), `lanes` those of sampling and search where they are fewer; `fits` sets every fit.
    """
    changes = {"mesh.fsdp": mesh[0], "mesh.tensor": mesh[1]}
    changes |= {f"{fit}.{name}": value for name, value in fits.items() for fit in ("sft", "orm", "prm", "distil")}
    changes |= {f"{kind}.lanes": lanes for kind in ("sample", "search") if lanes}
    return Slice(config, topology, tuple(f"--config.{key}={value}" for key, value in changes.items()), parts)


SLICES = (
    # Those that the configurations name. A 70B pair's search takes the compiler more memory than most machines have.
    Slice("gsm8k_llama3_1b", "v5e:4x4"),
    Slice("gsm8k_llama3_8b", "v5p:4x4x4"),
    Slice("paper_70b", "v5p:4x4x8", parts=("sft", "rm", "sample", "score")),
    # The smallest of each generation that we found, with fewer rows and lanes at a time.
    resized("gsm8k_llama3_8b", "v5p:2x2x1", (4, 1), ("sft", "rm", "search"), grad_accum=4),
    resized("gsm8k_llama3_8b", "v6e:2x4", (2, 4), ("sft", "rm", "search"), lanes=16, grad_accum=8),
    resized("gsm8k_llama3_8b", "v5e:4x4", (4, 4), ("sft", "rm", "search"), lanes=16, grad_accum=4),
    resized("gsm8k_llama3_1b", "v5e:2x2", (4, 1), ("sft", "search"), grad_accum=4),
    resized("paper_70b", "v5p:2x4x4", (4, 8), ("sft",), grad_accum=8),
    # Larger ones: what grows with the number of chips, at as many rows a chip.
    resized("gsm8k_llama3_8b", "v6e:16x16", (64, 4), ("sft",), batch_size=256),
    resized("paper_70b", "v5p:8x8x16", (128, 8), ("sft",), batch_size=512),
)


def tables():
    """Return a table in Markdown for each slice, of the plans that are kept."""
    return "".join(f"\n{_table(each)}" for each in SLICES) + "\n"


def _table(each: Slice) -> str:
    paths = [FOLDER / f"{each.name(part)}.json" for part in each.parts]
    rows = [row for path in paths if path.exists() for row in json.loads(path.read_text())["programs"]]
    if not rows:
        return ""
    mesh = ", ".join(f"{axis}={size}" for axis, size in zip(AXES, rows[0]["mesh"], strict=True))
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
