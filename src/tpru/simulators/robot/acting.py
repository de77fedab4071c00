"""How the arm does what a move asks for, one moment after the other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tpru.simulators.episode import RejectedError, Rng
from tpru.simulators.robot.arm import OPEN, SHUT, Arm
from tpru.simulators.robot.ground import Caster
from tpru.simulators.robot.kits import symmetry
from tpru.simulators.robot.tasks import Place, Point, Task, along, flat, up
from tpru.simulators.robot.world import pb

PICKS = ("above", "grasped", "lifted", "carried", "lowered", "released")
PUSHES = ("behind", "edge", "onto", "left")

CLEAR = 0.03  # how far below a carried thing everything else stays
RISE = 0.1  # how far things are lifted, and the gripper rises after letting go
ROOMY = 0.042  # free metres around a finger's middle; more helps nobody
TOLERANCE = 0.018  # metres between where a thing is and where it should be
WRIST = (-math.pi / 3, 0.85 * math.pi)  # turns of the gripper that the last joint reaches
REACH = 0.04  # from the middle of a pushed thing to the finger tips behind it
SLOW = 0.006  # metres per command while pushing, so that nothing slides on by itself
BEFORE = 0.078  # from the middle of a mat to a thing that just touches it
HAND = (0.046, 0.075, 0.1)  # metres from the gripper's middle to its fingers and the ends of the hand


@dataclass(frozen=True)
class Pose:
    """Where a thing really is: the point below its middle, its yaw, whether it stands upright."""

    at: Point
    yaw: float
    upright: bool


class Worker:
    """An arm and the things it moves.

    places: where things should be, None for a held one. sight: direction across the picture in radians.
    """

    def __init__(self, arm: Arm, bodies: Sequence[int], task: Task, sight: float) -> None:
        self.arm, self.bodies, self.task, self.sight = arm, tuple(bodies), task, sight
        self.places: list[Place | None] = [thing.place for thing in task.things]

    def pose(self, thing: int) -> Pose:
        at, turn = pb.getBasePositionAndOrientation(self.bodies[thing], physicsClientId=self.arm.client)
        turned = pb.getMatrixFromQuaternion(turn)
        yaw = math.atan2(turned[3], turned[0])
        return Pose(up(at, -self.task.things[thing].half[2]), yaw, turned[8] > 0.97)

    def high(self, thing: int) -> float:
        """Height of the finger tips at which ``thing`` clears everything on the table."""
        tops = [
            self.pose(k).at[2] + 2 * t.half[2]
            for k, t in enumerate(self.task.things)
            if self.places[k] is not None
        ]
        return max(tops, default=0.0) + CLEAR + self.task.things[thing].half[2]

    def casters(self) -> list[Caster]:
        """What throws shadows now: every thing and the hand."""
        found = []
        for k, thing in enumerate(self.task.things):
            pose, (long, wide, half) = self.pose(k), thing.half
            if long > 2 * wide:
                ends = [along(pose.at, pose.yaw, s * (long - wide), half) for s in (-1, 1)]
                found.append(Caster(ends[0], ends[1], wide))
            else:
                found.append(Caster(pose.at, up(pose.at, 2 * half), 0.92 * wide))
        hand = [along(self.arm.at, self.arm.yaw + math.pi / 2, s * 0.07, 0.09) for s in (-1, 1)]
        return [*found, Caster(hand[0], hand[1], 0.035)]

    def check(self) -> None:
        """RejectedError unless everything stands where it should."""
        for k, place in enumerate(self.places):
            pose = self.pose(k)
            if place is not None and (math.dist(pose.at, place.at) > TOLERANCE or not pose.upright):
                raise RejectedError(f"{self.task.things[k].name} is {math.dist(pose.at, place.at):.3f} m off")
            if place is None and flat(pose.at, self.arm.at) > TOLERANCE:
                raise RejectedError(f"{self.task.things[k].name} is not in the gripper")

    def turn(self, thing: int, at: Point, yaw: float) -> float:
        """The gripper's yaw that fits a thing at ``at`` and keeps clear of the others."""
        step, half = symmetry(self.task.things[thing].shape), self.task.things[thing].half[2]
        turns = [yaw + step * k for k in range(-9, 10) if WRIST[0] < yaw + step * k < WRIST[1]]
        others = [
            (self.pose(k).at, 2 * t.half[2])
            for k, t in enumerate(self.task.things)
            if k != thing and self.places[k] is not None
        ]

        def merit(turn: float) -> float:
            room = ROOMY
            for reach in HAND:
                low = at[2] + half + (-0.02 if reach == HAND[0] else 0.03)
                for side in (-1, 1):
                    finger = along(at, turn + math.pi / 2, side * reach)
                    room = min([room, *(flat(o, finger) for o, tall in others if o[2] + tall > low)])
            # Fingers to the left and right of a thing do not hide it.
            return room + 0.02 * abs(math.cos(turn + math.pi / 2 - self.sight))

        return max(turns, key=merit)

    def pick(self, thing: int, place: Place, moment: str) -> None:
        """Go on from the moment before ``moment`` on the way of ``thing`` to ``place``."""
        arm, body = self.arm, self.task.things[thing]
        grip = body.half[2] + 0.006
        if moment == "above":
            pose = self.pose(thing)
            arm.grip(OPEN)
            arm.travel(up(pose.at, grip + RISE), self.turn(thing, pose.at, pose.yaw), self.high(thing))
        elif moment == "grasped":
            arm.go(up(self.pose(thing).at, grip), arm.yaw)
            arm.grip(SHUT)
        elif moment == "lifted":
            self.places[thing] = None
            arm.go(up(arm.at, RISE), arm.yaw)
        elif moment == "carried":
            offset = self.pose(thing).yaw - arm.yaw
            yaw = self.turn(thing, place.at, place.yaw - offset)
            arm.travel(up(place.at, grip + RISE), yaw, self.high(thing))
        elif moment == "lowered":
            arm.go(up(place.at, grip + 0.002), arm.yaw)
        else:
            arm.grip(OPEN)
            arm.go(up(place.at, grip + RISE), arm.yaw)
            self.places[thing] = replace(place, yaw=self.pose(thing).yaw)

    def push(self, thing: int, place: Place, moment: str, past: float = 0.0) -> None:
        """The same for a thing that is pushed; ``past`` metres beyond the place."""
        arm, at = self.arm, self.pose(thing).at
        course = math.atan2(place.at[1] - at[1], place.at[0] - at[0])
        yaw = place.yaw if WRIST[0] < place.yaw < WRIST[1] else place.yaw - math.pi
        height = self.task.things[thing].half[2] + 0.004
        if moment == "behind":
            start = along(at, course, -REACH - 0.015, height)
            arm.grip(0.008)
            arm.travel(start, yaw, 0.12)
        elif moment == "left":
            arm.go(along(arm.at, place.yaw, -0.02), yaw)
            arm.go(up(arm.at, 0.12), yaw)
        else:
            way = past - (BEFORE if moment == "edge" else 0.0)
            arm.go(along(place.at, place.yaw, way - REACH, height), yaw, SLOW)
            self.places[thing] = replace(place, at=along(place.at, place.yaw, way))

    def slip(self, thing: int, place: Place, rng: Rng) -> None:
        """Lose a lifted thing just above where it came from and close the empty gripper above it."""
        arm, body = self.arm, self.bodies[thing]
        high = arm.at
        arm.go(up(high, -RISE / 2), arm.yaw)
        arm.grip(OPEN)
        away, spin = float(rng.uniform(-np.pi, np.pi)), float(rng.choice([-1, 1])) * 5.0
        push = (0.12 * math.cos(away), 0.12 * math.sin(away), 0.0)
        pb.resetBaseVelocity(body, push, (0.0, 0.0, spin), physicsClientId=arm.client)
        arm.go(high, arm.yaw)
        arm.grip(SHUT)
        arm.rest(30)
        pose = self.pose(thing)
        if not pose.upright or abs(pose.at[2] - place.at[2]) > 0.004 or flat(pose.at, place.at) > 0.04:
            raise RejectedError("what slipped does not lie where it came from")
        self.places[thing] = replace(place, at=pose.at, yaw=pose.yaw)
