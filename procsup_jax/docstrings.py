"""What a dataclass says of its fields: the string that follows each in its source."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Mapping


@functools.cache
def field_docs(cls: type) -> Mapping[str, str]:
    """Return the text of each described field of a class and those it is made from, as one line.

    None where the source is not at hand.
    """
    return {name: text for each in reversed(cls.__mro__) for name, text in _own(each).items()}


def _own(cls: type) -> Mapping[str, str]:
    try:
        [node] = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    except (OSError, TypeError):
        return {}
    if not isinstance(node, ast.ClassDef):
        return {}
    found = {}
    for field, after in zip(node.body, node.body[1:], strict=False):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found
