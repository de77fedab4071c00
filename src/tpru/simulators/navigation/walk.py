"""A walk under construction: every action of the walker appends the views that become frames."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tpru.simulators.episode import RejectedError, Rng
from tpru.simulators.navigation.house import SIDES, Door, House, Item, Mark, clearance
from tpru.simulators.navigation.solids import Spot

# Metres from the front of a thing through a usual lens; each looks about twice as large as the one before.
FAR, NEAR, CLOSE = "far", "near", "very near"
DISTANCES = {FAR: 3.7, NEAR: 2.0, CLOSE: 1.1}
DOORWAY = 0.92  # metres before a door where the walker stands in it: its posts are just in view
CARRIED = "carried"
AROUND = "around the walker"  # how a door is seen by who stands in it


@dataclass(frozen=True)
class View:
    """Where the walker stands and looks, what it looks at, and the state of the house.

    focus: name of the thing that the step is about; reach: how it is seen ("near", "on the left").
    opened: names of the open doors; places: (item, where it is) with a piece of furniture or CARRIED.
    """

    at: Spot
    heading: float
    room: int
    focus: str
    reach: str
    step: str
    opened: frozenset[str]
    places: tuple[tuple[str, str], ...]

    @property
    def carried(self) -> str | None:
        return next((item for item, place in self.places if place == CARRIED), None)


@dataclass
class Walk:
    """A walk in ``house``; ``aims`` holds the names of all things that the goal is about."""

    rng: Rng
    house: House
    room: int
    goal: str = ""
    views: list[View] = field(default_factory=list)
    opened: frozenset[str] = frozenset()
    places: dict[str, str] = field(default_factory=dict)
    aims: list[str] = field(default_factory=list)

    def see(self, at: Spot, heading: float, focus: str, reach: str, step: str) -> None:
        """Append a view; the head is never held quite straight."""
        heading += float(self.rng.uniform(-0.06, 0.06))
        places = tuple(self.places.items())
        self.views.append(View(at, heading, self.room, focus, reach, step, self.opened, places))

    def aim(self, *things: Door | Mark | Item) -> None:
        """The walk is about these things: no alternative goes to them."""
        self.aims.extend(thing.name for thing in things if thing.name not in self.aims)

    def approach(self, mark: Mark, reaches: Sequence[str] = (FAR, NEAR, CLOSE)) -> None:
        """Walk straight up to furniture."""
        self.aim(mark)
        spots, heading = approach(self.rng, self.house, self.room, mark, reaches)
        for reach, spot in zip(reaches, spots, strict=True):
            self.see(spot, heading, mark.name, reach, told(mark, reach))

    def glance(self, thing: Door | Mark) -> None:
        """See a far thing at the edge of the view, before turning to it."""
        (spot,), heading = approach(self.rng, self.house, self.room, thing, (FAR,))
        side = 1 if self.rng.uniform() < 0.5 else -1
        turned = heading - side * math.atan(0.58 * self.house.style.field)
        where = f"far on the {'left' if side > 0 else 'right'}"
        self.see(spot, turned, thing.name, where, f"{thing.name} is {where}")

    def through(self, door: Door, reaches: Sequence[str] = (FAR, NEAR)) -> None:
        """Walk up to a door, open it and go through."""
        self.aim(door)
        spots, heading = approach(self.rng, self.house, self.room, door, reaches)
        for reach, spot in zip(reaches, spots, strict=True):
            self.see(spot, heading, door.name, reach, told(door, reach))
        if door.leaf:
            self.opened |= {door.name}
            self.see(spots[-1], heading, door.name, NEAR, f"{door.name} was opened")
        at, heading = inside(self.house, self.room, door)
        self.see(at, heading, door.name, AROUND, f"the walker went through {door.name}")
        self.room = door.rooms[1 - door.rooms.index(self.room)]

    def again(self, step: str) -> None:
        """See the same place once more after something was done there."""
        last = self.views[-1]
        self.see(last.at, last.heading, last.focus, last.reach, step)


def told(thing: Door | Mark, reach: str) -> str:
    """What is said of a thing that is seen ahead."""
    if isinstance(thing, Door) and thing.leaf and reach == NEAR:
        return f"{thing.name} is near and closed"
    return f"{thing.name} is far ahead" if reach == FAR else f"{thing.name} is {reach}"


def outwards(door: Door, room: int) -> int:
    """The side of ``room`` that the door is in."""
    return door.side if room == door.rooms[0] else (door.side + 2) % 4


def approach(
    rng: Rng, house: House, room: int, thing: Door | Mark, reaches: Sequence[str]
) -> tuple[list[Spot], float]:
    """Places on a straight way to a thing, at the distances ``reaches``, and the heading.

    Raises:
        RejectedError: walls or furniture are in the way.
    """
    if isinstance(thing, Door):
        facing, front, spread = (outwards(thing, room) + 2) % 4, 0.0, 0.3
    else:
        facing, front, spread = thing.side, thing.shape.deep / 2, 0.55
    lengths = [house.style.scale(DISTANCES[reach]) + front for reach in reaches]
    others = [mark for mark in house.marks if mark != thing and mark.room == room]
    for _ in range(24):
        angle = facing * math.pi / 2 + float(rng.uniform(-spread, spread))
        x, y = thing.at
        spots = [(x + d * math.cos(angle), y + d * math.sin(angle)) for d in lengths]
        if all(house.rooms[room].holds(spot, 0.3) for spot in spots) and all(
            clearance(mark.at, spots[0], thing.at) > mark.shape.wide / 2 + 0.5 for mark in others
        ):
            return spots, angle + math.pi
    raise RejectedError


def inside(house: House, room: int, door: Door) -> tuple[Spot, float]:
    """Place and heading of a walker in the doorway who leaves ``room``."""
    side, back = outwards(door, room), house.style.scale(DOORWAY)
    at = (door.at[0] - back * SIDES[side][0], door.at[1] - back * SIDES[side][1])
    return at, side * math.pi / 2


def spare_views(walk: Walk, index: int) -> list[View]:
    """What might have been seen instead of view ``index``: other things approached, opened or taken."""
    now, before = walk.views[index], walk.views[index - 1]
    here = replace(now, opened=before.opened, places=before.places)
    house, views = walk.house, []
    for door in house.doors:
        if door.leaf and door.name not in walk.aims and now.room in door.rooms:
            views.append(_other_door(walk, here, door))
    for mark in house.marks:
        if mark.room == now.room and mark.name not in walk.aims:
            reach = now.reach if now.reach in DISTANCES else NEAR
            views.append(_ahead(walk, here, mark, reach))
    taken = now.carried if before.carried is None else None
    for item in house.items:
        if taken and item.name not in walk.aims:
            places = dict(before.places) | {item.name: CARRIED}
            step = f"{item.name} was taken"
            views.append(replace(here, step=step, focus=item.name, places=tuple(places.items())))
    return [view for view in views if view is not None]


def _other_door(walk: Walk, here: View, door: Door) -> View | None:
    """Another door, opened where the walk opens one, else still closed."""
    if door.name in here.opened or here.reach not in (FAR, NEAR):
        return None
    if here.step.endswith("opened"):
        view = _ahead(walk, here, door, NEAR)
        step = f"{door.name} was opened"
        return view and replace(view, opened=here.opened | {door.name}, step=step)
    return _ahead(walk, here, door, here.reach)


def _ahead(walk: Walk, here: View, thing: Door | Mark, reach: str) -> View | None:
    try:
        (spot,), heading = approach(walk.rng, walk.house, here.room, thing, (reach,))
    except RejectedError:
        return None
    step = told(thing, reach)
    return replace(here, at=spot, heading=heading, focus=thing.name, reach=reach, step=step)
