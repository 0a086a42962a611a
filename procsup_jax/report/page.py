"""report.html: one file that holds everything of a run worth seeing, and needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
import string
from collections.abc import Mapping, Sequence
from typing import Any

from procsup_jax import files, remote
from procsup_jax.report import examples as example_list
from procsup_jax.report import headline, parse, sections, svg
from procsup_jax.report.markup import asset, element, script_json, text
from procsup_jax.report.results import Results


def build_report(
    results: Mapping[str, Any], examples: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]
) -> None:
    """Write the report of a run to `path`, and each figure as an .svg file into the folder `figures` beside it.

    `results` is results.json, `examples` the selected solutions (docs/report.md). The bytes are a function of these.

    Raises:
      UserError: a value in either that docs/report.md does not allow, named by where it stands.

    """
    parsed = parse.parse(results)
    prepared = example_list.prepare(examples)
    figures: list[svg.Figure] = []
    html = page(parsed, prepared, figures)
    target = remote.path_of(path)
    for figure in figures:
        files.write_bytes(target.parent / "figures" / f"{figure.name}.svg", encoded(figure.standalone()))
    files.write_bytes(target, encoded(html))


def page(results: Results, prepared: Sequence[Mapping[str, Any]], figures: list[svg.Figure]) -> str:
    """Return the page's HTML; the figures drawn are appended to `figures`."""
    shown = sections.sections(results, prepared, figures)
    script = "\n" + asset("browser.js") + asset("highlight.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return string.Template(asset("page.html")).substitute(
        title=text(f"{results.name} · procsup"),
        style="".join(asset(name) for name in ("tokens.css", "page.css", "tables.css", "figures.css", "browser.css")),
        script_hash=f"'sha256-{digest}'",
        header=headline.header(results),
        contents=element(
            "ol", *(element("li", element("a", section.short, href=f"#{section.id}")) for section in shown)
        ),
        main="\n".join(section.html() for section in shown),
        footer=sections.footer(),
        examples=script_json(
            {
                "examples": list(prepared),
                "choices": example_list.choices(prepared),
                "score": example_list.first_score(prepared),
            }
        ),
        script=script,
    )


def encoded(content: str) -> bytes:
    """Return UTF-8; half of a surrogate pair, which JSON may hold and UTF-8 cannot, becomes a question mark."""
    return content.encode("utf-8", "replace")
