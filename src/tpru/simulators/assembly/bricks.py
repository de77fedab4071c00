"""What is built: bricks on the stud grid, placed step by step by one of five grammars."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tpru.simulators.episode import Rng

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (205, 30, 35),
    "blue": (25, 85, 190),
    "yellow": (248, 205, 35),
    "green": (35, 140, 60),
    "orange": (240, 125, 25),
    "white": (240, 240, 238),
    "black": (45, 45, 50),
    "brown": (115, 65, 40),
    "purple": (125, 60, 155),
    "pink": (240, 130, 180),
    "grey": (145, 150, 155),
    "light blue": (110, 190, 235),
    "lime": (165, 210, 50),
    "tan": (215, 190, 140),
}
PLATES = ("green", "grey", "blue", "tan", "white", "orange", "purple", "light blue")
# Bars of each letter as (x, y, length along x, length along y), bottom left at 0, 0.
LETTERS: dict[str, tuple[tuple[int, int, int, int], ...]] = {
    "L": ((0, 6, 2, 4), (0, 2, 2, 4), (0, 0, 4, 2), (4, 0, 4, 2)),
    "T": ((0, 8, 4, 2), (4, 8, 4, 2), (3, 4, 2, 4), (3, 0, 2, 4)),
    "E": ((0, 8, 6, 2), (0, 6, 2, 2), (0, 4, 6, 2), (0, 2, 2, 2), (0, 0, 6, 2)),
    "H": ((0, 6, 2, 4), (6, 6, 2, 4), (0, 4, 8, 2), (0, 0, 2, 4), (6, 0, 2, 4)),
    "U": ((0, 6, 2, 4), (6, 6, 2, 4), (0, 2, 2, 4), (6, 2, 2, 4), (0, 0, 8, 2)),
    "C": ((0, 8, 7, 2), (0, 5, 2, 3), (0, 2, 2, 3), (0, 0, 7, 2)),
    "O": ((0, 8, 8, 2), (0, 2, 2, 6), (6, 2, 2, 6), (0, 0, 8, 2)),
}


@dataclass(frozen=True)
class Brick:
    """A solid on the stud grid: corner x, y, layer z; size w along x, d along y, h layers.

    shape: "brick", "wheel" (axle along y), or "front", "back" and "right" for a brick that slopes
    down to that side from a top one stud wide.
    """

    x: int
    y: int
    z: int
    w: int
    d: int
    h: int
    colour: str
    shape: str = "brick"


@dataclass(frozen=True)
class Step:
    """Bricks that arrive together; ``{left}`` and ``{right}`` in the clause follow the mirror."""

    clause: str
    bricks: tuple[Brick, ...]


@dataclass(frozen=True)
class Plan:
    """What is built, in which order, and how steeply it may be looked at (degrees)."""

    goal: str
    family: str
    steps: tuple[Step, ...]
    azimuth: tuple[float, float] = (28.0, 58.0)
    elevation: tuple[float, float] = (30.0, 42.0)
    mirror: bool = True
    plate: str = "grey"


def _a(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _one(clause: str, *bricks: Brick) -> Step:
    return Step(clause, bricks)


def _put(colour: str, box: tuple[int, int, int, int, int, int], where: str) -> Step:
    small, large = sorted(box[3:5])
    name = _a(f"{colour} {'tall ' if box[5] > 1 else ''}{small}x{large} brick")
    return _one(f"{name} was placed {where}", Brick(*box, colour))


def _wall(x: int, y: int, w: int, d: int, h: int, colour: str) -> tuple[Brick, ...]:
    return tuple(Brick(x, y, z, w, d, 1, colour) for z in range(h))


def _shell(rng: Rng, wall: str, door: str, size: tuple[int, int, int]) -> list[Step]:
    width, depth, top = size
    gap = int(rng.integers(1, width - 3))
    sides = [
        _one(f"the {wall} back wall was built", *_wall(0, depth - 1, width, 1, top, wall)),
        _one(f"the {wall} {{left}} wall was built", *_wall(0, 1, 1, depth - 2, top, wall)),
        _one(f"the {wall} {{right}} wall was built", *_wall(width - 1, 1, 1, depth - 2, top, wall)),
    ]
    front = [
        *_wall(0, 0, gap, 1, 2, wall),
        *_wall(gap + 2, 0, width - gap - 2, 1, 2, wall),
        Brick(gap, 0, 0, 2, 1, 2, door),
        *(Brick(0, 0, z, width, 1, 1, wall) for z in range(2, top)),
    ]
    closing = _one(f"the {wall} front wall with {_a(door)} door was built", *front)
    return [*(sides[i] for i in rng.permutation(3)), closing]


def _house(rng: Rng, colours: list[str]) -> Plan:
    wall, roof, door, floor, pot, leaf, trunk, hedge = colours[:8]
    width, depth, top = (int(rng.integers(low, low + 3)) for low in (7, 6, 3))
    half = depth // 2
    back = Brick(-1, half, top, width + 2, depth - half + 1, 2, roof, "back")
    fore = Brick(-1, -1, top, width + 2, half + 1, 2, roof, "front")
    carpet = Brick(1, 1, 0, width - 2, depth - 2, 1, floor)
    tree = Brick(width + 2, 1, 0, 1, 1, 2, trunk), Brick(width + 1, 0, 2, 3, 3, 2, leaf)
    chimney = (int(rng.integers(0, width - 2)), half - 1, top + 2, 2, 2, 2)
    extras = [
        _put(pot, chimney, "on the roof as a chimney"),
        _one(f"{_a(leaf)} tree was put at the {{right}} of the house", *tree),
        _one(f"{_a(hedge)} hedge was put in front", Brick(0, -2, 0, width, 1, 1, hedge)),
    ]
    steps = [
        _one(f"{_a(floor)} carpet was laid", carpet),
        *_shell(rng, wall, door, (width, depth, top)),
        _one(f"the back half of the {roof} roof was put on", back),
        _one(f"the front half of the {roof} roof was put on", fore),
        *(extras[i] for i in rng.permutation(3)[: int(rng.integers(1, 4))]),
    ]
    return Plan(f"build {_a(wall)} house with {_a(roof)} roof", "house", tuple(steps))


def _tower(rng: Rng, colours: list[str]) -> Plan:
    height, along = int(rng.integers(1, 3)), int(rng.integers(2))
    steps: list[Step] = []
    sides = (10, 8, 6, 4)[int(rng.integers(2)) :]
    for level, side in enumerate(sides):
        corner, half = (10 - side) // 2, side // 2
        for i in rng.permutation(2):
            x, y = (corner, corner + half * i) if along else (corner + half * i, corner)
            w, d = (side, half) if along else (half, side)
            name = ("front", "back")[i] if along else ("{left}", "{right}")[i]
            box = (x, y, level * height, w, d, height)
            steps.append(_put(colours[len(steps)], box, f"on the {name} of level {level + 1}"))
        along = 1 - along
    for i in range(10 - len(steps) - int(rng.integers(2))):
        box = (4, 4, len(sides) * height + 2 * i, 2, 2, 2)
        tip = colours[len(steps)]
        steps.append(_put(tip, box, f"as part {i + 1} of the spire"))
    goal = f"stack a tower of {len(sides)} levels with {_a(tip)} tip"
    return Plan(goal, "tower", tuple(steps))


def _axle(x: int, colour: str, hub: str, name: str) -> Step:
    wheels = (Brick(x, y, 0, 2, 1, 2, colour, "wheel") for y in (0, 5))
    block = Brick(x, 1, 0, 2, 4, 2, hub)
    return _one(f"the {name} axle with two {colour} wheels was set down", *wheels, block)


def _vehicle(rng: Rng, colours: list[str]) -> Plan:
    frame, cab, hub, *load = colours
    length = int(rng.integers(12, 15))
    axles = [_axle(1, "black", hub, "rear"), _axle(length - 4, "black", hub, "front")]
    bed = Brick(0, 0, 2, length - 5, 6, 1, frame)
    nose = Brick(length - 5, 0, 2, 5, 6, 1, cab)
    cabin = Brick(length - 4, 1, 3, 3, 4, 2, cab, "right")
    steps = [axles[i] for i in rng.permutation(2)]
    steps += [
        _one(f"the {frame} loading bed was put on the wheels", bed),
        _one(f"the {cab} bonnet was put over the front axle", nose),
        _one(f"the {cab} cab with a sloped windscreen was added", cabin),
    ]
    room = (length - 5) // 2
    boxes = [(x, y, 3, room, 3, 2) for x in (0, room) for y in (3, 0)]
    names = ("back {left}", "front {left}", "back {right}", "front {right}")
    for count, i in enumerate(rng.permutation(4)[: int(rng.integers(3, 5))]):
        steps.append(_put(load[count], boxes[i], f"on the {names[i]} of the bed"))
        last = boxes[i]
    x, y, z, w, d, h = last
    steps.append(_put(load[4], (x, y, z + h, w, d, 1), "on top of the load"))
    return Plan(f"build a truck with {_a(cab)} cab and load it", "vehicle", tuple(steps))


def _letter(rng: Rng, colours: list[str]) -> Plan:
    letter = sorted(LETTERS)[int(rng.integers(len(LETTERS)))]
    bars = LETTERS[letter]
    steps: list[Step] = []
    for layer, name in enumerate(("lower", "upper")):
        for i in rng.permutation(len(bars)):
            x, y, w, d = bars[i]
            row = ("bottom", "middle", "top")[(2 * y + d) // 7]
            column = ("left", "centre", "right")[(2 * x + w) // 6]
            where = f"at the {row} {column} of the {name} layer"
            steps.append(_put(colours[len(steps)], (x, y, layer, w, d, 1), where))
    goal = f"write the letter {letter} with bricks, two layers high"
    return Plan(goal, "letter", tuple(steps), (-22.0, 22.0), (48.0, 60.0), mirror=False)


def _bridge(rng: Rng, colours: list[str]) -> Plan:
    span, height = int(rng.integers(10, 14)), int(rng.integers(2, 4))
    ends = (("{left}", 0), ("{right}", span - 3))
    steps: list[Step] = []
    for level, part in enumerate(("foot", "head")):
        for i in rng.permutation(2):
            name, x = ends[i]
            box = (x, 0, level * height, 3, 5, height)
            steps.append(_put(colours[len(steps)], box, f"as {part} of the {name} pillar"))
    z, half = 2 * height, span // 2
    deck, rail, car = colours[4:7]
    spans = [(0, half), (half, span - half)]
    for i in rng.permutation(2):
        clause = f"the {ends[i][0]} half of the {deck} deck was laid"
        steps.append(_one(clause, Brick(spans[i][0], 0, z, spans[i][1], 5, 1, deck)))
    for y, where in ((4, "at the back"), (0, "in front")):
        beam = Brick(0, y, z + 1, span, 1, 1, rail)
        steps.append(_one(f"{_a(rail)} railing was fixed {where}", beam))
    x = int(rng.integers(1, span - 5))
    steps.append(_put(car, (x, 1, z + 1, 4, 3, 2), "on the deck as a car"))
    return Plan(f"build a bridge with {_a(deck)} deck", "bridge", tuple(steps))


Grammar = Callable[[Rng, list[str]], Plan]
GRAMMARS: tuple[Grammar, ...] = (_house, _tower, _vehicle, _letter, _bridge)


def build_plan(seed: int) -> Plan:
    """The bricks of ``episode(seed, ...)`` in building order."""
    rng = np.random.default_rng(seed)
    plate = PLATES[int(rng.integers(len(PLATES)))]
    colours = [str(name) for name in rng.permutation([c for c in COLOURS if c != plate])]
    grammar = GRAMMARS[int(rng.integers(len(GRAMMARS)))]
    return replace(grammar(rng, colours), plate=plate)
