"""The three families of tasks that are kept for level 3: the same skills, other structures."""

from tpru.simulators.robot.draft import Draft, on_top
from tpru.simulators.robot.families import count
from tpru.simulators.robot.tasks import Move, Place, Task, listed, up


def bridge(draft: Draft) -> Task:
    """Two pillars on mats, a bar over both and perhaps a thing on the bar."""
    side = float(draft.rng.choice([-1, 1]))
    row, away = draft.turn + float(draft.rng.uniform(-0.08, 0.08)), side * 0.06
    middle = float(draft.rng.uniform(-0.04, 0.04))
    mats = [draft.mat(draft.keep((middle + d, away), 0.05), yaw=row) for d in (-0.062, 0.062)]
    crowned = bool(draft.rng.uniform() < 0.5)
    things = [
        draft.thing(draft.bare(draft.spot(0.2, 0.05, (0, -away))), shape=draft.shape)
        for _ in range(3 if crowned else 2)
    ]
    rest = draft.keep((float(draft.rng.uniform(-0.06, 0.06)), -away - side * 0.09), 0.04)
    bar = draft.bar(draft.bare(rest, draft.turn + float(draft.rng.uniform(-0.3, 0.3))))
    spare = draft.bare(draft.spot(0.24, 0.1))
    pillars = draft.noun(things[:2])
    x, y, _ = draft.at((middle, away))
    top = Place(
        up((x, y, 0.0), 2 * things[0].half[2]),
        row,
        f"both {pillars}",
        f"on both {pillars}",
        f"over both {pillars}",
    )
    built = len(draft.things) - 1
    moves = [Move(0, mats[0]), Move(1, mats[1]), Move(built, top)]
    goal = (
        f"build a bridge: {things[0].name} {mats[0].put}, {things[1].name} {mats[1].put}, {bar.name} on both"
    )
    if crowned:
        moves.append(Move(2, on_top(bar, top)))
        goal += f", {things[2].name} on top"
    return Task(
        "bridge",
        goal,
        "the parts of a bridge",
        "the bridge",
        tuple(draft.things),
        tuple(moves),
        tuple(draft.plates),
        (spare,),
    )


def square(draft: Draft) -> Task:
    """One thing on every corner of a big mat."""
    side = float(draft.rng.choice([-1, 1]))
    middle = draft.keep((side * 0.09, 0.0), 0.12)
    tilt = float(draft.rng.uniform(-0.1, 0.1))
    mat = draft.mat(middle, half=(0.1, 0.1), yaw=draft.turn + tilt)
    number = int(draft.rng.integers(3, 5))
    corners = [
        (name, (middle[0] + 0.06 * x, middle[1] + 0.06 * y))
        for name, x, y in (
            ("far left", -1, 1),
            ("far right", 1, 1),
            ("near right", 1, -1),
            ("near left", -1, -1),
        )
    ]
    first, step = int(draft.rng.integers(4)), int(draft.rng.choice([-1, 1]))
    round_trip = [corners[(first + step * k) % 4] for k in range(4)]
    things, moves = [], []
    for k, (name, spot) in enumerate(round_trip):
        put = f"on the {name} corner"
        corner = Place(draft.at(spot), mat.yaw, mat.on, put, f"over the {name} corner")
        if k >= number:
            draft.thing(corner)
            continue
        moves.append(Move(k, corner))
        things.append(draft.thing(draft.bare(draft.spot(0.09, 0.15, (-side * 0.14, 0.0)))))
    parts = [f"{things[m.thing].name} {m.place.put}" for m in moves]
    return Task(
        "square",
        f"put one thing on each corner of {mat.on}: {listed(parts, 'and then')}",
        f"{count(number)} {draft.noun(things)} and {mat.on}",
        "the square",
        tuple(draft.things),
        tuple(moves),
        tuple(draft.plates),
    )


def restack(draft: Draft) -> Task:
    """Move a tower to another mat piece by piece, so that its order turns round."""
    side = float(draft.rng.choice([-1, 1]))
    spots = [
        (s * side * 0.1 + float(draft.rng.uniform(-0.015, 0.015)), float(draft.rng.uniform(-0.05, 0.05)))
        for s in (-1, 1)
    ]
    old, new = (
        draft.mat(draft.keep(spot), yaw=draft.turn + float(draft.rng.uniform(-0.25, 0.25))) for spot in spots
    )
    things, place = [], old
    for _ in range(3):
        things.append(draft.thing(place, shape=draft.shape))
        place = on_top(things[-1], place)
    spare = draft.bare(draft.spot(0.05, 0.15, (0.0, -0.02)))
    moves, target = [], new
    for k in (2, 1, 0):
        moves.append(Move(k, target))
        target = on_top(things[k], target)
    return Task(
        "restack",
        f"move the tower from {old.on} to {new.on} piece by piece",
        f"a tower {old.put}",
        f"the tower {new.put}",
        tuple(things),
        tuple(moves),
        tuple(draft.plates),
        (spare,),
    )
