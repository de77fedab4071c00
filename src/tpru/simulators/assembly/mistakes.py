"""What else could have been done: a part of another colour, in another place, or too early."""

from collections.abc import Iterator, Sequence

from tpru.simulators.assembly.bricks import Brick, Part, Plan, coloured, moved
from tpru.simulators.episode import Rng


def mistakes(rng: Rng, plan: Plan, colours: Sequence[str]) -> Iterator[tuple[int, Part, str]]:
    """Frames, what stands in them as the newest part, and what was done, in drawn order.

    colours: names of all colours that a wrong part may have.
    """
    kinds = (_other_colour, _too_early, _elsewhere)
    indices = [int(i) for i in rng.permutation(len(plan.parts))]
    for turn, index in enumerate(indices):
        for kind in (*kinds[turn % 3 :], *kinds[: turn % 3]):
            found = kind(rng, plan, index, colours)
            if found is not None:
                yield index + 1, *found
                break


def _other_colour(rng: Rng, plan: Plan, index: int, colours: Sequence[str]) -> tuple[Part, str]:
    piece = plan.parts[index]
    near = {p.colour for p in plan.parts[max(0, index - 1) : index + 1]}
    pool = [name for name in colours if name not in near]
    wrong = coloured(piece, pool[int(rng.integers(len(pool)))])
    return wrong, wrong.step


def _too_early(rng: Rng, plan: Plan, index: int, colours: Sequence[str]) -> tuple[Part, str] | None:
    """A later part, lowered until it rests on something."""
    standing = [b for p in plan.parts[:index] for b in p.bricks]
    later = [
        p
        for p in plan.parts[index + 1 :]
        if (p.colour, p.units) != (plan.parts[index].colour, plan.parts[index].units)
    ]
    if not later:
        return None
    piece = later[int(rng.integers(len(later)))]
    return lowered(piece, standing), f"{piece.was} put on too early"


def _elsewhere(rng: Rng, plan: Plan, index: int, colours: Sequence[str]) -> tuple[Part, str] | None:
    """The right part too far to one side, where it can stand."""
    piece = plan.parts[index]
    standing = [b for p in plan.parts[:index] for b in p.bricks]
    bricks = [b for p in plan.parts for b in p.bricks]
    low, high = min(b.x for b in bricks) - 1, max(b.x + b.w for b in bricks) + 1  # on the plate
    for step in rng.permutation([-3, 3, -2, 2]):
        wrong = moved(piece, x=float(step))
        if any(b.x < low or b.x + b.w > high for b in wrong.bricks):
            continue
        if not any(a.collides(b) for a in wrong.bricks for b in standing) and rests(wrong, standing):
            return wrong, f"{piece.was} put too far {'left' if step < 0 else 'right'}"
    return None


def rests(piece: Part, standing: Sequence[Brick]) -> bool:
    """Whether a brick of the part stands on the plate or on one of the standing bricks."""
    return any(
        b.z == 0 or any(b.over(other) and abs(other.z + other.h - b.z) < 1e-6 for other in standing)
        for b in piece.bricks
    )


def lowered(piece: Part, standing: Sequence[Brick]) -> Part:
    """The part where it comes to rest when it sinks straight down."""
    room = min(b.z for b in piece.bricks)
    for b in piece.bricks:
        tops = [o.z + o.h for o in standing if b.over(o) and o.z + o.h <= b.z + 1e-6]
        room = min([room, *(b.z - top for top in tops)])
    return moved(piece, z=-room)
