"""Table top, mats, background and shadows: flat things, drawn from the camera's rays without a renderer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpru.simulators.episode import Labels
from tpru.simulators.robot.scenery import Scenery, sides
from tpru.simulators.robot.tasks import Plate, Point

Grid = NDArray[np.float32]

SHADE, SOFT = 0.42, 0.012  # darkness of a shadow and width of its edge in metres
HALF_TABLE = 0.56


@dataclass(frozen=True)
class Caster:
    """What throws a shadow: a rod of some radius between two points."""

    start: Point
    end: Point
    radius: float


def _hits(scenery: Scenery, wide: int) -> tuple[Grid, Grid]:
    """Where the ray of every pixel meets the table's plane; nan above the horizon."""
    camera = scenery.camera
    right, upward, forward = sides(camera)
    eye = np.array(camera.target) - camera.distance * forward
    reach = math.tan(math.radians(camera.field / 2))
    step = ((np.arange(wide) + 0.5) / wide * 2 - 1) * reach
    rays = forward + step[None, :, None] * right - step[:, None, None] * upward
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.where(rays[:, :, 2] < -1e-6, -eye[2] / rays[:, :, 2], np.nan)
    x, y = (eye[k] + length * rays[:, :, k] for k in (0, 1))
    return x.astype(np.float32), y.astype(np.float32)


class Ground:
    """The empty scene of one camera; ``wide`` is the side of the picture in pixels (even)."""

    def __init__(self, scenery: Scenery, mats: Sequence[tuple[Plate, int]], wide: int) -> None:
        x, y = _hits(scenery, wide)
        self.light = scenery.light
        self.labels = np.zeros((wide, wide), np.uint8)
        with np.errstate(invalid="ignore"):
            picture, self.table = _table(scenery, x, y, wide)
            for mat, number in mats:
                cos, sin = math.cos(mat.yaw), math.sin(mat.yaw)
                u, v = x - mat.at[0], y - mat.at[1]
                inside = (np.abs(u * cos + v * sin) < mat.half[0]) & (np.abs(v * cos - u * sin) < mat.half[1])
                picture[inside], self.labels[inside] = mat.colour, number
        self.picture = (255 * picture).astype(np.float32)
        self.x, self.y = np.nan_to_num(x[::2, ::2], nan=9.0), np.nan_to_num(y[::2, ::2], nan=9.0)

    def draw(self, casters: Sequence[Caster]) -> Labels:
        """The scene with the shadows of ``casters``: uint8 of (wide, wide, 3)."""
        away = np.full(self.x.shape, 1.0, np.float32)
        for caster in casters:
            away = np.minimum(away, self._distance(caster) - np.float32(caster.radius))
        dark = 1 - SHADE * np.clip(0.5 - away / SOFT, 0, 1)
        shade = np.where(self.table, dark.repeat(2, 0).repeat(2, 1), 1)
        return (self.picture * shade[:, :, None]).astype(np.uint8)

    def _distance(self, caster: Caster) -> Grid:
        """Distance of every second pixel's point of the table from a rod's shadow."""
        (ax, ay), (bx, by) = (
            (p[0] - p[2] * self.light[0] / self.light[2], p[1] - p[2] * self.light[1] / self.light[2])
            for p in (caster.start, caster.end)
        )
        dx, dy = bx - ax, by - ay
        u, v = self.x - np.float32(ax), self.y - np.float32(ay)
        part = np.clip((u * dx + v * dy) / (dx * dx + dy * dy + 1e-9), 0, 1).astype(np.float32)
        return np.hypot(u - part * np.float32(dx), v - part * np.float32(dy))


def _table(scenery: Scenery, x: Grid, y: Grid, wide: int) -> tuple[Grid, NDArray[np.bool_]]:
    """The table before the background, and where it is."""
    low, high = (np.array(colour, np.float32) for colour in scenery.back)
    mix = np.linspace(0, 1, wide, dtype=np.float32)[:, None, None]
    picture = np.broadcast_to((1 - mix) * high + mix * low, (wide, wide, 3)).copy()
    light, dark = scenery.table
    u, v = x - 0.5, y
    if scenery.round_table:
        away = np.hypot(u, v)
        table, second = away < HALF_TABLE, np.mod(away, 2 * scenery.plank) < 0.2 * scenery.plank
    else:
        table = (np.abs(u) < HALF_TABLE) & (np.abs(v) < HALF_TABLE)
        second = np.mod(v if scenery.lengthwise else u, 2 * scenery.plank) < scenery.plank
    picture[table] = light
    picture[table & second] = dark
    return picture, table
