"""GOT-10k in its published form, written here."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.dense_files import backwards, grey, greys, items_of, read_all, refused
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError
from tpru.grounding.records import Region

META = "[METAINFO]\nurl: https://youtu.be/x?t=1%20\nbegin: 00:00:01\nend: 00:00:10\nanno_fps: 10Hz\nobject_class: ctenophore\nmotion_class: swimming\nmajor_class: invertebrate\nroot_class: animal\nmotion_adverb: slowly\nresolution: (40, 20)\n"
BOX = "11.0000,6.0000,20.0000,10.0000"


def sequence(folder: Path, boxes: list[str], first: int = 0, **files: list[Any] | str) -> Path:
    """A sequence with a picture of 40 x 20 for each box, their greys 10 apart."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(len(boxes)):
        grey((40, 20), first + 10 * number).save(folder / f"{number + 1:08d}.jpg", quality=95)
    lines: dict[str, Any] = {"absence": ["0"] * len(boxes), "cover": ["8"] * len(boxes)} | files
    (folder / "groundtruth.txt").write_text("".join(f"{box}\n" for box in boxes))
    for key in ("absence", "cover"):
        (folder / f"{key}.label").write_text("".join(f"{line}\n" for line in lines[key]))
    (folder / "meta_info.ini").write_text(str(lines.get("meta", META)))
    return folder


def split(root: Path, name: str, *sequences: str) -> None:
    (root / name).mkdir(parents=True, exist_ok=True)
    (root / name / "list.txt").write_text("".join(f"{s}\n" for s in sequences))


def published(root: Path) -> Path:
    split(root, "train", "GOT-10k_Train_000002", "GOT-10k_Train_000001")
    split(root, "val", "GOT-10k_Val_000001")
    gone = "-1.0000,-1.0000,-1.0000,-1.0000"
    absence, cover = ["1", "0", "0", "0", "1", "0"], ["0", "8", "8", "8", "0", "0"]
    boxes = [gone, BOX, "31.5,-3,20,10", "5,5,0,4", gone, BOX]
    sequence(root / "train/GOT-10k_Train_000001", boxes, absence=absence, cover=cover)
    sequence(root / "train/GOT-10k_Train_000002", [BOX] * 4, 100)
    sequence(root / "val/GOT-10k_Val_000001", [BOX] * 2, 50)
    return root


def test_got10k_to_the_number(tmp_path: Path) -> None:
    clips = read_all("got10k", published(tmp_path), frames=5)
    first, second, third = items_of(clips)
    assert [(i.item_id, i.split, i.group) for i in (first, third)] == [
        ("dense/GOT-10k_Train_000001", "train", "got10k/GOT-10k_Train_000001"),
        ("dense/GOT-10k_Val_000001", "test", "got10k/GOT-10k_Val_000001"),
    ]
    assert (first.task, first.query, second.item_id) == (
        "mask",
        "the ctenophore",
        "dense/GOT-10k_Train_000002",
    )
    # The clip begins with the second picture, the first that shows the thing; edges count from 0 here.
    assert greys(clips[0]) == [10, 20, 30, 40, 50]
    assert first.times == pytest.approx((0.0, 0.1, 0.2, 0.3, 0.4))
    assert first.duration == pytest.approx(0.5)
    assert first.start == (10 / 40, 5 / 20, 30 / 40, 15 / 20)
    clipped = (30.5 / 40, 0.0, 1.0, 6 / 20)
    # No box: without width, absent, and wholly covered.
    assert first.regions == (
        Region(0, first.start),
        Region(1, clipped),
        Region(2, ()),
        Region(3, ()),
        Region(4, ()),
    )


def test_frames_are_evenly_spaced(tmp_path: Path) -> None:
    clips = read_all("got10k", published(tmp_path), frames=2)
    assert [greys(clip) for clip in clips] == [[10, 30], [100, 120], [50, 60]]
    assert clips[0].items[0].times == pytest.approx((0.0, 0.2))


