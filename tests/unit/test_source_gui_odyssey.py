"""GUI-Odyssey: folders in its form, written here."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tpru.config.compose import compose
from tpru.config.schema import ExtractConfig, GuiOdysseySource
from tpru.errors import (
    CorruptMediaError,
    EmptySourceError,
    ManifestError,
    SplitError,
    TooShortError,
    TpruError,
)
from tpru.records import Trajectory
from tpru.trajectories.media import iter_frames
from tpru.trajectories.sources import gui_odyssey

Action = tuple[str, Any]
HOME: Action = ("CLICK", "KEY_HOME")
DONE: Action = ("COMPLETE", "")


def point(x: int, y: int, to: tuple[int, int] | None = None) -> list[list[int]]:
    return [[x, y], list(to or (x, y))]


def write_episode(
    root: Path,
    episode: str,
    actions: list[Action],
    orders: dict[int, str] | None = None,
    apps: Any = ("Chrome", "X"),
    goal: str = "Using Chrome, search for a  tree.",
    below: str = "",
) -> Path:
    """An episode whose screen k is of brightness 20 k; its steps from the last to the first."""
    for folder in ("annotations", f"screenshots/{below}"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    steps = []
    for k, (action, info) in reversed(list(enumerate(actions))):
        name = f"{episode}_{k}.png"
        Image.new("RGB", (24, 50), (0, 20 * k, 0)).save(root / "screenshots" / below / name)
        step = {"step": k, "screenshot": name, "action": action, "info": info, "ps": "", "intention": "I am"}
        steps.append(step | ({"low_level_instruction": orders[k]} if orders and k in orders else {}))
    task = {"category": "Web_Shopping", "app": list(apps) if isinstance(apps, tuple) else apps}
    task |= {"meta_task": "m", "task": "t", "instruction": goal}
    data = {"episode_id": episode, "device_info": {"w": 24, "h": 50}, "task_info": task}
    data |= {"step_length": len(actions), "steps": steps}
    path = root / "annotations" / f"{episode}.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def write_split(root: Path, split: str, train: list[str], test: list[str]) -> Path:
    path = root / "splits" / f"{split}_split.json"
    path.parent.mkdir(exist_ok=True)
    lists = {"train": [f"{n}.json" for n in train], "test": [f"{n}.json" for n in test]}
    path.write_text(json.dumps(lists))
    return path


def read(root: Path, **changes: Any) -> list[Trajectory]:
    values = {
        "scenario": "gui",
        "licence": "l",
        "citation": "c",
        "extract": {},
        "shards": 1,
        "fetch": None,
        "split": "",
    }
    values |= {"kind": "gui_odyssey", "path": str(root), "max_episodes": 0, "group": "apps"}
    values |= {"skip_short": False, "keep_given_up": False, **changes}
    return [entry.trajectory for entry in gui_odyssey.read("odd", GuiOdysseySource.model_validate(values))]


def refused(root: Path, kind: type[TpruError], *words: str, **changes: Any) -> None:
    with pytest.raises(TpruError) as caught:
        read(root, **changes)
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)


def edit(path: Path, change: Any) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def test_an_action_belongs_to_the_screen_that_follows(tmp_path: Path) -> None:
    orders = {0: "Open the Chrome browser.", 1: "Wobble the thing."}
    actions: list[Action] = [("CLICK", point(374, 621)), ("TEXT", "big  tree"), HOME, DONE]
    write_episode(tmp_path, "0123", actions, orders)
    (found,) = read(tmp_path)
    assert (found.trajectory_id, found.family) == ("odd-0123", "web_shopping")
    assert (found.goal, found.group) == ("Using Chrome, search for a tree.", "odd-chrome+x")
    texts = [(step.frame, step.text) for step in found.steps]
    assert texts == [(1, "opened the Chrome browser"), (2, 'typed "big tree"'), (3, "pressed Home")]
    pixels = [frame.image.getpixel((0, 0)) for frame in iter_frames(found)]
    assert pixels == [(0, 20 * k, 0) for k in range(4)]


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (("CLICK", point(100, 900)), "tapped at the bottom left of the screen"),
        (("LONG_PRESS", point(500, 500)), "long-pressed at the centre of the screen"),
        (("SCROLL", point(500, 800, (520, 200))), "swiped up"),
        (("SCROLL", point(100, 500, (900, 480))), "swiped right"),
        (("CLICK", "KEY_BACK"), "pressed Back"),
        (("CLICK", "KEY_APPSELECT"), "opened the recent apps"),
        (("TYPE", "a"), 'typed "a"'),
        (("TEXT", ""), None),
        (("WAIT", ""), None),
        (DONE, None),
    ],
)
def test_words_of_actions(tmp_path: Path, action: Action, text: str | None) -> None:
    write_episode(tmp_path, "1", [action, DONE])
    assert [step.text for step in read(tmp_path)[0].steps] == ([text] if text else [])


def test_groups_are_sets_of_apps_or_instructions(tmp_path: Path) -> None:
    write_episode(tmp_path, "1", [HOME, DONE], apps=("X", "Chrome"), goal="Do it.")
    write_episode(tmp_path, "2", [HOME, DONE], apps="Chrome, x", goal="Do that.")
    write_episode(tmp_path, "3", [HOME, DONE], apps=("X",), goal="do  it")
    first, second, third = read(tmp_path)
    assert first.group == second.group != third.group
    first, second, third = read(tmp_path, group="instruction")
    assert first.group == third.group != second.group


def test_own_split(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number, app in enumerate("aabc"):
        write_episode(tmp_path, str(number), [HOME, DONE], apps=(app,))
    write_split(tmp_path, "random", ["0", "2", "absent"], ["1"])
    found = read(tmp_path, split="random")
    assert [(t.trajectory_id, t.split) for t in found] == [("odd-1", "test"), ("odd-2", "train")]
    assert "1 episodes are left out" in caplog.text
    assert "1 episodes of the training side" in caplog.text
    assert {t.split for t in read(tmp_path)} == {""}
    refused(tmp_path, ManifestError, "task_split.json", "restore it", split="task")
    write_split(tmp_path, "random", ["0", "1"], ["1"])
    refused(tmp_path, SplitError, "random_split.json", "both sides", "'1'", split="random")
    write_split(tmp_path, "random", [], []).write_text('{"train": []}')
    refused(tmp_path, ManifestError, "random_split.json", "a list", "'test'", split="random")


def test_order_of_listing_and_number_of_episodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (10, 9, 2):
        write_episode(tmp_path, str(number), [HOME, DONE], below=f"data_{number}")
    straight = read(tmp_path)
    assert [t.trajectory_id for t in straight] == ["odd-2", "odd-9", "odd-10"]
    assert straight[0].media.files == ("data_2/2_0.png", "data_2/2_1.png")
    glob, iterdir, shuffled = Path.glob, Path.iterdir, random.Random(3)
    monkeypatch.setattr(
        Path, "glob", lambda p, pattern: shuffled.sample(all_ := list(glob(p, pattern)), len(all_))
    )
    monkeypatch.setattr(Path, "iterdir", lambda p: shuffled.sample(all_ := list(iterdir(p)), len(all_)))
    assert read(tmp_path) == straight
    (tmp_path / "annotations/10.json").write_text("{")
    assert read(tmp_path, max_episodes=2) == straight[:2]
    refused(tmp_path, ManifestError, "10.json", "JSON")


def test_what_is_left_out(tmp_path: Path) -> None:
    refused(tmp_path, ManifestError, "annotations", "`path`")
    write_episode(tmp_path, "1", [HOME, ("INCOMPLETE", "")])
    refused(tmp_path, EmptySourceError, "keep_given_up")
    assert len(read(tmp_path, keep_given_up=True)) == 1
    path = write_episode(tmp_path, "2", [DONE])
    refused(tmp_path, TooShortError, str(path), "skip_short")
    refused(tmp_path, EmptySourceError, "no episode", skip_short=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("steps"), ["a list", "'steps'"]),
        (lambda d: d.pop("task_info"), ["an object", "'task_info'"]),
        (lambda d: d["task_info"].update(instruction=""), ["a text", "'instruction'"]),
        (lambda d: d["task_info"].update(app=[1]), ["names of apps", "'app'"]),
        (lambda d: d["task_info"].update(category=None), ["a text", "'category'"]),
        (lambda d: d["steps"].pop(), ["steps 0 to 2", "'step_length'", "[1, 2]"]),
        (lambda d: d["steps"].append(d["steps"][0]), ["steps 0 to 2", "4 entries"]),
        (lambda d: d["steps"][0].update(step="2"), ["entry 0 of steps", "'step'"]),
        (lambda d: d["steps"][0].pop("action"), ["step 2", "'action'"]),
        (lambda d: d["steps"][2].update(info=[[1]]), ["step 0", "'info'", "[[1]]"]),
        (lambda d: d["steps"][2].update(info="KEY_NEW"), ["step 0", "'info'", "KEY_NEW"]),
        (lambda d: d["steps"][1].update(screenshot="x.png"), ["step 1", "'x.png'", "'screenshot'"]),
        (lambda d: d["steps"][1].update(screenshot="../x.png"), ["step 1", "'../x.png'"]),
    ],
)
def test_bad_annotations(tmp_path: Path, change: Any, words: list[str]) -> None:
    path = write_episode(tmp_path, "1", [("CLICK", point(1, 1)), HOME, DONE])
    (tmp_path / "x.png").write_bytes(b"")
    edit(path, change)
    refused(tmp_path, ManifestError, path.name, *words)


def test_bad_pictures(tmp_path: Path) -> None:
    write_episode(tmp_path, "1", [HOME, DONE])
    picture = tmp_path / "screenshots/1_1.png"
    whole = picture.read_bytes()
    for broken in (whole[:-9], whole[:20], b"", b"version https://git-lfs.github.com/spec/v1\n"):
        picture.write_bytes(broken)
        refused(tmp_path, CorruptMediaError, str(picture), "remove the episode")
    middle = whole.index(b"IDAT") + 6  # in the pixels: found when frames are read
    picture.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    (found,) = read(tmp_path)
    with pytest.raises(CorruptMediaError, match=r"1_1\.png"):
        list(iter_frames(found))


def test_configuration_takes_windows_of_four_steps() -> None:
    config = compose("demo", ["+source@sources.phone=gui_odyssey", "sources.phone.path=x"])
    merged = {**config.extract.model_dump(), **config.sources["phone"].extract}
    extraction = ExtractConfig.model_validate(merged)
    assert (extraction.n_frames, extraction.spacing, extraction.stride) == (4, 1, 4)
