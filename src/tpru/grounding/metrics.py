"""How well moments, boxes and masks were found: pure functions on arrays.

Moments are (start, end) in seconds, boxes (left, top, right, bottom) as shares of the picture, masks boolean
arrays (height, width). An end before its start, and a box turned inside out, have no extent.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from tpru.grounding.masks import Mask

Floats = npt.NDArray[np.float64]

MOMENT_THRESHOLDS: Floats = np.arange(50, 100, 5) / 100
MOST_MOMENTS = 10
VERY_GOOD = 4.0
OVERLAP_THRESHOLDS: Floats = np.arange(21) / 20
PRECISION_PIXELS = 20.0
PRECISION_NORMALISED = 0.2
CONTOUR_TOLERANCE = 0.008


# Moments.


def temporal_iou(a: Any, b: Any) -> Floats:
    """Intersection over union of each moment of ``a`` (n, 2) with each of ``b`` (m, 2): (n, m).

    Two moments without extent have none in common: 0.
    """
    left, right = np.asarray(a, np.float64).reshape(-1, 1, 2), np.asarray(b, np.float64).reshape(1, -1, 2)
    shared = np.minimum(left[..., 1], right[..., 1]) - np.maximum(left[..., 0], right[..., 0])
    lengths = [np.maximum(x[..., 1] - x[..., 0], 0.0) for x in (left, right)]
    return _over(np.maximum(shared, 0.0), lengths[0] + lengths[1])


def best_moment_iou(proposed: Any, truth: Any) -> float:
    """IoU of the first of ``proposed`` (n, 2) with the moment of ``truth`` (m, 2) that suits it best.

    R@1 at IoU t asks whether it is at least t (arXiv 2107.09609). Nothing proposed, or no truth: 0.
    """
    return float(temporal_iou(np.asarray(proposed, np.float64).reshape(-1, 2)[:1], truth).max(initial=0.0))


def moment_average_precision(proposed: Any, truth: Any) -> Floats:
    """Average precision of one query at the ten IoUs of :data:`MOMENT_THRESHOLDS`: (10,).

    MR-mAP of QVHighlights (arXiv 2107.09609) is its mean over queries and IoUs. Of ``proposed`` (n, 3), each
    start, end and score, the first ten count. From the highest score down each takes the free moment of
    ``truth`` (m, 2) that it overlaps most; one that finds none free is wrong. Precision at a recall is the
    best one at this or a higher recall.
    """
    kept = np.asarray(proposed, np.float64).reshape(-1, 3)[:MOST_MOMENTS]
    kept = kept[np.argsort(-kept[:, 2], kind="stable")]
    overlaps = temporal_iou(kept[:, :2], truth)
    return np.array([_moment_ap(overlaps, threshold) for threshold in MOMENT_THRESHOLDS])


def _moment_ap(overlaps: Floats, threshold: float) -> float:
    n, m = overlaps.shape
    free, right = np.ones(m, np.bool_), np.zeros(n, np.bool_)
    for k, row in enumerate(overlaps):
        # From behind: of equals the benchmark's own program takes the last.
        open_ = np.flatnonzero(free & (row >= threshold))[::-1]
        if len(open_):
            right[k] = True
            free[open_[np.argmax(row[open_])]] = False
    if not n or not m:
        return 0.0
    precision = np.cumsum(right) / np.arange(1, n + 1)
    return float(_best_from_here(precision)[right].sum() / m)


def hit_at_one(saliency: Any, judged: Any) -> bool:
    """Whether the stretch of highest ``saliency`` (stretches,) was very good to some annotator.

    ``judged`` is (annotators, stretches) with scores of 0 to 4, -1 where nobody was asked, which is not very
    good. HIT@1 of QVHighlights (arXiv 2107.09609) is its share. Of equals the first counts.
    """
    scores, truth = np.asarray(saliency, np.float64), np.asarray(judged, np.float64)
    return bool(len(scores)) and bool((truth[:, np.argmax(scores)] >= VERY_GOOD).any())


def highlight_average_precision(saliency: Any, judged: Any) -> float:
    """Average precision of ``saliency`` (stretches,) for very good stretches, mean over annotators.

    HL-mAP of QVHighlights (arXiv 2107.09609); ``judged`` as in :func:`hit_at_one`. The mean of the best
    precisions at each recall that some threshold reaches, 1 for an annotator to whom all is very good, and 0
    for one to whom nothing is: such queries lower the mean for everyone, as in the benchmark's own figures.
    """
    scores, truth = np.asarray(saliency, np.float64), np.asarray(judged, np.float64) >= VERY_GOOD
    if not len(scores):
        return 0.0
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    return float(np.mean([_highlight_ap(row[order], ends) for row in truth]))


def _highlight_ap(positive: npt.NDArray[np.bool_], ends: npt.NDArray[np.intp]) -> float:
    if positive.all() or not positive.any():
        return float(positive.all())
    found = np.cumsum(positive)[ends]
    rises = np.diff(found, prepend=0) > 0
    return float(_best_from_here(found / (ends + 1))[rises].mean())


def _best_from_here(precision: Floats) -> Floats:
    return np.maximum.accumulate(precision[::-1])[::-1]


# Boxes.


def box_iou(a: Any, b: Any) -> Floats:
    """Intersection over union of boxes (..., 4), pair by pair: (...). Two of no extent have 0."""
    return _shared_and_union(a, b)[0]


def box_giou(a: Any, b: Any) -> Floats:
    """Generalised IoU of boxes (..., 4), pair by pair, from -1 to 1: (...).

    Source: arXiv 1902.09630, IoU - (C - U) / C where C is the area of the smallest box around both and U of
    their union. -1 where C is 0.
    """
    iou, union = _shared_and_union(a, b)
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    hull = _area(np.concatenate([np.minimum(x, y)[..., :2], np.maximum(x, y)[..., 2:]], axis=-1))
    gap = np.divide(hull - union, hull, out=np.ones_like(hull), where=hull > 0)
    return np.asarray(iou - gap)


def _shared_and_union(a: Any, b: Any) -> tuple[Floats, Floats]:
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    corners = np.concatenate([np.maximum(x, y)[..., :2], np.minimum(x, y)[..., 2:]], axis=-1)
    # A box turned inside out has no area, so that it may not share any.
    shared = np.minimum(_area(corners), np.minimum(_area(x), _area(y)))
    areas = _area(x) + _area(y)
    return _over(shared, areas), np.asarray(areas - shared)


def _area(box: Floats) -> Floats:
    sides = np.maximum(box[..., 2:] - box[..., :2], 0.0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def _over(shared: Floats, together: Floats) -> Floats:
    union = np.asarray(together - shared)
    return np.divide(shared, union, out=np.zeros_like(union), where=union > 0)


# Tracking. Frames in which the thing is not seen are left out by the caller.


def success_auc(overlaps: Any) -> float:
    """Area under the success plot of a clip from its box IoUs (frames,), in [0, 20/21].

    LaSOT (arXiv 1809.07845): mean over the thresholds 0, 0.05 .. 1 of the share of frames whose IoU is above
    it; a benchmark's figure is the mean over its clips. Nothing is above 1, hence the upper end.
    """
    return float((np.asarray(overlaps, np.float64)[:, None] > OVERLAP_THRESHOLDS).mean())


def centre_errors(predicted: Any, truth: Any, width: float, height: float) -> Floats:
    """Distances between the centres of boxes (frames, 4) in pixels of a picture of this size: (frames,)."""
    apart = _centre(predicted) - _centre(truth)
    return np.hypot(apart[..., 0] * width, apart[..., 1] * height)


def normalised_centre_errors(predicted: Any, truth: Any) -> Floats:
    """Distances between centres, across in widths and down in heights of the true box: (frames,).

    Source: LaSOT (arXiv 1809.07845), after arXiv 1803.10794. Infinite where the true box has no extent.
    """
    box = np.asarray(truth, np.float64)
    sides = box[..., 2:] - box[..., :2]
    apart = np.abs(_centre(predicted) - _centre(box))
    scaled = np.divide(apart, sides, out=np.full_like(apart, np.inf), where=sides > 0)
    return np.hypot(scaled[..., 0], scaled[..., 1])


def precision_at(errors: Any, most: float) -> float:
    """Share of the frames (frames,) whose error is at most ``most``.

    LaSOT ranks by 20 pixels, and by 0.2 for normalised errors, where most toolkits read the plot (a few
    report the area below 0.5 instead).
    """
    return float((np.asarray(errors, np.float64) <= most).mean())


def _centre(box: Any) -> Floats:
    array = np.asarray(box, np.float64)
    return np.asarray((array[..., :2] + array[..., 2:]) / 2)


# Masks. Rules for empty ones: both empty is right (1), one of them is wrong (0).


def region_similarity(predicted: Mask, truth: Mask) -> float:
    """J of DAVIS (arXiv 1704.00675): intersection over union of two masks (height, width)."""
    _check_same_size(predicted, truth)
    union = int((predicted | truth).sum())
    return int((predicted & truth).sum()) / union if union else 1.0


def contour_accuracy(predicted: Mask, truth: Mask) -> float:
    """F of DAVIS (arXiv 1704.00675): harmonic mean of precision and recall of the contour's pixels.

    A pixel is right where the other contour comes within 0.008 of the diagonal, rounded up to whole pixels:
    what a dilation by a disk finds. A mask that fills the picture has no contour; then the rules for empty
    masks hold for the contours.
    """
    _check_same_size(predicted, truth)
    if predicted.any() != truth.any():
        return 0.0
    ours, theirs = np.argwhere(contour(predicted)), np.argwhere(contour(truth))
    if not len(ours) or not len(theirs):
        return float(len(ours) == len(theirs))
    reach = math.ceil(CONTOUR_TOLERANCE * math.hypot(*truth.shape))
    precision = float((cKDTree(theirs).query(ours)[0] <= reach).mean())
    recall = float((cKDTree(ours).query(theirs)[0] <= reach).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def contour(mask: Mask) -> Mask:
    """Pixels of a mask (height, width) that differ from the next one right, below, or right below.

    The picture's last row and column have neighbours along themselves alone.
    """
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    here, right, below = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1]
    differs: Mask = (here ^ right) | (here ^ below) | (here ^ padded[1:, 1:])
    return differs


def _check_same_size(predicted: Mask, truth: Mask) -> None:
    if predicted.shape != truth.shape:
        raise ValueError(f"a predicted mask of shape {predicted.shape} for a true one of {truth.shape}")
