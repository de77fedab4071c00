"""Robot manipulation: a simulated Franka Panda arm that really picks, places and pushes objects.

Physics and software rendering come from pybullet (no display, no GPU). Lengths are metres, angles
radians; the table top lies at height 0 and the arm's base at the origin.
"""

import colorsys
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pybullet as pb
import pybullet_data
from PIL import Image

from tpru.simulators.episode import Episode

Rng = np.random.Generator
Point = tuple[float, float, float]
Colour = tuple[float, float, float]
Moment = tuple[str, str]  # its name and the step text

HALF = 0.028  # half an edge; the gripper opens to 0.08
EDGE = 2 * HALF
TRAVEL = 0.12  # how far above a thing or its target the gripper travels
TOLERANCE = 0.02
ATTEMPTS = 8
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


@dataclass(frozen=True)
class Look:
    """Everything that only changes the picture."""

    view: tuple[float, ...]
    light: Point
    ambient: float
    table: Colour
    back: tuple[Colour, Colour]
    home: Point


@dataclass(frozen=True)
class Outcome:
    """Where every thing should be at the end of an episode and where it is."""

    wanted: tuple[Point, ...]
    reached: tuple[Point, ...]

    def error(self) -> float:
        """Largest distance in metres between a thing and its wanted place."""
        return max(math.dist(a, b) for a, b in zip(self.wanted, self.reached, strict=True))


class _LayoutError(Exception):
    """The drawn things do not fit beside each other; others are drawn."""


class _FailedError(Exception):
    """The arm missed the goal; another layout is tried."""


def _up(point: Point, dz: float) -> Point:
    return point[0], point[1], point[2] + dz


def _along(point: Point, angle: float, distance: float, dz: float = 0.0) -> Point:
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
        raise _LayoutError
    return spots


def _keep_free(places: Sequence[Point], spots: Sequence[Point], gap: float) -> None:
    if any(math.dist(p, s) < gap for p in places for s in spots):
        raise _LayoutError


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
        Move(i, _up(spots[0], i * EDGE), things[0].yaw, below.name)
        for i, below in enumerate(things[:-1], 1)
    )
    parts = [f"{things[m.thing].name} on {m.place}" for m in moves]
    goal = "stack " + ", ".join(parts[:-1]) + " and " + parts[-1]
    return Task("stack", goal, f"the arm waits beside {len(spots)} single cubes", things, moves)


def _unstack(rng: Rng) -> Task:
    foot, *free = _spots(rng, 3, 0.13)
    yaw = _yaw(rng)
    things = tuple(
        replace(t, yaw=yaw) for t in _things(rng, [_up(foot, i * EDGE) for i in range(3)])
    )
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
        raise _LayoutError
    shapes = rng.choice(["cube", "cylinder"], len(spots))
    things = tuple(
        replace(t, shape=str(s)) for t, s in zip(_things(rng, spots), shapes, strict=True)
    )
    moved = len(spots) - 1
    slots = [_along(centre, turn, 0.078 * (i - (moved - 1) / 2)) for i in range(moved)]
    moves = tuple(Move(i, slot, turn, "the tray", "in") for i, slot in enumerate(slots))
    names = [t.name for t in things[:moved]]
    goal = f"put {', '.join(names[:-1])} and {names[-1]} into the tray"
    plates = _tray_plates(centre, turn, colorsys.hsv_to_rgb(rng.uniform(), 0.35, 0.45))
    return Task("tray", goal, "the arm waits beside an empty tray", things, moves, plates)


def _tray_plates(centre: Point, turn: float, colour: Colour) -> tuple[Plate, ...]:
    """Floor and four rims of a tray."""
    length, width, flat = 0.13, 0.075, (centre[0], centre[1], 0.0)
    rim: Colour = (colour[0] * 0.75, colour[1] * 0.75, colour[2] * 0.75)
    short, long = (0.006, width, 0.012), (length, 0.006, 0.012)
    ends = [_along(flat, turn, s * length, 0.012) for s in (-1, 1)]
    sides = [_along(flat, turn + math.pi / 2, s * width, 0.012) for s in (-1, 1)]
    return (
        Plate(_up(flat, 0.0025), (length, width, 0.0025), colour, turn),
        *(Plate(at, short, rim, turn) for at in ends),
        *(Plate(at, long, rim, turn) for at in sides),
    )


