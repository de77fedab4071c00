"""How the arm carries out one move, pausing at every moment that may become a frame."""

import math
from collections.abc import Iterator

from tpru.simulators.robot.tasks import HALF, Move, Task, along, up
from tpru.simulators.robot.world import Arm, heading, position

Moment = tuple[str, str]  # its name and the step text

TRAVEL = 0.12  # how far above a thing or its target the gripper travels


def pick_and_place(task: Task, arm: Arm, bodies: list[int], move: Move) -> Iterator[Moment]:
    """Carry one thing to its place; pause at every key moment."""
    name, body = task.things[move.thing].name, bodies[move.thing]
    at, yaw = position(arm.client, body), heading(arm.client, body)
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
    arm.go(up(move.to, 0.002), move.yaw)
    yield "lowered", f"the gripper lowered {name} {move.how}to {move.place}"
    arm.grip(0.035)
    arm.go((move.to[0], move.to[1], high), move.yaw)
    yield "released", f"the gripper let go of {name} {move.how} {move.place} and rose"


def push_along(task: Task, arm: Arm, bodies: list[int], move: Move) -> Iterator[Moment]:
    """Push one thing with both finger tips; pause at every quarter of the way."""
    name, at = task.things[move.thing].name, position(arm.client, bodies[move.thing])
    # A quarter turn more or less would leave the wrist's range; a half turn looks the same.
    yaw = math.remainder(move.yaw, math.pi)
    reach = HALF + 0.011
    behind = along(at, move.yaw, -reach - 0.03)
    arm.grip(0.016)
    arm.go(up(behind, TRAVEL), yaw)
    yield "above", f"the gripper moved behind {name}, still high up"
    arm.go(behind, yaw)
    yield "lowered", f"the gripper came down behind {name}"
    length = math.dist(at, move.to)
    ways = ("a quarter of the way", "half of the way", "three quarters of the way", "all the way")
    for i, way in enumerate(ways, 1):
        arm.go(along(at, move.yaw, length * i / 4 - reach), yaw, 0.008)
        yield "pushed", f"the gripper pushed {name} {way} to {move.place}"
    arm.go(along(at, move.yaw, length - reach - 0.03, TRAVEL), yaw)
    yield "released", f"the gripper rose and left {name} on {move.place}"
