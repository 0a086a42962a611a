"""A job that was killed goes on from the problems, or batches, that it had finished, to the same bytes."""

import pytest
import small_models

from procsup_jax import main, records
from procsup_jax.decode import feeder, score
from procsup_jax.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("journal")
    small_models.worlds_folder(path, num_layers=2, num_problems=3)
    files = [f"--problems={path / 'p.jsonl'}", f"--policy={path / 'models/policy'}", f"--output={path / 's.jsonl'}"]
    settings = ["--k=3", "--max_new_tokens=16", "--config=sample", "--config.lanes=3"]
    assert main.main(["sample", *files, *settings]) == 0
    return path


def job(folder, name, output):
    common = [f"--problems={folder / 'p.jsonl'}", f"--output={output}"]
    policy, rm = f"--policy={folder / 'models/policy'}", f"--rm={folder / 'models/rm'}"
    steps = {"num_candidates": 2, "max_step_tokens": 8, "max_new_tokens": 16}
    search = [policy, rm, "--config=search", *(f"--config.steps.{key}={value}" for key, value in steps.items())]
    return {
        "sample": ["sample", *common, policy, "--k=3", "--max_new_tokens=16", "--config=sample", "--config.lanes=3"],
        "step": ["search", *common, *search],
        "score": ["score", *common, rm, f"--samples={folder / 's.jsonl'}", "--batch_size=2"],
    }[name]


def parts_of(output):
    return output.with_name(f".{output.name}.parts-0")


@pytest.mark.parametrize("name", ["sample", "step", "score"])
def test_a_killed_job_goes_on_to_the_same_bytes(name, folder, tmp_path, monkeypatch, capsys):
    def killed(*_):
        raise UserError("killed")

    whole, again = tmp_path / "whole.jsonl", tmp_path / "again.jsonl"
    assert main.main(job(folder, name, whole)) == 0
    assert not parts_of(whole).exists()
    with monkeypatch.context() as patch:
        patch.setattr(records, "write_scores" if name == "score" else "write_samples", killed)
        assert main.main(job(folder, name, again)) == 2
    lines = parts_of(again).read_bytes().splitlines(keepends=True)
    assert len(lines) > 1
    half = len(lines) // 2
    parts_of(again).write_bytes(b"".join(lines[:half]) + lines[half][:9])
    capsys.readouterr()
    assert main.main(job(folder, name, again)) == 0
    assert f"{half} of {len(lines)} parts were kept before" in capsys.readouterr().err
    assert again.read_bytes() == whole.read_bytes()
    assert not parts_of(again).exists()


def test_what_was_kept_is_not_computed_again(folder, tmp_path, monkeypatch):
    def never(*_, **__):
        raise AssertionError

    for name in ("sample", "score"):
        whole, again = tmp_path / f"{name}.jsonl", tmp_path / f"{name}-again.jsonl"
        assert main.main(job(folder, name, whole)) == 0
        with monkeypatch.context() as patch:
            patch.setattr("procsup_jax.journal.Journal.remove", lambda self: None)
            assert main.main(job(folder, name, again)) == 0
        with monkeypatch.context() as patch:
            patch.setattr(feeder.Feeder, "run", never)
            patch.setattr(score, "step_logits", never)
            assert main.main(job(folder, name, again)) == 0
        assert again.read_bytes() == whole.read_bytes()


def test_parts_of_another_seed_are_not_taken(folder, tmp_path, monkeypatch, capsys):
    output = tmp_path / "s.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr("procsup_jax.journal.Journal.remove", lambda self: None)
        assert main.main(job(folder, "sample", output)) == 0
    assert parts_of(output).exists()
    capsys.readouterr()
    assert main.main([*job(folder, "sample", output), "--seed=1"]) == 0
    assert "kept before" not in capsys.readouterr().err
    assert not parts_of(output).exists()
