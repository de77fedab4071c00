"""Charades-STA and QVHighlights in their published forms, with videos written here."""

import json
import logging
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dense_files import backwards, configured, items_of, read_all, refused
from tests.unit.test_source_episodes import number_of
from tests.unit.test_source_seed_bench_r1 import write_video
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError
from tpru.grounding.records import Clip, Moment
from tpru.grounding.sources.opened import read_dataset
from tpru.store import decode_image

TRAIN = ["AO8RW 0.0 6.9##a person is putting a book on a shelf.", "10AB 2.5 4.0##person sits  down."]
TEST = ["3MSZA 1 3.5##person turn a light on.", "AO8RX 2.2 5##the person opens a door"]
RATE = Fraction(8)


def charades(root: Path, train: list[str] = TRAIN, test: list[str] = TEST, videos: bool = True) -> Path:
    (root / "charades_sta_train.txt").write_text("\n".join(train) + "\n", "utf-8")
    (root / "charades_sta_test.txt").write_text("\n".join(test) + "\n", "utf-8")
    if videos:
        for number, name in enumerate(("AO8RW", "10AB", "3MSZA", "AO8RX")):
            write_video(root / f"Charades_v1_480/{name}.mp4", 48, RATE, first=40 * number)
    return root


def shown(clip: Clip) -> list[int]:
    return [number_of(decode_image(data)) for data in clip.pictures]


def test_charades_to_the_number(tmp_path: Path) -> None:
    clips = read_all("charades_sta", charades(tmp_path), frames=4)
    items = items_of(clips)
    assert [(i.item_id, i.split, i.group, i.query) for i in items] == [
        ("dense/train/10AB/00002", "train", "charades/10AB", "person sits down"),
        ("dense/train/AO8RW/00001", "train", "charades/AO8RW", "a person is putting a book on a shelf"),
        ("dense/test/3MSZA/00001", "test", "charades/3MSZA", "person turn a light on"),
        ("dense/test/AO8RX/00002", "test", "charades/AO8RX", "the person opens a door"),
    ]
    assert {i.task for i in items} == {"temporal"}
    # 48 frames at 8 a second: 6 s; the window that ends at 6.9 s is clipped.
    assert [i.duration for i in items] == [pytest.approx(6.0)] * 4
    assert items[0].moments == (Moment(2.5, 4.0),)
    assert items[1].moments == (Moment(0.0, pytest.approx(6.0)),)
    assert items[0].times == pytest.approx((0.0, 1.5, 3.0, 4.5))
    assert [shown(clip) for clip in clips] == [[f + n for n in (0, 12, 24, 36)] for f in (40, 0, 80, 120)]


def test_sentences_about_one_video_share_its_pictures_and_short_videos_are_shown_whole(
    tmp_path: Path,
) -> None:
    root = charades(tmp_path, [*TRAIN, "AO8RW 1.0 2.0##person walks."])
    clips = read_all("charades_sta", root, frames=64, test="")
    assert [len(clip.items) for clip in clips] == [1, 2]
    assert [len(clip.pictures) for clip in clips] == [48, 48]
    assert clips[1].items[0].frames == clips[1].items[1].frames


def test_pictures_are_shrunk(tmp_path: Path) -> None:
    (clip, *_) = read_all("charades_sta", charades(tmp_path), frames=1, frame_size=32)
    assert decode_image(clip.pictures[0]).size == (32, 24)
    (clip, *_) = read_all("charades_sta", charades(tmp_path), frames=1, frame_size=100)
    assert decode_image(clip.pictures[0]).size == (64, 48)


def test_the_order_of_lines_and_files_changes_nothing_but_the_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = read_all("charades_sta", charades(tmp_path), frames=2)
    backwards(monkeypatch)
    assert read_all("charades_sta", tmp_path, frames=2) == clips
    charades(tmp_path, TRAIN[::-1], TEST[::-1], videos=False)
    again = read_all("charades_sta", tmp_path, frames=2)
    assert [c.pictures for c in again] == [c.pictures for c in clips]
    assert [i.query for i in items_of(again)] == [i.query for i in items_of(clips)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("AO8RW 6.9 0.0##a person walks.", ["line 2", "6.9 to 0 s"]),
        ("AO8RW 2 2##a person walks.", ["line 2", "2 to 2 s"]),
        ("AO8RW 0.0 6.9#a person walks.", ["line 2", "VIDEO begin end##sentence.", "#a person"]),
        ("AO8RW 0.0##a person walks.", ["line 2", "VIDEO begin end"]),
        ("AO8RW -1 2##a person walks.", ["line 2"]),
        ("AO8RW 0.0 6.9##.", ["line 2", "words are empty"]),
        ("../x 0.0 6.9##a person walks.", ["line 2"]),
        ("AO8RW 6.5 7##a person walks.", ["line 2", "6.5 s", "AO8RW.mp4", "6.00 s", "skip_missing"]),
        ("ABSENT 0 7##a person walks.", ["line 2", "ABSENT.mp4", "does not exist", "skip_missing"]),
    ],
)
def test_broken_lines_of_charades(tmp_path: Path, line: str, said: list[str]) -> None:
    root = charades(tmp_path, [TRAIN[0], line])
    refused("charades_sta", root, ManifestError, [str(root / "charades_sta_train.txt"), *said])


