from benchmarks import contender


def test_a_run_that_is_to_settle_follows_an_untimed_one():
    runs = []
    made = contender.Made(lambda: runs.append(0) or {"runs": len(runs)}, 1.0, "runs", {}, 1)
    assert contender._timed(made, settle=False)["facts"] == {"runs": 1}
    assert contender._timed(made, settle=True)["facts"] == {"runs": 3}
