"""A table that is being laid: coloured things and mats at free spots, seen from the camera's side.

Families lay the table in the camera's terms: ``across`` grows to the right of the picture, ``away``
to the back of the table, both in metres around its middle. So rows run across the picture, and "left"
and "far" mean what one sees.
"""

import math

from tpru.simulators.episode import Colour, RejectedError, Rng, dimmed
from tpru.simulators.robot.kits import HALF, Kit, outline, plural
from tpru.simulators.robot.tasks import Place, Plate, Point, Thing, along, up

Spot = tuple[float, float]  # across, away

MIDDLE = (0.55, 0.0)  # of the table, where the arm reaches best
NEAREST, FARTHEST = 0.36, 0.76  # metres from the arm's base
GAP = 0.054  # free radius around a thing, so that the fingers fit between two of them
MAT = 0.046  # half the edge of a mat
TRIES = 40


class Draft:
    """Draws things, mats and trays that do not run into each other.

    kit: the choices of the look. turn: the camera's yaw in radians.
    """

    def __init__(self, rng: Rng, kit: Kit, turn: float) -> None:
        self.rng, self.kit, self.turn = rng, kit, turn
        self.colours = [str(c) for c in rng.permutation(list(kit.colours))]
        self.shape = str(rng.choice(kit.shapes))
        self.mixed = bool(rng.uniform() < 0.3)
        self.things: list[Thing] = []
        self.plates: list[Plate] = []
        self._taken: list[tuple[float, float, float]] = []

    def at(self, spot: Spot, height: float = 0.0) -> Point:
        """The point of the table at ``spot``; RejectedError where the arm does not reach."""
        across, away = spot
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        x, y = MIDDLE[0] + across * cos - away * sin, MIDDLE[1] + across * sin + away * cos
        if not NEAREST < math.hypot(x, y) < FARTHEST:
            raise RejectedError("out of reach")
        return x, y, height

    def keep(self, spot: Spot, radius: float = GAP) -> Spot:
        """Reserve a spot; RejectedError when something is there already."""
        if any(math.dist(spot, (a, b)) < radius + r for a, b, r in self._taken):
            raise RejectedError("no room")
        self._taken.append((*spot, radius))
        return spot

    def spot(self, width: float = 0.15, depth: float = 0.11, middle: Spot = (0.0, 0.0)) -> Spot:
        """Reserve a free spot at most ``width`` and ``depth`` from ``middle``."""
        for _ in range(TRIES):
            try:
                return self.keep(
                    (
                        middle[0] + float(self.rng.uniform(-width, width)),
                        middle[1] + float(self.rng.uniform(-depth, depth)),
                    )
                )
            except RejectedError:
                continue
        raise RejectedError("no free spot")

    def colour(self) -> tuple[str, Colour]:
        """A colour that nothing on the table has yet."""
        if not self.colours:
            raise RejectedError("no colour is left")
        name = self.colours.pop()
        return name, self.kit.colours[name]

    def yaw(self) -> float:
        return self.turn + float(self.rng.uniform(-0.5, 0.5))

    def thing(self, place: Place, colour: str = "", shape: str = "") -> Thing:
        """A thing that rests at ``place``."""
        name = colour or self.colour()[0]
        form = shape or (str(self.rng.choice(self.kit.shapes)) if self.mixed else self.shape)
        reach = max(x for x, _ in outline(form))
        made = Thing(f"the {name} {form}", self.kit.colours[name], form, (reach, reach, HALF), place)
        self.things.append(made)
        return made

    def bar(self, place: Place) -> Thing:
        """A long bar that lies at ``place`` along its yaw."""
        name, rgb = self.colour()
        made = Thing(f"the {name} {self.kit.bar}", rgb, self.kit.bar, (0.1, 0.021, 0.017), place)
        self.things.append(made)
        return made

    def noun(self, things: list[Thing]) -> str:
        """ "cubes" if all are, else "blocks"."""
        shapes = {thing.shape for thing in things}
        return plural(shapes.pop()) if len(shapes) == 1 else "blocks"

    def bare(self, spot: Spot, yaw: float | None = None) -> Place:
        turn = self.yaw() if yaw is None else yaw
        return Place(self.at(spot), turn, "the table", "on the table", "over the table")

    def mat(self, spot: Spot, colour: str = "", half: Spot = (MAT, MAT), yaw: float | None = None) -> Place:
        """Lay a mat and return the place on it."""
        name = colour or self.colour()[0]
        turn = self.yaw() if yaw is None else yaw
        called = f"the {name} {self.kit.mat}"
        at = self.at(spot)
        self.plates.append(Plate(called, self.kit.colours[name], up(at, 0.001), (*half, 0.001), turn))
        return Place(at, turn, called, f"on {called}", f"over {called}")

    def tray(self, spot: Spot, turn: float, slots: int) -> list[Place]:
        """Lay a tray whose slots run across the picture; returns them from left to right."""
        _, rgb = self.colour()
        called, yaw, middle = f"the {self.kit.tray}", self.turn + turn, self.at(spot)
        pitch = 0.09
        long, wide, rim = slots * pitch / 2 + 0.012, 0.074, dimmed(rgb, 0.7)
        ends = [along(middle, yaw, s * long, 0.012) for s in (-1, 1)]
        sides = [along(middle, yaw + math.pi / 2, s * wide, 0.012) for s in (-1, 1)]
        self.plates += [
            Plate(called, rgb, up(middle, 0.002), (long, wide, 0.002), yaw, solid=True),
            *(Plate(called, rim, at, (0.005, wide, 0.012), yaw, solid=True) for at in ends),
            *(Plate(called, rim, at, (long, 0.005, 0.012), yaw, solid=True) for at in sides),
        ]
        steps = [pitch * (k - (slots - 1) / 2) for k in range(slots)]
        places = [along(middle, yaw, step, 0.004) for step in steps]
        return [Place(at, yaw, called, f"in {called}", f"over {called}") for at in places]


def on_top(thing: Thing, place: Place) -> Place:
    """The place on ``thing`` when that stands at ``place``."""
    at = up(place.at, 2 * thing.half[2])
    return Place(at, place.yaw, thing.name, f"on {thing.name}", f"over {thing.name}")
