import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax import claims, journal
from procsup_jax.errors import UserError
from procsup_jax.journal import Journal

PARTS = {
    journal.key("a", 1): [np.arange(6, dtype=np.int32).reshape(2, 3), np.float32(0.1), np.array([True, False])],
    journal.key("b", 2): [np.zeros((0, 4), np.float32)],
    journal.key("c", [3]): [np.array([np.nan, np.inf, -0.0], np.float32)],
}


def write(path, parts=PARTS, index=0):
    with Journal(path, index) as kept:
        for key, arrays in parts.items():
            kept.keep(key, arrays)
    return path.with_name(f"{path.name}-{index}")


def check_same(found, arrays):
    assert found is not None
    for got, wanted in zip(found, arrays, strict=True):
        wanted = np.asarray(wanted)
        assert (got.dtype, got.shape, got.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())


def test_what_is_kept_is_found_bit_for_bit(tmp_path):
    write(tmp_path / "j")
    with Journal(tmp_path / "j") as kept:
        for key, arrays in PARTS.items():
            check_same(kept.find(key), arrays)
        assert kept.find(journal.key("a", 2)) is None


def test_keys_tell_parts_apart():
    assert len({journal.key(*parts) for parts in ([1], ["1"], [1.0], [[1]], [1, 2], [[1, 2]], [{"a": 1}], [])}) == 8
    assert journal.key({"a": 1, "b": (2,)}) == journal.key({"b": [2], "a": 1})


def test_without_a_path_nothing_is_kept():
    with Journal() as kept:
        kept.keep("key", [np.zeros(1)])
        assert list(kept.through([1, 2], str, lambda items: [(item, []) for item in items])) == [(1, []), (2, [])]
        kept.remove()


@given(place=st.integers(0, 10_000))
def test_a_journal_cut_anywhere_gives_what_was_whole_and_goes_on(place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    path = write(folder / "j")
    content = path.read_bytes()
    place %= len(content) + 1
    path.write_bytes(content[:place])
    num_whole = (
        content[: place + 1].count(b"\n") if content[place : place + 1] == b"\n" else content[:place].count(b"\n")
    )
    with Journal(folder / "j") as kept:
        assert sum(kept.find(key) is not None for key in PARTS) == num_whole
        for key, arrays in PARTS.items():
            if kept.find(key) is None:
                kept.keep(key, arrays)
    with Journal(folder / "j") as kept:
        for key, arrays in PARTS.items():
            check_same(kept.find(key), arrays)


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_costs_a_part_and_never_another_number(place, bit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("flip")
    path = write(folder / "j")
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)
    with Journal(folder / "j") as kept:
        found = {key: kept.find(key) for key in PARTS}
    assert sum(each is None for each in found.values()) <= 2  # two where a line end is gone
    for key, each in found.items():
        if each is not None:
            check_same(each, PARTS[key])


def test_a_line_that_something_else_wrote_is_none(tmp_path):
    for packed in (
        '[["int32", [1000000000], "eJwDAAAAAAE="]]',
        '[["object", [1], ""]]',
        "[[1]]",
        "{}",
        "[",
        '[["int32", [-1], ""]]',
    ):
        body = f"key {packed}".encode()
        (tmp_path / "j-0").write_bytes(b"%08x %s\n" % (journal.zlib.crc32(body), body))
        with Journal(tmp_path / "j") as kept:
            assert not kept.find("key"), packed


def test_each_process_finds_what_all_have_kept(tmp_path):
    keys = list(PARTS)
    for index, key in enumerate(keys):
        write(tmp_path / "j", {key: PARTS[key]}, index)
    (tmp_path / "j-x").write_text("nothing of ours")
    for index in (0, 7):
        with Journal(tmp_path / "j", index) as kept:
            for key in keys:
                check_same(kept.find(key), PARTS[key])
    kept.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["j-x"]


def test_what_another_job_writes_to_is_left_to_it(tmp_path):
    path = write(tmp_path / "j", {})
    path.touch()
    handle = os.open(path, os.O_RDWR)
    assert claims.claim(handle)
    write(tmp_path / "j")
    assert path.read_bytes() == b""
    os.close(handle)
    write(tmp_path / "j")
    assert path.read_bytes().count(b"\n") == 3


def test_a_folder_in_its_place_is_one_line(tmp_path):
    (tmp_path / "j-0").mkdir()
    with pytest.raises(UserError, match="it is a folder"):
        Journal(tmp_path / "j")


def test_streams_have_none(tmp_path):
    write_to = Journal.beside("/dev/stdout")
    write_to.keep("key", [np.zeros(1, np.float32)])
    assert write_to.find("key") is None
    with Journal.beside(tmp_path / "s.jsonl") as kept:
        kept.keep("key", [np.zeros(1, np.float32)])
    assert [path.name for path in tmp_path.iterdir()] == [".s.jsonl.parts-0"]


def test_through_computes_what_is_missing_and_keeps_it(tmp_path, capsys):
    def compute(items):
        computed.extend(items)
        for item in items:
            yield item, [np.full(2, item, np.float32)]

    computed = []
    with Journal(tmp_path / "j") as kept:
        through = kept.through([1, 2, 3], str, compute)
        assert [next(through)[0], next(through)[0]] == [1, 2]  # and then it is killed
    assert computed == [1, 2, 3]
    computed.clear()
    with Journal(tmp_path / "j") as kept:
        found = {item: arrays[0].tolist() for item, arrays in kept.through([1, 2, 3, 4], str, compute)}
    assert found == {1: [1, 1], 2: [2, 2], 3: [3, 3], 4: [4, 4]}
    assert computed == [3, 4]
    assert capsys.readouterr().err == "2 of 4 parts were kept before\n"
