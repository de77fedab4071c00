"""What the two looks are made of. No choice of one kit occurs in the other."""

import math
from dataclasses import dataclass

from tpru.simulators.episode import Colour, Look

Span = tuple[float, float]  # least and most

EDGE = 0.058  # of a cube, in metres; the gripper opens to 0.08
HALF = EDGE / 2


@dataclass(frozen=True)
class Kit:
    """Discrete choices and continuous ranges of one look; angles in degrees, hues in [0, 1].

    swing: how far the camera stands to either side of the front.
    bulb: side from which the light comes, seen by the camera.
    round_table: whether the table is a disc instead of planks.
    """

    colours: dict[str, Colour]
    shapes: tuple[str, ...]
    bar: str
    tray: str
    mat: str
    arms: tuple[tuple[Colour, Colour, Colour], ...]
    table_hue: Span
    table_value: Span
    back_hue: Span
    swing: Span
    pitch: Span
    field: Span
    bulb: int
    round_table: bool


KITS: dict[Look, Kit] = {
    "seen": Kit(
        colours={
            "red": (0.86, 0.08, 0.08),
            "blue": (0.10, 0.24, 0.90),
            "green": (0.08, 0.58, 0.16),
            "yellow": (0.98, 0.86, 0.06),
            "orange": (1.00, 0.47, 0.02),
            "purple": (0.48, 0.12, 0.68),
            "black": (0.09, 0.09, 0.10),
        },
        shapes=("cube", "cylinder"),
        bar="bar",
        tray="tray",
        mat="mat",
        arms=(
            ((0.93, 0.93, 0.92), (0.30, 0.30, 0.33), (0.80, 0.80, 0.80)),
            ((0.80, 0.82, 0.86), (0.22, 0.24, 0.30), (0.92, 0.92, 0.95)),
            ((0.95, 0.90, 0.78), (0.36, 0.32, 0.28), (0.85, 0.80, 0.70)),
        ),
        table_hue=(0.06, 0.42),
        table_value=(0.55, 0.92),
        back_hue=(0.0, 0.45),
        swing=(0, 38),
        pitch=(-46, -33),
        field=(36, 46),
        bulb=1,
        round_table=False,
    ),
    "unseen": Kit(
        colours={
            "teal": (0.00, 0.58, 0.56),
            "brown": (0.40, 0.21, 0.07),
            "white": (0.98, 0.98, 0.96),
            "magenta": (0.92, 0.06, 0.58),
            "lime": (0.66, 0.95, 0.10),
            "navy": (0.04, 0.07, 0.32),
            "peach": (1.00, 0.72, 0.56),
        },
        shapes=("hexagon", "cross"),
        bar="plank",
        tray="crate",
        mat="tile",
        arms=(
            ((0.92, 0.45, 0.12), (0.90, 0.88, 0.84), (0.55, 0.24, 0.06)),
            ((0.24, 0.34, 0.44), (0.86, 0.80, 0.40), (0.46, 0.40, 0.10)),
            ((0.42, 0.46, 0.22), (0.92, 0.92, 0.88), (0.30, 0.32, 0.20)),
        ),
        table_hue=(0.52, 0.88),
        table_value=(0.50, 0.74),
        back_hue=(0.5, 0.95),
        swing=(50, 72),
        pitch=(-31, -24),
        field=(22, 30),
        bulb=-1,
        round_table=True,
    ),
}


def outline(shape: str) -> list[tuple[float, float]]:
    """Corners of a shape seen from above, counter-clockwise, in metres around its centre."""
    if shape == "cube":
        return [(HALF, -HALF), (HALF, HALF), (-HALF, HALF), (-HALF, -HALF)]
    if shape == "cross":
        long, short = 0.031, 0.013
        arm = [(long, -short), (long, short), (short, short)]
        return [
            (x * math.cos(a) - y * math.sin(a), x * math.sin(a) + y * math.cos(a))
            for a in (0.0, math.pi / 2, math.pi, 3 * math.pi / 2)
            for x, y in arm
        ]
    count = {"cylinder": 18, "hexagon": 6}[shape]
    # The flats of the hexagon face the fingers, which open along the y-axis.
    radius, first = (HALF, 0.0) if shape == "cylinder" else (0.028 / math.cos(math.pi / 6), 0.0)
    return [
        (radius * math.cos(first + k * math.tau / count), radius * math.sin(first + k * math.tau / count))
        for k in range(count)
    ]


def symmetry(shape: str) -> float:
    """Least turn, in radians, after which a shape offers the gripper the same two faces."""
    return {"hexagon": math.pi / 3, "bar": math.pi, "plank": math.pi}.get(shape, math.pi / 2)


def plural(shape: str) -> str:
    return f"{shape}es" if shape.endswith("s") else f"{shape}s"
