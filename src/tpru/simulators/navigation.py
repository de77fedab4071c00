"""Indoor navigation: a first-person walk through coloured rooms, drawn by a numpy raycaster.

The map is a grid of rectangular rooms with doors in the walls between them. Everything in it is an
upright box aligned with the axes, or a ball. Lengths are metres, angles radians, z points up.
"""

import itertools
import math
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tpru.simulators.episode import Episode

Rng = np.random.Generator
Colour = tuple[float, float, float]
Spot = tuple[float, float]
Room = tuple[int, int]
Pixels = NDArray[np.float32]

WALL, THICK, DOOR, LINTEL = 2.6, 0.07, 1.1, 2.05
HORIZON = 0.42  # the walker looks slightly down
ATTEMPTS, HOUSES, WALKS = 8, 200, 20
FAMILIES = ("find_landmark", "coloured_door", "two_doors", "via_landmark")

COLOURS: dict[str, Colour] = {
    "red": (0.85, 0.12, 0.12),
    "blue": (0.12, 0.28, 0.85),
    "green": (0.10, 0.60, 0.20),
    "yellow": (0.96, 0.82, 0.10),
    "orange": (0.97, 0.50, 0.08),
    "purple": (0.52, 0.18, 0.68),
    "white": (0.96, 0.96, 0.96),
    "black": (0.13, 0.13, 0.15),
}
WALLS: dict[str, Colour] = {
    "beige": (0.86, 0.76, 0.58),
    "pink": (0.93, 0.66, 0.70),
    "mint": (0.60, 0.85, 0.70),
    "sky blue": (0.58, 0.76, 0.93),
    "lilac": (0.74, 0.64, 0.90),
    "grey": (0.68, 0.69, 0.72),
    "brick red": (0.70, 0.38, 0.32),
    "teal": (0.25, 0.58, 0.60),
    "lemon": (0.94, 0.90, 0.52),
}
FLOORS: tuple[Colour, ...] = (
    (0.62, 0.43, 0.26),
    (0.42, 0.28, 0.18),
    (0.75, 0.70, 0.62),
    (0.45, 0.48, 0.52),
    (0.36, 0.44, 0.38),
    (0.58, 0.34, 0.34),
)
BROWN: Colour = (0.45, 0.28, 0.15)
DARK: Colour = (0.12, 0.10, 0.10)
BOOKS: tuple[Colour, ...] = ((0.8, 0.2, 0.2), (0.9, 0.8, 0.3), (0.3, 0.6, 0.4), (0.3, 0.4, 0.8))


@dataclass(frozen=True)
class Box:
    """An upright box from corner ``low`` to corner ``high``."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    colour: Colour
    style: int = 0  # 1 to 3: face of a door


@dataclass(frozen=True)
class Ball:
    at: tuple[float, float, float]
    radius: float
    colour: Colour


@dataclass(frozen=True)
class Door:
    """A door in the wall between two rooms; ``axis`` 0 is walked through along x, 1 along y."""

    colour: str
    paint: Colour
    style: int
    rooms: tuple[Room, Room]
    at: Spot
    axis: int

    @property
    def name(self) -> str:
        return f"the {self.colour} door"


@dataclass(frozen=True)
class Landmark:
    kind: str
    colour: str
    room: Room
    at: Spot

    @property
    def name(self) -> str:
        if self.kind == "plant":
            return f"the plant in the {self.colour} pot"
        return f"the {self.colour} {self.kind}"


@dataclass(frozen=True)
class Decor:
    """Looks of one room: name and colour of its walls, floor colour, pattern numbers 0 to 3."""

    name: str
    wall: Colour
    floor: Colour
    wall_pattern: int
    floor_pattern: int


@dataclass(frozen=True)
class House:
    """``xs`` and ``ys`` are the wall lines; room (i, j) lies between xs[i], xs[i+1], ys[j], ..."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    decor: dict[Room, Decor]
    doors: tuple[Door, ...]
    landmarks: tuple[Landmark, ...]
    light: float
    eye: float  # height of the walker's eye
    field: float  # tangent of half its field of view

    def centre(self, room: Room) -> Spot:
        i, j = room
        return (self.xs[i] + self.xs[i + 1]) / 2, (self.ys[j] + self.ys[j + 1]) / 2


