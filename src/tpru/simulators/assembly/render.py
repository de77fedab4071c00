"""Convex solids cast into a depth buffer along the parallel rays of a camera."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from tpru.simulators.assembly.bricks import COLOURS, Brick, Plan
from tpru.simulators.episode import Array, Rng

LAYER = 1.2
OVERSAMPLING = 2
# Axis and direction into which a sloped brick falls.
SLOPES = {"front": (1, -1), "back": (1, 1), "right": (0, 1)}


@dataclass(frozen=True)
class Solid:
    """A convex solid: planes (n, 4) with normal and offset, inside where normal @ p <= offset."""

    low: Array
    high: Array
    planes: Array
    colour: Array
    outlined: bool = True


@dataclass(frozen=True)
class Camera:
    """Parallel rays: axes (3, 3) are right, down and forward; scale is pixels per stud; the
    picture is side pixels wide and high with the point (right, down) centre in its middle."""

    axes: Array
    scale: float
    centre: Array
    side: int
    light: Array


def _box(brick: Brick) -> tuple[Array, Array]:
    low = np.array([brick.x, brick.y, brick.z * LAYER])
    return low, low + np.array([brick.w, brick.d, brick.h * LAYER])


def _sides(low: Array, high: Array) -> Array:
    return np.column_stack([np.concatenate([np.eye(3), -np.eye(3)]), np.concatenate([high, -low])])


def _cylinder(low: Array, high: Array, axis: int, colour: Array, count: int = 10) -> Solid:
    middle, radius = (low + high) / 2, (high - low)[axis - 1] / 2
    turn = (np.arange(count) + 0.37) * 2 * np.pi / count
    normals = np.zeros((count, 3))
    normals[:, axis - 1], normals[:, axis - 2] = np.cos(turn), np.sin(turn)
    round_planes = np.column_stack([normals, radius + normals @ middle])
    caps = _sides(low, high)[[axis, axis + 3]]
    return Solid(low, high, np.concatenate([round_planes, caps]), colour, outlined=False)


def _slope(low: Array, high: Array, axis: int, sign: int) -> Array:
    lip = 0.3 * (high[2] - low[2])
    edge = high if sign > 0 else low
    normal = np.zeros(3)
    normal[axis], normal[2] = sign * (high[2] - low[2] - lip), (high - low)[axis] - 1
    return np.append(normal, normal[axis] * edge[axis] + normal[2] * (low[2] + lip))


def _studs(low: Array, high: Array, colour: Array) -> list[Solid]:
    corners = [(x, y) for x in np.arange(low[0], high[0]) for y in np.arange(low[1], high[1])]
    feet = [np.array([x + 0.2, y + 0.2, high[2]]) for x, y in corners]
    return [_cylinder(foot, foot + np.array([0.6, 0.6, 0.22]), 2, colour) for foot in feet]


def brick_solids(brick: Brick) -> list[Solid]:
    low, high = _box(brick)
    colour = np.array(COLOURS[brick.colour], float)
    if brick.shape == "wheel":
        middle, outside = (low + high) / 2, low[1] - 0.15
        hub = np.array([middle[0] - 0.5, outside, middle[2] - 0.5])
        return [
            _cylinder(low, high, 1, colour, 18),
            _cylinder(hub, hub + np.array([1, 0.3, 1]), 1, np.array(COLOURS["grey"], float)),
        ]
    planes, sides = _sides(low, high), [low.copy(), high.copy()]
    if brick.shape != "brick":
        axis, sign = SLOPES[brick.shape]
        planes = np.vstack([planes, _slope(low, high, axis, sign)])
        flat = low[axis] + 1 if sign > 0 else high[axis] - 1
        sides[int(sign > 0)][axis] = flat
    return [Solid(low, high, planes, colour), *_studs(sides[0], sides[1], colour)]


def _corners(low: Array, high: Array) -> Array:
    return np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )


def cast(solid: Solid, camera: Camera, depth: Array, picture: Array) -> None:
    """Draws a solid into depth (side, side) and picture (side, side, 3) where it is nearest."""
    seen = (_corners(solid.low, solid.high) @ camera.axes[:2].T - camera.centre) * camera.scale
    left, top = np.maximum(np.floor(seen.min(axis=0) + camera.side / 2).astype(int), 0)
    right, low = np.ceil(seen.max(axis=0) + camera.side / 2).astype(int) + 1
    area = (slice(top, low), slice(left, right))
    rows, columns = depth[area].shape
    xs = (left + 0.5 + np.arange(columns) - camera.side / 2) / camera.scale + camera.centre[0]
    ys = (top + 0.5 + np.arange(rows) - camera.side / 2) / camera.scale + camera.centre[1]
    along = solid.planes[:, :3] @ camera.axes.T
    facing = along[:, 2] < 0
    offset = solid.planes[:, 3, None, None] - along[:, 0, None, None] * xs
    distance = (offset - along[:, 1, None, None] * ys[:, None]) / along[:, 2, None, None]
    near, out = distance[facing], distance[~facing].min(axis=0)
    face, enter = near.argmax(axis=0), near.max(axis=0)
    hit = (enter < out) & (enter < depth[area])
    normals = solid.planes[facing, :3]
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    shade = (0.5 + 0.55 * np.clip(normals @ camera.light, 0, None))[face]
    if solid.outlined:
        second = np.sort(near, axis=0)[-2]
        shade = np.where(np.minimum(enter - second, out - enter) < 0.16, shade * 0.72, shade)
    depth[area] = np.where(hit, enter, depth[area])
    colour = np.clip(shade[..., None] * solid.colour, 0, 255)
    picture[area] = np.where(hit[..., None], colour, picture[area])


def plate_solids(plan: Plan, rng: Rng) -> list[Solid]:
    boxes = [_box(brick) for step in plan.steps for brick in step.bricks]
    low = np.min([box[0] for box in boxes], axis=0) - rng.integers(1, 3)
    high = np.max([box[1] for box in boxes], axis=0) + rng.integers(1, 3)
    low[2], high[2] = -0.4, 0.0
    base = np.array(COLOURS[plan.plate]) + rng.uniform(-14, 14, 3)
    return [Solid(low, high, _sides(low, high), base), *_studs(low, high, base)]


def draw_camera(plan: Plan, plate: Solid, rng: Rng, side: int) -> Camera:
    turn, tilt = np.radians([rng.uniform(*plan.azimuth), rng.uniform(*plan.elevation)])
    right = np.array([np.cos(turn), np.sin(turn), 0])
    flat = np.array([-np.sin(turn), np.cos(turn), 0])
    forward = np.cos(tilt) * flat - np.sin(tilt) * np.array([0, 0, 1])
    axes = np.array([right, np.cross(forward, right), forward])
    boxes = [_box(brick) for step in plan.steps for brick in step.bricks]
    points = [_corners(plate.low, plate.high), *(_corners(*box) for box in boxes)]
    seen = np.concatenate(points) @ axes[:2].T
    low, high = seen.min(axis=0), seen.max(axis=0)
    scale = side * rng.uniform(0.9, 0.97) / (high - low).max()
    light = np.array([rng.uniform(-0.1, 0.75), -0.45, 0.9])
    return Camera(axes, scale, (low + high) / 2, side, light / np.linalg.norm(light))


def draw_background(rng: Rng, side: int) -> Array:
    dark = rng.random() < 0.3
    ends = rng.uniform(25, 120, (2, 3)) if dark else rng.uniform(140, 250, (2, 3))
    down = np.linspace(0, 1, side)[:, None, None]
    return np.broadcast_to(ends[0] * (1 - down) + ends[1] * down, (side, side, 3)).copy()


def photograph(picture: Array, size: int, mirrored: bool) -> Image.Image:
    parts = picture.reshape(size, OVERSAMPLING, size, OVERSAMPLING, 3)
    small = np.rint(parts.mean(axis=(1, 3))).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(small[:, ::-1] if mirrored else small))
