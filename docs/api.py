"""Write docs/api.md, the Python interface from its docstrings: `make docs`."""

from __future__ import annotations

import pathlib
import re

import griffe
import griffe2md

import procsup_jax

PAGE = pathlib.Path(__file__).with_name("api.md")
HEAD = """# The Python interface

What `import procsup_jax` offers; names are imported when they are first used. Written by `make docs` from the
docstrings, so change those instead. Records are described in [formats.md](formats.md), metrics in
[metrics.md](metrics.md).
"""
_FIELD = re.compile(r"### `(\w+)`\n+```python\n\1: [^`]* = [^`]*```\n+((?:[^\n]+\n?)+)\s*")
SHOWN = {
    "heading_level": 2,
    "line_length": 100,
    "members_order": "source",
    "show_if_no_docstring": False,
    "show_bases": False,
    "show_object_full_path": False,
    "show_root_full_path": False,
    "show_root_members_full_path": False,
    "show_signature_annotations": True,
    "summary": False,
}


def page() -> str:
    """Return the page as it should be; the package is read, not imported: its names are lazy."""
    package = griffe.load("procsup_jax", search_paths=[PAGE.parent.parent])
    homes = [(home, name) for home, names in procsup_jax._HOMES.items() for name in names]
    found = [(name, package[f"{home}.{name}"]) for home, name in homes]
    contents = ", ".join(f"[{name}](#{name.lower()})" for name, _ in found)
    sections = [griffe2md.render_object_docs(each.final_target if each.is_alias else each, SHOWN) for _, each in found]
    text = "\n\n".join([HEAD, contents, *map(_with_short_fields, sections)])
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _with_short_fields(section: str) -> str:
    """Return a section with its fields as a list: their types and defaults stand in the signature already."""
    return _FIELD.sub(lambda found: f"- `{found[1]}`: {' '.join(found[2].split())}\n", section)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
