"""Reading the frames of a trajectory in time order, one at a time, from wherever they are."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import av
import pyarrow.parquet as pq
from PIL import Image

from tpru.errors import CorruptMediaError, ManifestError, TooShortError
from tpru.records import Media, Trajectory
from tpru.store import decode_image
from tpru.trajectories.frames import PictureFrame, RawFrame, VideoFrame, upright

# Frames of a file whose times differ by less are the same.
TIME_SLACK_S = 1e-4
# Seeking costs about as much as decoding so many seconds.
FAR_S = 4.0


class EmbeddedFrames(Protocol):
    """Where embedded frames come from: trajectory id and frame index to encoded bytes."""

    def read(self, trajectory_id: str) -> list[bytes]:
        """Encoded frames of one trajectory in time order."""


class EmbeddedParquet:
    """Frames stored in ``media.parquet``: a row per trajectory, in ``frames`` a list of bytes."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        self._where: dict[str, tuple[int, int]] = {}
        for group in range(self._file.num_row_groups):
            ids = self._file.read_row_group(group, columns=["trajectory_id"]).column(0).to_pylist()
            self._where.update({name: (group, row) for row, name in enumerate(ids)})

    def read(self, trajectory_id: str) -> list[bytes]:
        """Encoded frames of one trajectory in time order."""
        group, row = self._where[trajectory_id]
        column = self._file.read_row_group(group, columns=["frames"]).column(0)
        frames: list[bytes] = column[row].as_py()
        return frames


def iter_frames(
    trajectory: Trajectory, embedded: EmbeddedFrames | None = None, every: int = 1
) -> Iterator[RawFrame]:
    """Yield the frames of a trajectory in time order, holding one in memory at a time.

    Args:
        trajectory: the record that says where the frames are.
        embedded: needed for embedded media only.
        every: yield each ``every``-th frame (the first one always); a video is still decoded whole,
            so that a truncated one is found.

    Raises:
        ManifestError: a file is not there.
        CorruptMediaError: a picture cannot be decoded, or a video ends before its index says.
        TooShortError: there are fewer than two frames.
    """
    media = trajectory.media
    if media.n_frames < 2:
        raise TooShortError(
            f"trajectory {trajectory.trajectory_id} has {media.n_frames} frame(s); at least 2 are needed"
        )
    if media.kind == "video":
        yield from _video_frames(trajectory.trajectory_id, media, every)
        return
    if media.kind == "embedded":
        if embedded is None:
            raise ValueError(f"{trajectory.trajectory_id} has embedded frames; pass their store")
        pictures: Iterator[tuple[str, bytes]] = (
            # Pictures of alternatives come after the true frames.
            (f"frame {i}", data)
            for i, data in enumerate(embedded.read(trajectory.trajectory_id)[: media.n_frames])
        )
    else:
        pictures = ((name, _read_file(Path(media.root) / name)) for name in media.files)
    for index, (name, data) in enumerate(pictures):
        if index % every:
            continue
        try:
            yield PictureFrame(index, decode_image(data), data)
        except (OSError, SyntaxError, ValueError) as error:
            raise CorruptMediaError(
                f"trajectory {trajectory.trajectory_id}: the picture {name} in "
                f"{media.root or 'the store'} cannot be decoded ({error}). "
                "Replace the file or remove the episode."
            ) from error


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ManifestError(f"the frame {path} does not exist") from error


def _video_frames(trajectory_id: str, media: Media, every: int) -> Iterator[VideoFrame]:
    """Frames of a cut or at single times; checks that all are there."""
    path = Path(media.root) / media.files[0]
    if not path.exists():
        raise ManifestError(f"trajectory {trajectory_id}: the video {path} does not exist")
    count = 0
    try:
        chosen = _at_times(path, media.times, _half(media)) if media.times else _between(path, media)
        for frame in chosen:
            if count % every == 0:
                yield VideoFrame(count, frame)
            count += 1
    except (av.FFmpegError, IndexError) as error:
        raise CorruptMediaError(
            f"trajectory {trajectory_id}: the video {path} cannot be decoded after frame {count} "
            f"({error}). Replace the file or remove the episode."
        ) from error
    if count < media.n_frames:
        raise CorruptMediaError(
            f"trajectory {trajectory_id}: the video {path} holds {count} frames, its index "
            f"promises {media.n_frames}: it is truncated. Replace the file or remove the episode."
        )


def _half(media: Media) -> float:
    """Half a frame in seconds."""
    return 0.5 / media.fps if media.fps else 0.0


def _between(path: Path, media: Media) -> Iterator[av.VideoFrame]:
    """The frames of ``[start_s, end_s)`` with half a frame of tolerance."""
    half = _half(media)
    start = (media.start_s or 0.0) - half
    end = float("inf") if media.end_s is None else media.end_s - half
    for time, frame in _frames_from(path, start, 2 * half):
        if time >= end:
            return
        if time >= start:
            yield frame


def _at_times(path: Path, times: Sequence[float], slack: float) -> Iterator[av.VideoFrame]:
    """The frame at each of these ascending seconds, less the slack, until the video ends.

    From one to the next it decodes on where that is near, else it jumps to the key frame before.
    """
    frames: Iterator[tuple[float, av.VideoFrame]] = iter(())
    frame: av.VideoFrame | None = None
    here = float("-inf")
    for wanted in times:
        if wanted - here > FAR_S:
            frames = _frames_from(path, wanted - slack, 2 * slack)
        while frame is None or here < wanted - slack:
            timed = next(frames, None)
            if timed is None:
                return
            here, frame = timed
        yield frame


