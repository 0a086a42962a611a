"""Records survive a round trip, and every bad line is one clear message."""

import json
import pathlib

import hypothesis
import hypothesis.strategies as st
import pytest

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.types import CalculatorFault, Graded, Problem, Sample, Score, StepLabels

EXTRA = st.dictionaries(st.sampled_from(["level", "type", "notes"]), st.integers() | st.text(max_size=5), max_size=2)
TEXT = st.text(st.characters(), max_size=20)
PROBLEMS = st.lists(
    st.builds(Problem, TEXT.filter(bool), TEXT, TEXT, st.none() | TEXT, EXTRA),
    unique_by=lambda p: p.uid,
    min_size=1,
    max_size=4,
)
PROBS = st.lists(st.floats(0, 1), max_size=4).map(tuple)
COUNT = st.none() | st.integers(0, 500)
DECODING = st.sampled_from([None, "greedy", "my_rm_step"])
SAMPLE = st.builds(
    Sample,
    TEXT.filter(bool),
    st.integers(0, 99),
    TEXT,
    st.none() | TEXT,
    st.none() | st.floats(-1e9, 0),
    COUNT,
    st.none() | TEXT,
    DECODING,
    COUNT,
    COUNT,
    st.none() | st.lists(TEXT, max_size=3).map(tuple),
    st.none() | st.lists(st.integers(0, 50_000), max_size=4).map(tuple),
    st.sampled_from([None, "0123456789ab"]),
    EXTRA,
)
SAMPLES = st.lists(SAMPLE, unique_by=lambda s: s.key, max_size=4)
SCORES = st.lists(
    st.builds(
        Score,
        st.just("p"),
        st.integers(0, 99),
        PROBS,
        st.floats(-9, 9),
        st.just("last"),
        st.none() | TEXT,
        DECODING,
        EXTRA,
    ),
    unique_by=lambda s: s.key,
    max_size=4,
)
FAULT = st.builds(CalculatorFault, st.integers(0, 9), TEXT, TEXT, st.none() | TEXT)


@st.composite
def _labels(draw: st.DrawFn) -> StepLabels:
    num_steps = draw(st.integers(0, 5))
    step = st.none() | st.booleans() | st.floats(0, 1)
    steps = draw(st.none() | st.lists(step, min_size=num_steps, max_size=num_steps).map(tuple))
    flags = draw(st.sampled_from([(), ("ambiguous",)]))
    first_error, rater = draw(st.none() | st.integers(-1, num_steps - 1)), draw(st.sampled_from(["a", "b"]))
    return StepLabels(
        "p", draw(st.integers(0, 3)), first_error, num_steps, rater, "human", flags, steps or None, draw(DECODING)
    )


LABELS = st.lists(_labels(), unique_by=lambda label: (label.key, label.rater), max_size=4)


@pytest.mark.parametrize(
    ("name", "strategy"),
    [("problems", PROBLEMS), ("samples", SAMPLES), ("scores", SCORES), ("labels", LABELS)],
)
@hypothesis.given(data=st.data())
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back(tmp_path: pathlib.Path, name, strategy, data):
    held = data.draw(strategy)
    path = tmp_path / "f.jsonl"
    getattr(records, f"write_{name}")(path, held)
    assert getattr(records, f"read_{name}")(path) == held
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_the_lines_hold_the_documented_keys_and_unknown_ones(tmp_path: pathlib.Path):
    path = tmp_path / "f.jsonl"
    path.write_text('{"uid": "p", "question": "é?", "answer": "4", "level": 2}\n')
    problems = records.read_problems(path)
    assert problems == [Problem("p", "é?", "4", None, {"level": 2})]
    records.write_problems(path, problems)
    assert path.read_text(encoding="utf-8") == '{"uid": "p", "question": "é?", "answer": "4", "level": 2}\n'
    records.write_samples(path, [Sample("p", 0, "no answer here")])
    assert json.loads(path.read_text()) == {
        "problem_uid": "p",
        "sample": 0,
        "solution": "no answer here",
        "answer": None,
    }
    records.write_labels(path, [StepLabels("p", 0, -1, 2, "ann", "human")])
    assert set(json.loads(path.read_text())) == {"problem_uid", "sample", "first_error", "num_steps", "rater", "source"}


