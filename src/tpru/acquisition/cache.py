"""The cache of fetched files, shared by all experiments of a machine or a cluster.

``$TPRU_CACHE`` (default ``~/.cache/tpru``) holds every file once, in a folder that names its origin and
revision. A file stands there only when it is whole and verified. What an experiment reads is a *view*: a
folder of hard links to exactly the files that it asked for, whatever else the cache holds.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from itertools import pairwise
from pathlib import Path, PurePosixPath

from tpru.errors import DiskFullError, FetchError
from tpru.files import short_hash, stage_lock, written_whole

CACHE_VARIABLE = "TPRU_CACHE"
VIEW_WAIT_S = 600.0


@dataclass(frozen=True)
class RemoteFile:
    """A file at its origin.

    Attributes:
        path: where it is put, relative to the folder that a source reads.
        store: where the cache keeps it, relative to the cache.
        url: where it comes from.
        size: bytes, -1 where the origin does not say.
        check: ``sha256:<hex>``, ``md5:<hex>`` or ``git:<hex>`` (the name git gives a file), "" where unknown.
    """

    path: str
    store: str
    url: str
    size: int
    check: str

    @property
    def cached(self) -> Path:
        """Where the cache keeps it."""
        return root() / self.store


def root() -> Path:
    """The folder of the cache."""
    return Path(os.environ.get(CACHE_VARIABLE) or "~/.cache/tpru").expanduser().absolute()


def inside(path: str) -> str:
    """The path as it is, when it stays inside the folder that it is relative to.

    Raises:
        FetchError: it leads out of it.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or "\\" in path:
        raise FetchError(
            f"the origin lists a file {path!r}, which leads outside its folder: nothing was fetched"
        )
    return path


def digest(check: str, path: Path) -> str:
    """What a file's ``check`` would be, computed with the same algorithm (SHA-256 where it is empty)."""
    kind = check.split(":")[0] or "sha256"
    made = hashlib.new({"git": "sha1"}.get(kind, kind), usedforsecurity=False)
    if kind == "git":
        made.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            made.update(chunk)
    return f"{kind}:{made.hexdigest()}"


def part_of(target: Path) -> Path:
    """Where a file lies until it is whole and verified."""
    return target.with_name(f".{target.name}.part")


@contextlib.contextmanager
def partial(target: Path) -> Iterator[FileIO | None]:
    """The part of a file, open at its end and locked; None when the file is there.

    Another process that fetches the same file is waited for; the kernel frees its lock when it dies.
    """
    part = part_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    while not target.exists():
        with part.open("ab+", buffering=0) as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            # Whoever held the lock may have moved the part into its place.
            same = part.exists() and os.fstat(stream.fileno()).st_ino == part.stat().st_ino
            if same and not target.exists():
                yield stream
                return
            if same:
                part.unlink()
    yield None


def check_space(files: Sequence[RemoteFile]) -> int:
    """Bytes that are still to come, as far as sizes are known.

    Raises:
        DiskFullError: the disk of the cache has not that much room.
    """
    missing = [f for f in files if not f.cached.exists()]
    parts = sum(part_of(f.cached).stat().st_size for f in missing if part_of(f.cached).exists())
    return require_space(sum(max(f.size, 0) for f in missing) - parts)


def require_space(needed: int) -> int:
    """``needed`` as it is, in bytes.

    Raises:
        DiskFullError: the disk of the cache has not that much room.
    """
    folder = next(p for p in (root(), *root().parents) if p.exists())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DiskFullError(
            f"{needed / 1e9:.3f} GB are to be written to the cache {root()}, whose disk has {free / 1e9:.3f} "
            f"GB free: {(needed - free) / 1e9:.3f} GB are missing. Make room there, set {CACHE_VARIABLE} to "
            "a folder on a larger disk, or take fewer episodes (max_episodes)"
        )
    return needed


def view(files: Sequence[RemoteFile]) -> Path:
    """A folder with exactly these files, which are in the cache; the same for the same files.

    Raises:
        FetchError: two of them have the same path, or the disk allows no hard links.
    """
    rows = sorted((f.path, f.store) for f in files)
    twice = [a for (a, _), (b, _) in pairwise(rows) if a == b]
    if twice:
        raise FetchError(f"several files would be named {twice[0]!r}; give them different names")
    folder = root() / "views" / short_hash(rows)
    with stage_lock(folder.parent, VIEW_WAIT_S):
        if not folder.exists():
            with written_whole(folder) as temporary:
                temporary.mkdir()
                for path, store in rows:
                    link(root() / store, temporary / path)
    return folder


def link(source: Path, target: Path) -> None:
    """Put a second name of a file of the cache.

    Raises:
        FetchError: the disk allows no hard links.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise FetchError(
            f"the disk of {root()} allows no hard links ({error}); set {CACHE_VARIABLE} to a folder on one "
            "that does"
        ) from error
