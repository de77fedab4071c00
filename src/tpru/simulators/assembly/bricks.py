"""Words for what is built: bricks on the stud grid, parts that arrive together, and plans.

Lengths are in studs, heights in layers. x grows to the right, y away from the front, z upwards.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

from tpru.simulators.episode import Rng

NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven")
ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
FLIPPED = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Brick:
    """A solid: corner x, y, z; size w along x, d along y, h layers.

    shape: "brick", "tile" (no studs), "wheel" (axle along y), "round" (upright cylinder), or "front",
        "back", "left" and "right" for a brick that slopes down to that side from a top one stud wide.
    """

    x: float
    y: float
    z: float
    w: float
    d: float
    h: float
    colour: str
    shape: str = "brick"

    def over(self, other: "Brick") -> bool:
        """Whether the two share ground when seen from above."""
        across = self.x < other.x + other.w and other.x < self.x + self.w
        return across and self.y < other.y + other.d and other.y < self.y + self.d

    def collides(self, other: "Brick") -> bool:
        return self.over(other) and self.z < other.z + other.h and other.z < self.z + self.h


@dataclass(frozen=True)
class Part:
    """Bricks that arrive in one step.

    noun: the part without its colour ("back wall"), unique in its plan.
    name: the part with its colour ("white back wall").
    step: the clause of the step ("the white back wall was put on the floor").
    units: what the part adds to the counts that can be asked for, such as {"walls": 1}.
    """

    colour: str
    noun: str
    name: str
    step: str
    bricks: tuple[Brick, ...]
    units: tuple[tuple[str, int], ...] = ()

    @property
    def plural(self) -> bool:
        head = self.noun.split(" on ")[0]
        return head.endswith("s") and head != "cactus"

    @property
    def was(self) -> str:
        """The name with its verb in the past tense ("the red roof was")."""
        return f"the {self.name} {'were' if self.plural else 'was'}"


@dataclass(frozen=True)
class Plan:
    """What is built, in which order; ``sideways`` multiplies how far the camera stands to the side."""

    goal: str
    parts: tuple[Part, ...]
    sideways: float = 1.0


@dataclass(frozen=True)
class Supply:
    """What a grammar may use: names of colours, in drawn order, and the look's own names of things."""

    colours: tuple[str, ...]
    unseen: bool


def part(colour: str, thing: str, place: str, *bricks: Brick, units: dict[str, int] | None = None) -> Part:
    """A part; ``{}`` in thing stands where its colour is said, at the front if left out."""
    words = thing if "{}" in thing else "{} " + thing
    noun, name = words.replace("{} ", ""), words.format(colour)
    made = Part(colour, noun, name, "", tuple(bricks), tuple((units or {}).items()))
    return replace(made, step=f"{made.was} put {place}")


def level(colour: str, thing: str, number: int, *bricks: Brick, unit: str = "levels") -> Part:
    """A part that is a whole level: "the red brick was put on level three"."""
    where = f" on level {NUMBERS[number]}"
    made = part(colour, thing, where[1:], *bricks, units={unit: 1})
    return replace(made, noun=made.noun + where, name=made.name + where)


def moved(piece: Part, x: float = 0.0, z: float = 0.0) -> Part:
    """The part with its bricks elsewhere; words stay."""
    return replace(piece, bricks=tuple(replace(b, x=b.x + x, z=b.z + z) for b in piece.bricks))


def coloured(piece: Part, colour: str) -> Part:
    """The part with the bricks of its own colour in another one; words follow."""
    bricks = (replace(b, colour=colour) if b.colour == piece.colour else b for b in piece.bricks)
    name, step = (text.replace(piece.colour, colour, 1) for text in (piece.name, piece.step))
    return replace(piece, colour=colour, name=name, step=step, bricks=tuple(bricks))


def flipped(piece: Part) -> Part:
    """The part mirrored along x; words stay, so they must not say left or right."""
    bricks = (replace(b, x=-b.x - b.w, shape=FLIPPED.get(b.shape, b.shape)) for b in piece.bricks)
    return replace(piece, bricks=tuple(bricks))


def course(colour: str, x: int, y: int, z: int, w: int, d: int, h: int, first: int = 4) -> tuple[Brick, ...]:
    """A row of bricks along x: one ``first`` studs long, then ones of four."""
    ends = [0, *range(first, w, 4), w]
    return tuple(Brick(x + a, y, z, b - a, d, h, colour) for a, b in pairwise(ends) if b > a)


def listing(words: list[str]) -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def a(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def pick(rng: Rng, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return int(rng.integers(low, high + 1))
