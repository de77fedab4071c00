"""The masks of items, as arrays."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tpru.errors import CorruptMediaError
from tpru.grounding.records import GroundingItem

Mask = NDArray[np.bool_]


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
    decoded = [_decoded(item.item_id, r.frame, r.mask) if r.mask else None for r in item.regions]
    shape = next(m.shape for m in decoded if m is not None)
    return [np.zeros(shape, dtype=np.bool_) if m is None else m for m in decoded]


def _decoded(item_id: str, frame: int, data: bytes) -> Mask:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("L")) > 127
    except (OSError, SyntaxError) as error:
        raise CorruptMediaError(
            f"item {item_id}: the mask of frame {frame} is no PNG ({error}); run stage grounding again"
        ) from error
