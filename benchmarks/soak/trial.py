"""What the soak of damaged files tries."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Trial:
    """Name a file, relative to the folder of good ones, and a command that reads it, {} standing for that folder.

    `code` is the command's exit code on the good files.
    """

    file: str
    argv: tuple[str, ...]
    code: int = 0
