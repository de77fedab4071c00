"""Random moments, highlights, boxes and masks whose figures by other programs stand in the tests."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def moment_queries(n: int = 40) -> list[tuple[list[tuple[float, ...]], list[tuple[float, ...]]]]:
    """Per query up to 14 proposals (start, end, score), with equal scores among them, and 1 to 4 moments."""
    rng = np.random.default_rng(11)
    queries = []
    for _ in range(n):
        starts = rng.uniform(0, 100, rng.integers(1, 5))
        truth = [(float(s), float(s + rng.uniform(5, 50))) for s in starts]
        proposed = []
        for _ in range(rng.integers(1, 15)):
            start, end = truth[rng.integers(len(truth))]
            shift = rng.normal(0, 4, 2)
            proposed.append((float(start + shift[0]), float(end + abs(shift[1])), float(rng.integers(8)) / 8))
        queries.append((proposed, truth))
    return queries


def highlight_queries(n: int = 12) -> list[tuple[Floats, Floats]]:
    """Per query the saliency of 20 stretches, with equal values, and three annotators' scores of -1 to 4."""
    rng = np.random.default_rng(12)
    queries = []
    for k in range(n):
        judged = rng.integers(-1, 5, (3, 20)).astype(np.float64)
        if k % 4 == 0:
            judged[0] = 1
        if k % 4 == 1:
            judged[1] = 4
        queries.append((rng.integers(0, 9, 20) / 8, judged))
    return queries


def box_pairs(n: int = 12) -> tuple[Floats, Floats]:
    """Boxes (n, 4) and others near them."""
    rng = np.random.default_rng(13)
    corners, sides = rng.uniform(0, 0.6, (n, 2)), rng.uniform(0.05, 0.4, (n, 2))
    truth = np.concatenate([corners, corners + sides], axis=1)
    moved = corners + rng.normal(0, 0.08, (n, 2))
    return np.concatenate([moved, moved + sides * rng.uniform(0.6, 1.6, (n, 2))], axis=1), truth


def mask_pairs(n: int = 10) -> list[tuple[Mask, Mask]]:
    """Masks of blobs of 60 x 90 and 240 x 427 pixels, some of which touch the edge, and others near them."""
    rng = np.random.default_rng(14)
    pairs = []
    for k in range(n):
        size = (60, 90) if k % 2 else (240, 427)
        centre, reach = rng.uniform(0.1, 0.9, 2), rng.uniform(0.1, 0.4, 2)
        shift, grow = rng.normal(0, 0.03, 2), float(rng.uniform(0.8, 1.2))
        pairs.append((_blob(size, centre, reach, shift, grow), _blob(size, centre, reach, 0 * shift, 1.0)))
    return pairs


def _blob(size: tuple[int, int], centre: Floats, reach: Floats, shift: Floats, grow: float) -> Mask:
    y, x = np.mgrid[: size[0], : size[1]]
    across = (x / size[1] - centre[0] - shift[0]) / reach[0]
    down = (y / size[0] - centre[1] - shift[1]) / reach[1]
    wave = 1 + 0.3 * np.sin(5 * np.arctan2(down, across) + 40 * shift[0])
    return np.asarray(np.hypot(across, down) < grow * wave, np.bool_)