def _line_up(rng: Rng) -> Task:
    row, shape = _row(rng), str(rng.choice(["cube", "cylinder"]))
    spots = _spots(rng, int(rng.integers(3, 5)))
    places = [_along(spots[0], row, 0.085 * i) for i in range(len(spots))]
    _keep_free(places[1:], spots[1:], 0.11)
    things = tuple(replace(t, shape=shape) for t in _things(rng, spots, row))
    moves = tuple(
        Move(i, places[i], row, f"the spot next to {before.name}")
        for i, before in enumerate(things[:-1], 1)
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
    beside, top = _along(spots[0], row, EDGE + 0.004), _along(spots[0], row, HALF + 0.002, EDGE)
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
    first, end = _along(middle, course, -0.11), _along(middle, course, 0.11)
    others = _spots(rng, int(rng.integers(1, 3)))
    _keep_free([_along(middle, course, d) for d in np.linspace(-0.18, 0.14, 9)], others, 0.09)
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


@contextmanager
def _physics() -> Iterator[int]:
    client = pb.connect(pb.DIRECT)
    try:
        pb.setGravity(0, 0, -9.81, physicsClientId=client)
        yield client
    finally:
        pb.disconnect(physicsClientId=client)


def _fixed(client: int, plate: Plate) -> None:
    """Add a fixed box; mats have no body, so nothing trips over their edge."""
    hull = -1
    if plate.solid:
        hull = pb.createCollisionShape(pb.GEOM_BOX, halfExtents=plate.half, physicsClientId=client)
    skin = pb.createVisualShape(
        pb.GEOM_BOX, halfExtents=plate.half, rgbaColor=(*plate.colour, 1), physicsClientId=client
    )
    turn = pb.getQuaternionFromEuler((0, 0, plate.yaw))
    body = pb.createMultiBody(0, hull, skin, plate.at, turn, physicsClientId=client)
    pb.changeDynamics(body, -1, lateralFriction=1, physicsClientId=client)


def _loose(client: int, thing: Thing, friction: float) -> int:
    """Add a cube, or a cylinder of the same height and width."""
    form = pb.GEOM_CYLINDER if thing.shape == "cylinder" else pb.GEOM_BOX
    size = {"halfExtents": (HALF,) * 3, "radius": HALF, "physicsClientId": client}
    hull = pb.createCollisionShape(form, height=EDGE, **size)
    skin = pb.createVisualShape(form, length=EDGE, rgbaColor=(*COLOURS[thing.colour], 1), **size)
    turn = pb.getQuaternionFromEuler((0, 0, thing.yaw))
    body = pb.createMultiBody(0.06, hull, skin, thing.at, turn, physicsClientId=client)
    pb.changeDynamics(body, -1, lateralFriction=friction, physicsClientId=client)
    return int(body)


class _Arm:
    """The Panda with its gripper pointing down; ``at`` and ``yaw`` are the commanded pose."""

    def __init__(self, client: int, home: Point) -> None:
        self.client, self.at, self.yaw, self.width = client, home, 0.0, 0.04
        urdf = Path(pybullet_data.getDataPath()) / "franka_panda/panda.urdf"
        self.body = pb.loadURDF(str(urdf), useFixedBase=True, physicsClientId=client)
        joints: tuple[float, ...] = (0.0, 0.3, 0.0, -2.2, 0.0, 2.5, 0.785)
        for _ in range(20):
            for joint, angle in enumerate(joints):
                pb.resetJointState(self.body, joint, angle, physicsClientId=client)
            joints = self._angles(home, 0.0)
        self._drive(60)

    def _angles(self, at: Point, yaw: float) -> tuple[float, ...]:
        down = pb.getQuaternionFromEuler((math.pi, 0, yaw))
        found = pb.calculateInverseKinematics(
            self.body, 11, at, down, maxNumIterations=60, physicsClientId=self.client
        )
        return tuple(found[:7])

    def _drive(self, ticks: int) -> None:
        pb.setJointMotorControlArray(
            self.body,
            [*range(7), 9, 10],
            pb.POSITION_CONTROL,
            targetPositions=[*self._angles(self.at, self.yaw), self.width, self.width],
            forces=[200.0] * 7 + [25.0] * 2,
            physicsClientId=self.client,
        )
        for _ in range(ticks):
            pb.stepSimulation(physicsClientId=self.client)

    def go(self, to: Point, yaw: float, stride: float = 0.02) -> None:
        """Move in a straight line, ``stride`` metres per command, turning evenly; then settle."""
        start, turn = self.at, self.yaw
        count = max(2, math.ceil(math.dist(start, to) / stride), math.ceil(abs(yaw - turn) / 0.1))
        for part in np.linspace(0, 1, count + 1)[1:].tolist():
            x, y, z = ((1 - part) * a + part * b for a, b in zip(start, to, strict=True))
            self.at, self.yaw = (x, y, z), (1 - part) * turn + part * yaw
            self._drive(8)
        self._drive(30)

    def grip(self, width: float) -> None:
        self.width = width
        self._drive(60)


def _position(client: int, body: int) -> Point:
    x, y, z = pb.getBasePositionAndOrientation(body, physicsClientId=client)[0]
    return x, y, z


def _heading(client: int, body: int) -> float:
    """Yaw of a body folded to within an eighth of a turn, where a cube looks the same."""
    turn = pb.getBasePositionAndOrientation(body, physicsClientId=client)[1]
    return math.remainder(pb.getEulerFromQuaternion(turn)[2], math.pi / 2)


def _render(client: int, look: Look, size: int) -> Image.Image:
    wide = 2 * size
    _, _, rgba, depth, _ = pb.getCameraImage(
        wide,
        wide,
        look.view,
        pb.computeProjectionMatrixFOV(40, 1, 0.25, 2.5),
        lightDirection=look.light,
        lightAmbientCoeff=look.ambient,
        lightDiffuseCoeff=0.5,
        lightSpecularCoeff=0.1,
        shadow=1,
        renderer=pb.ER_TINY_RENDERER,
        flags=pb.ER_NO_SEGMENTATION_MASK,
        physicsClientId=client,
    )
    picture = np.reshape(np.asarray(rgba, np.uint8), (wide, wide, 4))[:, :, :3]
    empty = np.reshape(np.asarray(depth), (wide, wide)) >= 0.9999
    mix = np.linspace(0, 1, wide)[:, None, None]
    back = (1 - mix) * np.array(look.back[0]) + mix * np.array(look.back[1])
    picture = np.where(empty[:, :, None], (255 * back).astype(np.uint8), picture)
    return Image.fromarray(picture).resize((size, size), Image.Resampling.BOX)


def _look(rng: Rng, task: Task) -> Look:
    points = np.array([t.at for t in task.things] + [m.to for m in task.moves])
    middle = (points.min(0) + points.max(0)) / 2
    spread = float(np.linalg.norm(points.max(0) - points.min(0)))
    # Rows and pushes run across the picture: seen from their end they would hide themselves.
    base = math.remainder(task.moves[0].yaw + math.pi / 2, math.pi) if task.across else 0.0
    swing = 0.5 if task.across else 1.2
    view = pb.computeViewMatrixFromYawPitchRoll(
        (middle[0], middle[1], middle[2] + 0.05),
        float(rng.uniform(0.46, 0.54) + 0.66 * spread),
        90 + math.degrees(base + rng.uniform(-swing, swing)),
        float(rng.uniform(-48, -26)),
        0,
        2,
    )
    tone = float(rng.uniform())
    return Look(
        view=view,
        light=(float(rng.uniform(-1, 2)), float(rng.uniform(-1.5, 1.5)), 2.0),
        ambient=float(rng.uniform(0.58, 0.72)),
        table=colorsys.hsv_to_rgb(
            float(rng.uniform()), float(rng.uniform(0.1, 0.4)), float(rng.uniform(0.45, 0.9))
        ),
        back=(
            colorsys.hsv_to_rgb(tone, 0.35, float(rng.uniform(0.35, 0.8))),
            colorsys.hsv_to_rgb(tone, 0.25, float(rng.uniform(0.15, 0.4))),
        ),
        home=(float(rng.uniform(0.38, 0.5)), float(rng.choice([-1, 1]) * 0.2), 0.33),
    )


def _furnish(client: int, task: Task, look: Look) -> list[int]:
    """Table of five planks, plates and things; returns the ids of the things."""
    for i in range(5):
        r, g, b = (c * (0.92 if i % 2 else 1.0) for c in look.table)
        _fixed(client, Plate((0.24 * i - 0.2, 0, -0.02), (0.12, 0.5, 0.02), (r, g, b)))
    for plate in task.plates:
        _fixed(client, plate)
    # A pushed thing must slide and not tip over; a held one must not slip.
    return [_loose(client, thing, 0.4 if task.push else 1.2) for thing in task.things]


def _pick_and_place(task: Task, arm: _Arm, bodies: list[int], move: Move) -> Iterator[Moment]:
    """Carry one thing to its place; pause at every key moment."""
    name, body = task.things[move.thing].name, bodies[move.thing]
    at, yaw = _position(arm.client, body), _heading(arm.client, body)
    high = TRAVEL + max(p[2] for p in [*(t.at for t in task.things), *(m.to for m in task.moves)])
    arm.grip(0.04)
    arm.go((at[0], at[1], high), yaw)
    yield "above", f"the gripper moved above {name}"
    arm.go(at, yaw)
    arm.grip(0.0)
    yield "grasped", f"the gripper closed on {name}"
    arm.go((at[0], at[1], high), yaw)
    yield "lifted", f"the gripper lifted {name}"
    arm.go((move.to[0], move.to[1], high), move.yaw)
    yield "carried", f"the arm carried {name} over {move.place}"
    arm.go(_up(move.to, 0.002), move.yaw)
    yield "lowered", f"the gripper lowered {name} {move.how}to {move.place}"
    arm.grip(0.035)
    arm.go((move.to[0], move.to[1], high), move.yaw)
    yield "released", f"the gripper let go of {name} {move.how} {move.place} and rose"


def _push_along(task: Task, arm: _Arm, bodies: list[int], move: Move) -> Iterator[Moment]:
    """Push one thing with both finger tips; pause at every quarter of the way."""
    name, at = task.things[move.thing].name, _position(arm.client, bodies[move.thing])
    # A quarter turn more or less would leave the wrist's range; a half turn looks the same.
    yaw = math.remainder(move.yaw, math.pi)
    reach = HALF + 0.011
    behind = _along(at, move.yaw, -reach - 0.03)
    arm.grip(0.016)
    arm.go(_up(behind, TRAVEL), yaw)
    yield "above", f"the gripper moved behind {name}, still high up"
    arm.go(behind, yaw)
    yield "lowered", f"the gripper came down behind {name}"
    length = math.dist(at, move.to)
    ways = ("a quarter of the way", "half of the way", "three quarters of the way", "all the way")
    for i, way in enumerate(ways, 1):
        arm.go(_along(at, move.yaw, length * i / 4 - reach), yaw, 0.008)
        yield "pushed", f"the gripper pushed {name} {way} to {move.place}"
    arm.go(_along(at, move.yaw, length - reach - 0.03, TRAVEL), yaw)
    yield "released", f"the gripper rose and left {name} on {move.place}"


def _shown(rng: Rng, task: Task) -> frozenset[str]:
    """Which moments of a move become frames, so that an episode has 8 to 12 of them."""
    if task.push:
        return frozenset(("above", "lowered", "pushed", "released"))
    long = ("grasped lifted carried lowered released", "above lifted carried released")
    short = ("grasped carried released", "lifted carried released", "grasped carried lowered")
    choices = long if len(task.moves) == 2 else short
    return frozenset(str(rng.choice(choices)).split())


def _distinct(frames: list[Image.Image]) -> bool:
    """Whether any two frames differ by more than 1 % of the cells of a 32 x 32 thumbnail."""
    cells = [np.asarray(f.resize((32, 32), Image.Resampling.BOX), np.int16) for f in frames]
    return all(
        np.mean(np.abs(a - b).max(axis=2) > 16) > 0.01 for a, b in itertools.combinations(cells, 2)
    )


def _draw(family: str, rng: Rng) -> Task:
    for _ in range(300):
        with suppress(_LayoutError):
            return FAMILIES[family](rng)
    raise _FailedError(f"{family}: no layout fits")


def _film(task: Task, rng: Rng, size: int) -> tuple[Episode, Outcome]:
    """Carry out the task and picture its key moments; stop at the first missed place."""
    look, shown = _look(rng, task), _shown(rng, task)
    act = _push_along if task.push else _pick_and_place
    wanted = [thing.at for thing in task.things]
    with _physics() as client:
        arm = _Arm(client, look.home)
        bodies = _furnish(client, task, look)
        arm.grip(0.04)
        frames, steps = [_render(client, look, size)], [task.start]
        for move in task.moves:
            for moment, text in act(task, arm, bodies, move):
                if moment in shown or (moment == "released" and move is task.moves[-1]):
                    frames.append(_render(client, look, size))
                    steps.append(f"{text} again" if text in steps else text)
            wanted[move.thing] = move.to
            outcome = Outcome(tuple(wanted), tuple(_position(client, b) for b in bodies))
            if outcome.error() > TOLERANCE:
                raise _FailedError(f"{task.family}: a thing is {outcome.error():.3f} m off")
    if not _distinct(frames):
        raise _FailedError(f"{task.family}: two frames look alike")
    return Episode(task.goal, task.family, tuple(frames), tuple(steps)), outcome


def film(seed: int, size: int) -> tuple[Episode, Outcome]:
    """The episode of a seed and where every thing ended; see :func:`episode`."""
    family = list(FAMILIES)[seed % len(FAMILIES)]
    failures = []
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([seed, attempt])
        try:
            return _film(_draw(family, rng), rng, size)
        except _FailedError as failure:
            failures.append(str(failure))
    raise RuntimeError(f"robot seed {seed} failed {ATTEMPTS} times: {'; '.join(failures)}")


def episode(seed: int, size: int) -> Episode:
    """Simulate one successful manipulation; frames are RGB, ``size`` x ``size`` pixels."""
    return film(seed, size)[0]
