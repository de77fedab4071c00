"""TFRecord files and Example messages written bit by bit, apart from the reader under test."""

import gzip
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Given = bytes | str | int | float
Features = Mapping[str, Sequence[Given]]


def crc(data: bytes) -> int:
    """CRC32C by its definition, one bit at a time."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    value = crc(data)
    rotated = (value >> 15) | (value << 17 & 0xFFFFFFFF)
    return struct.pack("<I", (rotated + 0xA282EAD8) % (1 << 32))


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def write(path: Path, messages: Iterable[bytes], packed: bool = False) -> Path:
    """Write messages as records; ``packed`` compresses the file with GZIP."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"".join(record(message) for message in messages)
    path.write_bytes(gzip.compress(data, 1) if packed else data)
    return path


def varint(value: int) -> bytes:
    value %= 1 << 64
    out = bytearray()
    while value > 127:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)


def part(field: int, content: bytes) -> bytes:
    return varint(field * 8 + 2) + varint(len(content)) + content


def feature(values: Sequence[Given], packed: bool = True) -> bytes:
    """A Feature; the type of the first value decides its kind."""
    if not values:
        return b""
    if isinstance(values[0], bytes | str):
        texts = [v.encode() if isinstance(v, str) else v for v in values]  # type: ignore[union-attr]
        return part(1, b"".join(part(1, text) for text in texts))  # type: ignore[arg-type]
    if isinstance(values[0], float):
        floats = [struct.pack("<f", v) for v in values]
        return part(2, part(1, b"".join(floats)) if packed else b"".join(b"\x0d" + f for f in floats))
    numbers = [varint(v) for v in values]  # type: ignore[arg-type]
    return part(3, part(1, b"".join(numbers)) if packed else b"".join(b"\x08" + n for n in numbers))


def features(values: Features, packed: bool = True) -> bytes:
    entries = ((name, feature(given, packed)) for name, given in values.items())
    return b"".join(part(1, part(1, name.encode()) + part(2, content)) for name, content in entries)


def example(values: Features, packed: bool = True) -> bytes:
    """A tf.train.Example."""
    return part(1, features(values, packed))


def sequence_example(context: Features, lists: Mapping[str, Sequence[Sequence[Given]]]) -> bytes:
    """A tf.train.SequenceExample."""
    entries = (
        part(1, part(1, name.encode()) + part(2, b"".join(part(1, feature(step)) for step in steps)))
        for name, steps in lists.items()
    )
    return part(1, features(context)) + part(2, b"".join(entries))
