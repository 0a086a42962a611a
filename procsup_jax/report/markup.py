"""HTML and SVG as strings: escaped text, elements, and the files of report/assets."""

from __future__ import annotations

import functools
import html
import importlib.resources
import json
from typing import Any


@functools.cache
def asset(name: str) -> str:
    """Return the text of a file of report/assets."""
    return (importlib.resources.files("procsup_jax.report") / "assets" / name).read_text(encoding="utf-8")


def text(value: object) -> str:
    """Escape text for HTML and SVG."""
    return html.escape(str(value))


def number(value: float) -> str:
    """Write a coordinate: at most two decimals, no trailing zeros."""
    written = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def element(name: str, *children: str, **attributes: object) -> str:
    """Return an element with a closing tag; children are markup, attributes are escaped.

    `class_` stands for class, `_` within a name for `-`; an attribute that is None is left out, a float is written as
    a coordinate.
    """
    parts = [
        f' {key.rstrip("_").replace("_", "-")}="{text(number(value) if isinstance(value, float) else value)}"'
        for key, value in attributes.items()
        if value is not None
    ]
    return f"<{name}{''.join(parts)}>{''.join(children)}</{name}>"


def details(title: str, body: str) -> str:
    """Return a <details> element that opens on its title."""
    return element("details", element("summary", text(title)), body)


def scroll(table: str, label: str) -> str:
    """Return a wide table within a region of its own that scrolls."""
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)


def script_json(value: Any) -> str:
    """Write JSON that may stand inside a <script> element, whatever text it holds."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written
