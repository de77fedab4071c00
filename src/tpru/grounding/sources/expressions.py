"""What Ref-YouTube-VOS and MeViS share: ``meta_expressions.json``, and clips that lie as single pictures.

``{"videos": {VIDEO: {"frames": [NAME, ...], "expressions": {ID: {"exp": words, ...}}}}}``; the picture of a
frame is ``VIDEO/NAME.jpg`` in the folder of the pictures, its name the number of the frame in the video.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from tpru.config.grounding_datasets import MevisDataset, RefYoutubeVosDataset
from tpru.errors import ManifestError
from tpru.grounding.records import Clip, GroundingItem, Region, Side
from tpru.grounding.sources.items import (
    LEAVE_OUT,
    NO_MEDIA,
    LeftOut,
    UnusableError,
    make_item,
    words,
)
from tpru.grounding.sources.pictures import Stored, evenly, mask_region, read_picture, stored
from tpru.grounding.sources.rle import Mask
from tpru.trajectories.sources.reading import field, load_json, natural

UNSEEN = "what it names is in none of the chosen frames"


@dataclass(frozen=True)
class Expression:
    """An expression about a video: where it stands, its id there, its words, and its entry."""

    where: str
    exp_id: str
    query: str
    entry: dict[str, Any]


@dataclass(frozen=True)
class FramedVideo:
    """A video as its frames in order of time, and the expressions about it."""

    name: str
    where: str
    frames: tuple[str, ...]
    expressions: tuple[Expression, ...]


def read_expressions(path: Path, label: str, labelled: str) -> list[FramedVideo]:
    """The videos of a file in natural order; every expression needs the key ``label``.

    Raises:
        ManifestError: the file is not of the format, or has no labels (``labelled`` says which have).
    """
    videos = field(load_json(path), "videos", dict, str(path))
    found = []
    for name in sorted(videos, key=natural):
        where = f"{path}, video {name}"
        frames = field(videos[name], "frames", list, where)
        if not frames or not all(isinstance(f, str) and f.isdigit() for f in frames):
            raise ManifestError(
                f"{where}: expected a list of numbers as texts under 'frames', found {frames!r:.80}"
            )
        if len(set(frames)) < len(frames):
            raise ManifestError(f"{where}: 'frames' names one twice; restore the file")
        entries = field(videos[name], "expressions", dict, where)
        expressions = []
        for exp_id in sorted(entries, key=natural):
            place = f"{where}, expression {exp_id}"
            text = words(field(entries[exp_id], "exp", str, place), f"{place}, 'exp'")
            if label not in entries[exp_id]:
                raise ManifestError(f"{place}: there is no {label!r}: no labels are published; {labelled}")
            expressions.append(Expression(place, exp_id, text, entries[exp_id]))
        ordered = tuple(sorted(frames, key=lambda frame: (int(frame), frame)))
        found.append(FramedVideo(name, where, ordered, tuple(expressions)))
    return found


def framed_clip(
    name: str,
    config: RefYoutubeVosDataset | MevisDataset,
    side: Side,
    video: FramedVideo,
    clock: tuple[list[float], float],
    pictures: Path,
    masks: Callable[[Expression, int, tuple[int, int]], Mask | None],
    left: LeftOut,
) -> Iterator[Clip]:
    """The clip of a video with an item for each expression, or nothing where its pictures are left out.

    Args:
        clock: seconds at which each frame begins, and the end of the last one.
        pictures: the folder of this video's pictures.
        masks: expression, place of a frame in the video, width and height of its picture to the mask
            (height, width), None where the thing is not in the frame.

    Raises:
        ManifestError: a picture is missing and may not be, or a mask does not fit.
        CorruptMediaError: a picture cannot be decoded.
    """
    if not pictures.is_dir():
        message = f"{video.where}: the folder of its pictures {pictures} does not exist; add it, {LEAVE_OUT}"
        left.unusable(UnusableError(NO_MEDIA, message), len(video.expressions))
        return
    places = evenly(len(video.frames), config.frames)
    shown: list[Stored] = []
    regions: list[list[Region]] = [[] for _ in video.expressions]
    for number, place in enumerate(places):
        image: Image.Image = read_picture(pictures / f"{video.frames[place]}.jpg", video.where)
        shown.append(stored(image, config))
        for expression, found in zip(video.expressions, regions, strict=True):
            mask = masks(expression, place, image.size)
            found.append(Region(number, ()) if mask is None else mask_region(number, mask, shown[-1]))
    items: list[GroundingItem] = []
    for expression, found in zip(video.expressions, regions, strict=True):
        if not any(region.box for region in found):
            left.count(UNSEEN)
            continue
        items.append(
            make_item(
                name,
                config,
                "mask",
                side,
                f"{video.name}/{expression.exp_id}",
                group=f"{config.kind}/{video.name}",
                query=expression.query,
                frames=tuple(picture.frame_id for picture in shown),
                times=tuple(clock[0][place] for place in places),
                duration=clock[1],
                regions=tuple(found),
            )
        )
    yield Clip(tuple(items), tuple(picture.data for picture in shown))


def clock_of(frames: Sequence[str], fps: float) -> tuple[list[float], float]:
    """Seconds since the first frame at which each begins, and the end of the last one.

    Their names are numbers at ``fps``; the last one lasts as long as the one before it.
    """
    numbers = [int(frame) for frame in frames]
    step = numbers[-1] - numbers[-2] if len(numbers) > 1 else 1
    times = [(number - numbers[0]) / fps for number in numbers]
    return times, (numbers[-1] - numbers[0] + step) / fps
