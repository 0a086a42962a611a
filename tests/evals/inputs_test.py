import pathlib

import pytest

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.evals.inputs import Files, named_file, of_samples, written
from procsup_jax.types import Problem, Sample


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("o.jsonl", "--scores=o.jsonl: expected --scores=NAME=FILE"),
        ("prm=", "--scores=prm=: expected --scores=NAME=FILE"),
        ("=o.jsonl", "reward model '': expected a name of letters"),
        ("a b=o.jsonl", "reward model 'a b': expected a name of letters"),
    ],
)
def test_scores_are_named(given, message):
    with pytest.raises(UserError) as caught:
        named_file(given)
    assert message in str(caught.value)
    assert named_file("my.rm-2=a=b.jsonl") == ("my.rm-2", pathlib.Path("a=b.jsonl"))


@pytest.fixture
def files(tmp_path):
    paths = tmp_path / "p.jsonl", tmp_path / "s.jsonl"
    records.write_problems(paths[0], [Problem("a", "?", "#### 18"), Problem("b", "?", ""), Problem("c", "?", "3")])
    records.write_samples(paths[1], [Sample(uid, 0, "#### 18", "17" if uid == "c" else None) for uid in "abc"])
    return paths


def test_answers_are_read_and_what_has_none_is_refused_or_left_out(files, capsys):
    with pytest.raises(UserError, match="1 of 3 problems have no final answer, first problem 'b'"):
        Files(files[0], [files[1]]).read(skip_bad=False)
    found = Files(files[0], [files[1]]).read(skip_bad=True)
    assert [(each.uid, each.answer) for each in found.problems] == [("a", "18"), ("c", "3")]
    assert [(each.problem_uid, each.answer) for each in found.samples] == [("a", "18"), ("c", "18")]
    assert (found.left_out, found.answered.num_added, len(found.answered.contradictions)) == (2, 1, 1)
    printed = capsys.readouterr()
    assert "left out 2 bad lines and with them 0 problems and 0 samples" in printed.out
    assert "\"answer\" is '17', the solution gives '18'; the solution's counts" in printed.err


def test_a_vote_needs_no_answers_and_no_problems(files):
    found = Files(files[0], [files[1]], need_answers=False).read(skip_bad=False)
    assert [each.answer for each in found.problems] == ["#### 18", "", "3"]
    found = Files(None, [files[1]], need_answers=False).read(skip_bad=False)
    assert found.problems == of_samples(found.samples) and [each.uid for each in found.problems] == ["a", "b", "c"]


def test_a_layout_says_which_marker_and_separator():
    assert written("") == ("#### ", None)
    assert written("lines") == ("#### ", "\n")
    assert written("paragraphs") == ("\\boxed{", "\n\n")
