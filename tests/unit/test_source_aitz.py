"""Android in the Zoo: folders in its form written here, and its one published example."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tpru.config.schema import AitzSource
from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError, TooShortError, TpruError
from tpru.records import Trajectory
from tpru.trajectories.media import iter_frames
from tpru.trajectories.sources import aitz
from tpru.trajectories.sources.action_words import past, touched

REAL = Path(__file__).parents[3] / "shared/data"
HOME, BACK, ENTER, DONE = ({"result_action_type": kind} for kind in (6, 5, 7, 10))
AWAY = "[-1.0, -1.0]"


def tap(y: float, x: float, to: tuple[float, float] | None = None, **more: Any) -> dict[str, Any]:
    lift = to or (y, x)
    points = {"result_touch_yx": f"[{y}, {x}]", "result_lift_yx": f"[{lift[0]}, {lift[1]}]"}
    return {"result_action_type": 4, **points, **more}


def write_episode(
    root: Path,
    actions: list[dict[str, Any]],
    folder: str = "general/GENERAL-7",
    goal: str = "open the  clock",
) -> Path:
    """An episode whose screen k is of brightness 20 k; records from the last to the first."""
    name = Path(folder).name
    home = root / folder
    home.mkdir(parents=True)
    steps = []
    for k, action in reversed(list(enumerate(actions))):
        Image.new("RGB", (27, 60), (20 * k, 0, 0)).save(home / f"{name}_{k}.png")
        step = {"episode_id": name.split("-")[1], "episode_length": len(actions), "step_id": k}
        step |= {"instruction": goal, "image_path": f"general/{name}/{name}_{k}.png", "ui_text": '["M"]'}
        step |= {"result_action_text": "", "result_touch_yx": AWAY, "result_lift_yx": AWAY, **action}
        steps.append(step)
    (home / f"{name}.json").write_text(json.dumps(steps), encoding="utf-8")
    (home / "notes.json").write_text("not an episode")
    return home / f"{name}.json"


def read(root: Path, **changes: Any) -> list[Trajectory]:
    values = {"scenario": "gui", "licence": "l", "citation": "c", "extract": {}, "shards": 1, "fetch": None}
    values |= {"kind": "aitz", "path": str(root), "max_episodes": 0, "skip_short": False, "own_split": False}
    data = aitz.read("zoo", AitzSource.model_validate({**values, **changes}))
    found = [entry.trajectory for entry in data]
    assert data.total == len(found)
    return found


def refused(root: Path, kind: type[TpruError], *words: str, **changes: Any) -> None:
    with pytest.raises(TpruError) as caught:
        read(root, **changes)
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)


def edit(path: Path, step: int, **changes: Any) -> None:
    records = json.loads(path.read_text())
    for record in records:
        if record["step_id"] == step:
            record.update(changes)
    path.write_text(json.dumps(records))


def test_an_action_belongs_to_the_screen_that_follows(tmp_path: Path) -> None:
    described = tap(0.5, 0.5, coat_action_desc="click on the Clock app.")
    write_episode(tmp_path, [HOME, described, BACK, DONE])
    (found,) = read(tmp_path)
    assert (found.trajectory_id, found.goal, found.group) == (
        "zoo-GENERAL-7",
        "Open the clock",
        "open the clock",
    )
    assert (found.family, found.split, found.scenario) == ("general", "", "gui")
    texts = [(step.frame, step.text) for step in found.steps]
    assert texts == [(1, "pressed Home"), (2, "clicked on the Clock app"), (3, "pressed Back")]
    pixels = [frame.image.getpixel((0, 0)) for frame in iter_frames(found)]
    assert pixels == [(20 * k, 0, 0) for k in range(4)]


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (tap(0.1, 0.1), "tapped at the top left of the screen"),
        (tap(0.5, 0.5, (0.1, 0.55)), "swiped up"),
        (tap(0.5, 0.9, (0.5, 0.1)), "swiped left"),
        (tap(0.5, 0.5, coat_action_desc="do it somehow"), "tapped at the centre of the screen"),
        ({"result_action_type": 3, "result_action_text": "big  shoes"}, 'typed "big shoes"'),
        ({"result_action_type": 3}, None),
        (ENTER, "pressed Enter"),
        ({**DONE, "coat_action_desc": "stop and set the query as completed"}, None),
        ({"result_action_type": 99}, None),
    ],
)
def test_words_of_actions(tmp_path: Path, action: dict[str, Any], text: str | None) -> None:
    write_episode(tmp_path, [action, DONE])
    assert [step.text for step in read(tmp_path)[0].steps] == ([text] if text else [])


@pytest.mark.parametrize(
    ("order", "done"),
    [
        ("Open the app and search for shoes.", "opened the app and searched for shoes"),
        ("tap the save and close button", "tapped the save and close button"),
        ("Type 'open the door' then press Enter", "typed 'open the door' then press Enter"),
        ("scroll up", "scrolled up"),
        ("Wobble", ""),
        (" ", ""),
    ],
)
def test_orders_become_what_was_done(order: str, done: str) -> None:
    assert past(order) == done


def test_a_finger_that_hardly_moves_taps() -> None:
    assert touched((0.9, 0.9), (0.92, 0.9)) == "tapped at the bottom right of the screen"
    assert touched((0.1, 0.5), (0.9, 0.6)) == "swiped right"
    assert touched((0.1, 0.1), (0.2, 0.9)) == "swiped down"


def test_a_missing_step_keeps_the_order_but_no_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_episode(tmp_path, [HOME, HOME, BACK, DONE])
    path.write_text(json.dumps([r for r in json.loads(path.read_text()) if r["step_id"] != 1]))
    (found,) = read(tmp_path)
    assert [Path(name).stem[-1] for name in found.media.files] == ["0", "2", "3"]
    assert [(step.frame, step.text) for step in found.steps] == [(2, "pressed Back")]
    assert "no step 1" in caplog.text


def test_the_order_in_which_files_are_listed_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (10, 9, 2):
        write_episode(tmp_path, [HOME, BACK], f"train/general/GENERAL-{number}", f"task {number}")
    listed, shuffled = Path.rglob, random.Random(4)
    straight = read(tmp_path)
    monkeypatch.setattr(
        Path, "rglob", lambda self, p: shuffled.sample(found := list(listed(self, p)), len(found))
    )
    assert read(tmp_path) == straight
    assert [t.trajectory_id for t in straight] == ["zoo-GENERAL-2", "zoo-GENERAL-9", "zoo-GENERAL-10"]


def test_only_what_is_needed_is_read(tmp_path: Path) -> None:
    for number in range(3):
        write_episode(tmp_path, [HOME, BACK], f"general/GENERAL-{number}")
    (tmp_path / "general/GENERAL-2/GENERAL-2.json").write_text("{")
    assert len(read(tmp_path, max_episodes=2)) == 2
    refused(tmp_path, ManifestError, "GENERAL-2.json", "JSON", "restore it")


def test_one_instruction_is_one_group(tmp_path: Path) -> None:
    for number, goal in enumerate(("Open the clock", " open the\nClock. ", "Close the clock")):
        write_episode(tmp_path, [HOME, BACK], f"general/GENERAL-{number}", goal)
    first, second, third = read(tmp_path)
    assert first.group == second.group != third.group


def test_own_split_keeps_instructions_of_the_test_side_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, (side, goal) in enumerate([("train", "a"), ("train", "b"), ("test", "B.")]):
        write_episode(tmp_path, [HOME, BACK], f"{side}/general/GENERAL-{number}", goal)
    found = read(tmp_path, own_split=True)
    assert [(t.trajectory_id, t.split) for t in found] == [
        ("zoo-GENERAL-2", "test"),
        ("zoo-GENERAL-0", "train"),
    ]
    assert "1 episodes of the training side" in caplog.text
    assert {t.split for t in read(tmp_path / "train", own_split=True)} == {"train"}
    refused(tmp_path / "train/general/GENERAL-0", ManifestError, "train or test", own_split=True)


def test_short_episodes(tmp_path: Path) -> None:
    path = write_episode(tmp_path, [DONE])
    refused(tmp_path, TooShortError, str(path), "1 screen(s)", "skip_short")
    refused(tmp_path, EmptySourceError, "no episode", "correct `path`", skip_short=True)
    write_episode(tmp_path, [HOME, BACK], "general/GENERAL-8")
    assert len(read(tmp_path, skip_short=True)) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"instruction": " "}, ["step 0", "a text", "'instruction'"]),
        ({"image_path": None}, ["step 0", "'image_path'"]),
        ({"image_path": "general/GENERAL-7/none.png"}, ["none.png", "not in", "add it"]),
        ({"image_path": "../../secret/GENERAL-7_0.png"}, ["'../../secret/GENERAL-7_0.png'", "not in"]),
        ({"result_action_type": "4"}, ["step 0", "a whole number", "'result_action_type'", "'4'"]),
        ({**tap(0, 0), "result_touch_yx": "[x]"}, ["step 0", "'result_touch_yx'", "'[x]'"]),
        ({**tap(0, 0), "result_lift_yx": [0.1, 0.1]}, ["step 0", "'result_lift_yx'", "a text"]),
        ({"step_id": True}, ["a whole number", "'step_id'"]),
        ({"step_id": 1}, ["step_id twice"]),
    ],
)
def test_bad_records(tmp_path: Path, changes: dict[str, Any], words: list[str]) -> None:
    path = write_episode(tmp_path, [HOME, BACK])
    edit(path, 0, **changes)
    refused(tmp_path, ManifestError, path.name, *words)


def test_bad_files(tmp_path: Path) -> None:
    refused(tmp_path / "none", ManifestError, "none", "correct `path`")
    refused(tmp_path, EmptySourceError, "no episode of AITZ")
    path = write_episode(tmp_path, [HOME, BACK])
    copied = write_episode(tmp_path, [HOME, BACK], "copy/GENERAL-7")
    refused(tmp_path, ManifestError, str(path), str(copied), "remove one")
    copied.unlink()
    picture = path.with_name("GENERAL-7_1.png")
    whole = picture.read_bytes()
    picture.write_bytes(whole[:-20])
    refused(tmp_path, CorruptMediaError, str(picture), "replace the file")
    picture.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    refused(tmp_path, CorruptMediaError, str(picture), "git lfs pull")
    path.write_text("{}")
    refused(tmp_path, ManifestError, path.name, "not a list of steps")


@pytest.mark.skipif(not REAL.exists(), reason="the shared sample data are not beside the project")
def test_real_episode() -> None:
    (found,) = read(REAL / "aitz_example")
    assert found.goal == 'Open app "Clock" (install if not already installed)'
    assert found.family == "google_apps"
    texts = [(step.frame, step.text) for step in found.steps]
    opened = "clicked on the Clock app located at the upper middle right side of the screen"
    assert texts == [(1, "pressed the home button"), (2, "scrolled up"), (3, opened)]
    assert [frame.image.size for frame in iter_frames(found)] == [(270, 600)] * 4
