"""What stories.py found, in Markdown: `python experiments/gsm8k/stories_tables.py runs/gsm8k_stories`.

Final-answer errors in percent with 95 % intervals over problems, and what they are minus those of SFT on GSM8K alone.
"""

from __future__ import annotations

import argparse
import pathlib
import runpy
from collections.abc import Iterator
from typing import Any

from procsup_jax.report import names
from procsup_jax.runner.artefacts import Json

RECIPE = runpy.run_path(str(pathlib.Path(__file__).with_name("stories.py")))
FOUND: Json = RECIPE["FOUND"]
ALONE: str = RECIPE["ALONE"]
TITLES = {
    ALONE: "GSM8K alone",
    RECIPE["STORIES"]: "stories alone",
    RECIPE["BEFORE"]: "stories, then GSM8K",
    RECIPE["BESIDE"]: "stories and GSM8K",
}


def main(args: list[str] | None = None) -> None:
    """Print the table of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    print("\n".join(markdown(parser.parse_args(args).run)))


def markdown(run: pathlib.Path) -> Iterator[str]:
    """Yield the lines, one row for each set, policy and way to decode; raise UserError where the run has no results."""
    found = FOUND.read(run / FOUND.path)
    yield "| set | SFT on | decoding | final-answer error | minus GSM8K alone, points | n |"
    yield "|---|---|---|---|---|---|"
    for split in names.in_order(names.SETS, found):
        for policy, by_decoding in found[split].items():
            for how, each in by_decoding.items():
                gap = names.UNKNOWN if policy == ALONE else _cell(each[f"minus_{ALONE}"])
                title = names.label(names.SETS, split), TITLES[policy], names.decoding(how)
                yield f"| {' | '.join((*title, _cell(each['error']), gap, str(each['error']['n'])))} |"


def _cell(found: dict[str, Any]) -> str:
    return names.with_interval(found["value"], found["interval"])


if __name__ == "__main__":
    main()
