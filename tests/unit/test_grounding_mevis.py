"""MeViS in its published form, written here."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.dense_files import backwards, items_of, pixels_of, read_all, refused
from tests.unit.test_grounding_ref_youtube_vos import framed
from tpru.errors import EmptySourceError, ManifestError
from tpru.grounding.records import Region


def run_lengths(left: int, top: int, right: int, bottom: int) -> list[int]:
    """A rectangle in a picture of 40 x 20, down the columns."""
    mask = np.zeros((20, 40), dtype=int)
    mask[top:bottom, left:right] = 1
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=0)).tolist()
    return np.diff([0, *edges, flat.size]).tolist()


def rle(*rectangle: int) -> dict[str, Any]:
    return {"size": [20, 40], "counts": run_lengths(*rectangle)}


# pycocotools' own text for the rectangle 10, 5, 13, 15 of a picture of 40 x 20.
TEXT = {"size": [20, 40], "counts": "]6::000g`0"}
MASKS = {
    "5": [rle(0, 0, 4, 4), None, rle(2, 0, 6, 4)],
    "12": [rle(2, 2, 8, 8), TEXT, None],
    "7": [None, None, None],
    "8": [rle(0, 0, 40, 20)],
}


def mevis(root: Path, entry: Any = None, masks: Any = None, frames: Any = None) -> Path:
    entries = {
        "0": entry or {"exp": "the two birds flying away.", "obj_id": [0, 2], "anno_id": [5, 12]},
        "1": {"exp": "bird on the right", "obj_id": [2], "anno_id": [12]},
        "2": {"exp": "a bird that hides", "obj_id": [3], "anno_id": [7]},
        "3": {"exp": "a fish", "obj_id": [], "anno_id": []},
    }
    sides = {
        "train": {
            "v1": {"vid_id": 1, "frames": frames or ["00000", "00001", "00002"], "expressions": entries}
        },
        "valid_u": {
            "v2": {"frames": ["00000"], "expressions": {"0": {"exp": "all", "obj_id": [1], "anno_id": [8]}}}
        },
    }
    for split, videos in sides.items():
        (root / split).mkdir(parents=True, exist_ok=True)
        (root / split / "meta_expressions.json").write_text(json.dumps({"videos": videos}))
        (root / split / "mask_dict.json").write_text(json.dumps(masks or MASKS))
    framed(root / "train/JPEGImages/v1", ["00000", "00001", "00002"])
    framed(root / "valid_u/JPEGImages/v2", ["00000"], 100)
    return root


def test_mevis_to_the_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clips = read_all("mevis", mevis(tmp_path), fps=5.0)
    two, one, everything = items_of(clips)
    assert (two.item_id, two.group, two.query) == ("dense/v1/0", "mevis/v1", "the two birds flying away")
    assert [(i.task, i.split) for i in (two, everything)] == [("mask", "train"), ("mask", "test")]
    assert two.times == pytest.approx((0.0, 0.2, 0.4))
    assert two.duration == pytest.approx(0.6)
    union = np.zeros((20, 40), dtype=bool)
    union[0:4, 0:4] = union[2:8, 2:8] = True
    assert np.array_equal(pixels_of(two.regions[0]), union)
    assert two.regions[0].box == (0.0, 0.0, 8 / 40, 8 / 20)
    # Only the second thing is in the second frame, and only the first one in the third.
    assert two.regions[1].box == (10 / 40, 5 / 20, 13 / 40, 15 / 20)
    assert pixels_of(two.regions[1]).sum() == 30
    assert one.regions[1] == two.regions[1]
    assert one.regions[2] == Region(2, ())
    assert pixels_of(everything.regions[0]).all()
    assert "2 item(s) left out: what it names is in none of the chosen frames" in caplog.text


def test_the_order_of_videos_and_files_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = read_all("mevis", mevis(tmp_path))
    mevis(tmp_path, masks=dict(reversed(MASKS.items())), frames=["00002", "00000", "00001"])
    backwards(monkeypatch)
    assert read_all("mevis", tmp_path) == clips


def one(anno: Any) -> dict[str, Any]:
    return {"exp": "a bird", "obj_id": [0], "anno_id": anno}


@pytest.mark.parametrize(
    ("entry", "masks", "said"),
    [
        ({"exp": "a bird"}, None, ["expression 0", "'anno_id'", "train and valid_u"]),
        (one([77]), None, ["expression 0", "'77'", "mask_dict.json"]),
        (one(5), None, ["expression 0", "'anno_id'"]),
        (one([8]), None, ["mask '8'", "3 frames", "v1", "found 1"]),
        (
            one([5]),
            {**MASKS, "5": [{"size": [20, 40], "counts": [3, 4]}] * 3},
            ["mask '5'", "entry 0", "7", "800"],
        ),
        (one([5]), {**MASKS, "5": [{"size": [40, 20], "counts": [800]}] * 3}, ["mask '5'", "[40, 20]"]),
        (one([5]), {**MASKS, "5": [{"size": [20, 40], "counts": "]6::000g`"}] * 3}, ["within a number"]),
        (one([5]), {**MASKS, "5": [{"size": [20, 40], "counts": "]6::000"}] * 3}, ["mask '5'", "800"]),
        (one([5]), {**MASKS, "5": [{"size": [20, 40], "counts": "é"}] * 3}, ["character 0"]),
        (one([5]), {**MASKS, "5": [{"size": [20, 40]}] * 3}, ["mask '5'", "run lengths"]),
    ],
)
def test_broken_masks(tmp_path: Path, entry: Any, masks: Any, said: list[str]) -> None:
    refused("mevis", mevis(tmp_path, entry, masks), ManifestError, said)


def test_other_faults_of_mevis(tmp_path: Path) -> None:
    root = mevis(tmp_path)
    refused("mevis", mevis(tmp_path, frames=["00000", "00001"]), ManifestError, ["mask '5'", "2 frames"])
    mevis(tmp_path)
    masks = root / "train/mask_dict.json"
    masks.write_text(masks.read_text()[:-40])
    refused("mevis", root, ManifestError, [str(masks), "cut off"])
    masks.unlink()
    refused("mevis", root, ManifestError, [str(masks), "train and valid_u"])
    (root / "valid_u/JPEGImages/v2/00000.jpg").unlink()
    (root / "valid_u/JPEGImages/v2").rmdir()
    refused("mevis", root, EmptySourceError, ["1 left out"], train="", skip_missing=True)


def test_videos_of_mevis_on_both_sides_are_tested_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    items = items_of(read_all("mevis", mevis(tmp_path), test="train"))
    assert [(i.item_id, i.split) for i in items] == [("dense/v1/0", "test"), ("dense/v1/1", "test")]
    assert "4 item(s) left out: its video or picture is on the test side, too" in caplog.text
