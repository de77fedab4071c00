"""MeViS: masks of the things in a video that a sentence about motion tells apart (arXiv 2308.08544).

Each split has ``JPEGImages``, ``mask_dict.json`` and ``meta_expressions.json``. Beside what
:mod:`.expressions` says, an expression has ``anno_id``, a list of numbers: the things that are meant, all
together. ``mask_dict.json`` has for each number a list with one entry for every frame of the video: run
lengths as COCO writes them, or null where the thing is not in the frame. ``train`` and ``valid_u`` are
published with masks, ``valid`` is not. An empty ``anno_id`` (second release): there is no such thing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tpru.config.grounding_datasets import MevisDataset
from tpru.errors import ManifestError
from tpru.grounding.records import Clip, Side
from tpru.grounding.sources.expressions import (
    Expression,
    FramedVideo,
    clock_of,
    framed_clip,
    read_expressions,
)
from tpru.grounding.sources.items import SIDES, LeftOut, read_sides, without_tested
from tpru.grounding.sources.json_parts import JsonParts
from tpru.grounding.sources.rle import Mask, decode

LABELLED = "train and valid_u have masks"


def read(name: str, config: MevisDataset) -> Iterator[Clip]:
    """The clips of both sides: all expressions about a video at once.

    Raises:
        ManifestError: a file is not of the format or has no labels, or pictures are missing.
        CorruptMediaError: a picture cannot be decoded.
        EmptySourceError: nothing is left.
    """
    root, left = Path(config.path), LeftOut(name, config)
    train, test = (
        {video.name: [video] for video in _videos(root / split, config)} if split else {}
        for split in (config.train, config.test)
    )
    train = without_tested(train, set(test), left, lambda video: len(video.expressions))
    sides = (
        _clips(
            name, config, side, root / split, [video for found in videos.values() for video in found], left
        )
        for side, split, videos in zip(SIDES, (config.train, config.test), (train, test), strict=True)
        if videos
    )
    yield from read_sides(name, config, left, sides)


def _videos(folder: Path, config: MevisDataset) -> list[FramedVideo]:
    videos = read_expressions(folder / config.expressions, "anno_id", LABELLED)
    if not (folder / config.masks).is_file():
        raise ManifestError(f"{folder / config.masks} does not exist; {LABELLED}: add the file")
    return videos


class _Masks:
    """``mask_dict.json``: the masks of one video in memory at a time."""

    def __init__(self, path: Path) -> None:
        self._parts = JsonParts(path)
        self._places = {str(key): place for (key,), place in self._parts.places(1)}
        self._video: FramedVideo | None = None
        self._held: dict[str, list[Any]] = {}

    def mask(
        self, video: FramedVideo, expression: Expression, place: int, size: tuple[int, int]
    ) -> Mask | None:
        """The pixels of all that an expression means in a frame (height, width), None where it is not."""
        if video is not self._video:
            self._video, self._held = video, {}
        union: Mask | None = None
        for key in self._keys(expression):
            if key not in self._held:
                self._held[key] = self._load(key, video, expression)
            entry = self._held[key][place]
            if entry is not None:
                where = f"{self._parts.path}, mask {key!r}, entry {place} (frame {video.frames[place]})"
                mask = decode(entry, size[1], size[0], where)
                union = mask if union is None else np.logical_or(union, mask)
        return union

    def _keys(self, expression: Expression) -> list[str]:
        value = expression.entry["anno_id"]
        if not isinstance(value, list) or not all(str(key).isdigit() for key in value):
            raise ManifestError(
                f"{expression.where}: expected a list of numbers under 'anno_id', found {value!r:.80}"
            )
        return [str(key) for key in value]

    def _load(self, key: str, video: FramedVideo, expression: Expression) -> list[Any]:
        if key not in self._places:
            raise ManifestError(
                f"{expression.where}: there is no mask {key!r} ('anno_id') in {self._parts.path}; take both "
                "files of the same release"
            )
        entries = self._parts.value(self._places[key])
        if not isinstance(entries, list) or len(entries) != len(video.frames):
            raise ManifestError(
                f"{self._parts.path}, mask {key!r}: expected an entry for each of the {len(video.frames)} "
                f"frames of video {video.name}, found {len(entries)}; take both files of the same release"
            )
        return entries


def _clips(
    name: str, config: MevisDataset, side: Side, folder: Path, videos: list[FramedVideo], left: LeftOut
) -> Iterator[Clip]:
    masks = _Masks(folder / config.masks)
    for video in videos:

        def mask(
            expression: Expression, place: int, size: tuple[int, int], video: FramedVideo = video
        ) -> Mask | None:
            return masks.mask(video, expression, place, size)

        pictures = folder / "JPEGImages" / video.name
        clock = clock_of(video.frames, config.fps)
        yield from framed_clip(name, config, side, video, clock, pictures, mask, left)
