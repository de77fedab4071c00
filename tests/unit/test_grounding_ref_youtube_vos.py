"""Ref-YouTube-VOS in its published form, written here."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.unit.dense_files import backwards, grey, greys, items_of, pixels_of, read_all, refused
from tpru.errors import CorruptMediaError, ManifestError
from tpru.grounding.records import Region

SIZE = (40, 20)
BOTH = {"test_share": 0.0}


def framed(folder: Path, frames: list[str], first: int = 0) -> None:
    """Pictures whose greys are 10 apart."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        grey(SIZE, first + 10 * number).save(folder / f"{frame}.jpg", quality=95)


FRAMES = ["00010", "00015", "00020", "00030"]


def palette(things: dict[int, tuple[int, int, int, int]], size: tuple[int, int] = SIZE) -> Image.Image:
    indices = np.zeros((size[1], size[0]), dtype=np.uint8)
    for index, (left, top, right, bottom) in things.items():
        indices[top:bottom, left:right] = index
    image = Image.fromarray(indices, mode="P")
    image.putpalette([0, 0, 0, 236, 95, 103, 249, 145, 87])
    return image


def youtube(root: Path, expressions: Any = None, frames: Any = None, objects: Any = None) -> Path:
    entries = expressions or {
        "0": {"exp": "a boy in  blue.", "obj_id": "1"},
        "1": {"exp": "the ball", "obj_id": "2"},
        "10": {"exp": "the ball again", "obj_id": "2"},
        "2": {"exp": "a dog", "obj_id": "3"},
    }
    videos = {"zz01": {"expressions": entries, "frames": frames or FRAMES}}
    videos["aa02"] = {"expressions": {"0": {"exp": "a cat", "obj_id": "1"}}, "frames": ["00000"]}
    (root / "meta_expressions/train").mkdir(parents=True, exist_ok=True)
    (root / "meta_expressions/train/meta_expressions.json").write_text(json.dumps({"videos": videos}))
    known = objects or {str(n): {"category": "x", "frames": FRAMES} for n in (1, 2, 3)}
    meta = {"videos": {"zz01": {"objects": known}, "aa02": {"objects": {"1": {}}}}}
    for name, frames_of, first in (("zz01", FRAMES, 0), ("aa02", ["00000"], 200)):
        framed(root / f"train/JPEGImages/{name}", frames_of, first)
        (root / f"train/Annotations/{name}").mkdir(parents=True, exist_ok=True)
        for number, frame in enumerate(frames_of):
            things = {1: (number, 2, number + 4, 8)}
            if number == 2:
                things |= {2: (30, 10, 40, 20)}
            palette(things).save(root / f"train/Annotations/{name}/{frame}.png")
    (root / "train/meta.json").write_text(json.dumps(meta))
    return root


def test_ref_youtube_vos_to_the_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clips = read_all("ref_youtube_vos", youtube(tmp_path), **BOTH)
    cat, boy, ball, again = items_of(clips)
    assert [i.item_id for i in (cat, boy, ball, again)] == [
        f"dense/{i}" for i in ("aa02/0", "zz01/0", "zz01/1", "zz01/10")
    ]
    assert (boy.task, boy.split, boy.group, boy.query) == (
        "mask",
        "train",
        "ref_youtube_vos/zz01",
        "a boy in blue",
    )
    assert greys(clips[1]) == [0, 10, 20, 30]
    # Numbers of frames at 30 a second; the last one lasts as long as the one before it.
    assert boy.times == pytest.approx((0, 5 / 30, 10 / 30, 20 / 30))
    assert (boy.duration, cat.duration) == (pytest.approx(1.0), pytest.approx(1 / 30))
    for number, region in enumerate(boy.regions):
        expected = np.zeros((20, 40), dtype=bool)
        expected[2:8, number : number + 4] = True
        assert region.frame == number
        assert np.array_equal(pixels_of(region), expected)
        assert region.box == (number / 40, 2 / 20, (number + 4) / 40, 8 / 20)
    assert [bool(region.box) for region in ball.regions] == [False, False, True, False]
    assert ball.regions[0] == Region(0, ())
    assert ball.start == ()
    assert again.regions == ball.regions
    assert "1 item(s) left out: what it names is in none of the chosen frames" in caplog.text


