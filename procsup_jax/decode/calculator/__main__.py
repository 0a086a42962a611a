"""`python -m procsup_jax.decode.calculator FILE` prints for each line's expression the value forced, or `-`."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence

from procsup_jax.decode.calculator import batch
from procsup_jax.errors import UserError


def main(arguments: Sequence[str]) -> int:
    """Print the value forced for each line of a file; return the exit status."""
    if len(arguments) != 1:
        print("usage: python -m procsup_jax.decode.calculator FILE (one expression a line)", file=sys.stderr)
        return UserError.exit_code
    try:
        lines = pathlib.Path(arguments[0]).read_bytes().splitlines()
    except OSError as error:
        print(f"{arguments[0]}: {error.strerror}; expected a file with one expression a line", file=sys.stderr)
        return UserError.exit_code
    for value in batch.forced_values(lines):
        print(value or "-")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
