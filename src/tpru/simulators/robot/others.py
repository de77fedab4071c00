"""What else the arm could do at a moment, against the goal: take another thing, use another place."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tpru.simulators.robot.acting import PICKS, Worker
from tpru.simulators.robot.draft import on_top
from tpru.simulators.robot.tasks import Move, Place, Task, flat
from tpru.simulators.robot.words import step_text

FREE = 0.075  # metres around a place in which nothing may stand
LOW = 0.13  # nothing is put wrongly on top of what is higher than this
BEYOND = 0.085  # metres by which a thing is pushed too far


@dataclass(frozen=True)
class Other:
    """Another action: the thing it is done to, what is said about it, and what makes the arm do it."""

    thing: str
    step: str
    act: Callable[[], None]


def others(worker: Worker, move: Move, before: str, moment: str) -> list[Other]:
    """What could be done instead of going from ``before`` to ``moment`` of ``move``.

    before: the moment of the same move that was just shown, "" at the start of a move.
    """
    if worker.task.push:
        return _other_pushes(worker, move, before, moment)
    start = PICKS.index(before) + 1 if before else 0
    if not before:
        changed = [Move(k, move.place, _source(worker, move, k)) for k in _free(worker) if k != move.thing]
    elif before != "lowered" and moment in ("carried", "lowered", "released"):
        changed = [Move(move.thing, place, move.source) for place in _wrong_places(worker, move)]
    else:
        changed = []

    def act(wrong: Move) -> None:
        for part in PICKS[start : PICKS.index(moment) + 1]:
            worker.pick(wrong.thing, wrong.place, part)

    return [_other(worker.task, m, moment, partial(act, m)) for m in changed]


def _other(task: Task, move: Move, moment: str, act: Callable[[], None]) -> Other:
    return Other(task.things[move.thing].name, step_text(task, move, moment), act)


def _source(worker: Worker, move: Move, thing: int) -> str:
    place = worker.places[thing]
    return place.on if move.source and place is not None else ""


def _free(worker: Worker) -> list[int]:
    """Things that stand on the table with nothing on them."""
    found = []
    for k, place in enumerate(worker.places):
        if place is None:
            continue
        above = [
            p
            for p in worker.places
            if p is not None and flat(p.at, place.at) < 0.09 and p.at[2] > place.at[2] + 0.02
        ]
        if not above:
            found.append(k)
    return found


def _wrong_places(worker: Worker, move: Move) -> list[Place]:
    task, right = worker.task, move.place
    standing = [place for place in worker.places if place is not None]
    level = [*task.spares, *(m.place for m in task.moves if m.place.at[2] < 0.01)]
    empty = [
        place
        for place in level
        if place.put.startswith(("on the", "in the")) and all(flat(place.at, s.at) > FREE for s in standing)
    ]
    tops = [
        on_top(task.things[k], place)
        for k in _free(worker)
        if (place := worker.places[k]) is not None
        and place.at[2] < LOW - 0.06
        and task.things[k].half[0] < 0.05
        and worker.pose(k).at[2] >= 0.0
    ]
    return [place for place in empty + tops if place.put != right.put and flat(place.at, right.at) > 0.05]


def _other_pushes(worker: Worker, move: Move, before: str, moment: str) -> list[Other]:
    task, name = worker.task, worker.task.things[move.thing].name
    if not before:
        waiting = task.moves[task.moves.index(move) + 1 :]
        return [
            _other(task, m, moment, partial(worker.push, m.thing, m.place, moment))
            for m in waiting
            if moment == "behind"
        ]
    if before == "behind":
        return []

    def too_far() -> None:
        for part in ("onto",) if pushing else ("onto", "left"):
            worker.push(move.thing, move.place, part, BEYOND)

    def too_early() -> None:
        worker.push(move.thing, move.place, "left")

    pushing = moment == "onto" or before == "onto"
    done = f"pushed {name} past" if pushing else f"left {name} beyond"
    found = [Other(name, f"the gripper {done} {move.place.on}", too_far)]
    if before == "edge":
        found.append(Other(name, f"the gripper left {name} before {move.place.on}", too_early))
    return found
