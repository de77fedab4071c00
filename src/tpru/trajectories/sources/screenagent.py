"""Convert ScreenAgent sessions (desktop screens and actions) to the format of ``episodes``.

    python -m tpru.trajectories.sources.screenagent SESSIONS OUT

SESSIONS holds one folder per session with one ``*_translate.json`` per step and ``images/``. OUT
gets ``manifest.jsonl`` and ``images/``, whose files are hard links where the disk allows it, else
copies: change none of them in place. A step's actions happen after its screen was taken, so they
become the text of the next frame. Sessions of the same task share a group (the task text in lower
case), so that the same task never stands on both sides of a split.
"""

import argparse
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

from tpru.errors import ConfigError, EmptySourceError, ManifestError, TpruError
from tpru.files import written_whole
from tpru.trajectories.sources.action_words import ninth, typed

LOG = logging.getLogger(__name__)
SUFFIX = "_translate.json"  # "*_translate_neg_*.json" are wrong answers about the same screens
KEYS = {
    "Return": "Enter",
    "KP_Enter": "Enter",
    "Control": "Ctrl",
    "Control_L": "Ctrl",
    "Control_R": "Ctrl",
    "Alt_L": "Alt",
    "Alt_R": "Alt",
    "Shift_L": "Shift",
    "Shift_R": "Shift",
    "Super_L": "Super",
    "Super_R": "Super",
    "BackSpace": "Backspace",
    "Page_Up": "Page Up",
    "Page_Down": "Page Down",
    "space": "Space",
}
MOUSE = {
    "click": "clicked",
    "double_click": "double-clicked",
    "move": "moved the mouse",
    "drag": "dragged with the mouse",
    "down": "pressed the mouse button",
    "up": "released the mouse button",
    "scroll_up": "scrolled up",
    "scroll_down": "scrolled down",
}


def convert(sessions: Path, out: Path) -> int:
    """Write ``out`` whole from a folder of sessions and return the number of episodes.

    Sessions of fewer than two steps are left out with a warning.

    Raises:
        ManifestError: a step or its picture is missing or malformed.
        EmptySourceError: there is no session of at least two steps.
        ConfigError: ``out`` is there and not an empty folder.
    """
    folders = _session_folders(sessions)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError(f"{out} is not empty; name a new folder, or remove this one first")
    with written_whole(out) as temporary:
        temporary.mkdir()
        lines = [_episode(folder, temporary) for folder in folders]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (temporary / "manifest.jsonl").write_text(text, encoding="utf-8")
    return len(lines)


def _session_folders(sessions: Path) -> list[Path]:
    if not sessions.is_dir():
        raise EmptySourceError(f"the folder of sessions {sessions} does not exist; correct the path")
    counts = {folder: len(_step_files(folder)) for folder in sorted(sessions.iterdir())}
    for folder, count in counts.items():
        if count == 1:
            LOG.warning("session %s is left out: it has a single step", folder.name)
    folders = [folder for folder, count in counts.items() if count >= 2]
    if not folders:
        raise EmptySourceError(
            f"{sessions} holds no session of at least two steps; expected one folder per session "
            f"with files *{SUFFIX} and images/, as data/ScreenAgent/train of ScreenAgent has them"
        )
    return folders


def _step_files(folder: Path) -> list[Path]:
    """Files of the steps in time order: their names begin with the time."""
    return sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []


def _episode(session: Path, out: Path) -> dict[str, Any]:
    """Bring the screens of one session to ``out`` and return its line of the manifest."""
    frames: list[str] = []
    texts: list[str | None] = [None]
    prompt = ""
    for file in _step_files(session):
        step = _read_step(file)
        frames.append(_bring_picture(file, step["saved_image_name"], out))
        texts.append(_sentence(step))
        prompt = prompt or " ".join(step["task_prompt_en"].split())
    return {
        "id": session.name,
        "goal": prompt[0].upper() + prompt[1:],
        "group": prompt.casefold().rstrip(" .!?"),
        "frames": frames,
        "steps": texts[:-1],
    }


def _read_step(file: Path) -> dict[str, Any]:
    try:
        step = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ManifestError(f"{file} is not a step in JSON ({error}); restore it") from error
    texts = [step.get(k) for k in ("task_prompt_en", "saved_image_name")] if _is_dict(step) else [0]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise ManifestError(
            f"{file} has no task_prompt_en or saved_image_name; restore it or remove the session"
        )
    actions = step.get("actions") or []
    if not isinstance(actions, list) or not all(_is_dict(action) for action in actions):
        raise ManifestError(f"{file}: expected a list of objects under actions; restore it")
    return {**step, "actions": actions}


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _bring_picture(file: Path, name: str, out: Path) -> str:
    source = file.parent / "images" / name
    if Path(name).name != name or not source.is_file():
        raise ManifestError(
            f"{file} names the picture {name!r}, which is not in {source.parent}; add it or remove "
            "the session"
        )
    target = out / "images" / file.parent.name / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        try:
            os.link(source.resolve(), target)
        except OSError:  # another disk, or a file system or owner that allows no links
            shutil.copyfile(source, target)
    return target.relative_to(out).as_posix()


def _sentence(step: dict[str, Any]) -> str | None:
    """What was done as one clause; None where nothing acted on the screen."""
    clauses = [clause for action in step["actions"] if (clause := _clause(action, step))]
    if len(clauses) < 2:
        return clauses[0] if clauses else None
    return ", ".join(clauses[:-1]) + " and " + clauses[-1]


def _clause(action: dict[str, Any], step: dict[str, Any]) -> str:
    kind = action.get("action_type")
    if kind == "MouseAction":
        return _mouse(action, step)
    if kind == "KeyboardAction":
        return _keyboard(action)
    return ""  # plans, evaluations and waiting do not act


def _mouse(action: dict[str, Any], step: dict[str, Any]) -> str:
    kind = action.get("mouse_action_type")
    verb = MOUSE.get(str(kind), "")
    button = action.get("mouse_button")
    if kind in ("click", "double_click") and button in ("right", "middle"):
        verb = verb.replace("click", f"{button}-click", 1)
    where = _place(action.get("mouse_position"), step)
    if not verb or not where:
        return verb
    joint = "to" if kind in ("move", "drag") else "at"
    return f"{verb} {joint} the {where} of the screen"


def _place(position: Any, step: dict[str, Any]) -> str:
    """Which ninth of the screen a position lies in; empty where that is unknown."""
    try:
        across = float(position["width"]) / float(step["video_width"])
        down = float(position["height"]) / float(step["video_height"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return ""
    return ninth(across, down)


def _keyboard(action: dict[str, Any]) -> str:
    text = typed(str(action.get("keyboard_text") or ""))
    if text:
        return text
    keys = action.get("keyboard_key") or []
    names = keys.split("+") if isinstance(keys, str) and len(keys) > 1 else list(keys)
    return "pressed " + "+".join(_key(str(name)) for name in names) if names else ""


def _key(name: str) -> str:
    return KEYS.get(name, name.upper() if len(name) == 1 else name)


def main() -> None:
    """Command line: SESSIONS OUT."""
    parser = argparse.ArgumentParser(description="Convert ScreenAgent sessions to episodes.")
    parser.add_argument("sessions", type=Path, help="folder that holds one folder per session")
    parser.add_argument("out", type=Path, help="folder to write, new or empty")
    arguments = parser.parse_args()
    try:
        count = convert(arguments.sessions, arguments.out)
    except TpruError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    parser.exit(0, f"{count} episodes written to {arguments.out}\n")


if __name__ == "__main__":
    main()
