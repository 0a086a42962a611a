"""Settings that no result depends on, marked beside them: `lanes: Annotated[Count, FREE] = 8`."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, get_args, get_origin

from procsup_jax.ranges import hints_of


class Free:
    """Mark a setting, or a group of them, that sets speed, memory or what something is called, and never a result.

    A finished stage is not held to it (`runner.view`): it may change from one command to the next.
    """

    def __repr__(self) -> str:
        return "FREE"


FREE = Free()


def is_free(cls: type, name: str) -> bool:
    """Say whether a field of a settings dataclass is marked so."""
    hint: Any = hints_of(cls).get(name)
    return get_origin(hint) is Annotated and FREE in get_args(hint)[1:]


def bound(settings: Any) -> dict[str, Any]:
    """Return the fields of a settings dataclass, and of those within it, that results depend on."""
    found = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if not is_free(type(settings), field.name):
            found[field.name] = bound(value) if dataclasses.is_dataclass(value) else value
    return found
