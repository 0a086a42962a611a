"""How a run was made: its stages and their times, its base model, versions, every decoding, its configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from procsup_jax.report import names, run_tables
from procsup_jax.report.markup import details, element, scroll, text
from procsup_jax.report.results import Results

MOST_STAGES = 20


def body(results: Results) -> str:
    """Return what the section "How it was run" holds."""
    facts = []
    if results.base:
        facts.append(element("div", element("h3", "Base model"), _pairs(results.base, group=True)))
    if results.versions:
        facts.append(element("div", element("h3", "Versions"), _pairs(results.versions)))
    parts = [element("div", *facts, class_="facts-of-run")] if facts else []
    if results.wall_clock:
        parts.insert(0, element("div", element("h3", "Time by stage"), stages(results.wall_clock)))
    made = element("div", *parts, class_="columns two" if len(parts) > 1 else "columns") if parts else ""
    everything = run_tables.everything(results)
    if everything:
        made += details("Every decoding measured", scroll(everything, "Every decoding measured"))
    if results.config:
        made += details("Configuration", _pairs(results.config))
    return made


def stages(wall_clock: Mapping[str, float]) -> str:
    """Return the time each stage took, with bars, in the order they ran; beyond twenty all but the longest fold."""
    total = sum(wall_clock.values())
    if len(wall_clock) <= MOST_STAGES:
        return _stage_table(wall_clock, {"total": total}, wall_clock)
    longest = sorted(wall_clock, key=lambda stage: -wall_clock[stage])[:MOST_STAGES]
    shown = {stage: seconds for stage, seconds in wall_clock.items() if stage in longest}
    rest = f"{len(wall_clock) - MOST_STAGES} other stages"
    totals = {rest: total - sum(shown.values()), "total": total}
    said = element("p", f"The {MOST_STAGES} longest of {len(wall_clock)} stages. {_by_work(wall_clock)}", class_="note")
    folded = details(f"All {len(wall_clock)} stages, in the order they ran", _stage_table(wall_clock, {}, wall_clock))
    return said + _stage_table(shown, totals, wall_clock) + folded


def _by_work(wall_clock: Mapping[str, float]) -> str:
    """Write the kinds of work that took longest; a stage's name starts with its kind."""
    seconds: dict[str, float] = {}
    for stage, spent in wall_clock.items():
        kind = stage.partition("-")[0]
        seconds[kind] = seconds.get(kind, 0.0) + spent
    most = sorted(seconds, key=lambda kind: -seconds[kind])[:3]
    return "Most time: " + ", ".join(f"{text(kind)} {names.duration(seconds[kind])}" for kind in most) + "."


def _stage_table(shown: Mapping[str, float], totals: Mapping[str, float], of: Mapping[str, float]) -> str:
    longest = max(of.values(), default=0.0) or 1.0
    rows = [
        _stage(_breakable(stage), element("span", class_="bar", style=f"width:{100 * seconds / longest:.1f}%"), seconds)
        for stage, seconds in shown.items()
    ]
    caption = element("caption", "Wall-clock time by stage", class_="visually-hidden")
    sums = [_stage(text(name), "", seconds) for name, seconds in totals.items()]
    foot = element("tfoot", *sums) if sums else ""
    columns = "<colgroup><col class='name'><col><col class='time'></colgroup>"
    return element("table", caption, columns, element("tbody", *rows), foot, class_="stages")


def _stage(name: str, bar: str, seconds: float) -> str:
    duration = element("td", names.duration(seconds), class_="num")
    return element("tr", element("th", name, scope="row"), element("td", bar), duration)


def _breakable(name: str) -> str:
    """Escape a name, with places to break the line after its marks."""
    return "<wbr>".join(text(part) for part in re.split(r"(?<=[-._])(?=[^-._])", name))


def _flat(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from _flat(value[key], f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _pairs(values: Mapping[str, Any], group: bool = False) -> str:
    rows = [
        element("div", element("dt", _breakable(key)), element("dd", text(_plain(value, group))))
        for key, value in _flat(values)
    ]
    return element("dl", *rows, class_="pairs")


def _plain(value: Any, group: bool) -> str:
    if group and isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if group and isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
