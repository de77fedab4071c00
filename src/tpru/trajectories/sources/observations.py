"""A folder of walks: what was seen one after another on a way through rooms, with poses where they are known.

``path/SCENE/WALK/`` holds the pictures of a walk. Their order is that of ``poses.csv`` or ``poses.json`` in
the same folder, else the natural order of their names. The goal stands in ``goal.txt`` or in the poses.
"""

import csv
import io
import json
import logging
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tpru.config.schema import ObservationsSource
from tpru.errors import EmptySourceError, ManifestError, TooShortError
from tpru.records import Media, Step, Trajectory
from tpru.trajectories.source_data import SourceData, SourceTrajectory
from tpru.trajectories.sources.pose_words import turned, walked
from tpru.trajectories.sources.reading import check_whole, load_json, natural, one_line, picture_names

LOG = logging.getLogger(__name__)
NUMBERS = ("x", "y", "z", "heading")
KEYS = ("picture", *NUMBERS, "goal")


@dataclass(frozen=True)
class _Pose:
    """One row of the poses: metres and degrees, as far as they are given."""

    picture: str
    values: dict[str, float]
    goal: str


def read(name: str, config: ObservationsSource) -> SourceData:
    """Read the walks in natural order of scene and walk; all walks of a scene share a group.

    Poses become texts of steps where something happened that can be seen: a turn of at least ``min_turn``
    degrees, a way of at least ``min_way`` metres on the floor, a climb of at least ``min_way`` metres. They
    are not passed on otherwise.

    Raises:
        ManifestError: a folder is not a walk in a scene, the poses or the goal of a walk are missing or
            malformed, or a picture that they name is not there.
        TooShortError: a walk has fewer than two pictures.
        CorruptMediaError: a picture cannot be decoded.
        EmptySourceError: there is no walk.
    """
    root = Path(config.path)
    folders = _walks(root)[: config.max_episodes or None]
    if not folders:
        raise EmptySourceError(
            f"{root} holds no walks; expected folders SCENE/WALK/ with pictures in them: add some, or "
            "correct `path`"
        )
    found = [_trajectory(name, config, folder) for folder in folders]
    for trajectory in found:
        check_whole(trajectory.media)
    return SourceData([SourceTrajectory(t) for t in found], config.licence, config.citation, len(found))


def _walks(root: Path) -> list[Path]:
    if not root.is_dir():
        raise ManifestError(f"the folder of walks {root} does not exist; correct `path`")
    scenes = _folders(root)
    for scene in scenes:
        if picture_names(scene):
            raise ManifestError(
                f"{scene} holds pictures; expected walks {root}/SCENE/WALK/: put the walks of one scene into "
                "one folder, so that a scene is never both trained and tested on"
            )
    return [walk for scene in scenes for walk in _folders(scene)]


