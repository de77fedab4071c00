"""Fixed descriptors of pictures, without weights: how alike two pictures are if nothing is understood.

The guessers use them to look for shortcuts, the synthesis to leave none.
"""

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.float32]  # (n, SIDE, SIDE, 3), colours in [0, 1]
Floats = NDArray[np.float64]

SIDE = 32
THUMBNAIL = 16
LEVELS = 4  # of each colour channel in the histogram
GRID = 4
ANGLES = 8


def thumbnails(pictures: Pictures) -> NDArray[np.float32]:
    """Mean colours of 16x16 cells: (n, SIDE, SIDE, 3) to (n, 768)."""
    cell = SIDE // THUMBNAIL
    means = pictures.reshape(-1, THUMBNAIL, cell, THUMBNAIL, cell, 3).mean(axis=(2, 4))
    return means.reshape(len(pictures), -1)


def describe(pictures: Pictures) -> NDArray[np.float32]:
    """Colour histogram and, on a grid, histograms of edge directions: (n, SIDE, SIDE, 3) to (n, 192).

    After N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection" (2005), without
    their block normalisation. Both halves are roots of shares and sum to at most 1, so that neither outweighs
    the other.
    """
    n = len(pictures)
    levels = np.minimum((pictures * LEVELS).astype(np.int64), LEVELS - 1)
    colours = levels @ np.array([LEVELS * LEVELS, LEVELS, 1])
    down, right = np.gradient(pictures.mean(axis=-1), axis=(1, 2))
    angles = (np.arctan2(down, right) % np.pi / np.pi * ANGLES).astype(np.int64) % ANGLES
    row = np.arange(SIDE) * GRID // SIDE
    directions = (row[:, None] * GRID + row[None]) * ANGLES + angles
    strength = np.hypot(down, right)
    halves = [
        _histograms(colours.reshape(n, -1), np.ones((n, SIDE * SIDE)), LEVELS**3),
        _histograms(directions.reshape(n, -1), strength.reshape(n, -1), GRID * GRID * ANGLES),
    ]
    return np.concatenate([np.sqrt(half / half.shape[1]) for half in halves], axis=1).astype(np.float32)


def _histograms(bins: NDArray[np.int64], weights: NDArray[np.floating], n_bins: int) -> Floats:
    n = len(bins)
    flat = (bins + n_bins * np.arange(n)[:, None]).ravel()
    sums = np.bincount(flat, weights.ravel(), n * n_bins).reshape(n, n_bins)
    # the smallest weight stands for a picture without any edge
    return sums / np.maximum(sums.sum(axis=1, keepdims=True), 1e-6)
