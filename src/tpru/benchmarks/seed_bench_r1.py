"""SEED-Bench-R1 (arXiv 2503.24376), EgoPlan-Bench (2312.06722), EgoPlan-Bench2 (2412.04447): what to do next.

One form of record (:mod:`tpru.trajectories.egoplan_records`), two of media:

- SEED-Bench-R1 names a cut video that ends at the question, ``videos/<source>/<name>``, and a picture of the
  current state, ``images/<source>/<name>``.
- EgoPlan numbers the frames of whole videos: ``<ego4d>/<video>.mp4``, counted from 0, or EPIC-KITCHENS frames
  ``<epic_kitchens>/P01/rgb_frames/P01_13/frame_0000000001.jpg``, counted from 1. The progress is what lies
  between the start of the task (or of its first narrated step) and the current frame.

Frames come first, in order, and the picture of the current state last; a record without progress has that one
alone. Frames are chosen as :mod:`tpru.benchmarks.videos` says. Questions of one video are a group, the domain
is the category. Records with secret answers are left out and counted.
"""

from collections import Counter
from functools import partial
from pathlib import Path

from tpru.benchmarks.questions import Question, Reading
from tpru.benchmarks.videos import clip, frames_of, how_many, picture_file, places
from tpru.config.schema import SeedBenchR1Benchmark
from tpru.errors import ManifestError
from tpru.records import Level
from tpru.trajectories.egoplan_records import EPIC, EgoPlanRecord, read_records
from tpru.trajectories.media import probe_video

WITH_PROGRESS = "The pictures show what has been done so far, in order. The last one shows the current state."
WITHOUT = "The picture shows the current state."
# Most of its videos; it only decides how many frames a clip of less than eight seconds gives.
EPIC_FPS = 60.0


def read(config: SeedBenchR1Benchmark) -> Reading:
    """The questions of all files.

    Raises:
        ManifestError: a file or a record is not as published.
    """
    root = Path(config.path)
    files = [root / annotations.file for annotations in config.annotations]
    questions: list[Question] = []
    left_out: Counter[str] = Counter()
    for file, annotations in zip(files, config.annotations, strict=True):
        for record in read_records(file):
            if not record.choices:
                raise ManifestError(
                    f"{record.where}: has no choices (choice_a to choice_d): it is a training record; name a "
                    "file of the validation set"
                )
            if not record.golden:
                left_out["answer_not_published"] += 1
            else:
                questions.append(_question(record, annotations.level, config))
    return Reading(questions, files, dict(left_out))


def _question(record: EgoPlanRecord, level: Level, config: SeedBenchR1Benchmark) -> Question:
    lead = WITH_PROGRESS if record.segments else WITHOUT
    return Question(
        question_id=f"{level}/{record.sample_id}" if level else record.sample_id,
        category=record.domain,
        group=record.video_id,
        text=f"{lead}\n{record.question}",
        options=record.choices,
        answer=record.golden,
        pictures=partial(_pictures, record, config),
        where=record.where,
        # Levels tell the sources apart already.
        scenario=record.scenario or ("" if level else record.video_source),
        level=level,
    )


def _pictures(record: EgoPlanRecord, config: SeedBenchR1Benchmark) -> list[bytes]:
    """The progress, then the current state."""
    root = Path(config.path)
    if record.observation_basename:
        video = root / "videos" / record.video_source / record.video_basename
        picture = root / "images" / record.video_source / record.observation_basename
        if record.segments and not record.video_basename:
            raise ManifestError(
                f"{record.where}: names no 'video_basename', but has progress; restore the file"
            )
        return [*(clip(video, config) if record.segments else []), picture_file(picture, config)]
    first = record.start_frame if record.start_frame is not None else _first(record)
    if first > record.observation_frame:
        raise ManifestError(
            f"{record.where}: the progress begins at frame {first}, after the current frame "
            f"{record.observation_frame}; restore the file"
        )
    if record.video_source == EPIC:
        folder = root / config.epic_kitchens / record.participant / "rgb_frames" / record.video_id
        wanted = _places(record, first, EPIC_FPS, config)
        return [picture_file(folder / f"frame_{number:010d}.jpg", config) for number in wanted]
    video = root / config.ego4d / f"{record.video_id}.mp4"
    _, fps = probe_video(video)
    return frames_of(video, _places(record, first, fps, config), config)


def _first(record: EgoPlanRecord) -> int:
    return min((segment.start for segment in record.segments), default=record.observation_frame)


def _places(record: EgoPlanRecord, first: int, fps: float, config: SeedBenchR1Benchmark) -> list[int]:
    """Numbers of the frames of the progress, and of the current one once more as the last picture."""
    last = record.observation_frame
    if not record.segments:
        return [last]
    n = how_many((last - first + 1) / fps if fps else 0.0, config)
    return [*places(first, last, n), last]