def _folders(parent: Path) -> list[Path]:
    shown = (path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted(shown, key=lambda path: natural(path.name))


def _trajectory(name: str, config: ObservationsSource, folder: Path) -> Trajectory:
    scene = folder.parent.name
    poses = _poses(folder)
    names = [pose.picture for pose in poses] or picture_names(folder)
    if len(names) < 2:
        raise TooShortError(
            f"{folder} holds {len(names)} picture(s), expected at least 2; add some or remove it"
        )
    return Trajectory(
        trajectory_id=f"{name}-{scene}/{folder.name}",
        scenario=config.scenario,
        source=name,
        licence=config.licence,
        goal=_goal(folder, poses),
        group=scene,
        media=Media(
            "files", len(names), root=config.path, files=tuple(f"{scene}/{folder.name}/{n}" for n in names)
        ),
        steps=tuple(_steps(config, poses)),
    )


def _goal(folder: Path, poses: list[_Pose]) -> str:
    path = folder / "goal.txt"
    goals = {one_line(pose.goal) for pose in poses} - {""}
    if path.is_file():
        try:
            goals.add(one_line(path.read_text(encoding="utf-8-sig")))
        except (OSError, UnicodeDecodeError) as error:
            raise ManifestError(f"{path} cannot be read ({error}); save it as UTF-8") from error
        goals.discard("")
    if len(goals) != 1:
        raise ManifestError(
            f"{folder}: expected one goal in goal.txt or under 'goal' in the poses, found "
            f"{sorted(goals)[:3]}; write down what the walk leads to"
        )
    return goals.pop()


def _poses(folder: Path) -> list[_Pose]:
    """The rows of the poses in their order, with each picture once; none where there are no poses.

    Pictures that they do not list are left out with a warning.
    """
    files = [path for path in (folder / "poses.csv", folder / "poses.json") if path.is_file()]
    if len(files) > 1:
        raise ManifestError(f"{folder} holds poses.csv and poses.json; remove one")
    if not files:
        return []
    rows = _csv_rows(files[0]) if files[0].suffix == ".csv" else _json_rows(files[0])
    poses = [_pose(row, where) for where, row in rows]
    names = [pose.picture for pose in poses]
    there = picture_names(folder)
    if absent := [n for n in names if n not in set(there)]:
        raise ManifestError(
            f"{files[0]}: {len(absent)} picture(s) are not in {folder}: {absent[:3]}; expected names of "
            "pictures beside it: correct 'picture' or add the files"
        )
    if twice := sorted(n for n, count in Counter(names).items() if count > 1):
        raise ManifestError(f"{files[0]} lists picture(s) twice: {twice[:3]}; remove a row")
    if not poses:
        raise ManifestError(f"{files[0]} lists no picture; add a row per picture or remove the file")
    for pose in poses:
        if set(pose.values) != set(poses[0].values):
            raise ManifestError(
                f"{files[0]}: {pose.picture!r} has {sorted(pose.values)}, the first row has "
                f"{sorted(poses[0].values)}; expected the same numbers in every row: add or remove some"
            )
    if len(names) < len(there):
        LOG.warning("%d pictures of %s are left out: poses do not list them", len(there) - len(names), folder)
    return poses


def _csv_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path} cannot be read ({error}); save it as UTF-8") from error
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    _check_keys(list(reader.fieldnames or []), f"{path}, first line")
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise ManifestError(f"{where}: expected {len(reader.fieldnames or [])} values; correct the line")
        numbers = {key: _number(row[key], key, where) for key in NUMBERS if row.get(key, "").strip()}
        yield where, {**row, **dict.fromkeys(NUMBERS), **numbers}


def _json_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    rows = load_json(path)
    if not isinstance(rows, list):
        raise ManifestError(f'{path}: expected a list of objects {{"picture": ..., "x": ...}}; correct it')
    for number, row in enumerate(rows):
        where = f"{path}, entry {number}"
        if not isinstance(row, dict):
            raise ManifestError(f"{where}: expected an object, found {json.dumps(row):.40}; correct it")
        _check_keys(list(row), where)
        yield where, row


def _check_keys(keys: list[str], where: str) -> None:
    if "picture" not in keys or (unknown := sorted(set(keys) - set(KEYS))):
        wrong = "'picture' is missing" if "picture" not in keys else f"{unknown} are unknown"
        raise ManifestError(
            f"{where}: {wrong}; expected picture and any of {list(KEYS[1:])}: rename or remove"
        )


def _number(text: str, key: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ManifestError(
            f"{where}: expected a number under {key!r}, found {text!r:.40}; correct it"
        ) from error


def _pose(row: dict[str, Any], where: str) -> _Pose:
    picture, goal = row["picture"], row.get("goal") or ""
    if not isinstance(picture, str) or not picture.strip() or not isinstance(goal, str):
        raise ManifestError(f"{where}: expected a text under 'picture' and 'goal'; correct it")
    values = {key: row[key] for key in NUMBERS if row.get(key) is not None}
    for key, value in values.items():
        right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not right:
            raise ManifestError(f"{where}: expected a number under {key!r}, found {value!r:.40}; correct it")
    if 0 < len({"x", "y", "z"} & set(values)) < 3:
        raise ManifestError(
            f"{where}: expected x, y and z together; add the missing ones (0 for a flat floor)"
        )
    return _Pose(picture.strip(), {key: float(value) for key, value in values.items()}, goal)


def _steps(config: ObservationsSource, poses: list[_Pose]) -> Iterator[Step]:
    for frame, (earlier, later) in enumerate(pairwise(poses), 1):
        before, after = earlier.values, later.values
        clauses: list[str] = []
        if "heading" in before:
            left = after["heading"] - before["heading"]
            clauses += turned(-left if config.heading == "clockwise" else left, config.min_turn)
        if "x" in before:
            clauses += walked(before, after, config.up, config.min_way)
        if clauses:
            yield Step(frame, " and ".join(clauses))
