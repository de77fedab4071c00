"""Where the time of a step goes: exclusive phases, tokens and memory."""

import contextlib
import ctypes
import gc
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

PAGE = 4096
EVERY_SECONDS = 0.005


class Clock:
    """Seconds by phase. A phase inside another one stops the outer one's time."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time inside to ``name``."""
        self._count()
        self._running.append(name)
        try:
            yield
        finally:
            self._count()
            self._running.pop()

    def _count(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now

    def time_calls(self, owner: Any, method: str, name: str, within: str = "") -> None:
        """From now on, count the calls of a method to ``name`` (those made in phase ``within``, if given)."""
        usual: Callable[..., Any] = getattr(owner, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            if within and self._running[-1] != within:
                return usual(*args, **kwargs)
            with self.phase(name):
                return usual(*args, **kwargs)

        setattr(owner, method, timed)


class PeakMemory:
    """Most memory taken above what there was before, in bytes: of the GPU, or of this process."""

    def __enter__(self) -> "PeakMemory":
        self.bytes = 0
        gc.collect()
        # What was freed goes back to the system, or the next step would take it unseen.
        with contextlib.suppress(AttributeError):  # only glibc has it
            ctypes.CDLL(None).malloc_trim(0)
        self._before = self._taken()
        self._over = threading.Event()
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        else:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if torch.cuda.is_available():
            self.bytes = torch.cuda.max_memory_allocated() - self._before
        else:
            self._over.set()
            self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            self.bytes = max(self.bytes, self._taken() - self._before)

    @staticmethod
    def _taken() -> int:
        if torch.cuda.is_available():
            return torch.cuda.memory_allocated()
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE


def count_tokens(language_model: Any, counted: list[int]) -> None:
    """Append the tokens of every pass of a language model, padding included."""

    def tell(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = kwargs.get("inputs_embeds")
        given = kwargs["input_ids"] if given is None else given
        counted.append(given.shape[0] * given.shape[1])

    language_model.register_forward_pre_hook(tell, with_kwargs=True)
