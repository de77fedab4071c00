"""One phase of the schooling: updates with a warm-up and a cosine, a log, and checkpoints."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tpru.files import written_whole
from tpru.run import Run, say
from tpru.training.checkpoints import (
    checkpoint_folder,
    mark_complete,
    newest_complete,
    remove_incomplete,
)
from tpru.training.logs import read_log, trim_log

WARMUP = 100
FLOOR = 0.02
TOLD_EVERY = 50

Losses = Callable[[int], dict[str, Tensor]]  # update -> parts; those named in ``summed`` are trained


def train_phase(
    run: Run,
    name: str,
    modules: list[nn.Module],
    losses: Losses,
    summed: tuple[str, ...],
    steps: int,
    learning_rate: float,
    save_every: int,
) -> None:
    """Train all parameters that ask for gradients; continues from a complete checkpoint.

    Args:
        run: where the checkpoints and ``<name>.jsonl`` go.
        name: of the phase.
        modules: what is trained and saved.
        losses: parts of the loss of one update, by name.
        summed: the parts that add up to the loss.
        steps: updates.
        learning_rate: peak of AdamW's rate.
        save_every: updates between checkpoints.
    """
    folder = checkpoint_folder(run.folder, run.fingerprint()) / name
    parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.02, betas=(0.9, 0.98))
    remove_incomplete(folder)
    first = _resume(newest_complete(folder), modules, optimizer)
    log = run.folder / f"{name}.jsonl"
    trim_log(log, first)
    for step in range(first + 1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * rate(step, steps)
        parts = losses(step)
        loss = torch.stack([parts[k] for k in summed]).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        _tell(run, log, name, step, steps, {k: float(v.detach()) for k, v in parts.items()})
        if step % save_every == 0 or step == steps:
            _save(folder / f"checkpoint-{step}", modules, optimizer)


def rate(step: int, steps: int) -> float:
    """Share of the peak rate: a linear warm-up, then half a cosine."""
    warm = min(1.0, step / WARMUP)
    return warm * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _tell(run: Run, log: Path, name: str, step: int, steps: int, parts: dict[str, float]) -> None:
    with log.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"step": step, **parts}) + "\n")
    if step % TOLD_EVERY == 0 or step == steps:
        recent = read_log(log)[-TOLD_EVERY:]
        means = {k: sum(r[k] for r in recent) / len(recent) for k in parts}
        run.tracker.metrics({f"{name}/{k}": v for k, v in means.items()}, step)
        say(f"{name} {step}/{steps}  " + "  ".join(f"{k} {v:.3f}" for k, v in means.items()))


def _save(folder: Path, modules: list[nn.Module], optimizer: Any) -> None:
    with written_whole(folder) as temporary:
        temporary.mkdir()
        state = {"modules": [m.state_dict() for m in modules], "optimizer": optimizer.state_dict()}
        torch.save(state, temporary / "state.pt")
        mark_complete(temporary)
    for older in folder.parent.glob("checkpoint-*"):
        if older != folder:
            for file in older.iterdir():
                file.unlink()
            older.rmdir()


def _resume(checkpoint: Path | None, modules: list[nn.Module], optimizer: Any) -> int:
    """Load a checkpoint into the parts and return its step; 0 without one."""
    if checkpoint is None:
        return 0
    say(f"continuing from {checkpoint}")
    state = torch.load(checkpoint / "state.pt", weights_only=True)
    for module, saved in zip(modules, state["modules"], strict=True):
        module.load_state_dict(saved)
    optimizer.load_state_dict(state["optimizer"])
    return int(checkpoint.name.rsplit("-", 1)[1])
