"""RefCOCO in its published form, written here; pickles that are no plain data."""

import json
import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.unit.dense_files import backwards, configured, items_of, pixels_of, read_all, refused
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError
from tpru.grounding.sources.opened import read_dataset
from tpru.grounding.sources.pickled import load_plain
from tpru.store import decode_image

LENGTHS = {"size": [20, 40], "counts": [205, 10, 585]}


def ref(ref_id: int, ann_id: int, image_id: int, split: str, *sentences: str) -> dict[str, Any]:
    return {
        "sent_ids": [10 * ref_id + n for n in range(len(sentences))],
        "file_name": f"COCO_train2014_{image_id:012d}_{ann_id}.jpg",  # as published: no file has this name
        "ann_id": ann_id,
        "ref_id": ref_id,
        "image_id": image_id,
        "split": split,
        "sentences": [
            {"tokens": text.split(), "raw": text.upper(), "sent_id": 10 * ref_id + n, "sent": text}
            for n, text in enumerate(sentences)
        ],
        "category_id": 1,
    }


def annotation(ann_id: int, image_id: int, bbox: Any, segmentation: Any = None) -> dict[str, Any]:
    left, top, width, height = bbox if len(bbox) == 4 else (0, 0, 1, 1)
    outline = [left, top, left + width, top, left + width, top + height, left, top + height]
    common = {"area": 1.5, "iscrowd": 0, "category_id": 18}
    return {
        **common,
        "id": ann_id,
        "image_id": image_id,
        "bbox": bbox,
        "segmentation": segmentation or [outline],
    }


REFS = [
    ref(0, 31, 7, "train", "the lady with the blue shirt", "blue shirt."),
    ref(1, 32, 7, "train", "left man"),
    ref(2, 33, 5, "val", "cat"),
    ref(3, 34, 11, "testA", "girl"),
]
BOXES = [
    annotation(31, 7, [10, 5, 20, 10]),
    annotation(32, 7, [-2, 5.5, 8, 20]),
    annotation(33, 5, [0, 0, 40, 20], LENGTHS),
    annotation(34, 11, [1, 1, 2, 2]),
    annotation(99, 6, [1, 1, 2, 2]),
]


