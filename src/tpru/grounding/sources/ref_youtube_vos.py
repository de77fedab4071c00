"""Ref-YouTube-VOS: masks of the thing in a web video that an expression names (Seo et al., ECCV 2020).

Beside what :mod:`.expressions` says, an expression has ``obj_id``, the text of a number: the index that the
thing has in the palette pictures ``Annotations/VIDEO/NAME.png``, 0 being none. Every fifth frame of 30 a
second is there and labelled. ``meta.json`` lists the things of each video under ``objects``. Only ``train``
is published with labels.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tpru.config.grounding_datasets import RefYoutubeVosDataset
from tpru.errors import CorruptMediaError, ManifestError
from tpru.files import sha256_bytes
from tpru.grounding.records import Clip, Side
from tpru.grounding.sources.expressions import (
    Expression,
    FramedVideo,
    clock_of,
    framed_clip,
    read_expressions,
)
from tpru.grounding.sources.items import SIDES, LeftOut, read_sides
from tpru.grounding.sources.rle import Mask
from tpru.trajectories.sources.reading import field, load_json

LABELLED = "take meta_expressions/train; items to test on are drawn from it (test_share)"


def read(name: str, config: RefYoutubeVosDataset) -> Iterator[Clip]:
    """The clips of both sides: all expressions about a video at once.

    Raises:
        ManifestError: a file is not of the format or has no labels, or pictures are missing.
        CorruptMediaError: a picture cannot be decoded.
        EmptySourceError: nothing is left.
    """
    root, left = Path(config.path), LeftOut(name, config)
    videos = read_expressions(root / config.expressions, "obj_id", LABELLED)
    meta = root / config.meta if config.meta else None
    things = field(load_json(meta), "videos", dict, str(meta)) if meta else {}
    for video in videos if meta else ():
        _check_things(video, things, meta)
    sides = (
        _clips(name, config, side, [v for v in videos if _side(v.name, config.test_share) == side], left)
        for side in SIDES
    )
    yield from read_sides(name, config, left, sides)


def _side(video: str, test_share: float) -> Side:
    """A share of the videos, always the same ones, to test on: the hash of the name decides."""
    drawn = int(sha256_bytes(f"ref_youtube_vos/{video}".encode())[:8], 16) / 16**8
    return "test" if drawn < test_share else "train"


def _check_things(video: FramedVideo, things: dict[str, Any], meta: Path | None) -> None:
    known = field(field(things, video.name, dict, str(meta)), "objects", dict, f"{meta}, video {video.name}")
    for expression in video.expressions:
        if str(_index(expression)) not in known:
            raise ManifestError(
                f"{expression.where}: 'obj_id' {expression.entry['obj_id']!r} is none of the things "
                f"{sorted(known)} of this video in {meta}; take both files of the same release"
            )


def _index(expression: Expression) -> int:
    value = expression.entry["obj_id"]
    if not isinstance(value, str) or not value.isdigit() or not 0 < int(value) < 256:
        raise ManifestError(
            f"{expression.where}: expected the text of a number from 1 under 'obj_id', found {value!r:.80}"
        )
    return int(value)


class _Palette:
    """The palette pictures of one video, the last one in memory: all expressions ask for the same."""

    def __init__(self, folder: Path, video: FramedVideo) -> None:
        self._folder, self._video = folder, video
        self._last: tuple[int, np.ndarray[Any, np.dtype[np.uint8]]] | None = None

    def mask(self, expression: Expression, place: int, size: tuple[int, int]) -> Mask:
        """Which pixels of a frame are the thing's: (height, width)."""
        if self._last is None or self._last[0] != place:
            self._last = place, self._indices(self._folder / f"{self._video.frames[place]}.png", size)
        mask: Mask = self._last[1] == _index(expression)
        return mask

    def _indices(self, path: Path, size: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
        if not path.is_file():
            raise ManifestError(
                f"{self._video.where}: the mask {path} does not exist; unpack the archive whole"
            )
        try:
            with Image.open(path) as image:
                image.load()
                mode, found = image.mode, np.asarray(image)
        except Exception as error:  # Pillow's readers raise many types for damaged files
            raise CorruptMediaError(
                f"{self._video.where}: the mask {path} cannot be decoded ({type(error).__name__}: {error}); "
                "replace the file"
            ) from error
        if mode not in ("P", "L") or found.shape != (size[1], size[0]):
            raise ManifestError(
                f"{self._video.where}: the mask {path} is {mode} with {found.shape[1]} x {found.shape[0]} "
                f"pixels; expected a palette (P) and {size[0]} x {size[1]}, as its picture has: replace it"
            )
        return found


def _clips(
    name: str, config: RefYoutubeVosDataset, side: Side, videos: list[FramedVideo], left: LeftOut
) -> Iterator[Clip]:
    root = Path(config.path)
    for video in videos:
        palette = _Palette(root / config.annotations / video.name, video)
        clock = clock_of(video.frames, config.fps)
        folder = root / config.pictures / video.name
        yield from framed_clip(name, config, side, video, clock, folder, palette.mask, left)