@dataclass(frozen=True)
class View:
    """Where the walker stands, where it looks, which doors are open, and how it got there."""

    at: Spot
    heading: float
    opened: int
    text: str


@dataclass(frozen=True)
class Plan:
    """A walk to ``target``; ``route`` holds the doors in the order of opening."""

    goal: str
    house: House
    route: tuple[Door, ...]
    views: tuple[View, ...]
    target: Landmark


class _LayoutError(Exception):
    """The drawn start and goal have no walk of the wanted kind; others are drawn."""


def _block(at: Spot, x: float, y: float, z: float, size: Sequence[float], colour: Colour) -> Box:
    """A box of ``size`` centred at the offset (x, y) from ``at`` that stands at height ``z``."""
    cx, cy = at[0] + x, at[1] + y
    w, d, h = size
    return Box((cx - w / 2, cy - d / 2, z), (cx + w / 2, cy + d / 2, z + h), colour)


def _legs(at: Spot, dx: float, dy: float, height: float, colour: Colour) -> list[Box]:
    return [_block(at, x, y, 0, (0.08, 0.08, height), colour) for x in (-dx, dx) for y in (-dy, dy)]


def _furniture(mark: Landmark) -> list[Box | Ball]:
    """The solid parts of one landmark."""
    at, colour = mark.at, COLOURS[mark.colour]
    if mark.kind == "table":
        return [
            *_legs(at, 0.5, 0.35, 0.72, BROWN),
            _block(at, 0, 0, 0.72, (1.2, 0.9, 0.08), colour),
        ]
    if mark.kind == "bed":
        return [
            _block(at, 0, 0, 0.0, (1.1, 1.7, 0.3), BROWN),
            _block(at, 0, 0, 0.3, (1.06, 1.66, 0.25), colour),
            _block(at, 0, 0.6, 0.55, (0.8, 0.35, 0.12), (0.97, 0.97, 0.97)),
            _block(at, 0, 0.88, 0, (1.2, 0.08, 1.1), BROWN),
        ]
    if mark.kind == "sofa":
        sides = [_block(at, s * 0.72, 0, 0, (0.2, 0.8, 0.65), colour) for s in (-1, 1)]
        soft: Colour = (colour[0] * 0.8, colour[1] * 0.8, colour[2] * 0.8)
        seat = _block(at, 0, 0, 0, (1.24, 0.8, 0.42), soft)
        return [seat, *sides, _block(at, 0, 0.4, 0, (1.64, 0.2, 0.95), colour)]
    if mark.kind == "chair":
        back = _block(at, 0, 0.24, 0.5, (0.55, 0.08, 0.65), colour)
        seat = _block(at, 0, 0, 0.45, (0.55, 0.55, 0.08), colour)
        return [*_legs(at, 0.22, 0.22, 0.45, BROWN), seat, back]
    if mark.kind == "lamp":
        pole = _block(at, 0, 0, 0, (0.08, 0.08, 1.3), (0.25, 0.25, 0.27))
        foot = _block(at, 0, 0, 0, (0.4, 0.4, 0.06), (0.25, 0.25, 0.27))
        return [foot, pole, _block(at, 0, 0, 1.2, (0.55, 0.55, 0.45), colour)]
    if mark.kind == "bookcase":
        case = [_block(at, 0, 0, 0, (1.2, 0.5, 1.8), colour)]
        shelves = [
            _block(at, 0, -0.26, 0.12 + 0.56 * i, (1.08, 0.04, 0.46), DARK) for i in range(3)
        ]
        books = [
            _block(at, 0.2 * i - 0.4, -0.27, 0.12 + 0.56 * j, (0.13, 0.06, 0.4), BOOKS[(i + j) % 4])
            for i, j in itertools.product(range(5), range(3))
        ]
        return [*case, *shelves, *books]
    leaves: Colour = (0.16, 0.50, 0.18)
    balls = [
        (0, 0, 1.15, 0.34),
        (0.22, 0.1, 0.9, 0.24),
        (-0.22, -0.1, 0.92, 0.26),
        (0, 0, 0.75, 0.22),
    ]
    pot = _block(at, 0, 0, 0, (0.45, 0.45, 0.5), colour)
    return [pot, *(Ball((at[0] + x, at[1] + y, z), r, leaves) for x, y, z, r in balls)]


