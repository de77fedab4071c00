"""The physical world in pybullet: table, plates and things, and pictures of them."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from tpru.simulators.episode import Labels
from tpru.simulators.robot.ground import Caster, Ground
from tpru.simulators.robot.kits import outline
from tpru.simulators.robot.scenery import Scenery
from tpru.simulators.robot.tasks import Plate, Task, Thing


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

TICK = 1 / 120  # seconds per step of the physics
MASS = 0.06
HAND_LINK = 7  # the arm's links from here on are the gripper


@contextmanager
def physics() -> Iterator[int]:
    """An empty world with gravity; a new one per episode, since old ones leave traces in the solver."""
    client = pb.connect(pb.DIRECT)
    try:
        pb.setGravity(0, 0, -9.81, physicsClientId=client)
        pb.setPhysicsEngineParameter(
            fixedTimeStep=TICK,
            numSolverIterations=40,
            deterministicOverlappingPairs=1,
            physicsClientId=client,
        )
        yield client
    finally:
        pb.disconnect(physicsClientId=client)


def _prism(corners: list[tuple[float, float]], height: float) -> dict[str, list[object]]:
    """Triangles of an upright prism around the origin; every face has its own normals."""
    points: list[object] = []
    normals: list[object] = []
    indices: list[object] = []
    top = height / 2
    for (x, y), (u, v) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = math.hypot(u - x, v - y)
        k = len(points)
        points += [
            (x, y, -top),
            (u, v, -top),
            (u, v, top),
            (x, y, top),
            (0.0, 0.0, top),
            (x, y, top),
            (u, v, top),
        ]
        normals += [((v - y) / length, (x - u) / length, 0.0)] * 4 + [(0.0, 0.0, 1.0)] * 3
        indices += [k, k + 1, k + 2, k, k + 2, k + 3, k + 4, k + 5, k + 6]
    return {"vertices": points, "normals": normals, "indices": indices}


def add_plate(client: int, plate: Plate) -> int:
    """Add a fixed box."""
    size = {"halfExtents": plate.half, "physicsClientId": client}
    hull = pb.createCollisionShape(pb.GEOM_BOX, **size)
    skin = pb.createVisualShape(pb.GEOM_BOX, rgbaColor=(*plate.colour, 1), **size)
    turn = pb.getQuaternionFromEuler((0, 0, plate.yaw))
    body = pb.createMultiBody(0, hull, skin, plate.at, turn, physicsClientId=client)
    pb.changeDynamics(body, -1, lateralFriction=1, physicsClientId=client)
    return int(body)


def add_thing(client: int, thing: Thing, friction: float) -> int:
    """Add a loose box or prism where it is at the start."""
    rgba = (*thing.colour, 1)
    if thing.shape in ("bar", "plank", "cube"):
        hull = pb.createCollisionShape(pb.GEOM_BOX, halfExtents=thing.half, physicsClientId=client)
        skin = pb.createVisualShape(
            pb.GEOM_BOX, halfExtents=thing.half, rgbaColor=rgba, physicsClientId=client
        )
    else:
        height, corners = 2 * thing.half[2], outline(thing.shape)
        prism = _prism(corners, height)
        ring = [(x, y, s * height / 2) for x, y in corners for s in (-1, 1)]
        if thing.shape == "cylinder":
            hull = pb.createCollisionShape(
                pb.GEOM_CYLINDER, radius=thing.half[0], height=height, physicsClientId=client
            )
        else:
            hull = pb.createCollisionShape(pb.GEOM_MESH, vertices=ring, physicsClientId=client)
        skin = pb.createVisualShape(pb.GEOM_MESH, **prism, rgbaColor=rgba, physicsClientId=client)
    turn = pb.getQuaternionFromEuler((0, 0, thing.place.yaw))
    x, y, z = thing.place.at
    body = pb.createMultiBody(MASS, hull, skin, (x, y, z + thing.half[2]), turn, physicsClientId=client)
    pb.changeDynamics(body, -1, lateralFriction=friction, physicsClientId=client)
    return int(body)


def add_table(client: int) -> None:
    """The table top at height 0. Only its body: :class:`Ground` draws it."""
    slab = pb.createCollisionShape(pb.GEOM_BOX, halfExtents=(0.7, 0.7, 0.02), physicsClientId=client)
    # A body without a skin would be drawn as its hull, so it gets a speck below the table.
    speck = pb.createVisualShape(
        pb.GEOM_BOX, halfExtents=(1e-4,) * 3, visualFramePosition=(-9, 0, -1), physicsClientId=client
    )
    body = pb.createMultiBody(0, slab, speck, (0.4, 0, -0.02), physicsClientId=client)
    pb.changeDynamics(body, -1, lateralFriction=1, physicsClientId=client)


def names_of(task: Task) -> list[str]:
    """Everything that labels tell apart, in the order of its numbers."""
    return [
        *(t.name for t in task.things),
        *dict.fromkeys(p.name for p in task.plates),
        "the gripper",
        "the arm",
    ]


class Eye:
    """Takes pictures of a world.

    owners: body number to name, for things and trays. arm: the arm's body number. size: of the pictures.
    """

    def __init__(
        self, client: int, scenery: Scenery, task: Task, owners: dict[int, str], arm: int, size: int
    ) -> None:
        self.client, self.scenery, self.size = client, scenery, size
        self.names = names_of(task)
        last = len(self.names)
        self.numbers = np.zeros((256, 16), np.uint8)  # by body and link
        for body, name in owners.items():
            self.numbers[body] = self.names.index(name) + 1
        self.numbers[arm] = last
        self.numbers[arm, HAND_LINK + 1 :] = last - 1
        camera = scenery.camera
        self.view = pb.computeViewMatrixFromYawPitchRoll(
            camera.target, camera.distance, camera.yaw, camera.pitch, 0, 2
        )
        self.lens = pb.computeProjectionMatrixFOV(camera.field, 1, 0.1, 4.0)
        mats = [(p, self.names.index(p.name) + 1) for p in task.plates if not p.solid]
        self.ground = Ground(scenery, mats, 2 * size)

    def look(self, casters: Sequence[Caster]) -> tuple[Image.Image, Labels]:
        """The picture and the numbers of what each of its pixels shows, 0 for the rest."""
        wide = 2 * self.size
        _, _, rgba, _, mask = pb.getCameraImage(
            wide,
            wide,
            self.view,
            self.lens,
            lightDirection=self.scenery.light,
            lightAmbientCoeff=self.scenery.ambient,
            lightDiffuseCoeff=0.55,
            lightSpecularCoeff=0.05,
            shadow=0,
            renderer=pb.ER_TINY_RENDERER,
            flags=pb.ER_SEGMENTATION_MASK_OBJECT_AND_LINKINDEX,
            physicsClientId=self.client,
        )
        owner = np.reshape(np.asarray(mask, np.int32), (wide, wide))
        picture = np.reshape(np.asarray(rgba, np.uint8), (wide, wide, 4))[:, :, :3]
        picture = np.where(owner[:, :, None] < 0, self.ground.draw(casters), picture)
        frame = Image.fromarray(picture).resize((self.size, self.size), Image.Resampling.BOX)
        few = owner[::2, ::2]
        known = self.numbers[few & 0xFF, (few >> 24) & 0xF]
        return frame, np.where(few < 0, self.ground.labels[::2, ::2], known)
