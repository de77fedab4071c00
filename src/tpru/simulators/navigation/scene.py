"""What of a house can be seen from one view: walls, doors, furniture and items as labelled solids."""

import math
from dataclasses import dataclass

from tpru.simulators.episode import Colour, dimmed
from tpru.simulators.navigation.house import DOOR, HALF_WALL, LINTEL, SIDES, WALL, Door, House, Room
from tpru.simulators.navigation.solids import FURNITURE, ITEMS, Ball, Box, Solid, block, moved
from tpru.simulators.navigation.walk import CARRIED, View

SKIN: Colour = (0.93, 0.72, 0.58)
SIGN: Colour = (0.05, 0.85, 0.35)
GREY: Colour = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Scene:
    """What ``view`` shows.

    rooms: numbers of the rooms that are connected to the walker by open doors, its own first.
    walls: (number of the room, piece of wall).
    parts: (label, solid); labels count the things of the house from 1, 0 for none.
    """

    house: House
    view: View
    rooms: list[int]
    walls: list[tuple[int, Box]]
    parts: list[tuple[int, Solid]]


def scene(house: House, view: View) -> Scene:
    rooms = _rooms(house, view)
    walls = [(k, piece) for k in rooms for piece in _walls(house, k)]
    parts: list[tuple[int, Solid]] = []
    for label, thing in enumerate(house.things(), 1):
        if isinstance(thing, Door):
            if set(thing.rooms) & set(rooms):
                parts += [(label, part) for part in _door(house, thing, thing.name in view.opened)]
        elif thing.name in dict(view.places):
            parts += [(label, part) for part in _item(house, view, thing.name)]
        elif any(mark.name == thing.name and mark.room in rooms for mark in house.marks):
            parts += [(label, part) for part in _mark(house, thing.name)]
    if view.carried:
        parts += [(0, hand) for hand in _hands(house, view)]
    return Scene(house, view, rooms, walls, parts)


def _rooms(house: House, view: View) -> list[int]:
    found = [view.room]
    for room in found:  # grows while it is walked along
        for door in house.doors:
            if room in door.rooms and (not door.leaf or door.name in view.opened):
                other = door.rooms[1 - door.rooms.index(room)]
                if other not in found:
                    found.append(other)
    return found


def _walls(house: House, number: int) -> list[Box]:
    """The walls of a room, just outside of its rectangle, with gaps at the doors."""
    room = house.rooms[number]
    if room.outdoor:
        return []
    doors = [door for door in house.doors if number in door.rooms]
    return [piece for side in range(4) for piece in _wall(room, number, side, doors)]


def _wall(room: Room, number: int, side: int, doors: list[Door]) -> list[Box]:
    axis, out = side % 2, SIDES[side][side % 2]
    line = (room.high if out > 0 else room.low)[axis]
    near, far = sorted((line, line + out * HALF_WALL))
    own = [door for door in doors if (door.side + (0 if door.rooms[0] == number else 2)) % 4 == side]
    gaps = sorted(door.at[1 - axis] for door in own)
    ends = (room.low[1 - axis] - HALF_WALL, room.high[1 - axis] + HALF_WALL)
    edges = [ends[0], *(g + s for g in gaps for s in (-DOOR / 2, DOOR / 2)), ends[1]]
    pieces = []
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        low, high = ((near, a), (far, b)) if axis == 0 else ((a, near), (b, far))
        pieces.append(Box((*low, 0), (*high, WALL), GREY))
    return pieces


def _door(house: House, door: Door, opened: bool) -> list[Solid]:
    """Frame, sign and leaf; an open leaf stands at a right angle in the second room."""
    walls = [house.rooms[k].wall for k in door.rooms]
    frame, half, trim = dimmed(door.paint, 0.72), DOOR / 2, HALF_WALL + 0.04
    parts = [
        block(0, 0, LINTEL, (2 * trim, DOOR + 0.2, 0.14), frame),
        *(
            block(s * HALF_WALL / 2, 0, LINTEL, (HALF_WALL, DOOR, WALL - LINTEL), wall)
            for s, wall in zip((-1, 1), walls, strict=True)
        ),
        *(block(0, s * (half + 0.02), 0, (2 * trim, 0.16, LINTEL), frame) for s in (-1, 1)),
    ]
    if door.sign:
        parts += [block(s * (trim + 0.02), 0, LINTEL + 0.12, (0.06, 1.0, 0.36), SIGN) for s in (-1, 1)] + [
            block(s * (trim + 0.06), 0, LINTEL + 0.22, (0.02, 0.7, 0.14), (1.0, 1.0, 1.0)) for s in (-1, 1)
        ]
    if door.leaf and opened:
        low, high = (0.05, half - 0.12, 0), (DOOR - 0.1, half - 0.06, LINTEL)
        parts.append(Box(low, high, door.paint, door.style))
    elif door.leaf:
        parts.append(Box((-0.04, -half, 0), (0.04, half, LINTEL), door.paint, door.style))
    return [moved(part, door.at, door.side) for part in parts]


def _mark(house: House, name: str) -> list[Solid]:
    mark = next(mark for mark in house.marks if mark.name == name)
    return [moved(part, mark.at, mark.side) for part in mark.shape.build(mark.paint, house.style.wood)]


def _item(house: House, view: View, name: str) -> list[Solid]:
    """An item in the walker's hands or on furniture; on a table, items lie apart."""
    item = next(item for item in house.items if item.name == name)
    solids = ITEMS[item.kind](item.paint)
    place = dict(view.places)[name]
    if place == CARRIED:
        x, y, z = _held(house, view)
        return [_raised(moved(part, (x, y), 0), z - 0.2) for part in solids]
    mark = next(mark for mark in house.marks if mark.name == place)
    aside = 0.0
    if mark.kind == house.style.of.tables:
        aside = 0.34 if house.items.index(item) else -0.34
    top = FURNITURE[mark.kind].top or 0.0
    return [moved(_raised(moved(part, (0.1, aside), 0), top), mark.at, mark.side) for part in solids]


def _raised(solid: Solid, by: float) -> Solid:
    if isinstance(solid, Ball):
        x, y, z = solid.at
        return Ball((x, y, z + by), solid.radius, solid.colour)
    (a, b, c), (d, e, f) = solid.low, solid.high
    return Box((a, b, c + by), (d, e, f + by), solid.colour, solid.style)


def _held(house: House, view: View) -> tuple[float, float, float]:
    """Where a carried thing is: in the lower part of the picture."""
    style = house.style
    ahead = style.scale(0.9)
    down = (1 - style.horizon) * 2 * style.field * ahead * 0.72
    return (
        view.at[0] + ahead * math.cos(view.heading),
        view.at[1] + ahead * math.sin(view.heading),
        style.eye - down,
    )


def _hands(house: House, view: View) -> list[Solid]:
    x, y, z = _held(house, view)
    right = (math.sin(view.heading), -math.cos(view.heading))
    return [Ball((x + s * 0.24 * right[0], y + s * 0.24 * right[1], z - 0.1), 0.09, SKIN) for s in (-1, 1)]