KINDS = ("table", "bed", "sofa", "chair", "lamp", "bookcase", "plant")


def _walls(house: House) -> list[Box]:
    """Full-height wall pieces, with gaps at the doors."""
    grey, boxes = (0.5, 0.5, 0.5), []
    for axis, lines, ends in ((0, house.xs, house.ys), (1, house.ys, house.xs)):
        for line in lines:
            gaps = sorted(
                d.at[1 - axis] for d in house.doors if d.axis == axis and d.at[axis] == line
            )
            edges = [ends[0], *(g + s for g in gaps for s in (-DOOR / 2, DOOR / 2)), ends[-1]]
            for a, b in zip(edges[::2], edges[1::2], strict=True):
                low, high = (line - THICK, a), (line + THICK, b)
                if axis:
                    low, high = low[::-1], high[::-1]
                boxes.append(Box((*low, 0), (*high, WALL), grey))
    return boxes


def _door_parts(door: Door, opened: bool) -> list[Box]:
    """Frame and leaf; an open leaf stands at a right angle in the second room."""
    colour = door.paint
    frame: Colour = (colour[0] * 0.7, colour[1] * 0.7, colour[2] * 0.7)
    half, trim = DOOR / 2, THICK + 0.03
    # (along the walking direction, along the wall): low and high of each part, then heights
    parts = [
        ((-trim, -half), (trim, half), (LINTEL, WALL), frame, 0),
        ((-trim, -half - 0.08), (trim, -half + 0.04), (0, LINTEL), frame, 0),
        ((-trim, half - 0.04), (trim, half + 0.08), (0, LINTEL), frame, 0),
        ((-0.03, -half), (0.03, half), (0, LINTEL), colour, door.style),
    ]
    if opened:
        parts[3] = ((0.05, half - 0.09), (DOOR - 0.1, half - 0.04), (0, LINTEL), colour, door.style)
    boxes = []
    for (a0, w0), (a1, w1), (z0, z1), paint, style in parts:
        low, high = ((a0, w0), (a1, w1)) if door.axis == 0 else ((w0, a0), (w1, a1))
        x, y = door.at
        boxes.append(
            Box((x + low[0], y + low[1], z0), (x + high[0], y + high[1], z1), paint, style)
        )
    return boxes


def _rays(view: View, wide: int, field: float) -> tuple[Pixels, Pixels]:
    """Ray per column (wide, 2), of length 1 along the view, and the forward and right vectors."""
    cos, sin = math.cos(view.heading), math.sin(view.heading)
    axes = np.array([[cos, sin], [sin, -cos]], np.float32)
    side = ((np.arange(wide, dtype=np.float32) + 0.5) / wide * 2 - 1) * field
    rays = axes[0] + side[:, None] * axes[1]
    return np.where(np.abs(rays) < 1e-6, np.float32(1e-6), rays), axes


def _hits(
    boxes: Sequence[Box], view: View, rays: Pixels
) -> tuple[Pixels, Pixels, NDArray[np.int_]]:
    """Where every ray enters and leaves every box, and the axis of its entry: (boxes, wide)."""
    corners = np.array([[b.low[:2], b.high[:2]] for b in boxes], np.float32)
    cuts = (corners[:, :, None, :] - np.array(view.at, np.float32)) / rays
    enter, leave = cuts.min(axis=1), cuts.max(axis=1)
    return enter.max(axis=2), leave.min(axis=2), enter.argmax(axis=2)


class _Canvas:
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
        near, far, faces = _hits(_walls(self.house), self.view, self.rays)
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
            np.where(
                pattern == 1, np.floor(y / 0.3) % 2, (np.floor(x / 0.7) + np.floor(y / 0.7)) % 2
            ),
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


