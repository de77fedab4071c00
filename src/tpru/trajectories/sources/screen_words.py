"""Words for what is done on a screen, the same for every source of screens."""

LONGEST_TEXT = 80


def place(across: float, down: float) -> str:
    """Which ninth of the screen a point lies in, given as shares of its width and height."""
    row = "top" if down < 1 / 3 else "bottom" if down >= 2 / 3 else ""
    column = "left" if across < 1 / 3 else "right" if across >= 2 / 3 else ""
    return f"{row} {column}".strip() or "centre"


def typed(text: str) -> str:
    """A clause for a text that was typed, shortened where it is long; empty where there is none."""
    text = " ".join(text.split())
    return f'typed "{text[:LONGEST_TEXT]}{"…" if len(text) > LONGEST_TEXT else ""}"' if text else ""
