"""The masks of items, as arrays."""

import numpy as np

from tpru.grounding.masks import Mask, decode
from tpru.grounding.records import GroundingItem


def has_masks(item: GroundingItem) -> bool:
    """Whether a mask says where the thing is: in the first frame, and wherever else it has a box."""
    if item.task != "mask" or not item.regions or not item.regions[0].mask:
        return False
    return all(bool(r.mask) == bool(r.box) for r in item.regions)


def masks_of(item: GroundingItem) -> list[Mask]:
    """The mask (height, width) in each frame, one without anything set where the thing is not there.

    Raises:
        CorruptMediaError: a mask is no picture.
    """
    places = [f"the mask of frame {r.frame} of item {item.item_id}" for r in item.regions]
    decoded = [
        decode(r.mask, place) if r.mask else None for r, place in zip(item.regions, places, strict=True)
    ]
    shape = next(m.shape for m in decoded if m is not None)
    return [np.zeros(shape, dtype=np.bool_) if m is None else m for m in decoded]
