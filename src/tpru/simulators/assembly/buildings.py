"""Grammars of things that stand still: house, tower, bridge, wall, fence."""

from tpru.simulators.assembly.bricks import (
    NUMBERS,
    ORDINALS,
    Brick,
    Part,
    Plan,
    Supply,
    a,
    course,
    level,
    listing,
    part,
    pick,
)
from tpru.simulators.episode import Rng


def house(rng: Rng, supply: Supply) -> Plan:
    """Walls by side or by level, a roof, then one to three things around it."""
    wall, roof, floor = supply.colours[:3]
    width, depth = pick(rng, 8, 10), pick(rng, 6, 7)
    slab = part(floor, "floor", "on the plate", Brick(-1, -1, 0, width + 2, depth + 2, 1, floor, "tile"))
    by_side = rng.random() < 0.5
    build = _sides if by_side else _levels
    shell, top = build(rng, wall, floor, width, depth)
    cover = _gable(roof, width, depth, top) if by_side else _tiers(roof, width, depth, top)
    extras = _extras(rng, supply, width, depth, cover[-1])
    words = "back, left, right and front walls" if by_side else f"{NUMBERS[len(shell)]} levels of walls"
    tiers = "back and front" if by_side else "lower, middle and top"
    goal = (
        f"build a house: {a(floor)} floor, {words} in {wall}, {tiers} roof in {roof}, "
        f"then {listing([a(e.name) for e in extras])}"
    )
    return Plan(goal, (slab, *shell, *cover, *extras))


def _sides(rng: Rng, wall: str, door: str, width: int, depth: int) -> tuple[list[Part], int]:
    rows, gap = pick(rng, 3, 4), pick(rng, 1, width - 4)
    sides = {
        "back": [Brick(0, depth - 1, 1 + z, width, 1, 1, wall) for z in range(rows)],
        "left": [Brick(0, 1, 1 + z, 2, depth - 2, 1, wall) for z in range(rows)],
        "right": [Brick(width - 2, 1, 1 + z, 2, depth - 2, 1, wall) for z in range(rows)],
        "front": [
            *(Brick(0, 0, 1 + z, gap, 1, 1, wall) for z in range(2)),
            *(Brick(gap + 2, 0, 1 + z, width - gap - 2, 1, 1, wall) for z in range(2)),
            Brick(gap, 0.2, 1, 2, 0.8, 2, door, "tile"),
            *(Brick(0, 0, 1 + z, width, 1, 1, wall) for z in range(2, rows)),
        ],
    }
    parts = [part(wall, f"{side} wall", "on the floor", *b, units={"walls": 1}) for side, b in sides.items()]
    return parts, rows + 1


def _levels(rng: Rng, wall: str, door: str, width: int, depth: int) -> tuple[list[Part], int]:
    rows, gap = pick(rng, 3, 4), pick(rng, 1, width - 4)
    parts = []
    for row in range(1, rows + 1):
        bricks = [
            Brick(0, depth - 1, row, width, 1, 1, wall),
            Brick(0, 1, row, 1, depth - 2, 1, wall),
            Brick(width - 1, 1, row, 1, depth - 2, 1, wall),
        ]
        if row < 3:
            bricks += [Brick(0, 0, row, gap, 1, 1, wall)]
            bricks += [Brick(gap + 2, 0, row, width - gap - 2, 1, 1, wall)]
        else:
            bricks += course(wall, 0, 0, row, width, 1, 1, pick(rng, 1, 4))
        parts.append(level(wall, "walls", row, *bricks, unit="wall levels"))
    return parts, rows + 1


def _gable(roof: str, width: int, depth: int, top: int) -> list[Part]:
    half = depth // 2
    back = Brick(-1, half, top, width + 2, depth - half + 1, 2.4, roof, "back")
    fore = Brick(-1, -1, top, width + 2, half + 1, 2.4, roof, "front")
    return [
        part(roof, "back roof", "on the walls", back),
        part(roof, "front roof", "on the walls", fore),
    ]


def _tiers(roof: str, width: int, depth: int, top: int) -> list[Part]:
    wide = Brick(-1, -1, top, width + 2, depth + 2, 1, roof)
    middle = Brick(0, 0, top + 1, width, depth, 1.4, roof)
    tip = Brick(2, 1, top + 2.4, width - 4, depth - 2, 1.6, roof)
    return [
        part(roof, f"{name} roof", place, brick)
        for name, place, brick in (
            ("lower", "on the walls", wide),
            ("middle", "on top", middle),
            ("top", "on top", tip),
        )
    ]