def _draw(walk: Plan, view: View, size: int) -> Image.Image:
    house = walk.house
    canvas = _Canvas(house, view, size)
    canvas.shell()
    opened = walk.route[: view.opened]
    parts = [part for mark in house.landmarks for part in _furniture(mark)]
    boxes = [part for part in parts if isinstance(part, Box)]
    canvas.boxes(boxes + [b for door in house.doors for b in _door_parts(door, door in opened)])
    for part in parts:
        if isinstance(part, Ball):
            canvas.ball(part)
    return canvas.image()


def _house(rng: Rng) -> House:
    wide, deep = ((2, 2), (3, 2), (2, 3))[int(rng.integers(3))]
    xs = (0.0, *np.cumsum(rng.uniform(4.4, 5.8, wide)).round(2).tolist())
    ys = (0.0, *np.cumsum(rng.uniform(4.4, 5.8, deep)).round(2).tolist())
    rooms = [(i, j) for i in range(wide) for j in range(deep)]
    names = rng.choice(list(WALLS), len(rooms), replace=False)
    decor = {
        room: Decor(
            str(name),
            _jitter(rng, WALLS[str(name)]),
            _jitter(rng, FLOORS[int(rng.integers(len(FLOORS)))]),
            int(rng.integers(4)),
            int(rng.integers(3)),
        )
        for room, name in zip(rooms, names, strict=True)
    }
    doors = _doors(rng, xs, ys, rooms)
    light, eye, field = (float(rng.uniform(*r)) for r in ((0.9, 1.12), (1.3, 1.7), (0.7, 0.88)))
    bare = House(xs, ys, decor, doors, (), light, eye, field)
    return replace(bare, landmarks=_landmarks(rng, bare))


def _jitter(rng: Rng, colour: Colour) -> Colour:
    r, g, b = (float(np.clip(c + rng.uniform(-0.05, 0.05), 0, 1)) for c in colour)
    return r, g, b


def _doors(
    rng: Rng, xs: Sequence[float], ys: Sequence[float], rooms: Sequence[Room]
) -> tuple[Door, ...]:
    colours, doors = [str(c) for c in rng.permutation(list(COLOURS))], []
    for i, j in rooms:
        for axis, beyond in ((0, (i + 1, j)), (1, (i, j + 1))):
            if beyond in rooms and rng.uniform() < 0.85:
                lines, k = (ys, j) if axis == 0 else (xs, i)
                across = float(rng.uniform(lines[k] + 1.1, lines[k + 1] - 1.1))
                at = (xs[i + 1], across) if axis == 0 else (across, ys[j + 1])
                colour, style = colours.pop(), int(rng.integers(1, 4))
                paint = _jitter(rng, COLOURS[colour])
                doors.append(Door(colour, paint, style, ((i, j), beyond), at, axis))
    return tuple(doors)


def _landmarks(rng: Rng, house: House) -> tuple[Landmark, ...]:
    """Two differing pieces of furniture per room, away from the doors and from each other."""
    marks: list[Landmark] = []
    for room in house.decor:
        (x0, x1), (y0, y1) = house.xs[room[0] :][:2], house.ys[room[1] :][:2]
        for kind in rng.choice(KINDS, 2, replace=False):
            # Backs of chairs, sofas, beds and bookcases belong against the wall of largest y.
            free = kind in ("table", "lamp", "plant") and rng.uniform() < 0.6
            y = y0 + 0.9 if free else y1 - (1.05 if kind == "bed" else 0.75)
            mark = Landmark(
                str(kind), _colour(rng), room, (float(rng.uniform(x0 + 0.95, x1 - 0.95)), y)
            )
            others = [m.at for m in marks] + [d.at for d in house.doors]
            if all(math.dist(mark.at, o) > 1.7 for o in others) and mark.name not in [
                m.name for m in marks
            ]:
                marks.append(mark)
    return tuple(marks)


def _colour(rng: Rng) -> str:
    return str(rng.choice(list(COLOURS)))


def _path(house: House, start: Room, goal: Room) -> list[Door]:
    """Doors of a shortest way between two rooms (breadth-first search)."""
    ways: dict[Room, list[Door]] = {start: []}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for door in house.doors:
            if here in door.rooms:
                there = door.rooms[1 - door.rooms.index(here)]
                if there not in ways:
                    ways[there] = [*ways[here], door]
                    queue.append(there)
    if goal not in ways:
        raise _LayoutError
    return ways[goal]


