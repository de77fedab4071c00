"""Parts of a page that are pictures: the icons of apps, tiles, large pictograms, photographs, tickets."""

from dataclasses import dataclass

from PIL import ImageOps

from tpru.simulators.gui.parts import LEFT, NUMBERS, RIGHT, Fact, Part
from tpru.simulators.gui.pen import WIDTH, Pen
from tpru.simulators.gui.theme import WHITE, Paint, mix

HOME_PLACES = (
    *("top left", "top middle", "top right", "middle left", "centre"),
    *("middle right", "bottom left", "bottom middle", "bottom right"),
)


@dataclass(frozen=True)
class Icons(Part):
    """The home screen: nine apps in three rows. ``apps`` and ``colours`` in reading order."""

    apps: tuple[str, ...]
    colours: tuple[str, ...]
    labels: tuple[str, ...]

    def paint(self, pen: Pen, y: float) -> float:
        step, side, pale = WIDTH / 3, 43.0, pen.theme.choices.header == "ruled"
        for place, (app, colour) in enumerate(zip(self.apps, self.colours, strict=True)):
            x, top = step * (place % 3 + 0.5), y + 63 * (place // 3)
            area = (x - side / 2, top, x + side / 2, top + side)
            paint = pen.theme.paint(colour)
            back, ink = (mix(paint, WHITE, 0.85), paint) if pale else (paint, WHITE)
            pen.mark(f"the {app} icon", area)
            pen.tile(area, back)
            pen.symbol(app, x, top + side / 2, side * 0.32, ink, back)
            pen.text(x, top + side + 7, self.labels[place], 13, WHITE, "mm", step - 4)
        return y + 189

    def things(self) -> dict[str, str]:
        return {f"the {app} icon": "shown" for app in self.apps}

    def facts(self) -> list[Fact]:
        pairs = list(zip(self.apps, self.colours, strict=True))
        where = [(f"where is the {a} icon?", HOME_PLACES[i]) for i, a in enumerate(self.apps)]
        which = [(f"which app is at the {p}?", a) for p, a in zip(HOME_PLACES, self.apps, strict=True)]
        return where + which + [(f"which colour has the {app} icon?", colour) for app, colour in pairs]


@dataclass(frozen=True)
class Tiles(Part):
    """Pictures in two or three columns; ``noun`` says of what ("lamp": noun "product").

    ticked: places with a tick, None where nothing can be ticked.
    """

    noun: str
    symbols: tuple[str, ...]
    colours: tuple[str, ...]
    columns: int = 2
    tall: float = 74
    ticked: tuple[int, ...] | None = None

    def paint(self, pen: Pen, y: float) -> float:
        step, theme = (WIDTH - 7) / self.columns, pen.theme
        for place, (symbol, colour) in enumerate(zip(self.symbols, self.colours, strict=True)):
            left, top = LEFT + step * (place % self.columns), y + (self.tall + 4) * (place // self.columns)
            area = (left, top, left + step - 3, top + self.tall)
            back = theme.paint(colour)
            pen.mark(f"the {symbol} {self.noun}", area)
            pen.box(area, back, theme.corner)
            pen.symbol(symbol, left + step / 2 - 1.5, top + self.tall / 2, self.tall * 0.33, WHITE, back)
            if self.ticked is not None:
                active = place in self.ticked
                fill = theme.choices.finger if active else WHITE
                pen.box((left + 2, top + 2, left + 26, top + 26), fill, 5, (0, 0, 0))
                pen.symbol("tick" if active else " ", left + 14, top + 14, 10, (0, 0, 0), fill)
        return y + (self.tall + 4) * -(-len(self.symbols) // self.columns)

    def things(self) -> dict[str, str]:
        def state(place: int) -> str:
            if self.ticked is None:
                return "shown"
            return "ticked" if place in self.ticked else "not ticked"

        return {f"the {symbol} {self.noun}": state(i) for i, symbol in enumerate(self.symbols)}

    def facts(self) -> list[Fact]:
        pairs = list(zip(self.symbols, self.colours, strict=True))
        count = [(f"how many {self.noun}s are shown?", NUMBERS[len(self.symbols)])]
        return count + [(f"which colour has the {s} {self.noun}?", colour) for s, colour in pairs]


@dataclass(frozen=True)
class Hero(Part):
    """A large pictogram on a disc or tile of a colour, with words below and signs around it.

    ring: a ring around it, as of something that goes on. sign: a small pictogram at its corner.
    """

    name: str
    symbol: str
    colour: str
    words: str
    ring: bool = False
    sign: str = ""
    tall: float = 66

    def paint(self, pen: Pen, y: float) -> float:
        x, r, theme = WIDTH / 2, self.tall / 2, pen.theme
        pen.mark(self.name, (x - r, y, x + r, y + self.tall))
        if self.ring:
            pen.disc(x, y + r, r + 3, theme.choices.finger)
            pen.disc(x, y + r, r - 2, theme.page)
            pen.badge(self.symbol, x, y + r, r - 6, self.colour)
        else:
            pen.badge(self.symbol, x, y + r, r, self.colour)
        if self.sign:
            pen.disc(x + r, y + self.tall - 12, 15, theme.choices.finger)
            pen.symbol(self.sign, x + r, y + self.tall - 12, 10, (0, 0, 0), theme.choices.finger)
        pen.text(x, y + self.tall + 13, self.words, 22, theme.ink, "mm", WIDTH - 12)
        return y + self.tall + 27

    def things(self) -> dict[str, str]:
        state = f"{self.words}, ringed" if self.ring else self.words
        return {self.name: f"{state}, with a {self.sign}" if self.sign else state}

    def facts(self) -> list[Fact]:
        facts = [(f"which colour has {self.name}?", self.colour)] if self.colour else []
        if self.sign:
            facts.append((f"which sign is on {self.name}?", f"a {self.sign}"))
        return facts


@dataclass(frozen=True)
class Photo(Part):
    """A large photograph of a thing on a ground; with what was done to it.

    grey: without colours. mirrored: left and right exchanged. cropped: only its middle, larger.
    light: share of white laid over it.
    """

    symbol: str
    colour: str
    ground: str
    grey: bool = False
    turned: bool = False
    cropped: bool = False
    light: float = 0.0
    frame: bool = False
    heart: bool = False
    tall: float = 110

    def paint(self, pen: Pen, y: float) -> float:
        theme, scale = pen.theme, pen.scale
        area = (LEFT + 8, y, RIGHT - 8, y + self.tall)
        sky, ground = mix(theme.paint(self.colour), WHITE, 0.55), theme.paint(self.ground)
        pen.mark("the photo", area)
        pen.box(area, sky)
        self._things(pen, area, theme.paint(self.colour), sky, ground)
        left, top, right, bottom = (round(v * scale) for v in area)
        corners = (left, top, right, bottom)
        cut = pen.image.crop(corners)
        if self.turned:
            cut = ImageOps.flip(cut)
        if self.grey:
            cut = ImageOps.grayscale(cut).convert("RGB")
        if self.light:
            cut = cut.point(lambda v: round(v + (255 - v) * self.light))
        pen.image.paste(cut, corners[:2])
        if self.frame:
            pen.box(area, None, 0, (0, 0, 0))
            inner = (area[0] + 2, area[1] + 2, area[2] - 2, area[3] - 2)
            for width in (2, 4, 6):
                pen.box(
                    (inner[0] + width, inner[1] + width, inner[2] - width, inner[3] - width), None, 0, WHITE
                )
        if self.heart:
            pen.disc(area[2] - 20, area[1] + 20, 17, WHITE)
            pen.symbol("heart", area[2] - 20, area[1] + 20, 12, (0, 0, 0), WHITE)
        return y + self.tall + 4

    def _things(self, pen: Pen, area: tuple[float, ...], ink: Paint, sky: Paint, ground: Paint) -> None:
        left, top, right, bottom = area
        middle, high = (left + right) / 2, bottom - top
        pen.box((left, bottom - high * 0.3, right, bottom), ground)
        if self.cropped:
            pen.symbol(self.symbol, middle, top + high / 2, high * 0.46, ink, sky)
        else:
            pen.disc(left + 24, top + 20, 12, WHITE)
            pen.symbol(self.symbol, middle + 12, bottom - high * 0.4, high * 0.28, ink, sky)

    def things(self) -> dict[str, str]:
        done = ["without colours"] * self.grey + ["upside down"] * self.turned
        done += ["cropped"] * self.cropped + ["framed"] * self.frame + ["with a heart"] * self.heart
        if self.light:
            done.append(f"brightened by {round(100 * self.light)} percent")
        return {"the photo": ", ".join([f"a {self.symbol}", *done])}

    def facts(self) -> list[Fact]:
        facts = [("what is in the photo?", f"a {self.symbol}")]
        if self.light:
            facts.append(("has the photo colours?", "no, only grey" if self.grey else "yes"))
        facts.append(("is the photo upside down?", "yes" if self.turned else "no"))
        return facts


@dataclass(frozen=True)
class Code(Part):
    """A ticket: a square of black and white cells, drawn from the bits of ``number``."""

    name: str
    number: int
    tall: float = 96

    def paint(self, pen: Pen, y: float) -> float:
        left, cell = (WIDTH - self.tall) / 2, self.tall / 8
        area = (left - 5, y, left + self.tall + 5, y + self.tall + 10)
        pen.mark(self.name, area)
        pen.box(area, WHITE, 3)
        for place in range(64):
            row, column = divmod(place, 8)
            corner = min(row, 7 - row) < 2 and min(column, 7 - column) < 2 and row + column < 13
            if corner or self.number >> (place % 61) & 1:
                x, top = left + cell * column, y + 5 + cell * row
                pen.box((x, top, x + cell, top + cell), (0, 0, 0))
        return y + self.tall + 14

    def things(self) -> dict[str, str]:
        return {self.name: "shown"}
