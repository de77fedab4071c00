"""The look of a construction: colours, base plates, cameras, light and backgrounds."""

from dataclasses import dataclass, field

import numpy as np

from tpru.simulators.assembly.bricks import Brick, Part, Plan
from tpru.simulators.assembly.mesh import (
    LAYER,
    Mesh,
    brick_mesh,
    joined,
    placed,
    stud_grid,
    stud_mesh,
)
from tpru.simulators.assembly.raster import Camera, Canvas, Light, blank, draw, view
from tpru.simulators.episode import Array, Look, Rng

OVERSAMPLING = 2
Paint = dict[str, tuple[int, int, int]]
COLOURS: dict[Look, Paint] = {
    "seen": {
        "red": (210, 30, 35),
        "blue": (25, 80, 195),
        "yellow": (250, 208, 35),
        "green": (35, 145, 60),
        "orange": (242, 125, 20),
        "white": (244, 244, 242),
        "black": (42, 42, 48),
        "brown": (120, 70, 40),
        "grey": (138, 143, 148),
        "cyan": (105, 205, 240),
    },
    "unseen": {
        "purple": (125, 50, 165),
        "pink": (244, 130, 185),
        "turquoise": (20, 175, 175),
        "beige": (226, 205, 160),
        "maroon": (128, 20, 55),
        "navy": (25, 38, 120),
        "olive": (118, 120, 38),
        "lilac": (190, 165, 232),
        "mint": (160, 235, 190),
    },
}
PLATES: dict[Look, tuple[str, ...]] = {
    "seen": ("green", "grey", "blue", "white", "yellow", "brown"),
    "unseen": ("beige", "turquoise", "olive", "lilac", "mint", "pink"),
}
# Degrees: how far to either side of the front the viewer stands, and how far he looks down.
SIDEWAYS: dict[Look, tuple[float, float]] = {"seen": (22.0, 42.0), "unseen": (5.0, 15.0)}
DOWN: dict[Look, tuple[float, float]] = {"seen": (20.0, 32.0), "unseen": (35.0, 44.0)}
STUD_CORNERS: dict[Look, int] = {"seen": 8, "unseen": 4}
TINTS: dict[Look, tuple[tuple[float, float, float], ...]] = {
    "seen": ((1.0, 1.0, 1.0), (0.97, 0.97, 0.97)),
    "unseen": ((1.06, 1.02, 0.95), (0.97, 1.02, 1.06)),
}


@dataclass(frozen=True)
class Scene:
    """Everything but the bricks of a picture of ``camera.side`` pixels."""

    camera: Camera
    light: Light
    paint: dict[str, Array]
    stud: Mesh
    ground: Canvas = field(repr=False)

    def with_part(self, canvas: Canvas, piece: Part, label: int) -> Canvas:
        """A copy of the canvas with the part in it."""
        grown = canvas.copy()
        for colour in dict.fromkeys(b.colour for b in piece.bricks):
            bricks = [b for b in piece.bricks if b.colour == colour]
            mesh = joined([brick_mesh(b, self.camera, self.stud) for b in bricks])
            draw(grown, *mesh.painted(self.camera, self.paint[colour], self.light), label)
        return grown


def draw_scene(rng: Rng, plan: Plan, plate: str, side: int, look: Look) -> Scene:
    """The drawn surroundings of a plan, its plate already on the canvas."""
    bricks = [b for piece in plan.parts for b in piece.bricks]
    low, high = _bounds(bricks, rng)
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (-0.5, 0.0)])
    points = np.concatenate([corners, *(_corners(b) for b in bricks)])
    turn = rng.uniform(*SIDEWAYS[look]) * plan.sideways * rng.choice([-1, 1])
    camera = view(points, turn, rng.uniform(*DOWN[look]), side, rng.uniform(0.93, 0.98))
    light = _light(rng, look, np.sign(turn))
    paint = {name: np.clip(np.array(c) + rng.uniform(-9, 9, 3), 0, 255) for name, c in COLOURS[look].items()}
    stud = stud_mesh(camera, STUD_CORNERS[look])
    canvas = blank(_background(rng, side, look))
    base = Brick(low[0], low[1], -0.5 / LAYER, high[0] - low[0], high[1] - low[1], 0.5 / LAYER, plate, "tile")
    mesh = brick_mesh(base, camera, stud)
    if look == "seen":
        mesh = joined([mesh, placed(stud, stud_grid(low, high - low))])
    draw(canvas, *mesh.painted(camera, paint[plate], light), 0)
    return Scene(camera, light, paint, stud, canvas)


def _bounds(bricks: list[Brick], rng: Rng) -> tuple[Array, Array]:
    """Corners (3,) of the top of the plate: one or two studs around the bricks."""
    low = np.floor(np.min([[b.x, b.y, 0] for b in bricks], axis=0))
    high = np.ceil(np.max([[b.x + b.w, b.y + b.d, 0] for b in bricks], axis=0))
    low[:2] -= rng.integers(1, 3, 2)
    high[:2] += rng.integers(1, 3, 2)
    return low, high


def _corners(b: Brick) -> Array:
    xs, ys, zs = (b.x, b.x + b.w), (b.y, b.y + b.d), (b.z * LAYER, (b.z + b.h) * LAYER + 0.25)
    return np.array([[x, y, z] for x in xs for y in ys for z in zs])


def _light(rng: Rng, look: Look, side: float) -> Light:
    """From above the front; the side of a brick that the viewer sees less of is the darker one."""
    direction = np.array([side * rng.uniform(-0.15, 0.15), -0.55, 0.95])
    if look == "unseen":
        direction = np.array([side * rng.uniform(0.5, 0.9), -0.3, 0.7])
    tint = TINTS[look][int(rng.integers(len(TINTS[look])))]
    return Light(
        direction / np.linalg.norm(direction), rng.uniform(0.58, 0.66), rng.uniform(0.38, 0.46), tint
    )


def _background(rng: Rng, side: int, look: Look) -> Array:
    """seen: a smooth change from above to below; unseen: stripes or dots. (side, side, 3) in 0..255."""
    down, across = np.mgrid[0:side, 0:side] / side
    first, second = rng.uniform(150, 250, (2, 3))
    if look == "seen":
        share = down
    elif rng.random() < 0.5:
        slant, count = rng.uniform(-1, 1), rng.integers(5, 10)
        share = ((down * slant + across) * count % 1 > 0.5).astype(float)
        second = first + np.sign(200 - first) * 28
    else:
        count = rng.integers(5, 9)
        share = ((down * count % 1 - 0.5) ** 2 + (across * count % 1 - 0.5) ** 2 < 0.08).astype(float)
        second = first + np.sign(200 - first) * 28
    return first * (1 - share[..., None]) + second * share[..., None]
