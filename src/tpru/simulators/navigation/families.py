"""The kinds of walks: each builds a house around a way through it."""

import math
from collections.abc import Callable
from contextlib import suppress

from tpru.simulators.episode import Look, RejectedError, Rng
from tpru.simulators.navigation.house import (
    SIDES,
    Door,
    House,
    Mark,
    add_door,
    add_item,
    add_mark,
    add_room,
    first_room,
    random_door,
    twin_doors,
)
from tpru.simulators.navigation.solids import FURNITURE, LEAF
from tpru.simulators.navigation.styles import draw_style
from tpru.simulators.navigation.walk import CARRIED, CLOSE, NEAR, Walk

DRAWS = 400
SIDES_ALL = (0, 1, 2, 3)


def _scatter(rng: Rng, house: House, room: int, count: int) -> None:
    """Furniture that the goal is not about, as far as there is room."""
    for _ in range(count):
        with suppress(RejectedError):
            add_mark(rng, house, room)


def _doors(rng: Rng, house: House, room: int) -> tuple[Door, Door]:
    """A door to go through and another one, in one wall or in two."""
    if rng.uniform() < 0.5:
        return twin_doors(rng, house, room, int(rng.integers(4)))
    door = random_door(rng, house, room, SIDES_ALL)
    rest = tuple(side for side in SIDES_ALL if side != door.side)
    return door, random_door(rng, house, room, rest)


def _onward(rng: Rng, house: House, door: Door, kind: str = "door") -> Door:
    """A door in a wall of the room behind ``door``, other than the wall where one enters."""
    back = (door.side + 2) % 4
    return random_door(rng, house, door.rooms[1], tuple(s for s in SIDES_ALL if s != back), kind)


def _opposite(rng: Rng, house: House, door: Door) -> Mark:
    """Furniture in the room behind ``door``, not in the wall of the door."""
    back = (door.side + 2) % 4
    return add_mark(rng, house, door.rooms[1], None, tuple(s for s in SIDES_ALL if s != back))


def find_object(rng: Rng, house: House) -> Walk:
    walk = Walk(rng, house, first_room(rng, house))
    door, _ = _doors(rng, house, walk.room)
    mark = _opposite(rng, house, door)
    _scatter(rng, house, walk.room, 2)
    _scatter(rng, house, door.rooms[1], 1)
    walk.glance(door)
    walk.through(door)
    walk.approach(mark)
    walk.goal = f"find {mark.name} in the {house.rooms[mark.room].name} room"
    return walk


def coloured_door(rng: Rng, house: House) -> Walk:
    walk = Walk(rng, house, first_room(rng, house))
    side = int(rng.integers(4))
    door, other = twin_doors(rng, house, walk.room, side)
    mark = _opposite(rng, house, door)
    _scatter(rng, house, walk.room, 2)
    _scatter(rng, house, door.rooms[1], 1)
    back, share = house.style.scale(4.6), float(rng.uniform(0.4, 0.6))
    x, y = (
        share * a + (1 - share) * b - back * s for a, b, s in zip(door.at, other.at, SIDES[side], strict=True)
    )
    if not house.rooms[walk.room].holds((x, y), 0.2):
        raise RejectedError
    text = f"the {door.colour} and the {other.colour} door are far ahead"
    walk.see((x, y), side * math.pi / 2, door.name, f"beside {other.name}", text)
    walk.through(door, (NEAR,))
    walk.glance(mark)
    walk.approach(mark)
    walk.goal = f"go through {door.name} and stop at {mark.name}"
    return walk


def two_doors(rng: Rng, house: House) -> Walk:
    walk = Walk(rng, house, first_room(rng, house))
    first, _ = _doors(rng, house, walk.room)
    second = _onward(rng, house, first)
    mark = _opposite(rng, house, second)
    with suppress(RejectedError):
        _onward(rng, house, first)
    for door in (first, second):
        _scatter(rng, house, door.rooms[0], 1)
    _scatter(rng, house, mark.room, 1)
    walk.through(first)
    walk.through(second)
    walk.approach(mark)
    walk.goal = f"go through {first.name}, then {second.name}, and stop at {mark.name}"
    return walk


