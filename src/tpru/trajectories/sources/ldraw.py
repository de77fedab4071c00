"""Real building sets: LDraw models, built step by step before a camera that stands still.

Steps of submodels are built at their place in the finished model, one after another. A picture is taken
when the parts added since the last one can be seen well; what is new is drawn over the picture before.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from tpru.config.schema import LdrawSource
from tpru.errors import EmptySourceError, ManifestError
from tpru.records import Media, Step, Trajectory
from tpru.shards import WHOLE, Shard
from tpru.simulators.assembly.raster import (
    Camera,
    Canvas,
    Light,
    blank,
    draw,
    normals,
    outlined,
    reduced,
    shade,
    view,
)
from tpru.store import encode_png
from tpru.trajectories.source_data import SourceData, SourceTrajectory
from tpru.trajectories.sources.ldraw_files import INHERITED, Array, LdrawFile, Library, Model
from tpru.trajectories.sources.ldraw_words import colour_name, part_name, step_text

LOG = logging.getLogger(__name__)
SUFFIXES = (".mpd", ".ldr")
OVERSAMPLING = 2
BACKGROUND = 226.0  # light grey: white and black parts both stand out
MOST_KINDS = 255  # labels are bytes
VISIBLE = 12  # pixels of the oversampled picture from which on a new part can be seen
LIGHT_FROM = (0.4, -0.75, -0.5)  # right, down, away: from above, over the viewer's right shoulder
# From LDraw (x right, y down, z away from the viewer) to the renderer (z up, front at negative y).
UPRIGHT = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)


@dataclass(frozen=True)
class Placed:
    """A part where it stands in the finished model, like a reference with its colour resolved."""

    part: LdrawFile
    colour: int
    turn: Array
    place: Array


BuildStep = tuple[Placed, ...]


def read(name: str, config: LdrawSource, workers: int, shard: Shard = WHOLE) -> SourceData:
    """Build a shard of the models of a folder on ``workers`` processes, in order of their names.

    All files that its models need are read and checked before the first picture is drawn. A model is a
    group of its own; one that gives a single picture is left out with a warning.

    Raises:
        ManifestError: a model or a part is missing or malformed, or has an unknown colour.
        EmptySourceError: there is no model in the folder.
    """
    library = Library(Path(config.parts))
    paths = _model_paths(Path(config.path))[: config.max_models or None]
    if not paths:
        raise EmptySourceError(
            f"{config.path} holds no LDraw model; expected files {' or '.join(SUFFIXES)}: add some, or "
            "correct `path`"
        )
    paths = shard.block(paths)
    for path in paths:
        Model(path, library).check()
    jobs = [(name, config, path) for path in paths]
    return SourceData(_build(jobs, workers), config.licence, config.citation, len(jobs))


def _model_paths(folder: Path) -> Sequence[Path]:
    if not folder.is_dir():
        raise ManifestError(f"the folder of LDraw models {folder} does not exist; correct `path`")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _build(jobs: list[tuple[str, LdrawSource, Path]], workers: int) -> Iterator[SourceTrajectory]:
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for built in pool.map(_one, jobs):
            if len(built.frames) > 1:
                yield built
            else:
                LOG.warning("%s is left out: it has no steps to be seen", built.trajectory.trajectory_id)


@lru_cache(maxsize=1)
def _library(root: str) -> Library:
    """The library of a worker process, which keeps the parts it has read for the next model."""
    return Library(Path(root))


def _one(job: tuple[str, LdrawSource, Path]) -> SourceTrajectory:
    name, config, path = job
    frames, steps = [], []
    model = Model(path, _library(config.parts))
    for index, (image, text) in enumerate(pictures(model, config)):
        frames.append(encode_png(image))
        if text:
            steps.append(Step(index, text))
    trajectory_id = f"{name}-{path.name}"
    trajectory = Trajectory(
        trajectory_id=trajectory_id,
        scenario=config.scenario,
        source=name,
        licence=config.licence,
        goal=f"build the model {title(path)} from its parts",
        group=trajectory_id,
        media=Media("embedded", len(frames)),
        steps=tuple(steps),
        family="building_set",
    )
    return SourceTrajectory(trajectory, tuple(frames))


def title(path: Path) -> str:
    """What the file name calls the model, without the number of the set."""
    words = re.sub(r"^[\d-]+ - ", "", path.stem.replace("_", " "))
    return words.removeprefix("The ").strip() or path.stem


def building_steps(model: Model) -> list[BuildStep]:
    """The parts that each step adds, submodels in their place among the others."""
    return list(_steps_of(model, model.main, 16, np.eye(3, dtype=np.float32), np.zeros(3, np.float32)))


def _steps_of(model: Model, file: LdrawFile, colour: int, turn: Array, place: Array) -> Iterator[BuildStep]:
    for step in file.steps:
        parts: list[Placed] = []
        for reference in step:
            inner = model.file(reference.name, file.name)
            own = colour if reference.colour in INHERITED else reference.colour
            there = (own, turn @ reference.turn, turn @ reference.place + place)
            if inner.is_part:
                parts.append(Placed(inner, *there))
                continue
            if parts:
                yield tuple(parts)
                parts = []
            yield from _steps_of(model, inner, *there)
        if parts:
            yield tuple(parts)


def pictures(model: Model, config: LdrawSource) -> Iterator[tuple[Image.Image, str]]:
    """Pictures (``size`` x ``size`` pixels) of the growing model, and what is new in each.

    A picture is taken when new parts cover the share ``min_visible`` of it, and at the end. The text
    names only what can be seen; it is empty where the last parts are hidden.
    """
    steps = building_steps(model)
    side = config.size * OVERSAMPLING
    corners = [box for step in steps for placed in step if len(box := _corners(model, placed))]
    if not corners:
        return
    camera = view(np.concatenate(corners), config.azimuth, config.elevation, side)
    canvas = blank(np.full((side, side, 3), BACKGROUND))
    kinds: dict[str, int] = {}
    for number, step in enumerate(steps, 1):
        _add(canvas, model, step, camera, kinds)
        if number == len(steps) or (canvas.labels > 0).mean() >= config.min_visible:
            yield Image.fromarray(reduced(outlined(canvas), OVERSAMPLING)), step_text(_seen(canvas, kinds))
            canvas.labels[:] = 0
            kinds = {}


def _corners(model: Model, placed: Placed) -> Array:
    """The corners (8, 3) of the box around a part, turned as the part is."""
    points = model.shape(placed.part.name)[0].reshape(-1, 3)
    if not len(points):
        return np.zeros((0, 3), np.float32)
    box = np.array(list(product(*zip(points.min(axis=0), points.max(axis=0), strict=True))), np.float32)
    return _stand(box, placed)


def _stand(points: Array, placed: Placed) -> Array:
    """Points (..., 3) of a part where they are in the finished model, as the renderer counts."""
    return ((points @ placed.turn.T + placed.place) @ UPRIGHT.T).astype(np.float32)


def _add(canvas: Canvas, model: Model, step: BuildStep, camera: Camera, kinds: dict[str, int]) -> None:
    """Draw the parts of a step and count them in ``kinds``; the k-th kind (from 1) gets the label k."""
    for placed in step:
        name = _name(model, placed)
        kinds[name] = kinds.get(name, 0) + 1
        label = min(list(kinds).index(name) + 1, MOST_KINDS)
        _draw_part(canvas, model, placed, camera, label)


def _seen(canvas: Canvas, kinds: dict[str, int]) -> list[tuple[str, int]]:
    """Kinds of new parts that can be seen and how many of each there are, the largest area first."""
    areas = np.bincount(canvas.labels.ravel(), minlength=MOST_KINDS + 1)[1:].tolist()
    seen = [(area, kind) for area, kind in zip(areas, kinds.items(), strict=False) if area >= VISIBLE]
    return [kind for _, kind in sorted(seen, key=lambda pair: -pair[0])]


def _name(model: Model, placed: Placed) -> str:
    description = model.description(placed.part)
    colour = colour_name(model.library.colour(placed.colour)[0])
    return f"{colour} {part_name(description)}".strip()


def _draw_part(canvas: Canvas, model: Model, placed: Placed, camera: Camera, label: int) -> None:
    triangles, codes = model.shape(placed.part.name)
    used, which = np.unique(np.where(codes == 16, placed.colour, codes), return_inverse=True)
    colours = np.array([model.library.colour(int(code))[1] for code in used], np.float32)
    there = _stand(triangles, placed)
    direction = np.array(LIGHT_FROM) / np.linalg.norm(LIGHT_FROM) @ camera.axes
    shaded = shade(normals(there, camera), colours[which], Light(direction, ambient=0.62, strength=0.48))
    draw(canvas, camera.pixels(there), shaded, label)
