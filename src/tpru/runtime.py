"""Machine facts that a stage may use; they come from the environment, never from the configuration."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

Value = TypeVar("Value")

# When the driver began to plan, in seconds since 1970; its jobs are told by the environment.
PLANNED_VARIABLE = "TPRU_PLANNED"
# A file in a training's folder: it was told to end (SIGTERM) and wrote a whole checkpoint before it did.
INTERRUPTED = ".interrupted"


def threads() -> int:
    """CPU cores this process may use: ``$TPRU_THREADS`` (set by its rule), at most those it was given.

    Processes that train together on one machine share them evenly.
    """
    given = len(os.sched_getaffinity(0))
    asked = int(os.environ.get("TPRU_THREADS", "0")) or given
    return max(1, min(asked, given) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def shards() -> int:
    """How many shards of this unit there are to gather (``$TPRU_SHARDS``, set by its rule), else 1."""
    return int(os.environ.get("TPRU_SHARDS", "0")) or 1


@contextlib.contextmanager
def priority_kept() -> Iterator[None]:
    """Give this process back the priority that it has now, whatever happens within.

    SVT-AV1, run by root, makes the process that encodes a real-time one, and so all that it starts: two of
    them that wait in a loop stop a machine of two cores.
    """
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameter)


def progress(values: Iterable[Value], what: str, total: int | None = None) -> Iterator[Value]:
    """Iterate with a progress bar and the time left; in a log file it prints a line every 5 s."""
    interactive = sys.stderr.isatty()
    return iter(
        tqdm(
            values,
            desc=what,
            total=total or None,
            mininterval=0.2 if interactive else 5.0,
            ncols=100,
        )
    )


def byte_progress(total: int, what: str) -> "tqdm[Any]":
    """A progress bar of bytes, to be updated and closed by its user."""
    interactive = sys.stderr.isatty()
    return tqdm(
        desc=what,
        total=total or None,
        unit="B",
        unit_scale=True,
        mininterval=0.2 if interactive else 5.0,
        ncols=100,
    )


def world_size() -> int:
    """Processes that train together (set by torch's elastic launcher), 1 when alone."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Number of this process among those that train together; 0 alone writes, logs and saves."""
    return int(os.environ.get("RANK", "0"))


def in_slurm() -> bool:
    """Whether this process runs in a job of SLURM."""
    return "SLURM_JOB_ID" in os.environ
