"""The two looks: what ``seen`` and ``unseen`` houses may be made of. They share no name and no pattern."""

from dataclasses import dataclass

import numpy as np

from tpru.simulators.episode import Colour, Look, RejectedError, Rng

CONTRAST = 0.34  # least distance in RGB between a thing and the walls around it


@dataclass(frozen=True)
class Range:
    """All that one look may choose from; pairs of numbers are ranges."""

    things: dict[str, Colour]
    walls: dict[str, Colour]
    floors: tuple[Colour, ...]
    woods: tuple[Colour, ...]
    ceilings: tuple[Colour, ...]
    kinds: tuple[str, ...]
    tables: str
    seats: str
    items: tuple[str, ...]
    wall_patterns: tuple[int, ...]
    floor_patterns: tuple[int, ...]
    door_styles: tuple[int, ...]
    tints: tuple[Colour, ...]
    light: tuple[float, float]
    eye: tuple[float, float]  # metres
    field: tuple[float, float]  # tangent of half the field of view
    horizon: tuple[float, float]  # share of the picture above the horizon


RANGES: dict[Look, Range] = {
    "seen": Range(
        things={
            "red": (0.86, 0.10, 0.10),
            "blue": (0.10, 0.25, 0.86),
            "green": (0.08, 0.58, 0.18),
            "yellow": (0.98, 0.84, 0.08),
            "orange": (0.98, 0.48, 0.05),
            "purple": (0.50, 0.14, 0.68),
            "white": (0.98, 0.98, 0.98),
            "black": (0.10, 0.10, 0.12),
        },
        walls={
            "beige": (0.84, 0.74, 0.54),
            "mint": (0.58, 0.86, 0.70),
            "pink": (0.95, 0.66, 0.72),
            "azure": (0.55, 0.76, 0.95),
            "lilac": (0.74, 0.62, 0.92),
            "grey": (0.62, 0.63, 0.66),
            "teal": (0.22, 0.56, 0.58),
            "brick": (0.68, 0.36, 0.30),
        },
        floors=(
            (0.62, 0.43, 0.26),
            (0.42, 0.28, 0.18),
            (0.75, 0.70, 0.62),
            (0.45, 0.48, 0.52),
            (0.36, 0.44, 0.38),
        ),
        woods=((0.45, 0.28, 0.15), (0.60, 0.42, 0.25), (0.30, 0.18, 0.10)),
        ceilings=((0.93, 0.93, 0.93), (0.95, 0.93, 0.87)),
        kinds=("table", "bed", "sofa", "chair", "lamp", "bookcase", "flower"),
        tables="table",
        seats="chair",
        items=("ball", "box"),
        wall_patterns=(0, 1, 2, 3),
        floor_patterns=(0, 1, 2),
        door_styles=(1, 2, 3),
        tints=((1.0, 1.0, 1.0), (1.0, 0.97, 0.92), (0.95, 0.98, 1.0)),
        light=(0.92, 1.08),
        eye=(1.4, 1.65),
        field=(0.72, 0.84),
        horizon=(0.37, 0.43),
    ),
    "unseen": Range(
        things={
            "cyan": (0.05, 0.82, 0.90),
            "magenta": (0.92, 0.08, 0.62),
            "lime": (0.62, 0.95, 0.10),
            "brown": (0.42, 0.22, 0.08),
            "navy": (0.04, 0.06, 0.38),
            "maroon": (0.48, 0.02, 0.10),
            "rose": (1.00, 0.62, 0.74),
            "silver": (0.78, 0.80, 0.84),
        },
        walls={
            "forest": (0.14, 0.34, 0.20),
            "coral": (0.96, 0.54, 0.42),
            "slate": (0.36, 0.44, 0.54),
            "plum": (0.46, 0.26, 0.44),
            "aqua": (0.62, 0.93, 0.90),
            "rust": (0.64, 0.30, 0.10),
            "ivory": (0.98, 0.94, 0.80),
            "mustard": (0.90, 0.70, 0.10),
        },
        floors=(
            (0.20, 0.22, 0.28),
            (0.85, 0.80, 0.72),
            (0.52, 0.22, 0.18),
            (0.28, 0.40, 0.52),
            (0.58, 0.56, 0.40),
        ),
        woods=((0.75, 0.62, 0.42), (0.16, 0.16, 0.18), (0.55, 0.58, 0.60)),
        ceilings=((0.70, 0.66, 0.60), (0.62, 0.68, 0.72)),
        kinds=("wardrobe", "globe", "clock", "piano", "bathtub", "counter", "bench"),
        tables="counter",
        seats="stool",
        items=("cake", "bottle"),
        wall_patterns=(4, 5, 6, 7),
        floor_patterns=(3, 4, 5),
        door_styles=(4, 5, 6),
        tints=((1.0, 0.96, 0.87), (0.91, 0.97, 1.0)),
        light=(0.82, 0.90),
        eye=(1.05, 1.25),
        field=(0.92, 1.05),
        horizon=(0.46, 0.52),
    ),
}


@dataclass
class Style:
    """What one house is made of: pools of names that are used up, and its camera and light."""

    of: Range
    colours: list[str]
    walls: list[str]
    kinds: list[str]
    wood: Colour
    ceiling: Colour
    light: Colour
    eye: float
    field: float
    horizon: float

    def scale(self, length: float) -> float:
        """The distance at which a thing looks as large as at ``length`` through a usual lens."""
        return length * 0.78 / self.field

    def colour(self, rng: Rng, walls: list[Colour]) -> tuple[str, Colour]:
        """Name and paint of the next thing; names come back only after all others.

        Raises:
            RejectedError: no colour stands out against ``walls``.
        """
        for k, name in enumerate(self.colours):
            paint = self.of.things[name]
            if all(float(np.linalg.norm(np.subtract(paint, wall))) > CONTRAST for wall in walls):
                self.colours.append(self.colours.pop(k))
                return name, jitter(rng, paint, 0.03)
        raise RejectedError

    def kind(self) -> str:
        """The next kind of furniture; kinds come back only after all others."""
        self.kinds.append(self.kinds.pop(0))
        return self.kinds[-1]


def draw_style(rng: Rng, look: Look) -> Style:
    of = RANGES[look]
    light, tint = float(rng.uniform(*of.light)), of.tints[int(rng.integers(len(of.tints)))]
    return Style(
        of,
        [str(name) for name in rng.permutation(list(of.things))],
        [str(name) for name in rng.permutation(list(of.walls))],
        [str(name) for name in rng.permutation(of.kinds)],
        of.woods[int(rng.integers(len(of.woods)))],
        jitter(rng, of.ceilings[int(rng.integers(len(of.ceilings)))], 0.03),
        (light * tint[0], light * tint[1], light * tint[2]),
        float(rng.uniform(*of.eye)),
        float(rng.uniform(*of.field)),
        float(rng.uniform(*of.horizon)),
    )


def jitter(rng: Rng, colour: Colour, by: float) -> Colour:
    """``colour`` with every channel moved by up to ``by``."""
    red, green, blue = (float(np.clip(c + rng.uniform(-by, by), 0, 1)) for c in colour)
    return red, green, blue
