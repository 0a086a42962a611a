"""GSM8K (Cobbe et al. 2021): 7,473 training and 1,319 test problems with reference traces."""

from __future__ import annotations

import os
import pathlib
import random
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence

from procsup_jax import files, json_lines
from procsup_jax.data import rows
from procsup_jax.errors import UserError
from procsup_jax.text import answers
from procsup_jax.types import Problem

SPLITS = ("train", "test")
HOST = "raw.githubusercontent.com"
MAX_SECONDS = 5.0


def load_gsm8k(split: str, path: files.PathLike | None = None, *, data_dir: str | None = None) -> list[Problem]:
    """Return a split's problems in the published order, with uids such as "gsm8k-train-17" that count from 0.

    `path` is a folder with train.jsonl and test.jsonl (openai/grade-school-math), or the split's file itself; without
    one TFDS prepares and reads the data in `data_dir` (None: TFDS's own choice). Both give the same problems under the
    same uids. Raises `UserError` for another split, a bad line, a file without problems, or where TFDS has no data and
    can not get it, within seconds where there is no network.
    """
    if split not in SPLITS:
        raise UserError(f"GSM8K has no split {split!r}; expected one of {', '.join(SPLITS)}")
    found = _tfds_rows(split, data_dir) if path is None else _file_rows(pathlib.Path(path), split)
    return [
        Problem(f"gsm8k-{split}-{i}", question, answers.extract_answer(solution) or "", solution)
        for i, (question, solution) in enumerate(found)
    ]


def split_validation(problems: Sequence[Problem], num: int, seed: int) -> tuple[list[Problem], list[Problem]]:
    """Return (training, validation) problems: `num` drawn by the seed for validation, both in their old order.

    The paper splits 256 off GSM8K's training set, which leaves 7,217. It trains on 7,118 and does not say why.
    """
    if not 0 <= num <= len(problems):
        raise UserError(f"{num} validation problems were asked for; expected from 0 to {len(problems)}, all there are")
    chosen = set(random.Random(seed).sample(range(len(problems)), num))
    validation = [problem for i, problem in enumerate(problems) if i in chosen]
    return [problem for i, problem in enumerate(problems) if i not in chosen], validation


def _file_rows(path: pathlib.Path, split: str) -> list[tuple[str, str]]:
    return rows.read(path if path.is_file() else path / f"{split}.jsonl", _parse)


def _parse(line: rows.Row) -> tuple[str, str]:
    question, solution = (json_lines.take(line, name, json_lines.TEXT) for name in ("question", "answer"))
    if answers.extract_answer(solution) is None:
        raise json_lines.BadLine(
            '"answer" has no final answer, expected a trace whose last line is "#### " and a number'
        )
    return question, solution


def _tfds_rows(split: str, data_dir: str | None) -> list[tuple[str, str]]:
    if not _is_prepared(data_dir) and (reason := _unreachable()) is not None:
        raise UserError(
            f"GSM8K is not here, and {HOST} can not be reached ({reason}); pass --path, a folder with train.jsonl "
            "and test.jsonl of openai/grade-school-math"
        )
    try:
        import tensorflow_datasets as tfds
        import tensorflow_datasets.text.gsm8k  # registers the builder, which `tfds` alone does not
        from tensorflow_datasets.core import hashing

        # TFDS's own default format can be written and read by TensorFlow only.
        array_record = {"file_format": "array_record"}
        source = tfds.data_source("gsm8k", split=split, data_dir=data_dir, builder_kwargs=array_record)
        found = [(row["question"].decode(), row["answer"].decode()) for row in source]
        # TFDS shuffles by a hash of the line number when it prepares the data: this is the way back.
        order = sorted(range(len(found)), key=hashing.Hasher(split).hash_key)
    except Exception as error:  # noqa: BLE001 - a dozen libraries below, each with errors of its own
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UserError(
            f"TFDS can not load GSM8K here ({reason}); pass a folder that holds train.jsonl and test.jsonl of "
            "openai/grade-school-math as --path"
        ) from error
    return [row for _, row in sorted(zip(order, found, strict=True))]


def _is_prepared(data_dir: str | None) -> bool:
    folder = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return (pathlib.Path(folder).expanduser() / "gsm8k").is_dir()


def _unreachable() -> str | None:
    """Return why the host of GSM8K's files can not be reached, None where it can; proxies are asked as TFDS asks them.

    TFDS tries again for minutes, and a look-up of names has no time limit: it is waited for in a thread.
    """
    outcome: list[str | None] = []
    asked = threading.Thread(target=lambda: outcome.append(_failure()), daemon=True)
    asked.start()
    asked.join(MAX_SECONDS)
    return outcome[0] if outcome else f"no answer in {MAX_SECONDS:.0f} s"


def _failure() -> str | None:
    try:
        urllib.request.urlopen(urllib.request.Request(f"https://{HOST}", method="HEAD"), timeout=MAX_SECONDS).close()
    except urllib.error.HTTPError:
        return None
    except OSError as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    return None
