"""QVHighlights: moments of web videos that a sentence describes, and highlights (arXiv 2107.09609).

JSON lines with ``qid``, ``query``, ``duration`` in seconds, ``vid`` (id at YouTube, begin and end there: the
name of the video file), ``relevant_windows`` (seconds), ``relevant_clip_ids`` (stretches of two seconds from
0) and ``saliency_scores`` (for each of these 0 to 4 by each annotator). The last three are not in
highlight_test_release.jsonl.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpru.config.grounding_datasets import QvHighlightsDataset
from tpru.errors import ManifestError
from tpru.grounding.records import Clip, Moment, Side
from tpru.grounding.sources.items import (
    LEAVE_OUT,
    UNLIKE_MEDIA,
    LeftOut,
    UnusableError,
    make_item,
    read_sides,
    without_tested,
    words,
)
from tpru.grounding.sources.videos import clipped, moment, video_clip, video_length
from tpru.trajectories.sources.reading import field, natural

CLIP_S = 2.0
LABELS = ("relevant_windows", "relevant_clip_ids", "saliency_scores")
# By so much a file may be shorter than its annotation says, which is in whole seconds.
SLACK_S = 2.0


@dataclass(frozen=True)
class _Query:
    where: str
    qid: int
    vid: str
    query: str
    duration: float
    moments: tuple[Moment, ...]
    saliency: tuple[tuple[float, ...], ...]


def read(name: str, config: QvHighlightsDataset) -> Iterator[Clip]:
    """The clips of both sides: all queries about a video at once. Videos of one recording are one group.

    Raises:
        ManifestError: a file or a line is not of the format or has no labels, or a video is missing.
        CorruptMediaError: a video cannot be decoded.
        EmptySourceError: nothing is left.
    """
    root, left = Path(config.path), LeftOut(name, config)
    train, test = (_queries(root / file) if file else {} for file in (config.train, config.test))
    train = without_tested(train, set(test), left)
    sides = (_clips(name, config, "train", train, left), _clips(name, config, "test", test, left))
    yield from read_sides(name, config, left, sides)


def _queries(path: Path) -> dict[str, list[_Query]]:
    """By the recording that their videos were cut from."""
    found: dict[str, list[_Query]] = {}
    seen: dict[int, str] = {}
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                query = _query(line, f"{path}, line {number}")
                if query.qid in seen:
                    raise ManifestError(f"{query.where}: 'qid' {query.qid} is that of {seen[query.qid]}, too")
                seen[query.qid] = query.where
                found.setdefault(query.vid.rsplit("_", 2)[0], []).append(query)
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path} cannot be read as text ({error}); correct the path") from error
    return found


def _query(line: str, where: str) -> _Query:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ManifestError(f"{where}: not JSON ({error}): cut off? Restore the file") from error
    if isinstance(record, dict) and not any(key in record for key in LABELS):
        raise ManifestError(
            f"{where}: there is none of {list(LABELS)}: the test split is published without labels; take "
            "highlight_train_release.jsonl and highlight_val_release.jsonl"
        )
    duration = float(field(record, "duration", float, where))
    if not 0 < duration < math.inf:
        raise ManifestError(f"{where}: 'duration' is {duration:g} s; restore the file")
    return _Query(
        where,
        field(record, "qid", int, where),
        field(record, "vid", str, where),
        words(field(record, "query", str, where), f"{where}, 'query'"),
        duration,
        _moments(field(record, LABELS[0], list, where), f"{where}, {LABELS[0]!r}"),
        _saliency(
            field(record, LABELS[1], list, where), field(record, LABELS[2], list, where), duration, where
        ),
    )


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _moments(windows: list[Any], where: str) -> tuple[Moment, ...]:
    if not windows:
        raise ManifestError(f"{where} is empty: expected at least one window; remove the line")
    for window in windows:
        if not isinstance(window, list) or len(window) != 2 or not all(map(_number, window)):
            raise ManifestError(
                f"{where}: expected [begin, end] in seconds, found {window!r:.80}; restore it"
            )
    return tuple(moment(float(start), float(end), where) for start, end in windows)


def _saliency(
    ids: list[Any], scores: list[Any], duration: float, where: str
) -> tuple[tuple[float, ...], ...]:
    """By annotator a score for every stretch of the video, -1 where it was not judged."""
    stretches = math.ceil(duration / CLIP_S)
    right = all(isinstance(i, int) and 0 <= i < stretches for i in ids) and len(set(ids)) == len(ids)
    if not right or not ids:
        raise ManifestError(
            f"{where}: 'relevant_clip_ids' are {ids!r:.80}; expected different numbers from 0 to "
            f"{stretches - 1} ('duration' is {duration:g} s); restore the file"
        )
    judges = len(scores[0]) if scores and isinstance(scores[0], list) else 0
    if len(scores) != len(ids) or not judges:
        raise ManifestError(
            f"{where}: 'saliency_scores' has {len(scores)} entries, 'relevant_clip_ids' {len(ids)}; expected "
            "a list of scores for each; restore the file"
        )
    table = [[-1.0] * stretches for _ in range(judges)]
    for stretch, given in zip(ids, scores, strict=True):
        if not isinstance(given, list) or len(given) != judges or any(s not in range(5) for s in given):
            raise ManifestError(
                f"{where}: 'saliency_scores' of clip {stretch} are {given!r:.80}; expected {judges} numbers "
                "from 0 to 4; restore the file"
            )
        for judge, score in enumerate(given):
            table[judge][stretch] = float(score)
    return tuple(map(tuple, table))


def _clips(
    name: str, config: QvHighlightsDataset, side: Side, found: Mapping[str, Sequence[_Query]], left: LeftOut
) -> Iterator[Clip]:
    by_video: dict[str, list[_Query]] = {}
    for queries in found.values():
        for query in queries:
            by_video.setdefault(query.vid, []).append(query)
    for vid in sorted(by_video, key=natural):
        path = Path(config.path) / config.videos / f"{vid}.mp4"
        queries = by_video[vid]
        said = min(query.duration for query in queries)
        try:
            times, duration = video_length(path, queries[0].where)
            if duration < said - SLACK_S:
                raise UnusableError(
                    UNLIKE_MEDIA,
                    f"{queries[0].where}: 'duration' is {said:g} s, the video {path} lasts {duration:.2f} s; "
                    f"it is another one, or cut off: replace it, {LEAVE_OUT}",
                )
        except UnusableError as error:
            left.unusable(error, len(queries))
            continue
        # The annotators saw no more than they say, whatever the file holds.
        duration = min(duration, said)
        usable = []
        for query in queries:
            try:
                usable.append((query, clipped(query.moments, duration, path, query.where)))
            except UnusableError as error:
                left.unusable(error)
        if not usable:
            continue
        clip = video_clip(path, config, times, duration)
        items = tuple(
            make_item(
                name,
                config,
                "temporal",
                side,
                f"{side}/{query.qid}",
                group=f"qvhighlights/{vid.rsplit('_', 2)[0]}",
                query=query.query,
                frames=clip.frames,
                times=clip.times,
                duration=duration,
                moments=moments,
                **_scores(query, duration),
            )
            for query, moments in usable
        )
        yield Clip(items, tuple(picture.data for picture in clip.pictures))


def _scores(query: _Query, duration: float) -> dict[str, Any]:
    """The scores of the stretches that the video has, or none where none of these was judged."""
    kept = tuple(judge[: math.ceil(duration / CLIP_S)] for judge in query.saliency)
    if all(score < 0 for judge in kept for score in judge):
        return {}
    return {"saliency": kept, "clip_s": CLIP_S}
