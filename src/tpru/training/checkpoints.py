"""Checkpoints: only complete ones are resumed from.

A trainer writes a checkpoint file by file; a process that is killed meanwhile leaves a folder that looks
like one. ``COMPLETE`` is written last, when everything else is there.
"""

import shutil
from pathlib import Path

COMPLETE = "complete"


def checkpoint_folder(stage_folder: Path, fingerprint: str) -> Path:
    """Folder of the checkpoints of one config and one set of inputs.

    It is no declared output, so the workflow never deletes it; its name keeps a changed config from
    continuing where another one stopped. A finished stage removes it.
    """
    return stage_folder / "checkpoints" / fingerprint


def mark_complete(checkpoint: Path) -> None:
    """Say that a checkpoint is whole."""
    (checkpoint / COMPLETE).touch()


def remove_incomplete(folder: Path) -> None:
    """Remove what a killed process left half written; one process alone may do this."""
    for path in folder.glob("checkpoint-*"):
        if not (path / COMPLETE).exists():
            shutil.rmtree(path)


def newest_complete(folder: Path) -> Path | None:
    """The complete checkpoint with the highest step, or None."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(whole, key=lambda path: int(path.name.rsplit("-", 1)[1]), default=None)
