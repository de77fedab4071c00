"""Whole files or none: atomic writes, hashes, stage locks, and disk-full turned into a clear error."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from tpru.errors import DiskFullError, LockedError


def sha256_bytes(data: bytes) -> str:
    """Hex SHA-256 of ``data``: the name of a picture everywhere in the project."""
    return hashlib.sha256(data).hexdigest()


def sha256_path(path: Path) -> str:
    """Hex SHA-256 of a file, or of a folder (names and contents of its files, sorted)."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{file.relative_to(path)}\0{sha256_path(file)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def short_hash(value: Any) -> str:
    """First 12 hex digits of the SHA-256 of the canonical JSON of ``value``."""
    return sha256_bytes(canonical_json(value).encode())[:12]


# torch, safetensors and SQLite wrap the error of the system in their own and keep only its text.
FULL = ("No space left", "unexpected pos", "os error 28", "disk is full")


@contextlib.contextmanager
def explain_disk_full(where: Path) -> Iterator[None]:
    """Turn "no space left" and "quota exceeded" into :class:`DiskFullError`, naming the folder."""
    try:
        yield
    except DiskFullError:
        raise
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if not full and not any(words in str(error) for words in FULL):
            raise
        raise _disk_full(where) from error


def _disk_full(where: Path) -> DiskFullError:
    folder = next((p for p in (where, *where.parents) if p.exists()), Path())
    free = shutil.disk_usage(folder).free / 1e9
    return DiskFullError(
        f"the disk that holds {where} is full ({free:.3f} GB free). Make room there and run the same "
        "command again: finished stages and complete checkpoints are kept."
    )


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``path`` (file or folder) and move it into place on success.

    On any error the temporary is removed and what stood at ``path`` stays as it was.

    Raises:
        DiskFullError: the disk filled up while writing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _remove(temporary)
    try:
        with explain_disk_full(path):
            yield temporary
            temporary.stat()  # a writer that wrote nothing must not cost the old folder
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            temporary.replace(path)
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` whole."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys, whole."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


_HELD: set[TextIO] = set()


def _let_go() -> None:
    """Close the locks in a forked worker: it may outlive its parent and must not keep them."""
    for stream in _HELD:
        stream.close()
    _HELD.clear()


os.register_at_fork(after_in_child=_let_go)


def _lock(stream: TextIO, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(1.0)


@contextlib.contextmanager
def stage_lock(folder: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Hold an exclusive lock on a stage folder; the kernel frees it when the process dies.

    Raises:
        LockedError: another process holds it for longer than ``wait_s`` seconds; the message names its pid
            and host.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with path.open("a+", encoding="utf-8") as stream:
        try:
            _lock(stream, wait_s)
        except OSError as error:
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            raise LockedError(
                f"{folder} is being written by {holder}. Wait until it ends, or stop it, and run the "
                "same command again; nothing was changed."
            ) from error
        stream.seek(0)
        stream.truncate()
        stream.write(f"pid {os.getpid()} on {os.uname().nodename}")
        stream.flush()
        _HELD.add(stream)
        try:
            yield
        finally:
            _HELD.discard(stream)
