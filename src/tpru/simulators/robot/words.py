"""What is said about a moment: step texts, states of the things, questions and answers."""

from dataclasses import dataclass, field

from tpru.simulators.episode import Box, Rng
from tpru.simulators.robot.families import count
from tpru.simulators.robot.tasks import Move, Task

DONE = {  # share of a move that is done
    "slipped": 0.05,
    "above": 0.15,
    "grasped": 0.3,
    "lifted": 0.5,
    "carried": 0.65,
    "lowered": 0.85,
    "released": 1.0,
    "behind": 0.2,
    "edge": 0.5,
    "onto": 0.85,
    "left": 1.0,
}
ON_TABLE, HELD = "on the table", "in the gripper"
MARGIN = 0.06  # least distance, as a share of the picture, that counts as left or right
FACTS = 6


@dataclass
class Situation:
    """What holds at one moment, by name: where each thing is and what carries it.

    where: "on the red cube", "in the gripper". carrier: "the red cube"; missing for a held thing.
    gripper: what the gripper does ("open above the red cube").
    """

    gripper: str = "far from everything"
    held: str = ""
    where: dict[str, str] = field(default_factory=dict)
    carrier: dict[str, str] = field(default_factory=dict)


def first_situation(task: Task) -> Situation:
    situation = Situation()
    for thing in task.things:
        situation.where[thing.name], situation.carrier[thing.name] = thing.place.put, thing.place.on
    return situation


def step_text(task: Task, move: Move, moment: str) -> str:
    """What was done just before ``moment``, in the past tense."""
    name, place = task.things[move.thing].name, move.place
    off, at = (f" off {move.source}", f" on {move.source}") if move.source else ("", "")
    return {
        "above": f"the open gripper moved above {name}{at}",
        "grasped": f"the gripper closed on {name}{at}",
        "lifted": f"the gripper lifted {name}{off}",
        "carried": f"the arm carried {name} {place.over}",
        "lowered": f"the gripper lowered {name} {place.put}",
        "released": f"the gripper put {name} {place.put}",
        "slipped": f"{name} slipped and fell{at}",
        "behind": f"the gripper came down beside {name}",
        "edge": f"the gripper pushed {name} against {place.on}",
        "onto": f"the gripper pushed {name} onto {place.on}",
        "left": f"the gripper left {name} {place.put}",
    }[moment]


def update(situation: Situation, task: Task, move: Move, moment: str) -> None:
    """What ``moment`` changes."""
    name, place = task.things[move.thing].name, move.place
    situation.gripper = {
        "above": f"open above {name}",
        "grasped": f"closed on {name}",
        "lifted": f"holds {name} up",
        "carried": f"holds {name} {place.over}",
        "lowered": f"holds {name} down {place.put}",
        "released": f"open above {name}",
        "slipped": f"closed and empty above {name}",
        "behind": f"down beside {name}",
        "edge": f"pushes {name}",
        "onto": f"pushes {name}",
        "left": f"above {name}",
    }[moment]
    situation.held = name if moment in ("grasped", "lifted", "carried", "lowered") else ""
    if moment in ("lifted", "carried"):
        situation.where[name] = HELD if moment == "lifted" else f"{HELD} {place.over}"
        situation.carrier.pop(name, None)
    elif moment in ("lowered", "released", "onto", "left"):
        situation.where[name], situation.carrier[name] = place.put, place.on
    elif moment == "slipped":
        start = task.things[move.thing].place
        situation.where[name], situation.carrier[name] = start.put, start.on
    elif moment == "edge":
        situation.where[name] = f"against {place.on}"


def objects(situation: Situation) -> dict[str, str]:
    return {**situation.where, "the gripper": situation.gripper}


def facts(situation: Situation, task: Task, boxes: dict[str, Box], rng: Rng) -> tuple[tuple[str, str], ...]:
    """Three to six questions that the frame answers; none about a thing that it does not show."""
    names = [thing.name for thing in task.things if thing.name in boxes]
    first = [("what does the gripper hold?", situation.held or "nothing")]
    more = _sides(names, boxes) + _carriers(situation, task, names, boxes)
    if len(names) == len(task.things):
        more += _counts(situation, task)
    picked = sorted(rng.permutation(len(more))[: FACTS - 1].tolist())
    return tuple(first + [more[k] for k in picked])


def _sides(names: list[str], boxes: dict[str, Box]) -> list[tuple[str, str]]:
    """Who is left and right of whom."""
    if len(names) < 2:
        return []
    middles = {name: (boxes[name][0] + boxes[name][2]) / 2 for name in names}
    order = sorted(names, key=lambda name: middles[name])
    found = []
    for question, (end, next_to) in {
        "which thing is furthest left?": (order[0], order[1]),
        "which thing is furthest right?": (order[-1], order[-2]),
    }.items():
        if abs(middles[end] - middles[next_to]) > MARGIN:
            found.append((question, end))
    for one, other in zip(names, names[1:] + names[:1], strict=True):
        if one != other and abs(middles[one] - middles[other]) > MARGIN:
            side = "left" if middles[one] < middles[other] else "right"
            found.append((f"is {one} left or right of {other}?", side))
    return found


def _carriers(
    situation: Situation, task: Task, names: list[str], boxes: dict[str, Box]
) -> list[tuple[str, str]]:
    """Where things are, and what lies on things and mats."""
    found = []
    for name in names:
        carrier = situation.carrier.get(name, "")
        if not carrier:
            found.append((f"where is {name}?", HELD))
        elif carrier in boxes or carrier == "the table":
            found.append((f"where is {name}?", _placed(situation, name)))
        on = [other for other, carrier in situation.carrier.items() if carrier == name]
        sure = on or not any(carrier.startswith("both") for carrier in situation.carrier.values())
        if sure and name != situation.held and all(other in boxes for other in on):
            found.append((f"what is on {name}?", on[0] if on else "nothing"))
    for plate in dict.fromkeys(plate.name for plate in task.plates):
        on = [other for other, carrier in situation.carrier.items() if carrier == plate]
        if plate in boxes and len(on) < 2 and all(other in boxes for other in on):
            found.append((f"what is {_within(plate)} {plate}?", on[0] if on else "nothing"))
    return found


def _placed(situation: Situation, name: str) -> str:
    """ "on the red mat"; a few places are told more simply by what carries the thing."""
    where = situation.where[name]
    if where.endswith("corner"):
        return where.removeprefix("on ")
    return where if where.startswith(("on ", "in ")) else f"on {situation.carrier[name]}"


def _within(plate: str) -> str:
    return "in" if plate in ("the tray", "the crate") else "on"


def _counts(situation: Situation, task: Task) -> list[tuple[str, str]]:
    carriers = list(situation.carrier.values())
    names = {thing.name for thing in task.things}
    raised = sum(carrier in names or carrier.startswith("both") for carrier in carriers)
    found = [
        ("how many things stand on the bare table?", count(carriers.count("the table"))),
        ("how many things stand on another thing?", count(raised)),
    ]
    if not raised:  # else it is not clear what counts as on a mat
        for plate in dict.fromkeys(plate.name for plate in task.plates):
            answer = count(carriers.count(plate))
            found.append((f"how many things are {_within(plate)} {plate}?", answer))
    return found
