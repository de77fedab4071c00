"""Screens made of parts, and the photograph of the phone that shows one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from tpru.simulators.episode import Box, Labels, boxes_of
from tpru.simulators.gui.parts import Part
from tpru.simulators.gui.pen import HEIGHT, PAD_TOP, UNITS, WIDTH, Area, Pen
from tpru.simulators.gui.theme import WHITE, Camera, Theme, mix

OVERSAMPLING = 2
EDGE, TALL_EDGE = 5, 4  # of the body around the glass
CONTENT = 52.0  # the first part of a page starts here
TOAST_TOP = 182
DIALOG_TOP = 46.0

PADS = {"letters": ("qwertyuiop", "asdfghjkl", "zxcvbnm"), "numbers": ("123", "456", "789", "0")}


@dataclass(frozen=True)
class Screen:
    """What the phone shows: a page of an app with a title, or the wallpaper where ``app`` is empty.

    corner: the pictogram at the right end of the title bar. count: a number on it.
    pad: "letters" or "numbers" for a keyboard; key: the last key pressed.
    toast: a message at the bottom, with the pictogram ``toast_sign``.
    dialog: parts of a window in front of the page.
    touch: the thing that the finger touches.
    dark: of a page whose brightness does not follow the theme.
    """

    app: str
    title: str
    parts: tuple[Part, ...]
    corner: str = ""
    count: str = ""
    pad: str = ""
    key: str = ""
    toast: str = ""
    toast_sign: str = "tick"
    dialog: tuple[Part, ...] = ()
    touch: str = ""
    dark: bool | None = None


@dataclass(frozen=True)
class View:
    """A photograph of a screen: the picture, its labels and boxes, and the areas on the glass."""

    frame: Image.Image
    labels: Labels
    boxes: dict[str, Box]
    areas: Mapping[str, Area]


def _pad(pen: Pen, kind: str, key: str) -> None:
    rows = PADS[kind]
    tall, wide = (HEIGHT - PAD_TOP) / len(rows), WIDTH / len(rows[0])
    pen.mark("the keyboard", (0, PAD_TOP, WIDTH, HEIGHT))
    pen.box((0, PAD_TOP, WIDTH, HEIGHT), mix(pen.theme.page, pen.theme.ink, 0.35))
    for line, letters in enumerate(rows):
        for place, letter in enumerate(letters):
            x = WIDTH / 2 + (place - len(letters) / 2 + 0.5) * wide
            y, down = PAD_TOP + (line + 0.5) * tall, letter == key.lower()
            area = (x - wide / 2 + 1, y - tall / 2 + 1.5, x + wide / 2 - 1, y + tall / 2 - 1.5)
            pen.box(area, pen.theme.accent if down else pen.theme.card, 4)
            pen.text(x, y, letter, 17, WHITE if down else pen.theme.ink, "mm", wide)


def _bars(pen: Pen, screen: Screen) -> None:
    """The status bar and, of an app, the title bar: filled, or a title over a line."""
    theme, filled = pen.theme, pen.theme.choices.header == "filled"
    ink = theme.ink if screen.app and not filled else WHITE
    if screen.app:
        if filled:
            pen.box((0, 0, WIDTH, 48), theme.accent)
        else:
            pen.box((0, 44, WIDTH, 48), theme.accent)
        pen.mark("the title bar", (0, 14, WIDTH, 48))
        bar, title = (theme.accent, WHITE) if filled else (theme.page, theme.strong)
        pen.symbol(screen.app, 17, 30, 11, title, bar)
        pen.text(36, 31, screen.title, 21, title, "lm", WIDTH - (74 if screen.corner else 44))
        if screen.corner:
            pen.mark("the corner button", (WIDTH - 34, 16, WIDTH - 4, 46))
            pen.disc(WIDTH - 19, 31, 13, title)
            pen.symbol(screen.corner, WIDTH - 19, 31, 8.5, bar if filled else theme.page, title)
        if screen.count:
            pen.disc(WIDTH - 10, 20, 8, theme.choices.finger)
            pen.text(WIDTH - 10, 20, screen.count, 13, (0, 0, 0), "mm", 12)
    middle = WIDTH / 2 if not filled else 12
    pen.text(middle, 8, theme.time, 12, ink, "lm" if filled else "rm", 40)
    pen.box((WIDTH - 28, 4, WIDTH - 10, 12), ink, 2 if filled else 4)


def _toast(pen: Pen, screen: Screen) -> None:
    area = (5, TOAST_TOP, WIDTH - 5, HEIGHT - 4)
    pen.mark("the message", area)
    pen.box(area, mix(pen.theme.ink, pen.theme.accent, 0.15), 8)
    middle = (area[1] + area[3]) / 2
    pen.disc(21, middle, 11, pen.theme.choices.finger)
    pen.symbol(screen.toast_sign, 21, middle, 8, (0, 0, 0), pen.theme.choices.finger)
    pen.text(38, middle, screen.toast, 18, pen.theme.page, "lm", WIDTH - 48)


def _touch(pen: Pen, area: Area) -> None:
    """A ring where the finger touches: in the middle of small things, at the right of wide ones."""
    left, top, right, bottom = area
    x = right - 26 if right - left > 120 and bottom - top < 60 else (left + right) / 2
    y, scale = (top + bottom) / 2, pen.scale
    for r, paint, wide in ((18.0, (0, 0, 0), 7.5), (16.5, pen.theme.choices.finger, 5.0)):
        corners = [v * scale for v in (x - r, y - r, x + r, y + r)]
        pen.draw.ellipse(corners, None, paint, round(wide * scale))


def _stack(pen: Pen, parts: tuple[Part, ...], y: float) -> float:
    for part in parts:
        y = part.paint(pen, y)
    return y


def _dialog(pen: Pen, parts: tuple[Part, ...]) -> None:
    blank = Image.new("RGB", (1, 1))
    shut = Pen(blank, Image.new("L", (1, 1)), pen.theme, pen.scale)
    bottom = _stack(shut, parts, DIALOG_TOP + 7) + 5
    pen.dim(0.55)
    area = (4, DIALOG_TOP, WIDTH - 4, bottom)
    pen.mark("the dialog", area)
    pen.box(area, pen.theme.page, 9, pen.theme.strong)
    _stack(pen, parts, DIALOG_TOP + 7)


def glass(theme: Theme, screen: Screen, scale: float) -> Pen:
    """What stands on the glass with ``scale`` pixels per unit, and where."""
    theme = theme if screen.dark is None else replace(theme, dark=screen.dark)
    side = (round(WIDTH * scale), round(HEIGHT * scale))
    image = Image.new("RGB", side, theme.page) if screen.app else theme.wallpaper.resize(side)
    pen = Pen(image, Image.new("L", side), theme, scale)
    _stack(pen, screen.parts, CONTENT if screen.app else 20.0)
    _bars(pen, screen)
    if screen.dialog:
        _dialog(pen, screen.dialog)
    if screen.pad:
        _pad(pen, screen.pad, screen.key)
    if screen.toast:
        _toast(pen, screen)
    if screen.touch:
        _touch(pen, pen.areas[screen.touch])
    return pen


def _matrix(camera: Camera, scale: float, step: float) -> tuple[float, ...]:
    """From pixels of the picture, ``step`` pixels of the phone wide, to pixels of the phone."""
    turn = np.deg2rad(camera.angle)
    cos, sin = step * float(np.cos(turn)) / camera.scale, step * float(np.sin(turn)) / camera.scale
    half = UNITS * scale / 2 / step
    x, y = half + camera.right * scale / step - 0.5, half + camera.down * scale / step - 0.5
    middle = (WIDTH / 2 + EDGE) * scale, (HEIGHT / 2 + TALL_EDGE) * scale
    return cos, sin, middle[0] - cos * x - sin * y, -sin, cos, middle[1] + sin * x - cos * y


@cache
def _mask(side: tuple[int, int], radius: float) -> Image.Image:
    mask = Image.new("L", side)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side[0] - 1, side[1] - 1), radius, 255)
    return mask


def photograph(theme: Theme, screen: Screen, size: int) -> View:
    """The phone on its desk, size x size."""
    side = size * OVERSAMPLING
    scale = side / UNITS
    pen = glass(theme, screen, scale)
    body = (round((WIDTH + 2 * EDGE) * scale), round((HEIGHT + 2 * TALL_EDGE) * scale))
    corner = (round(EDGE * scale), round(TALL_EDGE * scale))
    phone, labels = Image.new("RGB", body, theme.body), Image.new("L", body)
    phone.paste(pen.image, corner, _mask(pen.image.size, 8 * scale))
    labels.paste(pen.labels, corner)
    affine, bicubic = Image.Transform.AFFINE, Image.Resampling.BICUBIC
    matrix = _matrix(theme.camera, scale, 1.0)
    shape = _mask(body, 13 * scale).transform((side, side), affine, matrix, bicubic)
    picture = theme.desk.resize((side, side))
    picture.paste(phone.transform((side, side), affine, matrix, bicubic), mask=shape)
    frame = ImageChops.multiply(picture.reduce(OVERSAMPLING), theme.light.resize((size, size)))
    marks = labels.transform((size, size), affine, _matrix(theme.camera, scale, OVERSAMPLING))
    boxes, numbers = boxes_of(np.asarray(marks), pen.names)
    return View(frame, numbers, boxes, pen.areas)