def published(root: Path, refs: Any = None, annotations: Any = None, protocol: int = 2) -> Path:
    data = REFS if refs is None else refs
    (root / "refs(unc).p").write_bytes(pickle.dumps(data, protocol))
    images = [
        {"license": 1, "file_name": f"COCO_train2014_{n:012d}.jpg", "id": n, "height": 20, "width": 40}
        for n in (7, 5, 6, 11)
    ]
    content = {"info": {"description": 'a "b" [c'}, "images": images, "licenses": [{"id": 1}]}
    content |= {"annotations": BOXES if annotations is None else annotations, "categories": []}
    (root / "instances.json").write_text(json.dumps(content))
    (root / "train2014").mkdir(exist_ok=True)
    for n in (7, 5, 11):
        noise = np.random.default_rng(n).integers(0, 255, (20, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / f"train2014/COCO_train2014_{n:012d}.jpg")
    return root


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_boxes_to_the_number(tmp_path: Path, protocol: int) -> None:
    clips = read_all("refcoco", published(tmp_path, protocol=protocol))
    items = items_of(clips)
    assert [(i.item_id, i.split, i.group, i.query) for i in items] == [
        ("dense/region/0", "train", "coco/7", "the lady with the blue shirt"),
        ("dense/region/1", "train", "coco/7", "blue shirt"),
        ("dense/region/10", "train", "coco/7", "left man"),
        ("dense/region/20", "test", "coco/5", "cat"),
    ]
    assert {i.task for i in items} == {"region"}
    assert [len(i.regions) for i in items] == [1] * 4
    assert [i.regions[0].box for i in items] == [
        (10 / 40, 5 / 20, 30 / 40, 15 / 20),
        (10 / 40, 5 / 20, 30 / 40, 15 / 20),
        (0.0, 5.5 / 20, 6 / 40, 1.0),  # clipped
        (0.0, 0.0, 1.0, 1.0),
    ]
    assert all(i.regions[0].mask == b"" and i.regions[0].frame == 0 for i in items)
    assert [(len(c.pictures), len(c.items)) for c in clips] == [(1, 3), (1, 1)]


def test_masks_to_the_number(tmp_path: Path) -> None:
    root = published(tmp_path)
    items = items_of(read_all("refcoco", root, masks=True, test=["val", "testA"]))
    masks = [i for i in items if i.task == "mask"]
    assert len(items) == 2 * len(masks) == 10
    first, _, _, cat, girl = masks
    assert (first.item_id, cat.item_id, first.start) == ("dense/mask/0", "dense/mask/20", ())
    expected = np.zeros((20, 40), dtype=bool)
    expected[5:15, 10:30] = True
    assert np.array_equal(pixels_of(first.regions[0]), expected)
    # Run lengths go down the columns: 205 = 10 columns of 20 and 5 pixels more.
    expected[:] = False
    expected[5:15, 10] = True
    assert np.array_equal(pixels_of(cat.regions[0]), expected)
    assert cat.regions[0].box == (10 / 40, 5 / 20, 11 / 40, 15 / 20)
    assert girl.regions[0].box == (1 / 40, 1 / 20, 3 / 40, 3 / 20)


def test_masks_have_the_size_of_the_shrunk_picture(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    small = annotation(32, 7, [0, 0, 1, 1])
    root = published(tmp_path, annotations=[BOXES[0], small, *BOXES[2:]])
    clips = read_all("refcoco", root, masks=True, frame_size=10)
    assert decode_image(clips[0].pictures[0]).size == (10, 5)
    mask = pixels_of(next(i for i in clips[0].items if i.task == "mask").regions[0])
    assert mask.shape == (5, 10)
    assert np.argwhere(mask).min(axis=0).tolist() == [1, 2]
    assert [i.item_id for i in clips[0].items if i.query == "left man"] == ["dense/region/10"]
    assert "1 item(s) left out: no pixel of its mask" in caplog.text


def test_photos_on_both_sides_are_tested_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # As the split "google" of RefCOCOg has it.
    root = published(tmp_path, [*REFS, ref(5, 32, 7, "val", "man")])
    assert [i.query for i in items_of(read_all("refcoco", root, test=["val"], train=["testA", "train"]))] == [
        "girl",
        "cat",
        "man",
    ]
    assert "3 item(s) left out: its video or picture is on the test side, too" in caplog.text


def test_the_order_of_entries_and_files_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = read_all("refcoco", published(tmp_path), masks=True)
    published(tmp_path, [*REFS[2:], *REFS[:2]], BOXES[::-1])
    backwards(monkeypatch)
    assert read_all("refcoco", tmp_path, masks=True) == clips


class Evil:
    def __reduce__(self) -> Any:
        return print, ("this must not be printed",)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Evil(), ".print"),
        ([OrderedDict(a=1)], "collections.OrderedDict"),
        ([np.float64(1.0)], "numpy"),
        ([1j], ".complex"),
        ([Path], "pathlib.Path"),
        ([bytearray(b"a")], ".bytearray"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_asks_for_a_class_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: Any, said: str, protocol: int
) -> None:
    root = published(tmp_path, value, protocol=protocol)
    refused("refcoco", root, ManifestError, ["refs(unc).p", said, "only lists"])
    assert capsys.readouterr().out == ""


def test_plain_pickles_and_broken_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.p"
    plain = [{"a": (1, 2.5, None, True, "é", {"b": [10**30]})}]
    for protocol in range(6):
        path.write_bytes(pickle.dumps(plain, protocol))
        assert load_plain(path) == plain
    # What Python 2 wrote as a plain string.
    path.write_bytes(b"\x80\x02]q\x00U\x03\xc3\xa9xq\x01a.")
    pickletools.dis(path.read_bytes(), out=(tmp_path / "dis").open("w"))
    assert load_plain(path) == ["éx"]
    path.write_bytes(pickle.dumps(plain)[:-5])
    with pytest.raises(ManifestError, match=r"a\.p"):
        load_plain(path)
    with pytest.raises(ManifestError, match=r"b\.p"):
        load_plain(tmp_path / "b.p")


@pytest.mark.parametrize(
    ("refs", "annotations", "said"),
    [
        ({"refs": 1}, None, ["refs(unc).p", "list", "dict"]),
        ([3], None, ["entry 0", "'sentences'"]),
        ([ref(0, 31, 7, "train", "a") | {"ann_id": "31"}], None, ["entry 0", "'ann_id'"]),
        ([ref(0, 31, 7, "train", ".")], None, ["entry 0", "'sent'"]),
        ([ref(0, 77, 7, "train", "a")], None, ["entry 0", "77", "not there", "instances.json"]),
        ([ref(0, 33, 7, "train", "a")], None, ["entry 0", "33", "photo 5"]),
        ([ref(0, 31, 77, "train", "a")], None, ["entry 0", "77", "instances.json"]),
        (None, [annotation(31, 7, [50, 5, 20, 10])], ["entry 0", "31", "outside", "40 x 20"]),
        (None, [annotation(31, 7, [5, 5, 0, 10])], ["entry 0", "'bbox'", "area"]),
        (None, [annotation(31, 7, [5, 5, 10])], ["entry 0", "'bbox'"]),
        (None, [annotation(31, 7, [5, 5, 9, 9], [[1, 2, 3, 4]])], ["'segmentation'", "three"]),
        (
            None,
            [annotation(31, 7, [5, 5, 9, 9], {"size": [20, 40], "counts": [1]})],
            ["'segmentation'", "add up to 1", "800"],
        ),
        (None, [annotation(31, 7, [5, 5, 9, 9], {"size": [40, 20], "counts": [800]})], ["[40, 20]"]),
        (None, [{"id": 31}], ["entry 0", "photo None"]),
        (None, [{"image_id": 7}], ["annotations[0]", "'id'"]),
    ],
)
def test_broken_annotations(tmp_path: Path, refs: Any, annotations: Any, said: list[str]) -> None:
    refused("refcoco", published(tmp_path, refs, annotations), ManifestError, said, masks=True, test=[])


def test_other_faults(tmp_path: Path) -> None:
    root = published(tmp_path)
    refused("refcoco", root, ManifestError, ["refs(unc).p", "['test']", "'testA': 1"], test=["test"])
    photo = root / "train2014/COCO_train2014_000000000007.jpg"
    Image.new("RGB", (41, 20)).save(photo)
    refused("refcoco", root, ManifestError, ["entry 0", str(photo), "41 x 20", "40 x 20"])
    photo.write_bytes(photo.read_bytes()[:200])
    refused("refcoco", root, CorruptMediaError, [str(photo)], skip_missing=True)
    photo.unlink()
    refused("refcoco", root, ManifestError, ["entry 0", str(photo), "skip_missing"])
    assert len(items_of(read_all("refcoco", root, skip_missing=True))) == 1
    refused("refcoco", root, EmptySourceError, ["3 left out", photo.name], skip_missing=True, test=[])
    instances = root / "instances.json"
    instances.write_text(instances.read_text()[:-30])
    refused("refcoco", root, ManifestError, ["instances.json", "cut off"])
    instances.unlink()
    refused("refcoco", root, ManifestError, ["instances.json"])


def test_every_set_of_the_family_has_its_file(tmp_path: Path) -> None:
    published(tmp_path)
    (tmp_path / "refs(unc).p").rename(tmp_path / "refs(umd).p")
    assert len(items_of(list(read_dataset("g", configured("refcocog", tmp_path))))) == 4
    (tmp_path / "refs(umd).p").rename(tmp_path / "refs(unc).p")
    assert len(items_of(list(read_dataset("p", configured("refcoco_plus", tmp_path))))) == 4
