"""TFRecord files and their messages: sums, round trips, and every kind of damage."""

import contextlib
import gzip
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit import tfrecord_writer as writer
from tpru.errors import CorruptMediaError, ManifestError
from tpru.trajectories.tfrecord import (
    BLOCK,
    Record,
    crc32c,
    parse_example,
    parse_sequence_example,
    read_records,
)

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
FLOAT = st.floats(width=32, allow_nan=False)
FEATURE = st.one_of(
    st.lists(st.binary(max_size=40), max_size=5),
    st.lists(INT64, max_size=8),
    st.lists(FLOAT, max_size=8),
)
FEATURES = st.dictionaries(st.text(max_size=8), FEATURE, max_size=5)
RECORDS = (b"first", b"", b"x" * 700)


def record(data: bytes) -> Record:
    return Record(Path("a.tfrecord"), 7, 99, data)


def test_known_sums() -> None:
    # RFC 3720, B.4.
    assert crc32c(b"") == 0
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3000), st.integers(0, 1 << 32))
def test_sums_of_any_length(length: int, seed: int) -> None:
    data = np.random.default_rng(seed).bytes(length)
    assert crc32c(data) == writer.crc(data)


def test_the_sum_runs_on_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(0).bytes(5000)
    expected = writer.crc(data)
    for block in (64, 256, 1000, 4999):
        monkeypatch.setattr("tpru.trajectories.tfrecord.BLOCK", block)
        assert crc32c(data) == expected


@pytest.mark.parametrize("packed", [False, True])
def test_records(tmp_path: Path, packed: bool) -> None:
    path = writer.write(tmp_path / "a", RECORDS, packed)
    found = list(read_records(path))
    assert [r.data for r in found] == list(RECORDS)
    assert [(r.number, r.offset) for r in found] == [(0, 0), (1, 21), (2, 37)]
    assert list(read_records(path, "lengths")) == found
    assert list(read_records(writer.write(tmp_path / "none", (), packed))) == []


def test_a_plain_file_that_begins_like_gzip(tmp_path: Path) -> None:
    data = bytes(0x8B1F)
    path = writer.write(tmp_path / "a", [data])
    assert path.read_bytes().startswith(b"\x1f\x8b")
    assert [r.data for r in read_records(path)] == [data]


def test_data_longer_than_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpru.trajectories.tfrecord.BLOCK", 100)
    assert [r.data for r in read_records(writer.write(tmp_path / "a", RECORDS, True))] == list(RECORDS)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("at", "offset", "words"),
    [
        (21 + 0, 21, "its length does not fit"),  # the length of record 1
        (21 + 9, 21, "its length does not fit"),  # the sum of it
        (37 + 12 + 350, 37, "its data of 700 bytes does not fit its sum"),
        (37 + 12 + 702, 37, "its data of 700 bytes does not fit its sum"),
    ],
)
def test_a_flipped_bit(tmp_path: Path, packed: bool, at: int, offset: int, words: str) -> None:
    data = bytearray(b"".join(map(writer.record, RECORDS)))
    data[at] ^= 4
    path = tmp_path / "shard"
    path.write_bytes(gzip.compress(bytes(data)) if packed else bytes(data))
    with pytest.raises(CorruptMediaError, match=words) as caught:
        list(read_records(path))
    number = {21: 1, 37: 2}[offset]
    assert f"{path}, record {number} at byte {offset}" in str(caught.value)
    assert ("unpacked stream" in str(caught.value)) is packed
    assert "download it again" in str(caught.value)
    if "data" in words:
        assert len(list(read_records(path, "lengths"))) == 3


def test_a_cut_anywhere_is_found(tmp_path: Path) -> None:
    whole = writer.write(tmp_path / "a", RECORDS).read_bytes()
    edges = {0: 0, 21: 1, 37: 2}  # cut between records, a file is whole as far as itself can tell
    for length in [*range(60), len(whole) - 5, len(whole) - 1]:
        cut = tmp_path / "cut"
        cut.write_bytes(whole[:length])
        if length in edges:
            assert len(list(read_records(cut))) == edges[length]
            continue
        for check in ("all", "lengths"):
            with pytest.raises(CorruptMediaError, match=r"cut or damaged"):
                list(read_records(cut, check))  # type: ignore[arg-type]


def test_a_cut_or_damaged_gzip_file(tmp_path: Path) -> None:
    path = writer.write(tmp_path / "a", [np.random.default_rng(0).bytes(3000)], packed=True)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[1500] ^= 255
    for data in (*(whole[:n] for n in (2, 9, 20, 2000, len(whole) - 9, len(whole) - 1)), bytes(damaged)):
        path.write_bytes(data)
        with pytest.raises(CorruptMediaError, match=r"record \d at byte") as caught:
            list(read_records(path))
        assert str(path) in str(caught.value)


