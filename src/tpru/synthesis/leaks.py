"""The leak check of every build: nothing of the test side is on the training side.

It reads the finished items and the pictures that they show, and shares nothing with the code that made
the splits except the measure of how different two pictures look.
"""

from dataclasses import dataclass

from tpru.errors import LeakError
from tpru.records import Item
from tpru.trajectories.signature import Signature, near_duplicates

SHOWN = 10


@dataclass(frozen=True)
class Leak:
    """One thing that stands on both sides: its kind, and an item of each side that has it."""

    kind: str
    test_item: str
    train_item: str
    what: str


def find_leaks(items: list[Item], looks: dict[str, Signature], below: float) -> list[Leak]:
    """All groups, trajectories, exact pictures and near-duplicate pictures on both sides.

    Args:
        items: all items of a build.
        looks: the signature of every picture that an item shows.
        below: pictures with a smaller share of changed cells are near-duplicates.
    """
    sides = {
        "train": [i for i in items if i.split != "test"],
        "test": [i for i in items if i.split == "test"],
    }
    leaks: list[Leak] = []
    for kind in ("group", "trajectory_id", "sequence_id", "item_id"):
        owner = {s: {getattr(i, kind): i.item_id for i in listed} for s, listed in sides.items()}
        for value in sorted(set(owner["test"]) & set(owner["train"])):
            leaks.append(Leak(kind, owner["test"][value], owner["train"][value], value))
    shown = {s: {f: i.item_id for i in listed for f in i.shown} for s, listed in sides.items()}
    for frame_id in sorted(set(shown["test"]) & set(shown["train"])):
        leaks.append(Leak("picture", shown["test"][frame_id], shown["train"][frame_id], frame_id))
    test, train = sorted(shown["test"]), sorted(shown["train"])
    for i, j in near_duplicates([looks[f] for f in test], [looks[f] for f in train], below):
        if test[i] != train[j]:
            what = f"{test[i][:12]} ~ {train[j][:12]}"
            leaks.append(Leak("near-duplicate", shown["test"][test[i]], shown["train"][train[j]], what))
    return leaks


def refuse_leaks(leaks: list[Leak]) -> None:
    """Stop the build when there is a leak.

    Raises:
        LeakError: with the number of leaks by kind and the first offenders.
    """
    if not leaks:
        return
    kinds = {k: sum(1 for leak in leaks if leak.kind == k) for k in {leak.kind for leak in leaks}}
    lines = [
        f"  {leak.kind} {leak.what}: {leak.test_item} (test) and {leak.train_item}" for leak in leaks[:SHOWN]
    ]
    more = f"\n  ... and {len(leaks) - SHOWN} more" if len(leaks) > SHOWN else ""
    raise LeakError(
        f"the test split leaks ({dict(sorted(kinds.items()))}):\n" + "\n".join(lines) + more + "\n"
        "Give episodes that share pictures the same `group`, or set "
        "synthesize.splits.near_duplicates=drop to leave such test sequences out."
    )
