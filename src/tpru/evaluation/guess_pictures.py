"""Guessers that compare pictures without understanding them: near ones, odd ones, short paths."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tpru.evaluation.guess_rules import Costs, Floats, Orders, all_orders, form_of, orders_of
from tpru.records import Item
from tpru.trajectories.descriptors import SIDE, Pictures, describe, thumbnails

Kind = Literal["pixels", "features"]
BATCH = 256


class Frames(Protocol):
    """Where pictures come from: :class:`tpru.store.FrameStore` is one."""

    def ids_in_order(self) -> list[str]: ...

    def image(self, frame_id: str) -> Image.Image: ...


@dataclass(frozen=True)
class Looks:
    """Descriptors of pictures: ``tables[kind]`` has one row per picture, ``rows`` says which."""

    rows: dict[str, int]
    tables: dict[Kind, NDArray[np.float32]]
    _measured: dict[tuple[Kind, tuple[str, ...]], Floats] = field(default_factory=dict, compare=False)

    def between(self, kind: Kind, frame_ids: tuple[str, ...]) -> Floats:
        """Mean absolute difference of descriptors, for all pairs: array of shape (n, n)."""
        key = (kind, frame_ids)
        if key not in self._measured:
            table = self.tables[kind][[self.rows[f] for f in frame_ids]]
            distances = np.abs(table[:, None] - table[None]).mean(axis=-1)
            self._measured[key] = distances.astype(np.float64)
        return self._measured[key]


def look_at(items: Iterable[Item], frames: Frames) -> Looks:
    """Descriptors of all pictures of the items, each computed once.

    Raises:
        UpstreamError: the frame store lacks a picture.
    """
    wanted = {f for item in items for part in pictures_of(item) for f in part}
    listed = [f for f in frames.ids_in_order() if f in wanted]
    listed += sorted(wanted - set(listed))  # the store says what it lacks
    tables: dict[Kind, list[NDArray[np.float32]]] = {"pixels": [], "features": []}
    for start in range(0, len(listed), BATCH):
        pictures = np.stack([_small(frames.image(f)) for f in listed[start : start + BATCH]])
        tables["pixels"].append(thumbnails(pictures))
        tables["features"].append(describe(pictures))
    rows = {f: row for row, f in enumerate(listed)}
    return Looks(rows, {kind: np.concatenate(parts) for kind, parts in tables.items() if parts})


def pictures_of(item: Item) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Frame ids of the given pictures in prompt order, and of the option pictures in letter order."""
    options = tuple(o.content for o in item.options if o.kind == "image")
    shown = tuple(b.value for b in item.prompt if b.type == "image")
    # the options stand last in the prompt
    return shown[: len(shown) - len(options)], options


def _small(image: Image.Image) -> Pictures:
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    resized = rgb.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(resized, dtype=np.float32) / np.float32(255)


def near_costs(item: Item, looks: Looks, kind: Kind) -> Costs:
    """How far each option picture is from the given ones; no rule where options are no pictures."""
    given, options = pictures_of(item)
    if form_of(item) != "pictures" or not given:
        return {}
    distances = _scaled(looks.between(kind, given + options), len(given))[len(given) :, : len(given)]
    before_last = distances[:, max(0, len(given) - 2)]
    return {
        "mean": distances.mean(axis=1),
        "min": distances.min(axis=1),
        "first": distances[:, 0],
        "last": distances[:, -1],
        "before_last": before_last,
        "between_last_two": before_last + distances[:, -1],
        "far": -distances.mean(axis=1),
    }


def odd_costs(item: Item, looks: Looks, kind: Kind) -> Costs:
    """How far each option picture is from the other options; no rule where options are no pictures."""
    given, options = pictures_of(item)
    if form_of(item) != "pictures" or len(options) < 2:
        return {}
    distances = _scaled(looks.between(kind, given + options), len(given))[len(given) :, len(given) :]
    mean = distances.sum(axis=1) / (len(options) - 1)
    nearest = (distances + np.diag(np.full(len(options), np.inf))).min(axis=1)
    return {"outlier": -mean, "medoid": mean, "lonely": -nearest, "paired": nearest}


def path_costs(item: Item, looks: Looks, kind: Kind) -> Costs:
    """How long each candidate order's path through the pictures is; no rule for pictures as options."""
    given, _ = pictures_of(item)
    if form_of(item) == "pictures" or len(given) < 2:
        return {}
    distances = _scaled(looks.between(kind, given), len(given))
    orders = orders_of(item)
    steps = distances.ravel().take(_pairs(orders) if item.options else _pairs_of_all(len(given)))
    lengths = steps.sum(axis=0)
    shortest = distances.ravel().take(_pairs_of_all(len(given))).sum(axis=0).min() if item.options else 0.0
    return {
        # what it lacks of the best path tells whether the right order was left out
        "short": lengths - shortest,
        "long": -lengths,
        "even_steps": steps.max(axis=0),
        "ends_apart": -distances[orders[:, 0], orders[:, -1]],
    }


def _pairs(orders: Orders) -> Orders:
    """Places of an order's steps in a flat table of distances: shape (n - 1, orders), quick to sum."""
    return np.ascontiguousarray((orders[:, :-1] * orders.shape[1] + orders[:, 1:]).T)


@cache
def _pairs_of_all(n: int) -> Orders:
    return _pairs(all_orders(n))


def _scaled(distances: Floats, n_given: int) -> Floats:
    """Distances in units of the mean distance of the given pictures, so that items compare."""
    given = distances[:n_given, :n_given]
    mean = given.sum() / max(1, n_given * (n_given - 1))
    return distances / mean if mean > 0 else distances


def picture_costs(item: Item, looks: Looks, kind: Kind) -> Costs:
    """All rules that compare pictures: those of near, odd and path."""
    return {
        f"{rules.__name__}/{name}": costs
        for rules in (near_costs, odd_costs, path_costs)
        for name, costs in rules(item, looks, kind).items()
    }
