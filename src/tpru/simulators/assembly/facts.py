"""Questions about one frame that the picture alone answers, with answers of one to four words."""

from collections.abc import Sequence

from tpru.simulators.assembly.bricks import NUMBERS, Part, Plan
from tpru.simulators.episode import Box, Rng

Fact = tuple[str, str]
TOUCH = 0.03  # share of the picture by which things may overlap where one is left of the other
AREA = 0.004  # least share of the picture that the box of a part asked about takes


def facts_of(rng: Rng, plan: Plan, done: int, plate: str, boxes: dict[str, Box]) -> tuple[Fact, ...]:
    """Four to six facts of the frame where the first ``done`` parts stand."""
    shown = [p for p in plan.parts[:done] if _area(boxes.get(p.noun)) > AREA]
    found = [_count(rng, plan, done), _added(rng, plan, done, shown)]
    if not shown:
        return ("what colour is the plate?", plate), ("is the plate empty?", "yes"), *found
    asked = shown[int(rng.integers(len(shown)))]
    found += [(f"what colour {'are' if asked.plural else 'is'} the {asked.noun}?", asked.colour)]
    found += _highest(rng, plan.parts[:done], shown)
    found += _beside(rng, shown, boxes)
    general = [("what colour is the plate?", plate), ("is the plate empty?", "no")]
    return *found, general[int(rng.integers(3) == 0)]


def _area(box: Box | None) -> float:
    return 0.0 if box is None else (box[2] - box[0]) * (box[3] - box[1])


def _count(rng: Rng, plan: Plan, done: int) -> Fact:
    units = list(dict.fromkeys(unit for p in plan.parts for unit, _ in p.units))
    if not units:
        return "is the work finished?", "yes" if done == len(plan.parts) else "not yet"
    unit = units[int(rng.integers(len(units)))]
    number = sum(count for p in plan.parts[:done] for name, count in p.units if name == unit)
    return f"how many {unit} are there?", NUMBERS[number]


def _added(rng: Rng, plan: Plan, done: int, shown: Sequence[Part]) -> Fact:
    """Whether a part is there already; about as often yes as not yet."""
    missing = plan.parts[done:]
    pool = shown if shown and (not missing or rng.random() < 0.5) else missing
    asked = pool[int(rng.integers(len(pool)))]
    verb = "have" if asked.plural else "has"
    return f"{verb} the {asked.noun} been put on?", "yes" if pool is shown else "not yet"


def _highest(rng: Rng, placed: Sequence[Part], shown: Sequence[Part]) -> list[Fact]:
    """The name or colour of the highest part, where it is in sight and nothing else is as high."""
    tops = [max(b.z + b.h for b in p.bricks) for p in placed]
    best = placed[tops.index(max(tops))]
    if best not in shown or sum(top > max(tops) - 0.5 for top in tops) > 1:
        return []
    if rng.random() < 0.5:
        return [("what colour is the highest part?", best.colour)]
    return [("what is the highest part?", f"the {best.noun}" if len(best.noun.split()) < 4 else best.noun)]


def _beside(rng: Rng, shown: Sequence[Part], boxes: dict[str, Box]) -> list[Fact]:
    """Which of two parts is farther left, where that is plain."""
    # An answer has up to four words and must not be told by its name.
    short = [p for p in shown if len(p.noun.split()) < 4 and not {"left", "right"} & {*p.noun.split()}]
    pairs = [(a, b) for a in short for b in short if boxes[a.noun][2] < boxes[b.noun][0] + TOUCH]
    if not pairs:
        return []
    left, right = pairs[int(rng.integers(len(pairs)))]
    side, answer = ("left", left) if rng.random() < 0.5 else ("right", right)
    one, other = (left, right) if rng.random() < 0.5 else (right, left)
    return [(f"which is farther {side}, the {one.noun} or the {other.noun}?", f"the {answer.noun}")]
