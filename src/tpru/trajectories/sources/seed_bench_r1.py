"""SEED-Bench-R1, EgoPlan and EgoPlan-Bench2: the narrated steps of egocentric videos as sequences.

The questions of these sets (:mod:`tpru.trajectories.egoplan_records`) tell, for a goal in a video, which
steps were done so far and from which frame to which. Put together they are a trajectory: a frame before the
first step and one at the end of each.

Frame numbers count in the whole recordings: 50 a second in the videos that EPIC-KITCHENS-100 added (numbers
of three digits, P01_101), 59.94 in its older ones, 30 in Ego4D. SEED-Bench-R1 comes with a cut video for each
question instead, named by the question. Its publication does not say where these begin and end; they are
taken to go from the beginning of the task to the current observation, and the length of each is held against
that.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tpru.config.schema import SeedBenchR1Source
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError
from tpru.records import Media, Step, Trajectory
from tpru.trajectories.egoplan_records import EPIC, EgoPlanRecord, Segment, read_records
from tpru.trajectories.media import probe_video
from tpru.trajectories.source_data import SourceData, SourceTrajectory
from tpru.trajectories.sources.action_words import past
from tpru.trajectories.sources.reading import check_ends, natural, one_line, same_words

VIDEOS = (".mp4", ".MP4")
NO_VIDEO, UNLIKE_VIDEO, TOO_SHORT = "no_video", "unlike_video", "too_short"
LEAVE_OUT = "or set skip_missing=true to leave out all such episodes"
# Frames a second (arXiv 2006.13256, 2110.07058). A few older videos of EPIC-KITCHENS were filmed at other
# rates, and their frames counted at this one.
EPIC_RATE, EPIC_100_RATE, EGO4D_RATE = 60000 / 1001, 50.0, 30.0
SAME_RATE = 0.01  # within this share a video has the rate that the annotations count in
SLACK_S, SLACK = 0.5, 0.02  # seconds, and share of its length, that a cut video may differ from what is said


@dataclass(frozen=True)
class _Episode:
    """Steps of one goal in one stretch of a video, in time order, and the records that tell of them."""

    records: tuple[EgoPlanRecord, ...]
    segments: tuple[Segment, ...]

    @property
    def record(self) -> EgoPlanRecord:
        """The one that tells most."""
        return self.records[0]


class _UnusableError(Exception):
    """There is no video of an episode, or not the one that its annotations speak of, or only one frame."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def read(name: str, config: SeedBenchR1Source) -> SourceData:
    """Read the episodes in natural order of their videos, and in time order within a video.

    Questions about the same goal in the same video are put together where their steps overlap in time; what
    is told apart is another attempt, and another trajectory of the same group. Of videos only heads are read.

    Raises:
        ManifestError: a file of annotations is missing or malformed, or a video is not there, or does not fit
            its annotations, and ``skip_missing`` is off.
        CorruptMediaError: a video cannot be opened, or a picture is cut off or is none.
        EmptySourceError: there is no episode.
    """
    dropped: Counter[str] = Counter()
    footage = _Footage(config)
    found: list[Trajectory] = []
    problem = ""
    for episode in _episodes(_records(config, dropped)):
        if config.max_episodes and len(found) == config.max_episodes:
            break
        try:
            found.append(_trajectory(name, config, episode, footage))
        except _UnusableError as error:
            if not config.skip_missing:
                raise ManifestError(str(error)) from error
            problem = problem or str(error)
            dropped[error.reason] += 1
    if not found:
        raise EmptySourceError(
            f"{config.path} and {config.videos} give no episode (left out: {dict(dropped)}); the first: "
            f"{problem or 'no question tells of a step: it shows the current picture alone'}"
        )
    for trajectory in found:
        if trajectory.media.kind == "files":
            check_ends(trajectory.media)
    entries = [SourceTrajectory(t) for t in found]
    return SourceData(entries, config.licence, config.citation, len(found), dict(sorted(dropped.items())))


def _records(config: SeedBenchR1Source, dropped: Counter[str]) -> Iterator[EgoPlanRecord]:
    for name in sorted(set(config.annotations)):
        for record in read_records(Path(config.path) / name):
            if record.segments:
                yield record
            else:
                dropped["no_steps"] += 1


