"""Parts of a page that show how far or which: buttons, sliders, stars, rings, months and notes."""

from dataclasses import dataclass

from tpru.simulators.gui.parts import LEFT, NUMBERS, RIGHT, Fact, Part
from tpru.simulators.gui.pen import WIDTH, Pen
from tpru.simulators.gui.theme import WHITE, mix


@dataclass(frozen=True)
class Rounds(Part):
    """Round buttons side by side, each with a pictogram; those in ``active`` are filled."""

    names: tuple[str, ...]
    symbols: tuple[str, ...]
    active: tuple[int, ...] = ()
    tall: float = 42

    def paint(self, pen: Pen, y: float) -> float:
        step, r, theme = WIDTH / len(self.names), self.tall / 2, pen.theme
        for place, (name, symbol) in enumerate(zip(self.names, self.symbols, strict=True)):
            x, active = step * (place + 0.5), place in self.active
            fill, ink = (theme.strong, theme.page) if active else (theme.card, theme.ink)
            pen.mark(name, (x - r, y, x + r, y + self.tall))
            pen.disc(x, y + r, r, mix(theme.card, theme.ink, 0.3))
            pen.disc(x, y + r, r - 1.5, fill)
            pen.symbol(symbol, x, y + r, r * 0.55, ink, fill)
        return y + self.tall + 5

    def things(self) -> dict[str, str]:
        return {name: "active" if i in self.active else "not active" for i, name in enumerate(self.names)}

    def facts(self) -> list[Fact]:
        return [("how many round buttons are filled?", NUMBERS[len(self.active)])]


@dataclass(frozen=True)
class Slider(Part):
    """A pictogram and a bar that is filled up to ``share`` (0 to 1)."""

    name: str
    symbol: str
    share: float

    def paint(self, pen: Pen, y: float) -> float:
        theme, start, end = pen.theme, LEFT + 34, RIGHT - 14
        x = start + (end - start) * self.share
        pen.mark(self.name, (LEFT, y, RIGHT, y + 31))
        pen.box((LEFT, y, RIGHT, y + 31), theme.card, theme.corner)
        pen.symbol(self.symbol, LEFT + 17, y + 15.5, 10, theme.ink, theme.card)
        pen.box((start, y + 10, end, y + 21), mix(theme.faint, theme.card, 0.5), 5)
        pen.box((start, y + 10, x, y + 21), theme.strong, 5)
        pen.disc(x, y + 15.5, 12, theme.ink)
        return y + 35

    def things(self) -> dict[str, str]:
        return {self.name: f"at {round(100 * self.share)} percent"}

    def facts(self) -> list[Fact]:
        state = "low" if self.share < 0.4 else "high" if self.share > 0.6 else "in the middle"
        return [(f"is {self.name} low or high?", state)]


@dataclass(frozen=True)
class Stars(Part):
    """Five stars, the first ``count`` of them filled."""

    name: str
    count: int

    def paint(self, pen: Pen, y: float) -> float:
        theme, step = pen.theme, (RIGHT - LEFT) / 5
        pen.mark(self.name, (LEFT, y, RIGHT, y + 32))
        pen.box((LEFT, y, RIGHT, y + 32), (28, 28, 32), 6)
        for place in range(5):
            ink = theme.choices.finger if place < self.count else (105, 105, 112)
            pen.symbol("star", LEFT + step * (place + 0.5), y + 16, 14, ink, theme.card)
        return y + 36

    def things(self) -> dict[str, str]:
        return {self.name: f"{NUMBERS[self.count]} filled"}

    def facts(self) -> list[Fact]:
        return [("how many stars are filled?", NUMBERS[self.count])]


