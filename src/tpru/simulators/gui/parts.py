"""The parts of a page. Each paints itself at a height and returns where the next one starts.

Colours are names of the theme's paints; "" is the accent. Names are those of boxes and states.
"""

from dataclasses import dataclass

from tpru.simulators.gui.pen import WIDTH, Pen
from tpru.simulators.gui.theme import WHITE, mix

Fact = tuple[str, str]

NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
LEFT, RIGHT = 5.0, WIDTH - 5.0


class Part:
    """Something on a page. Lengths are in units of 1/224 of a picture that is all phone."""

    def paint(self, pen: Pen, y: float) -> float:
        """Draws the part at height ``y`` and returns the height at which the next one starts."""
        raise NotImplementedError

    def things(self) -> dict[str, str]:
        """The named things in it and the state of each."""
        return {}

    def facts(self) -> list[Fact]:
        """Questions that the part answers when it is in full view."""
        return []


@dataclass(frozen=True)
class Row(Part):
    """A card with a badge, a text and at the right a note, a switch or a box to tick.

    strong: filled with the accent, as what was chosen or has just come.
    """

    name: str
    text: str
    badge: str = ""
    colour: str = ""
    note: str = ""
    on: bool | None = None
    ticked: bool | None = None
    strong: bool = False

    def paint(self, pen: Pen, y: float) -> float:
        theme, start, end, middle = pen.theme, LEFT + 7, RIGHT - 6, y + 14
        back = mix(theme.card, theme.accent, 1.0 if self.strong else 0.45 if self.ticked else 0.0)
        ink = WHITE if self.strong else theme.ink
        pen.mark(self.name, (LEFT, y, RIGHT, y + 28))
        pen.box((LEFT, y, RIGHT, y + 28), back, theme.corner)
        if self.badge:
            pen.badge(self.badge, start + 10, middle, 12, self.colour)
            start += 27
        if self.on is not None:
            self._switch(pen, end, middle)
            end -= 46
        if self.ticked is not None:
            fill = theme.strong if self.ticked else theme.card
            pen.box((end - 24, y + 2, end, y + 26), fill, 5, theme.ink)
            pen.symbol("tick", end - 12, middle, 11, theme.page if self.ticked else fill, fill)
            end -= 28
        if self.note:
            end -= 4 + pen.text(end, middle, self.note, 17, ink, "rm", 70)
        pen.text(start, middle, self.text, 18, ink, "lm", end - start)
        return y + 31

    def _switch(self, pen: Pen, end: float, middle: float) -> None:
        theme, round_ = pen.theme, 11 if pen.theme.choices.switch == "pill" else 2
        track = theme.strong if self.on else mix(theme.faint, theme.card, 0.4)
        pen.box((end - 42, middle - 11, end, middle + 11), track, round_)
        x = end - 11 if self.on else end - 31
        pen.box((x - 9, middle - 9, x + 9, middle + 9), WHITE, min(round_, 9))

    def things(self) -> dict[str, str]:
        if self.on is not None:
            return {self.name: "on" if self.on else "off"}
        if self.ticked is not None:
            return {self.name: "ticked" if self.ticked else "not ticked"}
        text = f"{self.text} {self.note}".strip()
        return {self.name: f"highlighted: {text}" if self.strong else f"shown: {text}"}

    def facts(self) -> list[Fact]:
        if self.on is not None:
            return [(f"is {self.name} on or off?", "on" if self.on else "off")]
        if self.strong and len(self.text.split()) < 5:
            return [(f"what does {self.name} say?", self.text), ("which row is highlighted?", self.name)]
        return [(f"which colour has {self.name}?", self.colour)] if self.badge and self.colour else []


@dataclass(frozen=True)
class Field(Part):
    """An input: a pictogram, its label while empty; a frame and a caret while selected.

    A filled field has a dark square at the left, an empty one a pale one.
    """

    name: str
    symbol: str
    label: str
    value: str = ""
    selected: bool = False
    colour: str = ""

    def paint(self, pen: Pen, y: float) -> float:
        theme, bottom = pen.theme, y + 26
        edge = theme.choices.finger if self.selected else mix(theme.faint, theme.card, 0.5)
        pen.mark(self.name, (LEFT, y, RIGHT, bottom))
        pen.box((LEFT, y, RIGHT, bottom), theme.card, 5)
        fill = theme.paint(self.colour) if self.value else mix(theme.faint, theme.card, 0.6)
        pen.box((LEFT, y, LEFT + 30, bottom), fill, 5)
        pen.symbol(self.symbol, LEFT + 15, y + 13, 9, WHITE, fill)
        if self.value:
            pen.box((LEFT + 30, y, RIGHT, bottom), mix(theme.card, theme.accent, 0.3), 5)
        pen.box((LEFT, y, RIGHT, bottom), None, 5, edge)
        ink = theme.ink if self.value else theme.faint
        width = pen.text(LEFT + 37, y + 14, self.value or self.label, 19, ink, "lm", WIDTH - 56)
        if self.selected:
            pen.box((LEFT, y, RIGHT, bottom), None, 5, edge)
            caret = LEFT + 37 + (width + 2 if self.value else -5)
            pen.box((caret, y + 4, caret + 3, y + 22), theme.ink)
        return y + 29

    def things(self) -> dict[str, str]:
        state = f"filled with {self.value}" if self.value else "empty"
        return {self.name: f"selected, {state}" if self.selected else state}

    def facts(self) -> list[Fact]:
        if not 0 < len(self.value.split()) < 5:
            return []
        return [(f"what does {self.name} say?", self.value)]


