"""Wrong pictures among which the right one does not stand out by its likeness to the given ones.

For every way to measure likeness - colours or edges, to the nearest, the first, the last or all given
pictures, or to the other options - the place of the right picture in the ranking is drawn evenly. Without
that, the option most like its neighbours in time would be right most of the time.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from tpru.trajectories.descriptors import SIDE, Floats, describe, thumbnails
from tpru.trajectories.signature import Signature

WRONG = 3
ODD_WEIGHT = 3.0
NEAREST_PRICE = 100.0
# How often the right picture is to be the nearest, the second nearest, ...: the first comes by itself more
# often than it is drawn, since the others cannot always be had.
PLACES = (0.16, 0.28, 0.28, 0.28)


@dataclass(frozen=True)
class Likeness:
    """Descriptors of all pictures that may stand in an item."""

    looks: dict[str, Signature]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {f: row for row, f in enumerate(self.looks)}

    @cached_property
    def _tables(self) -> list[NDArray[np.float32]]:
        tables: list[list[NDArray[np.float32]]] = [[], []]
        listed = list(self.looks.values())
        for start in range(0, len(listed), 512):
            pictures = np.stack(listed[start : start + 512]).astype(np.float32) / np.float32(255)
            tables[0].append(thumbnails(pictures.reshape(-1, SIDE, SIDE, 3)))
            tables[1].append(describe(pictures.reshape(-1, SIDE, SIDE, 3)))
        return [np.concatenate(parts) for parts in tables]

    def between(self, frame_ids: list[str]) -> list[Floats]:
        """Mean absolute difference of every pair, (n, n), for each kind of descriptor."""
        rows = [self._rows[f] for f in frame_ids]
        return [
            np.abs(t[rows][:, None] - t[rows][None]).mean(axis=-1, dtype=np.float64) for t in self._tables
        ]

    def choose(
        self, right: str, given: list[str], candidates: list[str], costs: Floats, rng: np.random.Generator
    ) -> tuple[list[str], str] | None:
        """Three wrong pictures, and a fourth that could pass for the right one; None where the right one
        would be the nearest by some measure and was not meant to be.

        Args:
            right: the right picture.
            given: the given ones in prompt order.
            candidates: at least four wrong pictures.
            costs: (candidates,) what taking each costs, in places of the ranking.
            rng: draws the wanted places.
        """
        n = len(candidates)
        distances = self.between([right, *candidates, *given])
        measures = np.concatenate([_measures(d[: n + 1, n + 1 :]) for d in distances])
        nearer = (measures[:, 1:] < measures[:, :1]).astype(np.float64)
        sets = np.array(list(combinations(range(n), WRONG)))
        wanted, wanted_odd = (int(rng.choice(WRONG + 1, p=PLACES)) for _ in range(2))
        places = nearer[:, sets].sum(axis=2)
        nearest = (places.min(axis=0) < 1) & (wanted > 0)
        penalty = np.abs(places - wanted).sum(axis=0) + NEAREST_PRICE * nearest + costs[sets].sum(axis=1)
        for d in distances:
            penalty += ODD_WEIGHT * np.abs(_odd_places(d, sets) - wanted_odd)
        chosen = int((penalty + 1e-6 * rng.random(len(sets))).argmin())
        if nearest[chosen]:
            return None
        best = sets[chosen]
        rest = [i for i in range(n) if i not in best]
        scale = measures.mean(axis=1, keepdims=True) + 1e-9
        unlike = (np.abs(measures[:, 1:] - measures[:, :1]) / scale).sum(axis=0)
        twin = min(rest, key=lambda i: float(unlike[i]))
        return [candidates[i] for i in best], candidates[twin]

    def gives_away(self, frames: list[str]) -> bool:
        """Whether no order of the pictures makes a shorter way than the true one, by every descriptor.

        Args:
            frames: the pictures in their true order.
        """
        ways = _orders(len(frames))
        lengths = [d[ways[:, :-1], ways[:, 1:]].sum(axis=1) for d in self.between(frames)]
        return all(bool(x[0] <= x.min() + 1e-12) for x in lengths)

    def shorter(self, frames: list[str], right: str, orders: list[str]) -> float:
        """How many of the orders lead through the pictures on a shorter way than the right one does (a
        tie counts half), as a mean over the kinds of descriptors.

        Args:
            frames: the pictures in their true order.
            right: the true order of their labels.
            orders: other orders of the same labels.
        """
        place = {label: i for i, label in enumerate(right)}
        count = 0.0
        for d in self.between(frames):
            ways = [[place[label] for label in order] for order in (right, *orders)]
            lengths = [d[way[:-1], way[1:]].sum() for way in ways]
            count += sum((x < lengths[0] - 1e-12) + 0.5 * (abs(x - lengths[0]) <= 1e-12) for x in lengths[1:])
        return count / len(self._tables)


@cache
def _orders(n: int) -> NDArray[np.int_]:
    """All orders of n things, (n!, n), the sorted one first."""
    return np.array(list(permutations(range(n))))


def _measures(distances: Floats) -> Floats:
    """Ways to measure how far options are from the given pictures: (options, given) to (ways, options)."""
    last, before = distances[:, -1], distances[:, max(0, distances.shape[1] - 2)]
    return np.stack([distances.mean(1), distances.min(1), distances[:, 0], last, before, last + before])


def _odd_places(distances: Floats, sets: NDArray[np.int_]) -> Floats:
    """How many of each set are nearer to the other options than the right one is: (sets,)."""
    options = sets + 1
    right = distances[0, options].sum(axis=1)
    places = np.zeros(len(sets))
    for k in range(WRONG):
        others = [j for j in range(WRONG) if j != k]
        cost = distances[options[:, k], 0] + distances[options[:, [k]], options[:, others]].sum(axis=1)
        places += cost < right
    return places
