import pytest

from procsup_jax.text.columns import aligned


def test_the_first_columns_are_flush_left_the_others_flush_right():
    rows = [("a", "bb", "c"), ("dddd", "e", "fff")]
    assert aligned(rows, 2) == ["a     bb    c", "dddd  e   fff"]
    assert aligned(rows) == ["a     bb    c", "dddd   e  fff"]


def test_a_rule_underlines_the_first_row():
    assert aligned([("a", "bb"), ("ccc", "d")], rule=True) == ["a    bb", "---  --", "ccc   d"]


def test_lines_do_not_end_in_spaces():
    assert aligned([("name", "note"), ("a", "")], 2) == ["name  note", "a"]


def test_rows_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        aligned([("a", "b"), ("c",)])
