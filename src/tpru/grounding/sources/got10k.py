"""GOT-10k: boxes of one thing through a clip, pointed at in its first frame (arXiv 1810.11981).

``SPLIT/list.txt`` names the sequences, one a line; each is a folder with ``00000001.jpg``, ... and, a line
for every picture, ``groundtruth.txt`` (left, top, width, height in pixels, counted from 1: got-10k/toolkit,
issue 6), ``absence.label`` (1: not in the frame) and ``cover.label`` (eighths of the thing that are visible,
0 to 8). ``meta_info.ini`` names the thing and the rate ("10Hz"). ``train`` and ``val`` have all boxes,
``test`` has the first ones alone.
"""

import configparser
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from tpru.config.grounding_datasets import Got10kDataset
from tpru.errors import ManifestError
from tpru.grounding.records import BoxShares, Clip, Region, Side
from tpru.grounding.sources.items import (
    LEAVE_OUT,
    NO_MEDIA,
    SIDES,
    LeftOut,
    UnusableError,
    make_item,
    read_sides,
    words,
)
from tpru.grounding.sources.pictures import Stored, box_shares, evenly, read_picture, stored
from tpru.trajectories.sources.reading import natural, picture_names

UNSEEN = "the thing is in none of its frames"
NAMED = "its sequence is named under leave_out"
RATE = re.compile(r"(\d+(\.\d+)?) *(Hz|fps)", re.IGNORECASE)
Value = TypeVar("Value")


def read(name: str, config: Got10kDataset) -> Iterator[Clip]:
    """The clips of both sides, each with the one item about it.

    A clip begins with the first frame that shows the thing, whose box is given as ``start``.

    Raises:
        ManifestError: a file is not of the format or has no labels, or a sequence is missing.
        CorruptMediaError: a picture cannot be decoded.
        EmptySourceError: nothing is left.
    """
    left = LeftOut(name, config)
    sides = (
        _clips(name, config, side, Path(config.path) / split, left)
        for side, split in zip(SIDES, (config.train, config.test), strict=True)
        if split
    )
    yield from read_sides(name, config, left, sides)


def _clips(name: str, config: Got10kDataset, side: Side, folder: Path, left: LeftOut) -> Iterator[Clip]:
    sequences = [line for line in _lines(folder / "list.txt") if line]
    if len(set(sequences)) < len(sequences):
        raise ManifestError(f"{folder / 'list.txt'} names a sequence twice; restore the file")
    for sequence in sorted(sequences, key=natural):
        if sequence in config.leave_out:
            left.count(NAMED)
        elif not (folder / sequence).is_dir():
            message = (
                f"{folder / 'list.txt'} names {sequence}, whose folder is not there; add it, {LEAVE_OUT}"
            )
            left.unusable(UnusableError(NO_MEDIA, message))
        else:
            yield from _clip(name, config, side, folder / sequence, left)


def _clip(name: str, config: Got10kDataset, side: Side, folder: Path, left: LeftOut) -> Iterator[Clip]:
    thing, fps = _meta(folder / "meta_info.ini")
    files = [file for file in picture_names(folder) if file.endswith(".jpg")]
    truth = folder / "groundtruth.txt"
    boxes = _values(truth, _box)
    if len(boxes) == 1 < len(files):
        raise ManifestError(
            f"{truth} has the first box alone, as in the test split, whose labels are not published; "
            "take train and val"
        )
    absent = _values(folder / "absence.label", lambda text: ("0", "1").index(text))
    cover = _values(folder / "cover.label", lambda text: [str(n) for n in range(9)].index(text))
    for path, values in (
        (truth, boxes),
        (folder / "absence.label", absent),
        (folder / "cover.label", cover),
    ):
        if len(values) != len(files) or not files:
            raise ManifestError(
                f"{path} has {len(values)} lines, the folder {len(files)} pictures; unpack the archive "
                "again, or name the sequence under leave_out"
            )
    # Frames without the thing have boxes of -1 or without width in places (got-10k/toolkit, issue 10).
    seen = [not absent[n] and cover[n] > 0 and boxes[n][2] > 0 and boxes[n][3] > 0 for n in range(len(files))]
    if not any(seen):
        left.count(UNSEEN)
        return
    first = seen.index(True)
    places = [first + place for place in evenly(len(files) - first, config.frames)]
    shown: list[Stored] = []
    regions: list[Region] = []
    for number, place in enumerate(places):
        image = read_picture(folder / files[place], str(truth))
        shown.append(stored(image, config))
        box = _shares(boxes[place], image.size, f"{truth}, line {place + 1}") if seen[place] else ()
        regions.append(Region(number, box))
    item = make_item(
        name,
        config,
        "mask",
        side,
        folder.name,
        group=f"got10k/{folder.name}",
        query=thing,
        frames=tuple(picture.frame_id for picture in shown),
        times=tuple((place - first) / fps for place in places),
        duration=(len(files) - first) / fps,
        regions=tuple(regions),
        start=regions[0].box,
    )
    yield Clip((item,), tuple(picture.data for picture in shown))


def _shares(box: list[float], size: tuple[int, int], where: str) -> BoxShares:
    left, top, width, height = box
    return box_shares((left - 1, top - 1, width, height), size, where)


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path} cannot be read ({error}); unpack the archive whole") from error


def _values(path: Path, parse: Callable[[str], Value]) -> list[Value]:
    """One value a line; empty lines at the end are passed over."""
    lines = _lines(path)
    while lines and not lines[-1]:
        lines.pop()
    values = []
    for number, line in enumerate(lines, start=1):
        try:
            values.append(parse(line))
        except ValueError as error:
            raise ManifestError(
                f"{path}, line {number}: found {line!r:.60} ({error}); restore the file, or name the "
                "sequence under leave_out"
            ) from error
    return values


def _box(text: str) -> list[float]:
    numbers = [float(part) for part in text.split(",")]
    if len(numbers) != 4:
        raise ValueError(f"expected left,top,width,height, found {len(numbers)} numbers")
    return numbers


def _meta(path: Path) -> tuple[str, float]:
    """What the thing is, and frames a second."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string("\n".join(_lines(path)))
        thing, rate = (parser["METAINFO"][key] for key in ("object_class", "anno_fps"))
    except (configparser.Error, KeyError) as error:
        raise ManifestError(
            f"{path}: expected object_class and anno_fps under [METAINFO] ({error})"
        ) from error
    match = RATE.fullmatch(rate.strip())
    if not match or not float(match[1]):
        raise ManifestError(
            f"{path}: expected a rate like 10Hz under anno_fps, found {rate!r}; restore the file"
        )
    return f"the {words(thing, f'{path}, object_class')}", float(match[1])
