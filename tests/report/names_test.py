import re

from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.report import names


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_slugs_are_safe_file_names(keys):
    assert re.fullmatch(r"[a-z0-9-]*", names.slug(*keys)) and len(names.slug("x", *keys)) <= 60 + 9 or len(keys) > 1


def test_slugs_keep_plain_names_and_tell_others_apart():
    assert names.slug("learning", "sft_orm_rl") == "learning-sft-orm-rl"
    assert names.slug("learning", "../x") != names.slug("learning", "..\\x")


def test_durations_and_points_are_written_plainly():
    written = [names.duration(s) for s in (0, 7.44, 59.96, 185, 3600, 7800)]
    assert written == ["0.0 s", "7.4 s", "1 min 00 s", "3 min 05 s", "1 h 00 min", "2 h 10 min"]
    assert [names.points(d) for d in (0.012, -0.0651, -0.0001)] == ["+1.2", "−6.5", "0.0"]


def test_decodings_and_verdicts_of_any_judge_have_names_and_an_order():
    keys = ["qwen-7b_best", "majority", "prm_best", "orm_step", "new", "one_sample", "qwen-7b_puct"]
    assert [names.decoding(key) for key in names.decodings_in_order(keys)] == [
        "one sample", "majority", "best by PRM", "best by qwen-7b", "step search by ORM", "tree search by qwen-7b",
        "new",
    ]  # fmt: skip
    judges = ["prm_label", "qwen-7b_prediction", "orm_prediction", "orm_label"]
    assert [names.verdict(key) for key in names.verdicts_in_order(judges)] == [
        "ORM prediction", "qwen-7b prediction", "outcome label", "process label",
    ]  # fmt: skip


def test_a_value_stands_before_its_interval():
    assert names.with_interval(0.076, [0.051, 0.1]) == "7.6 [5.1, 10.0]"
    assert names.with_interval(0.9, [0.8, 1.0], names.ratio) == "0.900 [0.800, 1.000]"
    assert names.with_interval(0.5, None) == "50.0"
    assert names.with_interval(None, None) == names.UNKNOWN
