"""Where the time of a finished run went, by its stages."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from procsup_jax.errors import UserError


def records(run: pathlib.Path) -> list[dict[str, Any]]:
    """Return a record for each stage, the longest first, and one for the whole; a run that has none is an error."""
    markers = sorted((run / "stages").glob("*.json"))
    if not markers:
        raise UserError(f"{run}: has no stages/*.json; pass a run's --workdir, such as runs/demo after `make demo`")
    seconds = {path.stem: float(json.loads(path.read_text(encoding="utf-8"))["wall_clock_s"]) for path in markers}
    total = sum(seconds.values())
    lines = [
        {"benchmark": "demo", "stage": stage, "seconds": round(taken, 1), "share": round(taken / (total or 1.0), 4)}
        for stage, taken in sorted(seconds.items(), key=lambda each: -each[1])
    ]
    return [*lines, {"benchmark": "demo", "stage": "total", "seconds": round(total, 1), "share": 1.0}]
