"""R2R and RxR in continuous environments (VLN-CE): instructions and paths, rendered in scanned rooms.

The files hold no pictures: ``{"episodes": [{"episode_id", "trajectory_id", "scene_id", "start_position",
"start_rotation", "reference_path", "instruction": {"instruction_text"}, ...}]}``, gzipped JSON. A path is
walked here from point to point: who follows it turns to the next point and goes there, and a picture is taken
at the start, after each turn and at each point. Coordinates are those of
:mod:`tpru.trajectories.sources.habitat`; a heading is an angle to the left from -z.
"""

import gzip
import json
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from PIL import Image

from tpru.config.schema import VlnCeSource
from tpru.errors import EmptySourceError, ManifestError
from tpru.records import Media, Step, Trajectory
from tpru.shards import WHOLE, Shard
from tpru.store import encode_jpeg
from tpru.trajectories.source_data import SourceData, SourceTrajectory
from tpru.trajectories.sources import habitat
from tpru.trajectories.sources.habitat import Camera, OpenScene, Point, Renderer, Rotation
from tpru.trajectories.sources.pose_words import turned, walked
from tpru.trajectories.sources.reading import LFS_HEAD, field, natural, one_line

LOG = logging.getLogger(__name__)
PREFIX = "data/scene_datasets/"  # which some files have before the path of a scene
OFF_UNIT = 0.01  # most that the length of a rotation may differ from 1


@dataclass(frozen=True)
class Episode:
    """An instruction and the path that it describes; ``scene`` is relative to the folder of the scenes."""

    name: str
    path_id: str
    scene: str
    goal: str
    language: str
    heading: float
    path: tuple[Point, ...]


@dataclass(frozen=True)
class View:
    """Where a picture is taken, looking along ``heading`` (radians), and what was done before it."""

    position: Point
    heading: float
    text: str


def read(
    name: str, config: VlnCeSource, shard: Shard = WHOLE, open_scene: OpenScene = habitat.open_scene
) -> SourceData:
    """Walk and render a shard of the episodes; memory holds the pictures of one.

    The episodes are taken in order of file and id, and rendered scene by scene. All are read and checked, and
    all scenes looked for, before the first picture is drawn.

    Raises:
        ManifestError: a file is missing or malformed, or a scene is not there and ``skip_missing`` is off.
        EmptySourceError: there is no episode.
        ConfigError: when rendered: habitat-sim is not installed.
    """
    episodes = _chosen(config)
    jobs = shard.block(sorted(episodes, key=lambda e: (e.scene, natural(e.name))))
    return SourceData(_render(name, config, jobs, open_scene), config.licence, config.citation, len(jobs))


def _chosen(config: VlnCeSource) -> list[Episode]:
    found: list[Episode] = []
    told: dict[tuple[str, str], int] = {}
    absent: dict[str, int] = {}
    for name in sorted(set(config.files)):
        for episode in sorted(read_episodes(Path(config.path) / name), key=lambda e: natural(e.name)):
            if config.max_episodes and len(found) == config.max_episodes:
                break
            if not episode.language.startswith(config.language):
                continue
            path = (episode.scene, episode.path_id)
            if config.max_per_path and told.get(path, 0) == config.max_per_path:
                continue
            if not (scene := Path(config.scenes) / episode.scene).is_file():
                if not config.skip_missing:
                    raise ManifestError(
                        f"{Path(config.path) / name}, episode {episode.name}: the scene {scene} does not "
                        "exist; get it from its publisher (see conf/source/vln_ce.yaml), correct `scenes`, "
                        "or set skip_missing=true to leave out the episodes of absent scenes"
                    )
                absent[str(scene)] = absent.get(str(scene), 0) + 1
                continue
            told[path] = told.get(path, 0) + 1
            found.append(episode)
    if absent:
        LOG.warning(
            "%d episodes are left out: their %d scenes are absent (%s ...)",
            sum(absent.values()),
            len(absent),
            min(absent),
        )
    if not found:
        raise EmptySourceError(
            f"{config.path} gives no episode in the language {config.language!r} whose scene is in "
            f"{config.scenes} (absent: {sorted(absent)[:3]}); correct `files`, `scenes` or `language`"
        )
    return found


def read_episodes(path: Path) -> Iterator[Episode]:
    """The episodes of a file in its order; the file is read whole (R2R: 3 MB packed).

    Raises:
        ManifestError: the file is missing or malformed; names file, episode and key.
    """
    listed = field(_json(path), "episodes", list, str(path))
    stem = path.name.split(".")[0]
    for number, record in enumerate(listed):
        yield _episode(record, stem, f"{path}, entry {number} of episodes")


def _json(path: Path) -> Any:
    try:
        data = path.read_bytes()
        if data.startswith(LFS_HEAD):
            raise ManifestError(f"{path} is a Git LFS pointer; fetch the file with git lfs pull")
        return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    except (OSError, EOFError, ValueError) as error:  # gzip's own errors are of the first two
        raise ManifestError(f"{path} cannot be read as JSON, gzipped ({error}); restore it") from error


