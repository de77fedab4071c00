"""Frames of videos as the pictures of a question.

The published protocol of SEED-Bench-R1 (arXiv 2503.24376) takes two frames a second, an even number of them,
at least 4 and at most 16, evenly spaced from the first to the last, each forced to 252x252 pixels. The rule
here is the same with these numbers from the configuration, and takes no frame twice.
"""

import io
from pathlib import Path

from PIL import Image

from tpru.config.schema import VideoBenchmark
from tpru.errors import CorruptMediaError, ManifestError
from tpru.store import encode_jpeg
from tpru.trajectories.media import frames_at, probe_video, video_times

LEAST = 4


def how_many(seconds: float, config: VideoBenchmark) -> int:
    """How many frames to take of so many seconds."""
    even = int(seconds * config.frames_per_second) // 2 * 2
    return min(config.frames, max(LEAST, even))


def places(first: int, last: int, n: int) -> list[int]:
    """At most n evenly spaced frame numbers, ``first`` and ``last`` included; if only one, the last."""
    n = min(n, last - first + 1)
    return [first + round(k * (last - first) / (n - 1)) for k in range(n)] if n > 1 else [last]


def clip(path: Path, config: VideoBenchmark) -> list[bytes]:
    """Encoded frames of a whole video.

    Raises:
        ManifestError: the file does not exist.
        CorruptMediaError: it is no video, or ends before its index says.
    """
    times = video_times(path)
    promised, fps = probe_video(path)
    if len(times) < max(1, promised):
        raise CorruptMediaError(
            f"the video {path} holds {len(times)} frames, its index promises {promised}: it is truncated. "
            "Download it again"
        )
    seconds = len(times) / fps if fps else times[-1]
    return frames_of(path, places(0, len(times) - 1, how_many(seconds, config)), config)


def frames_of(path: Path, numbers: list[int], config: VideoBenchmark) -> list[bytes]:
    """Encoded frames of a video by their numbers, from 0.

    Raises:
        ManifestError: the file does not exist.
        CorruptMediaError: it is no video, or holds too few frames.
    """
    return [encoded(frame, config) for frame in frames_at(path, numbers)]


def encoded(frame: Image.Image, config: VideoBenchmark) -> bytes:
    """A frame as JPEG, forced to the configured square if there is one."""
    side = config.frame_size
    sized = frame.convert("RGB")
    if side:
        sized = sized.resize((side, side), Image.Resampling.BICUBIC)
    return encode_jpeg(sized, config.jpeg_quality)


def picture_file(path: Path, config: VideoBenchmark) -> bytes:
    """A picture file, as it is unless frames are forced to a size.

    Raises:
        ManifestError: the file does not exist.
        CorruptMediaError: it cannot be decoded.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ManifestError(f"the picture {path} cannot be read ({error.strerror}); download it") from error
    if not config.frame_size:
        return data
    try:
        with Image.open(io.BytesIO(data)) as image:
            return encoded(image, config)
    except Exception as error:  # Pillow's readers raise many types for damaged files
        raise CorruptMediaError(
            f"the picture {path} cannot be decoded ({type(error).__name__}: {error}); download it again"
        ) from error
