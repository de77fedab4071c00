"""The one answer that suits many dense items best: a window, a box or a mask, chosen on training items."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from PIL import Image

from tpru.grounding.masks import Mask, decode, fill_box
from tpru.grounding.metrics import MOST_MOMENTS, Floats, box_iou, temporal_iou
from tpru.grounding.records import BoxShares, GroundingItem

MOST_FIT = 2000  # items to choose on: more cost time and would not change the choice
MOST_FRAMES = 4  # of each of them
CELLS = 32  # masks are compared on a grid of so many cells each way
WINDOW_EDGES = np.arange(21) / 20
BOX_SIDES = list(combinations(np.arange(11) / 10, 2))
BOXES = np.array([(x[0], y[0], x[1], y[1]) for x, y in product(BOX_SIDES, BOX_SIDES)])
STEPS = (0.05, 0.02, 0.01)  # by which the edges of the best box are moved on
PAIRS = 1 << 17  # of boxes, compared at once
APART = 0.5  # IoU above which a further window says the same


@dataclass(frozen=True)
class Window:
    """A stretch of a clip as shares of its duration, and its mean IoU on the items that it was chosen on."""

    start: float
    end: float
    score: float


@dataclass(frozen=True)
class Shape:
    """What to answer: ``windows`` best first (temporal), a ``box`` (region, mask), a ``cells`` mask (mask).

    ``cells`` is (32, 32) and spans the picture; None where no training item had a mask.
    """

    windows: tuple[Window, ...] = ()
    box: BoxShares = ()
    cells: Mask | None = None


def fit(items: Sequence[GroundingItem]) -> Shape:
    """The constant answer of the highest mean IoU on items of one task, at least one.

    Of more than 2000 a subset that does not depend on their order is looked at.
    """
    some = sorted(items, key=lambda item: (zlib.crc32(item.item_id.encode()), item.item_id))[:MOST_FIT]
    if some[0].task == "temporal":
        return Shape(windows=best_windows(some))
    regions = [region for item in some for region in item.regions[:MOST_FRAMES] if region.box]
    boxes = np.array([region.box for region in regions])
    box = best_box(boxes) if len(boxes) else ()
    masks = [in_cells(decode(region.mask)) for region in regions if region.mask]
    return Shape(box=box, cells=best_mask(np.array(masks), box) if masks else None)


def best_windows(items: Sequence[GroundingItem]) -> tuple[Window, ...]:
    """Up to ten windows with edges at multiples of 0.05, by mean IoU with the item's best moment.

    Each overlaps those before it by an IoU of at most 0.5, as in a list that is scored by its first ten.
    """
    grid = np.array(list(combinations(WINDOW_EDGES, 2)))
    total = np.zeros(len(grid))
    for item in items:
        moments = np.array([(m.start_s, m.end_s) for m in item.moments]) / max(item.duration, 1e-9)
        total += temporal_iou(grid, moments).max(axis=1, initial=0.0)
    kept: list[int] = []
    for k in np.argsort(-total, kind="stable"):
        if len(kept) < MOST_MOMENTS and (temporal_iou(grid[[k]], grid[kept]) <= APART).all():
            kept.append(int(k))
    return tuple(Window(float(grid[k, 0]), float(grid[k, 1]), float(total[k] / len(items))) for k in kept)


def best_box(boxes: Floats) -> BoxShares:
    """The box of the highest mean IoU with ``boxes`` (n, 4): from a grid, or their median, then moved on."""
    best, value = _best(np.vstack([BOXES, np.median(boxes, axis=0)]), boxes)
    for step in STEPS:
        while True:
            moves = best + step * np.concatenate([np.eye(4), -np.eye(4)])
            moved, better = _best(np.clip(moves, 0.0, 1.0), boxes)
            if better <= value + 1e-12:
                break
            best, value = moved, better
    return tuple(float(edge) for edge in best)


def best_mask(masks: Mask, box: BoxShares) -> Mask:
    """The mask (32, 32) of the highest mean IoU with ``masks`` (n, 32, 32).

    Of the cells that more than some share of the masks have, for shares of 0.05 to 0.95, and the filled box.
    """
    shares = masks.mean(axis=0)
    found = [shares > threshold for threshold in np.arange(1, 20) / 20]
    candidates = np.array([fill_box(box, CELLS, CELLS), *(mask for mask in found if mask.any())])
    flat, truth = (x.reshape(len(x), -1).astype(np.float32) for x in (candidates, masks))
    shared = flat @ truth.T
    union = flat.sum(axis=1)[:, None] + truth.sum(axis=1) - shared
    chosen: Mask = candidates[int(np.argmax((shared / np.maximum(union, 1)).mean(axis=1)))]
    return chosen


def in_cells(mask: Mask) -> Mask:
    """A mask on the grid (32, 32): the cells that are covered half as much as the fullest, or more."""
    image = Image.fromarray(mask.astype(np.uint8) * 255).resize((CELLS, CELLS), Image.Resampling.BOX)
    covered = np.asarray(image).astype(np.int64)
    cells: Mask = (covered > 0) & (2 * covered >= covered.max())
    return cells


def at_size(cells: Mask, width: int, height: int) -> Mask:
    """A mask of the grid as one of (height, width)."""
    image = Image.fromarray(cells.astype(np.uint8) * 255).resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(image) > 0


def _best(candidates: Floats, boxes: Floats) -> tuple[Floats, float]:
    # One candidate after another would take long, all at once much memory.
    parts = np.array_split(candidates, 1 + len(candidates) * len(boxes) // PAIRS)
    means = np.concatenate([box_iou(part[:, None], boxes).mean(axis=1) for part in parts])
    k = int(np.argmax(means))
    return candidates[k], float(means[k])
