"""What only changes the picture: camera, light, table, background and the arm's colours."""

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tpru.simulators.episode import Array, Colour, Rng
from tpru.simulators.robot.draft import MIDDLE
from tpru.simulators.robot.kits import Kit, Span
from tpru.simulators.robot.tasks import Point, Task, along, flat, up

ROOM = 0.17  # how high above every place of a thing the picture reaches: as high as things are lifted
NEAREST = 0.4  # least distance in metres of anything from the camera
HOME = 0.21  # height of the finger tips of the waiting arm
EDGES = 0.83  # how much of half the picture the scene may fill


@dataclass(frozen=True)
class Camera:
    """A camera that looks at ``target``; angles in degrees, distances in metres."""

    yaw: float
    pitch: float
    field: float
    target: Point = (0.5, 0.0, 0.05)
    distance: float = 0.8


@dataclass(frozen=True)
class Scenery:
    """Everything around the task.

    light: direction towards the lamp. plank: metres; lengthwise: whether planks point away from the arm.
    """

    camera: Camera
    light: Point
    ambient: float
    table: tuple[Colour, Colour]
    round_table: bool
    plank: float
    lengthwise: bool
    back: tuple[Colour, Colour]
    arm: tuple[Colour, Colour, Colour]
    home: Point


def _within(rng: Rng, span: Span) -> float:
    return float(rng.uniform(*span))


def draw_camera(rng: Rng, kit: Kit) -> Camera:
    """The camera's direction; a yaw of 90 degrees looks at the arm's front."""
    yaw = 90 + float(rng.choice([-1, 1])) * _within(rng, kit.swing)
    return Camera(yaw, _within(rng, kit.pitch), _within(rng, kit.field))


def sides(camera: Camera) -> tuple[Array, Array, Array]:
    """Unit vectors to the right, up and forward as the camera sees them."""
    yaw, pitch = math.radians(camera.yaw), math.radians(camera.pitch)
    right = np.array([math.cos(yaw), math.sin(yaw), 0.0])
    forward = np.array([-math.sin(yaw) * math.cos(pitch), math.cos(yaw) * math.cos(pitch), math.sin(pitch)])
    return right, np.cross(right, forward), forward


def _aim(camera: Camera, points: Sequence[Point]) -> Camera:
    """The same direction, so near that all points just fit into the picture."""
    cloud = np.array(points)
    right, upward, forward = sides(camera)
    middle = (cloud.min(0) + cloud.max(0)) / 2
    sight = math.tan(math.radians(camera.field / 2)) * EDGES
    # Again and again: nearer points look bigger, so the picture's middle is not the cloud's middle.
    distance = 0.0
    for _ in range(3):
        local = cloud - middle
        ahead = local @ forward
        near = [float((np.abs(local @ axis) / sight - ahead).max()) for axis in (right, upward)]
        distance = max(*near, NEAREST - float(ahead.min()))
        shift = 0.0 * right
        for axis in (right, upward):
            seen = (local @ axis) / (ahead + distance)
            shift = shift + axis * float(seen.min() + seen.max()) / 2 * distance
        middle = middle + shift
    x, y, z = middle.tolist()
    return Camera(camera.yaw, camera.pitch, camera.field, (x, y, z), distance)


def _points(task: Task) -> list[Point]:
    places = [t.place for t in task.things] + [m.place for m in task.moves]
    points = [p.at for p in [*places, *task.spares]] + [up(p.at, ROOM) for p in places]
    for plate in task.plates:
        reach = max(plate.half[:2])
        x, y, z = plate.at
        points += [(x + sx * reach * 0.8, y + sy * reach * 0.8, z) for sx in (-1, 1) for sy in (-1, 1)]
    return points


def _home(rng: Rng, camera: Camera, task: Task) -> Point:
    """Where the arm waits: at the back of the picture, as far as possible from where things are."""
    places = [t.place.at for t in task.things] + [m.place.at for m in task.moves]
    right, _, forward = sides(camera)
    spots = []
    for across, away in ((-0.15, 0.1), (0.15, 0.1), (0.0, 0.13)):
        x, y = MIDDLE[0] + across * right[0], MIDDLE[1] + across * right[1]
        spots.append(along((float(x), float(y), HOME), math.atan2(forward[1], forward[0]), away))
    free = [min(flat(spot, place) for place in places) + float(rng.uniform(0, 0.05)) for spot in spots]
    return spots[free.index(max(free))]


def draw_scenery(rng: Rng, kit: Kit, camera: Camera, task: Task) -> Scenery:
    """Everything around ``task``, which was laid for ``camera``."""
    yaw = math.radians(camera.yaw)
    right = (math.cos(yaw), math.sin(yaw))
    forward = (-right[1], right[0])
    side, near = kit.bulb * _within(rng, (0.3, 1.2)), _within(rng, (0.1, 0.9))
    light = tuple(side * r - near * f for r, f in zip(right, forward, strict=True))
    hue, tone = _within(rng, kit.table_hue), _within(rng, kit.back_hue)
    home = _home(rng, camera, task)
    faint, value = _within(rng, (0.06, 0.34)), _within(rng, kit.table_value)
    return Scenery(
        camera=_aim(camera, [*_points(task), home]),
        light=(light[0], light[1], 1.6),
        ambient=_within(rng, (0.5, 0.64)),
        table=(
            colorsys.hsv_to_rgb(hue, faint, value),
            colorsys.hsv_to_rgb(hue, faint, value * _within(rng, (0.84, 0.94))),
        ),
        round_table=kit.round_table,
        plank=_within(rng, (0.06, 0.3)),
        lengthwise=bool(rng.uniform() < 0.5),
        back=(
            colorsys.hsv_to_rgb(tone, 0.35, _within(rng, (0.35, 0.8))),
            colorsys.hsv_to_rgb(tone, 0.25, _within(rng, (0.15, 0.4))),
        ),
        arm=kit.arms[int(rng.integers(len(kit.arms)))],
        home=home,
    )
