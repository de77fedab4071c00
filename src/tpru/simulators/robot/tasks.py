"""What the arm has to do: loose things, plates that lie on the table, places and moves."""

import math
from dataclasses import dataclass

from tpru.simulators.episode import Colour

Point = tuple[float, float, float]  # metres; the table top is at height 0, the arm's base at the origin


@dataclass(frozen=True)
class Place:
    """Where a thing may rest.

    at: the point below the middle of the thing.
    yaw: how the thing is turned there.
    on: what carries it ("the table", "the tray", "the red cube").
    put: completes "the gripper put the blue cube ..." and "the blue cube is ...".
    over: completes "the arm carried the blue cube ...".
    """

    at: Point
    yaw: float
    on: str
    put: str
    over: str


@dataclass(frozen=True)
class Thing:
    """A loose object, its half extents, and where it is at the start."""

    name: str
    colour: Colour
    shape: str
    half: Point
    place: Place


@dataclass(frozen=True)
class Plate:
    """A part of a mat or a tray: centre, half extents, turn. ``solid`` ones cannot be run through."""

    name: str
    colour: Colour
    at: Point
    half: Point
    yaw: float
    solid: bool = False


@dataclass(frozen=True)
class Move:
    """Bring thing number ``thing`` to ``place``; ``source`` says where it was if that must be told."""

    thing: int
    place: Place
    source: str = ""


@dataclass(frozen=True)
class Task:
    """What is on the table and what the arm does with it.

    start, end: what one sees before and after (completes "the arm waits beside ...").
    spares: places on the bare table that stay free.
    """

    family: str
    goal: str
    start: str
    end: str
    things: tuple[Thing, ...]
    moves: tuple[Move, ...]
    plates: tuple[Plate, ...] = ()
    spares: tuple[Place, ...] = ()
    push: bool = False


def up(point: Point, dz: float) -> Point:
    return point[0], point[1], point[2] + dz


def along(point: Point, angle: float, distance: float, dz: float = 0.0) -> Point:
    dx, dy = distance * math.cos(angle), distance * math.sin(angle)
    return point[0] + dx, point[1] + dy, point[2] + dz


def flat(a: Point, b: Point) -> float:
    """Distance of two points seen from above."""
    return math.dist(a[:2], b[:2])


def listed(words: list[str], joint: str = "and") -> str:
    """``a, b and c``."""
    return f"{', '.join(words[:-1])} {joint} {words[-1]}" if len(words) > 1 else words[0]
