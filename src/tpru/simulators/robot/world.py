"""The physical world: table, things and arm in pybullet, and the camera that pictures them."""

import colorsys
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybullet_data
from PIL import Image

from tpru.simulators.episode import Colour, Rng, dimmed
from tpru.simulators.robot.tasks import COLOURS, EDGE, HALF, Plate, Point, Task, Thing


@contextmanager
def _mute() -> Iterator[None]:
    """Discard what C code writes to the standard error stream."""
    shown = os.dup(2)
    try:
        with Path(os.devnull).open("w") as sink:
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        os.dup2(shown, 2)
        os.close(shown)


with _mute():  # its C code announces a build time on import
    import pybullet as pb


@dataclass(frozen=True)
class Look:
    """Everything that only changes the picture."""

    view: tuple[float, ...]
    light: Point
    ambient: float
    table: Colour
    back: tuple[Colour, Colour]
    home: Point


@contextmanager
def physics() -> Iterator[int]:
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


class Arm:
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


def position(client: int, body: int) -> Point:
    x, y, z = pb.getBasePositionAndOrientation(body, physicsClientId=client)[0]
    return x, y, z


def heading(client: int, body: int) -> float:
    """Yaw of a body folded to within an eighth of a turn, where a cube looks the same."""
    turn = pb.getBasePositionAndOrientation(body, physicsClientId=client)[1]
    return math.remainder(pb.getEulerFromQuaternion(turn)[2], math.pi / 2)


def render(client: int, look: Look, size: int) -> Image.Image:
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


def draw_look(rng: Rng, task: Task) -> Look:
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


def furnish(client: int, task: Task, look: Look) -> list[int]:
    """Table of five planks, plates and things; returns the ids of the things."""
    for i in range(5):
        colour = dimmed(look.table, 0.92 if i % 2 else 1.0)
        _fixed(client, Plate((0.24 * i - 0.2, 0, -0.02), (0.12, 0.5, 0.02), colour))
    for plate in task.plates:
        _fixed(client, plate)
    # A pushed thing must slide and not tip over; a held one must not slip.
    return [_loose(client, thing, 0.4 if task.push else 1.2) for thing in task.things]
