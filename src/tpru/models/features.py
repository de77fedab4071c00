"""Features of pictures on disk: what a frozen vision tower saw once, no later stage computes again."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tpru.files import explain_disk_full, written_whole
from tpru.models.processor import ImageTextProcessor

# In the folder of an experiment.
SHELF = "features"


class FeatureShelf:
    """Features by frame id, (rows, columns, width) each, in a folder of safetensors files.

    Every process adds files of its own and reads those of all; none is ever changed, so no lock is needed,
    and the folder may be deleted at any time. What two processes compute at once is there twice.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Path, Any] = {}
        self._where: dict[str, Any] = {}
        self._written = 0

    def has(self, frame_id: str) -> bool:
        """Whether a picture's features are known here."""
        return frame_id in self._where

    def refresh(self) -> None:
        """Take note of what other processes have written."""
        for path in sorted(self._folder.glob("*.safetensors")):
            if path not in self._files:
                self._open(path)

    def get(self, frame_id: str) -> Tensor:
        """Features of a picture, read from disk."""
        features: Tensor = self._where[frame_id].get_tensor(frame_id)
        return features

    def put(self, features: dict[str, Tensor]) -> None:
        """Add the features of new pictures, whole or not at all.

        Raises:
            DiskFullError: the disk filled up.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{os.uname().nodename}-{os.getpid()}-{id(self):x}-{self._written}.safetensors"
        self._written += 1
        with explain_disk_full(path), written_whole(path) as temporary:
            save_file({k: v.contiguous().cpu() for k, v in features.items()}, temporary)
        self._open(path)

    def _open(self, path: Path) -> None:
        opened = safe_open(path, framework="pt")
        self._files[path] = opened
        self._where |= dict.fromkeys(opened.keys(), opened)


def shelf_for(folder: Path, visual: Any, processor: ImageTextProcessor) -> FeatureShelf:
    """The shelf below ``folder`` of one tower and one way to prepare pictures, named by their contents.

    Shelves of other towers are left alone: an experiment has few, and another job may read them.
    """
    digest = hashlib.sha256(json.dumps(processor.image_processor.to_dict(), sort_keys=True).encode())
    for name, weights in sorted(visual.state_dict().items()):
        digest.update(name.encode())
        digest.update(weights.detach().contiguous().cpu().view(torch.uint8).numpy().tobytes())
    return FeatureShelf(folder / digest.hexdigest()[:16])
