"""What heads.py found, in Markdown: `python experiments/worlds_smollm2/heads_tables.py runs/worlds_*`."""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from procsup_jax.report import names
from procsup_jax.runner.artefacts import Json

Found = Mapping[str, Any]
FOUND = Json("heads.json")
ERRORS = "final_answer_error", "trace_error"
AUC = {"process": "AUC, process labels", "outcome": "AUC, outcome labels", "right_answer": "AUC, right answers' traces"}


def main(args: Sequence[str] | None = None) -> None:
    """Print the tables of runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    print("\n".join(markdown(parser.parse_args(args).runs)))


def markdown(runs: Sequence[pathlib.Path]) -> Iterator[str]:
    """Yield the lines: errors by decoding, then reward models, one row for each run; shares in percent."""
    found = {run.name: FOUND.read(run / FOUND.path) for run in runs}
    yield "| run | decoding | final-answer error | trace error | n |"
    yield "|---|---|---|---|---|"
    for run, each in found.items():
        for how, errors in each["decoding"].items():
            cells = (names.with_interval(errors[name], errors["intervals"].get(name)) for name in ERRORS)
            yield _row(run, names.decoding(how), *cells, errors["n"])
    yield ""
    titles = "agrees with process", "with outcome", "gap, all steps", "above always correct"
    yield _row("run", "reward model", *AUC.values(), *titles)
    yield "|" + "---|" * (2 + len(AUC) + len(titles))
    for run, each in found.items():
        gaps = each["emulation"]["all_steps"]["by"]
        for rm, worth in each["reward_models"].items():
            aucs = (_cell(worth, "auc", name, names.ratio) for name in AUC)
            agrees = (_cell(worth, "agreement", name, names.percent) for name in ("process", "outcome"))
            yield _row(run, rm, *aucs, *agrees, *_gaps(gaps.get(rm, {})))


def _gaps(gap: Found) -> Iterator[str]:
    for name in ("gap", "above_always_correct"):
        yield names.with_interval(gap.get(name), gap.get("intervals", {}).get(name))


def _cell(worth: Found, measure: str, kind: str, write: Callable[..., str]) -> str:
    return names.with_interval(worth[measure][kind], worth["intervals"][f"{measure}.{kind}"], write)


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