GOOD = b'{"uid": "p", "question": "q", "answer": "4"}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"uid": "p"', "is no JSON .* at column 12.*, expected one object a line"),
        (b"[1, 2]", r"is \[1, 2\], expected an object"),
        (b'{"uid": "x", "question": "q"}', '"answer" is missing, expected a string'),
        (b'{"uid": "x", "question": "q", "answer": 4}', '"answer" is 4, expected a string'),
        (b'{"uid": "", "question": "q", "answer": "4"}', '"uid" is "", expected a string that is not empty'),
        (b'{"uid": "x", "question": null, "answer": "4"}', '"question" is null, expected a string'),
        (b'{"uid": "x", "question": "q", "answer": "4", "solution": 3}', '"solution" is 3, expected a string'),
        (b'{"uid": "x", "question": "\xff", "answer": "4"}', "byte 27 is no UTF-8, expected a file saved as UTF-8"),
        (b'{"uid": "x", "question": "q", "answer": "4", "n": NaN}', "holds NaN, expected finite numbers"),
        (b'{"uid": "x", "question": "q", "answer": "4", "n": ' + b"9" * 5000 + b"}", "is JSON we do not read"),
        (b"[" * 100_000, "is JSON we do not read|is no JSON"),
        (GOOD, "uid 'p' stands in line 1 already, expected each once"),
    ],
)
def test_a_bad_line_is_named_or_left_out(tmp_path: pathlib.Path, capsys, line, message):
    path = tmp_path / "p.jsonl"
    path.write_bytes(GOOD + b"\n\n" + line + b"\n" + GOOD.replace(b'"p"', b'"z"') + b"\n")
    with pytest.raises(UserError, match=rf"p\.jsonl:3: .*({message})") as caught:
        records.read_problems(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    left_out: list[str] = []
    assert [p.uid for p in records.read_problems(path, skip_bad=True, left_out=left_out)] == ["p", "z"]
    assert left_out == [str(caught.value)]
    assert "left out 1 bad lines" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("read", "line", "message"),
    [
        ("samples", {"sample": -1}, '"sample" is -1, expected a whole number from 0'),
        ("samples", {"sample": True}, '"sample" is true, expected a whole number'),
        ("samples", {"sample": 1.0}, '"sample" is 1.0, expected a whole number'),
        ("samples", {"logprob": "x"}, '"logprob" is "x", expected a finite number'),
        ("scores", {"step_probs": [0.5, 1.5]}, r'"step_probs" is \[0.5, 1.5\], expected a list of probabilities'),
        ("scores", {"step_probs": 0.5}, '"step_probs" is 0.5, expected a list'),
        ("labels", {"first_error": 2}, '"first_error" is 2, expected less than "num_steps", 2'),
        ("labels", {"first_error": -2}, '"first_error" is -2, expected a step\'s index, -1 for none'),
        ("labels", {"steps": [True]}, '"steps" holds 1 labels, expected "num_steps", 2'),
        ("labels", {"steps": [1, 0, None]}, '"steps" holds 3 labels, expected "num_steps", 2'),
        (
            "labels",
            {"steps": [1, 1.5]},
            r'"steps" is \[1, 1.5\], expected a list of true, false, null and probabilities',
        ),
        ("labels", {"first_error": 0.5}, '"first_error" is 0.5, expected a step\'s index, -1 for none, or null'),
        ("labels", {"flags": "ambiguous"}, '"flags" is "ambiguous", expected a list of strings'),
        ("samples", {"decoding": ""}, '"decoding" is "", expected a string that is not empty'),
        ("samples", {"steps": ["a", 1]}, r'"steps" is \["a", 1\], expected a list of strings'),
        ("samples", {"token_ids": [1, -1]}, r'"token_ids" is \[1, -1\], expected a list of whole numbers from 0'),
        ("scores", {"decoding": 3}, '"decoding" is 3, expected a string'),
    ],
)
def test_each_format_checks_its_keys(tmp_path: pathlib.Path, read, line, message):
    base = {"problem_uid": "p", "sample": 0, "solution": "s", "answer": None, "step_probs": [0.5], "score": 0.5}
    base |= {"aggregate": "last", "first_error": -1, "num_steps": 2, "rater": "r", "source": "human"}
    path = tmp_path / "f.jsonl"
    path.write_text(json.dumps(base) + "\n")
    assert len(getattr(records, f"read_{read}")(path)) == 1
    path.write_text(json.dumps(base | line) + "\n")
    with pytest.raises(UserError, match=rf"f\.jsonl:1: {message}"):
        getattr(records, f"read_{read}")(path)


def test_two_raters_may_label_one_sample_but_none_twice(tmp_path: pathlib.Path):
    path = tmp_path / "l.jsonl"
    ann, bob = (StepLabels("p", 0, -1, 1, rater, "human") for rater in ("ann", "bob"))
    records.write_labels(path, [ann, bob])
    assert records.read_labels(path) == [ann, bob]
    records.write_labels(path, [ann, bob, ann])
    with pytest.raises(UserError, match=r":3: problem_uid 'p', sample 0, rater 'ann' stands in line 1 already"):
        records.read_labels(path)


def test_an_unknown_key_never_hides_a_verdict(tmp_path: pathlib.Path):
    sample = Sample("p", 0, "s", extra={"correct": "maybe", "note": 1})
    records.write_graded(tmp_path / "g.jsonl", [Graded(sample, ("s",), False)])
    line = json.loads((tmp_path / "g.jsonl").read_text())
    assert line["correct"] is False and line["note"] == 1


