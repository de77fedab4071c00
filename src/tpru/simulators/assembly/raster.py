"""Triangles drawn into a depth buffer, with numpy alone.

Every triangle is cut into its pixel rows and every row into its pixels (two ``np.repeat``), so the cost
follows the pixels covered and not the number of triangles. Canvases grow: copy the one of the step
before and draw only what is new.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpru.simulators.episode import Array, Labels

Floats = NDArray[np.float32]

SLACK = 1e-3  # pixels by which a row is widened, so that neighbouring triangles leave no cracks
CREASE = 1.2  # change of slope of the depth (pixels per pixel) that counts as an edge


@dataclass
class Canvas:
    """depth: float32 (h, w), inf where nothing is; picture: float32 (h, w, 3) in 0..255; labels: (h, w)."""

    depth: Floats
    picture: Floats
    labels: Labels

    def copy(self) -> "Canvas":
        return Canvas(self.depth.copy(), self.picture.copy(), self.labels.copy())


@dataclass(frozen=True)
class Light:
    """Parallel light. direction: unit vector towards the light; tint: factors of red, green, blue."""

    direction: Array
    ambient: float = 0.55
    strength: float = 0.5
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Camera:
    """Parallel rays. axes: (3, 3), rows right, down, away; scale: pixels per model unit; the model point
    at ``centre`` (right, down) is in the middle of a picture of ``side`` x ``side`` pixels."""

    axes: Array
    scale: float
    centre: Array
    side: int

    def pixels(self, points: Array | Floats) -> Floats:
        """Model points (..., 3) as pixels (..., 3): x right, y down, z away from the viewer."""
        seen = points @ self.axes.T
        seen[..., :2] -= self.centre
        seen *= self.scale
        seen[..., :2] += self.side / 2
        return seen.astype(np.float32)


def blank(background: Array | Floats) -> Canvas:
    """An empty canvas before ``background`` (h, w, 3) in 0..255."""
    shape = background.shape[:2]
    depth = np.full(shape, np.inf, np.float32)
    return Canvas(depth, background.astype(np.float32), np.zeros(shape, np.uint8))


def view(points: Array, azimuth: float, elevation: float, side: int, fill: float = 0.94) -> Camera:
    """The camera that shows all points (n, 3), z up, within ``fill`` of the picture.

    azimuth: degrees by which the viewer stands to the right of the front (negative y) side.
    elevation: degrees by which the viewer looks down.
    """
    turn, tilt = np.radians([azimuth, elevation])
    right = np.array([np.cos(turn), np.sin(turn), 0.0])
    flat = np.array([-np.sin(turn), np.cos(turn), 0.0])
    away = np.cos(tilt) * flat - np.sin(tilt) * np.array([0.0, 0.0, 1.0])
    axes = np.array([right, np.cross(away, right), away])
    seen = points @ axes[:2].T
    low, high = seen.min(axis=0), seen.max(axis=0)
    return Camera(axes, side * fill / float((high - low).max()), (low + high) / 2, side)


def normals(triangles: Array | Floats, camera: Camera) -> Array:
    """Unit normals (n, 3) of model triangles (n, 3, 3), each turned towards the viewer."""
    across = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    across = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    return np.where((across @ camera.axes[2] > 0)[:, None], -across, across)


def shade(normals: Array, colours: Array | Floats, light: Light) -> Floats:
    """Colours (n, 3) in 0..255 of surfaces with unit normals (n, 3) under the light."""
    facing = np.clip(normals @ light.direction, 0, None)
    factor = (light.ambient + light.strength * facing)[:, None] * np.array(light.tint)
    return np.clip(colours * factor, 0, 255).astype(np.float32)


def draw(canvas: Canvas, triangles: Floats, colours: Floats, label: int) -> None:
    """Draws triangles where they are nearest so far.

    triangles: (n, 3, 3) corners in pixels: x right, y down, z away from the viewer; any winding.
    colours: (n, 3) in 0..255, already shaded.
    label: written into ``canvas.labels`` wherever one of the triangles is seen.
    """
    height, width = canvas.depth.shape
    which, row, start, count = _rows(triangles, width, height)
    total = int(count.sum())
    if not total:
        return
    slope_x, slope_y, base = _planes(triangles)
    owner = np.repeat(np.arange(len(row)), count)
    skipped = np.cumsum(count) - count
    column = np.arange(total) + (start - skipped)[owner]
    depth_left = base[which] + slope_y[which] * (row + 0.5)
    depth = (depth_left[owner] + slope_x[which][owner] * (column + 0.5)).astype(np.float32)
    pixel = (row * width)[owner] + column
    flat = canvas.depth.reshape(-1)
    near = np.flatnonzero(depth < flat[pixel])
    depth, pixel, owner = depth[near], pixel[near], owner[near]
    np.minimum.at(flat, pixel, depth)
    first = depth == flat[pixel]
    pixel, owner = pixel[first], owner[first]
    canvas.picture.reshape(-1, 3)[pixel] = colours[which[owner]]
    canvas.labels.reshape(-1)[pixel] = label


def _planes(triangles: Floats) -> tuple[Array, Array, Array]:
    """Depth of every triangle as slope_x * x + slope_y * y + base."""
    a, b, c = triangles.astype(np.float64).transpose(1, 0, 2)
    u, v = b - a, c - a
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    area = np.where(area == 0, 1.0, area)
    slope_x = (u[:, 2] * v[:, 1] - u[:, 1] * v[:, 2]) / area
    slope_y = (u[:, 0] * v[:, 2] - u[:, 2] * v[:, 0]) / area
    return slope_x, slope_y, a[:, 2] - slope_x * a[:, 0] - slope_y * a[:, 1]


def _rows(triangles: Floats, width: int, height: int) -> tuple[NDArray[np.intp], ...]:
    """All pixel rows of all triangles: triangle, y, first x, number of pixels (at least one)."""
    corners = triangles[:, :, :2].astype(np.float64)
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    solid = np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) > 1e-6
    top = np.clip(np.ceil(corners[:, :, 1].min(axis=1) - 0.5), 0, height).astype(np.intp)
    low = np.clip(np.floor(corners[:, :, 1].max(axis=1) - 0.5), -1, height - 1).astype(np.intp)
    rows = np.where(solid, np.maximum(low - top + 1, 0), 0)
    which = np.repeat(np.arange(len(triangles)), rows)
    y = np.arange(len(which)) - (np.cumsum(rows) - rows)[which] + top[which]
    x_of = _crossings(corners, which, y + 0.5)
    left, right = np.fmin.reduce(x_of, axis=1), np.fmax.reduce(x_of, axis=1)
    start = np.clip(np.ceil(left - 0.5 - SLACK), 0, width).astype(np.intp)
    end = np.clip(np.floor(right - 0.5 + SLACK), -1, width - 1).astype(np.intp)
    count = end - start + 1
    kept = count > 0
    return which[kept], y[kept], start[kept], count[kept]


def _crossings(corners: Array, which: NDArray[np.intp], y: Array) -> Array:
    """Where the lines y cross the three edges of their triangles: x of (rows, 3), nan where they miss."""
    ends = np.roll(corners, -1, axis=1)
    rise = ends[:, :, 1] - corners[:, :, 1]
    run = (ends[:, :, 0] - corners[:, :, 0]) / np.where(rise == 0, 1.0, rise)
    share = y[:, None] - corners[:, :, 1][which]
    rise, run = rise[which], run[which]
    inside = (rise != 0) & (share * np.sign(rise) >= 0) & (np.abs(share) <= np.abs(rise))
    return np.where(inside, corners[:, :, 0][which] + share * run, np.nan)


def outlined(canvas: Canvas, strength: float = 0.3) -> Floats:
    """The picture (h, w, 3) with darkened edges: where the depth bends or jumps away from the viewer."""
    finite = np.isfinite(canvas.depth)
    far = np.float32(canvas.depth[finite].max(initial=0.0) + 50)
    depth = np.where(finite, canvas.depth, far)
    bend = np.zeros_like(depth)
    bend[:, 1:-1] = np.abs(depth[:, :-2] + depth[:, 2:] - 2 * depth[:, 1:-1])
    bend[1:-1] = np.maximum(bend[1:-1], np.abs(depth[:-2] + depth[2:] - 2 * depth[1:-1]))
    factor = np.where(finite & (bend > CREASE), np.float32(1 - strength), np.float32(1))
    return canvas.picture * factor[..., None]


def reduced(picture: Floats, factor: int) -> NDArray[np.uint8]:
    """The picture (h * factor, w * factor, 3) averaged to uint8 (h, w, 3)."""
    height, width = picture.shape[0] // factor, picture.shape[1] // factor
    parts = picture.reshape(height, factor, width, factor, 3)
    total = sum(parts[:, i, :, j] for i in range(factor) for j in range(factor))
    return np.rint(np.clip(total / factor**2, 0, 255)).astype(np.uint8)
