"""Android in the Zoo (AITZ): a folder per episode with one JSON file and a picture per screen.

The record of a step holds the screen and what was then done on it, so its words belong to the next screen.
"""

import logging
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from tpru.config.schema import AitzSource
from tpru.errors import EmptySourceError, ManifestError, TooShortError
from tpru.records import Media, Step, Trajectory
from tpru.trajectories.source_data import SourceData, SourceTrajectory
from tpru.trajectories.sources.action_words import past, touched, typed
from tpru.trajectories.sources.reading import (
    check_whole,
    field,
    load_json,
    natural,
    one_line,
    same_words,
    without_test_groups,
)

LOG = logging.getLogger(__name__)
TYPED, TOUCHED = 3, 4
PRESSED = {5: "pressed Back", 6: "pressed Home", 7: "pressed Enter"}
ENDS = (10, 11)  # the task was done, or given up: nothing happened on the screen


def read(name: str, config: AitzSource) -> SourceData:
    """Read the episodes below a folder, in natural order of their folders.

    Episodes of the same instruction share a group: they walk through the same screens. With ``own_split``
    the folders ``train`` and ``test`` fix the split, and what is trained on leaves out the instructions of
    the test side.

    Raises:
        ManifestError: a JSON file is malformed, or names a picture that is not beside it.
        TooShortError: an episode has fewer than two screens and ``skip_short`` is off.
        CorruptMediaError: a picture cannot be decoded.
        EmptySourceError: there is no episode.
    """
    root = Path(config.path)
    found: list[Trajectory] = []
    for path in _episode_files(root):
        if config.max_episodes and len(found) == config.max_episodes:
            break
        trajectory = _trajectory(name, config, path)
        if trajectory.media.n_frames >= 2:
            found.append(trajectory)
        elif not config.skip_short:
            raise TooShortError(
                f"{path} has {trajectory.media.n_frames} screen(s), expected at least 2; remove the episode, "
                "or set skip_short=true to leave out all such episodes"
            )
    if config.own_split:
        found = without_test_groups(found)
    if not found:
        raise EmptySourceError(
            f"{root} holds no episode of AITZ of at least two screens; expected folders like "
            "train/general/GENERAL-123/ with GENERAL-123.json in them: correct `path`"
        )
    for trajectory in found:
        check_whole(trajectory.media)
    return SourceData([SourceTrajectory(t) for t in found], config.licence, config.citation, len(found))


def _episode_files(root: Path) -> list[Path]:
    if not root.is_dir():
        raise ManifestError(f"the folder of AITZ {root} does not exist; correct `path`")
    files = [path for path in root.rglob("*.json") if path.stem == path.parent.name]
    files.sort(key=lambda path: natural(path.relative_to(root).as_posix()))
    first: dict[str, Path] = {}
    for path in files:
        if (other := first.setdefault(path.stem, path)) != path:
            raise ManifestError(f"the episode {path.stem} stands in {other} and in {path}; remove one")
    return files


def _trajectory(name: str, config: AitzSource, path: Path) -> Trajectory:
    root = Path(config.path)
    place = path.parent.relative_to(root)
    steps = _steps(path)
    goal = field(steps[0], "instruction", str, f"{path}, step 0") if steps else ""
    files = [(place / _picture(path, step)).as_posix() for step in steps]
    return Trajectory(
        trajectory_id=f"{name}-{path.parent.name}",
        scenario=config.scenario,
        source=name,
        licence=config.licence,
        goal=one_line(goal),
        group=same_words(goal),
        media=Media("files", len(files), root=str(root), files=tuple(files)),
        steps=tuple(_texts(path, steps)),
        split=_side(path, root) if config.own_split else "",
        family=path.parent.name.rpartition("-")[0].lower(),
    )


def _side(path: Path, root: Path) -> Any:
    """On which side of AITZ's own split an episode stands.

    Raises:
        ManifestError: it is in neither folder.
    """
    sides = {"train", "test"} & {*path.relative_to(root).parts, root.name}
    if len(sides) != 1:
        raise ManifestError(
            f"own_split needs every episode below a folder train or test, but {path} is not; let `path` be "
            "the folder that holds the two, or set own_split=false"
        )
    return sides.pop()


def _steps(path: Path) -> list[dict[str, Any]]:
    """The records of the steps in time order."""
    records = load_json(path)
    if not isinstance(records, list):
        raise ManifestError(f"{path} is not a list of steps; restore it or remove the episode")
    steps = {field(r, "step_id", int, f"{path}, record {k}"): r for k, r in enumerate(records)}
    if len(steps) < len(records):
        raise ManifestError(f"{path} holds a step_id twice; restore it or remove the episode")
    return [steps[key] for key in sorted(steps)]


def _picture(path: Path, step: dict[str, Any]) -> str:
    """Name of the picture of a step, which lies beside the JSON file wherever the episode was copied to."""
    image = Path(field(step, "image_path", str, f"{path}, step {step['step_id']}"))
    if image.parent.name != path.parent.name or not (path.parent / image.name).is_file():
        raise ManifestError(
            f"{path}, step {step['step_id']}: the picture {str(image)!r} under 'image_path' is not in "
            f"{path.parent}; add it or remove the episode"
        )
    return image.name


def _texts(path: Path, steps: list[dict[str, Any]]) -> Iterable[Step]:
    for frame, (before, after) in enumerate(pairwise(steps), 1):
        if after["step_id"] != before["step_id"] + 1:
            # More than this one action led to the next screen.
            LOG.warning("%s has no step %d: order is kept, one text is not", path, before["step_id"] + 1)
        elif text := _done(path, before):
            yield Step(frame, text)


def _done(path: Path, step: dict[str, Any]) -> str:
    """What was done on a screen: as the annotators say it where that can be turned, else by the action."""
    where = f"{path}, step {step['step_id']}"
    kind = field(step, "result_action_type", int, where)
    if kind in ENDS:
        return ""
    described = step.get("coat_action_desc")
    return (past(described) if isinstance(described, str) else "") or _acted(step, kind, where)


def _acted(step: dict[str, Any], kind: int, where: str) -> str:
    if kind == TYPED:
        return typed(str(step.get("result_action_text") or ""))
    if kind == TOUCHED:
        return touched(*(_point(step, key, where) for key in ("result_touch_yx", "result_lift_yx")))
    return PRESSED.get(kind, "")


def _point(step: dict[str, Any], key: str, where: str) -> tuple[float, float]:
    """A point as shares of width and height; AITZ writes it as a text that holds "[y, x]"."""
    parts = field(step, key, str, where).strip().strip("[]").split(",")
    try:
        down, across = (float(part) for part in parts)
    except ValueError as error:
        raise ManifestError(
            f"{where}: expected a text like '[0.5, 0.5]' under {key!r}, found {step[key]!r}; restore the file"
        ) from error
    return across, down
