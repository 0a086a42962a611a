"""What a finished stage leaves behind, `stages/NAME.json`, and what the settings of today are held against."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from procsup_jax import files, json_lines
from procsup_jax.errors import UserError
from procsup_jax.json_lines import shown

_ABSENT = object()


class Marker(NamedTuple):
    """Hold a finished stage: the settings it used, the SHA-256 of every file it read and wrote, its seconds."""

    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    wall_clock_s: float


def read_marker(path: pathlib.Path) -> Marker:
    """Read a stage's marker; raise UserError for a file that is none."""
    try:
        with files.explain_os_errors(path, "read"):
            found = json_lines.loads(path.read_bytes())
        marker = Marker(*(found[name] for name in Marker._fields))
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise _no_marker(path) from error
    digests = [*_values(marker.inputs), *_values(marker.outputs)]
    is_whole = isinstance(marker.settings, dict) and all(isinstance(each, str) for each in digests)
    if not (is_whole and json_lines.is_number(marker.wall_clock_s)):
        raise _no_marker(path)
    return marker


def _values(digests: Any) -> list[Any]:
    return list(digests.values()) if isinstance(digests, dict) else [None]


def _no_marker(path: pathlib.Path) -> UserError:
    return UserError(
        f"{path} is not what a finished stage leaves (an object with {', '.join(Marker._fields)}); delete it, and a "
        "stage of that name runs again"
    )


def check_settings(
    where: pathlib.Path,
    name: str,
    done: Mapping[str, Any],
    wanted: Mapping[str, Any],
    set_by: Mapping[str, str],
) -> None:
    """Raise UserError for a finished stage that was made with other settings.

    The error names the flag that sets the one that differs (`set_by`, where it is not the setting's own name), and says
    how many more do. Settings that both have come first: others come and go with them.
    """
    keys = sorted(done.keys() | wanted.keys(), key=lambda key: (key not in done or key not in wanted, key))
    others = [key for key in keys if done.get(key, _ABSENT) != wanted.get(key, _ABSENT)]
    if not others:
        return
    key = others[0]
    if key.startswith("config."):
        subject = f"--{set_by.get(key, key)}"
    else:
        subject = f"--{set_by[key]}: its {key}" if key in set_by else f"the setting {shown(key)}"
    more = f" ({len(others) - 1} more settings differ)" if len(others) > 1 else ""
    raise UserError(
        f"{subject} is {_said(wanted.get(key, _ABSENT))}, but stage {name} in {where} was finished with "
        f"{_said(done.get(key, _ABSENT))}{more}; set it back, or start anew with another --workdir"
    )


def _said(value: Any) -> str:
    text = "not set" if value is _ABSENT else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