class _Walk:
    """A walk under construction: every action appends the views that become frames."""

    def __init__(self, rng: Rng, house: House, at: Spot, heading: float, text: str) -> None:
        self.rng, self.house, self.opened = rng, house, 0
        self.views = [View(at, heading, 0, text)]

    def _add(self, at: Spot, heading: float, text: str) -> None:
        self.views.append(View(at, heading, self.opened, text))

    def turn(self, target: Spot, name: str) -> float:
        """Turn towards ``target``, in two frames if far round; returns the new heading."""
        last = self.views[-1]
        heading = math.atan2(target[1] - last.at[1], target[0] - last.at[0])
        angle = math.remainder(heading - last.heading, math.tau)
        if abs(angle) > 2.2:
            raise _LayoutError
        side = "left" if angle > 0 else "right"
        if abs(angle) > 1.1:
            text = f"the walker began to turn {side} to look for {name}"
            self._add(last.at, last.heading + angle / 2, text)
        if abs(angle) > 0.25:
            self._add(last.at, heading, f"the walker turned {side} towards {name}")
        return heading

    def walk(self, to: Spot, name: str, heading: float, facing: float | None = None) -> None:
        """Walk straight to ``to`` in one to three frames and look along ``facing`` at the end."""
        here = self.views[-1].at
        length = math.dist(here, to)
        for mark in self.house.landmarks:
            if mark.name != name and _clearance(mark.at, here, to) < 0.95:
                raise _LayoutError
        count = 1 + (length > 1.6) + (length > 3.4)
        course = math.atan2(to[1] - here[1], to[0] - here[0])
        # Too short to be seen, or sideways or backwards because the walker is already too near.
        if length < 0.8 or abs(math.remainder(course - heading, math.tau)) > 0.6:
            raise _LayoutError
        for i in range(1, count):
            part = i / count
            at = (here[0] + part * (to[0] - here[0]), here[1] + part * (to[1] - here[1]))
            way = (
                "half of the way"
                if count == 2
                else ("a third of the way", "most of the way")[i - 1]
            )
            self._add(at, heading, f"the walker walked {way} to {name}")
        end = heading if facing is None else facing
        self._add(to, end, f"the walker arrived in front of {name}")

    def approach(self, mark: Landmark, distance: float) -> None:
        heading = self.turn(mark.at, mark.name)
        back = (math.cos(heading) * distance, math.sin(heading) * distance)
        self.walk((mark.at[0] - back[0], mark.at[1] - back[1]), mark.name, heading)

    def through(self, door: Door, room: Room) -> None:
        """Walk up to ``door``, open it and go on into ``room``."""
        sign = 1 if door.rooms[1] == room else -1
        ahead = (sign, 0) if door.axis == 0 else (0, sign)
        # Exactly alike views of alike doors would make different episodes share a frame.
        off, slant, past = (
            float(self.rng.uniform(*r)) for r in ((1.35, 1.9), (-0.2, 0.2), (0.9, 1.4))
        )
        facing = math.atan2(ahead[1], ahead[0]) + slant
        front = (door.at[0] - off * ahead[0], door.at[1] - off * ahead[1])
        heading = self.turn(door.at, door.name)
        self.walk(front, door.name, heading, facing)
        self.opened += 1
        self._add(front, facing, f"the walker opened {door.name}")
        behind = (door.at[0] + past * ahead[0], door.at[1] + past * ahead[1])
        name = self.house.decor[room].name
        self._add(behind, facing, f"the walker went through {door.name} into the {name} room")


def _clearance(point: Spot, a: Spot, b: Spot) -> float:
    """Distance of a point from the straight way between ``a`` and ``b``."""
    way, off = np.subtract(b, a), np.subtract(point, a)
    part = float(np.clip(way @ off / max(float(way @ way), 1e-9), 0, 1))
    return float(np.linalg.norm(off - part * way))


