"""What was done on a screen, by a robot or by hand, in words: the same for all recordings."""

import re

LONGEST_TEXT = 80
NEAR = 0.04  # share of the screen within which a finger that moved has tapped
PAST = {
    "add": "added",
    "adjust": "adjusted",
    "align": "aligned",
    "allow": "allowed",
    "apply": "applied",
    "approach": "approached",
    "arrange": "arranged",
    "attach": "attached",
    "beat": "beat",
    "blend": "blended",
    "boil": "boiled",
    "break": "broke",
    "bring": "brought",
    "browse": "browsed",
    "brush": "brushed",
    "cancel": "cancelled",
    "carry": "carried",
    "check": "checked",
    "choose": "chose",
    "chop": "chopped",
    "clean": "cleaned",
    "clear": "cleared",
    "click": "clicked",
    "close": "closed",
    "collect": "collected",
    "confirm": "confirmed",
    "cook": "cooked",
    "copy": "copied",
    "cover": "covered",
    "crack": "cracked",
    "create": "created",
    "crush": "crushed",
    "cut": "cut",
    "delete": "deleted",
    "detach": "detached",
    "dip": "dipped",
    "dismiss": "dismissed",
    "divide": "divided",
    "drag": "dragged",
    "drain": "drained",
    "drink": "drank",
    "drop": "dropped",
    "dry": "dried",
    "eat": "ate",
    "empty": "emptied",
    "enter": "entered",
    "exit": "exited",
    "fill": "filled",
    "filter": "filtered",
    "find": "found",
    "flip": "flipped",
    "fold": "folded",
    "fry": "fried",
    "go": "went",
    "grab": "grabbed",
    "grasp": "grasped",
    "grate": "grated",
    "grip": "gripped",
    "hand": "handed",
    "hang": "hung",
    "heat": "heated",
    "hold": "held",
    "initiate": "initiated",
    "input": "entered",
    "insert": "inserted",
    "knead": "kneaded",
    "launch": "launched",
    "lift": "lifted",
    "locate": "located",
    "long-press": "long-pressed",
    "look": "looked",
    "lower": "lowered",
    "mash": "mashed",
    "measure": "measured",
    "melt": "melted",
    "mix": "mixed",
    "move": "moved",
    "navigate": "navigated",
    "open": "opened",
    "operate": "operated",
    "paste": "pasted",
    "pat": "patted",
    "pause": "paused",
    "peel": "peeled",
    "pick": "picked",
    "place": "placed",
    "play": "played",
    "position": "positioned",
    "pour": "poured",
    "prepare": "prepared",
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
    "rinse": "rinsed",
    "roll": "rolled",
    "rotate": "rotated",
    "rub": "rubbed",
    "save": "saved",
    "scoop": "scooped",
    "scrape": "scraped",
    "screw": "screwed",
    "scroll": "scrolled",
    "search": "searched",
    "season": "seasoned",
    "select": "selected",
    "send": "sent",
    "separate": "separated",
    "serve": "served",
    "set": "set",
    "shake": "shook",
    "share": "shared",
    "sharpen": "sharpened",
    "skip": "skipped",
    "slice": "sliced",
    "slide": "slid",
    "smell": "smelled",
    "soak": "soaked",
    "sort": "sorted",
    "spray": "sprayed",
    "spread": "spread",
    "sprinkle": "sprinkled",
    "squeeze": "squeezed",
    "stack": "stacked",
    "start": "started",
    "stir": "stirred",
    "store": "stored",
    "submit": "submitted",
    "sweep": "swept",
    "swipe": "swiped",
    "switch": "switched",
    "take": "took",
    "tap": "tapped",
    "throw": "threw",
    "tie": "tied",
    "tilt": "tilted",
    "toss": "tossed",
    "touch": "touched",
    "transport": "transported",
    "turn": "turned",
    "twist": "twisted",
    "type": "typed",
    "uncover": "uncovered",
    "unfold": "unfolded",
    "unlock": "unlocked",
    "unscrew": "unscrewed",
    "unwrap": "unwrapped",
    "use": "used",
    "view": "viewed",
    "wait": "waited",
    "walk": "walked",
    "wash": "washed",
    "water": "watered",
    "weigh": "weighed",
    "whisk": "whisked",
    "wipe": "wiped",
    "withdraw": "withdrew",
    "wrap": "wrapped",
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
    if not verb and "-" in first:  # "turn-on tap", as narrators of kitchens write
        head, _, tail = first.partition("-")
        verb, rest = PAST.get(head.lower(), ""), f"{tail} {rest}"
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
