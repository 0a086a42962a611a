"""Files of JSON lines: what is tolerated, what is refused, and that a failed write harms nothing."""

import math
import pathlib

import hypothesis
import hypothesis.strategies as st
import pytest

from procsup_jax import json_lines
from procsup_jax.errors import UserError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@hypothesis.given(lines=st.lists(st.dictionaries(st.text(st.characters(), max_size=4), JSON, max_size=3), max_size=4))
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back(tmp_path: pathlib.Path, lines):
    json_lines.write(tmp_path / "f.jsonl", lines)
    assert json_lines.read(tmp_path / "f.jsonl", dict) == lines


@hypothesis.given(content=st.binary(max_size=60) | st.text('{}[]":,ab01eE+-.\n', max_size=40).map(str.encode))
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=200)
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path: pathlib.Path, content):
    path = tmp_path / "f.jsonl"
    path.write_bytes(content)
    try:
        assert all(isinstance(line, dict) for line in json_lines.read(path, dict))
    except UserError as error:
        assert "f.jsonl:" in str(error) and "\n" not in str(error)


def test_missing_files_and_folders_are_one_clear_line(tmp_path: pathlib.Path):
    with pytest.raises(UserError, match=r"cannot read .*absent\.jsonl: no such file"):
        json_lines.read(tmp_path / "absent.jsonl", dict)
    with pytest.raises(UserError, match="it is a folder; give a file"):
        json_lines.read(tmp_path, dict)


def test_empty_lines_a_byte_order_mark_and_windows_newlines_are_passed_over(tmp_path: pathlib.Path):
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n  \n{"a": 2}')
    assert json_lines.read(path, dict) == [{"a": 1}, {"a": 2}]


def test_half_a_surrogate_pair_survives(tmp_path: pathlib.Path):
    json_lines.write(tmp_path / "p.jsonl", [{"a": "\ud800"}])
    assert json_lines.read(tmp_path / "p.jsonl", dict) == [{"a": "\ud800"}]


def test_a_failed_write_leaves_the_old_file(tmp_path: pathlib.Path):
    path = tmp_path / "s.jsonl"
    json_lines.write(path, [{"a": 1}])
    before = path.read_bytes()
    with pytest.raises(ValueError):
        json_lines.write(path, [{"a": 1}, {"a": math.nan}])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("value", [math.inf, math.nan, 10**400, True, "1", None])
def test_a_number_fits_a_float(value):
    with pytest.raises(json_lines.BadLine, match="expected a finite number"):
        json_lines.take({"a": value}, "a", json_lines.NUMBER)


def test_long_values_are_cut_in_messages():
    with pytest.raises(json_lines.BadLine) as caught:
        json_lines.take({"a": "x" * 1000}, "a", json_lines.COUNT)
    assert len(str(caught.value)) < 120
