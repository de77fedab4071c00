"""SEED-Bench-R1 and EgoPlan as sequences: annotations and videos in their forms, written here."""

import json
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.test_egoplan_records import UUID, level_3, progress, published, training, write
from tests.unit.test_source_episodes import number_of, numbered
from tpru.config.compose import compose
from tpru.config.schema import SeedBenchR1Source
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError, TpruError
from tpru.records import Media, Trajectory
from tpru.trajectories import media as reading_media
from tpru.trajectories.media import iter_frames
from tpru.trajectories.source_data import SourceData
from tpru.trajectories.sources import seed_bench_r1
from tpru.trajectories.sources.action_words import past

STEPS = [("open drawer", 12, 40), ("take knife", 44, 90), ("close drawer", 80, 100)]


def write_video(path: Path, count: int, rate: Fraction, first: int = 0) -> Path:
    """Frames that show their number (modulo 256), counted from ``first``; a key frame every twelve."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.gop_size = 12
        for number in range(first, first + count):
            picture = av.VideoFrame.from_ndarray(numbered(number % 256), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def write_frames(root: Path, numbers: list[int], place: str = "P07/rgb_frames/P07_113") -> None:
    for number in numbers:
        path = root / f"EpicKitchens/{place}/frame_{number:010d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(numbered(number)).save(path)


def kitchen(steps: Any = None, **changes: Any) -> dict[str, Any]:
    """A question of the training set about a video of 50 frames a second."""
    return published(task_progress_metadata=progress(STEPS if steps is None else steps)) | changes


def cut(root: Path, record: dict[str, Any], rate: Fraction = Fraction(50), first: int = 12) -> Path:
    """The video of a question: frames first to observation, each showing its number in the recording."""
    count = record["current_observation_frame"] - first + 1
    path = root / f"videos/{record['video_source']}/{record['video_basename']}"
    return write_video(path, count, rate, first)


def read_all(root: Path, *records: Any, name: str = "training.jsonl", **changes: Any) -> SourceData:
    if records:
        write(root / name, list(records))
    values = {"scenario": "robot", "licence": "l", "citation": "c", "extract": {}, "shards": 1, "fetch": None}
    values |= {"kind": "seed_bench_r1", "path": str(root), "annotations": [name], "footage": "clips"}
    values |= {"videos": str(root / "videos"), "max_episodes": 0, "group": "video", "skip_missing": False}
    return seed_bench_r1.read("seed", SeedBenchR1Source.model_validate(values | changes))


def read(root: Path, *records: Any, **changes: Any) -> list[Trajectory]:
    return [entry.trajectory for entry in read_all(root, *records, **changes)]


def shown(trajectory: Trajectory, every: int = 1) -> list[int]:
    return [number_of(frame.image) for frame in iter_frames(trajectory, every=every)]


def refused(root: Path, kind: type[TpruError], words: list[str], *records: Any, **changes: Any) -> None:
    with pytest.raises(TpruError) as caught:
        read(root, *records, **changes)
    assert isinstance(caught.value, kind)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_cut_video_shows_the_state_before_the_first_and_after_each_step(tmp_path: Path) -> None:
    record = kitchen(current_observation_frame=110)
    cut(tmp_path, record)
    (found,) = read(tmp_path, record)
    assert found.trajectory_id == "seed-P07_113-12-100-cut-the-onion"
    assert (found.goal, found.group, found.family) == ("Cut the onion", "EpicKitchens-P07_113", "")
    assert [(step.frame, step.text) for step in found.steps] == [
        (1, "opened drawer"),
        (2, "took knife"),
        (3, "closed drawer"),
    ]
    assert found.media.n_frames == 4
    assert shown(found) == [12, 40, 90, 100]
    assert shown(found, every=2) == [12, 90]


def test_a_cut_video_of_another_rate_keeps_its_times(tmp_path: Path) -> None:
    record = kitchen(current_observation_frame=111)
    # 100 frames at 50 a second are 50 at 25: number k of the recording is frame (k - 12) / 2.
    write_video(tmp_path / "videos/EpicKitchens/batch_1/P07_113_39.mp4", 50, Fraction(25))
    (found,) = read(tmp_path, record)
    assert found.media.files == ("EpicKitchens/batch_1/P07_113_39.mp4",)
    assert shown(found) == [0, 14, 39, 44]


def test_what_ends_after_the_current_observation_is_not_in_a_cut_video(tmp_path: Path) -> None:
    record = kitchen(current_observation_frame=95)
    cut(tmp_path, record)
    (found,) = read(tmp_path, record)
    assert shown(found) == [12, 40, 90]
    record = kitchen(current_observation_frame=30)
    refused(tmp_path, ManifestError, ["line 1", "'current_observation_frame' 30"], record)


def test_level_3_begins_where_the_task_begins(tmp_path: Path) -> None:
    record = level_3(task_start_frame=3, current_observation_frame=95, video_basename="a.mp4")
    cut(tmp_path, record, Fraction(30), first=3)
    (found,) = read(tmp_path, record)
    assert (found.family, found.group) == ("hobbies/baking", f"Ego4D-{UUID}")
    assert shown(found) == [12, 40, 90]


def test_recordings_of_ego4d_count_from_0_and_those_of_epic_kitchens_from_1(tmp_path: Path) -> None:
    old = kitchen(video_id="P07_13", sample_id=1)
    ego = level_3(task_progress_metadata=progress(STEPS))
    write_video(tmp_path / "videos/EpicKitchens/P07/videos/P07_13.MP4", 120, Fraction(60000, 1001))
    write_video(tmp_path / f"videos/Ego4D/v1_288p/{UUID}.mp4", 120, Fraction(30))
    kitchen_found, ego_found = read(tmp_path, ego, old, footage="whole")
    assert shown(kitchen_found) == [11, 39, 89, 99]
    assert shown(ego_found) == [12, 40, 90, 100]


@pytest.mark.parametrize("place", ["P07/rgb_frames/P07_113", "P07_113"])
def test_frames_of_epic_kitchens(tmp_path: Path, place: str) -> None:
    write_frames(tmp_path / "videos", [1, 12, 40, 90, 100], place)
    record = training(task_progress_metadata=progress(STEPS))
    (found,) = read(tmp_path, record, name="EgoPlan_IT.json", footage="whole")
    assert found.media.files[0] == f"EpicKitchens/{place}/frame_0000000012.jpg"
    assert shown(found) == [12, 40, 90, 100]


def test_questions_about_one_goal_are_put_together(tmp_path: Path) -> None:
    write_frames(tmp_path / "videos", [12, 40, 60, 90, 100, 300, 400, 410])
    first, second = (
        kitchen(STEPS[:2], sample_id=1),
        kitchen(STEPS[1:], sample_id=2, task_goal="cut the  onion."),
    )
    between = kitchen([("wash knife", 50, 60), *STEPS[1:2]], sample_id=3)
    again = kitchen([("open drawer", 300, 400), ("take spoon", 390, 400), ("eat", 400, 410)], sample_id=4)
    other = kitchen(STEPS[:1], sample_id=5, task_goal="open the drawer")
    records = [first, second, between, again, other]
    found = read(tmp_path, *records, footage="whole")
    assert [t.trajectory_id for t in found] == [
        "seed-P07_113-12-100-cut-the-onion",
        "seed-P07_113-12-40-open-the-drawer",
        "seed-P07_113-300-410-cut-the-onion",
    ]
    assert [shown(t) for t in found[:2]] == [[12, 40, 60, 90, 100], [12, 40]]
    assert [(s.frame, s.text) for s in found[2].steps] == [(1, "opened drawer; took spoon"), (2, "ate")]
    assert len({t.group for t in found}) == 1
    for seed in range(3):
        random.Random(seed).shuffle(records)
        assert read(tmp_path, *records, footage="whole") == found


def test_cut_videos_show_the_question_that_tells_most(tmp_path: Path) -> None:
    short = kitchen(STEPS[:2], sample_id=1, current_observation_frame=95, video_basename="1.mp4")
    long = kitchen(STEPS, sample_id=2, current_observation_frame=110, video_basename="2.mp4")
    cut(tmp_path, short)
    path = cut(tmp_path, long)
    (found,) = read(tmp_path, short, long)
    assert shown(found) == [12, 40, 90, 100]
    path.unlink()
    (found,) = read(tmp_path, short, long)
    assert shown(found) == [12, 40, 90]


def test_groups_order_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    videos = ["P07_02", "P07_113", "P10_01"]
    for name in videos:
        write_frames(tmp_path / "videos", [12, 40, 90], name)
    write_video(tmp_path / f"videos/Ego4D/{UUID}.mp4", 100, Fraction(30))
    records = [kitchen(STEPS[:2], video_id=name) for name in videos] + [level_3()]
    write(tmp_path / "a.jsonl", records[2:])
    write(tmp_path / "b.json", records[:2])
    both = {"annotations": ["b.json", "a.jsonl"], "footage": "whole", "group": "participant"}
    found = read(tmp_path, **both)
    assert [t.group for t in found] == ["EpicKitchens-P07"] * 2 + ["EpicKitchens-P10", f"Ego4D-{UUID}"]
    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda p: reversed(list(iterdir(p))))
    assert read(tmp_path, **{**both, "annotations": ["a.jsonl", "b.json", "a.jsonl"]}) == found
    assert read(tmp_path, **both, max_episodes=2) == found[:2]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    there = kitchen(sample_id=1, current_observation_frame=110)
    cut(tmp_path, there)
    unlike = kitchen(
        sample_id=2, video_id="P08_01", video_basename="unlike.mp4", current_observation_frame=900
    )
    cut(tmp_path, unlike | {"current_observation_frame": 200})
    absent = kitchen(sample_id=3, video_id="P09_01", video_basename="absent.mp4")
    picture = kitchen([], sample_id=4)
    data = read_all(tmp_path, there, unlike, absent, picture, skip_missing=True)
    assert data.dropped == {"no_steps": 1, "no_video": 1, "unlike_video": 1}
    assert (data.total, len(list(data))) == (1, 1)
    write_frames(tmp_path / "videos", [5], "P11_02")
    still = kitchen([("wait", 5, 5)], sample_id=5, video_id="P11_02")
    refused(tmp_path, ManifestError, ["line 1", "same frame"], still, footage="whole")
    refused(tmp_path, ManifestError, ["line 1", "'absent.mp4'", "skip_missing"], absent)
    refused(
        tmp_path, ManifestError, ["line 1", "unlike.mp4", "14.83 s", "189 frames", "footage=whole"], unlike
    )
    refused(tmp_path, EmptySourceError, ["no_video", "'absent.mp4'"], absent, skip_missing=True)
    refused(tmp_path, EmptySourceError, ["no_steps", "current picture alone"], picture)


def test_recordings_that_are_not_there_or_do_not_fit(tmp_path: Path) -> None:
    whole = {"footage": "whole"}
    refused(tmp_path, ManifestError, ["line 1", "P07/rgb_frames/P07_113", "EpicKitchens"], kitchen(), **whole)
    refused(tmp_path, ManifestError, ["line 1", f"{UUID}.mp4", "Ego4D"], level_3(), **whole)
    write_video(tmp_path / f"videos/Ego4D/{UUID}.mp4", 60, Fraction(30))
    refused(tmp_path, ManifestError, ["line 1", "to 3.00 s", "lasts 2.00 s"], level_3(), **whole)
    write_frames(tmp_path / "videos", [12, 40, 90])
    refused(tmp_path, ManifestError, ["line 1", "frame_0000000100.jpg"], kitchen(), **whole)


def test_broken_media(tmp_path: Path) -> None:
    record = kitchen(current_observation_frame=110)
    path = cut(tmp_path, record)
    (found,) = read(tmp_path, record)
    whole = path.read_bytes()
    path.write_bytes(b"no video")
    refused(tmp_path, CorruptMediaError, [str(path)], record)
    refused(tmp_path, CorruptMediaError, [str(path)], record, skip_missing=True)
    middle = len(whole) // 2  # the index at the end stays: only decoding shows it
    path.write_bytes(whole[:middle] + bytes(len(whole) - middle - 2000) + whole[-2000:])
    with pytest.raises(CorruptMediaError, match=r"P07_113_39\.mp4"):
        list(iter_frames(found))
    write_frames(tmp_path / "videos", [12, 40, 90, 100])
    picture = tmp_path / "videos/EpicKitchens/P07/rgb_frames/P07_113/frame_0000000040.jpg"
    picture.write_bytes(b"")
    refused(tmp_path, CorruptMediaError, [str(picture)], record, footage="whole")


def test_malformed_annotations_name_file_and_key(tmp_path: Path) -> None:
    words = [str(tmp_path / "training.jsonl"), "line 2", "'task_goal'"]
    refused(tmp_path, ManifestError, words, kitchen(), kitchen(task_goal=3), skip_missing=True)
    refused(tmp_path, ManifestError, ["absent.jsonl"], annotations=["absent.jsonl"])


LONG = 600


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("long") / "v.mp4", LONG, Fraction(30))


def picks(path: Path, numbers: list[int]) -> Trajectory:
    times = tuple(number / 30 for number in numbers)
    media = Media("video", len(numbers), root=str(path.parent), files=(path.name,), fps=30.0, times=times)
    return Trajectory("t", "robot", "s", "l", "g", "g", media)


@settings(deadline=None, max_examples=25)
@given(st.sets(st.integers(0, LONG - 1), min_size=2, max_size=6))
def test_frames_picked_from_a_video_are_the_ones_named(long_video: Path, chosen: set[int]) -> None:
    numbers = sorted(chosen)
    assert shown(picks(long_video, numbers)) == [number % 256 for number in numbers]


def test_few_frames_of_a_long_video_are_not_decoded_whole(
    long_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[float] = []
    timed = reading_media._timed_frames

    def counted(path: Path, start: float) -> Any:
        for time, frame in timed(path, start):
            decoded.append(time)
            yield time, frame

    monkeypatch.setattr(reading_media, "_timed_frames", counted)
    assert shown(picks(long_video, [3, 5, 300, 590])) == [3, 5, 300 % 256, 590 % 256]
    assert len(decoded) <= 6 + 2 * 14  # each jump decodes from the key frame before


def test_a_time_behind_the_end_is_a_truncated_video(long_video: Path) -> None:
    with pytest.raises(CorruptMediaError, match="holds 2 frames"):
        list(iter_frames(picks(long_video, [0, 599, 600])))


@pytest.mark.parametrize(
    ("order", "done"),
    [
        ("turn-on tap", "turned on tap"),
        ("wash hands", "washed hands"),
        ("Cut and peel the onion", "cut and peeled the onion"),
        ("dry-off plate.", "dried off plate"),
        ("still-life", ""),
    ],
)
def test_words_of_the_kitchen(order: str, done: str) -> None:
    assert past(order) == done


def test_configuration_is_complete() -> None:
    needed = ["path=p", "videos=v", "licence=CC-BY-NC-4.0"]
    values = [f"sources.ego.{value}" for value in needed]
    source = compose("demo", ["+source@sources.ego=seed_bench_r1", *values]).sources["ego"]
    assert (source.kind, source.scenario) == ("seed_bench_r1", "robot")
    assert json.loads(source.model_dump_json())["annotations"] == ["training_6k.jsonl"]
