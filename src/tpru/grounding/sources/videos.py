"""Clips of video files that moments are named in, and the checks of the moments."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tpru.config.grounding_datasets import ClipDataset
from tpru.errors import CorruptMediaError, ManifestError
from tpru.grounding.records import Moment
from tpru.grounding.sources.items import LEAVE_OUT, NO_MEDIA, UNLIKE_MEDIA, UnusableError
from tpru.grounding.sources.pictures import Stored, evenly, stored
from tpru.trajectories.media import frames_at, probe_video, video_times


@dataclass(frozen=True)
class VideoClip:
    """Evenly spaced frames of a video, seconds at which they begin, and the end of the last one."""

    pictures: tuple[Stored, ...]
    times: tuple[float, ...]
    duration: float

    @property
    def frames(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(picture.frame_id for picture in self.pictures)


def video_length(path: Path, where: str) -> tuple[list[float], float]:
    """Seconds at which the frames of a video begin, and its length; decodes nothing.

    Raises:
        UnusableError: the file does not exist.
        CorruptMediaError: it is not a readable video, or shows no frame.
    """
    if not path.is_file():
        raise UnusableError(NO_MEDIA, f"{where}: the video {path} does not exist; add it, {LEAVE_OUT}")
    promised, fps = probe_video(path)
    times = video_times(path)
    if not times or not fps:
        raise CorruptMediaError(f"{where}: the video {path} states no frames or no rate; replace it")
    if len(times) < promised:
        raise CorruptMediaError(
            f"{where}: the video {path} holds {len(times)} frames, its index promises {promised}: it is "
            "truncated. Replace the file."
        )
    return times, times[-1] + 1 / fps


def video_clip(path: Path, config: ClipDataset, times: list[float], duration: float) -> VideoClip:
    """The frames of a video within its first ``duration`` seconds, evenly spaced, as they are kept."""
    within = sum(time < duration for time in times)
    places = evenly(within, config.frames)
    pictures = tuple(stored(image, config) for image in frames_at(path, places))
    return VideoClip(pictures, tuple(times[place] for place in places), duration)


def moment(start: float, end: float, where: str) -> Moment:
    """A window as it is written.

    Raises:
        ManifestError: it begins before 0 or ends before it begins.
    """
    if not 0 <= start < end:
        raise ManifestError(
            f"{where}: expected a window that begins at 0 or later and ends after that, found {start:g} to "
            f"{end:g} s; correct the line or remove it"
        )
    return Moment(start, end)


def clipped(moments: Iterable[Moment], duration: float, path: Path, where: str) -> tuple[Moment, ...]:
    """Windows in order of time, clipped to the length of their video.

    Raises:
        UnusableError: none begins before the video ends.
    """
    moments = sorted(moments, key=lambda m: (m.start_s, m.end_s))
    kept = tuple(Moment(m.start_s, min(m.end_s, duration)) for m in moments if m.start_s < duration)
    if not kept:
        raise UnusableError(
            UNLIKE_MEDIA,
            f"{where}: the window begins at {moments[0].start_s:g} s, the video {path} lasts "
            f"{duration:.2f} s; it is another one, or cut off: replace it, {LEAVE_OUT}",
        )
    return kept
