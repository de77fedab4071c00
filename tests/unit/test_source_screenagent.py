"""ScreenAgent sessions to the format of episodes: steps, texts, groups, and bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tpru.errors import ConfigError, EmptySourceError, ManifestError, TpruError
from tpru.trajectories.sources import episodes
from tpru.trajectories.sources.screenagent import convert

REAL = Path(__file__).parents[3] / "shared/data"
ENTER = {"action_type": "KeyboardAction", "keyboard_action_type": "press", "keyboard_key": "Return"}
PLAN = {"action_type": "PlanAction", "element": "打开"}
DONE = {"action_type": "EvaluateSubTaskAction", "situation": "sub_task_success"}
WAIT = {"action_type": "WaitAction", "wait_time": 2.0}


def mouse(kind: str, x: int | None = None, y: int = 0, button: str = "left") -> dict[str, Any]:
    action: dict[str, Any] = {"action_type": "MouseAction", "mouse_action_type": kind}
    place = {"mouse_button": button, "mouse_position": {"width": x, "height": y}}
    return action | (place if x is not None else {})


def keys(*names: str) -> dict[str, Any]:
    return {**ENTER, "keyboard_key": list(names)}


def typed(text: str) -> dict[str, Any]:
    return {"action_type": "KeyboardAction", "keyboard_text": text}


def write_session(
    root: Path, name: str, actions: list[list[dict[str, Any]]], prompt: str = "open  the editor"
) -> Path:
    folder = root / name
    (folder / "images").mkdir(parents=True)
    # Written from the last step to the first: only the name may decide the order.
    for number in reversed(range(len(actions))):
        stamp = f"2023-12-20_11-{number:02d}-00-000000"
        Image.new("RGB", (90, 60), (number, 0, 0)).save(folder / "images" / f"{stamp}.jpg")
        step: dict[str, Any] = {"task_prompt_en": prompt, "saved_image_name": f"{stamp}.jpg"}
        step |= {"actions": actions[number], "video_width": 90, "video_height": 60}
        (folder / f"{stamp}_translate.json").write_text(json.dumps(step), encoding="utf-8")
        (folder / f"{stamp}_translate_neg_plan.json").write_text("not read")
    return folder


def manifest(out: Path) -> list[dict[str, Any]]:
    text = (out / "manifest.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def refused(sessions: Path, out: Path, kind: type[TpruError], *words: str) -> None:
    before = sorted(out.parent.rglob("*"))
    with pytest.raises(TpruError) as caught:
        convert(sessions, out)
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert sorted(out.parent.rglob("*")) == before


def test_session_becomes_an_episode(tmp_path: Path) -> None:
    sessions, out = tmp_path / "sessions", tmp_path / "out"
    write_session(sessions, "s1", [[PLAN], [mouse("click", 10, 10)], [DONE], [ENTER], [DONE]])
    assert convert(sessions, out) == 1
    (line,) = manifest(out)
    assert (line["id"], line["goal"], line["group"]) == ("s1", "Open the editor", "open the editor")
    assert line["steps"] == [
        None,
        None,
        "clicked at the top left of the screen",
        None,
        "pressed Enter",
    ]
    originals = sorted((sessions / "s1/images").iterdir())
    assert [(out / name).read_bytes() for name in line["frames"]] == [path.read_bytes() for path in originals]
    data = episodes.read(episodes.EpisodesConfig("sa", str(out), "gui", "Apache-2.0"))
    (found,) = data
    assert [(s.frame, s.text) for s in found.trajectory.steps][1] == (4, "pressed Enter")


@pytest.mark.parametrize(
    ("actions", "text"),
    [
        ([mouse("double_click", 45, 30)], "double-clicked at the centre of the screen"),
        ([mouse("click", 80, 30, "right")], "right-clicked at the right of the screen"),
        ([mouse("move", 45, 50)], "moved the mouse to the bottom of the screen"),
        ([mouse("drag", 80, 5)], "dragged with the mouse to the top right of the screen"),
        ([mouse("scroll_down")], "scrolled down"),
        ([mouse("click")], "clicked"),
        ([typed("hello\n you")], 'typed "hello you"'),
        ([typed("x" * 90)], 'typed "' + "x" * 80 + '…"'),
        ([keys("Control_L", "s")], "pressed Ctrl+S"),
        ([{**ENTER, "keyboard_key": "Control_L+a"}], "pressed Ctrl+A"),
        ([{**ENTER, "keyboard_key": "+"}], "pressed +"),
        ([keys("Super_L")], "pressed Super"),
        (
            [mouse("click", 45, 5), WAIT, typed("a"), ENTER],
            'clicked at the top of the screen, typed "a" and pressed Enter',
        ),
        ([PLAN, DONE, WAIT], None),
        ([{"action_type": "NewAction"}], None),
        ([mouse("wiggle", 1, 1), keys()], None),
    ],
)
def test_texts_of_actions(tmp_path: Path, actions: list[dict[str, Any]], text: str | None) -> None:
    write_session(tmp_path / "in", "s", [actions, [DONE]])
    convert(tmp_path / "in", tmp_path / "out")
    assert manifest(tmp_path / "out")[0]["steps"] == [None, text]


def test_same_task_is_one_group(tmp_path: Path) -> None:
    prompts = {"a": "Open the editor", "b": " open the\nEditor. ", "c": "Close the editor"}
    for name, prompt in prompts.items():
        write_session(tmp_path / "in", name, [[PLAN], [DONE]], prompt)
    convert(tmp_path / "in", tmp_path / "out")
    groups = {line["id"]: line["group"] for line in manifest(tmp_path / "out")}
    assert groups["a"] == groups["b"] != groups["c"]


def test_copies_where_links_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*_: object) -> None:
        raise OSError("links are not allowed")

    monkeypatch.setattr(os, "link", no_link)
    folder = write_session(tmp_path / "in", "s", [[PLAN], [DONE]])
    convert(tmp_path / "in", tmp_path / "out")
    copy = tmp_path / "out" / manifest(tmp_path / "out")[0]["frames"][0]
    assert copy.read_bytes() == (folder / "images" / copy.name).read_bytes()


def test_single_step_is_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_session(tmp_path / "in", "long", [[PLAN], [DONE]])
    write_session(tmp_path / "in", "short", [[PLAN]])
    assert convert(tmp_path / "in", tmp_path / "out") == 1
    assert "short" in caplog.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task_prompt_en": " "}, ["no task_prompt_en", "remove the session"]),
        ({"saved_image_name": None}, ["saved_image_name", "restore it"]),
        ({"saved_image_name": "none.jpg"}, ["'none.jpg'", "not in", "add it"]),
        ({"saved_image_name": "../x.jpg"}, ["'../x.jpg'", "not in"]),
        ({"actions": ["x"]}, ["list of objects under actions", "restore it"]),
    ],
)
def test_bad_steps_leave_nothing(tmp_path: Path, change: dict[str, Any], words: list[str]) -> None:
    folder = write_session(tmp_path / "in", "s", [[PLAN], [DONE]])
    Image.new("RGB", (9, 9)).save(folder / "x.jpg")
    file = max(folder.glob("*_translate.json"))
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    refused(tmp_path / "in", tmp_path / "out", ManifestError, file.name, *words)
    file.write_text("{")
    refused(tmp_path / "in", tmp_path / "out", ManifestError, file.name, "restore it")


def test_no_sessions(tmp_path: Path) -> None:
    refused(tmp_path / "none", tmp_path / "out", EmptySourceError, "none", "correct the path")
    (tmp_path / "in").mkdir()
    refused(tmp_path / "in", tmp_path / "out", EmptySourceError, "expected one folder per session")


def test_a_folder_in_use_is_not_replaced(tmp_path: Path) -> None:
    write_session(tmp_path / "in", "s", [[PLAN], [DONE]])
    for out in (tmp_path / "in", tmp_path, tmp_path / "in/s/images"):
        refused(tmp_path / "in", out, ConfigError, str(out), "name a new folder")


def test_command_line(tmp_path: Path) -> None:
    write_session(tmp_path / "in", "s", [[PLAN], [DONE]])
    source = Path(__file__).parents[2] / "src"
    command = [sys.executable, "-m", "tpru.trajectories.sources.screenagent", "in", "out"]
    options: dict[str, Any] = {"cwd": tmp_path, "capture_output": True, "text": True}
    options["env"] = {**os.environ, "PYTHONPATH": str(source)}
    assert subprocess.run(command, **options, check=False).returncode == 0
    again = subprocess.run(command, **options, check=False)
    assert again.returncode == ConfigError.exit_code
    assert "not empty" in again.stderr
    assert "Traceback" not in again.stderr


@pytest.mark.skipif(not REAL.exists(), reason="the shared sample data are not beside the project")
def test_real_sessions(tmp_path: Path) -> None:
    assert convert(REAL / "screenagent/sessions", tmp_path / "out") == 23
    data = episodes.read(episodes.EpisodesConfig("sa", str(tmp_path / "out"), "gui", "Apache-2.0"))
    trajectories = [found.trajectory for found in data]
    assert sum(t.media.n_frames for t in trajectories) == 224
    assert all(t.steps for t in trajectories)
    texts = {step.text for t in trajectories for step in t.steps}
    assert "pressed Ctrl+S" in texts
    assert 'typed "mkdir ~/Desktop/NewFolder"' in texts
    assert all(t.goal[0].isupper() and t.goal.isascii() for t in trajectories)