def whole_video(path: Path) -> Iterator[tuple[float, av.VideoFrame]]:
    """Every frame of a video, decoded but not converted, with its seconds since the first one.

    Raises:
        ManifestError: the file does not exist.
        CorruptMediaError: it is not a readable video, or ends before its index says.
    """
    promised, _ = probe_video(path)
    count = 0
    try:
        for timed in _timed_frames(path, 0.0):
            yield timed
            count += 1
    except (av.FFmpegError, IndexError) as error:
        raise CorruptMediaError(
            f"the video {path} cannot be decoded after frame {count} ({error}). Replace or remove the file."
        ) from error
    if count < promised:
        raise CorruptMediaError(
            f"the video {path} holds {count} frames, its index promises {promised}: it is truncated. "
            "Replace or remove the file."
        )


def _frames_from(path: Path, start: float, spacing: float) -> Iterator[tuple[float, av.VideoFrame]]:
    """Frames with their seconds since the first one, from at or before ``start`` where that works.

    Some containers (MPEG-TS) land behind the point asked for: the file is then read from its start.
    """
    if start > 0:
        timed = _timed_frames(path, start)
        first = next(timed, None)
        if first is not None and first[0] <= start + spacing:
            yield first
            yield from timed
            return
    yield from _timed_frames(path, 0.0)


def _timed_frames(path: Path, start: float) -> Iterator[tuple[float, av.VideoFrame]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        zero = _start_time(stream)
        if start > 0:
            container.seek(int((start + zero) / float(stream.time_base or 1)), stream=stream)
        for frame in container.decode(stream):
            yield float(frame.time or 0.0) - zero, frame


def _start_time(stream: av.VideoStream) -> float:
    """Seconds on the clock of the file at its first frame: not zero in a cut or broadcast video."""
    return float((stream.start_time or 0) * (stream.time_base or 0))


def probe_video(path: Path) -> tuple[int, float]:
    """Number of frames that the container promises and frames per second, without decoding.

    Matroska and WebM count no frames in their header: there the packets are counted, and held
    against the duration that the header states.

    Raises:
        ManifestError: the file does not exist.
        CorruptMediaError: it is not a readable video.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        fps = float(stream.average_rate or 0.0)
        if not stream.frames:
            return _frames_by_packets(container, stream, fps), fps
        if "mp4" not in container.format.name:
            return stream.frames, fps
        # A video trimmed without encoding again keeps samples that its edit list hides.
        shown = round((_stated_seconds(stream) or 0.0) * fps)
        return min(stream.frames, shown or stream.frames), fps


def video_times(path: Path) -> list[float]:
    """Seconds of every frame since the first one, in order, read from the packets without decoding.

    Raises:
        ManifestError: the file does not exist.
        CorruptMediaError: it is not a readable video.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        zero = _start_time(stream)
        return [time - zero for time, _ in _packet_times(container, stream)]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator["av.container.InputContainer"]:
    if not path.exists():
        raise ManifestError(f"the video {path} does not exist")
    try:
        with av.open(str(path)) as container:
            yield container
    except (av.FFmpegError, IndexError) as error:
        raise CorruptMediaError(
            f"the video {path} cannot be opened ({error}): it is truncated or not a video"
        ) from error


def _packet_times(
    container: "av.container.InputContainer", stream: av.VideoStream
) -> list[tuple[float, float]]:
    """Start and end of the packets of shown frames, sorted, in seconds on the clock of the file."""
    unit = float(stream.time_base or 0)
    times = []
    for packet in container.demux(stream):
        stamp = packet.dts if packet.pts is None else packet.pts
        if packet.size and stamp is not None and not packet.is_discard:
            times.append((stamp * unit, (stamp + (packet.duration or 0)) * unit))
    return sorted(times)


def _frames_by_packets(container: "av.container.InputContainer", stream: av.VideoStream, fps: float) -> int:
    times = _packet_times(container, stream)
    if not times or not fps:
        return len(times)
    seconds, slack = _stated_seconds(stream), 1.5 / fps
    if seconds is None and container.duration:
        # The file as a whole lasts as long as its longest stream, sound included.
        seconds = container.duration / av.time_base
        slack = slack if len(container.streams) == 1 else max(slack, 1.0)
    if seconds is None or seconds - max(times[-1][1], times[-1][0] + 1 / fps) <= slack:
        return len(times)
    return max(round(seconds * fps), len(times) + 1)


def _stated_seconds(stream: av.VideoStream) -> float | None:
    """How long the video stream says it is; Matroska writes it as a tag "00:00:02.000000000"."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    parts = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return None
    return hours * 3600 + minutes * 60 + seconds


def frames_at(path: Path, places: Sequence[int]) -> list[Image.Image]:
    """The frames of a video at these places (from 0, ascending, the same one twice if asked).

    What lies far between two of them is not decoded.

    Raises:
        ManifestError: the file does not exist.
        CorruptMediaError: it is not a readable video, or holds too few frames.
    """
    times = video_times(path)
    shown: list[Image.Image] = []
    try:
        for frame in _at_times(path, [times[place] for place in places if place < len(times)], TIME_SLACK_S):
            shown.append(upright(frame))
    except (av.FFmpegError, IndexError) as error:
        raise CorruptMediaError(
            f"the video {path} holds {len(times)} frames; frame {places[len(shown)]} cannot be decoded "
            f"({error}). Replace the file."
        ) from error
    if len(shown) < len(places):
        raise CorruptMediaError(
            f"the video {path} ends before frame {places[len(shown)]}, after {len(times)} frames: it is cut "
            "off, or not the one that is meant. Replace the file."
        )
    return shown
