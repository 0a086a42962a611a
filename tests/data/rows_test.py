"""Rows of files by what they begin with."""

import json
import pathlib

import hypothesis
import pytest
from hypothesis import strategies as st

from procsup_jax import json_lines
from procsup_jax.data import rows
from procsup_jax.errors import UserError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@hypothesis.given(
    st.lists(st.dictionaries(st.text(), JSON, max_size=3), min_size=1, max_size=4),
    st.sampled_from(["", "\ufeff", "\n \n"]),
)
def test_an_array_gives_what_lines_give(tmp_path_factory, given, before):
    folder = tmp_path_factory.mktemp("rows")
    (folder / "a").write_text(before + json.dumps(given, indent=1), encoding="utf-8")
    json_lines.write(folder / "b", given)
    assert rows.read(folder / "a", dict) == rows.read(folder / "b", dict) == given


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1}, 2]', "f: row 1 of the array: is 2, expected an object"),
        ('[{"a": NaN}]', "f is no JSON (it holds NaN, expected finite numbers)"),
        ('[{"a": 1}', "f is no JSON (Expecting"),
        ("[" * 100_000, "f is no JSON ("),
        ("[\udcff]", "f is no JSON ('utf-8' codec"),
        ("{} []", "f:1: is no JSON"),
    ],
)
def test_what_is_no_array_of_objects_is_one_clear_line(tmp_path: pathlib.Path, text, message):
    path = tmp_path / "f"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError) as caught:
        rows.read(path, dict)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_one_clear_line(tmp_path: pathlib.Path):
    with pytest.raises(UserError, match="cannot read .*absent: no such file"):
        rows.read(tmp_path / "absent", dict)


def test_the_first_key_that_a_row_has_counts():
    row = {"b": "x", "c": "y", "a": None}
    assert rows.one_of(row, ("a", "b", "c"), json_lines.TEXT) == "x"
    with pytest.raises(json_lines.BadLine, match='"d" is missing, expected a string'):
        rows.one_of(row, ("d", "e"), json_lines.TEXT)
    assert rows.rest(row, "b", "z") == {"c": "y", "a": None}
