"""The raycaster: what a walker sees of a house."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tpru.simulators.episode import Colour
from tpru.simulators.navigation.house import WALL, Decor, House, door_parts, furniture, walls
from tpru.simulators.navigation.solids import Ball, Box
from tpru.simulators.navigation.walks import Plan, View

Pixels = NDArray[np.float32]

HORIZON = 0.42  # the walker looks slightly down


def _rays(view: View, wide: int, field: float) -> tuple[Pixels, Pixels]:
    """Ray per column (wide, 2), of length 1 along the view, and the forward and right vectors."""
    cos, sin = math.cos(view.heading), math.sin(view.heading)
    axes = np.array([[cos, sin], [sin, -cos]], np.float32)
    side = ((np.arange(wide, dtype=np.float32) + 0.5) / wide * 2 - 1) * field
    rays = axes[0] + side[:, None] * axes[1]
    return np.where(np.abs(rays) < 1e-6, np.float32(1e-6), rays), axes


def _hits(boxes: Sequence[Box], view: View, rays: Pixels) -> tuple[Pixels, Pixels, NDArray[np.int_]]:
    """Where every ray enters and leaves every box, and the axis of its entry: (boxes, wide)."""
    corners = np.array([[b.low[:2], b.high[:2]] for b in boxes], np.float32)
    cuts = (corners[:, :, None, :] - np.array(view.at, np.float32)) / rays
    enter, leave = cuts.min(axis=1), cuts.max(axis=1)
    return enter.max(axis=2), leave.min(axis=2), enter.argmax(axis=2)


class Canvas:
    """A picture being painted: colours and depth per pixel, both at twice the final size."""

    def __init__(self, house: House, view: View, size: int) -> None:
        self.house, self.view, self.wide = house, view, 2 * size
        self.eye, self.focal, self.zero = house.eye, size / house.field, 2 * size * HORIZON
        self.rays, self.axes = _rays(view, self.wide, house.field)
        self.rows = np.arange(self.wide, dtype=np.float32) + 0.5 - self.zero
        self.pixels = np.empty((self.wide, self.wide, 3), np.float32)

    def room_of(self, x: Pixels, y: Pixels) -> NDArray[np.intp]:
        """Number of the room under each point."""
        i = np.searchsorted(self.house.xs[1:-1], x)
        return i * (len(self.house.ys) - 1) + np.searchsorted(self.house.ys[1:-1], y)

    def shell(self) -> None:
        """Ceiling, floor and walls."""
        decor = [self.house.decor[key] for key in sorted(self.house.decor)]
        near, far, faces = _hits(walls(self.house), self.view, self.rays)
        near = np.where((near < far) & (near > 0), near, np.inf)
        first = near.argmin(axis=0)
        columns = np.arange(self.wide)
        dist, face = near[first, columns], faces[first, columns]
        self.depth = np.repeat(dist[None, :], self.wide, axis=0)
        hit = np.array(self.view.at, np.float32) + self.rays * (dist - 0.02)[:, None]
        room = self.room_of(hit[:, 0], hit[:, 1])
        along = np.where(face == 0, hit[:, 1], hit[:, 0])
        height = self.eye - self.rows[:, None] * dist / self.focal
        shade = np.where(face == 0, 0.86, 1.0) / (1 + 0.03 * dist)
        paint = np.array([d.wall for d in decor], np.float32)[room] * shade[:, None]
        pattern = np.array([d.wall_pattern for d in decor])[room]
        self.pixels[:] = paint * _wall_pattern(pattern, along, height)[:, :, None]
        self._floor(decor, height < 0)
        above = height > WALL
        bright = 0.92 / (1 - 0.045 * (WALL - self.eye) * self.focal / np.minimum(self.rows, -0.5))
        self.pixels[above] = np.repeat(bright[:, None], self.wide, axis=1)[above][:, None]

    def _floor(self, decor: Sequence[Decor], below: NDArray[np.bool_]) -> None:
        row, column = np.nonzero(below)
        dist = self.eye * self.focal / self.rows[row]
        x = self.view.at[0] + dist * self.rays[column, 0]
        y = self.view.at[1] + dist * self.rays[column, 1]
        room = self.room_of(x, y)
        pattern = np.array([d.floor_pattern for d in decor])[room]
        odd = np.where(
            pattern == 0,
            np.floor(x / 0.3) % 2,
            np.where(pattern == 1, np.floor(y / 0.3) % 2, (np.floor(x / 0.7) + np.floor(y / 0.7)) % 2),
        )
        shade = (1 - np.where(pattern == 2, 0.35, 0.18) * odd) / (1 + 0.04 * dist)
        paint = np.array([d.floor for d in decor], np.float32)[room]
        self.pixels[row, column] = paint * shade[:, None].astype(np.float32)

    def boxes(self, boxes: Sequence[Box]) -> None:
        nears, fars, faces = _hits(boxes, self.view, self.rays)
        seen = (nears < fars) & (nears > 0.05) & (nears < self.depth[0])
        for box, near, far, face, visible in zip(boxes, nears, fars, faces, seen, strict=True):
            columns = np.flatnonzero(visible)
            if columns.size:
                self._box(box, near[columns], far[columns], face[columns], columns)

    def _box(
        self, box: Box, near: Pixels, far: Pixels, face: NDArray[np.int_], columns: NDArray[np.intp]
    ) -> None:
        base, top = ((self.eye - z) * self.focal for z in (box.low[2], box.high[2]))
        shade = np.where(face == 0, 0.82, 1.0)
        light = np.repeat(shade[None, :], self.wide, axis=0)
        if box.style:
            hit = np.array(self.view.at) + self.rays[columns] * near[:, None]
            axis = 1 - face
            low, high = np.array(box.low), np.array(box.high)
            across = (hit[np.arange(len(axis)), axis] - low[axis]) / (high - low)[axis]
            up = (self.eye - self.rows[:, None] * near / self.focal - low[2]) / (high - low)[2]
            light = light * _panels(box.style, across, up)
        self._fill(columns, top / near, base / near, near, light, box.colour)
        if box.high[2] < self.eye:
            dist = np.maximum(top / np.maximum(self.rows, 0.5), 0)[:, None]
            self._fill(columns, top / far, top / near, dist, 1.12, box.colour)
        elif box.low[2] > self.eye:
            dist = np.maximum(base / np.minimum(self.rows, -0.5), 0)[:, None]
            self._fill(columns, base / near, base / far, dist, 0.6, box.colour)

    def _fill(
        self,
        columns: NDArray[np.intp],
        start: Pixels,
        stop: Pixels,
        dist: Pixels,
        light: Pixels | float,
        colour: Colour,
    ) -> None:
        """Paint the rows from ``start`` to ``stop`` of every column where nothing is nearer."""
        r0 = int(np.clip(np.floor(start.min() + self.zero), 0, self.wide))
        r1 = int(np.clip(np.ceil(stop.max() + self.zero), 0, self.wide))
        if r0 >= r1:
            return
        rows, area = self.rows[r0:r1, None], np.ix_(np.arange(r0, r1), columns)
        dist = np.broadcast_to(dist, (self.wide, len(columns)))[r0:r1]
        shade = np.broadcast_to(light, (self.wide, len(columns)))[r0:r1] / (1 + 0.03 * dist)
        inside = (rows >= start) & (rows < stop) & (dist < self.depth[area])
        paint = shade[:, :, None] * np.array(colour, np.float32)
        self.pixels[area] = np.where(inside[:, :, None], paint, self.pixels[area])
        self.depth[area] = np.where(inside, dist, self.depth[area])

    def ball(self, ball: Ball) -> None:
        offset = np.array(ball.at[:2], np.float32) - np.array(self.view.at, np.float32)
        ahead, side = (float(v) for v in self.axes @ offset)
        if ahead < 0.3:
            return
        column, row = side / ahead * self.focal, (self.eye - ball.at[2]) / ahead * self.focal
        radius = ball.radius / ahead * self.focal
        across = np.arange(self.wide) + 0.5 - self.wide / 2 - column
        down = self.rows - row
        columns, rows = np.flatnonzero(np.abs(across) < radius), np.abs(down) < radius
        if columns.size and rows.any():
            reach = np.sqrt(np.maximum(radius**2 - across[columns] ** 2, 0))
            light = np.clip(0.8 - 0.35 * down / radius, 0.3, 1.2)[:, None]
            near = np.full(len(columns), ahead, np.float32)
            self._fill(columns, row - reach, row + reach, near, light, ball.colour)

    def image(self) -> Image.Image:
        half = self.wide // 2
        mean = self.pixels.reshape(half, 2, half, 2, 3).mean(axis=(1, 3)) * self.house.light
        return Image.fromarray((np.clip(mean, 0, 1) * 255).astype(np.uint8))


def _wall_pattern(pattern: NDArray[np.int_], along: Pixels, height: Pixels) -> Pixels:
    """Brightness (rows, columns) of walls: dado, stripes, bricks or a band, above a skirting."""
    light = np.ones_like(height)
    dado, stripes, bricks, band = (np.flatnonzero(pattern == i) for i in range(4))
    light[:, dado] = np.where(height[:, dado] < 0.95, 0.72, 1.0)
    light[:, stripes] = np.where(along[stripes] % 0.6 < 0.3, 0.82, 1.0)
    course = np.floor(height[:, bricks] / 0.26)
    joint = (along[bricks] + 0.3 * (course % 2)) % 0.6 < 0.04
    light[:, bricks] = np.where(joint | (height[:, bricks] % 0.26 < 0.035), 0.72, 1.0)
    light[:, band] = np.where(np.abs(height[:, band] - 1.5) < 0.12, 0.6, 1.0)
    light[height < 0.1] = 0.5
    return light


def _panels(style: int, across: Pixels, up: Pixels) -> Pixels:
    """Brightness of a door face, ``across`` (columns,) and ``up`` (rows, columns) from 0 to 1."""
    side = np.abs(across - 0.5)
    if style == 1:
        inner = (side < 0.33) & ((np.abs(up - 0.27) < 0.17) | (np.abs(up - 0.73) < 0.19))
    elif style == 2:
        inner = (side > 0.06) & (side < 0.36) & (np.abs((up * 3) % 1 - 0.5) < 0.36)
    else:
        inner = np.broadcast_to(across * 5 % 1 < 0.12, up.shape)
    knob = (np.abs(across - 0.92) < 0.05) & (np.abs(up - 0.48) < 0.025)
    return np.where(knob, 0.25, np.where(inner, 0.72, 1.0)).astype(np.float32)


def draw(walk: Plan, view: View, size: int) -> Image.Image:
    house = walk.house
    canvas = Canvas(house, view, size)
    canvas.shell()
    opened = walk.route[: view.opened]
    parts = [part for mark in house.landmarks for part in furniture(mark)]
    boxes = [part for part in parts if isinstance(part, Box)]
    canvas.boxes(boxes + [b for door in house.doors for b in door_parts(door, door in opened)])
    for part in parts:
        if isinstance(part, Ball):
            canvas.ball(part)
    return canvas.image()
