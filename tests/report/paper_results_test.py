import pytest

from procsup_jax.report import names, paper_results
from procsup_jax.searching import decodings


@pytest.mark.parametrize("row", [r for r in paper_results.TABLE_1 if r.trace is not None], ids=lambda r: r.letter)
def test_trace_error_is_the_mean_of_its_two_raters(row):
    assert row.trace_min < row.trace < row.trace_max
    assert abs((row.trace_min + row.trace_max) / 2 - row.trace) < 0.11  # both ends are rounded to .1


def test_rows_are_named_once_by_known_names():
    keys = [(row.model, row.decoding) for row in paper_results.TABLE_1]
    assert len(set(keys)) == len(keys) == 12
    assert {m for m, _ in keys} == set(names.MODELS) == {row.model for row in paper_results.TABLE_3}
    assert {d for _, d in keys} <= set(decodings.in_order(["orm", "prm"]))
    assert "".join(row.letter for row in paper_results.TABLE_1) == "ABCDEFGHIJKL"


def test_tables_1_and_3_agree_on_reranked_error():
    for row in paper_results.TABLE_3:
        assert paper_results.table1_row(row.model, row.weighted_by).final == row.weighted


def test_differences_are_of_table_1_or_else_of_table_3():
    orm, answer = ("few_shot_orm_rl", "orm_weighted"), ("few_shot_final_answer_rl", "orm_weighted")
    assert paper_results.difference((orm, answer), "trace_error") == -6.9  # rows J and F
    assert paper_results.difference((orm, answer), "final_answer_error") == -2.8
    greedy = (("few_shot_final_answer_rl", "greedy"), ("sft", "greedy"))
    assert paper_results.difference(greedy, "final_answer_error") == -4.7
    assert paper_results.difference(greedy, "trace_error") is None
    assert paper_results.error(("few_shot", "majority"), "final_answer_error") == 41.5
    assert paper_results.error(("few_shot", "majority"), "trace_error") is None
    assert paper_results.error(("sft", "prm_step"), "final_answer_error") is None
