"""Grammar of animals with four legs."""

from itertools import groupby

from tpru.simulators.assembly.bricks import (
    ORDINALS,
    Brick,
    Part,
    Plan,
    Supply,
    a,
    flipped,
    listing,
    part,
    pick,
)
from tpru.simulators.episode import Rng


def animal(rng: Rng, supply: Supply) -> Plan:
    """A four-legged animal from the legs upwards, facing left or right."""
    seen = {"dog": _dog, "giraffe": _giraffe, "elephant": _elephant}
    unseen = {"camel": _camel, "dinosaur": _dinosaur}
    kinds = unseen if supply.unseen else seen
    name = sorted(kinds)[pick(rng, 0, len(kinds) - 1)]
    parts = kinds[name](rng, supply.colours)
    if rng.random() < 0.5:
        parts = [flipped(p) for p in parts]
    runs = [(colour, [p.noun for p in run]) for colour, run in groupby(parts, lambda p: p.colour)]
    order = listing([f"{colour} {' and '.join(nouns)}" for colour, nouns in runs])
    return Plan(f"build {a(name)} in this order: {order}", tuple(parts))


def _legs(colour: str, high: int, xs: tuple[int, int], deep: int) -> list[Part]:
    return [
        part(
            colour,
            f"{end} legs",
            "on the plate",
            Brick(x, 0, 0, 2, 2, high, colour),
            Brick(x, deep - 2, 0, 2, 2, high, colour),
            units={"legs": 2},
        )
        for end, x in zip(("rear", "front"), xs, strict=True)
    ]


def _face(x: float, y: float, z: float, deep: float, colour: str) -> list[Brick]:
    """Eyes on both sides of a head whose near side is at y."""
    return [Brick(x, side, z, 0.9, 0.2, 0.8, colour, "tile") for side in (y - 0.2, y + deep)]


def _dog(rng: Rng, colours: tuple[str, ...]) -> list[Part]:
    coat, patch, neck, eye = colours[:4]
    high, long = pick(rng, 2, 3), pick(rng, 9, 11)
    z = high + 1
    return [
        *_legs(coat, high, (0, long - 2), 5),
        part(coat, "belly", "on the legs", Brick(0, 0, high, long, 5, 1, coat)),
        part(patch, "back", "on the belly", Brick(0, 0, z, long, 5, 2, patch)),
        part(neck, "neck", "on the back", Brick(long - 3, 1, z + 2, 3, 3, 1, neck)),
        part(
            coat,
            "head",
            "on the neck",
            Brick(long - 4, 0, z + 3, 5, 5, 3, coat),
            Brick(long + 1, 1, z + 3, 2, 3, 1.5, coat),
            *_face(long - 0.8, 0, z + 4.4, 5, eye),
        ),
        part(
            patch,
            "ears",
            "on the head",
            Brick(long - 4, 0, z + 6, 2, 1.5, 2, patch),
            Brick(long - 4, 3.5, z + 6, 2, 1.5, 2, patch),
        ),
        part(neck, "tail", "on the back", Brick(0, 1.5, z + 2, 2, 2, 4, neck)),
    ]


def _giraffe(rng: Rng, colours: tuple[str, ...]) -> list[Part]:
    coat, spots, mane, eye = colours[:4]
    high, long, necks = pick(rng, 3, 4), pick(rng, 8, 9), pick(rng, 3, 4)
    z = high + 2
    neck = [
        part(
            (coat, spots)[k % 2],
            f"{ORDINALS[k + 1]} {{}} neck brick",
            "on top",
            Brick(long - 3, 1, z + 2 * k, 3, 3, 2, (coat, spots)[k % 2]),
            units={"neck bricks": 1},
        )
        for k in range(necks)
    ]
    top = z + 2 * necks
    head = [Brick(long - 3, 0.5, top, 6, 4, 2, coat), *_face(long, 0.5, top + 0.8, 4, eye)]
    horns = (Brick(long - 3, y, top + 2, 1.5, 1.5, 2, mane) for y in (0.5, 3))
    return [
        *_legs(coat, high, (0, long - 2), 5),
        part(spots, "body", "on the legs", Brick(0, 0, high, long, 5, 2, spots)),
        *neck,
        part(coat, "head", "on the neck", *head),
        part(mane, "horns", "on the head", *horns),
        part(mane, "tail", "on the body", Brick(0, 1.5, z, 2, 2, 3, mane)),
    ]


