"""A house: a grid of rectangular rooms with doors in the walls between them, and what they hold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tpru.simulators.episode import Colour, Rng, dimmed
from tpru.simulators.navigation.solids import FURNITURE, Box, Solids, Spot

Room = tuple[int, int]

WALL, THICK, DOOR, LINTEL = 2.6, 0.07, 1.1, 2.05
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


def walls(house: House) -> list[Box]:
    """Full-height wall pieces, with gaps at the doors."""
    grey, boxes = (0.5, 0.5, 0.5), []
    for axis, lines, ends in ((0, house.xs, house.ys), (1, house.ys, house.xs)):
        for line in lines:
            gaps = sorted(d.at[1 - axis] for d in house.doors if d.axis == axis and d.at[axis] == line)
            edges = [ends[0], *(g + s for g in gaps for s in (-DOOR / 2, DOOR / 2)), ends[-1]]
            for a, b in zip(edges[::2], edges[1::2], strict=True):
                low, high = (line - THICK, a), (line + THICK, b)
                if axis:
                    low, high = low[::-1], high[::-1]
                boxes.append(Box((*low, 0), (*high, WALL), grey))
    return boxes


def door_parts(door: Door, opened: bool) -> list[Box]:
    """Frame and leaf; an open leaf stands at a right angle in the second room."""
    colour = door.paint
    frame = dimmed(colour, 0.7)
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
        boxes.append(Box((x + low[0], y + low[1], z0), (x + high[0], y + high[1], z1), paint, style))
    return boxes


def furniture(mark: Landmark) -> Solids:
    """The solid parts of one landmark."""
    return FURNITURE[mark.kind](mark.at, COLOURS[mark.colour])


def draw_house(rng: Rng) -> House:
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


def _doors(rng: Rng, xs: Sequence[float], ys: Sequence[float], rooms: Sequence[Room]) -> tuple[Door, ...]:
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
        for kind in rng.choice(list(FURNITURE), 2, replace=False):
            # Backs of chairs, sofas, beds and bookcases belong against the wall of largest y.
            free = kind in ("table", "lamp", "plant") and rng.uniform() < 0.6
            y = y0 + 0.9 if free else y1 - (1.05 if kind == "bed" else 0.75)
            colour = str(rng.choice(list(COLOURS)))
            at = (float(rng.uniform(x0 + 0.95, x1 - 0.95)), y)
            mark = Landmark(str(kind), colour, room, at)
            others = [m.at for m in marks] + [d.at for d in house.doors]
            if all(math.dist(mark.at, o) > 1.7 for o in others) and mark.name not in [m.name for m in marks]:
                marks.append(mark)
    return tuple(marks)
