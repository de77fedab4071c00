"""Temporal items of one simulated trajectory: clips, and when what a clause says is seen in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tpru.grounding.records import Moment
from tpru.grounding.statements import Statements, between, statements
from tpru.records import FrameState, Trajectory

# A clip of fewer frames leaves a moment hardly anywhere to be.
LEAST_FRAMES = 5
# Of a clip, the share that moments may fill together, and how many they may be.
MOST_FILLED = 0.6
MOST_MOMENTS = 3
# A moment counts as where it was wanted within this share of the clip.
NEAR = 0.12

Truth = tuple[bool | None, ...]  # by frame; None where the picture leaves it open


@dataclass(frozen=True)
class Asked:
    """A clip (its first frame and how many there are) and the moments that a query describes, in frames."""

    query: str
    first: int
    length: int
    runs: tuple[tuple[int, int], ...]

    def moments(self, seconds: float) -> tuple[Moment, ...]:
        """The moments in seconds since the first frame of the clip."""
        return tuple(Moment(start * seconds, end * seconds) for start, end in self.runs)


def ask(
    trajectory: Trajectory,
    states: Sequence[FrameState],
    hidden: frozenset[int],
    count: int,
    clip_frames: int,
    rng: np.random.Generator,
) -> list[Asked]:
    """Up to ``count`` different queries, half of them step texts and half states.

    Where in its clip a moment is to begin is drawn first, evenly, then a length of the clip, evenly too, and
    then a query and a clip that fit: texts that come late in a trajectory are late in few clips.

    Args:
        trajectory: gives the step texts.
        states: one per frame.
        hidden: frames that no clip may show.
        count: how many are wanted.
        clip_frames: most frames of a clip.
        rng: draws.
    """
    frames = len(states)
    pools = [step_truths(trajectory, frames), state_truths(trajectory, states)]
    most = min(clip_frames, frames)
    asked: list[Asked] = []
    for turn, part in enumerate(rng.permutation(count).tolist()):
        wanted = (part + rng.random()) / count
        lengths = rng.permutation(np.arange(min(LEAST_FRAMES, most), most + 1)).tolist()
        for pool in (pools[turn % 2], pools[1 - turn % 2]):
            found = next(filter(None, (_near(pool, wanted, n, frames, hidden, rng) for n in lengths)), None)
            if found:
                del pool[found.query]
                asked.append(found)
                break
    return asked


def _near(
    pool: dict[str, Truth],
    wanted: float,
    length: int,
    frames: int,
    hidden: frozenset[int],
    rng: np.random.Generator,
) -> Asked | None:
    """One query of the pool whose first moment can begin near the wanted place of a clip of this length.

    Those that can be in many places are taken before those that are always early or always late.
    """
    starts = [s for s in range(frames - length + 1) if not hidden & set(range(s, s + length))]
    found: list[tuple[float, Asked]] = []
    for query, truth in pool.items():
        clips = [Asked(query, s, length, runs) for s in starts if (runs := runs_of(truth[s : s + length]))]
        places = [clip.runs[0][0] / (length - clip.runs[0][1] + clip.runs[0][0]) for clip in clips]
        near = [clip for clip, place in zip(clips, places, strict=True) if abs(place - wanted) <= NEAR]
        if near:
            found.append((max(places) - min(places), near[int(rng.integers(len(near)))]))
    if not found:
        return None
    weights = np.array([0.02 + room**2 for room, _ in found])
    return found[int(rng.choice(len(found), p=weights / weights.sum()))][1]


def runs_of(truth: Sequence[bool | None]) -> tuple[tuple[int, int], ...]:
    """Stretches of frames (start, end excluded) where it is true; none where they are no fair question.

    They are none where the picture leaves a frame open, or where moments are too many or fill the clip.
    """
    if None in truth:
        return ()
    edges = np.flatnonzero(np.diff([0, *map(int, map(bool, truth)), 0])).tolist()
    runs = tuple(zip(edges[::2], edges[1::2], strict=True))
    filled = sum(end - start for start, end in runs)
    return runs if len(runs) <= MOST_MOMENTS and filled <= MOST_FILLED * len(truth) else ()


def step_truths(trajectory: Trajectory, frames: int) -> dict[str, Truth]:
    """By step text, the frames that show its result until the next step; the start is no step."""
    steps = [*trajectory.steps]
    ends = [*(step.frame for step in steps[1:]), frames]
    found: dict[str, list[bool | None]] = {}
    for step, end in zip(steps, ends, strict=True):
        if step.frame:
            found.setdefault(step.text, [False] * frames)[step.frame : end] = [True] * (end - step.frame)
    return {text: tuple(truth) for text, truth in found.items()}


def state_truths(trajectory: Trajectory, states: Sequence[FrameState]) -> dict[str, Truth]:
    """By clause about a state, whether it holds in each frame."""
    said: list[Statements] = (
        between(states)
        if trajectory.scenario == "assembly"
        else [statements(trajectory.scenario, state) for state in states]
    )
    texts = dict.fromkeys(text for own in said for text in own)
    return {text: tuple((own[text] or None) if text in own else False for own in said) for text in texts}
