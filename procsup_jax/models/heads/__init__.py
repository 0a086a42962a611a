"""How reward models read the trunk: one class a kind, and the one table of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, get_args

from procsup_jax import fields
from procsup_jax.errors import UserError
from procsup_jax.models.config import HeadKind
from procsup_jax.models.heads.base import Head
from procsup_jax.models.heads.classifier import ClassifierHead
from procsup_jax.models.heads.product import ProductHead
from procsup_jax.models.heads.verdict import VerdictHead

__all__ = [
    "ClassifierHead", "Head", "HeadKind", "ProductHead", "VerdictHead", "head_from_json", "head_to_json", "make_head",
]  # fmt: skip

_KINDS: Mapping[str, Any] = {each.kind: each for each in (VerdictHead, ProductHead, ClassifierHead)}


def make_head(kind: HeadKind, verdict_ids: Callable[[], tuple[int, int]]) -> Head:
    """Return a head of this kind with the usual settings.

    `verdict_ids` gives the ids of `correct` and `incorrect`, for a head that reads them. Raises UserError for an
    unknown kind.
    """
    cls = _of_kind(kind)
    return cls(*verdict_ids()) if cls is VerdictHead else cls()


def head_to_json(head: Head | None) -> dict[str, Any] | None:
    """Return the JSON object that names a head, None for none."""
    if head is None:
        return None
    return {"kind": head.kind, **dataclasses.asdict(head)}  # type: ignore[call-overload]


def head_from_json(values: Mapping[str, Any] | None) -> Head | None:
    """Return the head that `head_to_json` described; raises UserError for what describes none."""
    if values is None:
        return None
    if not isinstance(values, Mapping):
        raise UserError(f"head {values!r}: expected a JSON object with its kind, or null")
    known = _of_kind(values.get("kind"))
    names = [field.name for field in dataclasses.fields(known)]
    unknown = [name for name in values if name not in ("kind", *names)]
    missing = [
        field.name
        for field in dataclasses.fields(known)
        if field.name not in values and field.default is dataclasses.MISSING
    ]
    if unknown or missing:
        wrong = f"has no field {unknown[0]!r}" if unknown else f"lacks its field {missing[0]!r}"
        raise UserError(f"a {known.kind} head {wrong}: its fields are {', '.join(names) or 'none'}")
    return fields.build(known, {name: value for name, value in values.items() if name != "kind"}, f"{known.kind} head")


def _of_kind(kind: Any) -> Any:
    if not isinstance(kind, str) or kind not in _KINDS:
        raise UserError(f"head kind {kind!r} is unknown: expected one of {', '.join(get_args(HeadKind))}")
    return _KINDS[kind]
