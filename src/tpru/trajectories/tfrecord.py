"""TFRecord files and the ``tf.train.Example`` messages in them, read without TensorFlow.

A TFRecord is a length (8 bytes), the masked CRC32C of these, the data, and the masked CRC32C of the data,
all numbers little-endian; a file may be compressed whole with GZIP. Memory holds one record at a time.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from tpru.errors import CorruptMediaError, ManifestError

Check = Literal["all", "lengths"]
Values = list[bytes] | list[int] | list[float]
T = TypeVar("T")
Words = npt.NDArray[np.uint32]

POLYNOMIAL = 0x82F63B78  # CRC32C (Castagnoli), bits reversed
MASK = 0xA282EAD8
LANE = 64  # bytes that one lane of the vectorised sum runs over; a power of two
SMALL = 256  # below this many bytes a plain loop is faster
BLOCK = 1 << 22  # bytes of data that are summed at once: bounds the memory that this takes
HEAD = struct.Struct("<QI")
SUM = struct.Struct("<I")
GZIP_HEAD = b"\x1f\x8b"
LFS_HEAD = b"version https://git-lfs"
RESTORE = "the file is cut or damaged: copy or download it again"


@dataclass(frozen=True)
class Record:
    """One record: its number in the file (from 0), the byte at which it begins, and its data.

    In a GZIP file ``offset`` counts bytes of the unpacked stream.
    """

    path: Path
    number: int
    offset: int
    data: bytes

    @property
    def where(self) -> str:
        """The place of the record, for messages."""
        return f"{self.path}, record {self.number} (at byte {self.offset})"


def read_records(path: Path, check: Check = "all") -> Iterator[Record]:
    """Yield the records of a TFRecord file, plain or GZIP, in their order.

    ``check`` "all" holds the sums of lengths and data against what the file says; "lengths" leaves out
    those of the data, which is faster where a file has been checked before.

    Raises:
        ManifestError: the file is not there or is a Git LFS pointer.
        CorruptMediaError: a record is cut or does not fit its sum.
    """
    check_file(path)
    unpacked = _is_gzip(path)
    number = offset = 0
    with gzip.open(path) if unpacked else path.open("rb") as stream:
        while True:
            try:
                data = _data(stream, check)  # type: ignore[arg-type]  # GzipFile reads like a BinaryIO
            except (CorruptMediaError, OSError, EOFError, zlib.error) as error:
                at = f"byte {offset}{' of the unpacked stream' if unpacked else ''}"
                raise CorruptMediaError(f"{path}, record {number} at {at}: {error}; {RESTORE}") from error
            if data is None:
                return
            yield Record(path, number, offset, data)
            number, offset = number + 1, offset + HEAD.size + len(data) + SUM.size


def check_file(path: Path) -> None:
    """Refuse a file that is not there or is only a pointer to one.

    Raises:
        ManifestError: naming it.
    """
    if not path.is_file():
        raise ManifestError(f"the TFRecord file {path} does not exist; copy or download it again")
    with path.open("rb") as stream:
        if stream.read(len(LFS_HEAD)) == LFS_HEAD:
            raise ManifestError(f"{path} is a Git LFS pointer; fetch the file with git lfs pull")


def _is_gzip(path: Path) -> bool:
    """By its first bytes, unless they are the head of a plain record of just such a length."""
    with path.open("rb") as stream:
        head = stream.read(HEAD.size)
    return head.startswith(GZIP_HEAD) and not (len(head) == HEAD.size and _right_head(head))


def _right_head(head: bytes) -> bool:
    return masked(crc32c(head[:8])) == HEAD.unpack(head)[1]


def _data(stream: BinaryIO, check: Check) -> bytes | None:
    """The data of the next record, None at the end of the file."""
    head = stream.read(HEAD.size)
    if not head:
        return None
    if len(head) < HEAD.size:
        raise CorruptMediaError(f"its head has {len(head)} bytes of {HEAD.size}")
    if not _right_head(head):
        raise CorruptMediaError("its length does not fit the sum of its length")
    length: int = HEAD.unpack(head)[0]
    data = _read(stream, length)
    tail = stream.read(SUM.size) if len(data) == length else b""
    if len(tail) < SUM.size:
        raise CorruptMediaError(f"the file ends within it: {len(data)} of {length} bytes of data are there")
    if check == "all" and masked(crc32c(data)) != SUM.unpack(tail)[0]:
        raise CorruptMediaError(f"its data of {length} bytes does not fit its sum (CRC32C)")
    return data


def _read(stream: BinaryIO, length: int) -> bytes:
    """``length`` bytes, or what is left; a wrong length never asks for more memory than the file has."""
    if length <= BLOCK:
        return stream.read(length)
    data = bytearray()
    while len(data) < length and (piece := stream.read(min(BLOCK, length - len(data)))):
        data += piece
    return bytes(data)


def masked(crc: int) -> int:
    """A CRC as TFRecord stores it."""
    return (((crc >> 15) | (crc << 17)) + MASK) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """CRC32C of ``data``."""
    crc = 0xFFFFFFFF
    for start in range(0, len(data), BLOCK):
        crc = _extend(crc, data[start : start + BLOCK])
    return crc ^ 0xFFFFFFFF


def _extend(crc: int, data: bytes) -> int:
    """Run the register ``crc`` over ``data``.

    A CRC is linear: the sum of a concatenation is the sum of the first part, shifted by the length of
    the second, XOR that of the second. So lanes of the data are summed side by side and then joined in
    pairs. A register of 0 stays 0 over zeros, which is why the data may be filled up in front.
    """
    if len(data) < SMALL:
        table = _byte_table()
        for byte in data:
            crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
        return crc
    filled = np.zeros(-(-len(data) // LANE) * LANE, np.uint8)
    filled[-len(data) :] = np.frombuffer(data, np.uint8)
    begin = len(filled) - len(data)
    filled[begin : begin + 4] ^= np.frombuffer(SUM.pack(crc), np.uint8)
    words = np.ascontiguousarray(filled.view("<u4").reshape(-1, LANE // 4).T)
    lanes = np.zeros(words.shape[1], np.uint32)
    for word in words:
        lanes = _shifted(lanes ^ word, 4)
    length = LANE
    while len(lanes) > 1:
        if len(lanes) % 2:
            lanes = np.concatenate([np.zeros(1, np.uint32), lanes])
        lanes = _shifted(lanes[::2], length) ^ lanes[1::2]
        length *= 2
    return int(lanes[0])


def _shifted(registers: Words, length: int) -> Words:
    """Registers after ``length`` zero bytes."""
    low, high = _shift_tables(length)
    return low[registers & 0xFFFF] ^ high[registers >> 16]


@cache
def _shift_tables(length: int) -> tuple[Words, Words]:
    """What ``length`` zero bytes (a power of two, from 4) make of the lower and the upper 16 bits."""
    if length == 4:
        bits: Words = np.uint32(1) << np.arange(32, dtype=np.uint32)
        for _ in range(32):
            bits = (bits >> np.uint32(1)) ^ np.where(bits & np.uint32(1), np.uint32(POLYNOMIAL), np.uint32(0))
    else:
        single = np.uint32(1) << np.arange(32, dtype=np.uint32)
        bits = _shifted(_shifted(single, length // 2), length // 2)
    return _spanned(bits[:16]), _spanned(bits[16:])


def _spanned(bits: Words) -> Words:
    """XOR of every subset of ``bits``, by the number whose digits say which are in it."""
    table = np.zeros(1, np.uint32)
    for bit in bits:
        table = np.concatenate([table, table ^ bit])
    return table


@cache
def _byte_table() -> tuple[int, ...]:
    bits: Words = np.uint32(1) << np.arange(8, dtype=np.uint32)
    for _ in range(8):
        bits = (bits >> np.uint32(1)) ^ np.where(bits & np.uint32(1), np.uint32(POLYNOMIAL), np.uint32(0))
    return tuple(int(value) for value in _spanned(bits))


@dataclass(frozen=True)
class Example:
    """The features of one message by name, and where it stands."""

    where: str
    features: dict[str, Values]

    def blobs(self, key: str) -> list[bytes]:
        """The byte strings under ``key``.

        Raises:
            ManifestError: there is no such feature, or it holds something else.
        """
        return [value for value in self._values(key, bytes, "byte strings") if isinstance(value, bytes)]

    def numbers(self, key: str) -> list[int]:
        """The integers under ``key``; raises like :meth:`blobs`."""
        return [value for value in self._values(key, int, "integers") if isinstance(value, int)]

    def floats(self, key: str) -> list[float]:
        """The floats under ``key``; raises like :meth:`blobs`."""
        return [value for value in self._values(key, float, "floats") if isinstance(value, float)]

    def number(self, key: str) -> int:
        """The one integer under ``key``; raises like :meth:`blobs`."""
        return self._one(key, self.numbers(key))

    def text(self, key: str) -> str:
        """The one text under ``key``, white space reduced to single spaces; raises like :meth:`blobs`."""
        return self._text(key, self._one(key, self.blobs(key)))

    def texts(self, key: str) -> list[str]:
        """The texts under ``key``, white space reduced to single spaces; raises like :meth:`blobs`."""
        return [self._text(key, value) for value in self.blobs(key)]

    def _values(self, key: str, kind: type, what: str) -> Values:
        if key not in self.features:
            raise ManifestError(f"{self.where} has no feature {key!r}; it has {sorted(self.features)}")
        values = self.features[key]
        if values and not isinstance(values[0], kind):
            raise ManifestError(f"{self.where}: the feature {key!r} holds no {what}; correct the key")
        return values

    def _one(self, key: str, values: list[T]) -> T:
        if len(values) != 1:
            raise ManifestError(f"{self.where}: the feature {key!r} has {len(values)} values; expected one")
        return values[0]

    def _text(self, key: str, value: bytes) -> str:
        try:
            return " ".join(value.decode("utf-8").split())
        except UnicodeDecodeError as error:
            raise ManifestError(f"{self.where}: the feature {key!r} is no UTF-8 text ({error})") from error


@dataclass(frozen=True)
class SequenceExample:
    """Features of the whole, and by name the features of its steps, one list of values a step."""

    context: Example
    lists: dict[str, list[Values]]


def parse_example(record: Record, keys: frozenset[str] | None = None) -> Example:
    """The ``tf.train.Example`` in a record; of its features those in ``keys`` (None: all of them).

    Features that are not asked for are skipped without being copied.

    Raises:
        CorruptMediaError: the record holds no such message.
    """
    try:
        return Example(record.where, _example(memoryview(record.data), keys))
    except ValueError as error:
        raise _no_message(record, "tf.train.Example", error) from error


def parse_sequence_example(record: Record, keys: frozenset[str] | None = None) -> SequenceExample:
    """The ``tf.train.SequenceExample`` in a record; ``keys`` and errors are those of parse_example."""
    context: dict[str, Values] = {}
    lists: dict[str, list[Values]] = {}
    try:
        for field, value in _fields(memoryview(record.data)):
            if field == 1:
                context.update(_features(_message(value), keys))
            elif field == 2:
                for name, part in _entries(_message(value), keys):
                    steps = [_message(v) for f, v in _fields(part) if f == 1]
                    lists[name] = [_feature(step) for step in steps]
    except ValueError as error:
        raise _no_message(record, "tf.train.SequenceExample", error) from error
    return SequenceExample(Example(record.where, context), lists)


def _no_message(record: Record, kind: str, error: ValueError) -> CorruptMediaError:
    return CorruptMediaError(f"{record.where} is no {kind} ({error}): the data set stores something else")


def _example(data: memoryview, keys: frozenset[str] | None) -> dict[str, Values]:
    found: dict[str, Values] = {}
    for field, value in _fields(data):
        if field == 1:
            found.update(_features(_message(value), keys))
    return found


def _features(data: memoryview, keys: frozenset[str] | None) -> dict[str, Values]:
    return {name: _feature(part) for name, part in _entries(data, keys)}


def _entries(data: memoryview, keys: frozenset[str] | None) -> Iterator[tuple[str, memoryview]]:
    """Name and message of the entries of a map; a later one of the same name replaces an earlier one."""
    for field, value in _fields(data):
        if field != 1:
            continue
        name, part = "", memoryview(b"")
        for inner, content in _fields(_message(value)):
            if inner == 1:
                name = bytes(_message(content)).decode("utf-8")
            elif inner == 2:
                part = _message(content)
        if keys is None or name in keys:
            yield name, part


def _feature(data: memoryview) -> Values:
    """The values of one Feature: field 1 holds byte strings, 2 floats, 3 integers of 64 bits."""
    kind = 0
    values: list[Any] = []
    for field, value in _fields(data):
        if field not in (1, 2, 3):
            continue
        if field != kind:  # of several kinds the last one counts
            kind, values = field, []
        values += _LISTS[field - 1](_message(value))
    return values


def _byte_list(data: memoryview) -> list[bytes]:
    return [bytes(_message(value)) for field, value in _fields(data) if field == 1]


def _float_list(data: memoryview) -> list[float]:
    values: list[float] = []
    for field, value in _fields(data):
        if field == 1:  # packed into one string, or one by one
            content = _message(value)
            if len(content) % 4:
                raise ValueError(f"{len(content)} bytes are no whole number of floats")
            values += np.frombuffer(content, "<f4").tolist()
    return values


def _int_list(data: memoryview) -> list[int]:
    values: list[int] = []
    for field, value in _fields(data):
        if field == 1 and isinstance(value, int):
            values.append(_signed(value))
        elif field == 1:
            at, content = 0, _message(value)
            while at < len(content):
                number, at = _varint(content, at)
                values.append(_signed(number))
    return values


_LISTS = (_byte_list, _float_list, _int_list)


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number stands where a message or a string was expected")
    return value


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Numbers and contents of the fields of a message; fields of a fixed size come as their bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            number, at = _varint(data, at)
            yield field, number
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        if size > len(data) - at:
            raise ValueError(f"a field of {size} bytes at byte {at} of {len(data)}")
        yield field, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number at ``at``, of up to 64 bits, and the place after it."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise ValueError(f"a number that does not end before byte {at}")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