def _episodes(records: Iterator[EgoPlanRecord]) -> list[_Episode]:
    told: dict[tuple[str, str], list[EgoPlanRecord]] = defaultdict(list)
    for record in records:
        told[record.video_id, same_words(record.task_goal)].append(record)
    episodes = [episode for together in told.values() for episode in _attempts(together)]
    return sorted(
        episodes,
        key=lambda e: (natural(e.record.video_id), e.segments[0].start, same_words(e.record.task_goal)),
    )


def _attempts(records: list[EgoPlanRecord]) -> Iterator[_Episode]:
    """What is told of one goal in one video, apart where there is a gap that no record spans."""
    together: list[EgoPlanRecord] = []
    end = -1
    for record in sorted(records, key=lambda r: min(s.start for s in r.segments)):
        if together and min(s.start for s in record.segments) > end:
            yield _episode(together)
            together, end = [], -1
        together.append(record)
        end = max(end, *(s.stop for s in record.segments))
    yield _episode(together)


def _episode(records: list[EgoPlanRecord]) -> _Episode:
    most = sorted(
        records, key=lambda r: (-len(r.segments), natural(r.sample_id), r.observation_frame, r.answer)
    )
    return _Episode(tuple(most), _in_order(s for record in records for s in record.segments))


def _in_order(segments: Iterator[Segment]) -> tuple[Segment, ...]:
    """By their ends: a step is done when it ends, and some begin before the one before is over."""
    return tuple(sorted(set(segments), key=lambda s: (s.stop, s.start, s.text)))


def _trajectory(name: str, config: SeedBenchR1Source, episode: _Episode, footage: "_Footage") -> Trajectory:
    record, segments, media = footage.find(episode)
    if media.n_frames < 2:
        raise _UnusableError(
            TOO_SHORT,
            f"{record.where}: its only step begins and ends in the same frame; restore the file, {LEAVE_OUT}",
        )
    goal = re.sub(r"\W+", "-", same_words(record.task_goal))
    where = f"{segments[0].start}-{segments[-1].stop}"
    who = record.participant if config.group == "participant" else record.video_id
    return Trajectory(
        trajectory_id=f"{name}-{record.video_id}-{where}-{goal}",
        scenario=config.scenario,
        source=name,
        licence=config.licence,
        goal=one_line(record.task_goal),
        group=f"{record.video_source}-{who}",
        media=media,
        steps=tuple(_steps(segments)),
        family="/".join(text.lower() for text in (record.domain, record.scenario) if text),
    )


def _shown(segments: tuple[Segment, ...]) -> list[int]:
    """Numbers of the frames to show: before the first step, and at the end of each."""
    opening = min(s.start for s in segments)
    return sorted({opening, *(s.stop for s in segments)})


def _steps(segments: tuple[Segment, ...]) -> Iterator[Step]:
    frames = _shown(segments)
    for index, frame in enumerate(frames):
        done = [s.text.rstrip(" .") for s in segments if s.stop == frame]
        if index and done:
            yield Step(index, "; ".join(past(text) or f'the step "{text}" was done' for text in done))


