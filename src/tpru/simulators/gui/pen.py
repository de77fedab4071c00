"""Drawing in units: boxes, lines, text and pictograms."""

from dataclasses import dataclass
from functools import cache

from PIL import ImageDraw, ImageFont

from tpru.simulators.gui.theme import Colour, Theme

UNITS = 224

LEFT, TOP, RIGHT, BOTTOM, PAD_TOP = 24, 6, 200, 218, 136
WIDTH = RIGHT - LEFT
# Parts in units of the radius: o disc (x, y, r), b box (two corners), l line (points); capital
# letters cut the part out of what is below.
SYMBOLS: dict[str, tuple[tuple[str, tuple[float, ...]], ...]] = {
    "contacts": (("o", (0, -0.4, 0.45)), ("b", (-0.8, 0.2, 0.8, 0.9))),
    "settings": (
        *(("l", (-x, -y, x, y)) for x, y in ((1, 0), (0.7, 0.7), (0, 1), (0.7, -0.7))),
        *(("o", (0, 0, 0.72)), ("O", (0, 0, 0.3))),
    ),
    "clock": (("o", (0, 0, 0.95)), ("L", (0, -0.7, 0, 0, 0.5, 0.25))),
    "shop": (("o", (0, -0.35, 0.55)), ("O", (0, -0.35, 0.3)), ("b", (-0.8, -0.3, 0.8, 0.9))),
    "chat": (("b", (-1, -0.8, 1, 0.5)), ("l", (-0.5, 0.4, -0.6, 0.9))),
    "calendar": (("b", (-0.8, -0.9, 0.8, 0.9)), ("B", (-0.6, -0.5, 0.6, -0.2))),
    "lists": tuple(("l", (-0.9, y, 0.9, y)) for y in (-0.6, 0.0, 0.6)),
    "music": (("o", (-0.3, 0.5, 0.4)), ("l", (0, 0.5, 0, -0.8, 0.7, -0.5))),
    "camera": (("b", (-1, -0.6, 1, 0.7)), ("O", (0, 0.05, 0.4))),
    "mug": (("o", (0.45, 0, 0.5)), ("O", (0.45, 0, 0.25)), ("b", (-0.8, -0.8, 0.45, 0.8))),
    "lamp": (("l", (0, 0, 0, 0.9)), ("b", (-0.6, 0.7, 0.6, 0.9)), ("b", (-0.8, -0.8, 0.8, 0.1))),
    "shirt": (("b", (-1, -0.8, 1, -0.2)), ("b", (-0.6, -0.8, 0.6, 0.9)), ("O", (0, -0.9, 0.3))),
    "ball": (("o", (0, 0, 0.9)), ("L", (-0.9, 0, 0.9, 0)), ("L", (0, -0.9, 0, 0.9))),
    "book": (("b", (-0.7, -0.9, 0.8, 0.9)), ("L", (-0.4, -0.9, -0.4, 0.9))),
    "tick": (("l", (-0.6, 0, -0.1, 0.5, 0.7, -0.5)),),
}


@cache
def _font(pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(pixels)


@dataclass(frozen=True)
class Pen:
    """Draws in units on a picture with ``scale`` pixels per unit."""

    draw: ImageDraw.ImageDraw
    theme: Theme
    scale: float

    def box(
        self, area: tuple[float, ...], fill: Colour, radius: float = 0, line: Colour | None = None
    ) -> None:
        corners, width = [v * self.scale for v in area], round(2.5 * self.scale) if line else 0
        self.draw.rounded_rectangle(corners, radius * self.scale, fill, line, width)

    def disc(self, x: float, y: float, r: float, fill: Colour) -> None:
        self.box((x - r, y - r, x + r, y + r), fill, r)

    def line(self, points: list[float], fill: Colour, width: float) -> None:
        pixels = [v * self.scale for v in points]
        self.draw.line(pixels, fill, round(width * self.scale), joint="curve")

    def text(
        self, x: float, y: float, words: str, size: float, fill: Colour, anchor: str, room: float
    ) -> float:
        """Writes words no wider than room and returns their width."""
        pixels = round(size * self.scale)
        while pixels > 4 and _font(pixels).getlength(words) > room * self.scale:
            pixels -= 1
        self.draw.text((x * self.scale, y * self.scale), words, fill, _font(pixels), anchor)
        return _font(pixels).getlength(words) / self.scale

    def symbol(self, name: str, x: float, y: float, r: float, ink: Colour, back: Colour) -> None:
        """A pictogram of radius r on ground of colour back; unknown names give their initial."""
        if name not in SYMBOLS:
            self.text(x, y, name[:1].upper(), r * 1.7, ink, "mm", UNITS)
        for kind, places in SYMBOLS.get(name, ()):
            fill = back if kind.isupper() else ink
            points = [(x, y)[i % 2] + r * v for i, v in enumerate(places)]
            if kind in "oO":
                self.disc(points[0], points[1], r * places[2], fill)
            elif kind in "bB":
                self.box(tuple(points), fill, r * 0.15)
            else:
                self.line(points, fill, r * 0.26)