def via_landmark(rng: Rng, house: House) -> Walk:
    walk = Walk(rng, house, first_room(rng, house))
    door, _ = _doors(rng, house, walk.room)
    via = add_mark(rng, house, walk.room)
    mark = _opposite(rng, house, door)
    _scatter(rng, house, walk.room, 1)
    _scatter(rng, house, mark.room, 1)
    walk.approach(via)
    walk.through(door)
    walk.approach(mark)
    walk.goal = f"walk to {via.name}, go through {door.name} and stop at {mark.name}"
    return walk


def third_door(rng: Rng, house: House) -> Walk:
    """A corridor with three doors in one side, walked along to the last of them."""
    axis, wide = int(rng.integers(2)), float(rng.uniform(3.2, 3.5))
    long, start, gap = 13.4, float(rng.uniform(4.9, 5.3)), float(rng.uniform(2.8, 3.0))
    walk = Walk(rng, house, add_room(rng, house, (0, 0), (long, wide) if axis == 0 else (wide, long)))
    left = bool(rng.uniform() < 0.5)
    side = (axis + (1 if left else 3)) % 4
    doors = []
    for k in range(3):
        along = start + gap * k
        end = along + (gap / 2 - 0.1 if k < 2 else 4.6)
        doors.append(add_door(rng, house, walk.room, side, along, (along - gap / 2 + 0.1, end)))
    mark = add_mark(rng, house, doors[2].rooms[1], None, (side, axis))
    _scatter(rng, house, mark.room, 1)
    walk.aim(doors[2])
    where = "on the left" if left else "on the right"
    away = -1 if SIDES[side][1 - axis] > 0 else 1
    ahead, turn = axis * math.pi / 2, 1 if left else -1
    for k, (back, angle) in enumerate(((3.7, 0.3), (1.9, 0.56), (1.9, 0.56), (1.9, 0.56))):
        door = doors[max(k - 1, 0)]
        x, y = door.at[axis] - house.style.scale(back), door.at[1 - axis] + away * house.style.scale(2.3)
        at = (x, y) if axis == 0 else (y, x)
        if not house.rooms[walk.room].holds(at, 0.2):
            raise RejectedError
        text = f"{door.name} is near {where}" if k else f"three doors are ahead {where}"
        walk.see(at, ahead + turn * angle, door.name, f"near {where}" if k else f"ahead {where}", text)
    walk.through(doors[2], (NEAR,))
    walk.approach(mark)
    first, second, third = (door.name for door in doors)
    walk.goal = f"pass {first} and {second}, go through the third door, {third}, and stop at {mark.name}"
    return walk


def fetch(rng: Rng, house: House) -> Walk:
    of = house.style.of
    walk = Walk(rng, house, first_room(rng, house))
    table = add_mark(rng, house, walk.room, of.tables)
    kinds = [kind for kind in (*of.kinds, of.seats) if FURNITURE[kind].top and kind != of.tables]
    door = None
    if rng.uniform() < 0.5:
        door, _ = _doors(rng, house, walk.room)
        place = add_mark(rng, house, door.rooms[1], str(rng.choice(kinds)))
    else:
        place = add_mark(rng, house, walk.room, str(rng.choice(kinds)))
    _scatter(rng, house, walk.room, 1)
    _scatter(rng, house, place.room, 1)
    item, other = (add_item(rng, house, str(kind), walk.room) for kind in rng.permutation(of.items))
    if len({item.colour, other.colour, table.colour, place.colour}) < 4:
        raise RejectedError
    walk.places = {item.name: table.name, other.name: table.name}
    walk.aim(item, place)
    walk.approach(table)
    walk.places[item.name] = CARRIED
    walk.again(f"{item.name} was taken")
    if door:
        walk.through(door)
    walk.approach(place)
    walk.places[item.name] = place.name
    walk.again(f"{item.name} was put on {place.name}")
    walk.goal = f"take {item.name} from {table.name} and put it on {place.name}"
    return walk


def tour(rng: Rng, house: House) -> Walk:
    walk = Walk(rng, house, first_room(rng, house, 7.6, 9.0))
    marks = [add_mark(rng, house, walk.room) for _ in range(3)]
    _scatter(rng, house, walk.room, 2)
    with suppress(RejectedError):
        random_door(rng, house, walk.room, SIDES_ALL)
    for mark in marks:
        walk.approach(mark)
    first, second, third = (mark.name for mark in marks)
    walk.goal = f"visit {first} first, then {second} and last {third}"
    return walk


