"""The leak check of the dense items: nothing of a test side is on a training side.

It reads the finished items and looks at what they show, and shares nothing with the code that chose them but
the measure of how different two pictures look. ``synthesize`` holds its own items against each other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tpru.errors import LeakError
from tpru.grounding.records import ChatItem, GroundingItem
from tpru.records import Item
from tpru.synthesis.leaks import SHOWN, Leak
from tpru.trajectories.signature import Signature, near_duplicates


@dataclass(frozen=True)
class Holding:
    """What a side holds, each with the id of one item that has it."""

    items: dict[str, str]
    groups: dict[str, str]
    pictures: dict[str, str]


def dense_leaks(
    dense: Iterable[GroundingItem],
    chat: Iterable[ChatItem],
    synthesized: Iterable[Item],
    looks: Mapping[str, Signature],
    below: float,
) -> list[Leak]:
    """All items, groups, pictures and near-duplicates on both sides, where one side is dense or chat.

    Args:
        dense: all dense items.
        chat: all chat items.
        synthesized: all items of ``synthesize``; what is not "test" is trained on.
        looks: the signature of every picture that any of these shows.
        below: pictures with a smaller share of changed cells are near-duplicates.
    """
    own = [(i.split, i.item_id, i.group, i.frames) for i in dense]
    own += [(i.split, i.item_id, i.group, i.frames) for i in chat]
    theirs = [("test" if i.split == "test" else "train", i.item_id, i.group, i.shown) for i in synthesized]
    train, test = (_holding(entry[1:] for entry in own if entry[0] == side) for side in ("train", "test"))
    others = [_holding(entry[1:] for entry in theirs if entry[0] == side) for side in ("train", "test")]
    pairs = ((train, test), (train, others[1]), (others[0], test))
    return [leak for training, tested in pairs for leak in _between(training, tested, looks, below)]


def _holding(entries: Iterable[tuple[str, str, Iterable[str]]]) -> Holding:
    found = Holding({}, {}, {})
    for item_id, group, shown in entries:
        found.items[item_id] = item_id
        found.groups[group] = item_id
        found.pictures.update(dict.fromkeys(shown, item_id))
    return found


def _between(train: Holding, test: Holding, looks: Mapping[str, Signature], below: float) -> list[Leak]:
    leaks = [
        Leak(kind, tested[value], trained[value], value)
        for kind, tested, trained in (
            ("item_id", test.items, train.items),
            ("group", test.groups, train.groups),
            ("picture", test.pictures, train.pictures),
        )
        for value in sorted(set(tested) & set(trained))
    ]
    ours, theirs = sorted(test.pictures), sorted(train.pictures)
    for i, j in near_duplicates([looks[f] for f in ours], [looks[f] for f in theirs], below):
        if ours[i] != theirs[j]:
            what = f"{ours[i][:12]} ~ {theirs[j][:12]}"
            leaks.append(Leak("near-duplicate", test.pictures[ours[i]], train.pictures[theirs[j]], what))
    return leaks


def refuse_dense_leaks(leaks: list[Leak]) -> None:
    """Stop the build when there is a leak.

    Raises:
        LeakError: with the number of leaks by kind and the first offenders.
    """
    if not leaks:
        return
    kinds = {k: sum(leak.kind == k for leak in leaks) for k in sorted({leak.kind for leak in leaks})}
    lines = [f"  {k.kind} {k.what}: {k.test_item} (test) and {k.train_item}" for k in leaks[:SHOWN]]
    more = [f"  ... and {len(leaks) - SHOWN} more"] if len(leaks) > SHOWN else []
    raise LeakError(
        f"the test side of the dense items leaks ({kinds}):\n" + "\n".join([*lines, *more]) + "\n"
        "Ids and groups are the dataset's: give clips of one video one group, and put it on one side in its "
        "files. Pictures that are alike should have been left out: please report it with leak_check.json."
    )
