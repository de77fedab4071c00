"""Small dense items that the tests of scores and guessers are made of."""

from typing import Any

import numpy as np

from tpru.grounding.masks import box_of_mask, encode, fill_box
from tpru.grounding.records import (
    BoxShares,
    GroundingItem,
    GroundingPrediction,
    Moment,
    Region,
    ScoredMoment,
)

SIZE = (20, 10)  # width and height of the masks


def _item(item_id: str, task: Any, **changes: Any) -> GroundingItem:
    plain: dict[str, Any] = {
        "split": "test",
        "dataset": "blocks",
        "licence": "CC0",
        "scenario": "robot",
        "level": "",
        "group": item_id,
        "query": "the red cube",
        "frames": ("f0", "f1", "f2", "f3"),
        "times": (0.0, 2.0, 4.0, 6.0),
        "duration": 8.0,
    }
    return GroundingItem(item_id, task, **(plain | changes))


def moment_item(item_id: str, *moments: tuple[float, float], **changes: Any) -> GroundingItem:
    """A clip of four frames of two seconds."""
    return _item(item_id, "temporal", moments=tuple(Moment(*m) for m in moments), **changes)


def region_item(item_id: str, box: BoxShares, **changes: Any) -> GroundingItem:
    one = {"frames": ("f0",), "times": (0.0,), "duration": 2.0}
    return _item(item_id, "region", regions=(Region(0, box),), **(one | changes))


def mask_item(item_id: str, *boxes: BoxShares, **changes: Any) -> GroundingItem:
    """Filled boxes of 20 x 10 pixels, one per frame; () where the thing is not seen."""
    return _item(item_id, "mask", regions=tuple(masked(k, box) for k, box in enumerate(boxes)), **changes)


def masked(frame: int, box: BoxShares) -> Region:
    mask = fill_box(box, *SIZE)
    return Region(frame, box_of_mask(mask), encode(mask) if mask.any() else b"")


def moments(item_id: str, *found: tuple[float, float], **changes: Any) -> GroundingPrediction:
    """Moments in their order."""
    scored = tuple(ScoredMoment(s, e, 1 / (1 + k)) for k, (s, e) in enumerate(found))
    return GroundingPrediction(item_id, "m", True, scored, **changes)


def regions(item_id: str, *found: Region) -> GroundingPrediction:
    return GroundingPrediction(item_id, "m", True, regions=found)


def perfect(item: GroundingItem) -> GroundingPrediction:
    """The truth of an item as a prediction."""
    found = tuple(ScoredMoment(m.start_s, m.end_s, 1.0) for m in item.moments)
    saliency = tuple(float(np.interp(t, (0, item.duration), (0, 1))) for t in item.times)
    return GroundingPrediction(item.item_id, "m", True, found, item.regions, saliency)


def unassigned(item: GroundingItem) -> GroundingPrediction:
    return GroundingPrediction(item.item_id, "m", False)
