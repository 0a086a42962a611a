"""Nested parameters as a flat mapping from paths ("layers/mlp/gate") and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the arrays under their paths, each level in the order of its names."""
    flat: dict[str, Any] = {}
    for name in sorted(params):
        value = params[name]
        flat.update(flatten(value, f"{prefix}{name}/") if isinstance(value, Mapping) else {prefix + name: value})
    return flat


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `flatten` was given."""
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, name = path.split("/")
        node = nested
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = value
    return nested
