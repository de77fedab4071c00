"""Machine facts that a stage may use; they come from the environment, never from the configuration."""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Value = TypeVar("Value")


def threads() -> int:
    """CPU cores this stage may use: ``$TPRU_THREADS`` (set by its rule), else all of the machine."""
    return int(os.environ.get("TPRU_THREADS", "0")) or len(os.sched_getaffinity(0))


def shards() -> int:
    """How many shards of this unit there are to gather (``$TPRU_SHARDS``, set by its rule), else 1."""
    return int(os.environ.get("TPRU_SHARDS", "0")) or 1


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


def world_size() -> int:
    """Processes that train together (set by torchrun and accelerate), 1 when alone."""
    return int(os.environ.get("WORLD_SIZE", "1"))