@dataclass(frozen=True)
class Dial(Part):
    """A thick ring, filled clockwise from the top up to ``share``, with words in it."""

    name: str
    share: float
    words: str
    tall: float = 112

    def paint(self, pen: Pen, y: float) -> float:
        theme, x, r = pen.theme, WIDTH / 2, self.tall / 2
        pen.mark(self.name, (x - r, y, x + r, y + self.tall))
        pen.arc(x, y + r, r, (0, 360), mix(theme.faint, theme.page, 0.6), 17)
        if self.share:
            pen.arc(x, y + r, r, (0, 360 * self.share), theme.strong, 17)
        pen.text(x, y + r, self.words, 27, theme.ink, "mm", self.tall - 42)
        return y + self.tall + 4

    def things(self) -> dict[str, str]:
        return {self.name: f"{round(100 * self.share)} percent, {self.words}"}

    def facts(self) -> list[Fact]:
        shares = {0.0: "none", 0.25: "a quarter", 0.5: "a half", 0.75: "three quarters", 1.0: "all"}
        filled = [("how much of the ring is filled?", shares[self.share])] if self.share in shares else []
        return [*filled, (f"what does {self.name} say?", self.words)]


@dataclass(frozen=True)
class Month(Part):
    """Four weeks of days; ``events`` maps days to names of colours."""

    chosen: int = 0
    events: tuple[tuple[int, str], ...] = ()
    tall: float = 22

    def paint(self, pen: Pen, y: float) -> float:
        theme, step, events = pen.theme, (WIDTH - 6) / 7, dict(self.events)
        pen.mark("the month", (LEFT, y, RIGHT, y + 4 * (self.tall + 2)))
        for day in range(1, 29):
            left, top = 4 + step * ((day - 1) % 7), y + (self.tall + 2) * ((day - 1) // 7)
            area = (left, top, left + step - 2, top + self.tall)
            fill = theme.paint(events[day]) if day in events else theme.card
            ink = WHITE if day in events else theme.ink
            pen.box(area, fill, 4)
            if day == self.chosen:
                pen.mark("the chosen day", area)
                pen.box((area[0] - 2, area[1] - 2, area[2] + 2, area[3] + 2), (0, 0, 0), 4)
                pen.box(area, theme.choices.finger if day not in events else fill, 3, theme.choices.finger)
                ink = (0, 0, 0) if day not in events else WHITE
            pen.text(left + step / 2 - 1, top + self.tall / 2, str(day), 15, ink, "mm", step - 4)
        return y + 4 * (self.tall + 2) + 3

    def things(self) -> dict[str, str]:
        marked = ", ".join(f"day {day} {colour}" for day, colour in self.events) or "no events"
        return {"the month": marked, "the chosen day": str(self.chosen or "none")}

    def facts(self) -> list[Fact]:
        events = [("how many days have events?", NUMBERS[len(self.events)])]
        return [*events, ("which day is chosen?", str(self.chosen) if self.chosen else "none")]


@dataclass(frozen=True)
class Note(Part):
    """A written note: lines of text, thick where bold, with dots where listed, on a colour."""

    lines: int
    colour: str = ""
    bold: bool = False
    dotted: bool = False
    tall: float = 112

    def paint(self, pen: Pen, y: float) -> float:
        theme, area = pen.theme, (LEFT, y, RIGHT, y + self.tall)
        back = theme.paint(self.colour) if self.colour else theme.card
        ink = WHITE if self.colour else theme.ink
        pen.mark("the note", area)
        pen.box(area, back, theme.corner, mix(back, theme.ink, 0.4))
        step, start = (self.tall - 12) / self.lines, LEFT + (30 if self.dotted else 10)
        for place in range(self.lines):
            middle = y + 8 + step * (place + 0.5)
            half = 7.5 if self.bold else 2.5
            end = RIGHT - (12, 46, 26, 60)[place % 4]
            pen.box((start, middle - half, end, middle + half), ink)
            if self.dotted:
                pen.disc(LEFT + 16, middle, 6, ink)
        return y + self.tall + 4

    def things(self) -> dict[str, str]:
        done = ["bold"] * self.bold + ["listed"] * self.dotted + [self.colour] * bool(self.colour)
        return {"the note": ", ".join(done) or "plain"}

    def facts(self) -> list[Fact]:
        facts = [("how many lines has the note?", NUMBERS[self.lines])]
        facts.append(("is the text thin or bold?", "bold" if self.bold else "thin"))
        if self.colour:
            facts.append(("which colour has the note?", self.colour))
        return facts
