"""How good a segmenter is by itself: given the true box in the first frame, which no model had to say."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from tpru.grounding.mask_items import Mask, masks_of
from tpru.grounding.masks import fill_box
from tpru.grounding.metrics import region_similarity
from tpru.grounding.records import GroundingItem
from tpru.models.loading import device
from tpru.models.segmenter import Segmenter

# Clips that are looked at together: features of SAM 2 are 20 MB a picture.
TOGETHER = 8


def at_size(logits: Tensor, height: int, width: int) -> list[Mask]:
    """Logits (n, side, side) as n masks of the size of a picture."""
    size = (height, width)
    large = functional.interpolate(logits.float().unsqueeze(1), size, mode="bilinear", align_corners=False)
    return list((large.squeeze(1) > 0).cpu().numpy())


def score_segmenter(
    segmenter: Segmenter, items: Sequence[GroundingItem], picture_of: Callable[[str], Image.Image]
) -> dict[str, float]:
    """Mean J over frames; all items have masks (:func:`tpru.grounding.mask_items.has_masks`).

    Returns:
        ``first`` and ``first_box``: in first frames, of the segmenter and of the filled box.
        ``followed`` and ``followed_box``: in later frames that show the thing, the box staying where it was.
        ``absent``: the share of the other later frames in which nothing is found, as it should be.
        A mean of no frames is left out.
    """
    values: dict[str, list[float]] = {
        k: [] for k in ("first", "first_box", "followed", "followed_box", "absent")
    }
    for start in range(0, len(items), TOGETHER):
        chosen = items[start : start + TOGETHER]
        clips = [segmenter.look([picture_of(frame) for frame in item.frames]) for item in chosen]
        boxes = torch.tensor([item.regions[0].box for item in chosen], device=device())
        with torch.no_grad():
            logits = segmenter.follow(clips, segmenter.point(boxes))
        for item, of_item in zip(chosen, logits, strict=True):
            true = masks_of(item)
            height, width = true[0].shape
            staying = fill_box(item.regions[0].box, width, height)
            for t, (mask, found) in enumerate(zip(true, at_size(of_item, height, width), strict=True)):
                if t and not mask.any():
                    values["absent"].append(float(not found.any()))
                    continue
                name = "followed" if t else "first"
                values[name].append(region_similarity(found, mask))
                values[f"{name}_box"].append(region_similarity(staying, mask))
    return {name: float(np.mean(v)) for name, v in values.items() if v}