def test_a_length_beyond_the_file_asks_for_no_memory(tmp_path: Path) -> None:
    length = struct.pack("<Q", 1 << 60)
    path = tmp_path / "a"
    for pack in (bytes, gzip.compress):
        path.write_bytes(pack(length + writer.masked(length) + b"little"))
        with pytest.raises(CorruptMediaError, match=r"6 of 1152921504606846976 bytes"):
            list(read_records(path))


def test_missing_file_and_pointer(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="does not exist"):
        list(read_records(tmp_path / "a"))
    (tmp_path / "a").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(ManifestError, match="git lfs pull"):
        list(read_records(tmp_path / "a"))


def test_one_record_in_memory(tmp_path: Path) -> None:
    data, size = writer.record(bytes(200_000)), 200_000
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(data * 100))
    next(read_records(path))  # fills the tables that are kept
    tracemalloc.start()
    assert sum(len(r.data) for r in read_records(path)) == 100 * size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * size < BLOCK


@settings(deadline=None)
@given(FEATURES, st.booleans())
def test_examples_come_back(values: writer.Features, packed: bool) -> None:
    found = parse_example(record(writer.example(values, packed)))
    assert found.features == values
    some = frozenset(sorted(values)[::2])
    assert set(parse_example(record(writer.example(values)), some).features) == some


@settings(deadline=None)
@given(FEATURES, st.dictionaries(st.text(max_size=8), st.lists(FEATURE, max_size=4), max_size=4))
def test_sequence_examples_come_back(context: writer.Features, lists: dict[str, list[list[int]]]) -> None:
    found = parse_sequence_example(record(writer.sequence_example(context, lists)))
    assert (found.context.features, found.lists) == (context, lists)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for parse in (parse_example, parse_sequence_example):
        with contextlib.suppress(CorruptMediaError):
            parse(record(data))


def test_parts_of_a_list_and_unknown_fields() -> None:
    mixed = writer.part(3, b"\x08\x05" + writer.part(1, b"\x06\x07")) + writer.part(3, b"\x08\x08")
    later = writer.part(1, writer.part(1, writer.part(1, b"k") + writer.part(2, mixed)))
    ignored = b"\x48\x07" + b"\x51" + bytes(8) + b"\x5d" + bytes(4) + writer.part(12, b"abc")
    data = writer.example({"k": [1.0], "l": ["x"]}) + ignored + later
    assert parse_example(record(data)).features == {"k": [5, 6, 7, 8], "l": [b"x"]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x0a\x05ab", "a field of 5 bytes at byte 2 of 4"),
        (b"\x0a" + b"\xff" * 10, "a number that does not end"),
        (b"\x0b", "wire type 3"),
        (b"\x08\x01", "a number stands where"),
        (writer.part(1, writer.part(1, writer.part(1, b"\xff"))), "can't decode"),
        (
            writer.part(1, writer.part(1, writer.part(2, writer.part(2, writer.part(1, b"abc"))))),
            "3 bytes are no whole number of floats",
        ),
    ],
)
def test_malformed_messages(data: bytes, words: str) -> None:
    with pytest.raises(CorruptMediaError, match=words) as caught:
        parse_example(record(data))
    assert "a.tfrecord, record 7 (at byte 99)" in str(caught.value)


def test_values_by_name() -> None:
    values: writer.Features = {
        "t": [" a \n b"],
        "n": [-4],
        "f": [0.5],
        "none": [],
        "two": [1, 2],
        "b": [b"\xff"],
    }
    found = parse_example(record(writer.example(values)))
    assert (found.text("t"), found.texts("t"), found.number("n")) == ("a b", ["a b"], -4)
    assert (found.floats("f"), found.blobs("none"), found.numbers("two")) == ([0.5], [], [1, 2])
    refusals: list[tuple[Callable[[], object], str]] = [
        (lambda: found.text("gone"), r"has no feature 'gone'; it has \['b', 'f'"),
        (lambda: found.text("n"), "'n' holds no byte strings"),
        (lambda: found.number("f"), "'f' holds no integers"),
        (lambda: found.floats("n"), "'n' holds no floats"),
        (lambda: found.number("two"), "'two' has 2 values"),
        (lambda: found.text("b"), "'b' is no UTF-8 text"),
    ]
    for get, words in refusals:
        with pytest.raises(ManifestError, match=words) as caught:
            get()
        assert "a.tfrecord, record 7" in str(caught.value)
