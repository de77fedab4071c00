"""Masks as the records hold them: PNGs of one channel, 255 where the thing is."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from tpru.errors import CorruptMediaError
from tpru.grounding.records import BoxShares, GroundingItem
from tpru.store import encode_png

Mask = npt.NDArray[np.bool_]  # (height, width)


def encode(mask: Mask) -> bytes:
    """PNG bytes of a mask (height, width), the same for the same mask.

    Raises:
        ValueError: it is not a boolean array of two dimensions with at least one pixel.
    """
    if mask.dtype != np.bool_ or mask.ndim != 2 or not mask.size:
        raise ValueError(f"a mask is a boolean array (height, width), not {mask.dtype} {mask.shape}")
    return encode_png(Image.fromarray(mask.astype(np.uint8) * 255))


def decode(data: bytes, where: str = "a mask") -> Mask:
    """The mask (height, width) of PNG bytes; grey values from 128 on belong to the thing.

    ``where`` names the mask in errors.

    Raises:
        CorruptMediaError: Pillow cannot read the bytes, or they hold more than one channel.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode not in ("L", "1"):
                raise CorruptMediaError(
                    f"{where} is a picture of mode {image.mode}, expected one channel with 255 where the "
                    "thing is; write it with tpru.grounding.masks.encode"
                )
            return np.asarray(image.convert("L")) > 127
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise CorruptMediaError(
            f"{where} ({len(data)} bytes) cannot be read as a PNG: {error}; make the record anew"
        ) from error


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of an encoded mask, read from its header.

    Raises:
        CorruptMediaError: Pillow cannot read the header.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise CorruptMediaError(
            f"a mask of {len(data)} bytes is no PNG: {error}; make the record anew"
        ) from error


def mask_size(item: GroundingItem) -> tuple[int, int] | None:
    """Width and height in pixels of the masks of an item; None where it has none.

    Raises:
        CorruptMediaError: see :func:`size_of`.
    """
    return next((size_of(region.mask) for region in item.regions if region.mask), None)


def box_of_mask(mask: Mask) -> BoxShares:
    """The smallest box around a mask as shares of the picture; empty where the mask is.

    Its edges lie between pixels: the box of a mask that is true everywhere is (0, 0, 1, 1).
    """
    height, width = mask.shape
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(down):
        return ()
    edges = (across[0] / width, down[0] / height, (across[-1] + 1) / width, (down[-1] + 1) / height)
    return tuple(float(edge) for edge in edges)


def fill_box(box: BoxShares, width: int, height: int) -> Mask:
    """The mask (height, width) of the pixels whose centres are in a box; nothing for an empty box."""
    if not box:
        return np.zeros((height, width), np.bool_)
    left, top, right, bottom = box
    across, down = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    inside: Mask = ((top <= down) & (down < bottom))[:, None] & ((left <= across) & (across < right))
    return inside
