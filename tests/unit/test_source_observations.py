"""Walks through rooms: folders of pictures, poses and goals, written here."""

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from tpru.config.schema import ObservationsSource
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError, TooShortError, TpruError
from tpru.records import Trajectory
from tpru.trajectories.media import iter_frames
from tpru.trajectories.sources import observations

Row = dict[str, Any]


def row(picture: str, x: float, y: float, heading: float, z: float = 0.0) -> Row:
    return {"picture": picture, "x": x, "y": y, "z": z, "heading": heading}


def write_walk(root: Path, walk: str, names: list[str], goal: str | None = "go to  the sink") -> Path:
    """A walk whose k-th picture in ``names`` is of brightness 20 k."""
    folder = root / walk
    folder.mkdir(parents=True)
    for k, name in reversed(list(enumerate(names))):
        Image.new("RGB", (16, 12), (20 * k, 0, 20)).save(folder / name)
    (folder / ".hidden.png").write_bytes(b"")
    if goal is not None:
        (folder / "goal.txt").write_text(goal + "\n", encoding="utf-8")
    return folder


def write_poses(folder: Path, rows: list[Row], kind: str = "json") -> Path:
    path = folder / f"poses.{kind}"
    if kind == "json":
        path.write_text(json.dumps(rows), encoding="utf-8")
        return path
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(root: Path, **changes: Any) -> list[Trajectory]:
    values = {
        "scenario": "navigation",
        "licence": "l",
        "citation": "c",
        "extract": {},
        "shards": 1,
        "fetch": None,
    }
    values |= {"kind": "observations", "path": str(root), "max_episodes": 0, "up": "z", "min_turn": 15}
    values |= {"heading": "counter_clockwise", "min_way": 0.3, **changes}
    return [entry.trajectory for entry in observations.read("own", ObservationsSource.model_validate(values))]


def refused(root: Path, kind: type[TpruError], *words: str, **changes: Any) -> None:
    with pytest.raises(TpruError) as caught:
        read(root, **changes)
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)


def texts(trajectory: Trajectory) -> list[tuple[int, str]]:
    return [(step.frame, step.text) for step in trajectory.steps]


def test_pictures_alone_are_in_natural_order(tmp_path: Path) -> None:
    write_walk(tmp_path, "flat/w1", ["2.png", "9.jpg", "10.png"])
    (found,) = read(tmp_path)
    assert (found.trajectory_id, found.goal, found.group) == ("own-flat/w1", "Go to the sink", "flat")
    assert found.media.files == ("flat/w1/2.png", "flat/w1/9.jpg", "flat/w1/10.png")
    assert (found.scenario, found.steps) == ("navigation", ())


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_poses_give_order_and_words(tmp_path: Path, kind: str) -> None:
    names = ["d.png", "a.png", "c.png", "b.png", "e.png"]
    folder = write_walk(tmp_path, "flat/w1", names)
    poses = [(0, 0, 0), (0, 0, 90), (0, 2.1, 95), (0.1, 2.1, 95), (3.1, 6.1, 35)]
    write_poses(folder, [row(n, *pose) for n, pose in zip(names, poses, strict=True)], kind)
    (found,) = read(tmp_path)
    assert [frame.image.getpixel((0, 0)) for frame in iter_frames(found)] == [
        (20 * k, 0, 20) for k in range(5)
    ]
    walked = "turned right 60 degrees and walked 5.0 m"
    assert texts(found) == [(1, "turned left 90 degrees"), (2, "walked 2.1 m"), (4, walked)]
    assert texts(read(tmp_path, heading="clockwise")[0])[0] == (1, "turned right 90 degrees")
    assert texts(read(tmp_path, min_turn=100, min_way=4)[0]) == [(4, "walked 5.0 m")]


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (350, 20, "turned left 30 degrees"),
        (20, 350, "turned right 30 degrees"),
        (-170, 170, "turned right 20 degrees"),
        (0, 180, "turned around"),
        (720, 10, None),
    ],
)
def test_turns_take_the_shorter_way(tmp_path: Path, before: float, after: float, text: str | None) -> None:
    folder = write_walk(tmp_path, "flat/w", ["1.png", "2.png"])
    write_poses(folder, [{"picture": "1.png", "heading": before}, {"picture": "2.png", "heading": after}])
    assert [step.text for step in read(tmp_path)[0].steps] == ([text] if text else [])


def test_up_is_not_on_the_floor(tmp_path: Path) -> None:
    folder = write_walk(tmp_path, "flat/w", ["1.png", "2.png"])
    write_poses(folder, [row("1.png", 0, 0, 0), row("2.png", 3, -2, 0, z=4)])
    assert texts(read(tmp_path)[0]) == [(1, "walked 3.6 m and went up 4.0 m")]
    assert texts(read(tmp_path, up="y")[0]) == [(1, "walked 5.0 m and went down 2.0 m")]


def test_walks_of_a_scene_share_a_group(tmp_path: Path) -> None:
    for walk in ("house/2", "house/10", "flat/1"):
        write_walk(tmp_path, walk, ["1.png", "2.png"])
    found = read(tmp_path)
    assert [(t.trajectory_id, t.group) for t in found] == [
        ("own-flat/1", "flat"),
        ("own-house/2", "house"),
        ("own-house/10", "house"),
    ]


