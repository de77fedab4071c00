"""Screens made of widgets, and the photograph of the phone that shows one."""

from dataclasses import dataclass, replace

from PIL import Image, ImageDraw

from tpru.simulators.gui.pen import BOTTOM, LEFT, PAD_TOP, RIGHT, TOP, UNITS, WIDTH, Pen
from tpru.simulators.gui.theme import WHITE, Theme, mix
from tpru.simulators.gui.widgets import Widget

OVERSAMPLING = 2

PADS = {"letters": ("qwertyuiop", "asdfghjkl", "zxcvbnm"), "digits": ("123", "456", "789", "0")}


@dataclass(frozen=True)
class Screen:
    """What the phone shows: a page with a title, or the wallpaper; "letters" or "digits" pad."""

    title: str
    widgets: tuple[Widget, ...]
    plus: bool = False
    pad: str = ""
    key: str = ""
    toast: str = ""
    dialog: tuple[Widget, ...] = ()
    dark: bool | None = None


def _pad(pen: Pen, kind: str, key: str) -> None:
    rows = PADS[kind]
    tall, wide = (BOTTOM - PAD_TOP) / len(rows), WIDTH / len(rows[0])
    pen.box((LEFT, PAD_TOP, RIGHT, BOTTOM), mix(pen.theme.page, pen.theme.ink, 0.3))
    for line, letters in enumerate(rows):
        for place, letter in enumerate(letters):
            x = UNITS / 2 + (place - len(letters) / 2 + 0.5) * wide
            y, down = PAD_TOP + (line + 0.5) * tall, letter == key.lower()
            area = (x - wide / 2 + 1, y - tall / 2 + 2, x + wide / 2 - 1, y + tall / 2 - 2)
            pen.box(area, pen.theme.accent if down else pen.theme.card, 4)
            pen.text(x, y, letter, 17, WHITE if down else pen.theme.ink, "mm", wide)


def _bars(pen: Pen, screen: Screen) -> None:
    if screen.title:
        pen.box((LEFT, TOP, RIGHT, TOP + 50), pen.theme.accent)
        pen.line([LEFT + 16, TOP + 26, LEFT + 9, TOP + 33, LEFT + 16, TOP + 40], WHITE, 3)
        pen.text(LEFT + 24, TOP + 33, screen.title, 22, WHITE, "lm", WIDTH - 56)
    if screen.plus:
        pen.text(RIGHT - 8, TOP + 31, "+", 34, WHITE, "rm", 30)
    pen.text(LEFT + 12, TOP + 11, pen.theme.clock, 13, WHITE, "lm", 40)
    pen.box((RIGHT - 30, TOP + 6, RIGHT - 11, TOP + 15), WHITE, 2)


def _display(theme: Theme, screen: Screen, side: int) -> Image.Image:
    """What stands on the glass, on a picture of side x side pixels."""
    theme = theme if screen.dark is None else replace(theme, dark=screen.dark)
    image = Image.new("RGB", (side, side), theme.page) if screen.title else theme.wallpaper.copy()
    pen, y = Pen(ImageDraw.Draw(image), theme, side / UNITS), TOP + (55.0 if screen.title else 24.0)
    _bars(pen, screen)
    for widget in screen.widgets:
        y = widget.paint(pen, y)
    if screen.dialog:
        image.paste(Image.blend(image, Image.new("RGB", image.size), 0.55))
        pen.box((LEFT + 2, 64, RIGHT - 2, 206), theme.page, 12)
        y = 72.0
        for widget in screen.dialog:
            y = widget.paint(pen, y)
    if screen.pad:
        _pad(pen, screen.pad, screen.key)
    if screen.toast:
        pen.box((LEFT + 8, 190, RIGHT - 8, 215), theme.ink, 12)
        pen.text(UNITS / 2, 202, screen.toast, 18, theme.page, "mm", WIDTH - 34)
    return image


def photograph(theme: Theme, screen: Screen, size: int) -> Image.Image:
    side = size * OVERSAMPLING
    image, mask = theme.desk.copy(), Image.new("L", (side, side))
    body, glass = Pen(ImageDraw.Draw(image), theme, side / UNITS), ImageDraw.Draw(mask)
    body.box((LEFT - 5, 1, RIGHT + 5, UNITS - 1), (15, 15, 18), 17)
    corners = [v * body.scale for v in (LEFT, TOP, RIGHT, BOTTOM)]
    glass.rounded_rectangle(corners, 12 * body.scale, 255)
    image.paste(_display(theme, screen, side), mask=mask)
    return image.reduce(OVERSAMPLING)