def _episode(record: Any, stem: str, where: str) -> Episode:
    scene = field(record, "scene_id", str, where).removeprefix(PREFIX)
    if Path(scene).is_absolute() or ".." in Path(scene).parts:
        raise ManifestError(
            f"{where}: expected a path like mp3d/NAME/NAME.glb under 'scene_id', found {scene!r}; correct it"
        )
    told = field(record, "instruction", dict, where)
    listed = field(record, "reference_path", list, where)
    path = tuple(_point(p, f"{where}, point {k} of 'reference_path'") for k, p in enumerate(listed))
    start = _point(record.get("start_position"), f"{where}, 'start_position'")
    if not path or math.dist(path[0], start) > 0:
        path = (start, *path)
    if len(set(path)) < 2:
        raise ManifestError(f"{where}: expected a path that leads away from its start under 'reference_path'")
    language = told.get("language") or "en"
    return Episode(
        name=f"{stem}-{_id(record, 'episode_id', where)}",
        path_id=_id(record, "trajectory_id", where),
        scene=scene,
        goal=one_line(field(told, "instruction_text", str, f"{where}, 'instruction'")),
        language=language if isinstance(language, str) else "",
        heading=heading_of(_rotation(record.get("start_rotation"), where)),
        path=path,
    )


def _id(record: dict[str, Any], key: str, where: str) -> str:
    """An id, which is a number in some files and a text in others."""
    value = record.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text: str = field(record, key, str, where)
    return text


def _numbers(value: Any, count: int, where: str) -> list[float]:
    right = isinstance(value, list) and len(value) == count
    if not right or not all(
        isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in value
    ):
        raise ManifestError(f"{where}: expected {count} numbers, found {value!r:.80}; restore the file")
    return [float(n) for n in value]


def _point(value: Any, where: str) -> Point:
    x, y, z = _numbers(value, 3, where)
    return x, y, z


def _rotation(value: Any, where: str) -> Rotation:
    x, y, z, w = _numbers(value, 4, f"{where}, 'start_rotation'")
    length = math.hypot(x, y, z, w)
    if abs(length - 1) > OFF_UNIT:
        raise ManifestError(
            f"{where}, 'start_rotation': expected a unit quaternion (x, y, z, w), found one of length "
            f"{length:.3f}; restore the file"
        )
    return x / length, y / length, z / length, w / length


def heading_of(rotation: Rotation) -> float:
    """The direction that a rotation turns -z to, seen from above: radians to the left from -z."""
    x, y, z, w = rotation
    return math.atan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y))


def rotation_of(heading: float) -> Rotation:
    """The rotation about the upright axis that looks along a heading."""
    return 0.0, math.sin(heading / 2), 0.0, math.cos(heading / 2)


def views(episode: Episode, min_turn: float, min_way: float) -> list[View]:
    """Where pictures are taken along the path of an episode, in time order.

    The first is at the start, as its rotation looks. Towards each next point at least ``min_way`` metres
    away a turn of at least ``min_turn`` degrees has a picture of its own, then the point itself has one.
    """
    found = [View(episode.path[0], episode.heading, "")]
    for before, after in pairwise(_apart(episode.path, min_way)):
        heading = found[-1].heading
        x, z = after[0] - before[0], after[2] - before[2]
        if math.hypot(x, z) > min_way / 2:  # else it goes straight up or down: no direction
            heading = math.atan2(-x, -z)
        turn = list(turned(math.degrees(heading - found[-1].heading), min_turn))
        if turn:
            found.append(View(before, heading, *turn))
        way = walked(_named(before), _named(after), "y", min_way)
        found.append(View(after, heading, " and ".join(way)))
    return found


def _apart(path: Sequence[Point], least: float) -> list[Point]:
    """The points of a path that are ``least`` metres from the one kept before; the last is the path's own."""
    kept = [path[0]]
    for point in path[1:]:
        if math.dist(point, kept[-1]) >= least:
            kept.append(point)
    if kept[-1] != path[-1]:
        kept[max(1, len(kept) - 1) :] = [path[-1]]
    return kept


def _named(point: Point) -> dict[str, float]:
    return dict(zip("xyz", point, strict=True))


def _render(
    name: str, config: VlnCeSource, episodes: Sequence[Episode], open_scene: OpenScene
) -> Iterator[SourceTrajectory]:
    camera = Camera(config.size, config.field, config.eye)
    for scene, together in groupby(episodes, lambda e: e.scene):
        with open_scene(Path(config.scenes) / scene, camera) as renderer:
            for episode in together:
                yield _trajectory(name, config, episode, renderer)


def _trajectory(name: str, config: VlnCeSource, episode: Episode, renderer: Renderer) -> SourceTrajectory:
    seen = views(episode, config.min_turn, config.min_way)
    pictures = (renderer.view(view.position, rotation_of(view.heading)) for view in seen)
    frames = tuple(encode_jpeg(Image.fromarray(picture), config.jpeg_quality) for picture in pictures)
    trajectory = Trajectory(
        trajectory_id=f"{name}-{episode.name}",
        scenario=config.scenario,
        source=name,
        licence=config.licence,
        goal=episode.goal,
        group=Path(episode.scene).stem,
        media=Media("embedded", len(frames)),
        steps=tuple(Step(index, view.text) for index, view in enumerate(seen) if view.text),
    )
    return SourceTrajectory(trajectory, frames)
