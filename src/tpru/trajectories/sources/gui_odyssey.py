"""GUI-Odyssey: a JSON file per episode in ``annotations/``, all screens in ``screenshots/``.

A step holds a screen and what was then done on it, so its words belong to the next screen.
"""

import json
import logging
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from tpru.config.schema import GuiOdysseySource
from tpru.errors import EmptySourceError, ManifestError, SplitError, TooShortError
from tpru.records import Media, Step, Trajectory
from tpru.trajectories.source_data import SourceData, SourceTrajectory
from tpru.trajectories.sources.action_words import ninth, past, touched, typed
from tpru.trajectories.sources.reading import (
    check_ends,
    field,
    load_json,
    natural,
    one_line,
    same_words,
    without_test_groups,
)

LOG = logging.getLogger(__name__)
SCALE = 1000.0  # of the points, whatever the size of the screen
KEYS = {"KEY_HOME": "pressed Home", "KEY_BACK": "pressed Back", "KEY_APPSELECT": "opened the recent apps"}
GIVEN_UP, ENDS = ("INCOMPLETE", "IMPOSSIBLE"), ("COMPLETE", "INCOMPLETE", "IMPOSSIBLE")


def read(name: str, config: GuiOdysseySource) -> SourceData:
    """Read the episodes in natural order of their files.

    Episodes with the same set of apps (or the same instruction, see ``group``) share a group. With ``split``
    one of the set's own lists fixes the split: episodes in none of its two lists are left out, and so are
    those of the training side whose group is tested, with a warning each.

    Pictures are opened and looked at from both ends, not decoded: extraction does that.

    Raises:
        ManifestError: a JSON file is missing or malformed, or a screen is not there.
        SplitError: an episode stands in both lists of the split.
        TooShortError: an episode has fewer than two screens and ``skip_short`` is off.
        CorruptMediaError: a picture is cut off or is none.
        EmptySourceError: there is no episode.
    """
    root = Path(config.path)
    found = _taken(name, config, _annotations(root), _Screens(root / "screenshots").find)
    found = without_test_groups(found)
    if not found:
        raise EmptySourceError(
            f"{root} holds no episode of GUI-Odyssey that the configuration takes; expected "
            "annotations/*.json and screenshots/: correct `path`, or let more through (split, keep_given_up)"
        )
    for trajectory in found:
        check_ends(trajectory.media)
    return SourceData([SourceTrajectory(t) for t in found], config.licence, config.citation, len(found))


def screens_needed(config: GuiOdysseySource) -> set[str]:
    """Names of the screens of the episodes that :func:`read` takes; annotations and splits are there.

    Raises:
        ManifestError: a JSON file is missing or malformed.
        SplitError: an episode stands in both lists of the split.
    """
    found = _taken("", config, _annotations(Path(config.path)), lambda name, _: name)
    return {screen for trajectory in found for screen in trajectory.media.files}


def _taken(
    name: str, config: GuiOdysseySource, paths: list[Path], find: Callable[[str, str], str]
) -> list[Trajectory]:
    """The first episodes that the configuration takes; ``find`` tells where a screen lies."""
    sides = _sides(Path(config.path), config.split) if config.split else {}
    found: list[Trajectory] = []
    if config.split:
        inside = [path for path in paths if path.name in sides]
        if len(inside) < len(paths):
            left = len(paths) - len(inside)
            LOG.warning("%d episodes are left out: they are in no list of the %s split", left, config.split)
        paths = inside
    for path in paths:
        if config.max_episodes and len(found) == config.max_episodes:
            break
        if trajectory := _trajectory(name, config, path, find, sides.get(path.name, "")):
            found.append(trajectory)
    return found


def _annotations(root: Path) -> list[Path]:
    folder = root / "annotations"
    if not folder.is_dir():
        raise ManifestError(f"{folder} does not exist; let `path` be the folder that holds annotations/")
    return sorted(folder.glob("*.json"), key=lambda path: natural(path.name))


def _sides(root: Path, split: str) -> dict[str, Any]:
    """The side of each episode in a list of the set, by the name of its annotation file."""
    path = root / "splits" / f"{split}_split.json"
    lists = load_json(path)
    train, test = (
        {Path(str(n)).stem for n in field(lists, side, list, str(path))} for side in ("train", "test")
    )
    if both := sorted(train & test):
        raise SplitError(f"{path} has {len(both)} episode(s) on both sides: {both[:3]}; restore it")
    return {f"{n}.json": side for side, names in (("train", train), ("test", test)) for n in names}


