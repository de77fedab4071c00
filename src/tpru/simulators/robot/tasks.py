"""What the arm has to do: loose things, fixed plates and the moves of seven families of tasks."""

import colorsys
import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from tpru.simulators.episode import Colour, RejectedError, Rng, dimmed

Point = tuple[float, float, float]

LAYOUTS = 300
HALF = 0.028  # half an edge; the gripper opens to 0.08
EDGE = 2 * HALF
COLOURS: dict[str, Colour] = {
    "red": (0.86, 0.10, 0.10),
    "blue": (0.10, 0.25, 0.85),
    "green": (0.10, 0.60, 0.18),
    "yellow": (0.97, 0.82, 0.08),
    "orange": (0.98, 0.48, 0.05),
    "purple": (0.50, 0.14, 0.66),
    "cyan": (0.10, 0.75, 0.82),
    "pink": (0.98, 0.50, 0.70),
}
MATS: dict[str, Colour] = {"white": (0.95, 0.95, 0.93), "black": (0.10, 0.10, 0.11)}


@dataclass(frozen=True)
class Thing:
    """A loose object; ``at`` is the centre at the start."""

    colour: str
    at: Point
    yaw: float = 0.0
    shape: str = "cube"

    @property
    def name(self) -> str:
        return f"the {self.colour} {self.shape}"


@dataclass(frozen=True)
class Plate:
    """A fixed box: centre, half extents, colour; mats are not solid."""

    at: Point
    half: Point
    colour: Colour
    yaw: float = 0.0
    solid: bool = True


@dataclass(frozen=True)
class Move:
    """Bring thing number ``thing`` to the centre ``to``; ``place`` completes "on" or "in"."""

    thing: int
    to: Point
    yaw: float
    place: str
    how: str = "on"


@dataclass(frozen=True)
class Task:
    """What is on the table and what the arm does with it."""

    family: str
    goal: str
    start: str
    things: tuple[Thing, ...]
    moves: tuple[Move, ...]
    plates: tuple[Plate, ...] = ()
    push: bool = False
    across: bool = False


def up(point: Point, dz: float) -> Point:
    return point[0], point[1], point[2] + dz


def along(point: Point, angle: float, distance: float, dz: float = 0.0) -> Point:
    dx, dy = distance * math.cos(angle), distance * math.sin(angle)
    return point[0] + dx, point[1] + dy, point[2] + dz


def _yaw(rng: Rng) -> float:
    return float(rng.uniform(-0.5, 0.5))


def _row(rng: Rng) -> float:
    """Direction of a row: roughly across the table, as seen from the front."""
    return float(rng.choice([-1, 1]) * rng.uniform(1.1, 2.0))


def _spots(rng: Rng, count: int, gap: float = 0.115) -> list[Point]:
    """``count`` points on the table in easy reach, at least ``gap`` apart."""
    xy = np.column_stack([rng.uniform(0.40, 0.60, count), rng.uniform(-0.17, 0.17, count)])
    spots = [(float(x), float(y), HALF) for x, y in xy]
    if any(math.dist(a, b) < gap for a, b in itertools.combinations(spots, 2)):
        raise RejectedError
    return spots


def _keep_free(places: Sequence[Point], spots: Sequence[Point], gap: float) -> None:
    if any(math.dist(p, s) < gap for p in places for s in spots):
        raise RejectedError


def _things(rng: Rng, spots: Sequence[Point], first: float | None = None) -> tuple[Thing, ...]:
    """One cube of its own colour per spot; ``first`` is the yaw of the first one if it matters."""
    colours = rng.choice(list(COLOURS), len(spots), replace=False)
    yaws = [_yaw(rng) for _ in spots]
    if first is not None:
        yaws[0] = first
    return tuple(Thing(str(c), s, y) for c, s, y in zip(colours, spots, yaws, strict=True))


def _mats(*spots: Point) -> tuple[Plate, ...]:
    size = (0.055, 0.055, 0.002)
    return tuple(
        Plate((x, y, 0.002), size, colour, solid=False)
        for (x, y, _), colour in zip(spots, MATS.values(), strict=False)
    )


def _stack(rng: Rng) -> Task:
    spots = _spots(rng, int(rng.integers(3, 5)))
    things = _things(rng, spots)
    moves = tuple(
        Move(i, up(spots[0], i * EDGE), things[0].yaw, below.name) for i, below in enumerate(things[:-1], 1)
    )
    parts = [f"{things[m.thing].name} on {m.place}" for m in moves]
    goal = "stack " + ", ".join(parts[:-1]) + " and " + parts[-1]
    return Task("stack", goal, f"the arm waits beside {len(spots)} single cubes", things, moves)


def _unstack(rng: Rng) -> Task:
    foot, *free = _spots(rng, 3, 0.13)
    yaw = _yaw(rng)
    things = tuple(replace(t, yaw=yaw) for t in _things(rng, [up(foot, i * EDGE) for i in range(3)]))
    moves = tuple(
        Move(2 - i, spot, _yaw(rng), f"the {mat} mat")
        for i, (spot, mat) in enumerate(zip(free, MATS, strict=True))
    )
    parts = [f"{things[m.thing].name} onto {m.place}" for m in moves]
    goal = f"unstack the tower: {parts[0]} and {parts[1]}"
    start = "the arm waits beside a tower of three cubes"
    return Task("unstack", goal, start, things, moves, _mats(*free))


