import re

import pytest

from procsup_jax.report import parse, setup


def rows(markup):
    """Return each table's (stage, time)."""
    return [
        [tuple(re.sub("<[^>]+>", "", each) for each in found) for found in re.findall(
            r"<tr><th[^>]*>(.*?)</th><td>.*?</td><td[^>]*>(.*?)</td></tr>", table
        )]
        for table in re.findall(r"<table.*?</table>", markup, re.S)
    ]  # fmt: skip


def times(num):
    return {f"train-sft.epoch{i}_orm": float(i * 7 % 30 + 1) for i in range(num)}


def test_up_to_twenty_stages_stand_in_the_order_they_ran():
    shown = setup.stages(times(20))
    (table,) = rows(shown)
    assert [stage for stage, _ in table] == [*times(20), "total"] and "<details" not in shown


@pytest.mark.parametrize("num", [21, 143])
def test_of_more_stages_the_longest_are_shown_and_all_fold(num):
    wall_clock = times(num)
    first, folded = rows(setup.stages(wall_clock))
    shown = [stage for stage, _ in first[:-2]]
    assert len(shown) == 20 and shown == [stage for stage in wall_clock if stage in shown]
    assert min(wall_clock[stage] for stage in shown) >= max(wall_clock[s] for s in wall_clock if s not in shown)
    assert [stage for stage, _ in first[-2:]] == [f"{num - 20} other stages", "total"]
    assert [stage for stage, _ in folded] == list(wall_clock)
    assert setup.stages(wall_clock).index("<details") > setup.stages(wall_clock).index("<table")


def test_the_kinds_of_work_that_took_longest_are_named():
    said = setup.stages({**{f"score-{i}": 1.0 for i in range(30)}, "train-a": 100.0, "sample-b": 65.0, "data": 0.1})
    assert "Most time: train 1 min 40 s, sample 1 min 05 s, score 30.0 s." in said


def test_any_text_is_escaped_and_long_names_may_break():
    hostile = "<b>&train-a.b_c"
    found = parse.parse(
        {"models": {}, "wall_clock": {hostile: 1}, "base": {hostile: hostile}, "config": {hostile: hostile}}
    )
    body = setup.body(found)
    assert "<b>" not in body and "&lt;b&gt;&amp;train-<wbr>a.<wbr>b_<wbr>c" in body


def test_nothing_known_is_no_section():
    assert setup.body(parse.parse({"models": {}})) == ""
