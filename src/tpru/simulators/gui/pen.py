"""Drawing in units on the glass of a phone: boxes, lines, text and pictograms, and what lies where."""

from dataclasses import dataclass, field
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from tpru.simulators.gui.icons import SYMBOLS
from tpru.simulators.gui.theme import LETTERS, WHITE, Paint, Theme, mix

Area = tuple[float, float, float, float]  # left, top, right, bottom in units

UNITS = 224  # units in the side of a picture
WIDTH, HEIGHT = 180, 212  # of the glass
PAD_TOP = 140  # the keyboard starts here


@cache
def _font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(LETTERS / name, pixels)


@cache
def _fitting(name: str, pixels: int, words: str, room: float) -> tuple[int, float]:
    """The largest size up to ``pixels`` at which words are no wider than room, and their width."""
    width = _font(name, pixels).getlength(words)
    while pixels > 4 and width > room:
        pixels -= 1
        width = _font(name, pixels).getlength(words)
    return pixels, width


@dataclass(frozen=True)
class Pen:
    """Draws in units on a picture with ``scale`` pixels per unit, and marks things in ``labels``.

    names: what was marked, in order; a thing has its place here plus one as its label.
    areas: where it was marked.
    """

    image: Image.Image
    labels: Image.Image
    theme: Theme
    scale: float
    names: list[str] = field(default_factory=list)
    areas: dict[str, Area] = field(default_factory=dict)

    @property
    def draw(self) -> ImageDraw.ImageDraw:
        return ImageDraw.Draw(self.image)

    def mark(self, name: str, area: Area) -> None:
        """Records that the thing called ``name`` lies at ``area``; nothing for no name."""
        if not name:
            return
        if name not in self.names:
            self.names.append(name)
        self.areas[name] = area
        corners = [v * self.scale for v in area]
        ImageDraw.Draw(self.labels).rectangle(corners, self.names.index(name) + 1)

    def box(self, area: Area, fill: Paint | None, radius: float = 0, line: Paint | None = None) -> None:
        corners, width = [v * self.scale for v in area], round(2.5 * self.scale) if line else 0
        self.draw.rounded_rectangle(corners, radius * self.scale, fill, line, width)

    def tile(self, area: Area, fill: Paint) -> None:
        """A box in the shape of the theme's icons."""
        shape, radius = self.theme.tile, (area[2] - area[0]) / 2
        left, top, right, bottom = area
        if shape == "cut":
            c = radius * 0.5
            upper = (left + c, top, right - c, top, right, top + c, right, bottom - c)
            lower = (right - c, bottom, left + c, bottom, left, bottom - c, left, top + c)
            self.polygon(upper + lower, fill)
        elif shape == "leaf":
            corners = [v * self.scale for v in area]
            rounded = (True, False, True, False)
            self.draw.rounded_rectangle(corners, radius * 0.8 * self.scale, fill, corners=rounded)
        else:
            share = {"square": 0.12, "rounded": 0.5, "round": 1.0}[shape]
            self.box(area, fill, min(radius, (bottom - top) / 2) * share)

    def disc(self, x: float, y: float, r: float, fill: Paint) -> None:
        self.box((x - r, y - r, x + r, y + r), fill, r)

    def polygon(self, points: tuple[float, ...], fill: Paint) -> None:
        self.draw.polygon([v * self.scale for v in points], fill)

    def line(self, points: tuple[float, ...], fill: Paint, width: float) -> None:
        pixels = [v * self.scale for v in points]
        self.draw.line(pixels, fill, max(1, round(width * self.scale)), joint="curve")

    def arc(self, x: float, y: float, r: float, turn: tuple[float, float], fill: Paint, width: float) -> None:
        """An arc between two angles in degrees, clockwise from the top."""
        corners = [v * self.scale for v in (x - r, y - r, x + r, y + r)]
        self.draw.arc(corners, turn[0] - 90, turn[1] - 90, fill, round(width * self.scale))

    def text(
        self, x: float, y: float, words: str, size: float, fill: Paint, anchor: str, room: float
    ) -> float:
        """Writes words no wider than room and returns their width."""
        font = self.theme.font
        pixels, width = _fitting(font, round(size * self.scale), words, room * self.scale)
        self.draw.text((x * self.scale, y * self.scale), words, fill, _font(font, pixels), anchor)
        return width / self.scale

    def symbol(self, name: str, x: float, y: float, r: float, ink: Paint, back: Paint) -> None:
        """A pictogram of radius r on ground of colour back; unknown names give their initial."""
        if name not in SYMBOLS:
            self.text(x, y, name[:1].upper(), r * 1.9, ink, "mm", UNITS)
        for kind, places in SYMBOLS.get(name, ()):
            fill = back if kind.isupper() else ink
            points = tuple((x, y)[i % 2] + r * v for i, v in enumerate(places))
            if kind in "oO":
                self.disc(points[0], points[1], r * places[2], fill)
            elif kind in "bB":
                self.box((points[0], points[1], points[2], points[3]), fill, r * 0.12)
            elif kind in "pP":
                self.polygon(points, fill)
            elif kind == "a":
                self.arc(points[0], points[1], r * places[2], (-45, 45), fill, r * 0.3)
            else:
                self.line(points, fill, r * 0.28)

    def badge(self, name: str, x: float, y: float, r: float, colour: str) -> None:
        """A pictogram on a disc of the colour called ``colour``."""
        fill = self.theme.paint(colour)
        self.disc(x, y, r, fill)
        self.symbol(name, x, y, r * 0.62, WHITE, fill)

    def dim(self, share: float) -> None:
        """Darkens all that has been drawn."""
        black = Image.new("RGB", self.image.size)
        self.image.paste(Image.blend(self.image, black, share))

    def button(self, area: Area, fill: Paint, radius: float | None = None) -> None:
        """A box with the corners of the theme and an edge that stands out on any page."""
        radius = self.theme.corner if radius is None else radius
        self.box(area, fill, min(radius, (area[3] - area[1]) / 2), mix(fill, self.theme.ink, 0.25))