def leave_house(rng: Rng, house: House) -> Walk:
    """Through two open doorways to the exit door, and out on the grass."""
    walk = Walk(rng, house, first_room(rng, house))
    first = random_door(rng, house, walk.room, SIDES_ALL, "doorway")
    second = _onward(rng, house, first, "doorway")
    last = _onward(rng, house, second, "exit")
    for room in range(3):
        _scatter(rng, house, room, 2)
    out, aside = SIDES[last.side], SIDES[(last.side + 1) % 4]
    ahead, off = float(rng.uniform(7, 8)), float(rng.uniform(-1.5, 1.5))
    tree = (last.at[0] + ahead * out[0] + off * aside[0], last.at[1] + ahead * out[1] + off * aside[1])
    house.marks.append(Mark("the tree", "green", LEAF, "tree", tree, 0, last.rooms[1]))
    walk.through(first)
    walk.through(second)
    walk.through(last)
    walk.aim(house.marks[-1])
    del walk.views[-1]  # out on the grass looks clearer than in the door
    grass = (last.at[0] + 2.4 * out[0], last.at[1] + 2.4 * out[1])
    walk.see(grass, last.side * math.pi / 2, "the tree", "ahead", "the walker stands outside on the grass")
    rooms = [house.rooms[k].name for k in range(3)]
    walk.goal = (
        f"walk through the {rooms[0]}, the {rooms[1]} and the {rooms[2]} room and leave by the exit door"
    )
    return walk


def around_table(rng: Rng, house: House) -> Walk:
    """Around a table with a differently coloured seat at every side."""
    of = house.style.of
    walk = Walk(rng, house, first_room(rng, house, 7.4, 8.4))
    base = house.rooms[walk.room]
    middle = ((base.low[0] + base.high[0]) / 2, (base.low[1] + base.high[1]) / 2)
    colour, paint = house.style.colour(rng, [base.wall])
    table = Mark(f"the {colour} {of.tables}", colour, paint, of.tables, middle, 0, walk.room)
    house.marks.append(table)
    first, way = int(rng.integers(4)), 1 if rng.uniform() < 0.5 else -1
    seats = []
    for k in range(4):
        side = (first + way * k) % 4
        colour, paint = house.style.colour(rng, [base.wall])
        reach = 1.0 if side % 2 == 0 else 1.25
        at = (middle[0] + reach * SIDES[side][0], middle[1] + reach * SIDES[side][1])
        seats.append(Mark(f"the {colour} {of.seats}", colour, paint, of.seats, at, (side + 2) % 4, walk.room))
        house.marks.append(seats[-1])
    for mark in seats:
        walk.aim(mark)
    _scatter(rng, house, walk.room, 3)
    walk.aim(table)

    def circle(turn: float, reach: float, focus: str, how: str, text: str) -> None:
        angle = (first + way * turn) * math.pi / 2
        radius = 1.15 + house.style.scale(reach)
        at = (middle[0] + radius * math.cos(angle), middle[1] + radius * math.sin(angle))
        walk.see(at, angle + math.pi, focus, how, text)

    for k, seat in enumerate(seats):
        circle(k, 1.7, seat.name, NEAR, f"{seat.name} is near")
        if k < 3:
            pair = f"between {seat.name} and {seats[k + 1].name}"
            circle(k + 0.5, 1.7, table.name, pair, f"the {seat.colour} and {seats[k + 1].name} are near")
    circle(3, 1.0, seats[3].name, CLOSE, f"{seats[3].name} is very near")
    names = [seat.name for seat in seats]
    walk.goal = f"walk around {table.name}: from {names[0]} past {names[1]} and {names[2]} to {names[3]}"
    return walk


SEEN: dict[str, Callable[[Rng, House], Walk]] = {
    "find_object": find_object,
    "coloured_door": coloured_door,
    "two_doors": two_doors,
    "via_landmark": via_landmark,
    "third_door": third_door,
    "fetch": fetch,
}
UNSEEN: dict[str, Callable[[Rng, House], Walk]] = {
    "tour": tour,
    "leave_house": leave_house,
    "around_table": around_table,
}


def plan(rng: Rng, family: str, look: Look) -> Walk:
    """Draw houses until one has a walk of the wanted family.

    Raises:
        RuntimeError: none has.
    """
    for _ in range(DRAWS):
        with suppress(RejectedError):
            return (SEEN | UNSEEN)[family](rng, House(draw_style(rng, look)))
    raise RuntimeError(f"navigation: no {family} walk in {DRAWS} houses")