class _Footage:
    """Where the videos are: recordings whole, or one cut for each question."""

    def __init__(self, config: SeedBenchR1Source) -> None:
        self._cut = config.footage == "clips"
        self._root = Path(config.videos)
        self._below: dict[str, list[str]] = {}

    def find(self, episode: _Episode) -> tuple[EgoPlanRecord, tuple[Segment, ...], Media]:
        """What can be shown of an episode: one question's steps where videos are cut, else all of them."""
        if not self._cut:
            return episode.record, episode.segments, self._whole(episode.record, episode.segments)
        for record in episode.records:
            if path := self._file(record.video_source, record.video_basename):
                return self._clip(record, path)
        record = episode.record
        raise _UnusableError(
            NO_VIDEO,
            f"{record.where}: the video {record.video_basename!r} under 'video_basename' is neither in "
            f"{self._root / record.video_source} nor in a folder directly below; unpack its archive, "
            f"{LEAVE_OUT}",
        )

    def _file(self, source: str, name: str) -> Path | None:
        """A file in the folder of its source or, as archives unpack, directly below."""
        folder = self._root / source
        if source not in self._below:
            below = (p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else ()
            self._below[source] = ["", *sorted(below)]
        places = (folder / below / name for below in self._below[source])
        return next((path for path in places if name and path.is_file()), None)

    def _clip(self, record: EgoPlanRecord, path: Path) -> tuple[EgoPlanRecord, tuple[Segment, ...], Media]:
        segments = _in_order(s for s in record.segments if s.stop <= record.observation_frame)
        if not segments:
            raise _UnusableError(
                UNLIKE_VIDEO,
                f"{record.where}: every step ends after 'current_observation_frame' "
                f"{record.observation_frame}; restore the file, {LEAVE_OUT}",
            )
        first = _shown(segments)[0]
        if record.start_frame is not None:
            first = min(first, record.start_frame)
        count, rate = probe_video(path)
        said = (record.observation_frame - first + 1) / _rate(record)
        if not rate or abs(count / rate - said) > max(SLACK_S, SLACK * said):
            raise _UnusableError(
                UNLIKE_VIDEO,
                f"{record.where}: expected the video {path} to last {said:.2f} s, from frame {first} to "
                f"'current_observation_frame' {record.observation_frame}, found {count} frames at {rate:.2f} "
                f"a second; use the whole recordings (footage=whole), {LEAVE_OUT}",
            )
        return record, segments, self._media(record, segments, path, first)

    def _whole(self, record: EgoPlanRecord, segments: tuple[Segment, ...]) -> Media:
        video, person = record.video_id, record.participant
        epic = record.video_source == EPIC
        if epic:
            for place in (f"{person}/rgb_frames/{video}", video):
                if (self._root / EPIC / place).is_dir():
                    return self._frames(record, segments, f"{EPIC}/{place}")
        places = [f"{person}/videos/"] if epic else []
        for name in (f"{place}{video}{ending}" for place in ["", *places] for ending in VIDEOS):
            if path := self._file(record.video_source, name):
                return self._media(record, segments, path, 1 if epic else 0)
        raise _UnusableError(
            NO_VIDEO,
            f"{record.where}: there is no video {video} ({video}.mp4"
            f"{f', or frames in {person}/rgb_frames/{video}/' if epic else ''}) in "
            f"{self._root / record.video_source} or directly below; add it, {LEAVE_OUT}",
        )

    def _frames(self, record: EgoPlanRecord, segments: tuple[Segment, ...], folder: str) -> Media:
        """Single pictures, as EPIC-KITCHENS has them beside its videos."""
        files = tuple(f"{folder}/frame_{number:010d}.jpg" for number in _shown(segments))
        for file in files:
            if not (self._root / file).is_file():
                raise _UnusableError(
                    UNLIKE_VIDEO,
                    f"{record.where}: the frame {self._root / file} does not exist; unpack the archive "
                    f"whole, {LEAVE_OUT}",
                )
        return Media("files", len(files), root=str(self._root), files=files)

    def _media(self, record: EgoPlanRecord, segments: tuple[Segment, ...], path: Path, first: int) -> Media:
        """Single frames of a video whose first frame has the number ``first``."""
        count, own = probe_video(path)
        if not own or not count:
            raise CorruptMediaError(f"the video {path} states no frames or no rate; replace it")
        rate = _rate(record)
        if abs(own / rate - 1) <= SAME_RATE:
            rate = own
        times = tuple((number - first) / rate for number in _shown(segments))
        if times[0] < 0 or times[-1] > (count - 0.5) / own:
            raise _UnusableError(
                UNLIKE_VIDEO,
                f"{record.where}: the steps go from {times[0]:.2f} s to {times[-1]:.2f} s, the video {path} "
                f"lasts {count / own:.2f} s; it is not the one that the annotations speak of (see `footage`) "
                f"or is cut off: replace it, {LEAVE_OUT}",
            )
        file = path.relative_to(self._root).as_posix()
        return Media("video", len(times), root=str(self._root), files=(file,), fps=own, times=times)


def _rate(record: EgoPlanRecord) -> float:
    """How many frames the annotations count in a second."""
    if record.video_source != EPIC:
        return EGO4D_RATE
    return EPIC_100_RATE if len(record.video_id.partition("_")[2]) > 2 else EPIC_RATE