def _elephant(rng: Rng, colours: tuple[str, ...]) -> list[Part]:
    coat, rug, ear, eye = colours[:4]
    high, long = pick(rng, 2, 3), pick(rng, 10, 11)
    z = high + 2
    flaps = (Brick(long, y, z - 0.5, 2.5, 1, 4, ear) for y in (-0.5, 6.5))
    return [
        *_legs(coat, high, (0, long - 2), 7),
        part(coat, "belly", "on the legs", Brick(0, 0, high, long, 7, 2, coat)),
        part(coat, "back", "on the belly", Brick(0, 0, z, long - 1, 7, 2, coat)),
        part(
            coat,
            "head",
            "on the belly",
            Brick(long - 1, 0.5, z, 5, 6, 4, coat),
            *_face(long + 2.6, 0.5, z + 2.2, 6, eye),
        ),
        part(coat, "trunk", "under the head", Brick(long + 2, 2, 0, 2, 3, z, coat)),
        part(ear, "ears", "on the head", *flaps),
        part(rug, "rug", "on the back", Brick(1, -0.3, z + 2, long - 4, 7.6, 1, rug, "tile")),
        part(ear, "seat", "on the rug", Brick(2, 1.5, z + 3, 4, 4, 2, ear)),
    ]


def _camel(rng: Rng, colours: tuple[str, ...]) -> list[Part]:
    coat, hump, rug, eye = colours[:4]
    high, long = pick(rng, 3, 4), pick(rng, 10, 11)
    z = high + 2
    humps = [
        part(hump, f"{end} hump", "on the body", Brick(x, 0.5, z, 3, 4, 2, hump, "round"), units={"humps": 1})
        for end, x in (("rear", 0), ("front", 4))
    ]
    return [
        *_legs(coat, high, (0, long - 2), 5),
        part(coat, "body", "on the legs", Brick(0, 0, high, long, 5, 2, coat)),
        *humps,
        part(rug, "{} neck", "on the body", Brick(long - 2, 1, z, 3, 3, 4, rug)),
        part(
            coat,
            "head",
            "on the neck",
            Brick(long - 2, 0.5, z + 4, 6, 4, 2, coat),
            *_face(long + 1, 0.5, z + 4.8, 4, eye),
        ),
        part(
            hump, "ears", "on the head", *(Brick(long - 2, y, z + 6, 1.5, 1.5, 1.5, hump) for y in (0.5, 3))
        ),
    ]


def _dinosaur(rng: Rng, colours: tuple[str, ...]) -> list[Part]:
    coat, spikes, neck, eye = colours[:4]
    high, long = pick(rng, 2, 3), pick(rng, 8, 9)
    z = high + 3
    plates = [
        part(
            spikes,
            f"{ORDINALS[k + 1]} {{}} spike",
            "on the body",
            Brick(x, 1, z, 2.2, 3, 3, spikes, "tile"),
            units={"spikes": 1},
        )
        for k, x in enumerate((0, 3))
    ]
    return [
        *_legs(coat, high, (0, long - 2), 5),
        part(coat, "body", "on the legs", Brick(0, 0, high, long, 5, 3, coat)),
        *plates,
        part(neck, "neck", "on the body", Brick(long - 2, 1, z, 2.5, 3, 5, neck)),
        part(
            coat,
            "head",
            "on the neck",
            Brick(long - 2, 0.5, z + 5, 6, 4, 2, coat),
            *_face(long + 1, 0.5, z + 5.8, 4, eye),
        ),
        part(neck, "tail", "behind the body", Brick(-6, 1.5, 0, 6, 2, high + 2, neck, "left")),
    ]
