"""What a finished stage leaves behind, `stages/NAME.json`, and what the settings of today are held against."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from procsup_jax import files, json_lines
from procsup_jax.errors import UserError
from procsup_jax.json_lines import shown
from procsup_jax.runner.view import ABSENT, Fact, Known, as_json

_KEYS = ("settings", "inputs", "outputs", "wall_clock_s")


@dataclasses.dataclass(frozen=True)
class Marker:
    """Hold a finished stage: what it read of the settings, the SHA-256 of every file it read and wrote, its seconds.

    `whole` are the groups of settings that it took whole; None in markers from before that was noted.
    """

    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    wall_clock_s: float
    whole: Collection[str] | None = None


def read_marker(path: pathlib.Path) -> Marker:
    """Read a stage's marker; raise UserError for a file that is none."""
    try:
        with files.explain_os_errors(path, "read"):
            found = json_lines.loads(path.read_bytes())
        marker = Marker(**{name: found[name] for name in _KEYS}, whole=found.get("whole"))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise _no_marker(path) from error
    texts = [*_values(marker.inputs), *_values(marker.outputs)]
    if marker.whole is not None:
        texts += marker.whole if isinstance(marker.whole, list) else [None]
    is_whole = isinstance(marker.settings, dict) and all(isinstance(each, str) for each in texts)
    if not (is_whole and json_lines.is_number(marker.wall_clock_s)):
        raise _no_marker(path)
    return marker


def _values(digests: Any) -> list[Any]:
    return list(digests.values()) if isinstance(digests, dict) else [None]


def _no_marker(path: pathlib.Path) -> UserError:
    return UserError(
        f"{path} is not what a finished stage leaves (an object with {', '.join(_KEYS)}); delete it, and a "
        "stage of that name runs again"
    )


@dataclasses.dataclass(frozen=True)
class Change:
    """Hold a setting that differs from what a finished stage has read, with the flag or fact that sets it."""

    key: str
    done: Any
    wanted: Any
    subject: str

    @property
    def is_on_both_sides(self) -> bool:
        """Say whether both the marker and today's settings have it: others come and go with those that have."""
        return self.done is not ABSENT and self.wanted is not ABSENT


def changes(done: Marker, known: Known, facts: Collection[Fact], whole_before: Collection[str]) -> list[Change]:
    """Return in which settings a finished stage differs from today's, the most telling first.

    Held are the settings that its marker notes (see `runner.view`). One that it does not note was not read, or was not
    there yet when it ran; where it stands in a group that was taken whole, it was not there, and the stage is held to
    its default. `whole_before` are the groups that stages took whole before markers said so.
    """
    found = [*_noted(done, known, {fact.name: fact for fact in facts}), *_newer(done, known, whole_before)]
    return sorted(found, key=lambda change: (not change.is_on_both_sides, change.key))


def _noted(done: Marker, known: Known, facts: Mapping[str, Fact]) -> Iterator[Change]:
    for key, value in done.settings.items():
        if known.is_free(key):
            continue
        fact = facts.get(key)
        wanted = known.leaf(key) if fact is None else fact.value(known.settings)
        if as_json(wanted) != value:
            if fact is not None:
                subject = f"--{fact.set_by.flag}: its {key}"
            else:
                subject = f"--{known.flag(key)}" if key.startswith("config.") else f"the setting {shown(key)}"
            yield Change(key, value, as_json(wanted), subject)


def _newer(done: Marker, known: Known, whole_before: Collection[str]) -> Iterator[Change]:
    if done.whole is None:
        parents = {key.rpartition(".")[0] for key in done.settings}
        groups = [each for each in sorted(parents) if any(f"{each}.".startswith(f"{one}.") for one in whole_before)]
    else:
        groups = sorted(done.whole)
    for group in groups:
        for key, wanted, default in known.held_leaves(group):
            is_in_it = done.whole is not None or key.rpartition(".")[0] == group
            if is_in_it and key not in done.settings and default is not ABSENT and wanted != default:
                yield Change(key, default, wanted, f"--{known.flag(key)}")


def refuse(where: pathlib.Path, name: str, found: list[Change]) -> UserError:
    """Return the error for a finished stage that was made with other settings.

    It names the flag that sets the first one, and says how many more there are.
    """
    first, more = found[0], f" ({len(found) - 1} more settings differ)" if len(found) > 1 else ""
    return UserError(
        f"{first.subject} is {_said(first.wanted)}, but stage {name} in {where} was finished with "
        f"{_said(first.done)}{more}; set it back, or start anew with another --workdir"
    )


def _said(value: Any) -> str:
    text = "not set" if value is ABSENT else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
