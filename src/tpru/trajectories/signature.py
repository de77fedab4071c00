"""How different two pictures look: one measure for extraction, synthesis and the leak check."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

CELLS = 32
LEVELS = 4  # of each channel, where colours are counted
VISIBLE = 16  # of 255: above the noise of JPEG and video coding once averaged over a cell

Signature = NDArray[np.uint8]


def signature(image: Image.Image) -> Signature:
    """Mean colour of 32x32 cells: uint8 array of shape (32, 32, 3)."""
    return np.asarray(image.convert("RGB").resize((CELLS, CELLS), Image.Resampling.BOX))


def change(a: Signature, b: Signature) -> float:
    """Share of cells whose colour differs visibly in some channel, in [0, 1]."""
    return float(_differing(a[None], b)[0]) / CELLS**2


def colour_change(a: Signature, b: Signature) -> float:
    """Share of cells whose colour (of 64) the other picture lacks, wherever it is; in [0, 1].

    Small while a camera moves within a place, large between two places.
    """
    weights = np.array([LEVELS * LEVELS, LEVELS, 1])
    counts = [
        np.bincount((s.astype(np.int64) * LEVELS // 256 @ weights).ravel(), minlength=LEVELS**3)
        for s in (a, b)
    ]
    return float(np.abs(counts[0] - counts[1]).sum()) / (2 * CELLS**2)


def alike(many: Signature, one: Signature, below: float) -> NDArray[np.bool_]:
    """Whether ``change(many[i], one) < below``, for signatures (n, 32, 32, 3): (n,).

    A sixteenth of the cells, then a quarter, show of most pictures that too much has changed already.
    """
    left = np.arange(len(many))
    for step in (4, 2, 1):
        differing = _differing(many[left, ::step, ::step], one[::step, ::step])
        left = left[differing < below * CELLS**2]
    found = np.zeros(len(many), np.bool_)
    found[left] = True
    return found


def _differing(many: Signature, one: Signature) -> NDArray[np.uint16]:
    # Larger less smaller stays in uint8, which is several times as fast as a signed difference.
    visible = np.maximum(many, one) - np.minimum(many, one) > VISIBLE
    cells = visible[..., 0] | visible[..., 1] | visible[..., 2]
    return np.asarray(cells.reshape(len(many), cells.shape[1] * cells.shape[2]).sum(axis=1, dtype=np.uint16))


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
