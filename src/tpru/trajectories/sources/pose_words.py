"""What somebody did between two poses, in words: only what can be seen in pictures."""

import math
from collections.abc import Iterator, Mapping

AROUND = 165.0  # degrees from which on left and right cannot be told apart


def turned(left: float, least: float) -> Iterator[str]:
    """A clause for a turn of at least ``least`` degrees; ``left`` is positive to the left, modulo 360."""
    left = (left + 180.0) % 360.0 - 180.0
    if abs(left) >= max(AROUND, least):
        yield "turned around"
    elif abs(left) >= least:
        yield f"turned {'left' if left > 0 else 'right'} {abs(left):.0f} degrees"


def walked(before: Mapping[str, float], after: Mapping[str, float], up: str, least: float) -> Iterator[str]:
    """Clauses for the way from one place to the next as the crow flies, on the floor, and up or down.

    The places are metres under x, y and z, of which ``up`` points up; less than ``least`` is not told.
    """
    floor = [key for key in ("x", "y", "z") if key != up]
    way = math.hypot(*(after[key] - before[key] for key in floor))
    if way >= least:
        yield f"walked {way:.1f} m"
    if abs(climb := after[up] - before[up]) >= least:
        yield f"went {'up' if climb > 0 else 'down'} {abs(climb):.1f} m"
