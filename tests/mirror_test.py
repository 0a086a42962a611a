import json

import pytest

from procsup_jax import files, remote
from procsup_jax.errors import UserError
from procsup_jax.mirror import Mirror


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


TARGET = "gs://b/copy"


def write(folder, **content):
    for name, text in content.items():
        files.write_text(folder / name.replace("__", "/"), text)
    return sorted(name.replace("__", "/") for name in content)


def test_another_machine_goes_on_from_the_newest_copy(bucket, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    Mirror(there, TARGET).fetch(-1)
    assert not there.exists()
    mirror = Mirror(here, TARGET)
    mirror.put(1, write(here, steps__1="one", log="1\n"))
    mirror.start(2, [*write(here, steps__2="two", log="1\n2\n"), "steps/1"])
    mirror.put(3, write(here, steps__3="three", steps__2="two", log="1\n2\n3\n"))
    write(there, steps__0="older")
    Mirror(there, TARGET).fetch(3)
    assert contents(there) == {"steps/0": b"older"}
    Mirror(there, TARGET).fetch(2)
    assert contents(there) == {"steps/2": b"two", "steps/3": b"three", "log": b"1\n2\n3\n"}
    assert bucket.names() == [f"/b/copy/{name}" for name in ("log", "mirror.json", "steps/2", "steps/3")]
    mirror.remove()
    Mirror(there, TARGET).fetch(-1)
    assert bucket.names() == []


def test_what_has_not_changed_is_not_put_again(bucket, tmp_path, monkeypatch):
    put, kept = [], remote.put
    monkeypatch.setattr(remote, "put", lambda local, to: (put.append(local.name), kept(local, to)))
    mirror = Mirror(tmp_path / "here", TARGET)
    mirror.put(1, write(tmp_path / "here", a="1", b="1"))
    write(tmp_path / "here", b="22")
    mirror.put(2, ["a", "b"])
    assert put == ["a", "b", "b"]


def test_a_copy_that_was_cut_short_is_the_one_before(bucket, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    mirror = Mirror(here, TARGET)
    mirror.put(1, write(here, a="1"))
    for more in range(2):
        bucket.fails_after = more
        with pytest.raises(UserError, match="the disk is full"):
            mirror.put(2, write(here, b="2"))
        bucket.fails_after = None
        Mirror(there, TARGET).fetch(-1)
        assert contents(there) == {"a": b"1"}
    mirror.put(2, ["b"])
    Mirror(there, TARGET).fetch(1)
    assert contents(there) == {"b": b"2"}


@pytest.mark.parametrize("text", ["", "[]", '{"step": 1}', '{"step": 1.5, "files": []}', '{"step": 1, "files": 3}'])
def test_a_list_that_is_none_is_one_clear_line(text, bucket, tmp_path):
    remote.path_of(f"{TARGET}/mirror.json").write_text(text)
    with pytest.raises(UserError, match=r"mirror.json is damaged.*delete it"):
        Mirror(tmp_path / "here", TARGET).fetch(-1)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", 3])
def test_a_list_names_nothing_outside(name, bucket, tmp_path):
    remote.path_of(f"{TARGET}/mirror.json").write_text(json.dumps({"step": 1, "files": [name]}))
    with pytest.raises(UserError, match=r"mirror.json is damaged; delete it"):
        Mirror(tmp_path / "here", TARGET).fetch(-1)
