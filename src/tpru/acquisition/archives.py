"""Archives (zip, tar) of the cache, unpacked safely: whole or not at all, and nowhere else."""

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO

from tpru.acquisition.cache import RemoteFile, inside, require_space, root
from tpru.errors import CorruptMediaError, FetchError
from tpru.files import short_hash, stage_lock, written_whole

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
WAIT_S = 3600.0


def unpacked(file: RemoteFile) -> list[RemoteFile]:
    """The files of an archive, put where the archive lies; a file that is none stays as it is.

    Raises:
        FetchError: a member leads outside, or is a link or a device.
        CorruptMediaError: the archive is damaged.
        DiskFullError: there is too little room.
    """
    if not file.path.lower().endswith(ENDINGS):
        return [file]
    folder = root() / "unpacked" / short_hash([file.store, file.check])
    with stage_lock(folder.with_suffix(".lock"), WAIT_S):
        if not folder.exists():
            with written_whole(folder) as temporary:
                temporary.mkdir()
                try:
                    _unpack(file, temporary)
                except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
                    if isinstance(error, OSError) and error.errno:
                        raise
                    raise CorruptMediaError(f"{file.path} from {file.url} is damaged: {error}") from error
    beside = PurePosixPath(file.path).parent
    return [
        replace(
            file,
            path=str(beside / path.relative_to(folder).as_posix()),
            store=str(path.relative_to(root())),
            size=path.stat().st_size,
            check="",
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def _unpack(file: RemoteFile, folder: Path) -> None:
    """Check all members before the first one is written."""
    if file.path.lower().endswith(".zip"):
        with zipfile.ZipFile(file.cached) as archive:
            entries = [e for e in archive.infolist() if not e.is_dir()]
            for e in entries:
                # Writers without Unix in mind give no kind of file.
                _plain(file, e.filename, stat.S_IFMT(e.external_attr >> 16) in (0, stat.S_IFREG))
            require_space(sum(e.file_size for e in entries))
            _write(folder, ((e.filename, archive.open(e)) for e in entries))
        return
    with tarfile.open(file.cached) as tar:
        members = [m for m in tar.getmembers() if not m.isdir()]
        for m in members:
            _plain(file, m.name, m.isreg())
        require_space(sum(m.size for m in members))
        _write(folder, ((m.name, stream) for m in members if (stream := tar.extractfile(m))))


def _plain(file: RemoteFile, name: str, is_file: bool) -> None:
    if not is_file:
        raise FetchError(f"{file.path} holds {name!r}, a link or a device: it was not unpacked")
    inside(name)


def _write(folder: Path, members: Iterator[tuple[str, IO[bytes]]]) -> None:
    for name, stream in members:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with stream, path.open("wb") as out:
            shutil.copyfileobj(stream, out, 1 << 20)
