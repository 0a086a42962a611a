"""GSM8K from files and from TFDS: the same problems under the same uids, and a clean validation split."""

import json
import pathlib
import sys
import threading
import time

import pytest

from procsup_jax.data import gsm8k
from procsup_jax.errors import UserError
from procsup_jax.text import answers
from procsup_jax.types import Problem

ROWS = [
    {"question": f"What is {i}+1?", "answer": f"{i}+1=<<{i}+1={i + 1}>>{i + 1}\n#### {i + 1:,}"} for i in range(1200)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("gsm8k")
    for split, rows in (("train", ROWS), ("test", ROWS[:40])):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_problems_keep_their_order_trace_and_normalised_answer(folder):
    problems = gsm8k.load_gsm8k("train", folder)
    assert len(problems) == 1200
    assert problems[17] == Problem("gsm8k-train-17", "What is 17+1?", "18", "17+1=<<17+1=18>>18\n#### 18")
    assert problems[1100].answer == "1101"
    assert gsm8k.load_gsm8k("test", str(folder))[3].uid == "gsm8k-test-3"


def test_mistakes_are_one_clear_line(folder, tmp_path: pathlib.Path):
    with pytest.raises(UserError, match="no split 'valid'; expected one of train, test"):
        gsm8k.load_gsm8k("valid", folder)
    with pytest.raises(UserError, match=r"cannot read .*test\.jsonl: no such file"):
        gsm8k.load_gsm8k("test", tmp_path)
    (tmp_path / "test.jsonl").write_text(json.dumps(ROWS[0]) + '\n{"question": "q", "answer": "it is 4"}\n')
    with pytest.raises(UserError, match=r'test\.jsonl:2: "answer" has no final answer'):
        gsm8k.load_gsm8k("test", tmp_path)
    (tmp_path / "test.jsonl").write_text('{"answer": "#### 4"}\n')
    with pytest.raises(UserError, match=r'test\.jsonl:1: "question" is missing, expected a string'):
        gsm8k.load_gsm8k("test", tmp_path)


def test_the_validation_split_is_seeded_ordered_and_disjoint(folder):
    problems = gsm8k.load_gsm8k("train", folder)
    train, validation = gsm8k.split_validation(problems, 256, seed=0)
    assert len(train) == 944 and len(validation) == 256
    assert sorted(train + validation, key=problems.index) == problems
    assert train == sorted(train, key=problems.index) and validation == sorted(validation, key=problems.index)
    assert gsm8k.split_validation(problems, 256, seed=0) == (train, validation)
    assert gsm8k.split_validation(problems, 256, seed=1)[1] != validation


@pytest.mark.parametrize("num", [-1, 1201])
def test_more_validation_problems_than_there_are(folder, num):
    with pytest.raises(UserError, match=f"{num} validation problems .* expected from 0 to 1200"):
        gsm8k.split_validation(gsm8k.load_gsm8k("train", folder), num, seed=0)


def test_the_real_data_has_the_published_sizes_and_no_leak(shared_data):
    test = gsm8k.load_gsm8k("test", shared_data / "gsm8k")
    problems = gsm8k.load_gsm8k("train", shared_data / "gsm8k")
    train, validation = gsm8k.split_validation(problems, 256, seed=0)
    assert (len(test), len(problems), len(train), len(validation)) == (1319, 7473, 7217, 256)
    assert all(
        answers.normalise_answer(p.answer) == p.answer and p.answer.lstrip("-").isdigit() for p in problems + test
    )

    def texts(split: list[Problem]) -> set[str]:
        return {" ".join(p.question.lower().split()) for p in split}

    assert not texts(train) & texts(validation)
    assert not (texts(train) | texts(validation)) & texts(test)


def test_tfds_gives_the_same_problems_under_the_same_uids(folder, tmp_path: pathlib.Path, monkeypatch):
    pytest.importorskip("importlib_resources", reason="tensorflow-datasets prepares data only where it is installed")
    import tensorflow_datasets as tfds

    def local(self, urls):
        return {name: folder / f"{name}.jsonl" for name in ("train", "test")}

    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", local)
    monkeypatch.setattr(gsm8k, "_failure", lambda: None)
    for split in gsm8k.SPLITS:
        assert gsm8k.load_gsm8k(split, data_dir=str(tmp_path)) == gsm8k.load_gsm8k(split, folder)
    assert "tensorflow" not in sys.modules
    monkeypatch.setattr(gsm8k, "_failure", lambda: "no network")
    assert len(gsm8k.load_gsm8k("test", data_dir=str(tmp_path))) == 40  # what is prepared needs none


def test_tfds_without_data_or_network_is_one_clear_line(tmp_path: pathlib.Path, monkeypatch):
    import tensorflow_datasets as tfds

    def offline(self, urls):
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", offline)
    monkeypatch.setattr(gsm8k, "_failure", lambda: None)
    with pytest.raises(UserError, match=r"TFDS can not load GSM8K here \(.*\); pass a folder that holds") as caught:
        gsm8k.load_gsm8k("test", data_dir=str(tmp_path))
    assert "\n" not in str(caught.value)


def test_without_a_network_it_says_so_at_once(tmp_path: pathlib.Path, monkeypatch):
    monkeypatch.setattr(gsm8k, "HOST", "nowhere.invalid")
    start = time.monotonic()
    with pytest.raises(
        UserError, match=r"GSM8K is not here, and nowhere.invalid can not be reached \(.*\); pass --path"
    ):
        gsm8k.load_gsm8k("test", data_dir=str(tmp_path))
    assert time.monotonic() - start < 2 * gsm8k.MAX_SECONDS


def test_a_network_that_does_not_answer_is_not_waited_for(tmp_path: pathlib.Path, monkeypatch):
    never = threading.Event()
    monkeypatch.setattr(gsm8k, "_failure", never.wait)
    monkeypatch.setattr(gsm8k, "MAX_SECONDS", 0.05)
    with pytest.raises(UserError, match=r"can not be reached \(no answer in 0 s\)"):
        gsm8k.load_gsm8k("test", data_dir=str(tmp_path))
    never.set()


def test_a_splits_file_or_an_array_may_be_given(folder, tmp_path: pathlib.Path):
    assert gsm8k.load_gsm8k("test", folder / "test.jsonl") == gsm8k.load_gsm8k("test", folder)
    (tmp_path / "test.json").write_text(json.dumps(ROWS[:40]))
    assert gsm8k.load_gsm8k("test", tmp_path / "test.json") == gsm8k.load_gsm8k("test", folder)
