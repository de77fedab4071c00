"""Benchmarks in Parquet files as the hub serves them: rows, and their pictures when asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError
from tpru.trajectories.sources.public_data import SHARD
from tpru.trajectories.sources.reading import LFS_HEAD


@dataclass(frozen=True)
class Row:
    """The values of a row but for its pictures, and where it stands."""

    file: Path
    group: int
    number: int
    in_file: int
    values: dict[str, Any]

    @property
    def where(self) -> str:
        """The place for a message."""
        return f"{self.file} row {self.in_file}"


def parquet_files(path: Path) -> list[Path]:
    """The file itself, or all Parquet files below a folder, in the order of their paths.

    Raises:
        EmptySourceError: there is none.
        ManifestError: a file is a Git LFS pointer, or shards ("-00000-of-00005") are missing.
    """
    listed = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    files = [f for f in listed if not any(part.startswith(".") for part in f.relative_to(path).parts)]
    if not files:
        raise EmptySourceError(f"{path} holds no Parquet file (*.parquet); correct the path")
    for file in files:
        with file.open("rb") as stream:
            if stream.read(len(LFS_HEAD)) == LFS_HEAD:
                raise ManifestError(f"{file} is a Git LFS pointer; fetch the file with git lfs pull")
    shards = [match for f in files if (match := SHARD.fullmatch(f.name))] if path.is_dir() else []
    for stem, of in sorted({(m["stem"], m["of"]) for m in shards}):
        found = {int(m["index"]) for m in shards if (m["stem"], m["of"]) == (stem, of)}
        missing = sorted(set(range(int(of))) - found)
        if missing:
            raise ManifestError(
                f"{path}: of the {int(of)} shards {stem}-*-of-{of} the numbers {missing} are missing; "
                "download them, or name a single file as path"
            )
    return files


def column_names(files: Sequence[Path]) -> list[str]:
    """The columns, which all files must share.

    Raises:
        ManifestError: a file is not Parquet, or has other columns than the first.
    """
    names = [_open(file).schema_arrow.names for file in files]
    for file, found in zip(files, names, strict=True):
        if set(found) != set(names[0]):
            raise ManifestError(
                f"{file} has the columns {found}, but {files[0]} has {names[0]}: files of one benchmark have "
                "the same columns; keep only its own in the folder"
            )
    return names[0]


def rows(files: Sequence[Path], columns: Sequence[str]) -> Iterator[Row]:
    """The rows with the values of ``columns``, in order.

    Raises:
        ManifestError: a column is missing, or a file cannot be read.
    """
    found = column_names(files)
    missing = [name for name in columns if name not in found]
    if missing:
        raise ManifestError(f"{files[0]} lacks the column(s) {missing}; it has {found}")
    for file in files:
        in_file = 0
        opened = _open(file)
        for group in range(opened.num_row_groups):
            for number, values in enumerate(_read(opened, file, group, columns).to_pylist()):
                yield Row(file, group, number, in_file, values)
                in_file += 1


class Pictures:
    """The pictures of rows; the row group that was read last is kept, so rows should be asked in order."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._kept: tuple[tuple[Path, int], Any] | None = None

    def of(self, row: Row) -> list[bytes]:
        """Encoded pictures of a row: of a list of, or of one {bytes, path}, or of plain bytes.

        Raises:
            ManifestError: the column holds something else.
            CorruptMediaError: a picture has no bytes and its path leads nowhere.
        """
        key = (row.file, row.group)
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, _read(_open(row.file), row.file, row.group, [self._column]).column(0))
        value = self._kept[1][row.number].as_py()
        listed = value if isinstance(value, list) else [] if value is None else [value]
        return [self._bytes(entry, row, n) for n, entry in enumerate(listed, start=1)]

    def _bytes(self, entry: Any, row: Row, number: int) -> bytes:
        if isinstance(entry, bytes):
            return entry
        if isinstance(entry, dict) and isinstance(entry.get("bytes"), bytes):
            return bytes(entry["bytes"])
        path = entry.get("path") if isinstance(entry, dict) else entry
        if not isinstance(path, str):
            raise ManifestError(
                f"{row.where}: picture {number} in {self._column!r} is {type(entry).__name__}; expected "
                "bytes or {bytes, path}"
            )
        file = row.file.parent / path
        try:
            return file.read_bytes()
        except OSError as error:
            raise CorruptMediaError(
                f"{row.where}: picture {number} in {self._column!r} has no bytes, and {file} cannot be read "
                f"({error.strerror}); download it too"
            ) from error


def _open(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(f"{file} cannot be read as Parquet ({error}); download it again") from error


def _read(opened: pq.ParquetFile, file: Path, group: int, columns: Sequence[str]) -> pa.Table:
    try:
        return opened.read_row_group(group, columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(
            f"{file}: row group {group} cannot be read ({error}); download the file again"
        ) from error
