"""The nine families of tasks that training may meet."""

import math

from tpru.simulators.robot.draft import MAT, Draft, on_top
from tpru.simulators.robot.kits import EDGE
from tpru.simulators.robot.tasks import Move, Place, Task, Thing, listed

ROW = 0.09  # between the middles of neighbours in a row


def count(number: int) -> str:
    return ("none", "one", "two", "three", "four", "five", "six")[number]


def stack(draft: Draft) -> Task:
    things = [draft.thing(draft.bare(draft.spot())) for _ in range(int(draft.rng.integers(3, 5)))]
    spare = draft.bare(draft.spot())
    place, moves = things[0].place, []
    for k, below in enumerate(things[:-1], 1):
        place = on_top(below, place)
        moves.append(Move(k, place))
    parts = [f"{things[m.thing].name} {m.place.put}" for m in moves]
    return Task(
        "stack",
        f"stack {listed(parts, 'and then')}",
        f"{count(len(things))} single {draft.noun(things)}",
        "the tower",
        tuple(things),
        tuple(moves),
        spares=(spare,),
    )


def unstack(draft: Draft) -> Task:
    high = 3
    foot = draft.bare(draft.spot())
    things, place = [], foot
    for _ in range(high):
        things.append(draft.thing(place))
        place = on_top(things[-1], place)
    mats = [draft.mat(draft.spot(), yaw=foot.yaw) for _ in range(int(draft.rng.integers(2, 4)))]
    spare = draft.bare(draft.spot())
    moves = tuple(Move(high - 1 - k, mat) for k, mat in enumerate(mats))
    parts = [f"{things[m.thing].name} {m.place.put}" for m in moves]
    return Task(
        "unstack",
        f"take the tower apart: put {listed(parts, 'and then')}",
        f"a tower of {count(high)} {draft.noun(things)}",
        "the single pieces",
        tuple(things),
        moves,
        tuple(draft.plates),
        (spare,),
    )


def sort_by_colour(draft: Draft) -> Task:
    names = [draft.colour()[0] for _ in range(3)]
    mats = [draft.mat(draft.spot(0.19, 0.13), name) for name in names]
    things = [draft.thing(draft.bare(draft.spot(0.19, 0.13)), name) for name in names]
    noun = draft.noun(things)
    return Task(
        "sort_by_colour",
        f"put the {noun} on the {draft.kit.mat}s of their colour: {listed(names, 'and then')}",
        f"{noun} and {draft.kit.mat}s of three colours",
        f"the sorted {noun}",
        tuple(things),
        tuple(Move(k, mat) for k, mat in enumerate(mats)),
        tuple(draft.plates),
    )


def line_up(draft: Draft) -> Task:
    number, side = int(draft.rng.integers(3, 5)), float(draft.rng.choice([-1, 1]))
    row, away = draft.turn + float(draft.rng.uniform(-0.12, 0.12)), side * 0.07
    spots = [(ROW * (k - (number - 1) / 2), away) for k in range(number)]
    draft.keep(spots[0])
    for across, _ in spots[1:]:
        draft.keep((across + 0.03, away), 0.02)
    first = Place(draft.at(spots[0]), row, "the table", "on the table", "over the table")
    things = [draft.thing(first)]
    things += [draft.thing(draft.bare(draft.spot(0.16, 0.04, (0, -away)))) for _ in spots[1:]]
    spare = draft.bare(draft.spot(0.19, 0.06, (0, -away)))
    moves = []
    for k, left in enumerate(things[:-1], 1):
        offset = ROW * k
        cos, sin = math.cos(row), math.sin(row)
        at = (first.at[0] + offset * cos, first.at[1] + offset * sin, 0.0)
        moves.append(Move(k, Place(at, row, "the table", f"beside {left.name}", f"over to {left.name}")))
    names = listed([thing.name.split()[1] for thing in things])
    return Task(
        "line_up",
        f"line up the {names} {draft.noun(things)} from left to right",
        f"{count(number)} scattered {draft.noun(things)}",
        "the row",
        tuple(things),
        tuple(moves),
        spares=(spare,),
    )


def pyramid(draft: Draft) -> Task:
    row, gap = draft.turn + float(draft.rng.uniform(-0.2, 0.2)), EDGE + 0.01
    base = draft.keep((float(draft.rng.uniform(-0.1, 0.1)), float(draft.rng.uniform(-0.08, 0.08))), 0.075)
    cos, sin = math.cos(row - draft.turn), math.sin(row - draft.turn)
    left, right = (draft.at((base[0] + s * gap / 2 * cos, base[1] + s * gap / 2 * sin)) for s in (-1, 1))
    mat = draft.mat(base, half=(2 * MAT, MAT + 0.006), yaw=row)
    things = [draft.thing(draft.bare(draft.spot(0.18, 0.12)), shape=draft.shape) for _ in range(3)]
    spare = draft.bare(draft.spot(0.18, 0.12))
    low, mid, high = (thing.name for thing in things)
    x, y, _ = draft.at(base)
    both = f"on both {draft.noun(things)}"
    moves = (
        Move(0, Place(left, row, mat.on, mat.put, mat.over)),
        Move(1, Place(right, row, mat.on, f"beside {low}", f"over to {low}")),
        Move(2, Place((x, y, EDGE), row, both[3:], both, f"over both {draft.noun(things)}")),
    )
    return Task(
        "pyramid",
        f"build a pyramid: {low} {mat.put}, then {mid} beside it and {high} on top of both",
        f"three single {draft.noun(things)}",
        "the pyramid",
        tuple(things),
        moves,
        tuple(draft.plates),
        (spare,),
    )


