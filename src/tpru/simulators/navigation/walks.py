"""Walks through a house: where the walker stops, where it looks, and how it got there."""

import math
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from tpru.simulators.episode import RejectedError, Rng
from tpru.simulators.navigation.house import Door, House, Landmark, Room, draw_house
from tpru.simulators.navigation.solids import Spot

HOUSES, WALKS = 200, 20

FAMILIES = ("find_landmark", "coloured_door", "two_doors", "via_landmark")


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
        raise RejectedError
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
            raise RejectedError
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
                raise RejectedError
        count = 1 + (length > 1.6) + (length > 3.4)
        course = math.atan2(to[1] - here[1], to[0] - here[0])
        # Too short to be seen, or sideways or backwards because the walker is already too near.
        if length < 0.8 or abs(math.remainder(course - heading, math.tau)) > 0.6:
            raise RejectedError
        for i in range(1, count):
            part = i / count
            at = (here[0] + part * (to[0] - here[0]), here[1] + part * (to[1] - here[1]))
            way = "half of the way" if count == 2 else ("a third of the way", "most of the way")[i - 1]
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
        off, slant, past = (float(self.rng.uniform(*r)) for r in ((1.35, 1.9), (-0.2, 0.2), (0.9, 1.4)))
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
        raise RejectedError
    if (family == "via_landmark" and not here) or (family == "coloured_door" and exits < 2):
        raise RejectedError
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
        raise RejectedError
    goal = _goal(family, house, route, via, mark)
    return Plan(goal, house, tuple(route), tuple(walk.views), mark)


def plan(rng: Rng, family: str) -> Plan:
    """Draw houses until one has a walk of the wanted family."""
    for _ in range(HOUSES):
        house = draw_house(rng)
        for _ in range(WALKS if house.landmarks else 0):
            with suppress(RejectedError):
                return _plan_in(rng, family, house)
    raise RuntimeError(f"navigation: no {family} walk in {HOUSES} houses")


def _start(rng: Rng, house: House, room: Room, first: Spot) -> _Walk:
    """Stand somewhere in the room, looking past the first target but not at a near wall."""
    (x0, x1), (y0, y1) = house.xs[room[0] :][:2], house.ys[room[1] :][:2]
    at = (float(rng.uniform(x0 + 0.7, x1 - 0.7)), float(rng.uniform(y0 + 0.7, y1 - 0.7)))
    if math.dist(at, first) < 2.4 or any(math.dist(at, m.at) < 1.3 for m in house.landmarks):
        raise RejectedError
    turn = float(rng.choice([-1, 1]) * rng.uniform(0.4, 1.8))
    heading = math.atan2(first[1] - at[1], first[0] - at[0]) + turn
    end = (at[0] + 2.2 * math.cos(heading), at[1] + 2.2 * math.sin(heading))
    if not (x0 < end[0] < x1 and y0 < end[1] < y1):
        raise RejectedError
    return _Walk(rng, house, at, heading, f"the walker stands in the {house.decor[room].name} room")


def _goal(family: str, house: House, route: Sequence[Door], via: Sequence[Landmark], mark: Landmark) -> str:
    if family == "coloured_door":
        return f"go through {route[0].name} and walk to {mark.name}"
    if family == "two_doors":
        return f"go through {route[0].name}, then through {route[1].name}, and walk to {mark.name}"
    if family == "via_landmark":
        return f"walk to {via[0].name} first and then to {mark.name} in the next room"
    return f"find {mark.name} in the {house.decor[mark.room].name} room"
