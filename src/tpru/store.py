"""Records to Parquet and back, and pictures stored once by the hash of their bytes.

A record file has one column per field; nested records are structs. ``frames.parquet`` has the columns
``frame_id`` (hex SHA-256 of the bytes), ``image`` (struct of ``bytes`` and ``path``, the form that the
``datasets`` library reads as ``Image``), ``width`` and ``height``. Both open in any Parquet tool.
"""

import dataclasses
import io
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tpru.errors import UpstreamError
from tpru.files import sha256_bytes, written_whole

Record = TypeVar("Record")

FRAME_SCHEMA = pa.schema(
    [
        ("frame_id", pa.string()),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("width", pa.int32()),
        ("height", pa.int32()),
    ]
)


def arrow_type(annotation: Any) -> pa.DataType:
    """Arrow type of a field annotation: plain values, Literal, tuples, optionals and dataclasses."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return pa.string()
    if origin is tuple:
        return pa.list_(arrow_type(args[0]))
    if origin in (typing.Union, types.UnionType):
        return arrow_type(next(a for a in args if a is not type(None)))
    if dataclasses.is_dataclass(annotation):
        return pa.struct(list(schema_of(typing.cast(type, annotation))))
    plain = {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        bool: pa.bool_(),
        bytes: pa.binary(),
    }
    return plain[annotation]


def schema_of(record_type: type) -> pa.Schema:
    """Arrow schema of a record type, one column per field."""
    hints = typing.get_type_hints(record_type)
    fields = dataclasses.fields(typing.cast(Any, record_type))
    return pa.schema([(f.name, arrow_type(hints[f.name])) for f in fields])


def _from_plain(annotation: Any, value: Any) -> Any:
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if value is None:
        return None
    if origin is tuple:
        return tuple(_from_plain(args[0], v) for v in value)
    if origin in (typing.Union, types.UnionType):
        return _from_plain(next(a for a in args if a is not type(None)), value)
    if dataclasses.is_dataclass(annotation):
        hints = typing.get_type_hints(annotation)
        return typing.cast(Any, annotation)(**{k: _from_plain(hints[k], v) for k, v in value.items()})
    return value


def write_records(path: Path, record_type: type[Record], records: Iterable[Record]) -> int:
    """Write records whole to a Parquet file and return how many; memory holds 1,000 at a time."""
    schema = schema_of(record_type)
    count = 0
    with written_whole(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for batch in _batches(records, 1000):
            rows = [dataclasses.asdict(typing.cast(Any, r)) for r in batch]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            count += len(batch)
    return count


def read_records(path: Path, record_type: type[Record]) -> list[Record]:
    """Read all records of a Parquet file; raises as :func:`iter_records` does."""
    return list(iter_records(path, record_type))


def iter_records(path: Path, record_type: type[Record]) -> Iterator[Record]:
    """The records of a Parquet file in order; memory holds one row group (1,000) at a time.

    Raises:
        UpstreamError: the file is missing or has other columns than the record type.
    """
    if not path.exists():
        raise UpstreamError(f"{path} is missing: run the stage that writes it again")
    expected = set(schema_of(record_type).names)
    hints = typing.get_type_hints(record_type)
    with pq.ParquetFile(path) as file:
        if set(file.schema_arrow.names) != expected:
            raise UpstreamError(
                f"{path} has the columns {sorted(file.schema_arrow.names)}, expected {sorted(expected)}: "
                "it was written by another version; run the stage that writes it again"
            )
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group).to_pylist():
                yield record_type(**{k: _from_plain(hints[k], v) for k, v in row.items()})


def _batches(values: Iterable[Record], size: int) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for value in values:
        batch.append(value)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def encode_png(image: Image.Image) -> bytes:
    """Lossless PNG bytes of a picture, the same for the same pixels."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """JPEG bytes of a picture without chroma subsampling, the same for the same pixels."""
    buffer = io.BytesIO()
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    rgb.save(buffer, format="JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def decode_image(data: bytes) -> Image.Image:
    """Encoded bytes to an RGB picture; raises OSError or SyntaxError where Pillow cannot read them."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.convert("RGB")


def write_frames(path: Path, frames: Iterable[bytes]) -> int:
    """Write encoded pictures in order of arrival, each distinct one once; return how many."""
    seen: set[str] = set()

    def fresh() -> Iterator[dict[str, Any]]:
        for data in frames:
            frame_id = sha256_bytes(data)
            if frame_id not in seen:
                seen.add(frame_id)
                yield _frame_row(frame_id, data)

    with written_whole(path) as temporary, pq.ParquetWriter(temporary, FRAME_SCHEMA) as writer:
        for rows in _batches(fresh(), 200):
            writer.write_table(pa.Table.from_pylist(rows, schema=FRAME_SCHEMA))
    return len(seen)


def _frame_row(frame_id: str, data: bytes) -> dict[str, Any]:
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    return {
        "frame_id": frame_id,
        "image": {"bytes": data, "path": None},
        "width": width,
        "height": height,
    }


class FrameStore:
    """Read-only access to the pictures of one or more ``frames.parquet`` files by frame id.

    Row groups are small (200 pictures) and read when asked for; the last one of each file stays in
    memory, so reading in frame-id order touches every byte once.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(paths)
        self._files = [pq.ParquetFile(path) for path in self._paths]
        self._where: dict[str, tuple[int, int, int]] = {}
        for number, file in enumerate(self._files):
            for group in range(file.num_row_groups):
                ids = file.read_row_group(group, columns=["frame_id"]).column(0).to_pylist()
                for row, frame_id in enumerate(ids):
                    self._where[frame_id] = (number, group, row)
        self._cached: dict[int, tuple[int, Any]] = {}

    def __reduce__(self) -> tuple[type["FrameStore"], tuple[tuple[Path, ...]]]:
        """Open the files again in another process instead of sending their contents."""
        return FrameStore, (self._paths,)

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, frame_id: str) -> bool:
        return frame_id in self._where

    def ids_in_order(self) -> list[str]:
        """All frame ids in the order of the files: reading them so touches every byte once."""
        return list(self._where)

    def encoded(self, frame_id: str) -> bytes:
        """Encoded bytes of a frame.

        Raises:
            UpstreamError: the store does not hold this frame.
        """
        if frame_id not in self._where:
            raise UpstreamError(f"frame {frame_id} is in no frames.parquet: rerun the extraction")
        number, group, row = self._where[frame_id]
        if self._cached.get(number, (-1, None))[0] != group:
            column = self._files[number].read_row_group(group, columns=["image"]).column(0)
            self._cached[number] = (group, column.combine_chunks())
        data: bytes = self._cached[number][1][row]["bytes"].as_py()
        return data

    def image(self, frame_id: str) -> Image.Image:
        """The decoded RGB picture of a frame."""
        return decode_image(self.encoded(frame_id))
