"""Bricks as triangles: prisms with a dark rim around every face, and studs."""

from dataclasses import dataclass

import numpy as np

from tpru.simulators.assembly.bricks import Brick
from tpru.simulators.assembly.raster import Camera, Floats, Light, shade
from tpru.simulators.episode import Array

LAYER = 1.2  # studs
RIM = 0.13  # studs that are darkened along the border of a face
DARKER = 0.74
SLOPES = {"front": (1, -1), "back": (1, 1), "left": (0, -1), "right": (0, 1)}


@dataclass(frozen=True)
class Mesh:
    """Model triangles (n, 3, 3) that face the camera, their unit normals (n, 3) and brightness (n,)."""

    triangles: Array
    normals: Array
    bright: Array

    def painted(self, camera: Camera, colour: Array, light: Light) -> tuple[Floats, Floats]:
        """Triangles in pixels and their shaded colours; colour: (3,) in 0..255."""
        colours = shade(self.normals, colour * self.bright[:, None], light)
        return camera.pixels(self.triangles), colours


def joined(meshes: list[Mesh]) -> Mesh:
    return Mesh(
        np.concatenate([m.triangles for m in meshes]),
        np.concatenate([m.normals for m in meshes]),
        np.concatenate([m.bright for m in meshes]),
    )


def brick_mesh(brick: Brick, camera: Camera, stud: Mesh) -> Mesh:
    """What the camera sees of a brick; ``stud`` is the one whose foot is at the origin."""
    low = np.array([brick.x, brick.y, brick.z * LAYER])
    size = np.array([brick.w, brick.d, brick.h * LAYER])
    if brick.shape in ("wheel", "round"):
        axis = 1 if brick.shape == "wheel" else 2
        others = [i for i in range(3) if i != axis]
        turn = np.arange(18) * 2 * np.pi / 18
        circle = (np.column_stack([np.cos(turn), np.sin(turn)]) + 1) / 2 * size[others] + low[others]
        body = prism(circle, axis, low[axis], low[axis] + size[axis], camera, rims=False)
        top = np.array([*low[:2] + size[:2] / 2 - 0.5, low[2] + size[2]])
        return body if axis == 1 else joined([body, placed(stud, top[None])])
    if brick.shape in SLOPES:
        axis, sign = SLOPES[brick.shape]
        body = prism(_slope(low, size, axis, sign), 1 - axis, low[1 - axis], (low + size)[1 - axis], camera)
        low[axis] += 0 if sign > 0 else size[axis] - 1
        size[axis] = 1
    else:
        square = low[:2] + np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size[:2]
        body = prism(square, 2, low[2], low[2] + size[2], camera)
    if brick.shape == "tile":
        return body
    return joined([body, placed(stud, stud_grid(low, size))])


def _slope(low: Array, size: Array, axis: int, sign: int) -> Array:
    """Profile (5, 2) along ``axis`` and z: a lip on the ``sign`` side, a flat stud on the other."""
    along = np.array([0, 1, 1, 1 / size[axis], 0])
    if sign < 0:
        along = 1 - along
    return np.column_stack([low[axis] + along * size[axis], low[2] + np.array([0, 0, 0.25, 1, 1]) * size[2]])


def stud_grid(low: Array, size: Array) -> Array:
    """Feet (n, 3) of as many studs as fit on the top of a box, centred."""
    counts = np.maximum(np.floor(size[:2]).astype(int), 0)
    start = low[:2] + (size[:2] - counts) / 2
    x, y = np.meshgrid(start[0] + np.arange(counts[0]), start[1] + np.arange(counts[1]))
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, low[2] + size[2])], axis=1)


def stud_mesh(camera: Camera, corners: int) -> Mesh:
    """One stud in the middle of the square from the origin to (1, 1)."""
    turn = (np.arange(corners) + 0.5) * 2 * np.pi / corners
    circle = 0.5 + (0.32 if corners > 4 else 0.42) * np.column_stack([np.cos(turn), np.sin(turn)])
    return prism(circle, 2, 0.0, 0.25, camera, rims=False)


def placed(mesh: Mesh, offsets: Array) -> Mesh:
    """Copies of a mesh at offsets (n, 3)."""
    count = len(offsets)
    triangles = mesh.triangles[None] + offsets[:, None, None]
    return Mesh(triangles.reshape(-1, 3, 3), np.tile(mesh.normals, (count, 1)), np.tile(mesh.bright, count))


def prism(profile: Array, axis: int, low: float, high: float, camera: Camera, rims: bool = True) -> Mesh:
    """A convex profile (k, 2) in the two other axes, drawn out along ``axis`` from low to high."""
    ends = [np.insert(profile, axis, level, axis=1) for level in (low, high)]
    middle = (ends[0].mean(axis=0) + ends[1].mean(axis=0)) / 2
    after = [np.roll(end, -1, axis=0) for end in ends]
    faces = [*ends, *np.stack([ends[0], after[0], after[1], ends[1]], axis=1)]
    meshes = []
    for face in faces:
        normal = np.cross(face[1] - face[0], face[2] - face[1])
        normal /= np.linalg.norm(normal)
        if normal @ (face.mean(axis=0) - middle) < 0:
            normal = -normal
        if normal @ camera.axes[2] < 0:
            meshes.append(_fan(face, normal, DARKER if rims else 1.0))
            if rims:
                meshes.append(_fan(_inset(face, normal), normal, 1.0))
    return joined(meshes)


def _fan(face: Array, normal: Array, bright: float) -> Mesh:
    count = len(face) - 2
    triangles = np.stack([np.broadcast_to(face[0], (count, 3)), face[1:-1], face[2:]], axis=1)
    return Mesh(triangles, np.broadcast_to(normal, (count, 3)), np.full(count, bright))


def _inset(face: Array, normal: Array) -> Array:
    """The face without its rim, lifted a little so that it covers the middle."""
    middle = face.mean(axis=0)
    reach = np.abs(face - middle).max(axis=0)
    keep = np.maximum(1 - RIM / np.maximum(reach, 1e-9), 0.2)
    return middle + (face - middle) * keep + 0.02 * normal
