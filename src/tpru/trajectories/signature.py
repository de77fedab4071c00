"""How different two pictures look: one measure for extraction, synthesis and the leak check."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

CELLS = 32
VISIBLE = 16  # of 255: above the noise of JPEG and video coding once averaged over a cell

Signature = NDArray[np.uint8]


def signature(image: Image.Image) -> Signature:
    """Mean colour of 32x32 cells: uint8 array of shape (32, 32, 3)."""
    return np.asarray(image.convert("RGB").resize((CELLS, CELLS), Image.Resampling.BOX))


def change(a: Signature, b: Signature) -> float:
    """Share of cells whose colour differs visibly in some channel, in [0, 1]."""
    difference = np.abs(a.astype(np.int16) - b.astype(np.int16)).max(axis=-1)
    return float((difference > VISIBLE).mean())


def near_duplicates(
    left: Sequence[Signature], right: Sequence[Signature], below: float
) -> list[tuple[int, int]]:
    """All pairs (i, j) with ``change(left[i], right[j]) < below``, sorted.

    A k-d tree over 4x4 block means finds the candidates. It misses none: when at most m of a block's 64
    cells differ by up to 255 and the others by at most 16, the block means differ by at most
    (255 m + 16 (64 - m)) / 64, and m is bounded by the cells that may differ in the whole picture.
    """
    if not len(left) or not len(right):
        return []
    cells = int(np.ceil(below * CELLS * CELLS)) - 1
    differing = min(max(cells, 0), 64)
    radius = (255 * differing + VISIBLE * (64 - differing)) / 64 + 1e-6
    trees = [cKDTree(np.stack([_blocks(s) for s in side])) for side in (left, right)]
    candidates = trees[0].query_ball_tree(trees[1], radius, p=np.inf)
    return sorted(
        (i, j) for i, near in enumerate(candidates) for j in near if change(left[i], right[j]) < below
    )


def _blocks(s: Signature) -> NDArray[np.float64]:
    return s.reshape(4, 8, 4, 8, 3).mean(axis=(1, 3)).ravel()