def _tray(rng: Rng) -> Task:
    side, turn = float(rng.choice([-1, 1])), 0.6 * _yaw(rng)
    centre = (float(rng.uniform(0.46, 0.58)), side * 0.14, HALF + 0.005)
    spots = _spots(rng, int(rng.integers(3, 5)))
    if any(side * y > 0.02 for _, y, _ in spots):
        raise RejectedError
    shapes = rng.choice(["cube", "cylinder"], len(spots))
    things = tuple(replace(t, shape=str(s)) for t, s in zip(_things(rng, spots), shapes, strict=True))
    moved = len(spots) - 1
    slots = [along(centre, turn, 0.078 * (i - (moved - 1) / 2)) for i in range(moved)]
    moves = tuple(Move(i, slot, turn, "the tray", "in") for i, slot in enumerate(slots))
    names = [t.name for t in things[:moved]]
    goal = f"put {', '.join(names[:-1])} and {names[-1]} into the tray"
    plates = _tray_plates(centre, turn, colorsys.hsv_to_rgb(rng.uniform(), 0.35, 0.45))
    return Task("tray", goal, "the arm waits beside an empty tray", things, moves, plates)


def _tray_plates(centre: Point, turn: float, colour: Colour) -> tuple[Plate, ...]:
    """Floor and four rims of a tray."""
    length, width, flat = 0.13, 0.075, (centre[0], centre[1], 0.0)
    rim = dimmed(colour, 0.75)
    short, long = (0.006, width, 0.012), (length, 0.006, 0.012)
    ends = [along(flat, turn, s * length, 0.012) for s in (-1, 1)]
    sides = [along(flat, turn + math.pi / 2, s * width, 0.012) for s in (-1, 1)]
    return (
        Plate(up(flat, 0.0025), (length, width, 0.0025), colour, turn),
        *(Plate(at, short, rim, turn) for at in ends),
        *(Plate(at, long, rim, turn) for at in sides),
    )


def _line_up(rng: Rng) -> Task:
    row, shape = _row(rng), str(rng.choice(["cube", "cylinder"]))
    spots = _spots(rng, int(rng.integers(3, 5)))
    places = [along(spots[0], row, 0.085 * i) for i in range(len(spots))]
    _keep_free(places[1:], spots[1:], 0.11)
    things = tuple(replace(t, shape=shape) for t in _things(rng, spots, row))
    moves = tuple(
        Move(i, places[i], row, f"the spot next to {before.name}") for i, before in enumerate(things[:-1], 1)
    )
    names = ", ".join(t.colour for t in things[:-1])
    goal = f"line up the {names} and {things[-1].colour} {shape}s in one row"
    start = f"the arm waits beside {len(spots)} scattered {shape}s"
    return Task("line_up", goal, start, things, moves, across=True)


def _swap(rng: Rng) -> Task:
    first, second, spare = _spots(rng, 3, 0.13)
    things, mats = _things(rng, [first, second]), list(MATS)
    moves = (
        Move(0, spare, _yaw(rng), "the bare table"),
        Move(1, first, _yaw(rng), f"the {mats[0]} mat"),
        Move(0, second, _yaw(rng), f"the {mats[1]} mat"),
    )
    goal = f"swap {things[0].name} and {things[1].name}"
    start = "the arm waits beside two cubes on mats"
    return Task("swap", goal, start, things, moves, _mats(first, second))


def _pyramid(rng: Rng) -> Task:
    spots, row = _spots(rng, 3), _row(rng)
    beside, top = along(spots[0], row, EDGE + 0.004), along(spots[0], row, HALF + 0.002, EDGE)
    _keep_free([beside], spots[1:], 0.12)
    things = _things(rng, spots, row)
    low, mid, high = (t.name for t in things)
    both = f"the {things[0].colour} and {things[1].colour} cubes"
    moves = (Move(1, beside, row, f"the spot beside {low}"), Move(2, top, row, both))
    goal = f"build a pyramid: {mid} beside {low} and {high} on top of both"
    start = "the arm waits beside three single cubes"
    return Task("pyramid", goal, start, things, moves, across=True)


def _push(rng: Rng) -> Task:
    course, mat = _row(rng), next(iter(MATS))
    middle = (float(rng.uniform(0.44, 0.56)), float(rng.uniform(-0.04, 0.04)), HALF)
    first, end = along(middle, course, -0.11), along(middle, course, 0.11)
    others = _spots(rng, int(rng.integers(1, 3)))
    _keep_free([along(middle, course, d) for d in np.linspace(-0.18, 0.14, 9)], others, 0.09)
    things = _things(rng, [first, *others], course)
    goal = f"push {things[0].name} across the table onto the {mat} mat"
    start = f"the arm waits, {things[0].name} is far from the {mat} mat"
    moves = (Move(0, end, course, f"the {mat} mat"),)
    return Task("push", goal, start, things, moves, _mats(end), push=True, across=True)


FAMILIES: dict[str, Callable[[Rng], Task]] = {
    "stack": _stack,
    "unstack": _unstack,
    "tray": _tray,
    "line_up": _line_up,
    "swap": _swap,
    "pyramid": _pyramid,
    "push": _push,
}


def draw_task(family: str, rng: Rng) -> Task:
    """Draw layouts until one fits on the table."""
    for _ in range(LAYOUTS):
        with suppress(RejectedError):
            return FAMILIES[family](rng)
    raise RejectedError(f"{family}: no layout fits")
