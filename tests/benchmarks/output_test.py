import pytest

from benchmarks import demo, plots, suite, summary, table
from benchmarks.suite import Group
from benchmarks.workload import Task
from procsup_jax.errors import UserError


def answers(*specs_and_seconds, cost=None):
    ready = {"amount": 12.0, "unit": "tokens", "versions": {"jax": "1"}, "threads": 1, "cost": cost, "peak_mb": 1500.0}
    return [
        (spec, ready, [{"seconds": s, "facts": {}, "peak_mb": s} for s in seconds])
        for spec, seconds in specs_and_seconds
    ]


def test_records_hold_medians_the_best_rival_and_the_share_of_the_limit():
    jax, _, memory = suite.LIMITS
    measured = answers((jax, [12.0]), (memory, [6.0]))
    measured += answers((suite.OURS, [2.0, 4.0, 3.0]), (suite.TUNIX, [12.0] * 3), cost=[0.5e9, 1e9])
    measured += answers((suite.DYNAMIC, [6.0] * 3))
    records = summary.records(Group("sampling", Task("2m", ""), ()), 0, measured)
    ours = next(each for each in records if each["contender"] == "procsup")
    assert ours["rate"] == {"median": 4.0, "min": 3.0, "max": 6.0} and ours["n"] == 3
    assert (ours["ratio"], ours["ratio_to"]) == (2.0, "transformers, dynamic")
    assert ours["share_of_limit"] == pytest.approx((0.5 + 0.5) / 3, rel=1e-3)
    shown = table.tables([*records, {"benchmark": "sampling", "size": "2m", "contender": "x", "left_out": "no y"}])
    assert "| procsup | 4 | 3 to 6 | tokens/s | 33 % | 2.00 x transformers, dynamic | 1,500, 4 |" in shown
    assert "Left out: x: no y." in shown and "rounds: 1, 3" in shown


def test_plots_show_the_sweep_and_the_search():
    records = []
    for k in (1, 8):
        records += summary.records(Group("sweep", Task("2m", "", num_samples=k), ()), 0, answers((suite.OURS, [1.0])))
    task = Task("25m", "", num_steps=2)
    records += summary.records(Group("search", task, ()), 0, answers((suite.OURS, [1.5])))
    speed, cost = sorted(plots.figures(records), key=lambda figure: figure.name, reverse=True)[::-1]
    assert {speed.name, cost.name} == {"sampling-2m", "search-25m"}
    assert "procsup: 12 at 1, 12 at 8" in "".join([speed.description, cost.description])
    assert "| 2 | 1.50 s |" in table.tables([each for each in records if each["benchmark"] == "search"])


def test_demo_lists_stages_by_their_share(tmp_path):
    (tmp_path / "stages").mkdir()
    for name, seconds in (("sft", 1.0), ("base", 3.0)):
        (tmp_path / "stages" / f"{name}.json").write_text(f'{{"wall_clock_s": {seconds}}}')
    records = demo.records(tmp_path)
    assert [(each["stage"], each["share"]) for each in records] == [("base", 0.75), ("sft", 0.25), ("total", 1.0)]
    assert "| base | 3.0 | 75.0 % |" in table.tables(records)
    with pytest.raises(UserError, match="no stages"):
        demo.records(tmp_path / "stages")
