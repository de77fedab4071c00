"""Questions that one screen answers, and the state of all that it shows."""

from tpru.simulators.episode import Rng
from tpru.simulators.gui.parts import NUMBERS, Bubble, Fact, Field, Part, Row
from tpru.simulators.gui.pen import PAD_TOP
from tpru.simulators.gui.screen import TOAST_TOP, Screen, View
from tpru.simulators.gui.theme import Theme

MOST = 5  # facts per frame
SLACK = 3.0  # units of a part that may be covered
SIGNS = {  # what a person calls a pictogram, where it is not "a" and its name
    "search": "a magnifier",
    "dots": "three dots",
    "send": "a paper plane",
    "layers": "two layers",
    "arrow": "an arrow",
}


def _front(screen: Screen) -> tuple[Part, ...]:
    return screen.dialog or screen.parts


def _in_view(screen: Screen, view: View) -> tuple[Part, ...]:
    """The parts in front that neither the keyboard nor a message covers."""
    limit = PAD_TOP if screen.pad else TOAST_TOP if screen.toast else 1000
    bottoms = {name: area[3] for name, area in view.areas.items()}
    return tuple(
        part
        for part in _front(screen)
        if max((bottoms.get(name, 0) for name in part.things()), default=0) <= limit + SLACK
    )


def objects_of(screen: Screen) -> dict[str, str]:
    """Every named thing of the screen and its state; what is behind a dialog included."""
    states: dict[str, str] = {"the screen": f"{screen.app}: {screen.title}" if screen.app else "home"}
    for part in (*screen.parts, *screen.dialog):
        states.update(part.things())
    states["the keyboard"] = screen.pad or "closed"
    states["the dialog"] = "open" if screen.dialog else "closed"
    states["the message"] = f"shown: {screen.toast}" if screen.toast else "not shown"
    states["the finger"] = f"on {screen.touch}" if screen.touch else "away"
    if screen.count:
        states["the corner button"] = f"shows {screen.count}"
    return states


def _counts(parts: tuple[Part, ...]) -> list[Fact]:
    """How many fields are filled, boxes ticked, switches on, rows shown and messages sent."""
    states = {name: state for part in parts for name, state in part.things().items()}
    fields = [state for name, state in states.items() if name.endswith("field")]
    boxes = [state for state in states.values() if state in ("ticked", "not ticked")]
    switches = [state for name, state in states.items() if name.endswith("switch")]
    rows = sum(isinstance(part, Row) for part in parts)
    bubbles = [part.mine for part in parts if isinstance(part, Bubble)]
    facts: list[Fact] = []
    if fields:
        facts.append(("how many fields are filled?", NUMBERS[sum("filled" in s for s in fields)]))
    if boxes:
        facts.append(("how many boxes are ticked?", NUMBERS[boxes.count("ticked")]))
    if switches:
        facts.append(("how many switches are on?", NUMBERS[switches.count("on")]))
    if bubbles:
        facts.append(("how many messages are at the right?", NUMBERS[bubbles.count(True)]))
        facts.append(("how many messages are at the left?", NUMBERS[bubbles.count(False)]))
    if rows > 1 and not fields:
        facts.append(("how many rows are shown?", NUMBERS[rows]))
    return facts


def _in_front(screen: Screen) -> str:
    if screen.dialog:
        return "dialog and keyboard" if screen.pad else "a dialog"
    return "a message" if screen.toast else "the keyboard" if screen.pad else "nothing"


def _scene(screen: Screen) -> list[Fact]:
    """What is in front of the page and what was touched."""
    facts: list[Fact] = []
    if screen.toast or screen.pad or screen.dialog:
        facts.append(("what is in front of the page?", _in_front(screen)))
    fields = [part for part in _front(screen) if isinstance(part, Field)]
    if fields:
        facts.append(("which keyboard is open?", screen.pad or "none"))
        selected = [field.name for field in fields if field.selected]
        facts.append(("which field is selected?", selected[0] if selected else "none"))
    if screen.touch:
        facts.append(("what does the finger touch?", screen.touch))
    return facts


def _looks(screen: Screen, theme: Theme) -> list[Fact]:
    dark = theme.dark if screen.dark is None else screen.dark
    facts = [("which app is open?", screen.app or "none")]
    if _in_front(screen) == "nothing":
        facts.append(("what is in front of the page?", "nothing"))
    if screen.app and len(screen.title.split()) < 5:
        facts.append(("what does the title say?", screen.title))
    if screen.corner and not screen.dialog:
        sign = SIGNS.get(screen.corner, f"a {screen.corner}")
        facts.append(("which sign is at the top right?", sign))
    if screen.app and not screen.dialog:
        facts.append(("is the page light or dark?", "dark" if dark else "light"))
        facts.append(("what is the main colour?", theme.main))
    return facts


def facts_of(rng: Rng, screen: Screen, view: View, theme: Theme) -> tuple[Fact, ...]:
    """Up to ``MOST`` facts: mostly those of what can change, then those of looks."""
    parts = _in_view(screen, view)
    own = [fact for part in parts for fact in part.facts()]
    counts = _counts(parts) if len(parts) == len(_front(screen)) else []
    state = counts + own + _scene(screen)
    looks = _looks(screen, theme)
    picked = [state[i] for i in sorted(rng.permutation(len(state))[: MOST - 1])]
    rest = [looks[i] for i in rng.permutation(len(looks))]
    return tuple(dict([*picked, *rest][:MOST]).items())
