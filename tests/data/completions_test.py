"""Rows of prompt and completion."""

import json

import pytest

from procsup_jax.data.completions import Completion, completion_examples, is_completions, read_completions
from procsup_jax.errors import UserError
from procsup_jax.text.encoding import Encoding
from procsup_jax.text.layout import LINES
from procsup_jax.text.tokenizer import load_tokenizer


def write(path, *rows):
    path.write_text("\n" + "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_are_told_from_problems_and_read(tmp_path):
    rows = write(tmp_path / "r.jsonl", {"prompt": "2+2=", "completion": "4"}, {"prompt": "", "completion": "x"})
    assert is_completions(rows) and read_completions(rows) == [Completion("2+2=", "4"), Completion("", "x")]
    assert not is_completions(write(tmp_path / "p.jsonl", {"uid": "a", "question": "?", "answer": "1"}))
    assert not is_completions(write(tmp_path / "none.jsonl"))
    with pytest.raises(UserError, match=r'r.jsonl:2: "completion" is \[\], expected a string'):
        read_completions(write(tmp_path / "r.jsonl", {"prompt": "a", "completion": []}))


def test_the_loss_is_on_the_completion(vocab_folder):
    encoding = Encoding(load_tokenizer(vocab_folder), LINES)
    [example] = completion_examples(encoding, [Completion("2+2=", "4\n5")])
    assert encoding.tokenizer.decode(example.targets_l[example.weights_l > 0]) == "4\n5"
    assert example.targets_l[-1] == encoding.end_id
    assert encoding.tokenizer.decode(example.tokens_l) == "2+2=4\n5"