class _Screens:
    """Where a screen lies: in ``screenshots/`` or, as the archives unpack, in a folder below it."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ManifestError(f"{folder} does not exist; unpack the screens of GUI-Odyssey there")
        self._folder = folder
        self._below = sorted(p.name for p in folder.iterdir() if p.is_dir())

    def find(self, name: str, where: str) -> str:
        """Path of a screen relative to ``screenshots/``."""
        if Path(name).name == name:
            for place in (name, *(f"{below}/{name}" for below in self._below)):
                if (self._folder / place).is_file():
                    return place
        raise ManifestError(
            f"{where}: the screen {name!r} under 'screenshot' is neither in {self._folder} nor in a folder "
            "directly below; unpack the archive that holds it, or remove the episode"
        )


def _trajectory(
    name: str, config: GuiOdysseySource, path: Path, find: Callable[[str, str], str], side: Any
) -> Trajectory | None:
    """The episode of an annotation file; None where the configuration leaves it out."""
    episode = load_json(path)
    task = field(episode, "task_info", dict, str(path))
    steps = _steps(path, episode)
    if not config.keep_given_up and steps and steps[-1]["action"] in GIVEN_UP:
        return None
    if len(steps) < 2:
        if config.skip_short:
            return None
        raise TooShortError(
            f"{path} has {len(steps)} screen(s), expected at least 2; remove the episode, or set "
            "skip_short=true to leave out all such episodes"
        )
    goal = field(task, "instruction", str, str(path))
    files = [
        find(field(step, "screenshot", str, f"{path}, step {k}"), f"{path}, step {k}")
        for k, step in enumerate(steps)
    ]
    return Trajectory(
        trajectory_id=f"{name}-{path.stem}",
        scenario=config.scenario,
        source=name,
        licence=config.licence,
        goal=one_line(goal),
        group=f"{name}-{_apps(task, path)}" if config.group == "apps" else same_words(goal),
        media=Media("files", len(files), root=str(Path(config.path) / "screenshots"), files=tuple(files)),
        steps=tuple(_texts(path, steps)),
        split=side,
        family=field(task, "category", str, str(path)).lower(),
    )


def _apps(task: dict[str, Any], path: Path) -> str:
    """The apps of an episode, in whatever order they were used."""
    apps = task.get("app")
    names = apps.split(",") if isinstance(apps, str) else apps
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and n.strip() for n in names):
        raise ManifestError(
            f"{path}: expected the names of apps under 'app', found {apps!r:.80}; restore the file"
        )
    return "+".join(sorted({same_words(n) for n in names}))


def _steps(path: Path, episode: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps in time order, none missing."""
    listed = field(episode, "steps", list, str(path))
    steps = {field(step, "step", int, f"{path}, entry {k} of steps"): step for k, step in enumerate(listed)}
    length = field(episode, "step_length", int, str(path))
    if sorted(steps) != list(range(length)) or len(listed) != length:
        raise ManifestError(
            f"{path}: expected the steps 0 to {length - 1} once each, as 'step_length' says, found "
            f"{sorted(steps)} in {len(listed)} entries; restore the file or remove the episode"
        )
    for k, step in steps.items():
        field(step, "action", str, f"{path}, step {k}")
    return [steps[k] for k in range(length)]


def _texts(path: Path, steps: list[dict[str, Any]]) -> Iterator[Step]:
    for frame, (before, _) in enumerate(pairwise(steps), 1):
        if text := _done(before, f"{path}, step {frame - 1}"):
            yield Step(frame, text)


def _done(step: dict[str, Any], where: str) -> str:
    """What was done on a screen: as the annotators say it where that can be turned, else by the action."""
    if step["action"] in ENDS:
        return ""
    order = step.get("low_level_instruction")
    return (past(order) if isinstance(order, str) else "") or _acted(step, where)


def _acted(step: dict[str, Any], where: str) -> str:
    action, info = step["action"], step.get("info")
    if isinstance(info, str) and info in KEYS:
        return KEYS[info]
    if action in ("TEXT", "TYPE"):  # the card of the set and its files differ in the name
        return typed(str(info or ""))
    if action in ("CLICK", "LONG_PRESS", "SCROLL"):
        start, end = _points(info, where)
        held = f"long-pressed at the {ninth(*start)} of the screen"
        return held if action == "LONG_PRESS" else touched(start, end if action == "SCROLL" else start)
    return ""


def _points(info: Any, where: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """First and last point, each as shares of width and height, from [[x, y], ...] in thousandths."""
    try:
        (x, y), (to_x, to_y) = info[0], info[-1]
        start, end = (float(x) / SCALE, float(y) / SCALE), (float(to_x) / SCALE, float(to_y) / SCALE)
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise ManifestError(
            f"{where}: expected points [[x, y], ...] or a key under 'info', found {json.dumps(info):.80}; "
            "restore the file or remove the episode"
        ) from error
    return start, end
