"""A phone that carries out a task: a plan is a list of screens, a screen a column of widgets.

Lengths are in units of 1/224 of the picture. A widget paints itself at a height ``y`` and returns
the height at which the next one starts.
"""

import colorsys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tpru.simulators.episode import Episode

Colour = tuple[int, int, int]
Array = NDArray[np.float64]
Rng = np.random.Generator

UNITS, OVERSAMPLING = 224, 2
LEFT, TOP, RIGHT, BOTTOM, PAD_TOP = 24, 6, 200, 218, 136
WIDTH = RIGHT - LEFT
WHITE, NIGHT = (255, 255, 255), (24, 26, 32)
APPS = ("contacts", "settings", "clock", "shop", "chat", "calendar", "lists", "music", "camera")
GOODS = ("mug", "lamp", "shirt", "ball", "book")
PEOPLE = ("Ada", "Ben", "Chloe", "Dev", "Emma", "Finn", "Grace", "Hugo", "Iris", "Jonas", "Kira")
SURNAMES = ("Brown", "Chen", "Diaz", "Evans", "Fox", "Gray", "Hill", "King", "Lopez", "Moss")
FOOD = ("milk", "bread", "eggs", "rice", "tea", "jam", "apples", "cheese", "salt", "soup")
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
PADS = {"letters": ("qwertyuiop", "asdfghjkl", "zxcvbnm"), "digits": ("123", "456", "789", "0")}
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
        return _mix(NIGHT if self.dark else WHITE, self.accent, self.tint)

    @property
    def card(self) -> Colour:
        return _mix(self.page, WHITE, 0.12 if self.dark else 0.75)

    @property
    def ink(self) -> Colour:
        return WHITE if self.dark else (20, 22, 28)

    @property
    def faint(self) -> Colour:
        return _mix(self.ink, self.page, 0.45)

    @property
    def strong(self) -> Colour:
        return _mix(self.accent, WHITE, 0.45) if self.dark else self.accent


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


class Widget(Protocol):
    def paint(self, pen: Pen, y: float) -> float: ...


