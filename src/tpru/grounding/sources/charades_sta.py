"""Charades-STA: moments of indoor activities that a sentence describes (arXiv 1705.02101).

A text file for each side with lines ``AO8RW 0.0 6.9##a person is putting a book on a shelf.``: name of the
video (``AO8RW.mp4`` of Charades, arXiv 1604.01753), begin and end in seconds, the sentence. Ends behind the
end of the video are meant to be clipped to it (gsig/charades-algorithms, issue 5).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tpru.config.grounding_datasets import CharadesStaDataset
from tpru.errors import ManifestError
from tpru.grounding.records import Clip, Moment, Side
from tpru.grounding.sources.items import LeftOut, UnusableError, make_item, read_sides, without_tested, words
from tpru.grounding.sources.videos import clipped, moment, video_clip, video_length
from tpru.trajectories.sources.reading import natural

LINE = re.compile(r"(?P<video>[\w-]+) +(?P<start>\d+(\.\d+)?) +(?P<end>\d+(\.\d+)?) *##(?P<words>.+)")


@dataclass(frozen=True)
class _Sentence:
    line: int
    where: str
    moment: Moment
    query: str


def read(name: str, config: CharadesStaDataset) -> Iterator[Clip]:
    """The clips of both sides: all sentences about a video at once.

    Raises:
        ManifestError: a file or a line is not of the format, or a video is missing and may not be.
        CorruptMediaError: a video cannot be decoded.
        EmptySourceError: nothing is left.
    """
    root, left = Path(config.path), LeftOut(name, config)
    train, test = (_sentences(root / file) if file else {} for file in (config.train, config.test))
    train = without_tested(train, set(test), left)
    sides = (_clips(name, config, "train", train, left), _clips(name, config, "test", test, left))
    yield from read_sides(name, config, left, sides)


def _sentences(path: Path) -> dict[str, list[_Sentence]]:
    found: dict[str, list[_Sentence]] = {}
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path} cannot be read as text ({error}); correct the path") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        match = LINE.fullmatch(line.strip())
        if not match:
            raise ManifestError(
                f"{where}: expected `VIDEO begin end##sentence.`, found {line!r:.80}; correct or "
                "remove the line"
            )
        window = moment(float(match["start"]), float(match["end"]), where)
        sentence = _Sentence(number, where, window, words(match["words"], where))
        found.setdefault(match["video"], []).append(sentence)
    return found


def _clips(
    name: str, config: CharadesStaDataset, side: Side, found: Mapping[str, Sequence[_Sentence]], left: LeftOut
) -> Iterator[Clip]:
    for video in sorted(found, key=natural):
        path = Path(config.path) / config.videos / f"{video}.mp4"
        try:
            times, duration = video_length(path, found[video][0].where)
        except UnusableError as error:
            left.unusable(error, len(found[video]))
            continue
        windows = []
        for sentence in found[video]:
            try:
                windows.append((sentence, clipped([sentence.moment], duration, path, sentence.where)))
            except UnusableError as error:
                left.unusable(error)
        if not windows:
            continue
        clip = video_clip(path, config, times, duration)
        items = tuple(
            make_item(
                name,
                config,
                "temporal",
                side,
                f"{side}/{video}/{sentence.line:05d}",
                group=f"charades/{video}",
                query=sentence.query,
                frames=clip.frames,
                times=clip.times,
                duration=clip.duration,
                moments=moments,
            )
            for sentence, moments in windows
        )
        yield Clip(items, tuple(picture.data for picture in clip.pictures))
