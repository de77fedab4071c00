"""All figures of one dense item: what :mod:`tpru.grounding.scores` puts together."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tpru.errors import UpstreamError
from tpru.grounding.masks import Mask, box_of_mask, decode, fill_box, mask_size
from tpru.grounding.metrics import (
    MOMENT_THRESHOLDS,
    PRECISION_NORMALISED,
    PRECISION_PIXELS,
    Floats,
    best_moment_iou,
    box_iou,
    centre_errors,
    contour_accuracy,
    highlight_average_precision,
    hit_at_one,
    moment_average_precision,
    normalised_centre_errors,
    precision_at,
    region_similarity,
    success_auc,
)
from tpru.grounding.records import BoxShares, GroundingItem, GroundingPrediction, Region

Measured = dict[str, list[float]]  # metric -> its value, or one per frame


def measure(item: GroundingItem, prediction: GroundingPrediction) -> Measured:
    """The metrics that an item has, each from 0 to 1; AO and SR have one value per frame, the others one.

    A prediction that is not ``assigned`` has 0 everywhere. In clips whose thing is pointed at in the first
    frame, that frame is given and does not count (unless it is the only one). Frames in which the thing is
    not seen count for masks (an empty one is right), not for tracking. A predicted box without a mask stands
    for its whole area, and a predicted mask without a box for the box around it.

    Raises:
        UpstreamError: a number of the prediction is not finite, a mask has another size than the item's, or
            the item has nothing to compare with.
        CorruptMediaError: a mask cannot be read.
    """
    _check_finite(prediction)
    given = prediction if prediction.assigned else _nothing(prediction)
    found = {"temporal": _temporal, "region": _region, "mask": _mask}[item.task](item, given)
    if not found:
        raise UpstreamError(
            f"the item {item.item_id} ({item.dataset}, {item.task}) holds nothing to compare with: expected "
            "at least one moment or box; make the items anew"
        )
    return found if prediction.assigned else {name: [0.0] * len(v) for name, v in found.items()}


def _temporal(item: GroundingItem, prediction: GroundingPrediction) -> Measured:
    if not item.moments:
        return {}
    truth = [(m.start_s, m.end_s) for m in item.moments]
    proposed = [(m.start_s, m.end_s, m.score) for m in prediction.moments]
    overlap = best_moment_iou([p[:2] for p in proposed], truth)
    found: Measured = {f"R1@{t}": [float(overlap >= t)] for t in (0.3, 0.5, 0.7)}
    precisions = moment_average_precision(proposed, truth)
    at = {round(float(t), 2): float(p) for t, p in zip(MOMENT_THRESHOLDS, precisions, strict=True)}
    found |= {"mIoU": [overlap], "mAP": [float(precisions.mean())]}
    found |= {"mAP@0.5": [at[0.5]], "mAP@0.75": [at[0.75]]}
    if item.saliency:
        scores = _per_stretch(item, prediction.saliency)
        found["HIT@1"] = [float(hit_at_one(scores, item.saliency))]
        found["HL-mAP"] = [highlight_average_precision(scores, item.saliency)]
    return found


def _per_stretch(item: GroundingItem, saliency: Sequence[float]) -> Floats:
    """Values per frame as values per judged stretch, read between frames at the middle of the stretch."""
    if not saliency:
        return np.zeros(0)
    if len(saliency) != len(item.times):
        raise UpstreamError(
            f"the prediction for {item.item_id} has {len(saliency)} values of saliency for "
            f"{len(item.times)} frames, expected one per frame; make the predictions anew"
        )
    middles = (np.arange(len(item.saliency[0])) + 0.5) * item.clip_s
    ends = np.append(item.times, item.duration)
    return np.interp(middles, (ends[:-1] + ends[1:]) / 2, saliency)


def _region(item: GroundingItem, prediction: GroundingPrediction) -> Measured:
    if not item.regions or not item.regions[0].box:
        return {}
    box = next((r.box for r in prediction.regions if r.frame == item.regions[0].frame), ())
    overlap = float(box_iou(box, item.regions[0].box)) if box else 0.0
    return {"Acc@0.5": [float(overlap >= 0.5)], "mIoU": [overlap]}


def _mask(item: GroundingItem, prediction: GroundingPrediction) -> Measured:
    asked = item.regions[1:] if item.start and len(item.regions) > 1 else item.regions
    by_frame = {region.frame: region for region in prediction.regions}
    pairs = [(by_frame.get(truth.frame, Region(truth.frame, ())), truth) for truth in asked]
    size = mask_size(item)
    found: Measured = _segmented(item, pairs, size) if size else {}
    # Without its box in the first frame a thing is found anew, not tracked; boxes alone allow nothing else.
    return found | (_tracked(item, pairs) if item.start or not size else {})


def _segmented(
    item: GroundingItem, pairs: Sequence[tuple[Region, Region]], size: tuple[int, int]
) -> Measured:
    regions, contours = [], []
    for ours, theirs in pairs:
        truth, predicted = (_as_mask(region, size, item.item_id) for region in (theirs, ours))
        regions.append(region_similarity(predicted, truth))
        contours.append(contour_accuracy(predicted, truth))
    j, f = (math.fsum(values) / len(values) for values in (regions, contours))
    return {"J": [j], "F": [f], "J&F": [(j + f) / 2]}


def _as_mask(region: Region, size: tuple[int, int], item_id: str) -> Mask:
    if not region.mask:
        return fill_box(region.box, *size)
    mask = decode(region.mask, f"the mask of frame {region.frame} of {item_id}")
    if mask.shape[::-1] != size:
        raise UpstreamError(
            f"the mask of frame {region.frame} of {item_id} has {mask.shape[1]} x {mask.shape[0]} pixels, "
            f"expected {size[0]} x {size[1]} like the item's first; make the predictions, or the item, anew"
        )
    return mask


def _tracked(item: GroundingItem, pairs: Sequence[tuple[Region, Region]]) -> Measured:
    seen = [(_as_box(ours), theirs.box) for ours, theirs in pairs if theirs.box]
    if not seen:
        return {}
    truth = np.array([box for _, box in seen])
    answered = np.array([bool(box) for box, _ in seen])
    predicted = np.array([box or (0.0, 0.0, 0.0, 0.0) for box, _ in seen])
    overlaps = np.where(answered, box_iou(predicted, truth), 0.0)
    scaled = np.where(answered, normalised_centre_errors(predicted, truth), np.inf)
    found: Measured = {
        "success": [success_auc(overlaps)],
        "precision@0.2": [precision_at(scaled, PRECISION_NORMALISED)],
        "AO": overlaps.tolist(),
        # GOT-10k asks for more than the threshold, R@1 and Acc@0.5 for no less.
        "SR@0.5": (overlaps > 0.5).astype(float).tolist(),
        "SR@0.75": (overlaps > 0.75).astype(float).tolist(),
    }
    if size := item.size or mask_size(item):
        pixels = np.where(answered, centre_errors(predicted, truth, size[0], size[1]), np.inf)
        found["precision@20px"] = [precision_at(pixels, PRECISION_PIXELS)]
    return found


def _as_box(region: Region) -> BoxShares:
    return region.box or (box_of_mask(decode(region.mask)) if region.mask else ())


def _nothing(prediction: GroundingPrediction) -> GroundingPrediction:
    return dataclasses.replace(prediction, moments=(), regions=(), saliency=())


def _check_finite(prediction: GroundingPrediction) -> None:
    numbers = [x for m in prediction.moments for x in (m.start_s, m.end_s, m.score)]
    numbers += [x for region in prediction.regions for x in region.box]
    if not all(math.isfinite(x) for x in (*numbers, *prediction.saliency)):
        raise UpstreamError(
            f"the prediction of {prediction.model} for {prediction.item_id} holds a number that is not "
            "finite: the training diverged, or the head overflows; look at its losses and predict anew"
        )
