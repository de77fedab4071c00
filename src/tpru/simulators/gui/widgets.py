"""The parts of a page. Each paints itself at a height and returns where the next one starts."""

from dataclasses import dataclass
from typing import Protocol

from tpru.simulators.gui.pen import LEFT, RIGHT, WIDTH, Pen
from tpru.simulators.gui.theme import HUES, WHITE, Colour, mix


class Widget(Protocol):
    def paint(self, pen: Pen, y: float) -> float: ...


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
            track = theme.accent if self.on else mix(theme.faint, theme.card, 0.4)
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
        line = theme.strong if self.focused else mix(theme.faint, theme.card, 0.6)
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
