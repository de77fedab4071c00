"""Shards: a source with many episodes is prepared by several jobs, and one more gathers what they made.

``download/robot/1of4`` is the second of four shards of the unit ``download/robot``. The number of shards
is part of the name: what one number of them made is never taken for what another number would make.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")

SHARD = r"(?:0|[1-9]\d*)of[1-9]\d*"
_UNIT = re.compile(rf"((?:download|extract)/\w+)/({SHARD})")


@dataclass(frozen=True)
class Shard:
    """Part ``number`` (from 0) of the ``of`` parts of a source."""

    number: int
    of: int

    def block(self, values: Sequence[Value]) -> Sequence[Value]:
        """The values that this shard makes: the blocks of all shards, one after another, are the whole.

        Their sizes differ by at most one; with more shards than values some are empty.
        """
        n = len(values)
        return values[n * self.number // self.of : n * (self.number + 1) // self.of]


WHOLE = Shard(0, 1)


def shard_names(unit: str, of: int) -> list[str]:
    """Names of the shards of a unit in order; none where the unit is made by one job."""
    return [f"{unit}/{number}of{of}" for number in range(of)] if of > 1 else []


def split_name(unit: str) -> tuple[str, Shard]:
    """The unit that a shard is a part of, and the shard; any other unit as it is and :data:`WHOLE`."""
    found = _UNIT.fullmatch(unit)
    if not found:
        return unit, WHOLE
    shard = Shard(*map(int, found[2].split("of")))
    return (found[1], shard) if shard.number < shard.of > 1 else (unit, WHOLE)
