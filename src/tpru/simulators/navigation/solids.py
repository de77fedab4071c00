"""The solids everything is made of, and the furniture and small items built from them.

Furniture is described in its own frame: x points to its front, y to its left, z up, lengths in metres.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tpru.simulators.episode import Colour, dimmed

Spot = tuple[float, float]

DARK: Colour = (0.12, 0.10, 0.10)
STEEL: Colour = (0.25, 0.25, 0.27)
PALE: Colour = (0.95, 0.95, 0.92)
LEAF: Colour = (0.16, 0.50, 0.18)
BOOKS: tuple[Colour, ...] = ((0.8, 0.2, 0.2), (0.9, 0.8, 0.3), (0.3, 0.6, 0.4), (0.3, 0.4, 0.8))


@dataclass(frozen=True)
class Box:
    """An upright box from corner ``low`` to corner ``high``."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    colour: Colour
    style: int = 0  # pattern of a door leaf, 0 for plain


@dataclass(frozen=True)
class Ball:
    at: tuple[float, float, float]
    radius: float
    colour: Colour


Solid = Box | Ball


def block(x: float, y: float, z: float, size: Sequence[float], colour: Colour) -> Box:
    """A box of ``size`` centred at (x, y) that stands at height ``z``."""
    dx, dy, dz = size
    return Box((x - dx / 2, y - dy / 2, z), (x + dx / 2, y + dy / 2, z + dz), colour)


def moved(solid: Solid, at: Spot, quarter: int) -> Solid:
    """``solid`` turned by quarter turns to the left about the origin and shifted to ``at``."""
    cos, sin = round(math.cos(quarter * math.pi / 2)), round(math.sin(quarter * math.pi / 2))

    def place(point: tuple[float, float, float]) -> tuple[float, float, float]:
        x, y, z = point
        return at[0] + cos * x - sin * y, at[1] + sin * x + cos * y, z

    if isinstance(solid, Ball):
        return Ball(place(solid.at), solid.radius, solid.colour)
    a, b = place(solid.low), place(solid.high)
    low = (min(a[0], b[0]), min(a[1], b[1]), a[2])
    high = (max(a[0], b[0]), max(a[1], b[1]), b[2])
    return Box(low, high, solid.colour, solid.style)


def _legs(dx: float, dy: float, height: float, colour: Colour) -> list[Solid]:
    return [block(x, y, 0, (0.1, 0.1, height), colour) for x in (-dx, dx) for y in (-dy, dy)]


def _table(colour: Colour, wood: Colour) -> list[Solid]:
    return [*_legs(0.36, 0.58, 0.7, wood), block(0, 0, 0.7, (0.95, 1.4, 0.12), colour)]


def _bed(colour: Colour, wood: Colour) -> list[Solid]:
    return [
        block(0, 0, 0, (1.6, 1.5, 0.28), wood),
        block(0.02, 0, 0.28, (1.56, 1.46, 0.27), colour),
        block(-0.5, 0, 0.55, (0.4, 1.1, 0.14), PALE),
        block(-0.78, 0, 0, (0.1, 1.6, 1.2), wood),
    ]


def _sofa(colour: Colour, _: Colour) -> list[Solid]:
    sides = [block(0, s * 0.84, 0, (0.85, 0.22, 0.66), colour) for s in (-1, 1)]
    seat = block(0.02, 0, 0, (0.8, 1.46, 0.42), dimmed(colour, 0.75))
    return [seat, *sides, block(-0.36, 0, 0, (0.22, 1.9, 1.0), colour)]


def _chair(colour: Colour, wood: Colour) -> list[Solid]:
    back = block(-0.3, 0, 0.5, (0.1, 0.72, 0.75), colour)
    return [*_legs(0.28, 0.28, 0.45, wood), block(0, 0, 0.42, (0.7, 0.72, 0.12), colour), back]


def _lamp(colour: Colour, _: Colour) -> list[Solid]:
    foot, pole = block(0, 0, 0, (0.5, 0.5, 0.07), STEEL), block(0, 0, 0, (0.1, 0.1, 1.2), STEEL)
    return [
        foot,
        pole,
        block(0, 0, 1.15, (0.9, 0.9, 0.4), colour),
        block(0, 0, 1.55, (0.66, 0.66, 0.25), colour),
    ]