def test_the_order_of_the_list_and_of_files_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = read_all("got10k", published(tmp_path))
    split(tmp_path, "train", "GOT-10k_Train_000001", "GOT-10k_Train_000002")
    backwards(monkeypatch)
    assert read_all("got10k", tmp_path) == clips


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"boxes": [BOX, "41,6,20,10"]}, ["groundtruth.txt, line 2", "outside", "40 x 20"]),
        ({"boxes": [BOX, "1,2,3"]}, ["groundtruth.txt, line 2", "3 numbers"]),
        ({"boxes": [BOX, "1,2,3,x"]}, ["groundtruth.txt, line 2", "'x'"]),
        ({"absence": ["0", "2"]}, ["absence.label, line 2", "'2'"]),
        ({"cover": ["0", "9"]}, ["cover.label, line 2", "'9'"]),
        ({"cover": ["8"]}, ["cover.label has 1 lines", "2 pictures"]),
        ({"meta": "[METAINFO]\nanno_fps: 10Hz\n"}, ["meta_info.ini", "object_class"]),
        ({"meta": META.replace("10Hz", "fast")}, ["meta_info.ini", "'fast'"]),
        ({"meta": "object_class: a\n"}, ["meta_info.ini", "METAINFO"]),
    ],
)
def test_broken_sequences(tmp_path: Path, files: dict[str, Any], said: list[str]) -> None:
    published(tmp_path)
    sequence(tmp_path / "train/GOT-10k_Train_000002", files.pop("boxes", [BOX, BOX]), **files)
    for extra in (3, 4):
        (tmp_path / f"train/GOT-10k_Train_000002/{extra:08d}.jpg").unlink()
    refused("got10k", tmp_path, ManifestError, ["GOT-10k_Train_000002", *said])
    leave_out = ["GOT-10k_Train_000002"]
    assert len(items_of(read_all("got10k", tmp_path, leave_out=leave_out))) == 2


def test_missing_and_broken_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = published(tmp_path)
    picture = root / "train/GOT-10k_Train_000002/00000003.jpg"
    picture.write_bytes(picture.read_bytes()[:100])
    refused("got10k", root, CorruptMediaError, [str(picture)])
    picture.unlink()
    refused("got10k", root, ManifestError, ["groundtruth.txt has 4 lines", "3 pictures"])
    (root / "train/GOT-10k_Train_000001/cover.label").unlink()
    refused("got10k", root, ManifestError, ["cover.label"])
    split(root, "val", "GOT-10k_Val_000001", "GOT-10k_Val_000009")
    refused("got10k", root, ManifestError, ["val/list.txt", "GOT-10k_Val_000009", "skip_missing"], train="")
    assert len(items_of(read_all("got10k", root, train="", skip_missing=True))) == 1
    assert "1 item(s) left out" in caplog.text
    refused("got10k", root, ManifestError, ["other/list.txt"], train="other")
    split(root, "val", "GOT-10k_Val_000009")
    refused("got10k", root, EmptySourceError, ["1 left out"], train="", skip_missing=True)


def test_the_test_split_has_no_labels(tmp_path: Path) -> None:
    split(tmp_path, "test", "GOT-10k_Test_000001")
    folder = sequence(tmp_path / "test/GOT-10k_Test_000001", [BOX, BOX])
    (folder / "groundtruth.txt").write_text(BOX + "\n")
    refused(
        "got10k", tmp_path, ManifestError, ["GOT-10k_Test_000001", "train and val"], train="", test="test"
    )


def test_a_thing_that_is_never_seen_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = published(tmp_path)
    sequence(root / "train/GOT-10k_Train_000002", [BOX] * 4, absence=["1"] * 4)
    assert len(items_of(read_all("got10k", root))) == 2
    assert "1 item(s) left out: the thing is in none of its frames" in caplog.text
