"""Parts of a page that are drawn from plans: a street map and a sheet to draw on."""

from dataclasses import dataclass
from itertools import pairwise

from tpru.simulators.gui.parts import LEFT, NUMBERS, RIGHT, Fact, Part
from tpru.simulators.gui.pen import WIDTH, Area, Pen
from tpru.simulators.gui.theme import WHITE, Paint

Point = tuple[float, float]  # shares of the width and height of the map or sheet

# What can be drawn: strokes of a kind (see icons), shares of the sheet, and a place among the colours.
Stroke = tuple[str, str, tuple[float, ...], int]
DRAWINGS: dict[str, tuple[Stroke, ...]] = {
    "house": (
        ("the wall", "b", (0.3, 0.5, 0.7, 0.9), 0),
        ("the roof", "p", (0.22, 0.5, 0.5, 0.18, 0.78, 0.5), 1),
        ("the door", "b", (0.44, 0.64, 0.56, 0.9), 2),
        ("the sun", "o", (0.14, 0.2, 0.09), 3),
    ),
    "boat": (
        ("the hull", "p", (0.15, 0.62, 0.85, 0.62, 0.7, 0.84, 0.3, 0.84), 0),
        ("the mast", "b", (0.48, 0.12, 0.52, 0.62), 1),
        ("the sail", "p", (0.54, 0.14, 0.54, 0.56, 0.84, 0.56), 2),
        ("the sea", "b", (0.0, 0.84, 1.0, 1.0), 3),
    ),
    "flower": (
        ("the stalk", "b", (0.48, 0.45, 0.52, 0.95), 0),
        ("the blossom", "o", (0.5, 0.35, 0.2), 1),
        ("the leaf", "p", (0.52, 0.85, 0.75, 0.55, 0.8, 0.75), 2),
        ("the ground", "b", (0.0, 0.9, 1.0, 1.0), 3),
    ),
    "rocket": (
        ("the body", "b", (0.4, 0.35, 0.6, 0.8), 0),
        ("the tip", "p", (0.4, 0.35, 0.5, 0.06, 0.6, 0.35), 1),
        ("the fin", "p", (0.25, 0.85, 0.5, 0.5, 0.75, 0.85), 2),
        ("the moon", "o", (0.84, 0.22, 0.1), 3),
    ),
    "snowman": (
        ("the belly", "o", (0.5, 0.7, 0.19), 0),
        ("the head", "o", (0.5, 0.38, 0.13), 1),
        ("the hat", "b", (0.4, 0.1, 0.6, 0.26), 2),
        ("the ground", "b", (0.0, 0.88, 1.0, 1.0), 3),
    ),
}


@dataclass(frozen=True)
class Sheet(Part):
    """A white sheet with the first ``count`` strokes of a drawing in ``colours``."""

    drawing: str
    count: int
    colours: tuple[str, ...]
    tall: float = 118

    def paint(self, pen: Pen, y: float) -> float:
        area = (LEFT, y, RIGHT, y + self.tall)
        pen.mark("the sheet", area)
        pen.box(area, WHITE, 3, (60, 60, 60))
        for name, kind, places, colour in DRAWINGS[self.drawing][: self.count]:
            self._stroke(pen, area, name, kind, places, pen.theme.paint(self.colours[colour]))
        return y + self.tall + 4

    def _stroke(
        self, pen: Pen, area: Area, name: str, kind: str, places: tuple[float, ...], ink: Paint
    ) -> None:
        left, top, wide, tall = area[0], area[1], area[2] - area[0], area[3] - area[1]
        if kind == "o":
            x, y, r = left + wide * places[0], top + tall * places[1], wide * places[2]
            pen.mark(name, (x - r, y - r, x + r, y + r))
            pen.disc(x, y, r, ink)
            return
        xs = tuple(left + wide * v for v in places[::2])
        ys = tuple(top + tall * v for v in places[1::2])
        pen.mark(name, (min(xs), min(ys), max(xs), max(ys)))
        if kind == "b":
            pen.box((xs[0], ys[0], xs[1], ys[1]), ink)
        else:
            pen.polygon(tuple(v for point in zip(xs, ys, strict=True) for v in point), ink)

    def things(self) -> dict[str, str]:
        strokes = DRAWINGS[self.drawing]
        drawn = {stroke[0]: f"drawn in {self.colours[stroke[3]]}" for stroke in strokes[: self.count]}
        return {"the sheet": f"{NUMBERS[self.count]} strokes", **drawn}

    def facts(self) -> list[Fact]:
        drawn = DRAWINGS[self.drawing][: self.count]
        colours = [(f"which colour has {name}?", self.colours[c]) for name, _, _, c in drawn]
        return [("how many shapes are drawn?", NUMBERS[self.count]), *colours]


@dataclass(frozen=True)
class Pin:
    """Something marked on a map."""

    name: str
    at: Point
    symbol: str
    colour: str = ""


