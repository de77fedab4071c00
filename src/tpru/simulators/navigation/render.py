"""The raycaster: what a walker sees of a house."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tpru.simulators.episode import Colour, Labels
from tpru.simulators.navigation.house import HALF_WALL, WALL
from tpru.simulators.navigation.patterns import Pixels, door_pattern, floor_pattern, wall_pattern
from tpru.simulators.navigation.scene import Scene
from tpru.simulators.navigation.solids import Ball, Box

FINE = 2  # rays per pixel and direction
HORIZON_AT = 60.0  # metres: nothing is seen farther away
SKY: Colour = (0.55, 0.78, 1.0)
HEDGE: Colour = (0.12, 0.36, 0.14)
OUTSIDE, CEILING, ABOVE, SHELL = range(4)  # first numbers of ``Canvas.paints``


class Canvas:
    """A picture being painted: number of the paint, brightness and depth per ray."""

    def __init__(self, scene: Scene, size: int) -> None:
        style, view = scene.house.style, scene.view
        self.scene, self.view, self.wide = scene, view, FINE * size
        self.eye, self.focal = style.eye, self.wide / 2 / style.field
        self.rows = np.arange(self.wide, dtype=np.float32) + 0.5 - self.wide * np.float32(style.horizon)
        self.rows[np.abs(self.rows) < 0.1] = 0.1
        cos, sin = math.cos(view.heading), math.sin(view.heading)
        self.axes = np.array([[cos, sin], [sin, -cos]], np.float32)
        side = ((np.arange(self.wide, dtype=np.float32) + 0.5) / self.wide * 2 - 1) * np.float32(style.field)
        rays = self.axes[0] + side[:, None] * self.axes[1]
        self.rays = np.where(np.abs(rays) < 1e-6, np.float32(1e-6), rays)
        self.at = np.array(view.at, np.float32)
        self.paint = np.empty((self.wide, self.wide), np.uint8)
        self.light = np.empty((self.wide, self.wide), np.float32)
        self.depth = np.empty((self.wide, self.wide), np.float32)
        rooms = [scene.house.rooms[k] for k in scene.rooms]
        self.paints: list[Colour] = [HEDGE, style.ceiling, SKY]
        self.paints += [room.wall for room in rooms] + [room.floor for room in rooms]
        self.labels = [0] * len(self.paints)

    def _hits(self, boxes: list[Box]) -> tuple[Pixels, Pixels, NDArray[np.intp]]:
        """Where every ray enters and leaves every box, and the axis of its entry: (boxes, wide)."""
        corners = np.array([[b.low[:2], b.high[:2]] for b in boxes], np.float32).reshape(-1, 2, 2)
        cuts = (corners[:, :, None, :] - self.at) / self.rays
        enter, leave = cuts.min(axis=1), cuts.max(axis=1)
        return enter.max(axis=2), leave.min(axis=2), enter.argmax(axis=2)

    def shell(self) -> None:
        """Walls, floor, ceiling and, outdoors, grass and sky."""
        near, far, faces = self._hits([piece for _, piece in self.scene.walls])
        near = np.where((near < far) & (near > 0), near, np.float32(HORIZON_AT))
        near = np.vstack([near, np.full((1, self.wide), HORIZON_AT, np.float32)])
        first, columns = near.argmin(axis=0), np.arange(self.wide)
        dist = near[first, columns]
        face = np.vstack([faces, np.zeros((1, self.wide), np.intp)])[first, columns]
        self.depth[:] = dist
        height = self.eye - self.rows[:, None] * (dist / np.float32(self.focal))
        numbers = [self.scene.rooms.index(k) + SHELL for k, _ in self.scene.walls]
        self.paint[:] = np.array([*numbers, OUTSIDE], np.uint8)[first]
        self.light[:] = np.where(face == 0, 0.86, 1.0) / (1 + 0.03 * dist)
        along = np.where(face == 0, (self.at + self.rays * dist[:, None])[:, 1], 0)
        along = np.where(face == 1, (self.at + self.rays * dist[:, None])[:, 0], along)
        for n, number in enumerate(self.scene.rooms):
            own = np.flatnonzero(self.paint[0] == n + SHELL)
            if own.size:
                kind = self.scene.house.rooms[number].wall_pattern
                self.light[:, own] *= wall_pattern(kind, along[own], height[:, own])
        self._flat(height < 0, 0.0)
        self._flat(height > WALL, WALL)

    def _flat(self, where: NDArray[np.bool_], z: float) -> None:
        """Paint the floor (``z`` 0) or the ceiling where walls do not reach."""
        row, column = np.nonzero(where)
        dist = (self.eye - z) * self.focal / self.rows[row]
        rays = self.rays[column]
        x, y = self.at[0] + dist * rays[:, 0], self.at[1] + dist * rays[:, 1]
        numbers = np.zeros(len(row), np.uint8)
        light = 1 / (1 + np.float32(0.035) * dist)
        if z:
            numbers[:] = CEILING
        outdoor = any(self.scene.house.rooms[k].outdoor for k in self.scene.rooms)
        if outdoor:
            numbers[:] = ABOVE if z else OUTSIDE
            light = np.ones_like(dist)
        for n, k in enumerate(self.scene.rooms if outdoor or not z else ()):
            room = self.scene.house.rooms[k]
            (x0, y0), (x1, y1) = room.low, room.high
            edge = HALF_WALL + 0.01
            own = (x > x0 - edge) & (x < x1 + edge) & (y > y0 - edge) & (y < y1 + edge)
            if z:
                numbers[own & (not room.outdoor)] = CEILING
            else:
                numbers[own] = SHELL + len(self.scene.rooms) + n
                light[own] *= floor_pattern(room.floor_pattern, x[own], y[own])
        if not z:
            light *= self._shadows(x, y)
        self.paint[row, column] = numbers
        self.light[row, column] = light

    def _shadows(self, x: Pixels, y: Pixels) -> Pixels:
        """Brightness of floor points: darker under and close to furniture."""
        light = np.ones_like(x)
        for mark in self.scene.house.marks:
            if mark.room in self.scene.rooms:
                reach = (mark.shape.deep / 2 + 0.1, mark.shape.wide / 2 + 0.1)
                dx, dy = reach if mark.side % 2 == 0 else reach[::-1]
                light[(np.abs(x - mark.at[0]) < dx) & (np.abs(y - mark.at[1]) < dy)] = 0.65
        return light

    def boxes(self, parts: list[tuple[int, Box]]) -> None:
        nears, fars, faces = self._hits([box for _, box in parts])
        seen = (nears < fars) & (nears > 0.05) & (nears < self.depth.max(axis=0))
        for k in np.flatnonzero(seen.any(axis=1)):
            label, box = parts[k]
            columns = np.flatnonzero(seen[k])
            area = slice(int(columns[0]), int(columns[-1]) + 1)
            hidden = ~seen[k, area]
            near = np.where(hidden, np.float32(HORIZON_AT), nears[k, area])
            self._box(label, box, near, np.maximum(fars[k, area], near), faces[k, area], area)

    def _number(self, label: int, colour: Colour) -> int:
        self.paints.append(colour)
        self.labels.append(label)
        return len(self.paints) - 1

    def _box(
        self, label: int, box: Box, near: Pixels, far: Pixels, face: NDArray[np.intp], area: slice
    ) -> None:
        number = self._number(label, box.colour)
        base, top = ((self.eye - z) * self.focal for z in (box.low[2], box.high[2]))
        shade = np.where(face == 0, np.float32(0.9), np.float32(1.0))
        self._fill(area, top / near, base / near, near, shade, number, box)
        if top > 0:  # seen from above
            self._fill(area, top / far, top / near, top, 1.1, number)
        elif base < 0:  # seen from below
            self._fill(area, base / near, base / far, base, 0.6, number)

    def _fill(
        self,
        area: slice,
        start: Pixels,
        stop: Pixels,
        dist: Pixels | float,
        light: Pixels | float,
        number: int,
        box: Box | None = None,
    ) -> None:
        """Paint the rows from ``start`` to ``stop`` of the columns ``area`` where nothing is nearer.

        ``dist`` is the depth per column of an upright face, or depth times row of a level one; ``light``
        is brightness at all, per column, or per row of the whole picture and column.
        """
        zero = -float(self.rows[0]) + 0.5
        r0 = max(int(np.floor(start.min() + zero)), 0)
        r1 = min(int(np.ceil(stop.max() + zero)), self.wide)
        if r0 >= r1:
            return
        rows = self.rows[r0:r1, None]
        depth = dist if isinstance(dist, np.ndarray) else np.float32(dist) / rows
        inside = (rows >= start) & (rows < stop) & (depth < self.depth[r0:r1, area])
        if not inside.any():
            return
        if isinstance(light, np.ndarray) and light.ndim == 2:
            light = light[r0:r1]
        shade = light / (1 + np.float32(0.03) * depth)
        if box is not None and box.style:
            shade = shade * self._leaf(box, area, rows, depth)
        np.copyto(self.depth[r0:r1, area], depth, where=inside)
        np.copyto(self.light[r0:r1, area], shade, where=inside, casting="same_kind")
        self.paint[r0:r1, area][inside] = number

    def _leaf(self, box: Box, area: slice, rows: Pixels, depth: Pixels) -> Pixels:
        """Pattern of a door leaf along its longer side."""
        axis = 0 if box.high[0] - box.low[0] > box.high[1] - box.low[1] else 1
        hit = self.at[axis] + self.rays[area, axis] * depth
        across = (hit - box.low[axis]) / (box.high[axis] - box.low[axis])
        up = (self.eye - rows * depth / self.focal - box.low[2]) / (box.high[2] - box.low[2])
        return door_pattern(box.style, across, up)

    def ball(self, label: int, ball: Ball) -> None:
        ahead, side = (float(v) for v in self.axes @ (np.array(ball.at[:2], np.float32) - self.at))
        if ahead < 0.3:
            return
        column, row = side / ahead * self.focal, (self.eye - ball.at[2]) / ahead * self.focal
        radius = ball.radius / ahead * self.focal
        middle = self.wide / 2 + column
        c0, c1 = max(math.floor(middle - radius), 0), min(math.ceil(middle + radius), self.wide)
        if c0 >= c1:
            return
        across = np.arange(c0, c1, dtype=np.float32) + np.float32(0.5 - middle)
        reach = np.sqrt(np.maximum(np.float32(radius**2) - across**2, 0))
        near = np.full(c1 - c0, ahead, np.float32)
        number = self._number(label, ball.colour)
        down = (self.rows[:, None] - np.float32(row)) / np.float32(radius)
        light = np.clip(0.85 - 0.3 * down - 0.15 * across / radius, 0.35, 1.2)
        self._fill(slice(c0, c1), row - reach, row + reach, near, light, number)

    def picture(self) -> tuple[Image.Image, Labels, Labels]:
        """The picture, the labels, and the room whose wall a pixel shows (its number plus 1, else 0)."""
        tint = np.array(self.scene.house.style.light, np.float32)
        colours = np.array(self.paints, np.float32) * tint * 255
        half = self.wide // FINE
        pixels = colours[self.paint] * self.light[:, :, None]
        mean = np.minimum(pixels, 255).reshape(half, FINE, half, FINE, 3).mean(axis=(1, 3))
        coarse = self.paint[::FINE, ::FINE]
        rooms = np.zeros(len(self.paints), np.uint8)
        rooms[SHELL : SHELL + len(self.scene.rooms)] = np.array(self.scene.rooms) + 1
        labels = np.array(self.labels, np.uint8)
        return Image.fromarray(mean.astype(np.uint8)), labels[coarse], rooms[coarse]


def draw(scene: Scene, size: int) -> tuple[Image.Image, Labels, Labels]:
    """Picture (size x size), labels of things and numbers of rooms; see ``Canvas.picture``."""
    canvas = Canvas(scene, size)
    canvas.shell()
    canvas.boxes([(label, part) for label, part in scene.parts if isinstance(part, Box)])
    for label, part in scene.parts:
        if isinstance(part, Ball):
            canvas.ball(label, part)
    return canvas.picture()