def test_what_is_left_out_of_charades_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    more = ["AO8RW 6.5 7##a.", "ABSENT 0 7##b.", "ABSENT 1 2##c.", "3MSZA 0 1##d."]
    root = charades(tmp_path, [*TRAIN, *more])
    with caplog.at_level(logging.WARNING):
        items = items_of(read_all("charades_sta", root, frames=1, skip_missing=True))
    assert len(items) == 4
    for said in (
        "1 item(s) left out: its video does not fit",
        "2 item(s) left out: its video or picture is not",
    ):
        assert said in caplog.text
    assert "1 item(s) left out: its video or picture is on the test side" in caplog.text
    only = charades(tmp_path, more[1:3], [])
    refused("charades_sta", only, EmptySourceError, ["2 left out", "ABSENT.mp4"], skip_missing=True)
    refused("charades_sta", charades(tmp_path, [], []), EmptySourceError, ["list none"])


def test_broken_media_of_charades(tmp_path: Path) -> None:
    root = charades(tmp_path)
    path = root / "Charades_v1_480/AO8RW.mp4"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused("charades_sta", root, CorruptMediaError, ["AO8RW.mp4"], skip_missing=True)
    path.write_bytes(b"")
    refused("charades_sta", root, CorruptMediaError, ["AO8RW.mp4"])
    refused("charades_sta", root, ManifestError, ["absent.txt"], train="absent.txt")


def test_at_most_so_many_items_of_each_side(tmp_path: Path) -> None:
    root = charades(tmp_path)
    whole = items_of(read_all("charades_sta", root, frames=1))
    (root / "Charades_v1_480/AO8RW.mp4").unlink()  # not looked for, as 10AB comes first
    assert items_of(read_all("charades_sta", root, frames=1, max_items=1)) == [whole[0], whole[2]]


def test_clips_are_read_one_at_a_time(tmp_path: Path) -> None:
    root = charades(tmp_path)
    clips = read_dataset("dense", configured("charades_sta", root, frames=1))
    (root / "Charades_v1_480/AO8RX.mp4").unlink()
    assert [len(next(clips).items) for _ in range(3)] == [1, 1, 1]
    with pytest.raises(ManifestError, match=r"AO8RX\.mp4"):
        next(clips)


# QVHighlights


def query(**changes: Any) -> dict[str, Any]:
    record = {"qid": 8737, "query": "A family is playing basketball outside.", "duration": 6}
    record |= {"vid": "bP5KfdFJzC4_660.0_810.0", "relevant_windows": [[0, 4]], "relevant_clip_ids": [0, 1]}
    return record | {"saliency_scores": [[4, 1, 1], [4, 3, 0]]} | changes