def _plan_in(rng: Rng, family: str, house: House) -> Plan:
    """Draw a start and a goal in ``house`` and walk from one to the other."""
    start = sorted(house.decor)[int(rng.integers(len(house.decor)))]
    mark = house.landmarks[int(rng.integers(len(house.landmarks)))]
    route = _path(house, start, mark.room)
    here = [m for m in house.landmarks if m.room == start]
    exits = sum(start in door.rooms for door in house.doors)
    if len(route) != (2 if family == "two_doors" else 1):
        raise _LayoutError
    if (family == "via_landmark" and not here) or (family == "coloured_door" and exits < 2):
        raise _LayoutError
    via = here[:1] if family == "via_landmark" else []
    walk = _start(rng, house, start, via[0].at if via else route[0].at)
    for stop in via:
        walk.approach(stop, float(rng.uniform(1.6, 2.0)))
    room = start
    for door in route:
        room = door.rooms[1 - door.rooms.index(room)]
        walk.through(door, room)
    walk.approach(mark, float(rng.uniform(1.7, 2.1)))
    if not 8 <= len(walk.views) <= 12:
        raise _LayoutError
    goal = _goal(family, house, route, via, mark)
    return Plan(goal, house, tuple(route), tuple(walk.views), mark)


def plan(rng: Rng, family: str) -> Plan:
    """Draw houses until one has a walk of the wanted family."""
    for _ in range(HOUSES):
        house = _house(rng)
        for _ in range(WALKS if house.landmarks else 0):
            with suppress(_LayoutError):
                return _plan_in(rng, family, house)
    raise RuntimeError(f"navigation: no {family} walk in {HOUSES} houses")


def _start(rng: Rng, house: House, room: Room, first: Spot) -> _Walk:
    """Stand somewhere in the room, looking past the first target but not at a near wall."""
    (x0, x1), (y0, y1) = house.xs[room[0] :][:2], house.ys[room[1] :][:2]
    at = (float(rng.uniform(x0 + 0.7, x1 - 0.7)), float(rng.uniform(y0 + 0.7, y1 - 0.7)))
    if math.dist(at, first) < 2.4 or any(math.dist(at, m.at) < 1.3 for m in house.landmarks):
        raise _LayoutError
    turn = float(rng.choice([-1, 1]) * rng.uniform(0.4, 1.8))
    heading = math.atan2(first[1] - at[1], first[0] - at[0]) + turn
    end = (at[0] + 2.2 * math.cos(heading), at[1] + 2.2 * math.sin(heading))
    if not (x0 < end[0] < x1 and y0 < end[1] < y1):
        raise _LayoutError
    return _Walk(rng, house, at, heading, f"the walker stands in the {house.decor[room].name} room")


def _goal(
    family: str, house: House, route: Sequence[Door], via: Sequence[Landmark], mark: Landmark
) -> str:
    if family == "coloured_door":
        return f"go through {route[0].name} and walk to {mark.name}"
    if family == "two_doors":
        return f"go through {route[0].name}, then through {route[1].name}, and walk to {mark.name}"
    if family == "via_landmark":
        return f"walk to {via[0].name} first and then to {mark.name} in the next room"
    return f"find {mark.name} in the {house.decor[mark.room].name} room"


def _distinct(frames: Sequence[Image.Image]) -> bool:
    """Whether any two frames differ by more than 1 % of the cells of a 32 x 32 thumbnail."""
    cells = [np.asarray(f.resize((32, 32), Image.Resampling.BOX), np.int16) for f in frames]
    return all(
        np.mean(np.abs(a - b).max(axis=2) > 16) > 0.01 for a, b in itertools.combinations(cells, 2)
    )


def episode(seed: int, size: int) -> Episode:
    """Simulate one walk to a goal; frames are RGB, ``size`` x ``size`` pixels."""
    family = FAMILIES[seed % len(FAMILIES)]
    for attempt in range(ATTEMPTS):
        walk = plan(np.random.default_rng([seed, attempt]), family)
        frames = tuple(_draw(walk, view, size) for view in walk.views)
        if _distinct(frames):
            return Episode(walk.goal, family, frames, tuple(view.text for view in walk.views))
    raise RuntimeError(f"navigation seed {seed}: frames look alike in {ATTEMPTS} walks")
