"""Ending a training early and whole: SIGTERM, one checkpoint by all ranks, and out."""

import signal
from typing import Any

import torch
from torch import distributed
from transformers import TrainerCallback

from tpru.run import TERMINATED, say


class Interrupted(SystemExit):
    """The training was told to end; its checkpoint is complete, and the same command goes on from it."""

    def __init__(self) -> None:
        super().__init__(TERMINATED)


class Interruption(TrainerCallback):
    """Notes SIGTERM and stops after the update at hand, with a checkpoint, where all ranks agree.

    SLURM sends it before a time limit, before a preemption and on ``scancel``, to every process of a job,
    but not to all at the same moment: the ranks ask each other after every update. ``every``: checkpoints
    can only be continued exactly at multiples of so many updates (those made from one batch of completions).
    """

    def __init__(self, every: int = 1) -> None:
        self._every = every
        self._told = False
        self._previous: Any = None
        self.stopped_at: int | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """From here on SIGTERM waits for the end of an update."""
        self._previous = signal.signal(signal.SIGTERM, self._note)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Save and stop where any rank was told to; the last update needs no such thing."""
        if state.global_step % self._every or state.global_step >= state.max_steps:
            return
        if any_rank(self._told, args.device):
            say(f"told to end: a checkpoint at step {state.global_step}, then out")
            self.stopped_at = state.global_step
            control.should_save = True
            control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """SIGTERM means again what it meant before."""
        signal.signal(signal.SIGTERM, self._previous)

    def _note(self, signum: int, frame: object) -> None:
        self._told = True


def any_rank(told: bool, device: torch.device) -> bool:
    """Whether this is so on any of the processes that train together."""
    if not distributed.is_initialized():
        return told
    votes = torch.tensor([float(told)], device=device)
    distributed.all_reduce(votes)
    return bool(votes.item() > 0)


def barrier() -> None:
    """Wait for all processes that train together."""
    if distributed.is_initialized():
        distributed.barrier()