def highlights(root: Path, *train: Any, test: Any = (), seconds: int = 6) -> Path:
    """Files with these records (texts as they are), and a video for each at 8 frames a second."""
    root.mkdir(exist_ok=True)
    for side, records in (("train", train or [query()]), ("val", test)):
        lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
        (root / f"highlight_{side}_release.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        for record in records:
            if isinstance(record, dict) and isinstance(record.get("vid"), str):
                path = root / f"videos/{record['vid']}.mp4"
                if not path.exists():
                    write_video(path, 8 * seconds, RATE)
    return root


def test_qvhighlights_to_the_number(tmp_path: Path) -> None:
    other = query(qid=1, vid="aa_0.0_150.0", duration=6, relevant_windows=[[4, 6], [0, 2]])
    other |= {"relevant_clip_ids": [2, 0], "saliency_scores": [[1, 2], [3, 4]]}
    clips = read_all("qvhighlights", highlights(tmp_path, test=[other]), frames=3)
    first, second = items_of(clips)
    assert (first.item_id, first.split, first.task) == ("dense/train/8737", "train", "temporal")
    assert first.query == "A family is playing basketball outside"
    assert (first.group, second.group) == ("qvhighlights/bP5KfdFJzC4", "qvhighlights/aa")
    assert (first.moments, second.moments) == ((Moment(0, 4),), (Moment(0, 2), Moment(4, 6)))
    assert (first.clip_s, first.duration) == (2.0, pytest.approx(6.0))
    assert first.saliency == ((4, 4, -1), (1, 3, -1), (1, 0, -1))
    assert second.saliency == ((3, -1, 1), (4, -1, 2))
    assert shown(clips[0]) == [0, 16, 32]
    assert first.times == pytest.approx((0, 2, 4))


def test_a_longer_video_is_cut_to_what_the_annotators_saw_and_a_shorter_one_is_another(
    tmp_path: Path,
) -> None:
    clips = read_all("qvhighlights", highlights(tmp_path, seconds=9), frames=3)
    assert (clips[0].items[0].duration, shown(clips[0])) == (6.0, [0, 16, 32])
    # A file that is short by less than its rounded length: the last stretch goes with it.
    short = query(duration=7, relevant_windows=[[4, 7]], relevant_clip_ids=[3], saliency_scores=[[4]])
    (item,) = items_of(read_all("qvhighlights", highlights(tmp_path / "short", short, seconds=5), frames=3))
    assert item.moments == (Moment(4, pytest.approx(5.0)),)
    assert (item.saliency, item.clip_s) == ((), 0.0)  # the one stretch that was judged is gone
    refused(
        "qvhighlights",
        highlights(tmp_path / "cut", query(duration=60)),
        ManifestError,
        ["line 1", "60 s", "6.00 s"],
    )


def test_recordings_on_both_sides_are_tested_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    test = [query(qid=2, vid="bP5KfdFJzC4_60.0_210.0")]
    clips = read_all("qvhighlights", highlights(tmp_path, query(), query(qid=3, vid="b_0_1"), test=test))
    assert [i.item_id for i in items_of(clips)] == ["dense/train/3", "dense/test/2"]
    assert "1 item(s) left out" in caplog.text


UNLABELLED = {k: v for k, v in query().items() if not k.startswith(("relevant", "saliency"))}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (UNLABELLED, ["test split", "without labels", "highlight_val_release.jsonl"]),
        (json.dumps(query())[:60], ["not JSON", "cut off"]),
        (query(relevant_windows=[[4, 0]]), ["'relevant_windows'", "4 to 0 s"]),
        (query(relevant_windows=[]), ["'relevant_windows'", "empty"]),
        (query(relevant_windows=[[1]]), ["'relevant_windows'", "[1]"]),
        (query(relevant_windows=[[1, "2"]]), ["'relevant_windows'"]),
        (query(relevant_windows=[[float("nan"), 2]]), ["'relevant_windows'"]),
        (query(relevant_clip_ids=[0, 3]), ["'relevant_clip_ids'", "0 to 2"]),
        (query(relevant_clip_ids=[1, 1]), ["'relevant_clip_ids'"]),
        (query(saliency_scores=[[4, 1, 1]]), ["'saliency_scores'", "1 entries", "2"]),
        (query(saliency_scores=[[4, 1, 1], [4, 1]]), ["clip 1", "3 numbers"]),
        (query(saliency_scores=[[4, 1, 5], [4, 1, 1]]), ["clip 0", "0 to 4"]),
        (query(duration="6"), ["'duration'"]),
        (query(duration=0), ["'duration' is 0"]),
        (query(qid=None), ["'qid'"]),
        (query(query=" "), ["'query'"]),
    ],
)
def test_broken_lines_of_qvhighlights(tmp_path: Path, record: Any, said: list[str]) -> None:
    root = highlights(tmp_path, query(qid=1), record)
    refused("qvhighlights", root, ManifestError, ["highlight_train_release.jsonl, line 2", *said])


def test_other_faults_of_qvhighlights(tmp_path: Path) -> None:
    root = highlights(tmp_path, query(), query())
    refused("qvhighlights", root, ManifestError, ["line 2", "8737", "line 1"])
    highlights(root, query())
    video = root / "videos/bP5KfdFJzC4_660.0_810.0.mp4"
    video.unlink()
    refused("qvhighlights", root, ManifestError, ["line 1", video.name, "skip_missing"])
    refused("qvhighlights", root, EmptySourceError, ["1 left out", video.name], skip_missing=True)
    refused("qvhighlights", root, ManifestError, ["absent.jsonl"], train="absent.jsonl")
