import re

from procsup_jax.report import curves, parse


def test_selective_panels_hold_each_row_once(results):
    figures = curves.selective_figures(parse.parse(results))
    assert [f.name for f in figures] == ["selective-few-shot", "selective-sft"]
    assert [sorted(set(re.findall(r'data-row="(\w)"', f.body))) for f in figures] == [list("ABEFJ"), list("CDGHIKL")]


def test_learning_panels_share_a_scale_and_ring_the_kept_epoch(results):
    figures = curves.learning_figures(parse.parse(results).curves)
    assert [f.title for f in figures] == ["SFT + Final-Answer RL", "SFT + ORM-RL", "SFT + PRM-RL"]
    assert all(f.body.count('class="ring"') == 3 for f in figures)
    assert len({tuple(re.findall(r'text-anchor="end">(\d+)<', f.body)) for f in figures}) == 1
    del results["curves"]["sft_orm_rl"][1:]
    assert len(curves.learning_figures(parse.parse(results).curves)) == 2  # one epoch is no curve
