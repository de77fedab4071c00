"""The looks of one phone: its colours, its wallpaper and the desk it lies on."""

import colorsys
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tpru.simulators.episode import Array, Rng

Colour = tuple[int, int, int]

WHITE, NIGHT = (255, 255, 255), (24, 26, 32)
PAINTS: dict[str, Colour] = {
    "red": (214, 48, 49),
    "blue": (30, 110, 220),
    "green": (38, 160, 80),
    "orange": (240, 130, 20),
    "purple": (130, 70, 190),
    "pink": (235, 100, 160),
    "teal": (0, 150, 150),
    "brown": (130, 85, 50),
}
HUES = tuple(PAINTS.values())


def mix(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


@dataclass(frozen=True)
class Theme:
    """The colours of one phone; desk and wallpaper are as large as the oversampled picture."""

    dark: bool
    accent: Colour
    tint: float
    clock: str
    corner: float
    desk: Image.Image
    wallpaper: Image.Image

    @property
    def page(self) -> Colour:
        return mix(NIGHT if self.dark else WHITE, self.accent, self.tint)

    @property
    def card(self) -> Colour:
        return mix(self.page, WHITE, 0.12 if self.dark else 0.75)

    @property
    def ink(self) -> Colour:
        return WHITE if self.dark else (20, 22, 28)

    @property
    def faint(self) -> Colour:
        return mix(self.ink, self.page, 0.45)

    @property
    def strong(self) -> Colour:
        return mix(self.accent, WHITE, 0.45) if self.dark else self.accent


def _gradient(rng: Rng, side: int, value: float) -> Array:
    """Two colours of the given brightness (0 to 1) at a random angle, (side, side, 3)."""
    hue, turn = rng.random(), rng.uniform(0, 2 * np.pi)
    hues = (hue, (hue + rng.uniform(0.1, 0.5)) % 1)
    ends = [colorsys.hsv_to_rgb(h, rng.uniform(0.35, 0.8), value * rng.uniform(0.7, 1)) for h in hues]
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    share = np.clip((np.cos(turn) * x + np.sin(turn) * y) * 0.8 + 0.5, 0, 1)[..., None]
    return np.asarray(255 * (np.array(ends[0]) * (1 - share) + np.array(ends[1]) * share))


def _pattern(rng: Rng, side: int) -> Array:
    """A mask (side, side, 1) of stripes, rings, waves or checks."""
    y, x = np.mgrid[0:side, 0:side] / side
    turn, count = rng.uniform(0, np.pi), rng.uniform(3, 7)
    along, across = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    values = (
        along * count,
        np.hypot(x - rng.random(), y - rng.random()) * count,
        along * count + 0.4 * np.sin(across * 9),
        np.floor(along * count) + np.floor(across * count),
    )
    return np.asarray(np.floor(values[int(rng.integers(4))]) % 2)[..., None]


def draw_theme(rng: Rng, side: int) -> Theme:
    accent = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.6, 0.9), rng.uniform(0.5, 0.75))
    red, green, blue = (round(255 * value) for value in accent)
    desk = _gradient(rng, side, float(rng.choice([0.5, 1.0])))
    wallpaper = _gradient(rng, side, 0.75) * (1 - rng.uniform(0.12, 0.3) * _pattern(rng, side))
    return Theme(
        dark=bool(rng.random() < 0.35),
        accent=(red, green, blue),
        tint=float(rng.uniform(0.1, 0.3)),
        clock=f"{rng.integers(1, 13)}:{rng.integers(60):02d}",
        corner=float(rng.choice([4, 10, 18])),
        desk=Image.fromarray(desk.astype(np.uint8)),
        wallpaper=Image.fromarray(wallpaper.astype(np.uint8)),
    )
