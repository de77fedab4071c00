"""What a stage tells MLflow, one JSON line each, kept beside its outputs until it is sent and after.

Four small files stand in the folder of a unit: the journal; how much of it was sent; the lock of whoever
sends; and the id of the MLflow run as long as that run is not finished. Only the stage itself appends, and
only the holder of the lock changes the other files, so that any process that sees the folder can send.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tpru.files import canonical_json, write_text

JOURNAL = ".mlflow.jsonl"
SENT = ".mlflow_sent"
LOCK = ".mlflow_lock"
RUN_FILE = ".mlflow_run"
INVOCATIONS = ".invocations"
START = b'{"kind":"start"'

Line = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """How far a journal was sent.

    ``creating``: its run is being created, and the server may already have it. ``alone``: lines before
    this offset go one by one. ``failures``: how often the next line failed on a server that answers.
    """

    offset: int = 0
    creating: bool = False
    alone: int = 0
    failures: int = 0


def append(unit: Path, kind: str, /, **values: Any) -> int:
    """Add one line; return where it ends. A half line that a crash or a full disk left is cut off first.

    Raises:
        OSError: it could not be written whole; the journal is as it was.
    """
    line = json.dumps({"kind": kind, **values}, separators=(",", ":")).encode() + b"\n"
    with (unit / JOURNAL).open("a+b", buffering=0) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 1))
        if stream.read(1) not in (b"", b"\n"):
            stream.seek(0)
            size = stream.read().rfind(b"\n") + 1
            stream.truncate(size)
        try:
            if stream.write(line) != len(line):
                raise OSError(f"no room for a line in {unit / JOURNAL}")
        except OSError:
            stream.truncate(size)
            raise
    return size + len(line)


def read_whole(folder: Path) -> bytes:
    """The journal up to its last whole line; empty where there is none."""
    # Opened, not only looked at: on NFS opening is what shows another host's new lines.
    try:
        data = (folder / JOURNAL).read_bytes()
    except FileNotFoundError:
        return b""
    return data[: data.rfind(b"\n") + 1]


def untouched(folder: Path) -> bool:
    """Whether nothing was added since all was sent: cheaper to know than what was added."""
    try:
        with (folder / JOURNAL).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
    except FileNotFoundError:
        return True
    return read_sent(folder, size).offset == size


def read_sent(folder: Path, size: int) -> Sent:
    """How far a journal of ``size`` bytes was sent; from the start where that cannot be known."""
    try:
        sent = Sent(**json.loads((folder / SENT).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return Sent()
    return sent if sent.offset <= size else Sent()


def write_sent(folder: Path, sent: Sent) -> None:
    """Remember how far the journal was sent, whole or not at all."""
    write_text(folder / SENT, canonical_json(asdict(sent)))


def pending(folder: Path) -> int:
    """How many lines were not sent yet."""
    data = read_whole(folder)
    return data.count(b"\n", read_sent(folder, len(data)).offset)


def run_id(folder: Path) -> str:
    """Id of the unfinished MLflow run of a unit; empty where none is known."""
    try:
        return (folder / RUN_FILE).read_text().strip()
    except FileNotFoundError:
        return ""


def parse(line: bytes) -> Line:
    """One line of a journal; ``{"kind": "unreadable"}`` where it is none."""
    try:
        value = json.loads(line)
    except ValueError:
        return {"kind": "unreadable"}
    return value if isinstance(value, dict) and "kind" in value else {"kind": "unreadable"}


def take(data: bytes, offset: int, most: int) -> tuple[list[Line], int]:
    """The next line, or as many lines of metrics in a row as hold ``most`` values; and where they end."""
    end = data.index(b"\n", offset) + 1
    lines = [parse(data[offset:end])]
    values = len(lines[0].get("values", ()))
    while lines[0]["kind"] == "metrics" and end < len(data):
        after = data.index(b"\n", end) + 1
        line = parse(data[end:after])
        values += len(line.get("values", ()))
        if line["kind"] != "metrics" or values > most:
            break
        lines.append(line)
        end = after
    return lines, end


def last_start(data: bytes) -> Line:
    """The last ``start`` line; an empty dict where there is none."""
    at = data.rfind(START)
    return parse(data[at : data.index(b"\n", at)]) if at >= 0 else {}


def starts(data: bytes) -> int:
    """How often the stage was started since it last finished."""
    lines = [parse(line) for line in data.splitlines() if line.startswith((START, b'{"kind":"end"'))]
    count = 0
    for line in lines:
        count = count + 1 if line["kind"] == "start" else 0 if line.get("status") == "FINISHED" else count
    return count


def ended(data: bytes) -> bool:
    """Whether the last start of the stage was followed by its end."""
    return data.rfind(b'{"kind":"end"') > data.rfind(START)


@contextlib.contextmanager
def sending(folder: Path) -> Iterator[bool]:
    """Hold the right to send; yields False, and holds nothing, while another process has it."""
    with (folder / LOCK).open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def clear_finished(folder: Path) -> None:
    """Empty a journal that was sent to its end and whose stage finished: the next run begins a new one."""
    with sending(folder) as free:
        data = read_whole(folder)
        sent = read_sent(folder, len(data))
        if free and data and sent.offset == len(data) and starts(data) == 0:
            # In this order: an offset behind the end counts as none.
            os.truncate(folder / JOURNAL, 0)
            (folder / SENT).unlink()


def forget(folder: Path) -> None:
    """Remove the folder of an invocation that ended and that MLflow knows all of."""
    data = read_whole(folder)
    if ended(data) and read_sent(folder, len(data)).offset == len(data):
        shutil.rmtree(folder, ignore_errors=True)
