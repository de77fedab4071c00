"""What the readers of dense datasets share: items and their words, what is left out, how many are read."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tpru.config.grounding_datasets import DatasetBase
from tpru.errors import EmptySourceError, ManifestError
from tpru.grounding.records import Clip, GroundingItem, GroundingTask, Side

Group = TypeVar("Group")
Record = TypeVar("Record")
LOG = logging.getLogger(__name__)
SIDES: tuple[Side, ...] = ("train", "test")
TESTED = "its video or picture is on the test side, too"
NO_MEDIA, UNLIKE_MEDIA = "its video or picture is not there", "its video does not fit the annotation"
LEAVE_OUT = "or set skip_missing=true to leave out all such items"


class UnusableError(ManifestError):
    """An item without media, or whose media do not fit: left out where ``skip_missing`` says so."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass
class LeftOut:
    """Counts why items are left out, keeps the first message, and says so once all is read."""

    name: str
    config: DatasetBase
    reasons: Counter[str] = field(default_factory=Counter)
    first: str = ""

    def count(self, reason: str, items: int = 1) -> None:
        """Leave out so many items."""
        self.reasons[reason] += items

    def unusable(self, error: UnusableError, items: int = 1) -> None:
        """Leave out so many items, or raise the error where ``skip_missing`` is off."""
        if not self.config.skip_missing:
            raise error
        self.first = self.first or str(error)
        self.count(error.reason, items)

    def say(self) -> None:
        """Warn of what was left out, if anything was."""
        for reason, count in sorted(self.reasons.items()):
            LOG.warning("dataset %s: %d item(s) left out: %s", self.name, count, reason)


def without_tested(
    train: Mapping[Group, list[Record]],
    tested: Container[Group],
    left: LeftOut,
    items: Callable[[Record], int] = lambda record: 1,
) -> dict[Group, list[Record]]:
    """The records of each group of the training side, less the groups that are tested.

    These are counted: ``items`` says how many a record makes.
    """
    kept = {}
    for group, records in train.items():
        if group in tested:
            left.count(TESTED, sum(map(items, records)))
        else:
            kept[group] = records
    return kept


def words(text: str, where: str) -> str:
    """The text on one line without the full stop at its end.

    Raises:
        ManifestError: nothing is left.
    """
    line = " ".join(text.split()).rstrip(" .")
    if not line:
        raise ManifestError(f"{where}: the words are empty; restore the file")
    return line


def make_item(
    name: str, config: DatasetBase, task: GroundingTask, side: Side, place: str, **values: Any
) -> GroundingItem:
    """An item with what all items of a dataset have in common; ``place`` makes its id."""
    return GroundingItem(
        item_id=f"{name}/{place}",
        task=task,
        split=side,
        dataset=name,
        licence=config.licence,
        scenario=config.scenario,
        level="",
        **values,
    )


def limited(clips: Iterable[Clip], most: int) -> Iterator[Clip]:
    """The clips with the first ``most`` items (0: all); no more is read than that takes."""
    taken = 0
    for clip in clips:
        if not clip.items:
            continue
        kept = clip.items[: most - taken] if most else clip.items
        yield dataclasses.replace(clip, items=kept)
        taken += len(kept)
        if most and taken >= most:
            return


def read_sides(
    name: str, config: DatasetBase, left: LeftOut, sides: Iterable[Iterable[Clip]]
) -> Iterator[Clip]:
    """Both sides one after the other, ``max_items`` of each, and a word on what was left out.

    Raises:
        EmptySourceError: nothing is left.
    """
    some = False
    for clips in sides:
        for clip in limited(clips, config.max_items):
            some = True
            yield clip
    left.say()
    if not some:
        why = "; ".join(f"{count} left out: {reason}" for reason, count in sorted(left.reasons.items()))
        raise EmptySourceError(
            f"dataset {name}: {config.path} gives no items ({why or 'its files list none'}). "
            f"{left.first or 'Correct the path or the names of the files.'}"
        )
