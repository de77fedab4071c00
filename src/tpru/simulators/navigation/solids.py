"""The solids everything is made of, and the furniture built from them."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tpru.simulators.episode import Colour, dimmed

Spot = tuple[float, float]

BROWN: Colour = (0.45, 0.28, 0.15)
DARK: Colour = (0.12, 0.10, 0.10)
STEEL: Colour = (0.25, 0.25, 0.27)
GREEN: Colour = (0.16, 0.50, 0.18)
LEAVES = (  # x, y, z and radius of each
    (0, 0, 1.15, 0.34),
    (0.22, 0.1, 0.9, 0.24),
    (-0.22, -0.1, 0.92, 0.26),
    (0, 0, 0.75, 0.22),
)
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


Solids = list[Box | Ball]


def _block(at: Spot, x: float, y: float, z: float, size: Sequence[float], colour: Colour) -> Box:
    """A box of ``size`` centred at the offset (x, y) from ``at`` that stands at height ``z``."""
    cx, cy = at[0] + x, at[1] + y
    w, d, h = size
    return Box((cx - w / 2, cy - d / 2, z), (cx + w / 2, cy + d / 2, z + h), colour)


def _legs(at: Spot, dx: float, dy: float, height: float, colour: Colour) -> list[Box]:
    return [_block(at, x, y, 0, (0.08, 0.08, height), colour) for x in (-dx, dx) for y in (-dy, dy)]


def _table(at: Spot, colour: Colour) -> Solids:
    return [*_legs(at, 0.5, 0.35, 0.72, BROWN), _block(at, 0, 0, 0.72, (1.2, 0.9, 0.08), colour)]


def _bed(at: Spot, colour: Colour) -> Solids:
    return [
        _block(at, 0, 0, 0.0, (1.1, 1.7, 0.3), BROWN),
        _block(at, 0, 0, 0.3, (1.06, 1.66, 0.25), colour),
        _block(at, 0, 0.6, 0.55, (0.8, 0.35, 0.12), (0.97, 0.97, 0.97)),
        _block(at, 0, 0.88, 0, (1.2, 0.08, 1.1), BROWN),
    ]


def _sofa(at: Spot, colour: Colour) -> Solids:
    sides = [_block(at, s * 0.72, 0, 0, (0.2, 0.8, 0.65), colour) for s in (-1, 1)]
    seat = _block(at, 0, 0, 0, (1.24, 0.8, 0.42), dimmed(colour, 0.8))
    return [seat, *sides, _block(at, 0, 0.4, 0, (1.64, 0.2, 0.95), colour)]


def _chair(at: Spot, colour: Colour) -> Solids:
    back = _block(at, 0, 0.24, 0.5, (0.55, 0.08, 0.65), colour)
    seat = _block(at, 0, 0, 0.45, (0.55, 0.55, 0.08), colour)
    return [*_legs(at, 0.22, 0.22, 0.45, BROWN), seat, back]


def _lamp(at: Spot, colour: Colour) -> Solids:
    foot = _block(at, 0, 0, 0, (0.4, 0.4, 0.06), STEEL)
    pole = _block(at, 0, 0, 0, (0.08, 0.08, 1.3), STEEL)
    return [foot, pole, _block(at, 0, 0, 1.2, (0.55, 0.55, 0.45), colour)]


def _bookcase(at: Spot, colour: Colour) -> Solids:
    case = _block(at, 0, 0, 0, (1.2, 0.5, 1.8), colour)
    shelves = [_block(at, 0, -0.26, 0.12 + 0.56 * i, (1.08, 0.04, 0.46), DARK) for i in range(3)]
    books = [
        _block(at, 0.2 * i - 0.4, -0.27, 0.12 + 0.56 * j, (0.13, 0.06, 0.4), BOOKS[(i + j) % 4])
        for i, j in itertools.product(range(5), range(3))
    ]
    return [case, *shelves, *books]


def _plant(at: Spot, colour: Colour) -> Solids:
    pot = _block(at, 0, 0, 0, (0.45, 0.45, 0.5), colour)
    return [pot, *(Ball((at[0] + x, at[1] + y, z), r, GREEN) for x, y, z, r in LEAVES)]


FURNITURE: dict[str, Callable[[Spot, Colour], Solids]] = {
    "table": _table,
    "bed": _bed,
    "sofa": _sofa,
    "chair": _chair,
    "lamp": _lamp,
    "bookcase": _bookcase,
    "plant": _plant,
}
