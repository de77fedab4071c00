"""Sends journals to MLflow: in order, one process at a time, never raising, never for long.

A server that is away is left alone for a while, longer each time. A line that MLflow refuses is dropped
with a warning. What was sent is remembered after each request; sending again what a crash did not let us
remember changes nothing: MLflow keeps equal metrics and inputs once, and a new run is looked up by a tag.
"""

import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tpru.tracking.delivery import answers, client, refused, start_run, tell, tracking_uri, warn
from tpru.tracking.journal import (
    INVOCATIONS,
    JOURNAL,
    RUN_FILE,
    Line,
    Sent,
    ended,
    forget,
    last_start,
    pending,
    read_sent,
    read_whole,
    run_id,
    sending,
    starts,
    take,
    untouched,
    write_sent,
)

FIRST_WAIT, LONGEST_WAIT, LONGEST_REST = 15.0, 300.0, 30.0
BATCH = 1000  # metrics that MLflow takes in one request
TRIES = 5
QUIET = 900.0


class Patience:
    """When this process talks to the server again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wait = 0.0
        self._next = -math.inf

    def ready(self) -> bool:
        """Whether it is time."""
        return self._clock() >= self._next

    def failed(self, reason: str) -> None:
        """Wait, twice as long as the last time; say so the first time."""
        if not self._wait:
            warn(f"cannot be told anything now, it is kept and sent later ({' '.join(reason.split())[:200]})")
        self._wait = min(max(FIRST_WAIT, 2 * self._wait), LONGEST_WAIT)
        self._next = self._clock() + self._wait

    def worked(self, took: float) -> None:
        """Say that it is back, if it was away; leave a slow server a rest, for training must not wait."""
        if self._wait:
            warn("takes what it is told again")
        self._wait = 0.0
        self._next = self._clock() + (min(10 * took, LONGEST_REST) if took > 1 else 0.0)


@dataclass(frozen=True)
class Outcome:
    """Lines that were dealt with, lines that are left, and whether the server failed."""

    sent: int
    left: int
    failed: bool = False


def send(folder: Path, patience: Patience, budget: float = math.inf) -> Outcome:
    """Send what a journal holds beyond what was sent, for ``budget`` seconds or a little longer.

    Nothing is done while another process sends it. Raises nothing that is an ``Exception``.
    """
    try:
        with sending(folder) as free:
            if free:
                return _send(folder, patience, budget)
        return Outcome(0, pending(folder))
    except Exception as error:  # a full disk, say: no training ends because of its log
        patience.failed(f"{type(error).__name__}: {error}")
        return Outcome(0, 1, failed=True)


def _send(folder: Path, patience: Patience, budget: float) -> Outcome:
    data = read_whole(folder)
    done = read_sent(folder, len(data))
    begun, first = time.monotonic(), done.offset
    failed = opened = False
    while done.offset < len(data) and not failed and time.monotonic() - begun < budget:
        lines, end = take(data, done.offset, 0 if done.offset < done.alone else BATCH)
        uri = tracking_uri(last_start(data[:end]).get("uri", ""))
        asked = time.monotonic()
        try:
            if lines[0]["kind"] == "start":
                start_run(uri, folder, lines[0], starts(data[: done.offset]), done)
                opened = True
            else:
                tell(client(uri), run_id(folder), lines)
        except Exception as error:
            done, failed = _after_error(error, lines, end, uri, done, time.monotonic() - asked)
            if failed:
                patience.failed(f"{uri}: {error}")
        else:
            if lines[0]["kind"] == "end" and lines[0]["status"] == "FINISHED":
                (folder / RUN_FILE).unlink(missing_ok=True)
            done = Sent(end, alone=done.alone)
        write_sent(folder, done)
    if done.offset > first and not failed:
        # To open a store for the first time takes seconds and says nothing of how fast it is.
        patience.worked(0.0 if opened else time.monotonic() - begun)
    return Outcome(data.count(b"\n", first, done.offset), data.count(b"\n", done.offset), failed)


def _after_error(
    error: Exception, lines: list[Line], end: int, uri: str, done: Sent, took: float
) -> tuple[Sent, bool]:
    """Where to go on after an error, and whether to stop for now."""
    if lines[0]["kind"] == "start":  # without its run everything else would be lost
        return replace(done, creating=True), True
    if not refused(error):
        at_fault = took < 3 and answers(uri)
        if at_fault and len(lines) > 1:  # one of them is: the ones beside it must not be dropped with it
            return replace(done, alone=end), False
        if done.failures + at_fault < TRIES:
            return replace(done, failures=done.failures + at_fault), True
    named = _named(lines[0])
    warn(f"did not take {named}, dropped: {' '.join(str(error).split())[:300]}", about=named)
    return Sent(end, alone=done.alone), False


def _named(line: Line) -> str:
    names = ", ".join(line.get("values", ())) or line.get("name") or line.get("path") or ""
    return f"{line['kind']} {names}".strip()[:200]


def send_left(folders: Iterable[Path], patience: Patience, all_of_them: bool = False) -> dict[Path, Outcome]:
    """Send what is left in the folders of units, except where their stage does it; return what was done.

    Where the server does not answer, the rest is left as it is.
    """
    done = {}
    away = False
    for folder in folders:
        try:
            if untouched(folder):
                continue
            data = read_whole(folder)
            left = data.count(b"\n", read_sent(folder, len(data)).offset)
        except OSError as error:
            warn(f"{folder} cannot be read: {error}", about=str(folder))
            continue
        if not left or (not all_of_them and _stage_sends(data, folder)):
            continue
        done[folder] = Outcome(0, left) if away else send(folder, patience)
        away = away or (done[folder].failed and not answers(tracking_uri(last_start(data).get("uri", ""))))
    return done


def _stage_sends(data: bytes, folder: Path) -> bool:
    start = last_start(data)
    if not start.get("sends") or ended(data):
        return False
    if start["owner"]["tpru.host"] == os.uname().nodename:
        return alive(int(start["owner"]["tpru.pid"]))
    return time.time() - (folder / JOURNAL).stat().st_mtime < QUIET


def alive(pid: int) -> bool:
    """Whether a process of this host is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def send_everything(root: Path) -> dict[Path, Outcome]:
    """Send what is left anywhere below ``root``; return what was done with each journal."""
    found = sorted(Path(folder) for folder, _, files in os.walk(root) if JOURNAL in files)
    done = send_left(found, Patience(), all_of_them=True)
    for folder, outcome in done.items():
        if folder.parent.name == INVOCATIONS and not outcome.left:
            forget(folder)
    return done
