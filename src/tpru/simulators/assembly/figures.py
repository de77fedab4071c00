"""Grammars of things with a shape of their own: letter and vehicle."""

from tpru.simulators.assembly.bricks import (
    NUMBERS,
    ORDINALS,
    Brick,
    Part,
    Plan,
    Supply,
    a,
    flipped,
    level,
    listing,
    part,
    pick,
)
from tpru.simulators.episode import Rng

# Rows from the top; every run of bricks rests on one below.
LETTERS = {
    "A": ("XXXXX", "X   X", "X   X", "XXXXX", "X   X", "X   X", "X   X"),
    "C": ("XXXXX", "X    ", "X    ", "X    ", "X    ", "X    ", "XXXXX"),
    "E": ("XXXXX", "X    ", "X    ", "XXXX ", "X    ", "X    ", "XXXXX"),
    "F": ("XXXXX", "X    ", "X    ", "XXXX ", "X    ", "X    ", "X    "),
    "H": ("X   X", "X   X", "X   X", "XXXXX", "X   X", "X   X", "X   X"),
    "I": ("XXXXX", "  X  ", "  X  ", "  X  ", "  X  ", "  X  ", "XXXXX"),
    "L": ("X    ", "X    ", "X    ", "X    ", "X    ", "X    ", "XXXXX"),
    "O": ("XXXXX", "X   X", "X   X", "X   X", "X   X", "X   X", "XXXXX"),
    "P": ("XXXXX", "X   X", "X   X", "XXXXX", "X    ", "X    ", "X    "),
    "T": ("XXXXX", "  X  ", "  X  ", "  X  ", "  X  ", "  X  ", "  X  "),
    "U": ("X   X", "X   X", "X   X", "X   X", "X   X", "X   X", "XXXXX"),
}
UNSEEN_LETTERS = {
    "D": ("XXXX ", "X  XX", "X   X", "X   X", "X   X", "X  XX", "XXXX "),
    "G": ("XXXXX", "X    ", "X    ", "X  XX", "X   X", "X   X", "XXXXX"),
    "J": ("XXXXX", "    X", "    X", "    X", "    X", "X   X", "XXXXX"),
    "S": ("XXXXX", "X    ", "X    ", "XXXXX", "    X", "    X", "XXXXX"),
    "Y": ("X   X", "X   X", "X   X", "XXXXX", "  X  ", "  X  ", "  X  "),
}


def letter(rng: Rng, supply: Supply) -> Plan:
    """A capital letter that stands on a foot, level by level, in two or three colours in turn."""
    glyphs = UNSEEN_LETTERS if supply.unseen else LETTERS
    name = sorted(glyphs)[pick(rng, 0, len(glyphs) - 1)]
    turns, deep = pick(rng, 2, 3), pick(rng, 2, 3)
    colours, base = supply.colours[:turns], supply.colours[turns]
    rows = list(glyphs[name][::-1])
    if rng.random() < 0.5:
        rows.insert(1, rows[1])
    parts = [part(base, "foot", "on the plate", Brick(-1, -1, 0, 12, deep + 2, 1, base))]
    for k, row in enumerate(rows):
        bricks = [Brick(2 * x, 0, 1 + 2 * k, 2 * w, deep, 2, colours[k % turns]) for x, w in _runs(row)]
        parts.append(level(colours[k % turns], "row", k + 1, *bricks))
    goal = (
        f"build the letter {name} of {NUMBERS[len(rows)]} levels on {a(base)} foot, "
        f"{listing(list(colours))} in turn from below"
    )
    return Plan(goal, tuple(parts), sideways=0.75)


def _runs(row: str) -> list[tuple[int, int]]:
    """Start and length of the runs of X."""
    starts = [i for i, mark in enumerate(row) if mark == "X" and (i == 0 or row[i - 1] != "X")]
    return [(i, len(row[i:].split(" ")[0])) for i in starts]


def vehicle(rng: Rng, supply: Supply) -> Plan:
    """A truck with crates or a bus with luggage, facing left or right."""
    build = (_truck, _bus)[pick(rng, 0, 1)]
    plan = build(rng, supply)
    if rng.random() < 0.5:
        return plan
    return Plan(plan.goal, tuple(flipped(p) for p in plan.parts))


