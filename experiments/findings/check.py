"""Check that README.md, and what the main README says of the findings, say what the committed files do.

python experiments/findings/check.py

Every claim of claims.py, claims_further.py and claims_main.py has to stand in the text word for word, and every figure
of the text (what has a decimal point, a per cent sign or an interval) within a claim or a quotation of the log. It
prints what does not, and then ends with 1. Of README.md it reads what stands before "## Running it".
"""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Iterable, Iterator

import claims
import claims_further
import claims_main
import kept

HERE = pathlib.Path(__file__).parent
LOG = HERE.parent / "testbed/NOTES.md"
FIGURE = re.compile(r"\[-?[\d.]+, -?[\d.]+\]|-?\d*\.\d+|\d+ %")
# Settings of the runs and of tests, published figures, and names that hold digits.
NO_FIGURES = (
    re.compile(r"`[^`]*`"),
    re.compile(r"\]\([^)]*\)"),
    re.compile(r"arXiv \d{4}\.\d{5}"),
    re.compile(r"\d+\.\d+M parameters"),
    re.compile(r"95 % (?:t )?interval"),
    re.compile(r"^ {4}.*$", re.MULTILINE),
)


def main() -> None:
    """Print what does not hold."""
    wrong = [
        *of_the_findings((HERE / "README.md").read_text()),
        *of_the_main((HERE.parents[1] / "README.md").read_text()),
    ]
    print("\n".join(wrong or ["every figure is that of the files"]))
    sys.exit(1 if wrong else 0)


def of_the_findings(text: str) -> Iterator[str]:
    """Yield in what the findings' README is wrong."""
    log, files = LOG.read_text(), kept.read(HERE)
    for quoted in claims_further.QUOTED:
        if quoted not in log:
            yield f"{LOG.name} does not say: {quoted}"
    said = [*claims.claims(files), *claims_further.claims(files), *claims_further.from_the_log(log)]
    yield from differences("README.md", text.partition("\n## Running it")[0], [*said, *claims_further.QUOTED])


def of_the_main(text: str) -> Iterator[str]:
    """Yield in what the main README's section on the findings is wrong."""
    section = text.partition("\n## The paper's findings")[2].partition("\n## ")[0]
    yield from differences("the main README", section, claims_main.claims(kept.read(HERE)))


def differences(name: str, text: str, said: Iterable[str]) -> Iterator[str]:
    """Yield the claims that a text does not have, and its figures that stand in none."""
    rest = text
    # Longest first, as some are parts of others.
    for claim in sorted(said, key=len, reverse=True):
        if claim not in text:
            yield f"{name} does not say: {claim}"
        rest = rest.replace(claim, "")
    for pattern in NO_FIGURES:
        rest = pattern.sub("", rest)
    for line in rest.splitlines():
        for found in FIGURE.findall(line):
            yield f"{name} has a figure that no claim has, {found}: {line.strip()[:120]}"


if __name__ == "__main__":
    main()