def swap(draft: Draft) -> Task:
    first, second = draft.mat(draft.spot()), draft.mat(draft.spot())
    things = [draft.thing(first), draft.thing(second)]
    spare, other = draft.bare(draft.spot()), draft.bare(draft.spot())
    if draft.rng.uniform() < 0.5:
        draft.thing(draft.bare(draft.spot()))
    moves = (Move(0, spare, first.on), Move(1, first, second.on), Move(0, second, spare.on))
    return Task(
        "swap",
        f"swap {things[0].name} and {things[1].name}, {things[0].name} first",
        f"two {draft.noun(things)} on {draft.kit.mat}s",
        "the swapped pair",
        tuple(draft.things),
        moves,
        tuple(draft.plates),
        (other,),
    )


def _container_and_rest(draft: Draft) -> tuple[list[Place], float]:
    """A tray with three slots; and how far away the middle of the free side is."""
    side = float(draft.rng.choice([-1, 1]))
    spot = (float(draft.rng.uniform(-0.03, 0.03)), side * 0.085)
    for across in (-0.115, 0.0, 0.115):
        draft.keep((spot[0] + across, spot[1]), 0.04)
    return draft.tray(spot, float(draft.rng.uniform(-0.1, 0.1)), 3), -side * 0.085


def fill_tray(draft: Draft) -> Task:
    slots, away = _container_and_rest(draft)
    things = [
        draft.thing(draft.bare(draft.spot(0.19, 0.04, (0, away))))
        for _ in range(int(draft.rng.integers(3, 5)))
    ]
    spare = draft.bare(draft.spot(0.2, 0.06, (0, away)))
    if draft.rng.uniform() < 0.5:
        slots.reverse()
    names = [thing.name for thing in things[:3]]
    return Task(
        "fill_tray",
        f"put {listed(names, 'and then')} into the {draft.kit.tray}",
        f"an empty {draft.kit.tray}",
        f"the full {draft.kit.tray}",
        tuple(things),
        tuple(Move(k, slot) for k, slot in enumerate(slots)),
        tuple(draft.plates),
        (spare,),
    )


def empty_tray(draft: Draft) -> Task:
    slots, away = _container_and_rest(draft)
    things = [draft.thing(slot) for slot in slots]
    middle = draft.keep((float(draft.rng.uniform(-0.03, 0.03)), away), 0.02)
    tilt = float(draft.rng.uniform(-0.1, 0.1))
    mat = draft.mat(middle, half=(0.14, 0.05), yaw=draft.turn + tilt)
    spare = draft.bare(draft.keep((float(draft.rng.choice([-1, 1])) * 0.22, away * 0.7), 0.0))
    spots = [
        draft.at((middle[0] + d * math.cos(tilt), middle[1] + d * math.sin(tilt))) for d in (-ROW, 0.0, ROW)
    ]
    order = [int(k) for k in draft.rng.permutation(3)]
    moves = tuple(
        Move(k, Place(spot, mat.yaw, mat.on, mat.put, mat.over)) for k, spot in zip(order, spots, strict=True)
    )
    names = [things[k].name for k in order]
    return Task(
        "empty_tray",
        f"empty the {draft.kit.tray}: put {listed(names, 'and then')} {mat.put}",
        f"a full {draft.kit.tray}",
        f"an empty {draft.kit.tray}",
        tuple(things),
        moves,
        tuple(draft.plates),
        (spare,),
    )


def push_to_mat(draft: Draft) -> Task:
    lanes = 2 if draft.rng.uniform() < 0.5 else 3
    side = float(draft.rng.choice([-1, 1]))
    course = draft.turn + (0.0 if side > 0 else math.pi)
    rows = [0.115 * (k - (lanes - 1) / 2) for k in range(lanes)]
    moves: list[Move] = []
    things: list[Thing] = []
    for away in draft.rng.permutation(rows).tolist():
        shift = float(draft.rng.uniform(-0.02, 0.02))
        mat = draft.mat((side * 0.09 + shift, away), yaw=course)
        # A flat side faces the fingers, also of a hexagon.
        start = draft.bare((side * (-0.07) + shift, away), course + math.pi / 2)
        moves.append(Move(len(things), mat))
        things.append(draft.thing(start))
    parts = [f"{thing.name} {m.place.put}" for thing, m in zip(things, moves, strict=True)]
    goal = ", then ".join(part.replace(" on the ", " onto the ") for part in parts)
    return Task(
        "push_to_mat",
        f"push {goal}",
        f"{count(lanes)} {draft.noun(things)} and empty {draft.kit.mat}s",
        f"the {draft.noun(things)} on {draft.kit.mat}s",
        tuple(things),
        tuple(moves),
        tuple(draft.plates),
        push=True,
    )