def _wheels(colour: str, hub: str, end: str, x: int) -> Part:
    """Two wheels with hubs and the block between them, below layer 2.5."""
    tyres = [Brick(x, y, 0, 3, 1.5, 2.5, colour, "wheel") for y in (0, 4.5)]
    hubs = [Brick(x + 1, y - 0.1, 0.85, 1, 1.7, 0.8, hub, "wheel") for y in (0, 4.5)]
    block = Brick(x + 1, 1.5, 1, 1, 3, 1.5, colour, "tile")
    return part(colour, f"{end} wheels", "on the plate", *tyres, *hubs, block, units={"wheels": 2})


def _load(colours: tuple[str, ...], noun: str, shape: str, x: int, z: float, count: int) -> list[Part]:
    """Things in a row from the rear to the front, three studs apart."""
    return [
        part(
            colours[k % len(colours)],
            f"{ORDINALS[k + 1]} {{}} {noun}",
            "on top",
            Brick(x + 3 * k, 1, z, 3, 4, 3 - (k % 2), colours[k % len(colours)], shape),
            units={f"{noun}s": 1},
        )
        for k in range(count)
    ]


def _truck(rng: Rng, supply: Supply) -> Plan:
    tyre, frame, cab, roof, *load = supply.colours[:7]
    count = pick(rng, 3, 4)
    noun, shape = ("barrel", "round") if supply.unseen else ("crate", "brick")
    length = 3 * count + 5
    kinds = tuple(load[: pick(rng, 2, 3)])
    parts = [
        _wheels(tyre, frame, "rear", 1),
        _wheels(tyre, frame, "front", length - 4),
        part(frame, "chassis", "on the wheels", Brick(0, 0, 2.5, length, 6, 1, frame)),
        part(
            cab,
            "cab",
            "on the chassis",
            Brick(length - 4, 0, 3.5, 4, 6, 1, cab),
            Brick(length - 4, 0, 4.5, 3, 6, 2.5, cab),
        ),
        part(roof, "cab roof", "on top", Brick(length - 4, -0.5, 7, 4, 7, 1, roof)),
        *_load(kinds, noun, shape, 0, 3.5, count),
    ]
    goal = (
        f"build a truck with {tyre} wheels, rear ones first, {a(frame)} chassis, {a(cab)} cab "
        f"and {a(roof)} cab roof, "
        f"then load {NUMBERS[count]} {noun}s from the rear, {listing(list(kinds))} in turn"
    )
    return Plan(goal, tuple(parts))


def _bus(rng: Rng, supply: Supply) -> Plan:
    tyre, body, glass, roof, *load = supply.colours[:6]
    count = pick(rng, 2, 4)
    noun, shape = ("barrel", "round") if supply.unseen else ("bag", "brick")
    length = 14
    panes = [Brick(x, 0, 5.5, 2, 6, 1.5, glass, "tile") for x in range(0, length, 3)]
    posts = [Brick(x + 2, 0.2, 5.5, 1, 5.6, 1.5, body, "tile") for x in range(0, length - 2, 3)]
    parts = [
        _wheels(tyre, body, "rear", 1),
        _wheels(tyre, body, "front", length - 4),
        part(body, "floor", "on the wheels", Brick(0, 0, 2.5, length, 6, 1, body)),
        part(body, "sides", "on the floor", Brick(0, 0, 3.5, length, 6, 2, body)),
        part(glass, "windows", "on the sides", *panes, *posts),
        part(roof, "roof", "on the windows", Brick(0, 0, 7, length, 6, 1, roof)),
        *_load(tuple(load), noun, shape, 0, 8, count),
    ]
    goal = (
        f"build a bus with {tyre} wheels, rear ones first, {a(body)} body, {glass} windows "
        f"and {a(roof)} roof, then {NUMBERS[count]} {noun}s on it from the rear, {listing(load)} in turn"
    )
    return Plan(goal, tuple(parts))
