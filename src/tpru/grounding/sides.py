"""Which pictures the other side shows, and how many items are taken."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tpru.grounding.films import Film
from tpru.grounding.records import GROUNDING_TASKS, GroundingItem, Side
from tpru.randomness import generator
from tpru.records import Item
from tpru.trajectories.signature import Signature, near_duplicates


def side_of_groups(items: Iterable[Item]) -> dict[str, Side]:
    """Side of every group that has a synthesized item."""
    return {item.group: "test" if item.split == "test" else "train" for item in items}


def seen_in(
    pictures: Iterable[str], others: Iterable[str], looks: Mapping[str, Signature], below: float
) -> set[str]:
    """Those of the pictures that are, or look like, one of the others.

    Args:
        pictures: frame ids.
        others: frame ids.
        looks: the signature of each.
        below: pictures with a smaller share of changed cells look alike.
    """
    mine, theirs = sorted(set(pictures)), sorted(set(others))
    pairs = near_duplicates([looks[f] for f in mine], [looks[f] for f in theirs], below)
    return {mine[i] for i, _ in pairs} | (set(mine) & set(theirs))


def without(film: Film, pictures: set[str]) -> Film:
    """The film with these pictures hidden."""
    return replace(film, hidden=frozenset(k for k, f in enumerate(film.frames) if f in pictures))


def at_most(items: Sequence[GroundingItem], most: int, seed: int, side: Side) -> list[GroundingItem]:
    """At most ``most`` items of each task (0: all), drawn by the seed, in their old order."""
    by_task: dict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        by_task[item.task].append(place)
    kept: set[int] = set()
    for task in GROUNDING_TASKS:
        rng = generator(seed, "grounding", side, task)
        kept |= set(rng.permutation(by_task[task])[: most or None].tolist())
    return [item for place, item in enumerate(items) if place in kept]