def test_graded_solutions_are_samples_with_their_steps(tmp_path: pathlib.Path):
    sample = Sample("p", 0, "one\n\ntwo", decoding="greedy")
    faults = (CalculatorFault(0, "1+1", "3", "2"),)
    records.write_graded(tmp_path / "g.jsonl", [Graded(sample, ("one", "two"), True, faults)])
    (found,) = records.read_samples(tmp_path / "g.jsonl")
    assert found.key == sample.key and found.steps == ("one", "two")
    assert found.extra["calculator_faults"] == [{"step": 0, "expression": "1+1", "written": "3", "value": "2"}]


def test_solutions_of_a_problem_are_told_apart_by_index_and_decoding(tmp_path: pathlib.Path):
    path = tmp_path / "s.jsonl"
    held = [Sample("p", 0, "drawn"), Sample("p", 0, "likely", decoding="greedy"), Sample("p", 1, "drawn")]
    records.write_samples(path, held)
    assert records.read_samples(path) == held
    records.write_samples(path, [*held, held[1]])
    with pytest.raises(UserError, match=r":4: problem_uid 'p', sample 0, decoding 'greedy' stands in line 2 already"):
        records.read_samples(path)


def test_files_of_large_indices_join_as_they_did(tmp_path: pathlib.Path):
    key = {"problem_uid": "p", "sample": 1_000_005}
    lines = {
        "samples": {**key, "solution": "s", "answer": None, "decoding": "prm_puct", "policy_tokens": 7},
        "scores": {**key, "step_probs": [0.5], "score": 0.5, "aggregate": "last"},
        "labels": {**key, "first_error": -1, "num_steps": 1, "rater": "r", "source": "oracle"},
    }
    for name, line in lines.items():
        (tmp_path / name).write_text(json.dumps(line) + "\n")
        (found,) = getattr(records, f"read_{name}")(tmp_path / name)
        assert found.key == ("p", 0, "prm_puct")
    assert records.read_samples(tmp_path / "samples")[0].policy_tokens == 7
    drawn = {**key, "solution": "s", "answer": None}
    (tmp_path / "samples").write_text(json.dumps(drawn) + "\n")
    assert records.read_samples(tmp_path / "samples")[0].key == ("p", 1_000_005, None)


def test_samples_of_another_problem_are_bad_lines_when_the_problems_are_given(tmp_path: pathlib.Path):
    path = tmp_path / "s.jsonl"
    records.write_samples(path, [Sample("p", 0, "s"), Sample("q", 0, "s")])
    assert len(records.read_samples(path)) == 2
    with pytest.raises(UserError, match=r's\.jsonl:2: "problem_uid" is "q", expected a problem of the file'):
        records.read_samples(path, problem_uids={"p"})
    assert [s.problem_uid for s in records.read_samples(path, problem_uids={"p"}, skip_bad=True)] == ["p"]


def test_the_first_error_of_an_empty_solution_may_be_its_start(tmp_path: pathlib.Path):
    label = StepLabels("p", 0, 0, 0, "outcome", "outcome")
    records.write_labels(tmp_path / "l.jsonl", [label])
    assert records.read_labels(tmp_path / "l.jsonl") == [label] and label.correct == ()


def test_a_file_without_problems_is_an_error(tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(UserError, match="empty.jsonl holds no problems"):
        records.read_problems(tmp_path / "empty.jsonl")


@pytest.mark.parametrize(
    ("line", "targets", "correct", "trace_correct"),
    [
        ({"first_error": 1, "num_steps": 3}, (1, 0, 0), (True, False, False), False),
        ({"first_error": -1, "num_steps": 2}, (1, 1), (True, True), True),
        ({"first_error": None, "num_steps": 2}, (None, None), (None, None), None),
        ({"steps": [True, 0.37, None]}, (1, 0.37, None), (True, False, None), False),
        ({"steps": [1, 0.5, None], "first_error": None}, (1, 0.5, None), (True, True, None), None),
        ({"steps": [1, 0.9], "num_steps": 2}, (1, 0.9), (True, True), True),
        ({"steps": []}, (), (), True),
    ],
)
def test_labels_may_be_hard_soft_or_unknown(tmp_path: pathlib.Path, line, targets, correct, trace_correct):
    path = tmp_path / "l.jsonl"
    path.write_text(json.dumps({"problem_uid": "p", "sample": 0, "rater": "ann", "source": "human", **line}) + "\n")
    (found,) = records.read_labels(path)
    assert (found.targets, found.correct, found.trace_correct) == (targets, correct, trace_correct)
    assert found.num_steps == len(targets)


def test_labels_without_steps_need_a_first_error(tmp_path: pathlib.Path):
    path = tmp_path / "l.jsonl"
    path.write_text('{"problem_uid": "p", "sample": 0, "num_steps": 1, "rater": "ann", "source": "human"}\n')
    with pytest.raises(UserError, match=r'l\.jsonl:1: "first_error" is missing, expected a step'):
        records.read_labels(path)
