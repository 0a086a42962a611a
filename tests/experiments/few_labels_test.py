"""Few and noisy labels of a finished run: as many as asked for, and as many of them moved."""

import pytest

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.types import Problem, Sample, StepLabels

LABELS = [StepLabels(f"p{i // 2}", i % 2, -1 if i % 3 else 1, 3, "oracle", "oracle") for i in range(50)]


@pytest.fixture
def few_labels(findings_command):
    return lambda *args: findings_command("few_labels", *args)


@pytest.fixture
def run(tmp_path):
    for part in ("data", "samples", "labels"):
        (tmp_path / "run" / part).mkdir(parents=True)
    problems = [Problem(f"p{i}", "?", "1") for i in range(25)]
    records.write_problems(tmp_path / "run/data/rm.jsonl", problems)
    samples = [Sample(label.problem_uid, label.sample, "a\nb\nc", "1") for label in LABELS]
    records.write_samples(tmp_path / "run/samples/sft.rm.jsonl", samples)
    records.write_labels(tmp_path / "run/labels/sft.rm.oracle.jsonl", LABELS)
    return tmp_path / "run"


@pytest.mark.parametrize(("agreement", "moved"), [(1.0, 0), (0.9, 2), (0.0, 20)])
def test_a_share_of_the_labels_drawn_is_moved(few_labels, run, tmp_path, agreement, moved):
    few_labels(run, "--num=20", f"--agreement={agreement}", f"--output={tmp_path / 'few'}")
    found = records.read_labels(tmp_path / "few/labels.jsonl")
    oracle = {label.key: label.first_error for label in LABELS}
    assert len({label.key for label in found}) == 20
    assert sum(label.first_error != oracle[label.key] for label in found) == moved
    assert all(-1 <= label.first_error < label.num_steps for label in found)
    samples = records.read_samples(tmp_path / "few/samples.jsonl")
    assert {sample.key for sample in samples} == {label.key for label in found}
    assert {each.uid for each in records.read_problems(tmp_path / "few/problems.jsonl")} == {
        label.problem_uid for label in found
    }


def test_what_is_no_run_or_too_many_is_one_line(few_labels, run, tmp_path, capsys):
    with pytest.raises(UserError, match="has no data/rm.jsonl: name the folder of a finished run"):
        few_labels(tmp_path, f"--output={tmp_path / 'few'}")
    for wrong, said in (("--num=51", "--num=51: expected from 1 to 50"), ("--agreement=92", "expected a share")):
        with pytest.raises(SystemExit):
            few_labels(run, wrong, f"--output={tmp_path / 'few'}")
        assert said in capsys.readouterr().err
