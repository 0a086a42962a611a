"""Symbolic equality by the math-verify library, an extra: asked for by name, never used because it is there."""

from __future__ import annotations

import logging
from collections.abc import Callable

from procsup_jax.errors import UserError
from procsup_jax.text.answers.equality import same_answer
from procsup_jax.text.answers.values import MAX_CHARACTERS

Equal = Callable[[str | None, str | None], bool]


def symbolic_equality() -> Equal:
    """Return an equality that also holds where math-verify finds two answers equal: `11+x` and `x+11`.

    It is no equivalence, so that votes do not group by it. Raises UserError where the library is not installed.
    """
    try:
        import math_verify
    except ImportError as error:
        raise UserError(
            "--symbolic needs the library math-verify, which is not installed; pip install 'procsup_jax[math]', or "
            "leave the flag out"
        ) from error
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)

    def parsed(text: str) -> list[object]:
        return math_verify.parse(f"${text}$", parsing_timeout=_SECONDS)

    def same(a: str | None, b: str | None) -> bool:
        if a is None or b is None or same_answer(a, b):
            return same_answer(a, b)
        if max(len(a), len(b)) > MAX_CHARACTERS:
            return False
        return math_verify.verify(parsed(a), parsed(b), timeout_seconds=_SECONDS)

    return same


_SECONDS = 5
