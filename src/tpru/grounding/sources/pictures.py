"""Pictures, boxes and masks of the dense datasets in the one form that the records have."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tpru.config.grounding_datasets import DatasetBase
from tpru.errors import CorruptMediaError, ManifestError
from tpru.files import sha256_bytes
from tpru.grounding.records import BoxShares, Region
from tpru.grounding.sources.rle import Mask
from tpru.store import decode_image, encode_jpeg, encode_png


@dataclass(frozen=True)
class Stored:
    """A picture as it is kept: its encoded bytes, their SHA-256 sum, and width and height of it."""

    data: bytes
    frame_id: str
    size: tuple[int, int]


def stored(image: Image.Image, config: DatasetBase) -> Stored:
    """Shrink a picture so that its longer side is at most ``frame_size`` (0: as it is) and encode it."""
    scale = config.frame_size / max(image.size) if config.frame_size else 1.0
    if scale < 1.0:
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
    data = encode_jpeg(image, config.jpeg_quality)
    return Stored(data, sha256_bytes(data), image.size)


def read_picture(path: Path, where: str) -> Image.Image:
    """The RGB picture in a file; ``where`` names what asks for it.

    Raises:
        ManifestError: the file does not exist.
        CorruptMediaError: it cannot be decoded.
    """
    if not path.is_file():
        raise ManifestError(f"{where}: the picture {path} does not exist; unpack the archive whole")
    try:
        return decode_image(path.read_bytes())
    except Exception as error:  # Pillow's readers raise many types for damaged files
        raise CorruptMediaError(
            f"{where}: the picture {path} cannot be decoded ({type(error).__name__}: {error}); replace "
            "the file"
        ) from error


def evenly(count: int, most: int) -> list[int]:
    """At most ``most`` places of ``count``: those that stretches of equal length begin with."""
    chosen = min(count, most)
    return [place * count // chosen for place in range(chosen)]


def box_shares(pixels: Sequence[float], size: tuple[int, int], where: str) -> BoxShares:
    """Left, top, width, height in pixels from 0 to left, top, right, bottom as shares, clipped.

    Raises:
        ManifestError: it is no box, or lies outside the picture of this width and height.
    """
    plain = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in pixels)
    if not plain or len(pixels) != 4 or not np.isfinite(list(pixels)).all() or min(pixels[2:]) <= 0:
        raise ManifestError(
            f"{where}: expected a box as left, top, width, height with an area, found {pixels!r:.80}; "
            "restore the file"
        )
    left, top, width, height = pixels
    edges = (left / size[0], top / size[1], (left + width) / size[0], (top + height) / size[1])
    shares = tuple(min(max(float(edge), 0.0), 1.0) for edge in edges)
    if shares[0] >= shares[2] or shares[1] >= shares[3]:
        raise ManifestError(
            f"{where}: the box {list(pixels)} lies outside its picture of {size[0]} x {size[1]} pixels; take "
            "pictures and annotations of the same release, or leave this one out"
        )
    return shares


def mask_region(frame: int, mask: Mask, picture: Stored) -> Region:
    """The region of a mask (height, width of the original picture) in the picture as it is kept.

    Shrunk by the nearest pixel. What is left without a pixel counts as not in the frame.
    """
    whole = Image.fromarray(mask.astype(np.uint8) * 255)
    small = whole if whole.size == picture.size else whole.resize(picture.size, Image.Resampling.NEAREST)
    if not small.getbbox():
        return Region(frame, ())
    left, top, right, bottom = whole.getbbox() or (0, 0, 0, 0)
    box = (left / whole.width, top / whole.height, right / whole.width, bottom / whole.height)
    return Region(frame, box, encode_png(small))
