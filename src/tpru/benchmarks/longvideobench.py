"""LongVideoBench (arXiv 2407.15754): questions on web videos of eight seconds to an hour.

A JSON list of records ``id, video_id, video_path, duration, duration_group, question, candidates,
correct_choice, question_category, subtitle_path, starting_timestamp_for_subtitles``; videos lie in
``videos/``, subtitles in ``subtitles/``. Frames are chosen as :mod:`tpru.benchmarks.videos` says. The
category is the kind of question, the second grouping the group of durations; questions of one video are a
group.
Records without an answer (the test set) are left out and counted.

With ``subtitles`` what is said stands behind the first frame at which it can be read; what no chosen frame
shows is left out, as the publishers do. Without, questions that refer to what is said cannot be answered.
"""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from tpru.benchmarks.questions import Question, Reading, text_of, texts_of
from tpru.benchmarks.videos import frames_of, how_many, places
from tpru.config.schema import LongVideoBenchBenchmark
from tpru.errors import CorruptMediaError, ManifestError
from tpru.records import LETTERS
from tpru.synthesis.wording import IMAGE
from tpru.trajectories.media import video_times
from tpru.trajectories.sources.reading import field, load_json

LEAD = "The pictures are frames of a video, in order."
DURATIONS = {15: "8-15 s", 60: "15-60 s", 600: "180-600 s", 3600: "900-3600 s"}
# A line that is read for less counts as standing so long.
LEAST_SECONDS = 1.0


def read(config: LongVideoBenchBenchmark) -> Reading:
    """The questions of the file of annotations.

    Raises:
        ManifestError: it, a record or a file of subtitles is not as published.
    """
    root = Path(config.path)
    file = root / config.annotations
    listed = load_json(file)
    if not isinstance(listed, list):
        raise ManifestError(f"{file}: expected a JSON list of records, found {listed!r:.40}; restore it")
    questions: list[Question] = []
    left_out: Counter[str] = Counter()
    for number, record in enumerate(listed):
        where = f"{file}, record {number}"
        if not isinstance(record, dict):
            raise ManifestError(f"{where}: expected an object, found {record!r:.40}; restore the file")
        if record.get("correct_choice", -1) == -1:
            left_out["answer_not_published"] += 1
        else:
            questions.append(_question(record, where, config))
    return Reading(questions, [file], dict(left_out))


def _question(record: dict[str, Any], where: str, config: LongVideoBenchBenchmark) -> Question:
    duration = float(field(record, "duration", float, where))
    n = how_many(duration, config)
    moments = [duration * k / max(1, n - 1) for k in range(n)]
    said = _subtitles(record, where, config) if config.subtitles else []
    group = field(record, "duration_group", int, where)
    candidates = texts_of(record, "candidates", where)
    choice: int = field(record, "correct_choice", int, where)
    if not 0 <= choice < min(len(candidates), len(LETTERS)):
        raise ManifestError(
            f"{where}: 'correct_choice' is {choice} of {len(candidates)} candidates; restore the file"
        )
    return Question(
        question_id=text_of(record, "id", where),
        category=text_of(record, "question_category", where).strip(),
        group=text_of(record, "video_id", where),
        text=f"{LEAD}\n{interleaved(moments, said)}\n{text_of(record, 'question', where)}",
        options=candidates,
        answer=LETTERS[choice],
        pictures=partial(
            _pictures, Path(config.path) / "videos" / _name(record, "video_path", where), n, config
        ),
        where=where,
        scenario=DURATIONS.get(group, f"up to {group} s"),
    )


def _pictures(video: Path, n: int, config: LongVideoBenchBenchmark) -> list[bytes]:
    found = len(video_times(video))
    if found < n:
        raise CorruptMediaError(
            f"the video {video} holds {found} frames, its duration promises {n} and more: it is truncated. "
            "Download it again"
        )
    return frames_of(video, places(0, found - 1, n), config)


def interleaved(moments: list[float], said: list[tuple[float, float, str]]) -> str:
    """A marker for every moment, each followed by what can be read then and could not before.

    Args:
        moments: seconds of the frames.
        said: start and end in seconds and text of the lines.
    """
    parts, used = [], set()
    for moment in moments:
        parts.append(IMAGE)
        for number, (start, end, text) in enumerate(said):
            if number not in used and start < moment < end:
                used.add(number)
                parts.append(f"\n{text}\n")
    return "".join(parts)


def _subtitles(
    record: dict[str, Any], where: str, config: LongVideoBenchBenchmark
) -> list[tuple[float, float, str]]:
    """Lines by their start, in seconds of the video; the file covers the video that it was cut from."""
    file = Path(config.path) / "subtitles" / _name(record, "subtitle_path", where)
    offset = float(field(record, "starting_timestamp_for_subtitles", float, where))
    duration = float(field(record, "duration", float, where))
    lines = []
    for number, entry in enumerate(load_json(file)):
        place = f"{file}, line {number}"
        if "timestamp" in entry:
            start, end = field(entry, "timestamp", list, place)
            text = text_of(entry, "text", place)
        else:
            start, end = (_seconds(text_of(entry, key, place), place) for key in ("start", "end"))
            text = text_of(entry, "line", place)
        # The last line may have no end.
        start, end = start - offset, (duration if end is None else end - offset)
        middle, half = (start + end) / 2, max(end - start, LEAST_SECONDS) / 2
        lines.append((middle - half, middle + half, " ".join(text.replace(IMAGE, "").split())))
    return sorted(lines)


def _seconds(clock: str, where: str) -> float:
    try:
        hours, minutes, seconds = (float(part) for part in clock.split(":"))
    except ValueError as error:
        raise ManifestError(
            f"{where}: expected a time 00:00:00.000, found {clock!r:.40}; restore it"
        ) from error
    return hours * 3600 + minutes * 60 + seconds


def _name(record: dict[str, Any], key: str, where: str) -> str:
    """The name of a file that does not lead out of its folder."""
    name = text_of(record, key, where)
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ManifestError(
            f"{where}: expected the name of a file under {key!r}, found {name!r:.80}; restore it"
        )
    return name