@cache
def _font(pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(pixels)


def _mix(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


@dataclass(frozen=True)
class Row:
    """A card with a badge, a text and at the right a note, a switch or a box to tick."""

    text: str
    badge: str = ""
    colour: Colour = HUES[1]
    note: str = ""
    on: bool | None = None
    ticked: bool | None = None

    def paint(self, pen: Pen, y: float) -> float:
        theme, start, end, middle = pen.theme, LEFT + 14.0, RIGHT - 12.0, y + 15.5
        pen.box((LEFT + 6, y, RIGHT - 6, y + 31), theme.card, 7)
        if self.badge:
            pen.disc(start + 10, middle, 12, self.colour)
            pen.symbol(self.badge, start + 10, middle, 7, WHITE, self.colour)
            start += 28
        if self.on is not None:
            track = theme.accent if self.on else _mix(theme.faint, theme.card, 0.4)
            pen.box((end - 40, middle - 11, end, middle + 11), track, 11)
            pen.disc(end - 11 if self.on else end - 29, middle, 9, WHITE)
            end -= 44
        if self.ticked is not None:
            fill = theme.accent if self.ticked else theme.page
            pen.box((end - 24, y + 3, end, y + 28), fill, 5)
            pen.symbol("tick", end - 12, middle, 10, WHITE if self.ticked else fill, fill)
            end -= 28
        if self.note:
            end -= 4 + pen.text(end, middle, self.note, 17, theme.strong, "rm", 70)
        pen.text(start, middle, self.text, 18, theme.ink, "lm", end - start)
        return y + 35


@dataclass(frozen=True)
class Field:
    """An input: its label while empty; a frame and a caret while focused."""

    label: str
    value: str = ""
    focused: bool = False

    def paint(self, pen: Pen, y: float) -> float:
        theme, start = pen.theme, LEFT + 16.0
        line = theme.strong if self.focused else _mix(theme.faint, theme.card, 0.6)
        pen.box((LEFT + 6, y, RIGHT - 6, y + 33), theme.card, 7, line)
        ink = theme.ink if self.value else theme.faint
        width = pen.text(start, y + 17, self.value or self.label, 21, ink, "lm", WIDTH - 36)
        if self.focused:
            caret = start + (width + 3 if self.value else -4)
            pen.box((caret, y + 6, caret + 3, y + 27), theme.strong)
        return y + 38


@dataclass(frozen=True)
class Chips:
    """Buttons side by side; the chosen ones are filled. The text grows with the height."""

    labels: tuple[str, ...]
    chosen: tuple[str, ...] = ()
    tall: float = 29

    def paint(self, pen: Pen, y: float) -> float:
        step = (WIDTH - 9) / len(self.labels)
        for place, label in enumerate(self.labels):
            left, active = LEFT + 6 + place * step, label in self.chosen
            fill = pen.theme.accent if active else pen.theme.card
            pen.box((left, y, left + step - 3, y + self.tall), fill, 7)
            ink, x = WHITE if active else pen.theme.ink, left + step / 2 - 1.5
            pen.text(x, y + self.tall / 2, label, self.tall * 0.62, ink, "mm", step - 7)
        return y + self.tall + 4


@dataclass(frozen=True)
class Tiles:
    """Pictograms in columns of 1, 2 or 3 with labels below."""

    symbols: tuple[str, ...]
    colours: tuple[Colour, ...]
    columns: int = 1
    labels: tuple[str, ...] = ()

    def paint(self, pen: Pen, y: float) -> float:
        step, tall = WIDTH / self.columns, (66, 46, 42)[self.columns - 1]
        wide = step - 12 if self.columns == 2 else tall
        ink = pen.theme.ink if self.columns < 3 else WHITE
        for place, (name, colour) in enumerate(zip(self.symbols, self.colours, strict=True)):
            x, top = LEFT + step * (place % self.columns + 0.5), y
            pen.box((x - wide / 2, top, x + wide / 2, top + tall), colour, pen.theme.corner)
            pen.symbol(name, x, top + tall / 2, tall * 0.34, WHITE, colour)
            if self.labels:
                size = 22 if self.columns == 1 else 14
                pen.text(x, y + tall + size / 2, self.labels[place], size, ink, "mm", step - 4)
            if (place + 1) % self.columns == 0:
                y += tall + (22 if self.labels else 6)
        return y + 6


@dataclass(frozen=True)
class Bubble:
    """A chat message, or a picture of one colour."""

    text: str
    mine: bool
    picture: Colour | None = None

    def paint(self, pen: Pen, y: float) -> float:
        wide, tall = (72.0, 52.0) if self.picture else (132.0, 27.0)
        left = RIGHT - 8 - wide if self.mine else LEFT + 8.0
        fill = pen.theme.accent if self.mine else pen.theme.card
        pen.box((left, y, left + wide, y + tall), fill, 9)
        if self.picture:
            pen.box((left + 5, y + 5, left + wide - 5, y + tall - 5), self.picture, 5)
            pen.symbol(self.text, left + wide / 2, y + tall / 2, 15, WHITE, self.picture)
        else:
            ink = WHITE if self.mine else pen.theme.ink
            pen.text(left + 8, y + 14, self.text, 18, ink, "lm", wide - 14)
        return y + tall + 4


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
    pen.box((LEFT, PAD_TOP, RIGHT, BOTTOM), _mix(pen.theme.page, pen.theme.ink, 0.3))
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


def _gradient(rng: Rng, side: int, value: float) -> Array:
    """Two colours of the given brightness (0 to 1) at a random angle, (side, side, 3)."""
    hue, turn = rng.random(), rng.uniform(0, 2 * np.pi)
    hues = (hue, (hue + rng.uniform(0.1, 0.5)) % 1)
    ends = [
        colorsys.hsv_to_rgb(h, rng.uniform(0.35, 0.8), value * rng.uniform(0.7, 1)) for h in hues
    ]
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


def _theme(rng: Rng, side: int) -> Theme:
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


def _photo(theme: Theme, screen: Screen, size: int) -> Image.Image:
    side = size * OVERSAMPLING
    image, mask = theme.desk.copy(), Image.new("L", (side, side))
    body, glass = Pen(ImageDraw.Draw(image), theme, side / UNITS), ImageDraw.Draw(mask)
    body.box((LEFT - 5, 1, RIGHT + 5, UNITS - 1), (15, 15, 18), 17)
    corners = [v * body.scale for v in (LEFT, TOP, RIGHT, BOTTOM)]
    glass.rounded_rectangle(corners, 12 * body.scale, 255)
    image.paste(_display(theme, screen, side), mask=mask)
    return image.reduce(OVERSAMPLING)


@dataclass(frozen=True)
class Plan:
    """What is asked for, and every screen on the way with what was done to reach it."""

    goal: str
    family: str
    frames: tuple[tuple[str, Screen], ...]


def _pick(rng: Rng, names: tuple[str, ...], count: int) -> tuple[str, ...]:
    return tuple(str(name) for name in rng.choice(names, count, replace=False))


def _hues(rng: Rng, count: int) -> tuple[Colour, ...]:
    return tuple(HUES[i % len(HUES)] for i in rng.integers(len(HUES)) + rng.permutation(count))


def _home(rng: Rng) -> tuple[str, Screen]:
    apps = _pick(rng, APPS, len(APPS))
    tiles = Tiles(apps, _hues(rng, len(APPS)), 3, apps)
    return "the phone shows the home screen", Screen("", (tiles,))


def _contact(rng: Rng) -> Plan:
    *others, name = _pick(rng, PEOPLE, 5)
    full = f"{name} {rng.choice(SURNAMES)}"
    phone, kinds = f"555 {rng.integers(1000, 9999)}", ("Home", "Work", "Mobile")
    kind, colours = str(rng.choice(kinds)), _hues(rng, 5)
    rows = tuple(Row(o, o[0], c) for o, c in zip(others, colours, strict=False))

    def form(first: str, number: str, focus: int = 0, chosen: str = "") -> Screen:
        fields = (Field("Name", first, focus == 1), Field("Phone", number, focus == 2))
        pad = ("", "letters", "digits")[focus]
        key = (" ", first[-1:], number[-1:])[focus]
        choice = Chips(kinds, (chosen,))
        return Screen(
            "New contact", (*fields, choice, Chips(("Save",), ("Save",))), False, pad, key
        )

    card = (Tiles((name,), (colours[4],), 1, (full,)), Row(phone, note=kind))
    frames = [
        _home(rng),
        ("the contacts app was opened", Screen("Contacts", rows, plus=True)),
        ("an empty form for a new contact was opened", form("", "")),
        ("the name field was selected and the keyboard came up", form("", "", 1)),
        (f"the first name {name} was typed into the name field", form(name, "", 1)),
        (f"the name was completed to {full}", form(full, "", 1)),
        ("the phone field was selected and the number pad came up", form(full, "", 2)),
        (f"the number {phone} was typed into the phone field", form(full, phone, 2)),
        (f"the number was marked as {kind}", form(full, phone, 0, kind)),
        (f"the contact {full} was saved and shown", Screen(full, card, toast="Contact saved")),
    ]
    return Plan(f"add {full} with the number {phone} to the contacts", "add_contact", tuple(frames))


def _settings(rng: Rng) -> Plan:
    size, sizes = str(rng.choice(["Small", "Large"])), ("Small", "Medium", "Large")
    names = _pick(rng, ("Night light", "Auto rotate", "Always on", "Raise to wake"), 2)
    menu = _pick(rng, ("Display", *_pick(rng, ("Network", "Sound", "Battery", "Privacy"), 3)), 4)
    rows = tuple(Row(m, m[0], c) for m, c in zip(menu, _hues(rng, 4), strict=True))

    def page(on: int, text: str = "Medium") -> Screen:
        switches = (Row(name, on=i < on) for i, name in enumerate((*names, "Dark mode")))
        return Screen("Display", (*switches, Row("Text size", note=text)), dark=on == 3)

    def ask(chosen: str) -> Screen:
        return replace(page(3), dialog=tuple(Row(s, ticked=s == chosen) for s in sizes))

    frames = (
        _home(rng),
        ("the settings app was opened", Screen("Settings", rows, dark=False)),
        ("the display settings were opened", page(0)),
        (f"the switch {names[0]} was turned on", page(1)),
        (f"the switch {names[1]} was turned on", page(2)),
        ("dark mode was turned on and the page became dark", page(3)),
        ("the choice of text sizes was opened", ask("Medium")),
        (f"the text size {size} was ticked", ask(size)),
        (f"the text size {size} was applied", replace(page(3, size), toast="Text size changed")),
    )
    goal = f"turn on {names[0]}, {names[1]} and dark mode and make the text {size.lower()}"
    return Plan(goal, "change_settings", frames)


def _alarm(rng: Rng) -> Plan:
    hour, minute = f"{rng.integers(4, 10):02d}", str(rng.choice(["15", "20", "30", "45"]))
    days = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
    name, chosen = (("weekdays", days[:5]), ("the weekend", days[5:]))[int(rng.integers(2))]
    sounds = _pick(rng, ("Bell", "Birds", "Waves", "Piano", "Drums"), 3)
    old = tuple(f"{h}:{rng.integers(10, 60)}" for h in rng.choice(np.arange(13, 24), 2, False))

    def page(h: str, m: str, active: str, on: tuple[str, ...] = ()) -> Screen:
        save = Chips(("Save",), ("Save",))
        return Screen("New alarm", (Chips((h, m), (active,), 58), Chips(days, on), save))

    def ask(sound: str) -> Screen:
        tunes = tuple(Row(s, "music", ticked=s == sound) for s in sounds)
        return replace(page(hour, minute, minute, chosen), dialog=tunes)

    def alarms(new: tuple[Row, ...], on: bool) -> Screen:
        rows = (*new, Row(old[0], "clock", on=on), Row(old[1], "clock", on=False))
        return Screen("Alarms", rows, plus=True, toast="Alarm set" if new and on else "")

    new = (Row(f"{hour}:{minute}", "clock", HUES[2], on=True),)
    frames = (
        _home(rng),
        ("the clock app with the alarms was opened", alarms((), True)),
        ("a new alarm was started", page("12", "00", "12")),
        (f"the hour was set to {hour}", page(hour, "00", hour)),
        (f"the minute was set to {minute}", page(hour, minute, minute)),
        (
            f"{name} were chosen" if name == "weekdays" else f"{name} was chosen",
            page(hour, minute, minute, chosen),
        ),
        ("the choice of alarm sounds was opened", ask("")),
        (f"the sound {sounds[1]} was ticked", ask(sounds[1])),
        (f"the alarm at {hour}:{minute} was saved into the list", alarms(new, True)),
        (f"the old alarm at {old[0]} was turned off", alarms(new, False)),
    )
    goal = f"set an alarm for {hour}:{minute} on {name} with the sound {sounds[1]}"
    return Plan(f"{goal} and turn off the one at {old[0]}", "set_alarm", frames)


def _shop(rng: Rng) -> Plan:
    goods = _pick(rng, GOODS, 4)
    item, price, count = (
        goods[int(rng.integers(4))],
        int(rng.integers(5, 60)),
        int(rng.integers(2, 4)),
    )
    names = _pick(rng, tuple(PAINTS), 3)
    numbers, buy = ("1", "2", "3"), Chips(("Add to cart",), ("Add to cart",))
    front = Tiles(goods, _hues(rng, 4), 2, goods)
    results = tuple(Row(item, item, PAINTS[n], f"${price + 3 * i}") for i, n in enumerate(names))

    def search(text: str) -> Screen:
        return Screen("Search", (Field("Search", text, True),), pad="letters", key=text[-1:])

    def product(name: str) -> Screen:
        picture = Tiles((item,), (PAINTS[name],), 1, (f"{item} ${price}",))
        return Screen("Product", (picture, Chips(names, (name,)), buy))

    def cart(number: int) -> Screen:
        rows = (Row(item, item, PAINTS[names[1]], f"${price}"), Chips(numbers, (str(number),)))
        total = Row("Total", note=f"${price * number}")
        return Screen("Cart", (*rows, total, Chips(("Order",), ("Order",))))

    done = Tiles(("tick",), (PAINTS["green"],), 1, ("Order placed",))
    frames = (
        _home(rng),
        ("the shop app was opened", Screen("Shop", (front,))),
        ("the search field was selected and the keyboard came up", search("")),
        (f"the word {item} was typed into the search field", search(item)),
        (f"the search results for {item} were shown", Screen("Results", results)),
        (f"the {item} in {names[0]} was opened", product(names[0])),
        (f"the colour {names[1]} was chosen for the {item}", product(names[1])),
        (
            f"the {names[1]} {item} was added to the cart",
            replace(product(names[1]), toast="Added to cart"),
        ),
        (f"the cart with one {item} was opened", cart(1)),
        (f"the quantity was raised to {count}", cart(count)),
        (
            "the order was placed",
            Screen("Thank you", (done, Row("Total", note=f"${price * count}"))),
        ),
    )
    return Plan(f"search for a {item} and order {count} in {names[1]}", "order_product", frames)


def _chat(rng: Rng) -> Plan:
    people, colours = _pick(rng, PEOPLE, 4), _hues(rng, 4)
    name = people[int(rng.integers(4))]
    first = str(rng.choice(["Lunch", "Meet me", "Call me", "Dinner", "Coffee"]))
    text = f"{first} {rng.choice(['at noon', 'at six', 'today', 'tomorrow', 'on Friday'])}"
    photo = int(rng.integers(4))
    pictures = _pick(rng, GOODS, 4)
    asked = Bubble(str(rng.choice(["Hello!", "How are you?", "Any plans?"])), False)
    sent = (asked, Bubble(text, True), Bubble(pictures[photo], True, colours[photo]))
    reply = Bubble(str(rng.choice(["Great!", "Yes, sure!", "See you!"])), False)
    rows = tuple(Row(p, p[0], c) for p, c in zip(people, colours, strict=True))

    def write(words: str) -> Screen:
        field = Field("Message", words, True)
        return Screen(name, (asked, field), pad="letters", key=words[-1:])

    frames = (
        _home(rng),
        ("the chat app was opened", Screen("Chats", rows)),
        (f"the conversation with {name} was opened", Screen(name, (asked,))),
        ("the message field was selected and the keyboard came up", write("")),
        (f"the words {first} were typed into the message field", write(first)),
        (f"the message was completed to {text}", write(text)),
        (f"the message was sent to {name}", Screen(name, sent[:2])),
        (
            "the choice of pictures was opened",
            Screen(name, sent[:2], dialog=(Tiles(pictures, colours, 2),)),
        ),
        (f"the picture of a {pictures[photo]} was sent", Screen(name, sent)),
        (f"the reply of {name} arrived", Screen(name, (*sent, reply))),
    )
    goal = f"send {name} the message {text} and a picture of a {pictures[photo]}"
    return Plan(goal, "send_message", frames)


def _calendar(rng: Rng) -> Plan:
    title = str(rng.choice(["Dentist", "Swimming", "Birthday", "Concert", "Meeting", "Yoga"]))
    times, kinds = ("9:00", "12:00", "18:00"), ("Work", "Home", "Fun")
    time, kind = str(rng.choice(times)), str(rng.choice(kinds))
    day, month = int(rng.integers(1, 29)), str(rng.choice(["March", "May", "June", "August"]))
    weeks = [tuple(str(d) for d in range(w, w + 7)) for w in (1, 8, 15, 22)]

    def days(chosen: str, *rows: Row) -> Screen:
        return Screen(month, (*(Chips(week, (chosen,), 23) for week in weeks), *rows), plus=True)

    def form(text: str, when: str = "", sort: str = "", on: bool = False, pad: str = "") -> Screen:
        rows = (Field("Title", text, bool(pad)), Chips(times, (when,)), Chips(kinds, (sort,)))
        remind = Row("Reminder", on=on)
        return Screen(f"{day} {month}", (*rows, remind), pad=pad, key=text[-1:])

    event = Row(title, "calendar", HUES[day % len(HUES)], time)
    frames = (
        _home(rng),
        (f"the calendar app was opened at {month}", days("")),
        (f"day {day} was selected", days(str(day), Row("No events"))),
        ("an empty form for a new event was opened", form("")),
        ("the title field was selected and the keyboard came up", form("", pad="letters")),
        (f"the title {title} was typed", form(title, pad="letters")),
        (f"the time {time} was chosen", form(title, time)),
        (f"the kind {kind} was chosen", form(title, time, kind)),
        ("the reminder was turned on", form(title, time, kind, True)),
        (
            f"the event {title} was saved and shown below day {day}",
            replace(days(str(day), event), toast=""),
        ),
    )
    goal = f"add {title} at {time} on {day} {month} to the calendar as {kind} with a reminder"
    return Plan(goal, "add_event", frames)


def _shopping_list(rng: Rng) -> Plan:
    things = _pick(rng, FOOD, 3)
    ticks = [things[i] for i in rng.permutation(3)[:2]]

    def page(count: int, ticked: int = 0, text: str = "", pad: str = "") -> Screen:
        rows = [Row(thing, ticked=thing in ticks[:ticked]) for thing in things[:count]]
        field = Field("Add item", text, bool(pad))
        return Screen("My list", (field, *rows), pad=pad, key=text[-1:])

    frames = (
        _home(rng),
        ("the lists app was opened with an empty list", page(0)),
        ("the item field was selected and the keyboard came up", page(0, pad="letters")),
        (f"the word {things[0]} was typed into the item field", page(0, 0, things[0], "letters")),
        (f"{things[0]} was added to the list", page(1)),
        (f"the word {things[1]} was typed into the item field", page(1, 0, things[1], "letters")),
        (f"{things[1]} was added to the list", page(2)),
        (f"{things[2]} was added to the list", page(3)),
        (f"{ticks[0]} was ticked off", page(3, 1)),
        (f"{ticks[1]} was ticked off", page(3, 2)),
    )
    goal = f"write a list of {', '.join(things)} and tick off {' and '.join(ticks)}"
    return Plan(goal, "write_list", frames)


PLANS: tuple[Callable[[Rng], Plan], ...] = (
    *(_contact, _settings, _alarm, _shop),
    *(_chat, _calendar, _shopping_list),
)


def episode(seed: int, size: int) -> Episode:
    """A task carried out on a phone; frames are size x size, the first shows the home screen."""
    rng = np.random.default_rng(seed)
    plan = PLANS[int(rng.integers(len(PLANS)))](rng)
    theme = _theme(rng, size * OVERSAMPLING)
    frames = tuple(_photo(theme, screen, size) for _, screen in plan.frames)
    return Episode(plan.goal, plan.family, frames, tuple(clause for clause, _ in plan.frames))
