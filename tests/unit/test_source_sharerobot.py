"""ShareRobot: lists of questions and folders of frames in its form, written here."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tpru.config.schema import ShareRobotSource
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError, TooShortError, TpruError
from tpru.records import Trajectory
from tpru.trajectories.media import iter_frames
from tpru.trajectories.sources import sharerobot

GOAL = "placing a cup into a drawer"
STEPS = ("approach the cup", "grasp the cup", "wobble it")
ENDS = (2, 4, 7)  # number of the frame that shows the end of a step
AWAY = "/mnt/somewhere/planning/rt_frames_success"


def question(key: str, task: str, step: int, last: int, asked: str, answer: str) -> dict[str, Any]:
    """A question that shows the frames 0 to ``last``."""
    frames = [f"{AWAY}/{key}/frame_{k}.png" for k in range(last + 1)]
    talk = [
        {"from": "human", "value": "<image> " * len(frames) + "\n" + asked},
        {"from": "gpt", "value": answer},
    ]
    return {
        "id": f"{AWAY}/{key}",
        "task": task,
        "selected_step": step,
        "conversations": talk,
        "image": frames,
    }


def questions(key: str, goal: str = GOAL) -> dict[str, list[dict[str, Any]]]:
    """What is asked about an episode, by list."""
    context = ", ".join(f"{k}-<{step}>" for k, step in enumerate(STEPS[:2], 1))
    with_context = f"To work toward <{goal}>, what comes after completing {context}?"
    negative = ("Success_(Negative)_Task", 0, 0, f"Was <{STEPS[2]}> done?", "no")
    return {
        "planning_task": [
            question(key, "Planning_Task", 1, ENDS[0], f"For <{goal}>, what next?", f"<{STEPS[1]}>")
        ],
        "planning_with_context_task": [
            question(key, "Planning_with_Context_Task", 2, ENDS[1], with_context, f"3-<{STEPS[2]}>")
        ],
        "past_description_task": [
            question(key, "Past_Description_Task", 2, ENDS[2], "What was just done?", f"<{STEPS[2]}>")
        ],
        "success_(negative)_task": [question(key, *negative)],
    }


def write_frames(images: Path, key: str, count: int = 9) -> Path:
    folder = images / key
    folder.mkdir(parents=True)
    for k in reversed(range(count)):
        Image.new("RGB", (16, 12), (0, 0, 20 * k)).save(folder / f"frame_{k}.png")
    return folder


def write_set(root: Path, episodes: dict[str, tuple[str, str]]) -> None:
    """Lists and frames of episodes, given by key as (side, goal); records in the order given."""
    lists: dict[str, list[dict[str, Any]]] = {}
    for key, (side, goal) in episodes.items():
        write_frames(root / "images", key)
        for task, records in questions(key, goal).items():
            lists.setdefault(f"{side}/{task}", []).extend(records)
    for name, records in lists.items():
        path = root / f"planning/{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(records, indent=4), encoding="utf-8")


def key(number: int, shard: int = 14, dataset: str = "bridge") -> str:
    return f"rtx_frames_success_{shard}/49_{dataset}#episode_{number}"


def read(root: Path, **changes: Any) -> list[Trajectory]:
    values = {"scenario": "robot", "licence": "l", "citation": "c", "extract": {}, "shards": 1, "fetch": None}
    values |= {"kind": "sharerobot", "path": str(root / "planning"), "images": str(root / "images")}
    values |= {"max_episodes": 0, "group": "goal", "own_split": False, **changes}
    return [entry.trajectory for entry in sharerobot.read("share", ShareRobotSource.model_validate(values))]


def refused(root: Path, kind: type[TpruError], *words: str, **changes: Any) -> None:
    with pytest.raises(TpruError) as caught:
        read(root, **changes)
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_an_episode_is_put_together_from_its_questions(tmp_path: Path) -> None:
    write_set(tmp_path, {key(4263): ("train", GOAL)})
    (found,) = read(tmp_path)
    assert found.trajectory_id == "share-rtx_frames_success_14/49_bridge#episode_4263"
    assert (found.goal, found.split) == ("Placing a cup into a drawer", "")
    assert [(step.frame, step.text) for step in found.steps] == [
        (2, "approached the cup"),
        (4, "grasped the cup"),
        (7, 'the step "wobble it" was done'),
    ]
    pixels = [frame.image.getpixel((0, 0)) for frame in iter_frames(found)]
    assert pixels == [(0, 0, 20 * k) for k in range(9)]


def test_groups(tmp_path: Path) -> None:
    other = key(3, dataset="robo_set")
    write_set(tmp_path, {key(1): ("train", GOAL), key(2): ("train", GOAL.upper()), other: ("train", GOAL)})
    first, second, third = read(tmp_path)
    assert first.group == second.group == "share-bridge-placing a cup into a drawer"
    assert third.group == "share-robo_set-placing a cup into a drawer"
    assert len({t.group for t in read(tmp_path, group="episode")}) == 3


def test_own_split(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_set(tmp_path, {key(1): ("train", "a"), key(2): ("train", "b"), key(3): ("test", "b")})
    found = read(tmp_path, own_split=True)
    assert [(t.trajectory_id[-1], t.split) for t in found] == [("1", "train"), ("3", "test")]
    assert "1 episodes of the training side" in caplog.text
    more = questions(key(1), "a")["planning_task"]
    (tmp_path / "planning/test/planning_task.json").write_text(json.dumps(more))
    sides = {t.trajectory_id[-1]: t.split for t in read(tmp_path, own_split=True, group="episode")}
    assert sides == {"1": "test", "2": "train", "3": "test"}


def test_order_of_files_and_records_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path, {key(n, shard): ("train", f"goal {n}") for n in (10, 9, 2) for shard in (14, 3)})
    straight = read(tmp_path)
    assert [t.trajectory_id[6:] for t in straight] == [key(n, s) for s in (3, 14) for n in (2, 9, 10)]
    assert read(tmp_path, max_episodes=2) == straight[:2]
    shuffled = random.Random(5)
    for path in (tmp_path / "planning").rglob("*.json"):
        records = json.loads(path.read_text())
        path.write_text(json.dumps(shuffled.sample(records, len(records))))
    glob = Path.glob
    monkeypatch.setattr(
        Path, "glob", lambda p, pattern: shuffled.sample(all_ := list(glob(p, pattern)), len(all_))
    )
    assert read(tmp_path) == straight
    for most in (1, 2, 4):
        assert read(tmp_path, max_episodes=most) == straight[:most]
    for picture in (tmp_path / "images" / key(10, 14)).iterdir():
        picture.write_bytes(b"")
    assert read(tmp_path, max_episodes=5) == straight[:5]


def test_lists_longer_than_what_is_read_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path, {key(n): ("train", f"göal {n}") for n in range(4)})
    straight = read(tmp_path)
    for chunk in (1, 7, 1000):
        monkeypatch.setattr(sharerobot, "CHUNK", chunk)
        assert read(tmp_path) == straight
    path = tmp_path / "planning/train/planning_task.json"
    path.write_text(path.read_text().rstrip("]"))
    refused(tmp_path, ManifestError, str(path), "behind record 4", "restore it")
    monkeypatch.setattr(sharerobot, "LONGEST", 10)
    refused(tmp_path, ManifestError, "behind record 0")


def test_lists_directly_in_the_folder(tmp_path: Path) -> None:
    write_set(tmp_path, {key(1): ("train", GOAL)})
    assert read(tmp_path, path=str(tmp_path / "planning/train")) == read(tmp_path)


def test_what_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    refused(tmp_path, ManifestError, "no lists", "train/*.json")
    write_set(tmp_path, {key(1): ("train", GOAL), key(2): ("train", "b")})
    folder = tmp_path / "images" / key(2)
    folder.rename(folder.with_name("elsewhere"))
    assert len(read(tmp_path)) == 1
    assert "1 episodes of ShareRobot are left out: no frames" in caplog.text
    for name in ("planning_task", "planning_with_context_task"):
        (tmp_path / f"planning/train/{name}.json").unlink()
    refused(tmp_path, EmptySourceError, "planning_task.json", "`images`")
    assert "no goal" in caplog.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": 0}, ["record 0", "a text", "'id'"]),
        ({"id": "episode"}, ["record 0", "#episode_", "'episode'"]),
        ({"task": None}, ["'task'"]),
        ({"selected_step": "1"}, ["a whole number", "'selected_step'"]),
        ({"image": []}, ["frame_<number>", "'image'"]),
        ({"image": ["image_0-25"]}, ["frame_<number>", "'image'"]),
        ({"conversations": [{"value": "x"}]}, ["a question and an answer"]),
        ({"conversations": [{"value": "x"}, {"from": "gpt"}]}, ["conversations", "'value'"]),
    ],
)
def test_bad_records(tmp_path: Path, change: dict[str, Any], words: list[str]) -> None:
    write_set(tmp_path, {key(1): ("train", GOAL)})
    path = tmp_path / "planning/train/planning_task.json"
    path.write_text(json.dumps([json.loads(path.read_text())[0] | change]))
    refused(tmp_path, ManifestError, path.name, *words)


def test_bad_files(tmp_path: Path) -> None:
    write_set(tmp_path, {key(1): ("train", GOAL)})
    folder = tmp_path / "images" / key(1)
    picture = folder / "frame_3.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:-9])
    refused(tmp_path, CorruptMediaError, str(picture), "cut off")
    picture.unlink()
    refused(tmp_path, ManifestError, str(folder), "lacks 1 frame(s): [3]")
    for rest in folder.iterdir():
        rest.unlink()
    refused(tmp_path, ManifestError, str(folder), "lacks 8 frame(s)")
    path = tmp_path / "planning/train/planning_task.json"
    for text, words in (("{}", "no list"), ("[1]", "an object"), ("version https://git-lfs", "git lfs pull")):
        path.write_text(text)
        refused(tmp_path, ManifestError, str(path), words)


def test_one_frame(tmp_path: Path) -> None:
    write_frames(tmp_path / "images", key(1), 1)
    (tmp_path / "planning").mkdir()
    asked = question(key(1), "Planning_Task", 0, 0, f"For <{GOAL}>, what next?", "<a>")
    (tmp_path / "planning/planning_task.json").write_text(json.dumps([asked]))
    refused(tmp_path, TooShortError, "1 frame(s)", "remove the folder")
