"""What was done on a screen, in words: the same for all recordings of screens."""

import re

LONGEST_TEXT = 80
NEAR = 0.04  # share of the screen within which a finger that moved has tapped
PAST = {
    "add": "added",
    "allow": "allowed",
    "apply": "applied",
    "browse": "browsed",
    "cancel": "cancelled",
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
    "enter": "entered",
    "exit": "exited",
    "find": "found",
    "go": "went",
    "initiate": "initiated",
    "input": "entered",
    "launch": "launched",
    "locate": "located",
    "long-press": "long-pressed",
    "move": "moved",
    "navigate": "navigated",
    "open": "opened",
    "paste": "pasted",
    "pause": "paused",
    "pick": "picked",
    "play": "played",
    "press": "pressed",
    "proceed": "proceeded",
    "remove": "removed",
    "return": "returned",
    "save": "saved",
    "scroll": "scrolled",
    "search": "searched",
    "select": "selected",
    "send": "sent",
    "set": "set",
    "share": "shared",
    "skip": "skipped",
    "start": "started",
    "submit": "submitted",
    "swipe": "swiped",
    "switch": "switched",
    "tap": "tapped",
    "touch": "touched",
    "turn": "turned",
    "type": "typed",
    "use": "used",
    "view": "viewed",
    "wait": "waited",
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
