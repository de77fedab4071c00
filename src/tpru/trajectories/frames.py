"""One frame of a trajectory as it is read, and what is kept of it.

Frames of a video stay as the decoder gives them: only those that a sequence keeps become RGB pictures at
full size and JPEG, once. Everything else is decided on a small copy.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import av
import numpy as np
from PIL import Image

from tpru.store import encode_jpeg
from tpru.trajectories.signature import CELLS, Signature, signature

# Decoded frames that wait for being kept take at most this much memory in each process; beyond it the
# oldest are encoded. 290 frames of 640x480, 43 of 1920x1080.
HELD_BYTES = 128 << 20
# FFmpeg would start a thread for every core, and end them, for each frame that it converts.
THREADS = 1


@dataclass(frozen=True)
class PictureFrame:
    """A picture that the source stores: its place in time, and its bytes, which are never encoded again."""

    index: int
    image: Image.Image
    encoded: bytes

    def look(self) -> Signature:
        """Its signature."""
        return signature(self.image)


@dataclass(frozen=True)
class VideoFrame:
    """A frame of a video: its place in time, and what the decoder gave."""

    index: int
    frame: av.VideoFrame

    @property
    def image(self) -> Image.Image:
        """The RGB picture at full size; it is converted anew each time."""
        return upright(self.frame)

    def look(self) -> Signature:
        """The signature, from a small copy: within a few levels of that of the full picture."""
        # Shrunk to 32x32 at once, FFmpeg's area filter would mix neighbouring cells.
        side = 2 * CELLS
        small = self.frame.reformat(
            width=side, height=side, format="rgb24", interpolation="AREA", threads=THREADS
        )
        pixels = small.to_ndarray().astype(np.uint16)
        rows = pixels[::2] + pixels[1::2]
        cells = ((rows[:, ::2] + rows[:, 1::2] + 2) // 4).astype(np.uint8)
        return np.ascontiguousarray(np.rot90(cells, quarter_turns(self.frame)))


RawFrame = PictureFrame | VideoFrame


def upright(frame: av.VideoFrame) -> Image.Image:
    """A decoded frame as an RGB picture, turned as players do: phones film sideways and write down how."""
    plane = frame.reformat(format="rgb24", threads=THREADS).planes[0]
    size = (plane.width, plane.height)
    image = Image.frombytes("RGB", size, bytes(plane), "raw", "RGB", plane.line_size)
    turns = quarter_turns(frame)
    return image.rotate(90 * turns, expand=True) if turns else image


def quarter_turns(frame: av.VideoFrame) -> int:
    """How often a frame is turned anticlockwise by 90 degrees to stand upright."""
    return round(frame.rotation / 90) % 4


class Encoder:
    """Makes the bytes of frames when they are asked for, of each at most once."""

    def __init__(self, quality: int) -> None:
        self._quality = quality
        self._held: deque[_Held] = deque()
        self._bytes = 0

    def later(self, frame: RawFrame) -> Callable[[], bytes]:
        """A function that returns the frame's bytes: those of the source, or JPEG."""
        if isinstance(frame, PictureFrame):
            encoded = frame.encoded
            return lambda: encoded
        held = _Held(frame, self._quality)
        self._held.append(held)
        self._bytes += held.size
        while self._bytes > HELD_BYTES:
            oldest = self._held.popleft()
            oldest()
            self._bytes -= oldest.size
        return held


class _Held:
    """A decoded frame until its bytes are asked for."""

    def __init__(self, frame: VideoFrame, quality: int) -> None:
        self.size = sum(plane.buffer_size for plane in frame.frame.planes)
        self._frame: VideoFrame | None = frame
        self._quality = quality
        self._encoded = b""

    def __call__(self) -> bytes:
        if self._frame is not None:
            self._encoded = encode_jpeg(self._frame.image, self._quality)
            self._frame = None
        return self._encoded
