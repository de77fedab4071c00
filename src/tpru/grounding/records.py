"""The records of dense supervision; :mod:`tpru.records` says how records are kept."""

from dataclasses import dataclass
from typing import Literal

from tpru.records import Level

GroundingTask = Literal["temporal", "region", "mask"]
Side = Literal["train", "test"]
BoxShares = tuple[float, ...]  # left, top, right, bottom as shares of the picture; empty: there is none

GROUNDING_TASKS: tuple[GroundingTask, ...] = ("temporal", "region", "mask")


@dataclass(frozen=True)
class Moment:
    """A stretch of time in seconds since the first frame, the end excluded."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Region:
    """Where the thing is in frame ``frame`` of its item (an index into ``frames``).

    ``mask`` is a PNG of one channel, 255 where the thing is, of the size of the picture; empty where the
    dataset has boxes alone. ``box`` is empty where the thing is not in the frame (then ``mask`` is too).
    """

    frame: int
    box: BoxShares
    mask: bytes = b""


@dataclass(frozen=True)
class GroundingItem:
    """One thing or moment that words name, and where or when it is.

    temporal: ``frames`` of a clip and the ``moments`` that ``query`` describes, at least one.
    region: one picture and one ``regions`` entry with a box.
    mask: frames of a clip and one ``regions`` entry per frame; with ``start`` (its box in the first frame)
        the thing is pointed at and followed, without it ``query`` alone names it.

    ``query`` is a clause or a name without a full stop ("the gripper lifted the red cube", "the red cube").
    ``times`` are seconds since the first frame at which the frames begin, and ``duration`` the end of the
    last one. ``saliency`` (QVHighlights) holds, by annotator, a score of 0 to 4 for every stretch of
    ``clip_s`` seconds, -1 where it was not judged. ``group`` is never on both sides of a split; intervals
    take it as one. ``size`` is the width and height in pixels at which a tracker's errors are counted, that
    of the dataset's own pictures; empty where it is that of the masks, or where pixels do not matter.
    """

    item_id: str
    task: GroundingTask
    split: Side
    dataset: str
    licence: str
    scenario: str
    level: Level
    group: str
    query: str
    frames: tuple[str, ...]
    times: tuple[float, ...]
    duration: float
    moments: tuple[Moment, ...] = ()
    regions: tuple[Region, ...] = ()
    start: BoxShares = ()
    saliency: tuple[tuple[float, ...], ...] = ()
    clip_s: float = 0.0
    size: tuple[int, ...] = ()


@dataclass(frozen=True)
class Clip:
    """What a dataset hands over at once: the pictures of one clip, encoded, and all items about it.

    The ``frames`` of the items are SHA-256 sums of pictures given here or with an earlier clip.
    """

    items: tuple[GroundingItem, ...]
    pictures: tuple[bytes, ...]


@dataclass(frozen=True)
class ScoredMoment:
    """A proposed moment; a higher score is surer."""

    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True)
class GroundingPrediction:
    """What one model, or a guesser, answers to one item.

    ``assigned`` is whether the right task was recognised (by its token, or by readable numbers in a reply
    of text); where it was not, all else is empty. ``moments`` are best first, at most ten. ``regions`` are
    as in the item, one per frame that was asked for. ``saliency`` has one value per frame.
    """

    item_id: str
    model: str
    assigned: bool
    moments: tuple[ScoredMoment, ...] = ()
    regions: tuple[Region, ...] = ()
    saliency: tuple[float, ...] = ()


@dataclass(frozen=True)
class ChatItem:
    """A question about one or several pictures and its answer, both plain text; for training alone.

    ``group`` is as in :class:`GroundingItem`; of the user's own file it is one for each conversation.
    """

    item_id: str
    split: Side
    group: str
    frames: tuple[str, ...]
    question: str
    answer: str