def _bookcase(colour: Colour, _: Colour) -> list[Solid]:
    shelves = [block(0.24, 0, 0.14 + 0.6 * i, (0.04, 1.2, 0.48), DARK) for i in range(3)]
    books = [
        block(0.26, 0.27 * i - 0.4, 0.14 + 0.6 * j, (0.06, 0.2, 0.4), BOOKS[(i + 2 * j) % 4])
        for i in range(4)
        for j in range(3)
    ]
    return [block(0, 0, 0, (0.5, 1.4, 2.0), colour), *shelves, *books]


def _flower(colour: Colour, wood: Colour) -> list[Solid]:
    """A large flower in a pot: six petals around a pale middle, all seen from any side."""
    stem, pot = block(0, 0, 0.5, (0.09, 0.09, 0.6), LEAF), block(0, 0, 0, (0.6, 0.6, 0.5), wood)
    leaves = [Ball((0, s * 0.2, 0.66), 0.17, LEAF) for s in (-1, 1)]
    turns = [k * math.pi / 3 for k in range(6)]
    petals = [Ball((0, 0.36 * math.cos(t), 1.32 + 0.36 * math.sin(t)), 0.22, colour) for t in turns]
    return [pot, stem, *leaves, *petals, Ball((0.2, 0, 1.32), 0.2, PALE)]


def _wardrobe(colour: Colour, wood: Colour) -> list[Solid]:
    gap = block(0.3, 0, 0.12, (0.02, 0.05, 1.8), DARK)
    knobs = [block(0.32, s * 0.14, 0.95, (0.06, 0.08, 0.16), PALE) for s in (-1, 1)]
    return [block(0, 0, 0, (0.6, 1.4, 2.05), colour), gap, *knobs, block(0.02, 0, 2.0, (0.7, 1.5, 0.1), wood)]


def _globe(colour: Colour, wood: Colour) -> list[Solid]:
    stand = [block(0, 0, 0, (0.7, 0.7, 0.1), wood), block(0, 0, 0, (0.14, 0.14, 0.7), wood)]
    return [*stand, Ball((0, 0, 1.12), 0.5, colour)]


def _clock(colour: Colour, _: Colour) -> list[Solid]:
    tall = [block(0, 0, 0, (0.4, 0.66, 1.5), colour), block(0, 0, 1.4, (0.46, 0.86, 0.78), colour)]
    dial = block(0.24, 0, 1.5, (0.04, 0.6, 0.56), PALE)
    hands = [block(0.27, 0, 1.76, (0.03, 0.07, 0.26), DARK), block(0.27, 0.1, 1.74, (0.03, 0.22, 0.07), DARK)]
    return [*tall, dial, *hands, block(0.2, 0, 0.3, (0.04, 0.36, 0.8), DARK)]


def _piano(colour: Colour, _: Colour) -> list[Solid]:
    keys = [block(0.36, 0.18 * i - 0.54, 0.78, (0.16, 0.06, 0.04), DARK) for i in range(7)]
    return [
        block(-0.1, 0, 0, (0.45, 1.6, 1.25), colour),
        block(0.25, 0, 0.62, (0.45, 1.6, 0.12), colour),
        block(0.28, 0, 0.74, (0.34, 1.45, 0.04), PALE),
        *keys,
        *(block(0.38, s * 0.7, 0, (0.12, 0.14, 0.62), colour) for s in (-1, 1)),
    ]


def _bathtub(colour: Colour, _: Colour) -> list[Solid]:
    water = block(0, 0, 0.5, (0.66, 1.4, 0.04), (0.75, 0.9, 1.0))
    rims = [block(s * 0.4, 0, 0, (0.14, 1.7, 0.66), colour) for s in (-1, 1)]
    ends = [block(0, s * 0.78, 0, (0.9, 0.16, 0.66), colour) for s in (-1, 1)]
    return [water, *rims, *ends, block(-0.4, 0, 0.6, (0.1, 0.12, 0.5), STEEL)]


