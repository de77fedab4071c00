"""The Panda arm: simple meshes, straight motions, a gripper that points down."""

import math
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pybullet_data

from tpru.simulators.episode import Colour
from tpru.simulators.robot.tasks import Point
from tpru.simulators.robot.world import HAND_LINK, pb

OPEN, SHUT = 0.037, 0.0  # half the distance of the finger tips
TIP, FINGERS, JOINTS = 11, (9, 10), 7
STRIDE, TURN = 0.03, 0.15  # metres and radians per command
READY = (0.0, 0.3, 0.0, -2.2, 0.0, 2.5, 0.785)


@cache
def _description() -> str:
    """The Panda of pybullet_data, drawn with its collision meshes, which have few triangles."""
    home = Path(pybullet_data.getDataPath()) / "franka_panda"
    text = (home / "panda.urdf").read_text(encoding="utf-8")
    return text.replace("meshes/visual/", "meshes/collision/").replace("package://", f"{home}/")


class Arm:
    """The arm in one world.

    colours: of the arm, the hand and the fingers. at, yaw, width: the commanded pose of the finger tips.
    """

    def __init__(self, client: int, home: Point, colours: tuple[Colour, Colour, Colour]) -> None:
        self.client, self.at, self.yaw, self.width = client, home, 0.0, OPEN
        with tempfile.TemporaryDirectory() as folder:
            urdf = Path(folder) / "panda.urdf"
            urdf.write_text(_description(), encoding="utf-8")
            self.body: int = pb.loadURDF(str(urdf), useFixedBase=True, physicsClientId=client)
        for link in range(-1, TIP):
            part = 2 if link in FINGERS else int(link >= HAND_LINK)
            rgba = (*colours[part], 1)
            pb.changeVisualShape(self.body, link, rgbaColor=rgba, physicsClientId=client)
        for link in range(-1, HAND_LINK):  # only the hand touches things: saves a third of the time
            pb.setCollisionFilterGroupMask(self.body, link, 0, 0, physicsClientId=client)
        joints: tuple[float, ...] = READY
        for _ in range(6):
            for joint, angle in enumerate(joints):
                pb.resetJointState(self.body, joint, angle, physicsClientId=client)
            joints = self._angles(home, 0.0)
        for finger in FINGERS:
            pb.resetJointState(self.body, finger, OPEN, physicsClientId=client)
        self._drive(20)

    def _angles(self, at: Point, yaw: float) -> tuple[float, ...]:
        down = pb.getQuaternionFromEuler((math.pi, 0, yaw))
        found = pb.calculateInverseKinematics(
            self.body, TIP, at, down, maxNumIterations=20, physicsClientId=self.client
        )
        return tuple(found[:JOINTS])

    def _drive(self, ticks: int) -> None:
        pb.setJointMotorControlArray(
            self.body,
            [*range(JOINTS), *FINGERS],
            pb.POSITION_CONTROL,
            targetPositions=[*self._angles(self.at, self.yaw), self.width, self.width],
            forces=[240.0] * JOINTS + [30.0] * 2,
            positionGains=[0.25] * (JOINTS + 2),
            physicsClientId=self.client,
        )
        for _ in range(ticks):
            pb.stepSimulation(physicsClientId=self.client)

    def go(self, to: Point, yaw: float, stride: float = STRIDE, settle: int = 3) -> None:
        """Move in a straight line, turning evenly, and settle."""
        start, turn = self.at, self.yaw
        count = max(2, math.ceil(math.dist(start, to) / stride), math.ceil(abs(yaw - turn) / TURN))
        for part in np.linspace(0, 1, count + 1)[1:].tolist():
            x, y, z = ((1 - part) * a + part * b for a, b in zip(start, to, strict=True))
            self.at, self.yaw = (x, y, z), (1 - part) * turn + part * yaw
            self._drive(4)
        for _ in range(settle):
            self._drive(5)

    def travel(self, to: Point, yaw: float, height: float) -> None:
        """Rise to ``height`` if below it, go across, and come down to ``to``."""
        if self.at[2] < height - 0.005:
            self.go((*self.at[:2], height), self.yaw, settle=1)
        if to[2] < self.at[2] - 0.005:
            self.go((*to[:2], self.at[2]), yaw, settle=1)
        self.go(to, yaw)

    def grip(self, width: float) -> None:
        """Open or close the gripper: half the distance of its finger tips in metres."""
        self.width = width
        self._drive(16)

    def rest(self, ticks: int) -> None:
        """Let time pass."""
        self._drive(ticks)
