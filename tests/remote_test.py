"""Files and folders in an object store: whole or absent there too."""

import pytest

from procsup_jax import files, json_lines, lock, main, remote
from procsup_jax.errors import UserError
from procsup_jax.io.foreign import read_any


def text(path):
    return remote.path_of(path).read_text()


def test_a_file_is_put_whole_or_not_at_all(bucket):
    files.write_text("gs://b/run/a.txt", "one")
    assert text("gs://b/run/a.txt") == "one"
    with pytest.raises(ValueError, match="midway"), files.atomic_writer("gs://b/run/a.txt") as file:
        file.write("two")
        raise ValueError("midway")
    assert text("gs://b/run/a.txt") == "one" and bucket.names() == ["/b/run/a.txt"]
    files.write_text("gs://b/run/a.txt", "two")
    assert text("gs://b/run/a.txt") == "two"
    assert files.sha256_file("gs://b/run/a.txt") == "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
    files.make_folder("gs://b/run/c")


def fill(path, last="z.json", **contents):
    with files.whole_folder(path, last=last) as folder:
        for name, content in contents.items():
            (folder / name.replace("_", ".")).write_text(content)


def test_a_folder_is_whole_when_its_last_file_is_there(bucket):
    fill("gs://b/m", a_txt="1", z_json="1", old_txt="1")
    fill("gs://b/m", a_txt="2", z_json="2")
    assert bucket.names() == ["/b/m/a.txt", "/b/m/z.json"] and text("gs://b/m/z.json") == "2"
    with remote.fetched("gs://b/m", but=["old.txt"]) as copied:
        assert {path.name: path.read_text() for path in copied.iterdir()} == {"a.txt": "2", "z.json": "2"}
    assert not copied.exists()
    bucket.fails_after = 1
    with pytest.raises(UserError, match="cannot write gs://b/m: the disk is full"):
        fill("gs://b/m", a_txt="3", z_json="3")
    assert bucket.names() == ["/b/m/a.txt"], "half replaced: not whole, and says so"


def test_records_are_read_and_written_there(bucket):
    json_lines.write("gs://b/rows.jsonl", [{"a": 1}, {"a": 2}])
    assert json_lines.read("gs://b/rows.jsonl", dict) == [{"a": 1}, {"a": 2}]
    with pytest.raises(UserError, match="cannot read gs://b/none.jsonl: no such file"):
        json_lines.read("gs://b/none.jsonl", dict)


def test_a_store_has_no_locks_and_says_so(bucket, capsys):
    lock.check("gs://b/run")
    with lock.hold("gs://b/run"):
        pass
    assert "the file system of gs://b/run has no locks: let no other process write there" in capsys.readouterr().err
    assert bucket.names() == []


def test_a_missing_package_is_one_line_with_what_to_install(monkeypatch):
    with pytest.raises(UserError, match=r"gs://absent needs the package gcsfs .*; pip install gcsfs"):
        remote.path_of("gs://absent/x")
    with pytest.raises(UserError, match="ftp:// is no store that procsup reads; expected gs://, s3://"):
        remote.path_of("ftp://b/x")


def test_credentials_that_are_not_found_are_one_line(bucket, monkeypatch):
    def exists(self, path, **options):
        raise LookupError("no credentials")

    monkeypatch.setattr(bucket, "exists", exists)
    with pytest.raises(UserError, match="cannot reach gs://other: LookupError: no credentials; check the credentials"):
        remote.path_of("gs://other/x")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["convert", "--input=gs://b/model.gguf", "--output=out"], "lies in an object store, which is not read here"),
        (["grade", "--problems=gs://b/none.jsonl", "--samples=gs://b/none.jsonl"], "there is no gs://b/none.jsonl"),
        (["report", "--workdir=gs://b/none"], "there is no gs://b/none"),
    ],
)
def test_what_is_not_there_or_cannot_be_read_there_is_one_line(bucket, tmp_path, monkeypatch, capsys, args, said):
    monkeypatch.chdir(tmp_path)
    assert main.main(args) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_only_a_disk_will_do_for_is_one_line(bucket):
    with pytest.raises(UserError, match="path=gs://b/model lies in an object store, which is not used here"):
        read_any("gs://b/model")
    with pytest.raises(UserError, match="workdir=gs://b/fit lies in an object store"):
        remote.check_local("workdir", "gs://b/fit")
    remote.check_local("workdir", "runs/fit")
