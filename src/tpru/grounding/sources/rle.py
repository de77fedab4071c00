"""COCO segmentations to masks: polygons, and run lengths as a list or as text (arXiv 1405.0312).

Run lengths count pixels down the columns, first those outside the thing, then those in it, and so on. As
text, each is a number in groups of five bits, lowest first, a character (from "0") per group whose sixth bit
says that another follows; a negative number ends in a group with its fifth bit set. From the third run on it
is the difference to the run two before.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpru.errors import ManifestError

Mask = NDArray[np.bool_]  # (height, width)


def decode(segmentation: Any, height: int, width: int, where: str) -> Mask:
    """The mask (height, width) of a COCO segmentation; ``where`` names file and place for messages.

    Raises:
        ManifestError: it is neither polygons nor run lengths, or not those of a picture of this size.
    """
    if isinstance(segmentation, list) and segmentation:
        return fill(segmentation, height, width, where)
    counts = segmentation.get("counts") if isinstance(segmentation, dict) else None
    if not isinstance(counts, (str, list)):
        raise ManifestError(
            f"{where}: expected polygons (a list of lists) or run lengths (an object with 'size' and "
            f"'counts'), found {segmentation!r:.80}; restore the file"
        )
    if segmentation.get("size") != [height, width]:
        raise ManifestError(
            f"{where}: the run lengths are of a picture with height and width {segmentation.get('size')}, "
            f"the picture has {[height, width]}; take pictures and annotations of the same release"
        )
    runs = _numbers(counts, where) if isinstance(counts, str) else counts
    plain = all(isinstance(run, int) and not isinstance(run, bool) and run >= 0 for run in runs)
    if not plain or sum(runs) != height * width:
        said = f"add up to {sum(runs)}" if plain else "hold something else than whole numbers from 0"
        raise ManifestError(
            f"{where}: the run lengths {said}, expected {height * width} pixels ({height} x {width}); "
            "restore the file"
        )
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape((height, width), order="F")


def _numbers(text: str, where: str) -> list[int]:
    """Run lengths from their text."""
    runs: list[int] = []
    number = shift = 0
    for place, character in enumerate(text):
        group = ord(character) - 48
        if not 0 <= group < 64:
            raise ManifestError(f"{where}: character {place} of 'counts' is {character!r}; restore the file")
        number |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
        number = shift = 0
    if shift:
        raise ManifestError(f"{where}: 'counts' ends within a number; restore the file")
    return runs


def fill(polygons: list[Any], height: int, width: int, where: str) -> Mask:
    """The pixels whose centres lie in one of the polygons, each [x0, y0, x1, y1, ...] in pixels.

    Within one polygon a pixel is in where a ray to its left crosses the outline an odd number of times.

    Raises:
        ManifestError: a polygon has less than three points, or something else than numbers.
    """
    mask = np.zeros((height, width), dtype=np.bool_)
    for polygon in polygons:
        flat = polygon if isinstance(polygon, list) else []
        numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in flat)
        if not numbers or len(flat) < 6 or len(flat) % 2 or not np.isfinite(flat).all():
            raise ManifestError(
                f"{where}: expected a polygon of three or more points as x, y, x, y, ..., found "
                f"{polygon!r:.80}; restore the file"
            )
        mask |= _inside(np.asarray(flat, dtype=np.float64).reshape(-1, 2), height, width)
    return mask


def _inside(points: NDArray[np.float64], height: int, width: int) -> Mask:
    # Each crossing toggles what is right of it in its row: counted where it is, added up along the row.
    toggles = np.zeros((height, width + 1), dtype=np.int64)
    for (x0, y0), (x1, y1) in pairwise([*points, points[0]]):
        if y0 == y1:
            continue
        low, high = sorted((y0, y1))
        # Half open, so that a corner on the line of the centres counts once.
        first, last = np.clip(np.ceil(np.array([low, high]) - 0.5), 0, height).astype(int)
        rows = np.arange(first, last)
        crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        columns = np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)
        np.add.at(toggles, (rows, columns), 1)
    inside: Mask = np.cumsum(toggles[:, :-1], axis=1) % 2 == 1
    return inside
