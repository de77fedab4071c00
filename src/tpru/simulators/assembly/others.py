"""Grammars kept for level 3: boat, staircase, robot figure, table with chairs."""

from tpru.simulators.assembly.bricks import (
    NUMBERS,
    ORDINALS,
    Brick,
    Part,
    Plan,
    Supply,
    a,
    flipped,
    listing,
    part,
    pick,
)
from tpru.simulators.episode import Rng


def boat(rng: Rng, supply: Supply) -> Plan:
    """A hull, a deck with a cabin, then a mast with sails; the bow looks left or right."""
    hull, rim, cabin, roof, sail, mast = supply.colours[:6]
    long = pick(rng, 11, 13)
    x, y = long - 5, 2
    parts = [
        part(hull, "keel", "on the plate", Brick(2, 1, 0, long - 4, 4, 1, hull)),
        part(hull, "hull", "on the keel", Brick(1, 0, 1, long - 1, 6, 1, hull)),
        part(rim, "deck", "on the hull", Brick(0, -0.5, 2, long + 2, 7, 1, rim)),
        part(cabin, "cabin", "on the deck", Brick(0.5, 1, 3, 5, 4, 2, cabin)),
        part(roof, "roof", "on the cabin", Brick(0, 0, 5, 6, 6, 1, roof)),
        part(cabin, "funnel", "on the roof", Brick(1.5, 1.5, 6, 3, 3, 4, cabin, "round")),
        part(mast, "mast", "on the deck", Brick(x, y, 3, 1.5, 1.5, 9, mast, "tile")),
        part(sail, "lower sail", "on the mast", Brick(x, y - 1, 3.8, 5, 1, 3.7, sail, "tile")),
        part(rim, "upper sail", "on the mast", Brick(x, y - 1, 7.8, 4, 1, 3.2, rim, "tile")),
        part(roof, "flag", "on the mast", Brick(x, y, 12, 4, 1, 2, roof, "tile")),
    ]
    goal = (
        f"build a boat with {a(hull)} hull, {a(rim)} deck, {a(cabin)} cabin and funnel, {a(roof)} roof, "
        f"{a(mast)} mast, {a(sail)} and {a(rim)} sail from below, then {a(roof)} flag"
    )
    if rng.random() < 0.5:
        parts = [flipped(p) for p in parts]
    return Plan(goal, tuple(parts))


def staircase(rng: Rng, supply: Supply) -> Plan:
    """Stairs from the lowest to the highest, then something on the top one."""
    count, turns, wide = pick(rng, 7, 9), pick(rng, 2, 3), 2
    colours, top = supply.colours[:turns], supply.colours[turns]
    deep = pick(rng, 4, 6)
    parts = [
        part(
            colours[k % turns],
            f"{ORDINALS[k + 1]} {{}} stair",
            "on the plate",
            Brick(k * wide, 0, 0, wide, deep, 1.3 * (k + 1), colours[k % turns]),
            units={"stairs": 1},
        )
        for k in range(count)
    ]
    parts.append(
        part(
            top,
            "ball",
            "on the last stair",
            Brick((count - 1) * wide - 0.5, 1, 1.3 * count, 3, 3, 3, top, "round"),
        )
    )
    if rng.random() < 0.5:
        parts = [flipped(p) for p in parts]
    goal = (
        f"build a staircase of {NUMBERS[count]} stairs from low to high, {listing(list(colours))} in turn, "
        f"then {a(top)} ball on the last stair"
    )
    return Plan(goal, tuple(parts))


def robot_figure(rng: Rng, supply: Supply) -> Plan:
    """A toy robot from the feet to the hat, left before right."""
    foot, leg, chest, arm, head, hat, eye = supply.colours[:7]
    tall, wide = pick(rng, 2, 3), pick(rng, 8, 9)
    z = 1 + tall
    pairs = [
        part(foot, f"{side} foot", "on the plate", Brick(x, -1, 0, 3, 6, 1, foot), units={"feet": 1})
        for side, x in (("left", 0), ("right", wide - 3))
    ]
    pairs += [
        part(leg, f"{side} leg", "on the foot", Brick(x, 0, 1, 3, 4, tall, leg), units={"legs": 1})
        for side, x in (("left", 0), ("right", wide - 3))
    ]
    arms = [
        part(arm, f"{side} arm", "on the shoulder", Brick(x, 0, z + 4, 2, 4, 4, arm), units={"arms": 1})
        for side, x in (("left", -2), ("right", wide))
    ]
    face = [Brick(wide / 2 + side, -0.2, z + 5.5, 1, 0.2, 0.8, eye, "tile") for side in (-1.5, 0.5)]
    parts = [
        *pairs,
        part(chest, "belly", "on the legs", Brick(0, 0, z, wide, 4, 2, chest)),
        part(leg, "chest", "on the belly", Brick(-2, 0, z + 2, wide + 4, 4, 2, leg)),
        *arms,
        part(head, "head", "on the chest", Brick(wide / 2 - 2, 0, z + 4, 4, 4, 3, head), *face),
        part(
            hat,
            "hat",
            "on the head",
            Brick(wide / 2 - 3, -1, z + 7, 6, 6, 1, hat),
            Brick(wide / 2 - 1.5, 0.5, z + 8, 3, 3, 2, hat),
        ),
    ]
    goal = (
        f"build a robot from the feet up, left before right: {foot} feet, {leg} legs and chest, "
        f"{a(chest)} belly, {arm} arms, {a(head)} head and {a(hat)} hat"
    )
    return Plan(goal, tuple(parts))


def table_and_chairs(rng: Rng, supply: Supply) -> Plan:
    """A table, a chair on either side, then a vase with a flower."""
    leg, top, seat, back, vase, flower = supply.colours[:6]
    wide, high = pick(rng, 6, 7), pick(rng, 4, 5)
    feet = [Brick(x, y, 0, 2, 2, high, leg) for x in (0, wide - 2) for y in (0, 4)]
    parts: list[Part] = [
        part(leg, "table legs", "on the plate", *feet),
        part(top, "table top", "on the legs", Brick(-1, -1, high, wide + 2, 8, 1, top)),
    ]
    for side, x, lean in (("left", -6, -6), ("right", wide + 2, wide + 5)):
        parts += [
            part(seat, f"{side} seat", "on the plate", Brick(x, 1, 0, 4, 4, 2.5, seat), units={"seats": 1}),
            part(
                back,
                f"{side} back",
                "on the seat",
                Brick(lean, 1, 2.5, 1, 4, 5, back),
                units={"backs": 1},
            ),
        ]
    parts += [
        part(vase, "vase", "on the table", Brick(wide / 2 - 2, 1, high + 1, 4, 4, 3, vase, "round")),
        part(
            flower,
            "flower",
            "in the vase",
            Brick(wide / 2 - 0.5, 2.5, high + 4, 1, 1, 2, flower, "tile"),
            Brick(wide / 2 - 2, 1, high + 6, 4, 4, 1.5, flower, "round"),
        ),
    ]
    goal = (
        f"build a table of {leg} legs and {a(top)} top, then a chair at the left and one at the right, "
        f"{seat} seat before {back} back, then {a(vase)} vase and {a(flower)} flower"
    )
    return Plan(goal, tuple(parts))
