"""`procsup report`: rebuild report.html of a finished run."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Annotated, Any

from procsup_jax import files, json_lines, lock
from procsup_jax.errors import UserError
from procsup_jax.flags import About
from procsup_jax.report.page import build_report

RESULTS, EXAMPLES, REPORT = "results.json", "examples.jsonl", "report.html"


WORKDIR = About("the folder that procsup run wrote", reads="folder")


def check_flags(workdir: pathlib.Path) -> None:
    """Raise UserError where another process has the workdir, as a run does, which writes the report too."""
    lock.check(workdir)


def run(workdir: Annotated[pathlib.Path, WORKDIR]) -> pathlib.Path:
    """Rebuild report.html and figures/*.svg of a run from its results.json and examples.jsonl (docs/report.md)."""
    for name in (RESULTS, EXAMPLES):
        if not (workdir / name).is_file():
            raise UserError(
                f"{workdir / name} is missing, expected a finished run; run procsup run --workdir={workdir}"
            )
    results = _read_object(workdir / RESULTS)
    examples = json_lines.read(workdir / EXAMPLES, dict)
    path = workdir / REPORT
    with lock.hold(workdir):
        build_report(results, examples, path)
    print(path)
    return path


def _read_object(path: pathlib.Path) -> Mapping[str, Any]:
    try:
        with files.explain_os_errors(path, "read"):
            value = json_lines.loads(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} is no JSON ({error}), expected what procsup run writes; run it again") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} is {json_lines.shown(value)}, expected an object {{...}} (docs/report.md)")
    return value
