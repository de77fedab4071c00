"""What a source hands to the ``download`` stage."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tpru.records import FrameState, Trajectory


@dataclass(frozen=True)
class SourceTrajectory:
    """One trajectory and, for embedded media, its encoded frames in time order and then those of its
    alternatives; ``states`` where a simulator knows them."""

    trajectory: Trajectory
    frames: tuple[bytes, ...] = ()
    states: tuple[FrameState, ...] = ()


@dataclass(frozen=True)
class SourceData:
    """The trajectories of a source, streamed, with the facts that the data card prints.

    ``total`` is the number of trajectories when it is known beforehand (for the progress bar), else 0.
    ``dropped`` counts by reason what the source itself left out.
    """

    trajectories: Iterable[SourceTrajectory]
    licence: str
    citation: str
    total: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[SourceTrajectory]:
        return iter(self.trajectories)
