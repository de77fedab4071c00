"""Training of the tiny segmenter: a box in one frame -> the thing's mask there and in other frames.

Only what pictures and masks say is learned; what a thing is called never enters. The vision-language model
later learns to make prompts that this network, then frozen, understands.
"""

import io
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from tpru.config.tpo_schema import SegmenterConfig
from tpru.errors import CorruptMediaError, EmptySourceError
from tpru.grounding.records import GroundingItem
from tpru.models.segmenter.tiny import STRIDE, TinySegmenter, TinySegmenterConfig, pixels_of
from tpru.randomness import generator

# Frames of a clip that are shown in one go: the one that is pointed at, and later ones to find it in.
SHOWN = 3
# A box that is pointed at is off by so much of its size, as boxes that a model says are.
BOX_NOISE = 0.06
# Prompts have length sqrt(width); so far off they must still mean the same, which spreads different boxes
# apart and makes the space between them one in which an adapter can learn.
PROMPT_NOISE = 0.15
WARMUP = 0.05
MAX_GRAD_NORM = 1.0


@dataclass(frozen=True)
class Examples:
    """Things to follow. Pictures are uint8 (n, 3, picture, picture), each once.

    shown: by thing, rows of its frames in ``pictures``; masks: by thing, uint8 (frames, side, side), 255 where
    a cell is all covered; boxes: by thing, (frames, 4) in shares, zeros where it is not in the frame.
    """

    pictures: Tensor
    shown: tuple[tuple[int, ...], ...]
    masks: tuple[Tensor, ...]
    boxes: tuple[Tensor, ...]


def examples(items: Sequence[GroundingItem], picture_of: Callable[[str], Image.Image], side: int) -> Examples:
    """Items with a mask in each frame where the thing is, as tensors; others have no say here.

    Raises:
        EmptySourceError: there is none.
        CorruptMediaError: a mask is no PNG.
    """
    usable = [item for item in items if has_masks(item)]
    if not usable:
        raise EmptySourceError(
            f"none of {len(items)} items has masks to learn from: raise grounding.simulated.per_trajectory.mask, "
            "lower grounding.simulated.least_share, or take segmenter.kind=sam2, which needs none"
        )
    rows = {frame: row for row, frame in enumerate(sorted({f for item in usable for f in item.frames}))}
    half = 2 * (side // STRIDE)
    return Examples(
        torch.cat([pixels_of([picture_of(frame)], side) for frame in rows]),
        tuple(tuple(rows[frame] for frame in item.frames) for item in usable),
        tuple(torch.from_numpy(np.stack([_shrunk(m, half) for m in masks_of(item)])) for item in usable),
        tuple(torch.tensor([r.box or (0.0,) * 4 for r in item.regions]) for item in usable),
    )


def has_masks(item: GroundingItem) -> bool:
    """Whether a thing is in its first frame, and has a mask wherever it has a box."""
    known = all(bool(r.mask) == bool(r.box) for r in item.regions)
    return item.task == "mask" and known and bool(item.regions[0].mask)


def masks_of(item: GroundingItem) -> list[NDArray[np.bool_]]:
    """The mask of each frame (rows, columns), one without anything set where the thing is not there.

    Raises:
        CorruptMediaError: a mask is no PNG.
    """
    out: list[NDArray[np.bool_] | None] = []
    for region in item.regions:
        try:
            with Image.open(io.BytesIO(region.mask)) as image:
                out.append(np.asarray(image.convert("L")) > 127)
        except OSError as error:
            if region.mask:
                raise CorruptMediaError(
                    f"item {item.item_id}: the mask of frame {region.frame} is no PNG ({error}); run the stage "
                    "grounding again"
                ) from error
            out.append(None)
    shape = next(m.shape for m in out if m is not None)
    return [np.zeros(shape, dtype=np.bool_) if m is None else m for m in out]


def _shrunk(mask: NDArray[np.bool_], side: int) -> NDArray[np.uint8]:
    """The share of every cell that is covered, 0 to 255."""
    small = Image.fromarray(mask).convert("L").resize((side, side), Image.Resampling.BOX)
    return np.asarray(small)


@dataclass(frozen=True)
class Batch:
    """pixels uint8 (n, SHOWN, 3, picture, picture), masks (n, SHOWN, side, side) in [0, 1], boxes (n, 4)."""

    pixels: Tensor
    masks: Tensor
    boxes: Tensor


def draw(data: Examples, size: int, rng: np.random.Generator) -> Batch:
    """Things in three of their frames in any order, the first of which shows them; half of them mirrored."""
    pixels, masks, boxes = [], [], []
    for thing in rng.integers(len(data.shown), size=size):
        present = np.flatnonzero(data.boxes[thing].numpy().any(axis=1))
        first = int(rng.choice(present))
        others = [k for k in range(len(data.shown[thing])) if k != first] or [first]
        order = [first, *rng.choice(others, SHOWN - 1, replace=len(others) < SHOWN - 1).tolist()]
        seen = data.pictures[[data.shown[thing][k] for k in order]]
        covered = data.masks[thing][order]
        box = data.boxes[thing][first].numpy()
        extent = np.tile(box[2:] - box[:2], 2)
        box = np.clip(box + rng.normal(0, BOX_NOISE, 4) * extent, 0, 1)
        if rng.random() < 0.5:
            seen, covered = seen.flip(-1), covered.flip(-1)
            box = np.array([1 - box[2], box[1], 1 - box[0], box[3]])
        pixels.append(seen)
        masks.append(covered)
        boxes.append(torch.from_numpy(box).float())
    return Batch(torch.stack(pixels), torch.stack(masks).float() / 255, torch.stack(boxes))


def losses(model: TinySegmenter, batch: Batch) -> dict[str, Tensor]:
    """Binary cross-entropy plus dice loss of the masks, of the first and of the followed frames."""
    n = len(batch.boxes)
    fine, coarse = model.encode(batch.pixels.flatten(0, 1))
    prompts = model.point(batch.boxes)
    prompts = prompts + PROMPT_NOISE * torch.randn_like(prompts)
    logits = torch.stack(model.follow(model.clips_of(fine, coarse, [SHOWN] * n), prompts), dim=0)
    each = functional.binary_cross_entropy_with_logits(logits, batch.masks, reduction="none").mean((2, 3))
    found = torch.sigmoid(logits)
    both = 2 * (found * batch.masks).sum((2, 3)) + 1
    dice = 1 - both / (found.sum((2, 3)) + batch.masks.sum((2, 3)) + 1)
    loss = 5 * each + dice
    box = (model.pointed(prompts) - batch.boxes).abs().mean()
    return {"first": loss[:, 0].mean(), "followed": loss[:, 1:].mean(), "box": 5 * box}


def rate(step: int, steps: int) -> float:
    """Share of the peak rate at an update (from 1): a linear warm-up, then half a cosine."""
    warm = min(1.0, step / max(1.0, WARMUP * steps))
    return warm * 0.5 * (1 + math.cos(math.pi * (step - 1) / steps))
