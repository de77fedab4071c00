"""Files over HTTP: in parallel, resumed where they broke off, never faster than allowed, verified.

``TPRU_FETCH_WORKERS`` files come at the same time (default 4), together at most ``TPRU_FETCH_RATE`` bytes a
second (``500K``, ``20M``; default: as fast as they come). A broken connection, 429 and 5xx are tried again,
after as long as ``Retry-After`` says, else after twice as long each time. What does not fit its checksum is
thrown away and fetched anew.
"""

import os
import random
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache
from io import FileIO
from pathlib import Path

import urllib3

from tpru.acquisition.cache import RemoteFile, check_space, digest, part_of, partial
from tpru.errors import ConfigError, FetchError
from tpru.runtime import byte_progress
from tpru.web import CONNECT_S, LONGEST_WAIT_S, TRY_AGAIN, pool

WORKERS_VARIABLE, RATE_VARIABLE = "TPRU_FETCH_WORKERS", "TPRU_FETCH_RATE"
CHUNK = 1 << 16
UNITS = {"K": 1e3, "M": 1e6, "G": 1e9}
# Tries in a row without a new byte, and seconds before the second of them.
TRIES, FIRST_WAIT_S = 6, 1.0
TIMEOUT = urllib3.Timeout(connect=CONNECT_S, read=60.0)
REDIRECTS = urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=10)
# In the ways of the three origins (hub, GitHub, bucket) all say the same: you may not, or not yet.
CLOSED = (401, 403)


class _AgainError(Exception):
    """This try failed; the next one may not. ``wait_s`` is what the server asks for."""

    def __init__(self, why: str, wait_s: float = 0.0) -> None:
        super().__init__(why)
        self.wait_s = wait_s


@dataclass
class Meter:
    """Counts the bytes of all threads for the progress bar, and holds them back where there is a limit."""

    total: int
    what: str
    bytes_per_s: float
    came: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _free_at: float = 0.0

    def __post_init__(self) -> None:
        self._bar = byte_progress(self.total, self.what)

    def add(self, count: int) -> None:
        """Count bytes (fewer than 0: they were thrown away) and wait as long as the limit asks."""
        wait = 0.0
        with self._lock:
            self._bar.update(count)
            self.came += max(count, 0)
            if count > 0 and self.bytes_per_s:
                now = time.monotonic()
                self._free_at = max(self._free_at, now) + count / self.bytes_per_s
                wait = self._free_at - now
        self.wait(wait)

    def wait(self, seconds: float) -> None:
        """Sleep, and end this thread where another one has failed."""
        if self.stopped.wait(seconds) if seconds else self.stopped.is_set():
            raise FetchError("stopped, as another file could not be fetched")

    def close(self) -> None:
        """End the progress bar."""
        self._bar.close()


def workers() -> int:
    """How many files are fetched at the same time."""
    return max(1, int(_number(WORKERS_VARIABLE, "4")))


def rate() -> float:
    """Bytes a second that all files together may take, 0 for no limit."""
    return _number(RATE_VARIABLE, "0")


def _number(variable: str, default: str) -> float:
    text = os.environ.get(variable) or default
    try:
        number = float(text[:-1]) * UNITS[text[-1].upper()] if text[-1].upper() in UNITS else float(text)
    except ValueError as error:
        raise ConfigError(f"{variable} is {text!r}; expected a number such as 4, 500K or 20M") from error
    if number < 0:
        raise ConfigError(f"{variable} is {text!r}; it must not be below 0")
    return number


def fetch_files(
    files: Sequence[RemoteFile], what: str, headers: Mapping[str, str] | None = None, closed: str = ""
) -> int:
    """Bring files to the cache, those that are missing; return the number of bytes that came.

    Args:
        files: what is wanted.
        what: name for the progress bar.
        headers: sent with every request (redirects to another host lose a key in them).
        closed: what to do where the origin refuses access, for the message.

    Raises:
        FetchError: a file cannot be had; names it and its URL. What is complete stays, and so do parts.
        DiskFullError: there is too little room, said before anything is fetched.
    """
    missing = [f for f in files if not f.cached.exists()]
    if not missing:
        return 0
    meter = Meter(check_space(missing), what, rate())
    with ThreadPoolExecutor(max_workers=workers()) as threads:
        futures = [threads.submit(fetch_file, f, meter, headers or {}, closed) for f in missing]
        try:
            for done in as_completed(futures):
                done.result()
        except BaseException:
            meter.stopped.set()
            threads.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            meter.close()
    return meter.came