@dataclass(frozen=True)
class Town:
    """Where streets, a park and a river lie, in shares of the map."""

    across: tuple[float, ...]
    down: tuple[float, ...]
    park: tuple[int, int]
    river: float


@dataclass(frozen=True)
class Map(Part):
    """A street map with pins and a route.

    done: share of the route that has been travelled, whose end is where one is. dotted: a walk.
    satellite: dark colours, as from above.
    """

    town: Town
    pins: tuple[Pin, ...] = ()
    route: tuple[Point, ...] = ()
    done: float | None = None
    dotted: bool = False
    satellite: bool = False
    tall: float = 118

    def _at(self, area: Area, point: Point) -> Point:
        return area[0] + point[0] * (area[2] - area[0]), area[1] + point[1] * (area[3] - area[1])

    def paint(self, pen: Pen, y: float) -> float:
        area = (0.0, y - 4, float(WIDTH), y + self.tall)
        pen.mark("the map", area)
        self._ground(pen, area)
        if self.route:
            self._route(pen, area)
        for pin in self.pins:
            x, high = self._at(area, pin.at)
            pen.mark(pin.name, (x - 13, high - 26, x + 13, high))
            fill = pen.theme.paint(pin.colour)
            pen.polygon((x - 9, high - 10, x + 9, high - 10, x, high + 2), (0, 0, 0))
            pen.disc(x, high - 16, 13.5, (0, 0, 0))
            pen.disc(x, high - 16, 12, fill)
            pen.symbol(pin.symbol, x, high - 16, 8, WHITE, fill)
        return y + self.tall + 5

    def _ground(self, pen: Pen, area: Area) -> None:
        night = self.satellite
        land: Paint = (38, 66, 44) if night else (232, 230, 222)
        street: Paint = (96, 104, 92) if night else (255, 255, 255)
        green: Paint = (16, 44, 20) if night else (186, 222, 170)
        water: Paint = (14, 36, 70) if night else (160, 200, 236)
        pen.box(area, land)
        xs = [self._at(area, (v, 0))[0] for v in self.town.across]
        ys = [self._at(area, (0, v))[1] for v in self.town.down]
        i, j = self.town.park
        pen.box((xs[i], max(ys[j], area[1]), xs[i + 1], min(ys[j + 1], area[3])), green)
        x = self._at(area, (self.town.river, 0))[0]
        wide = 11
        pen.polygon((x, area[1], x + wide, area[1], x + 2 * wide, area[3], x + wide, area[3]), water)
        for x in xs:
            pen.line((x, area[1], x, area[3]), street, 6)
        for y in (v for v in ys if area[1] < v < area[3]):
            pen.line((area[0], y, area[2], y), street, 6)

    def _route(self, pen: Pen, area: Area) -> None:
        points = [self._at(area, point) for point in self.route]
        steps = [
            (a[0] + (b[0] - a[0]) * t / 12, a[1] + (b[1] - a[1]) * t / 12)
            for a, b in pairwise(points)
            for t in range(12)
        ] + [points[-1]]
        at = round((len(steps) - 1) * (self.done or 0))
        ink = pen.theme.paint("")
        if self.dotted:
            for x, y in steps[::4]:
                pen.disc(x, y, 5, (0, 0, 0))
                pen.disc(x, y, 3.5, ink)
        else:
            flat = tuple(v for point in steps for v in point)
            pen.line(flat, (0, 0, 0), 10)
            pen.line(flat, ink, 7)
            if at:
                pen.line(tuple(v for point in steps[: at + 1] for v in point), (150, 150, 150), 7)
        if self.done is not None:
            x, y = steps[at]
            pen.mark("the position", (x - 15, y - 15, x + 15, y + 15))
            pen.disc(x, y, 15, (0, 0, 0))
            pen.disc(x, y, 13, pen.theme.choices.finger)
            pen.symbol("arrow", x, y, 9, (0, 0, 0), pen.theme.choices.finger)

    def things(self) -> dict[str, str]:
        state = "satellite" if self.satellite else "plain"
        things = {"the map": state, "the route": "none"}
        if self.route:
            things["the route"] = "a walk" if self.dotted else "a drive"
        if self.done is not None:
            things["the position"] = f"{round(100 * self.done)} percent of the route"
        return things | {pin.name: f"on the map, {pin.colour}".rstrip(", ") for pin in self.pins}

    def facts(self) -> list[Fact]:
        route = ("dots" if self.dotted else "a line") if self.route else "nothing"
        facts = [("how many pins are on the map?", NUMBERS[len(self.pins)])]
        facts.append(("what is the route drawn with?", route))
        if self.done is not None:
            where = {0.0: "at the start", 0.5: "half way", 1.0: "at the end"}
            facts.append(("where is the arrow on the route?", where.get(self.done, "on the way")))
        return facts