def test_goal_in_the_poses(tmp_path: Path) -> None:
    folder = write_walk(tmp_path, "flat/w", ["1.png", "2.png"], goal=None)
    refused(tmp_path, ManifestError, str(folder), "one goal", "[]")
    rows = [{"picture": "1.png", "goal": "see the sofa"}, {"picture": "2.png", "goal": ""}]
    write_poses(folder, rows, "csv")
    assert read(tmp_path)[0].goal == "See the sofa"
    (folder / "goal.txt").write_text("go out")
    refused(tmp_path, ManifestError, str(folder), "'Go out', 'See the sofa'")
    (folder / "goal.txt").write_bytes(b"\xff")
    refused(tmp_path, ManifestError, "goal.txt", "UTF-8")


def test_pictures_that_poses_do_not_list(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_walk(tmp_path, "flat/w", ["1.png", "2.png", "3.png"])
    write_poses(folder, [{"picture": "3.png"}, {"picture": "1.png"}])
    (found,) = read(tmp_path)
    assert found.media.files == ("flat/w/3.png", "flat/w/1.png")
    assert "1 pictures" in caplog.text


def test_order_of_listing_and_number_of_walks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (10, 9, 2):
        write_walk(tmp_path, f"flat/{number}", [f"{k}.png" for k in range(12)])
    straight = read(tmp_path)
    iterdir, shuffled = Path.iterdir, random.Random(2)
    monkeypatch.setattr(Path, "iterdir", lambda p: shuffled.sample(all_ := list(iterdir(p)), len(all_)))
    assert read(tmp_path) == straight
    (tmp_path / "flat/10/goal.txt").write_bytes(b"\xff")
    (tmp_path / "flat/10/3.png").write_bytes(b"")
    assert read(tmp_path, max_episodes=2) == straight[:2]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"name": "1.png"}], ["entry 0", "'picture' is missing"]),
        ([{"picture": "1.png", "yaw": 1}], ["entry 0", "['yaw']", "rename"]),
        ([{"picture": "1.png"}, {"picture": "none.png"}], ["'none.png'", "add the files"]),
        ([{"picture": "1.png"}, {"picture": "../w/2.png"}], ["'../w/2.png'"]),
        ([{"picture": "1.png"}, {"picture": "1.png"}], ["twice", "'1.png'"]),
        ([{"picture": 1}], ["entry 0", "a text", "'picture'"]),
        ([{"picture": "1.png", "heading": "left"}], ["entry 0", "'heading'", "'left'"]),
        ([{"picture": "1.png", "heading": True}], ["entry 0", "'heading'", "True"]),
        ([row("1.png", float("nan"), 0, 0)], ["entry 0", "'x'", "nan"]),
        ([{"picture": "1.png", "x": 1, "z": 2}], ["entry 0", "x, y and z together"]),
        ([{"picture": "1.png", "heading": 1}, {"picture": "2.png"}], ["'2.png'", "['heading']", "every row"]),
        ([], ["lists no picture"]),
        ([1], ["entry 0", "an object"]),
    ],
)
def test_bad_poses(tmp_path: Path, rows: list[Any], words: list[str]) -> None:
    folder = write_walk(tmp_path, "flat/w", ["1.png", "2.png"])
    path = write_poses(folder, rows)
    refused(tmp_path, ManifestError, str(path), *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["first line", "'picture' is missing"]),
        ("picture,x,y\n", ["lists no picture"]),
        ("picture,x,y,z\n1.png,0,0\n", ["line 2", "4 values"]),
        ("picture,heading\n1.png,0,0\n", ["line 2", "2 values"]),
        ("picture,heading\n1.png,0\n2.png,west\n", ["line 3", "'heading'", "'west'"]),
        ("picture,heading\n1.png,0\n2.png,\n", ["'2.png'", "every row"]),
        ("picture,heading\n1.png,inf\n2.png,0\n", ["line 2", "'heading'", "inf"]),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, words: list[str]) -> None:
    path = write_walk(tmp_path, "flat/w", ["1.png", "2.png"]) / "poses.csv"
    path.write_text(text)
    refused(tmp_path, ManifestError, str(path), *words)
    path.write_bytes(b"\xff")
    refused(tmp_path, ManifestError, str(path), "UTF-8")


def test_bad_folders(tmp_path: Path) -> None:
    refused(tmp_path / "none", ManifestError, "none", "correct `path`")
    refused(tmp_path, EmptySourceError, "SCENE/WALK")
    folder = write_walk(tmp_path, "flat/w", ["1.png"])
    refused(tmp_path, TooShortError, str(folder), "1 picture(s)")
    Image.new("RGB", (8, 8)).save(folder / "2.jpg")
    assert len(read(tmp_path)) == 1
    (folder / "2.jpg").write_bytes((folder / "2.jpg").read_bytes()[:-40])
    refused(tmp_path, CorruptMediaError, str(folder / "2.jpg"), "replace the file")
    write_poses(folder, [{"picture": "1.png"}])
    write_poses(folder, [{"picture": "1.png"}], "csv")
    refused(tmp_path, ManifestError, "poses.csv and poses.json", "remove one")
    (folder / "1.png").rename(tmp_path / "flat/1.png")
    refused(tmp_path, ManifestError, str(tmp_path / "flat"), "holds pictures", "SCENE/WALK")


def test_thresholds_are_sensible() -> None:
    with pytest.raises(ValidationError, match="min_turn"):
        read(Path(), min_turn=0)
