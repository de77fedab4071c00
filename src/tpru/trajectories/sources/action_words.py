"""What was done on a screen or by a robot, in words: the same for all recordings."""

import re

LONGEST_TEXT = 80
NEAR = 0.04  # share of the screen within which a finger that moved has tapped
PAST = {
    "add": "added",
    "align": "aligned",
    "allow": "allowed",
    "apply": "applied",
    "approach": "approached",
    "arrange": "arranged",
    "bring": "brought",
    "browse": "browsed",
    "cancel": "cancelled",
    "carry": "carried",
    "check": "checked",
    "choose": "chose",
    "clear": "cleared",
    "click": "clicked",
    "close": "closed",
    "confirm": "confirmed",
    "copy": "copied",
    "create": "created",
    "delete": "deleted",
    "dismiss": "dismissed",
    "drag": "dragged",
    "drop": "dropped",
    "enter": "entered",
    "exit": "exited",
    "find": "found",
    "flip": "flipped",
    "fold": "folded",
    "go": "went",
    "grab": "grabbed",
    "grasp": "grasped",
    "grip": "gripped",
    "hang": "hung",
    "hold": "held",
    "initiate": "initiated",
    "input": "entered",
    "insert": "inserted",
    "launch": "launched",
    "lift": "lifted",
    "locate": "located",
    "long-press": "long-pressed",
    "lower": "lowered",
    "move": "moved",
    "navigate": "navigated",
    "open": "opened",
    "paste": "pasted",
    "pause": "paused",
    "pick": "picked",
    "place": "placed",
    "play": "played",
    "position": "positioned",
    "pour": "poured",
    "press": "pressed",
    "proceed": "proceeded",
    "pull": "pulled",
    "push": "pushed",
    "put": "put",
    "raise": "raised",
    "reach": "reached",
    "release": "released",
    "remove": "removed",
    "retract": "retracted",
    "return": "returned",
    "rotate": "rotated",
    "save": "saved",
    "scroll": "scrolled",
    "search": "searched",
    "select": "selected",
    "send": "sent",
    "set": "set",
    "share": "shared",
    "skip": "skipped",
    "slide": "slid",
    "stack": "stacked",
    "start": "started",
    "stir": "stirred",
    "submit": "submitted",
    "sweep": "swept",
    "swipe": "swiped",
    "switch": "switched",
    "take": "took",
    "tap": "tapped",
    "tilt": "tilted",
    "touch": "touched",
    "transport": "transported",
    "turn": "turned",
    "twist": "twisted",
    "type": "typed",
    "unfold": "unfolded",
    "unlock": "unlocked",
    "use": "used",
    "view": "viewed",
    "wait": "waited",
    "wipe": "wiped",
    "withdraw": "withdrew",
}
_VERBS = "|".join(PAST)
# A verb behind "and" is one only before words like these: "tap the save and close button" has none.
_NEXT = re.compile(
    rf"\b(and then|and|then) ({_VERBS})(?= (?:the|a|an|to|on|for|in|your|it|up|down|back)\b| [\"'])"
)


def past(text: str) -> str:
    """An order ("Open the app.") as what was done ("opened the app"); "" where its verb is not known."""
    text = " ".join(text.split()).rstrip(" .")
    first, _, rest = text.partition(" ")
    verb = PAST.get(first.lower(), "")
    if not verb:
        return ""
    return f"{verb} {_NEXT.sub(lambda m: f'{m[1]} {PAST[m[2]]}', rest)}".strip()


def quoted(text: str) -> str:
    """The text on one line in quotation marks, cut where it is long; "" for a blank one."""
    text = " ".join(text.split())
    return f'"{text[:LONGEST_TEXT]}{"…" if len(text) > LONGEST_TEXT else ""}"' if text else ""


def typed(text: str) -> str:
    """A clause for a text that was typed; "" for a blank one."""
    said = quoted(text)
    return f"typed {said}" if said else ""


def ninth(across: float, down: float) -> str:
    """Which ninth of the screen a point lies in, given as shares of its width and height."""
    row = "top" if down < 1 / 3 else "bottom" if down >= 2 / 3 else ""
    column = "left" if across < 1 / 3 else "right" if across >= 2 / 3 else ""
    return f"{row} {column}".strip() or "centre"


def touched(start: tuple[float, float], end: tuple[float, float]) -> str:
    """What a finger did from one point (share of width, share of height) to another: a tap or a swipe."""
    across, down = end[0] - start[0], end[1] - start[1]
    if across**2 + down**2 <= NEAR**2:
        return f"tapped at the {ninth(*start)} of the screen"
    if abs(across) > abs(down):
        return f"swiped {'left' if across < 0 else 'right'}"
    return f"swiped {'up' if down < 0 else 'down'}"
