import json

import pytest

from procsup_jax import json_lines
from procsup_jax.errors import UserError
from procsup_jax.jobs import report

DECODING = {"final_answer_error": 0.25, "trace_error": None, "n": 8, "intervals": {"final_answer_error": [0.07, 0.59]}}
RESULTS = {"name": "tiny", "models": {"sft": {"test": {"decoding": {"greedy": DECODING}}}}}
EXAMPLE = {
    "problem_uid": "p0",
    "question": "a line\u2028separator",
    "model": "sft",
    "decoding": "greedy",
    "solution": "one\n#### 1",
    "correct": True,
}


@pytest.fixture
def workdir(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(RESULTS), encoding="utf-8")
    json_lines.write(tmp_path / "examples.jsonl", [EXAMPLE, EXAMPLE | {"solution": "#### 1"}])
    return tmp_path


def test_the_report_is_rebuilt_from_the_two_files(workdir, capsys):
    path = report.run(workdir)
    assert path == workdir / "report.html" and capsys.readouterr().out == f"{path}\n"
    text = path.read_text(encoding="utf-8")
    assert "25.0" in text and text.count('"uid":"p0"') == 2
    first = path.read_bytes()
    assert report.run(workdir).read_bytes() == first


@pytest.mark.parametrize("name", ["results.json", "examples.jsonl"])
def test_a_missing_file_is_one_clear_line(workdir, name):
    (workdir / name).unlink()
    with pytest.raises(UserError, match=rf"{name} is missing, expected a finished run"):
        report.run(workdir)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("results.json", "{", "results.json is no JSON"),
        ("results.json", "[1]", r"results.json is \[1\], expected an object"),
        ("results.json", b"\xff", "results.json is no JSON"),
        ("examples.jsonl", '{"a": 1}\n{', "examples.jsonl:2: is no JSON"),
        ("examples.jsonl", '{"a": 1}', "example 1: problem_uid is None, expected str"),
    ],
)
def test_a_malformed_file_is_one_clear_line(workdir, name, content, message):
    (workdir / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message):
        report.run(workdir)
    assert not (workdir / "report.html").exists()
