"""Clauses about one simulated frame that a person can check in its picture.

Each scenario has states of its own (:class:`tpru.records.Thing`), so each has its own way to say them. What
the picture leaves open is told apart from what is not so: a switch behind a dialog is neither on nor off.
"""

from collections.abc import Sequence

from tpru.records import FrameState, Scenario, Thing

Statements = dict[str, bool]
GRIPPER, DIALOG = "the gripper", "the dialog"
# A little of a thing in view, as a share of the picture: whether it is seen is a matter of taste.
GLIMPSE = 0.02
# States that are said as "NAME is STATE"; those before a comma or a colon stand for all that follows.
SAID = ("on", "off", "ticked", "not ticked", "active", "selected", "highlighted", "chosen", "empty")


def statements(scenario: Scenario, state: FrameState) -> Statements:
    """Clauses that hold in a frame (True) and those that the picture leaves open (False); others do not hold.

    Assembly has none: its states are said in pairs (:func:`between`).
    """
    if scenario == "robot":
        return _robot(state.things)
    if scenario == "gui":
        return _gui(state.things)
    if scenario == "navigation":
        return _navigation(state.things)
    return {}


def between(states: Sequence[FrameState]) -> list[Statements]:
    """For every frame, what is on already while something else is missing.

    Of one part alone it would be plain at which end of a clip it is on; of two both ends must be found.
    """
    first: dict[str, int] = {}
    for place, state in enumerate(states):
        for thing in state.things:
            if thing.state == "put on":
                first.setdefault(thing.name, place)
    pairs = [(a, b) for a in first for b in first if first[a] + 1 < first[b]]
    said: list[Statements] = []
    for place, state in enumerate(states):
        seen = {thing.name for thing in state.things if thing.box}
        holding = [(a, b) for a, b in pairs if first[a] <= place < first[b]]
        said.append({f"the model with {a} but without {b}": a in seen for a, b in holding})
    return said


def area(box: Sequence[float]) -> float:
    """Share of the picture within a box given as shares; 0 for none."""
    return (box[2] - box[0]) * (box[3] - box[1]) if box else 0.0


def _robot(things: Sequence[Thing]) -> Statements:
    """Where things are. A thing that is set down or gripped is both in the gripper and where it lies."""
    gripper = next((thing.state for thing in things if thing.name == GRIPPER), "")
    said = {}
    for thing in things:
        held = gripper.startswith((f"holds {thing.name} ", f"closed on {thing.name}"))
        if held or thing.state.startswith("in the gripper"):
            said[f"{thing.name} is in the gripper"] = bool(thing.box)
        # What lies on a mat lies on the table, too.
        plain = thing.state not in ("", "on the table") and not thing.state.startswith("in the gripper")
        if plain and thing.name != GRIPPER:
            said[f"{thing.name} is {thing.state}"] = bool(thing.box)
    return said


def _gui(things: Sequence[Thing]) -> Statements:
    front = next((thing.box for thing in things if thing.name == DIALOG), ())
    said = {}
    for thing in things:
        if thing.name in ("the keyboard", DIALOG, "the message"):
            if thing.box:
                said[f"{thing.name} is shown"] = area(thing.box) > GLIMPSE
        elif thing.name == "the screen":
            app, _, title = thing.state.partition(": ")
            if title:
                said[f'the {app} app shows the page "{title}"'] = not front
        elif thing.state != "not on the screen":
            word = thing.state.split(",")[0].split(":")[0]
            if word in SAID:
                said[f"{thing.name} is {word}"] = bool(thing.box) and (not front or _within(thing.box, front))
    return said


def _navigation(things: Sequence[Thing]) -> Statements:
    said = {}
    for thing in things:
        if thing.name == "the walker":
            if thing.state.endswith(" room"):
                said[f"the walker is {thing.state}"] = True
            continue
        clear = area(thing.box) > GLIMPSE
        if thing.box:
            said[f"{thing.name} is in view"] = clear
            if thing.state.startswith(("open,", "closed,")):
                said[f"{thing.name} is in view and {thing.state.split(',')[0]}"] = clear
        if thing.state == "carried":
            said[f"the walker carries {thing.name}"] = True
    return said


def _within(box: Sequence[float], around: Sequence[float], slack: float = 0.02) -> bool:
    left, top, right, bottom = box
    inside = left >= around[0] - slack and top >= around[1] - slack
    return inside and right <= around[2] + slack and bottom <= around[3] + slack
