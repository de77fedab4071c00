"""Frames as they are decoded: turned upright, looked at small, made into pictures only when they are kept."""

import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.unit.builders import scene
from tests.unit.test_extraction import config, trajectory
from tpru.files import sha256_bytes
from tpru.records import Media
from tpru.store import decode_image
from tpru.trajectories import frames as frames_module
from tpru.trajectories.extraction import extract
from tpru.trajectories.frames import Encoder, VideoFrame
from tpru.trajectories.media import iter_frames
from tpru.trajectories.signature import signature
from tpru.trajectories.sources.videos import filmed

# The matrix of a track header (ISO 14496-12) for a picture that is to be shown turned clockwise.
TURNED = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
CORNERS = {"top left": (4, 4), "top right": (4, -5), "bottom right": (-5, -5), "bottom left": (-5, 4)}


def write_video(path: Path, pictures: list[Image.Image], clockwise: int = 0) -> Path:
    """A video of these pictures; the file says how a player is to turn it."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10, options={"crf": "12"})
        (stream.width, stream.height), stream.pix_fmt = pictures[0].size, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    # Behind the name of the box: version and flags, then 36 bytes (64 in version 1) before the matrix.
    start = data.index(b"tkhd") + 4
    matrix = start + 4 + (32 if data[start] else 20) + 16
    a, b, c, d = (value << 16 for value in TURNED[clockwise])
    data[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def video(path: Path, n: int) -> Media:
    return Media("video", n, str(path.parent), (path.name,), fps=10.0)


def red_corner(image: Image.Image) -> str:
    pixels = np.asarray(image).astype(int)
    redness = {name: pixels[at][0] - pixels[at][1] for name, at in CORNERS.items()}
    return max(redness, key=lambda name: redness[name])


@pytest.mark.parametrize(
    ("clockwise", "size", "corner"),
    [
        (0, (96, 64), "top left"),
        (90, (64, 96), "top right"),
        (180, (96, 64), "bottom right"),
        (270, (64, 96), "bottom left"),
    ],
)
def test_a_phone_video_is_turned_as_it_says(
    tmp_path: Path, clockwise: int, size: tuple[int, int], corner: str
) -> None:
    picture = Image.new("RGB", (96, 64), (40, 90, 60))
    picture.paste((250, 20, 20), (0, 0, 24, 16))
    path = write_video(tmp_path / "a.mp4", [picture] * 3, clockwise)
    read = [*iter_frames(trajectory(media=video(path, 3)))]
    assert len(read) == 3
    for frame in read:
        assert frame.image.size == size
        assert red_corner(frame.image) == corner
        # Decisions are made on the picture as it is shown.
        assert red_corner(Image.fromarray(frame.look())) == corner
        assert np.abs(frame.look().astype(int) - signature(frame.image)).mean() < 1.5
    assert {shown.picture().size for shown in filmed(path, 96)} == {size}


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (160, 224)])
def test_the_look_of_a_decoded_frame_is_that_of_its_picture(size: tuple[int, int]) -> None:
    frame = VideoFrame(0, av.VideoFrame.from_image(scene(size=size)).reformat(format="yuv420p"))
    off = np.abs(frame.look().astype(int) - signature(frame.image))
    # Cells at the edges of the drawing apart: there a pixel falls to one cell or to the other.
    assert off.mean() < 1.5
    assert np.percentile(off, 90) <= 4


def moving(n: int) -> Iterator[VideoFrame]:
    for k in range(n):
        yield VideoFrame(k, av.VideoFrame.from_image(scene(at=(4 + 9 * k, 30))))


def test_only_kept_frames_become_pictures_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[bytes] = Counter()
    encode = frames_module.encode_jpeg

    def counted(image: Image.Image, quality: int) -> bytes:
        made[image.tobytes()] += 1
        return encode(image, quality)

    monkeypatch.setattr(frames_module, "encode_jpeg", counted)
    found = extract(trajectory(), moving(11), config(max_key_frames=5, max_sequences=3))
    assert len(found.sequences) == 3  # of the same five key frames
    assert len(found.pictures) == len(made) == 5
    assert set(made.values()) == {1}
    named = {f.frame_id for s in found.sequences for f in (*s.frames, *s.outside)}
    assert named == {sha256_bytes(p) for p in found.pictures}


def test_frames_that_wait_take_bounded_memory_and_change_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = list(moving(9))
    plain = [Encoder(95).later(frame)() for frame in frames]
    made: list[int] = []
    encode = frames_module.encode_jpeg
    monkeypatch.setattr(
        frames_module, "encode_jpeg", lambda image, quality: made.append(1) or encode(image, quality)
    )
    size = 112 * 112 * 3
    monkeypatch.setattr(frames_module, "HELD_BYTES", 4 * size)
    encoder = Encoder(95)
    later = [encoder.later(frame) for frame in frames]
    assert 5 <= len(made) < 9  # rows are padded: a little more than `size` each
    assert [encoded() for encoded in later] == plain
    assert len(made) == 9
    assert decode_image(plain[3]).size == (112, 112)