def _counter(colour: Colour, wood: Colour) -> list[Solid]:
    return [block(0, 0, 0, (0.7, 1.2, 0.68), colour), block(0, 0, 0.68, (0.95, 1.45, 0.14), wood)]


def _bench(colour: Colour, wood: Colour) -> list[Solid]:
    seat = block(0.05, 0, 0.42, (0.6, 1.8, 0.12), colour)
    backs = [block(-0.3, 0, 0.66 + 0.24 * i, (0.08, 1.8, 0.14), colour) for i in range(2)]
    return [seat, *backs, *(block(0, s * 0.75, 0, (0.55, 0.14, 0.42), wood) for s in (-1, 1))]


def _stool(colour: Colour, _: Colour) -> list[Solid]:
    seat = block(0, 0, 0.58, (0.74, 0.74, 0.2), colour)
    return [block(0, 0, 0, (0.5, 0.5, 0.08), STEEL), block(0, 0, 0, (0.14, 0.14, 0.6), STEEL), seat]


def _tree(colour: Colour, _: Colour) -> list[Solid]:
    crown = ((0, 0, 3.0, 1.3), (0.2, 1.0, 2.3, 0.9), (0.2, -1.0, 2.4, 0.9))
    return [
        block(0, 0, 0, (0.4, 0.4, 2.2), (0.36, 0.22, 0.12)),
        *(Ball((x, y, z), r, colour) for x, y, z, r in crown),
    ]


@dataclass(frozen=True)
class Kind:
    """How a kind of furniture is built and its footprint; ``top`` is where an item can lie."""

    build: Callable[[Colour, Colour], list[Solid]]
    deep: float
    wide: float
    top: float | None = None


FURNITURE: dict[str, Kind] = {
    "table": Kind(_table, 0.95, 1.4, 0.82),
    "bed": Kind(_bed, 1.6, 1.5, 0.55),
    "sofa": Kind(_sofa, 0.85, 1.9, 0.42),
    "chair": Kind(_chair, 0.72, 0.72, 0.54),
    "lamp": Kind(_lamp, 0.86, 0.86),
    "bookcase": Kind(_bookcase, 0.56, 1.4),
    "flower": Kind(_flower, 0.7, 1.1),
    "wardrobe": Kind(_wardrobe, 0.7, 1.5),
    "globe": Kind(_globe, 1.0, 1.0),
    "clock": Kind(_clock, 0.5, 0.86),
    "piano": Kind(_piano, 0.9, 1.6),
    "bathtub": Kind(_bathtub, 0.95, 1.7),
    "counter": Kind(_counter, 0.95, 1.45, 0.82),
    "bench": Kind(_bench, 0.68, 1.8, 0.54),
    "stool": Kind(_stool, 0.74, 0.74, 0.78),
    "tree": Kind(_tree, 0.4, 2.0),
}


def _ball(colour: Colour) -> list[Solid]:
    return [Ball((0, 0, 0.2), 0.2, colour)]


def _box(colour: Colour) -> list[Solid]:
    return [block(0, 0, 0, (0.36, 0.36, 0.32), colour), block(0, 0, 0.12, (0.38, 0.38, 0.07), PALE)]


def _cake(colour: Colour) -> list[Solid]:
    tiers = [block(0, 0, 0.13 * i, (0.44 - 0.13 * i,) * 2 + (0.13,), colour) for i in range(3)]
    return [*tiers, block(0, 0, 0.1, (0.46, 0.46, 0.04), PALE)]


def _bottle(colour: Colour) -> list[Solid]:
    body, neck = block(0, 0, 0, (0.24, 0.24, 0.34), colour), block(0, 0, 0.34, (0.1, 0.1, 0.16), colour)
    return [body, neck, block(0, 0, 0.08, (0.26, 0.26, 0.14), PALE)]


# Small things to carry, standing on z = 0.
ITEMS: dict[str, Callable[[Colour], list[Solid]]] = {
    "ball": _ball,
    "box": _box,
    "cake": _cake,
    "bottle": _bottle,
}