def test_chosen_frames_are_evenly_spaced_and_shrunk_with_their_masks(tmp_path: Path) -> None:
    clips = read_all("ref_youtube_vos", youtube(tmp_path), frames=2, frame_size=20, **BOTH)
    (boy, _, _) = clips[1].items
    assert greys(clips[1]) == [0, 20]
    assert boy.times == pytest.approx((0, 10 / 30))
    assert [pixels_of(region).shape for region in boy.regions] == [(10, 20)] * 2
    assert pixels_of(boy.regions[0])[1:4, 0:2].all()
    assert pixels_of(boy.regions[0]).sum() == 6


def test_a_share_of_the_videos_is_tested_on(tmp_path: Path) -> None:
    whole = items_of(read_all("ref_youtube_vos", youtube(tmp_path), **BOTH))
    tested = items_of(read_all("ref_youtube_vos", tmp_path, test_share=1.0))
    assert {i.split for i in tested} == {"test"}
    assert [i.item_id for i in tested] == [i.item_id for i in whole]
    halves = items_of(read_all("ref_youtube_vos", tmp_path, test_share=0.5))
    assert sorted(i.item_id for i in halves) == sorted(i.item_id for i in whole)


def test_the_order_of_files_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = read_all("ref_youtube_vos", youtube(tmp_path), **BOTH)
    youtube(tmp_path, frames=FRAMES[::-1])
    backwards(monkeypatch)
    assert read_all("ref_youtube_vos", tmp_path, **BOTH) == clips


@pytest.mark.parametrize(
    ("entries", "frames", "said"),
    [
        ({"0": {"exp": "a boy"}}, None, ["expression 0", "'obj_id'", "meta_expressions/train"]),
        (
            {"0": {"exp": "a boy", "obj_id": "7"}},
            None,
            ["expression 0", "'7'", "['1', '2', '3']", "meta.json"],
        ),
        ({"0": {"exp": "a boy", "obj_id": 1}}, None, ["expression 0", "'obj_id'", "found 1"]),
        ({"0": {"exp": "a boy", "obj_id": "0"}}, None, ["expression 0", "from 1"]),
        ({"0": {"exp": "", "obj_id": "1"}}, None, ["expression 0", "'exp'"]),
        (None, ["00010", "00010"], ["video zz01", "twice"]),
        (None, ["a"], ["video zz01", "'frames'"]),
        (None, ["00010", "00011"], ["video zz01", "00011.jpg"]),
    ],
)
def test_broken_expressions(tmp_path: Path, entries: Any, frames: Any, said: list[str]) -> None:
    refused("ref_youtube_vos", youtube(tmp_path, entries, frames), ManifestError, said, **BOTH)


def test_without_the_list_of_things_an_unknown_one_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = youtube(tmp_path, {"0": {"exp": "a boy", "obj_id": "7"}})
    (root / "train/meta.json").unlink()
    refused("ref_youtube_vos", root, ManifestError, ["meta.json"], **BOTH)
    assert len(items_of(read_all("ref_youtube_vos", root, meta="", **BOTH))) == 1
    assert "1 item(s) left out" in caplog.text


def test_broken_pictures_and_masks(tmp_path: Path) -> None:
    root = youtube(tmp_path)
    mask = root / "train/Annotations/zz01/00015.png"
    palette({1: (0, 0, 4, 4)}, (41, 20)).save(mask)
    refused("ref_youtube_vos", root, ManifestError, [str(mask), "41 x 20", "40 x 20"], **BOTH)
    Image.new("RGB", SIZE).save(mask)
    refused("ref_youtube_vos", root, ManifestError, [str(mask), "RGB"], **BOTH)
    mask.write_bytes(mask.read_bytes()[:40])
    refused("ref_youtube_vos", root, CorruptMediaError, [str(mask)], **BOTH)
    mask.unlink()
    refused("ref_youtube_vos", root, ManifestError, [str(mask), "zz01"], **BOTH)
    for path in (root / "train/JPEGImages/zz01").iterdir():
        path.unlink()
    (root / "train/JPEGImages/zz01").rmdir()
    refused("ref_youtube_vos", root, ManifestError, ["zz01", "skip_missing"], **BOTH)
    assert len(items_of(read_all("ref_youtube_vos", root, skip_missing=True, **BOTH))) == 1
    expressions = root / "meta_expressions/train/meta_expressions.json"
    expressions.write_text(expressions.read_text()[:50])
    refused("ref_youtube_vos", root, ManifestError, ["meta_expressions.json", "JSON"])
