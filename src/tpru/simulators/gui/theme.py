"""The looks of one phone: its colours, letters, shapes, wallpaper, light and the desk it lies on."""

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image

from tpru.simulators.episode import Array, Look, Rng

Paint = tuple[int, int, int]
Span = tuple[float, float]

WHITE, NIGHT = (255, 255, 255), (24, 26, 32)
LETTERS = Path(mpl.get_data_path()) / "fonts" / "ttf"  # what matplotlib brings along


@dataclass(frozen=True)
class Choices:
    """What a look may draw. The two looks share no choice, and their spans do not touch.

    tiles: shapes of the icons. headers: a filled title bar or a title over a line. switches: their
    shape. tint: share of the accent in the page. tilt: degrees, to either side. glow: brightness of the
    wallpaper. shade: brightness of the darkest corner of the photograph.
    """

    fonts: tuple[str, ...]
    paints: Mapping[str, Paint]
    tiles: tuple[str, ...]
    header: str
    switch: str
    patterns: tuple[str, ...]
    bodies: tuple[Paint, ...]
    lamps: tuple[tuple[float, float, float], ...]
    finger: Paint
    corner: Span
    tint: Span
    tilt: Span
    glow: Span
    shade: Span


CHOICES: dict[Look, Choices] = {
    "seen": Choices(
        fonts=("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
        paints={
            "red": (208, 44, 46),
            "blue": (36, 104, 220),
            "green": (36, 150, 74),
            "orange": (235, 125, 20),
            "purple": (128, 66, 190),
            "grey": (104, 110, 120),
        },
        tiles=("square", "rounded", "round"),
        header="filled",
        switch="pill",
        patterns=("stripes", "rings", "waves", "checks"),
        bodies=((14, 14, 17), (58, 60, 66), (20, 30, 54)),
        lamps=((1.0, 1.0, 1.0), (1.0, 0.985, 0.96), (0.97, 0.985, 1.0)),
        finger=(255, 205, 0),
        corner=(3, 9),
        tint=(0.06, 0.2),
        tilt=(0.0, 2.0),
        glow=(0.6, 0.8),
        shade=(0.92, 1.0),
    ),
    "unseen": Choices(
        fonts=("DejaVuSerif-Bold.ttf", "DejaVuSansMono-Bold.ttf"),
        paints={
            "pink": (226, 82, 152),
            "brown": (124, 78, 46),
            "teal": (0, 142, 148),
            "gold": (192, 146, 0),
            "navy": (28, 40, 112),
            "olive": (112, 118, 34),
        },
        tiles=("leaf", "cut"),
        header="ruled",
        switch="block",
        patterns=("dots", "diamonds", "zigzag"),
        bodies=((236, 236, 238), (214, 178, 120), (196, 120, 128)),
        lamps=((1.0, 0.93, 0.82), (0.85, 0.94, 1.0)),
        finger=(150, 255, 0),
        corner=(11, 13),
        tint=(0.24, 0.32),
        tilt=(3.5, 7.0),
        glow=(0.25, 0.4),
        shade=(0.72, 0.84),
    ),
}


def mix(first: Paint, second: Paint, share: float) -> Paint:
    """``first`` with ``share`` (0 to 1) of ``second`` in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


@dataclass(frozen=True)
class Camera:
    """Where the phone lies: its scale, its turn in degrees, its shift in units of 1/224."""

    scale: float
    angle: float
    right: float
    down: float


@dataclass(frozen=True)
class Theme:
    """The looks of one phone. ``desk``, ``wallpaper`` and ``light`` are small pictures to be stretched."""

    choices: Choices
    dark: bool
    main: str
    font: str
    tile: str
    corner: float
    tint: float
    time: str
    body: Paint
    camera: Camera
    desk: Image.Image
    wallpaper: Image.Image
    light: Image.Image

    def paint(self, name: str) -> Paint:
        """The colour called ``name``; the accent for no name. KeyError for a name of the other look."""
        return self.choices.paints[name or self.main]

    @property
    def accent(self) -> Paint:
        return self.paint("")

    @property
    def page(self) -> Paint:
        return mix(NIGHT if self.dark else WHITE, self.accent, self.tint)

    @property
    def card(self) -> Paint:
        return mix(self.page, WHITE, 0.13 if self.dark else 0.8)

    @property
    def ink(self) -> Paint:
        return WHITE if self.dark else (18, 20, 26)

    @property
    def faint(self) -> Paint:
        return mix(self.ink, self.page, 0.45)

    @property
    def strong(self) -> Paint:
        return mix(self.accent, WHITE, 0.45) if self.dark else self.accent


def _gradient(rng: Rng, side: int, value: float) -> Array:
    """Two colours of the given brightness (0 to 1) at a random angle, (side, side, 3)."""
    hue, turn = rng.random(), rng.uniform(0, 2 * np.pi)
    hues = (hue, (hue + rng.uniform(0.1, 0.5)) % 1)
    ends = [colorsys.hsv_to_rgb(h, rng.uniform(0.35, 0.8), value * rng.uniform(0.75, 1)) for h in hues]
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    share = np.clip((np.cos(turn) * x + np.sin(turn) * y) * 0.8 + 0.5, 0, 1)[..., None]
    return np.asarray(255 * (np.array(ends[0]) * (1 - share) + np.array(ends[1]) * share))


def _pattern(rng: Rng, side: int, kind: str) -> Array:
    """A mask (side, side, 1) of the pattern called ``kind``, turned and scaled at random."""
    y, x = np.mgrid[0:side, 0:side] / side
    turn, count = rng.uniform(0, np.pi), rng.uniform(3, 7)
    along, across = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    centre = np.hypot(x - rng.random(), y - rng.random())
    cell = np.stack([along * count % 1, across * count % 1]) - 0.5
    values = {
        "stripes": np.floor(along * count) % 2,
        "rings": np.floor(centre * count) % 2,
        "waves": np.floor(along * count + 0.4 * np.sin(across * 9)) % 2,
        "checks": (np.floor(along * count) + np.floor(across * count)) % 2,
        "dots": np.hypot(cell[0], cell[1]) < 0.3,
        "diamonds": np.abs(cell).sum(0) < 0.4,
        "zigzag": np.floor(along * count + np.abs(across * count % 1 - 0.5)) % 2,
    }
    return np.asarray(values[kind], dtype=np.float64)[..., None]


def _picture(values: Array) -> Image.Image:
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _between(rng: Rng, span: Span) -> float:
    return float(rng.uniform(*span))


def draw_theme(rng: Rng, look: Look) -> Theme:
    """A theme drawn from what ``look`` allows."""
    choices = CHOICES[look]
    wallpaper = _gradient(rng, 192, _between(rng, choices.glow))
    pattern = _pattern(rng, 192, str(rng.choice(choices.patterns)))
    lamp = 255 * np.array(choices.lamps[int(rng.integers(len(choices.lamps)))])
    y, x = np.mgrid[0:32, 0:32] / 31
    corner = np.abs(x - int(rng.integers(2))) + np.abs(y - int(rng.integers(2)))
    shade = 1 - (1 - _between(rng, choices.shade)) * corner[..., None] / 2
    turn = _between(rng, choices.tilt) * float(rng.choice([-1, 1]))
    shift = rng.uniform(-1, 1, 2) * (8, 1)
    return Theme(
        choices=choices,
        dark=bool(rng.random() < 0.3),
        main=str(rng.choice(list(choices.paints))),
        font=str(rng.choice(choices.fonts)),
        tile=str(rng.choice(choices.tiles)),
        corner=_between(rng, choices.corner),
        tint=_between(rng, choices.tint),
        time=f"{rng.integers(1, 13)}:{rng.integers(60):02d}",
        body=choices.bodies[int(rng.integers(len(choices.bodies)))],
        camera=Camera(float(rng.uniform(0.93, 1.0)), turn, float(shift[0]), float(shift[1])),
        desk=_picture(_gradient(rng, 64, float(rng.choice([0.5, 0.95])))),
        wallpaper=_picture(wallpaper * (1 - rng.uniform(0.12, 0.3) * pattern)),
        light=_picture(lamp * shade),
    )
