"""Frames of videos: which are taken, and that they are the right ones wherever they lie."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.unit.benchmark_files import configured, film, grey_of
from tpru.benchmarks.videos import clip, how_many, picture_file, places
from tpru.config.schema import VideoBenchmark
from tpru.errors import CorruptMediaError, ManifestError
from tpru.store import decode_image
from tpru.trajectories.media import frames_at


def config(*overrides: str) -> VideoBenchmark:
    made = configured("seed_bench_r1", Path("nowhere"), *overrides)
    assert isinstance(made, VideoBenchmark)
    return made


@pytest.mark.parametrize(
    ("seconds", "n"), [(0.0, 4), (1.0, 4), (2.4, 4), (3.0, 6), (3.4, 6), (7.9, 14), (8.0, 16), (3600.0, 16)]
)
def test_the_published_protocol(seconds: float, n: int) -> None:
    assert how_many(seconds, config()) == n


def test_fewer_frames_may_be_asked_for() -> None:
    assert how_many(100.0, config("frames=3")) == 3
    assert how_many(4.0, config("frames_per_second=1")) == 4


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 40))
def test_places_are_even_and_hold_both_ends(first: int, more: int, n: int) -> None:
    found = places(first, first + more, n)
    assert len(found) == len(set(found)) == min(n, more + 1)
    assert found[-1] == first + more
    assert found[0] == first or n == 1
    gaps = np.diff(found)
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize("wanted", [[0, 1, 2], [0, 59], [59, 59], [7, 30, 31, 58, 59, 59], [58]])
def test_the_frames_that_were_asked_for(
    tmp_path: Path, wanted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "a.mp4", 60)
    for far in (0.0, 0.5, 100.0):  # seeking to each, to some, decoding all
        monkeypatch.setattr("tpru.trajectories.media.FAR_S", far)
        assert [grey_of(image) for image in frames_at(path, wanted)] == wanted


def test_a_clip_is_even_and_forced_to_its_size(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 60)
    shown = [decode_image(data) for data in clip(path, config("frame_size=56"))]
    assert {image.size for image in shown} == {(56, 56)}
    assert [grey_of(image) for image in shown] == places(0, 59, 12)
    assert decode_image(clip(path, config("frame_size=0", "frames=2"))[1]).size == (96, 64)


def test_short_and_broken_videos_are_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 12)
    with pytest.raises(CorruptMediaError, match=r"a\.mp4 ends before frame 12, after 12"):
        frames_at(path, [0, 12])
    with pytest.raises(ManifestError, match=r"b\.mp4 does not exist"):
        clip(tmp_path / "b.mp4", config())
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(CorruptMediaError, match=r"a\.mp4"):
        clip(path, config())


def test_pictures_are_kept_unless_a_size_is_forced(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (60, 30), (9, 99, 9)).save(path)
    assert picture_file(path, config("frame_size=0")) == path.read_bytes()
    assert decode_image(picture_file(path, config())).size == (252, 252)
    with pytest.raises(ManifestError, match=r"b\.png cannot be read"):
        picture_file(tmp_path / "b.png", config())
    path.write_bytes(b"no picture")
    with pytest.raises(CorruptMediaError, match=r"a\.png cannot be decoded"):
        picture_file(path, config())


def test_films_of_the_tests_are_real(tmp_path: Path) -> None:
    with av.open(str(film(tmp_path / "a.mp4", 8))) as container:
        assert container.streams.video[0].codec_context.name == "h264"