@dataclass(frozen=True)
class Chips(Part):
    """Buttons side by side; the chosen ones are filled. Pictograms replace words.

    noun: what one of them is called ("option": "the first option").
    """

    noun: str
    labels: tuple[str, ...]
    chosen: tuple[int, ...] = ()
    tall: float = 27
    symbols: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()

    def name(self, place: int) -> str:
        return f"the {ORDINALS[place]} {self.noun}"

    def paint(self, pen: Pen, y: float) -> float:
        step, theme = (WIDTH - 7) / len(self.labels), pen.theme
        for place, label in enumerate(self.labels):
            left, active = LEFT + place * step, place in self.chosen
            area = (left, y, left + step - 3, y + self.tall)
            pen.mark(self.name(place), area)
            fill = theme.paint(self.colours[place]) if self.colours else theme.strong
            fill = fill if active or self.colours else theme.card
            ink, x = theme.page if active else theme.ink, left + step / 2 - 1.5
            pen.box(area, fill, theme.corner, theme.ink if active else mix(theme.card, theme.ink, 0.3))
            middle = y + self.tall / 2
            if self.colours:
                pen.symbol("tick" if active else " ", x, middle, self.tall * 0.34, WHITE, fill)
            elif self.symbols:
                pen.symbol(self.symbols[place], x, middle, self.tall * 0.34, ink, fill)
            else:
                pen.text(x, middle, label, self.tall * 0.62, ink, "mm", step - 7)
        return y + self.tall + 4

    def things(self) -> dict[str, str]:
        states = ("not chosen", "chosen")
        return {self.name(i): f"{states[i in self.chosen]}: {own}" for i, own in enumerate(self.labels)}

    def facts(self) -> list[Fact]:
        count = [(f"how many {self.noun}s are chosen?", NUMBERS[len(self.chosen)])]
        count = [] if self.noun in ("tab", "number") else count  # always one
        if len(self.chosen) == 1:
            count.append((f"which {self.noun} is chosen?", self.name(self.chosen[0])))
        return count


@dataclass(frozen=True)
class Button(Part):
    """A wide button with a pictogram; filled, or empty while it does nothing."""

    name: str
    text: str
    symbol: str
    live: bool = True

    def paint(self, pen: Pen, y: float) -> float:
        theme, area = pen.theme, (LEFT + 10, y, RIGHT - 10, y + 28)
        fill = theme.strong if self.live else mix(theme.faint, theme.page, 0.5)
        pen.mark(self.name, area)
        pen.box(area, fill, min(theme.corner + 4, 14))
        pen.symbol(self.symbol, LEFT + 28, y + 14, 9, theme.page, fill)
        pen.text(LEFT + 44, y + 14, self.text, 19, theme.page, "lm", WIDTH - 80)
        return y + 31

    def things(self) -> dict[str, str]:
        return {self.name: "shown"}


@dataclass(frozen=True)
class Bubble(Part):
    """A chat message: text, a pictogram on a colour, or a recording; with one or two ticks or a heart."""

    name: str
    text: str
    mine: bool
    symbol: str = ""
    colour: str = ""
    sign: str = ""

    def paint(self, pen: Pen, y: float) -> float:
        theme, voice = pen.theme, self.symbol == "play"
        wide, tall = (74.0, 50.0) if self.symbol and not voice else (132.0, 26.0)
        left = RIGHT - wide if self.mine else LEFT
        fill = theme.accent if self.mine else theme.card
        pen.mark(self.name, (left, y, left + wide, y + tall))
        pen.box((left, y, left + wide, y + tall), fill, 9)
        ink = WHITE if self.mine else theme.ink
        if voice:
            pen.symbol("play", left + 16, y + 13, 9, ink, fill)
            _bars(pen, left + 32, y + 13, 17, ink)
        elif self.symbol:
            inner, back = (left + 5, y + 5, left + wide - 5, y + tall - 5), theme.paint(self.colour)
            pen.box(inner, back, 5, WHITE)
            pen.symbol(self.symbol, left + wide / 2, y + tall / 2, 16, WHITE, back)
        else:
            pen.text(left + 8, y + 14, self.text, 18, ink, "lm", wide - (30 if self.sign else 14))
        if self.sign:
            x = left - 4 if self.mine else left + wide + 4
            pen.disc(x, y + tall - 10, 13, theme.choices.finger)
            pen.symbol(self.sign, x, y + tall - 10, 8, (0, 0, 0), theme.choices.finger)
        return y + tall + 4

    def things(self) -> dict[str, str]:
        return {self.name: f"marked with a {self.sign}" if self.sign else "shown"}


def _bars(pen: Pen, x: float, y: float, count: int, ink: tuple[int, int, int], high: float = 9) -> None:
    """The bars of a recording, higher and lower by turns."""
    for i in range(count):
        half = high * (0.35 + 0.65 * abs((i * 5 % 7) - 3) / 3)
        pen.box((x + i * 5.5, y - half, x + i * 5.5 + 3.5, y + half), ink, 1.5)


@dataclass(frozen=True)
class Wave(Part):
    """A recording under way: a dot, and bars for what was said so far (0 to 1)."""

    name: str
    share: float
    live: bool

    def paint(self, pen: Pen, y: float) -> float:
        theme, area = pen.theme, (LEFT, y, RIGHT, y + 46)
        pen.mark(self.name, area)
        fill = theme.choices.finger if self.live else theme.card
        pen.box(area, fill, 9)
        ink = (0, 0, 0) if self.live else theme.ink
        pen.symbol("microphone" if self.live else "play", LEFT + 22, y + 23, 14, ink, fill)
        _bars(pen, LEFT + 44, y + 23, round(22 * self.share), ink, 19)
        return y + 50

    def things(self) -> dict[str, str]:
        state = "running" if self.live else "stopped"
        return {self.name: f"{state}, {round(100 * self.share)} percent"}