def fetch_file(file: RemoteFile, meter: Meter, headers: Mapping[str, str], closed: str) -> None:
    """Bring one file to the cache, unless another process does so meanwhile.

    Raises:
        FetchError: naming the file and its URL.
    """
    failures = 0
    with partial(file.cached) as stream:
        while stream is not None:
            before = stream.seek(0, os.SEEK_END)
            try:
                _continue(file, stream, meter, headers, closed)
                _verify(file, stream, meter)
                part_of(file.cached).replace(file.cached)
                _validator(file).unlink(missing_ok=True)
                break
            except (_AgainError, urllib3.exceptions.HTTPError) as error:
                grown = stream.seek(0, os.SEEK_END) - before
                failures = 1 if grown > 0 else failures + 1
                if failures == TRIES:
                    raise FetchError(
                        f"{file.path} cannot be fetched from {file.url}: {error} ({TRIES} tries). Nothing "
                        "of it is used; run the same command again to go on, complete files are kept"
                    ) from error
                asked = error.wait_s if isinstance(error, _AgainError) else 0.0
                doubled = FIRST_WAIT_S * 2.0 ** (failures - 1) * random.uniform(0.5, 1.0)
                meter.wait(min(LONGEST_WAIT_S, asked or doubled))


def _continue(
    file: RemoteFile, stream: FileIO, meter: Meter, headers: Mapping[str, str], closed: str
) -> None:
    """Append what is missing of a file to its part."""
    at = stream.tell()
    same = _validator(file)
    known = same.read_text(encoding="utf-8") if same.exists() else ""
    if at and (at > file.size >= 0 or not (file.check or known)):
        at = _drop(stream, meter)
    if at == file.size:
        return
    asked = {**headers, "Accept-Encoding": "identity", "User-Agent": "tpru"}
    if at:
        asked["Range"] = f"bytes={at}-"
        # With a checksum a part of another file is found out at the end; a server behind another redirect
        # may name the same file otherwise.
        asked |= {} if file.check else {"If-Range": known}
    response = _connections(*file.url.split("/", 3)[:3]).request(
        "GET",
        file.url,
        headers=asked,
        preload_content=False,
        decode_content=False,
        retries=REDIRECTS,
        timeout=TIMEOUT,
    )
    try:
        _accept(file, response, stream, at, meter, closed)
        if not file.check:
            same.write_text(_strong(response.headers), encoding="utf-8")
        for chunk in response.stream(CHUNK):
            meter.add(len(chunk))
            stream.write(chunk)
    except BaseException:
        response.close()  # a connection whose answer was not read to its end serves no other request
        raise
    response.release_conn()
    if 0 <= file.size != stream.tell():
        raise _AgainError(f"{stream.tell()} bytes came, {file.size} were promised")


@cache
def _connections(scheme: str, _: str, host: str) -> urllib3.PoolManager:
    """Kept open from one file to the next: origins of many small files are slow otherwise."""
    return pool(f"{scheme}//{host}")


def _accept(
    file: RemoteFile,
    response: urllib3.BaseHTTPResponse,
    stream: FileIO,
    at: int,
    meter: Meter,
    closed: str,
) -> None:
    """Take the answer of a server, or say why not."""
    status, said = response.status, response.headers
    if status in TRY_AGAIN or status == 416:
        if status == 416:
            _drop(stream, meter)
        raise _AgainError(f"the server answers with status {status}", _retry_after(said.get("Retry-After")))
    if status not in (200, 206):
        hint = closed if status in CLOSED and closed else "correct the address, or ask who offers it"
        raise FetchError(f"{file.path} cannot be fetched: {file.url} answers with status {status}; {hint}")
    web_page = said.get("Content-Type", "").startswith("text/html")
    if web_page and not file.check and not file.path.lower().endswith((".html", ".htm")):
        raise FetchError(
            f"{file.url} is a web page, not the file {file.path}: it asks for a login or a confirmation, or "
            "shows a player. Put the address of the file itself into the list, or fetch it by hand"
        )
    if said.get("Content-Encoding", "identity") != "identity":
        raise FetchError(
            f"{file.url} sends the file encoded ({said['Content-Encoding']}) though asked not to"
        )
    if at and status == 200:  # no ranges there, or the file has changed
        _drop(stream, meter)
    elif at and not said.get("Content-Range", "").startswith(f"bytes {at}-"):
        _drop(stream, meter)
        raise _AgainError(
            f"the server sends {said.get('Content-Range')!r} in place of what follows byte {at}"
        )


def _verify(file: RemoteFile, stream: FileIO, meter: Meter) -> None:
    if file.check and (found := digest(file.check, part_of(file.cached))) != file.check:
        _drop(stream, meter)
        raise _AgainError(f"it is corrupt: {found} came, {file.check} was expected")


def _drop(stream: FileIO, meter: Meter) -> int:
    meter.add(-stream.seek(0, os.SEEK_END))
    stream.truncate(0)
    return stream.seek(0)


def _validator(file: RemoteFile) -> Path:
    """Holds what the server calls the version of the file that the part is of."""
    return part_of(file.cached).with_suffix(".version")


def _strong(headers: Mapping[str, str]) -> str:
    """What identifies the bytes of an answer: a weak ETag does not."""
    tag = headers.get("ETag", "")
    return headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag


def _retry_after(text: str | None) -> float:
    try:
        return float(urllib3.Retry().parse_retry_after(text)) if text else 0.0
    except urllib3.exceptions.InvalidHeader:
        return 0.0
