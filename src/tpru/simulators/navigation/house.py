"""A house: rectangular rooms with doors between them, furniture along the walls, and small items.

Lengths are metres, angles radians; a side (or a facing) k is the direction of k quarter turns from +x.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from tpru.simulators.episode import Colour, RejectedError, Rng
from tpru.simulators.navigation.solids import FURNITURE, Kind, Spot
from tpru.simulators.navigation.styles import Style, jitter

WALL, HALF_WALL, DOOR, LINTEL = 2.7, 0.07, 1.3, 2.1
SIDES: tuple[Spot, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))
GRASS: Colour = (0.36, 0.62, 0.22)


@dataclass(frozen=True)
class Room:
    """A rectangle with corners ``low`` and ``high``; outdoors there are no walls."""

    name: str
    low: Spot
    high: Spot
    wall: Colour
    floor: Colour
    wall_pattern: int
    floor_pattern: int
    outdoor: bool = False

    def holds(self, spot: Spot, margin: float) -> bool:
        return all(a + margin <= x <= b - margin for a, x, b in zip(self.low, spot, self.high, strict=True))


@dataclass(frozen=True)
class Door:
    """A door in side ``side`` of room ``rooms[0]`` that opens into room ``rooms[1]`` (numbers of rooms).

    Without a leaf it is an open doorway.
    """

    name: str
    colour: str
    paint: Colour
    style: int
    at: Spot
    side: int
    rooms: tuple[int, int]
    leaf: bool = True
    sign: bool = False


@dataclass(frozen=True)
class Mark:
    """A piece of furniture that faces direction ``side``."""

    name: str
    colour: str
    paint: Colour
    kind: str
    at: Spot
    side: int
    room: int

    @property
    def shape(self) -> Kind:
        return FURNITURE[self.kind]


@dataclass(frozen=True)
class Item:
    """A small thing to carry."""

    name: str
    colour: str
    paint: Colour
    kind: str


Thing = Door | Mark | Item


@dataclass
class House:
    """Grows while a walk is planned."""

    style: Style
    rooms: list[Room] = field(default_factory=list)
    doors: list[Door] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    def things(self) -> list[Thing]:
        return [*self.doors, *self.marks, *self.items]


def add_room(rng: Rng, house: House, low: Spot, high: Spot, outdoor: bool = False) -> int:
    """Number of a new room.

    Raises:
        RejectedError: the place is taken or the names are used up.
    """
    style = house.style
    for room in house.rooms:
        if all(room.low[k] < high[k] and low[k] < room.high[k] for k in (0, 1)):
            raise RejectedError
    if not style.walls:
        raise RejectedError
    name = "outside" if outdoor else style.walls.pop()
    floor = GRASS if outdoor else style.of.floors[int(rng.integers(len(style.of.floors)))]
    wall = GRASS if outdoor else style.of.walls[name]
    patterns = (int(rng.choice(style.of.wall_patterns)), int(rng.choice(style.of.floor_patterns)))
    paints = (jitter(rng, wall, 0.025), jitter(rng, floor, 0.04))
    house.rooms.append(Room(name, low, high, *paints, *patterns, outdoor))
    return len(house.rooms) - 1


def first_room(rng: Rng, house: House, least: float = 6.2, most: float = 7.4) -> int:
    """Number of a first room with sides between ``least`` and ``most``."""
    wide, deep = (float(s) for s in rng.uniform(least, most, 2))
    return add_room(rng, house, (0.0, 0.0), (wide, deep))


def add_door(
    rng: Rng, house: House, room: int, side: int, along: float, span: Spot, kind: str = "door"
) -> Door:
    """A door (or "doorway", or "exit") in a wall, and a new room behind it.

    Args:
        along: coordinate of the door along the wall.
        span: lower and upper end of the new room along that wall.
    """
    base, axis = house.rooms[room], side % 2
    out = SIDES[side][axis]
    line = (base.high if out > 0 else base.low)[axis]
    deep = float(rng.uniform(6.0, 7.2)) if kind != "exit" else 14.0
    a, b = sorted((line + 2 * HALF_WALL * out, line + deep * out))
    low, high = ((a, span[0]), (b, span[1])) if axis == 0 else ((span[0], a), (span[1], b))
    behind = add_room(rng, house, low, high, kind == "exit")
    walls = [house.rooms[k].wall for k in (room, behind)]
    colour, paint = house.style.colour(rng, walls)
    name = "the exit door" if kind == "exit" else f"the {colour} {kind}"
    if name in [door.name for door in house.doors]:
        raise RejectedError
    middle = line + HALF_WALL * out
    at = (middle, along) if axis == 0 else (along, middle)
    look = int(rng.choice(house.style.of.door_styles))
    door = Door(name, colour, paint, look, at, side, (room, behind), kind != "doorway", kind == "exit")
    house.doors.append(door)
    return door


def random_door(rng: Rng, house: House, room: int, sides: tuple[int, ...], kind: str = "door") -> Door:
    """A door somewhere in one of ``sides``, with a room behind it."""
    side, base = int(rng.choice(sides)), house.rooms[room]
    a, b = base.low[1 - side % 2], base.high[1 - side % 2]
    along = float(rng.uniform(a + 1.5, b - 1.5))
    wide = float(rng.uniform(6.0, 7.2))
    start = along - float(rng.uniform(1.5, wide - 1.5))
    return add_door(rng, house, room, side, along, (start, start + wide), kind)


def twin_doors(rng: Rng, house: House, room: int, side: int) -> tuple[Door, Door]:
    """Two doors next to each other in one wall, each with its own room behind it; in random order."""
    base = house.rooms[room]
    a, b = base.low[1 - side % 2], base.high[1 - side % 2]
    middle, wide = (a + b) / 2 + float(rng.uniform(-0.3, 0.3)), float(rng.uniform(5.8, 6.6))
    apart = [float(x) for x in rng.uniform(1.15, 1.6, 2)]
    lower = add_door(rng, house, room, side, middle - apart[0], (middle - wide, middle - HALF_WALL))
    upper = add_door(rng, house, room, side, middle + apart[1], (middle + HALF_WALL, middle + wide))
    return (lower, upper) if rng.uniform() < 0.5 else (upper, lower)


def add_mark(rng: Rng, house: House, room: int, kind: str | None = None, walls: tuple[int, ...] = ()) -> Mark:
    """Furniture with its back to a wall (one of the sides ``walls``, or any), away from doors and others.

    Raises:
        RejectedError: there is no place for it.
    """
    base = house.rooms[room]
    kind = kind or house.style.kind()
    colour, paint = house.style.colour(rng, [base.wall])
    name = f"the {colour} {kind}"
    if name in [mark.name for mark in house.marks]:
        raise RejectedError
    shape = FURNITURE[kind]
    for _ in range(12):
        wall = int(rng.choice(walls or (0, 1, 2, 3)))
        at = _against(rng, base, wall, shape)
        doors = [door for door in house.doors if room in door.rooms]
        if all(math.dist(at, door.at) > 1.1 + shape.wide / 2 for door in doors) and all(
            math.dist(at, mark.at) > 0.7 + (shape.wide + mark.shape.wide) / 2 for mark in house.marks
        ):
            mark = Mark(name, colour, paint, kind, at, (wall + 2) % 4, room)
            house.marks.append(mark)
            return mark
    raise RejectedError


def _against(rng: Rng, room: Room, wall: int, shape: Kind) -> Spot:
    axis, reach = wall % 2, shape.deep / 2 + 0.06
    fixed = room.high[axis] - reach if wall < 2 else room.low[axis] + reach
    side = shape.wide / 2 + 0.15
    along = float(rng.uniform(room.low[1 - axis] + side, room.high[1 - axis] - side))
    return (fixed, along) if axis == 0 else (along, fixed)


def add_item(rng: Rng, house: House, kind: str, room: int) -> Item:
    """A new small thing that stands out in ``room``."""
    colour, paint = house.style.colour(rng, [house.rooms[room].wall])
    item = Item(f"the {colour} {kind}", colour, paint, kind)
    house.items.append(item)
    return item


def clearance(point: Spot, a: Spot, b: Spot) -> float:
    """Distance of a point from the straight way between ``a`` and ``b``."""
    way, off = np.subtract(b, a), np.subtract(point, a)
    part = float(np.clip(way @ off / max(float(way @ way), 1e-9), 0, 1))
    return float(np.linalg.norm(off - part * way))