def _extras(rng: Rng, supply: Supply, width: int, depth: int, cover: Part) -> list[Part]:
    """One to three of: something on the roof, something at the right, something in front."""
    names = ("aerial", "cactus", "bench") if supply.unseen else ("chimney", "tree", "hedge")
    high, beside, fore = supply.colours[3:6]
    summit = max(cover.bricks, key=lambda b: b.z + b.h)
    top, x = summit.z + summit.h, pick(rng, 3, width - 5) if summit.w > 4 else summit.x
    y = summit.y + summit.d - (1 if summit.shape == "front" else 2)  # on the ridge
    crown = "round" if supply.unseen else "brick"
    mast = Brick(x, y, top, 2, 2, 3, high, crown)
    made = [
        part(high, names[0], "on the roof", mast),
        part(
            beside,
            names[1],
            "beside the house",
            Brick(width + 2, 1, 0, 1, 1, 2, beside),
            Brick(width + 1, 0, 2, 3, 3, 3, beside, crown),
        ),
        part(fore, names[2], "before the house", *course(fore, 0, -4, 0, width, 2, 1)),
    ]
    return made[: pick(rng, 1, 3)]


def tower(rng: Rng, supply: Supply) -> Plan:
    """Levels of one brick each, square or round, tapering or shifted, under a roof."""
    count, turns = pick(rng, 7, 10), pick(rng, 2, 3)
    colours, cap = supply.colours[:turns], supply.colours[turns]
    shape, style = ("brick", "round")[pick(rng, 0, 1)], pick(rng, 0, 2)
    wide, high = pick(rng, 6, 8), 2 if style else pick(rng, 1, 2)
    parts: list[Part] = []
    for k in range(count):
        side = wide - (2 * k * (wide - 4) // (2 * count)) if style == 0 else wide - 2 * (k % 2 == style - 1)
        edge = (wide - side) / 2
        brick = Brick(edge, edge, k * high, side, side, high, colours[k % turns], shape)
        parts.append(level(colours[k % turns], "brick", k + 1, brick))
    roof = (
        Brick(0, 0, count * high, wide, wide, 1, cap),
        Brick(wide / 2 - 1, wide / 2 - 1, count * high + 1, 2, 2, 2, cap, shape),
    )
    parts.append(part(cap, "spire" if supply.unseen else "roof", "on top", *roof))
    goal = (
        f"stack a tower of {NUMBERS[count]} levels, {listing(list(colours))} in turn from below, "
        f"with {a(cap)} {parts[-1].noun}"
    )
    return Plan(goal, tuple(parts))


def bridge(rng: Rng, supply: Supply) -> Plan:
    """Pillars from left to right, a deck, railings, and something that drives on it."""
    pillar, deck, rail, car, second = supply.colours[:5]
    three = rng.random() < 0.5
    span, high = pick(rng, 6, 7) * 2, pick(rng, 3, 4)
    parts = _three_pillars(pillar, span, high) if three else _two_pillars(pillar, second, span, high)
    half, top = span // 2, high + 1 if three else 2 * (high // 2 + 1)
    for side, x in (("left", 0), ("right", half)):
        slab = Brick(x, 0, top, half, 5, 1, deck)
        parts.append(part(deck, f"{side} deck", "on the pillars", slab))
    for side, y in (("back", 4), ("front", 0)):
        beam = course(rail, 0, y, top + 1, span, 1, 1)
        parts.append(part(rail, f"{side} railing", "on the deck", *beam))
    x, name = pick(rng, 1, span - 7), "tram" if supply.unseen else "car"
    body = Brick(x, 1, top + 1, 6, 3, 2, car), Brick(x + 1, 1, top + 3, 3, 3, 1, car)
    parts.append(part(car, name, "on the deck", *body))
    goal = (
        f"build a bridge from left to right: {NUMBERS[3 if three else 2]} {pillar} pillars"
        f"{'' if three else f' with {second} heads'}, {deck} left and right decks, "
        f"a back and a front railing in {rail}, then {a(car)} {name}"
    )
    return Plan(goal, tuple(parts), sideways=0.8)


def _three_pillars(colour: str, span: int, high: int) -> list[Part]:
    xs = {"left": 0, "middle": span // 2 - 1, "right": span - 2}
    return [
        part(
            colour,
            f"{side} pillar",
            "on the plate",
            Brick(x, 0, 0, 2, 5, high + 1, colour),
            units={"pillars": 1},
        )
        for side, x in xs.items()
    ]


def _two_pillars(foot: str, head: str, span: int, high: int) -> list[Part]:
    tall = high // 2 + 1
    parts = []
    for side, x in (("left", 0), ("right", span - 3)):
        low, top = Brick(x, 0, 0, 3, 5, tall, foot), Brick(x, 0, tall, 3, 5, tall, head)
        parts.append(part(foot, f"{side} pillar", "on the plate", low, units={"pillars": 1}))
        parts.append(part(head, f"{side} pillar head", "on top", top))
    return parts


def wall(rng: Rng, supply: Supply) -> Plan:
    """Levels of bricks with a window between two sides, a row above and battlements."""
    stone, frame, crown = supply.colours[:3]
    width, below, above = pick(rng, 11, 13), pick(rng, 1, 2), pick(rng, 1, 2)
    gap, high = pick(rng, 3, width - 7), 3
    parts = [
        _row(rng, stone, number, width, number - 1, "on the plate" if number == 1 else "on top")
        for number in range(1, below + 1)
    ]
    what = "gate" if supply.unseen else "window"
    parts.append(part(frame, what, "on the wall", *_opening(frame, gap, below)))
    for side, x, w in (("left", 0, gap), ("right", gap + 4, width - gap - 4)):
        bricks = [b for z in range(high) for b in course(stone, x, 0, below + z, w, 2, 1, 2 + 2 * (z % 2))]
        parts.append(part(stone, f"{side} side", f"beside the {what}", *bricks))
    for number in range(1, above + 1):
        z = below + high + number - 1
        parts.append(_row(rng, stone, below + number, width, z, f"over the {what}"))
    top = below + high + above
    for side, x in (("left", 0), ("middle", width // 2 - 1), ("right", width - 3)):
        tooth = Brick(x, 0, top, 3, 2, 2, crown)
        parts.append(part(crown, f"{side} tooth", "on top", tooth, units={"teeth": 1}))
    goal = (
        f"build {a(stone)} wall with {a(frame)} {what}, left side before right side, "
        f"then {NUMBERS[3]} {crown} teeth from left to right"
    )
    return Plan(goal, tuple(parts), sideways=0.8)


def _row(rng: Rng, colour: str, number: int, width: int, z: int, place: str) -> Part:
    bricks = course(colour, 0, 0, z, width, 2, 1, pick(rng, 1, 4))
    return part(colour, f"{ORDINALS[number]} {{}} row", place, *bricks)


def _opening(frame: str, x: int, z: int) -> list[Brick]:
    """A frame of four by three with a cross of bars."""
    return [
        Brick(x, 0, z, 1, 2, 3, frame),
        Brick(x + 3, 0, z, 1, 2, 3, frame),
        Brick(x + 1, 0.6, z, 2, 0.8, 0.5, frame, "tile"),
        Brick(x + 1, 0.6, z + 2.5, 2, 0.8, 0.5, frame, "tile"),
        Brick(x + 1.75, 0.8, z + 0.5, 0.5, 0.4, 2, frame, "tile"),
    ]


def fence(rng: Rng, supply: Supply) -> Plan:
    """Posts from left to right, panels between them, a beam on top and lamps."""
    post, panel, beam, lamp = supply.colours[:4]
    count = pick(rng, 4, 5)
    room = 7 - count
    high, pitch = pick(rng, 6, 8), room + 2
    parts = []
    for k in range(count):
        bricks = Brick(k * pitch, 0, 0, 2, 2, high, post)
        parts.append(part(post, f"{ORDINALS[k + 1]} {{}} post", "on the plate", bricks, units={"posts": 1}))
    for k in range(count - 1):
        boards = Brick(k * pitch + 2, 0.3, 0, room, 1.4, high - pick(rng, 1, 2), panel)
        parts.append(
            part(panel, f"{ORDINALS[k + 1]} {{}} panel", "between posts", boards, units={"panels": 1})
        )
    width = (count - 1) * pitch + 2
    parts.append(part(beam, "beam", "on top", Brick(0, 0, high, width, 2, 1, beam)))
    name = "ball" if supply.unseen else "lamp"
    shape = "round" if supply.unseen else "brick"
    if count == 4:
        parts.append(
            part(lamp, name, "on the beam", Brick(width / 2 - 1.5, 0, high + 1, 3, 2, 2, lamp, shape))
        )
    goal = (
        f"build a fence from left to right: {NUMBERS[count]} {post} posts, {NUMBERS[count - 1]} {panel} "
        f"panels, {a(beam)} beam on top{f', then {a(lamp)} {name}' if count == 4 else ''}"
    )
    return Plan(goal, tuple(parts), sideways=0.8)
