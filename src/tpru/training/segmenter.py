"""Training of the tiny segmenter: a box in one frame -> the thing's mask there and in other frames.

Only what pictures and masks say is learned; what a thing is called never enters. The vision-language model
later learns to make prompts that this network, then frozen, understands.
"""

import json
import math
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
from tpru.errors import EmptySourceError
from tpru.grounding.mask_items import Mask, has_masks, masks_of
from tpru.grounding.records import GroundingItem
from tpru.models.segmenter.tiny import TinySegmenter, TinySegmenterConfig, pixels_of
from tpru.randomness import generator
from tpru.run import say

# A box that is pointed at is off by so much of its size, as boxes that a model says are.
BOX_NOISE = 0.06
# Numbers of a prompt are about 1; they are off by up to so much, from prompt to prompt more and less: an
# adapter's prompts are never quite those of a box.
PROMPT_NOISE = 0.2
# In the loss, cross-entropy weighs so much beside dice, which small things dominate.
ENTROPY = 5.0
# Share of the updates during which the rate rises.
WARMUP = 0.05
TOLD_EVERY = 100


@dataclass(frozen=True)
class Examples:
    """Things to find. Pictures are uint8 (n, 3, picture, picture), each once.

    By thing: rows of its frames in ``pictures``; ``masks``, uint8 (frames, side, side), 255 where a pixel is
    all covered; ``boxes`` (frames, 4) in shares, zeros where it is not in the frame.
    """

    pictures: Tensor
    frames: tuple[tuple[int, ...], ...]
    masks: tuple[Tensor, ...]
    boxes: tuple[Tensor, ...]


def examples(
    items: Sequence[GroundingItem], picture_of: Callable[[str], Image.Image], picture: int, side: int
) -> Examples:
    """Items with masks as tensors: pictures of ``picture`` pixels a side, masks of ``side``.

    Raises:
        EmptySourceError: there are none.
        CorruptMediaError: a mask is no picture.
    """
    chosen = [item for item in items if has_masks(item)]
    if not chosen:
        raise EmptySourceError(
            f"none of {len(items)} training items has masks to learn from: raise "
            "grounding.simulated.per_trajectory.mask or lower grounding.simulated.least_share, or set "
            "segmenter.kind=sam2, which needs none"
        )
    rows = {frame: row for row, frame in enumerate(sorted({f for item in chosen for f in item.frames}))}
    return Examples(
        torch.cat([pixels_of([picture_of(frame)], picture) for frame in rows]),
        tuple(tuple(rows[frame] for frame in item.frames) for item in chosen),
        tuple(torch.from_numpy(np.stack([_shrunk(m, side) for m in masks_of(item)])) for item in chosen),
        tuple(torch.tensor([r.box or (0.0,) * 4 for r in item.regions]) for item in chosen),
    )


def _shrunk(mask: Mask, side: int) -> NDArray[np.uint8]:
    """How much of each of side x side pixels is covered, 0 to 255."""
    whole = Image.fromarray(mask).convert("L")
    return np.asarray(whole.resize((side, side), Image.Resampling.BOX))


@dataclass(frozen=True)
class Batch:
    """Two frames of each thing, the one that is pointed at and one to find it in.

    pixels uint8 (n, 2, 3, picture, picture), masks (n, 2, side, side) in [0, 1], boxes (n, 4) in the first.
    """

    pixels: Tensor
    masks: Tensor
    boxes: Tensor


def draw(data: Examples, size: int, rng: np.random.Generator) -> Batch:
    """Things in a frame that shows them and, where there is one, a later frame."""
    pixels, masks, boxes = [], [], []
    for thing in rng.integers(len(data.frames), size=size):
        true = data.boxes[thing].numpy()
        first = int(rng.choice(np.flatnonzero(true.any(axis=1))))
        other = int(rng.choice(range(first + 1, len(true)))) if first + 1 < len(true) else 0
        left, top, right, bottom = true[first]
        noise = BOX_NOISE * rng.normal(size=4) * (right - left, bottom - top, right - left, bottom - top)
        pixels.append(data.pictures[[data.frames[thing][k] for k in (first, other)]])
        masks.append(data.masks[thing][[first, other]])
        boxes.append(torch.from_numpy(np.clip(true[first] + noise, 0, 1)).float())
    return Batch(torch.stack(pixels), torch.stack(masks).float() / 255, torch.stack(boxes))


def losses(model: TinySegmenter, batch: Batch) -> dict[str, Tensor]:
    """Cross-entropy plus dice loss, by frame.

    Dice is that of arXiv 1606.04797, with squares: it is 0 where both masks agree, half covered pixels too,
    of which small things have many.
    """
    prompts = model.point(batch.boxes)
    strength = PROMPT_NOISE * torch.rand(len(prompts), 1)
    prompts = prompts + strength * torch.randn_like(prompts)
    seen = model.encode(batch.pixels.flatten(0, 1))
    logits = torch.stack(model.follow([seen[k : k + 2] for k in range(0, len(seen), 2)], prompts))
    entropy = functional.binary_cross_entropy_with_logits(logits, batch.masks, reduction="none").mean((2, 3))
    found = torch.sigmoid(logits)
    # One pixel more in both: a thing that is not there, and is not found, has no loss.
    both = 2 * (found * batch.masks).sum((2, 3)) + 1
    all_of_both = found.square().sum((2, 3)) + batch.masks.square().sum((2, 3)) + 1
    loss = ENTROPY * entropy + 1 - both / all_of_both
    return {"first": loss[:, 0].mean(), "followed": loss[:, 1].mean()}


def rate(update: int, updates: int) -> float:
    """Share of the peak rate at an update, counted from 1: a linear rise, then half a cosine."""
    rising = min(1.0, update / (WARMUP * updates))
    return rising * 0.5 * (1 + math.cos(math.pi * (update - 1) / updates))


def train(data: Examples, config: SegmenterConfig, seed: int, log: Path) -> TinySegmenter:
    """A tiny segmenter, on the CPU: the same seed gives the same bytes on the same machine.

    It writes ``log``, one record per update. The two parts of the loss count alike.
    """
    torch.manual_seed(seed)
    model = TinySegmenter(TinySegmenterConfig(picture=config.side, width=config.width))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=0.02, betas=(0.9, 0.98)
    )
    recent: list[dict[str, float]] = []
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream:
        for update in range(1, config.updates + 1):
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * rate(update, config.updates)
            batch = draw(data, config.batch_size, generator(seed, "segmenter", str(update)))
            parts = losses(model, batch)
            (parts["first"] + parts["followed"]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            recent.append({name: float(part.detach()) for name, part in parts.items()})
            stream.write(json.dumps({"step": update, **recent[-1]}) + "\n")
            if update % TOLD_EVERY == 0 or update == config.updates:
                means = {name: np.mean([r[name] for r in recent]) for name in parts}
                shown = "  ".join(f"{name} {mean:.3f}" for name, mean in means.items())
                say(f"segmenter {update}/{config.updates}  {shown}")
                recent = []
    return model.eval()
