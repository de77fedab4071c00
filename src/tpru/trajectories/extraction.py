"""From a trajectory to sequences of key frames whose order can be decided."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TypeVar

import numpy as np

from tpru.config.schema import ExtractConfig
from tpru.files import sha256_bytes
from tpru.records import KeyFrame, Scenario, Sequence, Trajectory
from tpru.trajectories.frames import Encoder, RawFrame
from tpru.trajectories.signature import CELLS, Signature, alike, change, colour_change

Value = TypeVar("Value")

# Of the change to a jump, the frames on both sides of it differ from each other by less than this.
SAME_PLACE = 2 / 3


@dataclass(frozen=True)
class Candidate:
    """A frame that differs visibly from the one kept before it; ``encode`` makes its bytes, once."""

    index: int
    signature: Signature
    encode: Callable[[], bytes]
    change: float
    state: str = ""


@dataclass(frozen=True)
class Known:
    """What a simulator adds to a trajectory: the state of every frame as one string ("" if unknown),
    and for each of its alternatives the encoded picture."""

    states: dict[int, str]
    alternatives: tuple[bytes, ...]


NOTHING_KNOWN = Known({}, ())


@dataclass(frozen=True)
class Extraction:
    """Sequences of one trajectory, the encoded pictures they name, and what was rejected and why."""

    sequences: tuple[Sequence, ...]
    pictures: tuple[bytes, ...]
    rejected: dict[str, int]


def extract(
    trajectory: Trajectory, frames: Iterable[RawFrame], config: ExtractConfig, known: Known = NOTHING_KNOWN
) -> Extraction:
    """Key-frame sequences of a trajectory.

    Black frames, near-identical neighbours and jumps to another place are dropped; where the picture returns
    to an earlier look (A, B, A), or a simulator says that it is in an earlier state, the trajectory is cut so
    that no part holds both; parts with fewer than ``n_frames`` distinct frames are rejected. Rejections are
    counted as ``black_frames``, ``near_identical_frames`` and ``jumps`` (frames), ``static`` (trajectories
    that never had enough distinct frames) and ``reversing`` (parts too short after a cut).
    """
    rejected: Counter[str] = Counter()
    candidates = distinct_frames(frames, trajectory.scenario, config, rejected, known.states)
    long_enough = stretches(candidates, config, rejected)
    pictures = {sha256_bytes(data): data for data in known.alternatives}
    alternatives = tuple(
        KeyFrame(sha256_bytes(data), a.frame, a.text, "alternative")
        for a, data in zip(trajectory.alternatives, known.alternatives, strict=True)
    )
    windows: dict[tuple[int, ...], tuple[list[Candidate], tuple[int, ...], int]] = {}
    for part in long_enough:
        kept = thin(part, config.max_key_frames)
        earlier = max((c.index for c in candidates if c.index < part[0].index), default=-1)
        for positions in places(len(kept), config):
            windows.setdefault(tuple(kept[i].index for i in positions), (kept, positions, earlier))
    chosen = []
    for kept, positions, earlier in _spread(list(windows.values()), config.max_sequences):
        # Only now are pictures made: those of stretches without a chosen window never are.
        encoded = [candidate.encode() for candidate in kept]
        names = [sha256_bytes(data) for data in encoded]
        pictures.update(zip(names, encoded, strict=True))
        key_frames = describe_frames(trajectory, kept, names, earlier)
        window = tuple(key_frames[i] for i in positions)
        outside = tuple(f for i, f in enumerate(key_frames) if i not in positions)
        chosen.append(_sequence(trajectory, window, outside, alternatives))
    used = {f.frame_id for s in chosen for f in (*s.frames, *s.outside, *s.alternatives)}
    return Extraction(
        tuple(chosen),
        tuple(pictures[name] for name in sorted(used)),
        {reason: n for reason, n in rejected.items() if n},
    )


def distinct_frames(
    frames: Iterable[RawFrame],
    scenario: Scenario,
    config: ExtractConfig,
    rejected: Counter[str],
    states: dict[int, str] | None = None,
) -> list[Candidate]:
    """Frames that changed visibly against the last one kept, without jumps to another place and back."""
    candidates = distinct_neighbours(frames, config, rejected, states)
    return without_jumps(candidates, config.jump_change[scenario], config.min_change, rejected)


def stretches(
    candidates: list[Candidate], config: ExtractConfig, rejected: Counter[str]
) -> list[list[Candidate]]:
    """Parts of a trajectory in which every frame has one place, long enough for a sequence."""
    parts = cut_reversals(candidates, config.min_change)
    long_enough = [part for part in parts if len(part) >= config.n_frames]
    if len(candidates) < config.n_frames:
        rejected["static"] += 1
    else:
        rejected["reversing"] += len(parts) - len(long_enough)
    return long_enough


def distinct_neighbours(
    frames: Iterable[RawFrame],
    config: ExtractConfig,
    rejected: Counter[str],
    states: dict[int, str] | None = None,
) -> list[Candidate]:
    """Frames that are not black and changed visibly against the last one kept.

    A picture file keeps its bytes.
    """
    encoder = Encoder(config.jpeg_quality)
    kept: list[Candidate] = []
    for frame in frames:
        look = frame.look()
        if look.max() < config.black:
            rejected["black_frames"] += 1
            continue
        difference = change(kept[-1].signature, look) if kept else 1.0
        if difference < config.min_change:
            rejected["near_identical_frames"] += 1
            continue
        state = (states or {}).get(frame.index, "")
        kept.append(Candidate(frame.index, look, encoder.later(frame), difference, state))
    return kept


def without_jumps(
    candidates: list[Candidate], jump_change: float, min_change: float, rejected: Counter[str]
) -> list[Candidate]:
    """Candidates without those that differ from both neighbours far more than these from each other.

    ``jump_change`` is the least share of cells that a jump changes, half of it that of colours; 0 finds none.
    """
    if not jump_change:
        return candidates
    kept: list[Candidate] = []
    for candidate, after in zip_longest(candidates, candidates[1:]):
        difference = change(kept[-1].signature, candidate.signature) if kept else 1.0
        if kept and after and _is_jump(kept[-1], candidate, after, jump_change):
            rejected["jumps"] += 1
        elif difference < min_change:
            # The same picture on both sides of a jump.
            rejected["near_identical_frames"] += 1
        else:
            kept.append(replace(candidate, change=difference))
    return kept


def _is_jump(before: Candidate, candidate: Candidate, after: Candidate, jump_change: float) -> bool:
    a, b, c = before.signature, candidate.signature, after.signature
    # By cells it is seen where the camera stands, by colours where it moves, too.
    for measure, enough in ((change, jump_change), (colour_change, jump_change / 2)):
        there = measure(a, b)
        if there < enough:
            continue
        least = min(there, measure(b, c))
        if least >= enough and measure(a, c) < SAME_PLACE * least:
            return True
    return False


def cut_reversals(candidates: list[Candidate], min_change: float) -> list[list[Candidate]]:
    """Longest stretches in which no two frames look the same.

    A frame that looks like an earlier one, or that a simulator says is in the same state, ends its stretch;
    the next one begins right after that earlier look, so that the way back is kept as a stretch of its own.
    """
    parts: list[list[Candidate]] = []
    looks = np.array([c.signature for c in candidates], np.uint8).reshape(-1, CELLS, CELLS, 3)
    start = 0
    for k, candidate in enumerate(candidates):
        same = alike(looks[start:k], candidate.signature, min_change)
        if candidate.state:
            same |= np.array([c.state == candidate.state for c in candidates[start:k]], np.bool_)
        if same.any():
            parts.append(candidates[start:k])
            start += int(same.nonzero()[0][-1]) + 1
    if candidates:
        parts.append(candidates[start:])
    return parts


def thin(part: list[Candidate], most: int) -> list[Candidate]:
    """At most ``most`` frames, first and last included, evenly spaced in accumulated change."""
    if len(part) <= most:
        return part
    travelled = np.cumsum([0.0, *(c.change for c in part[1:])])
    wanted = np.linspace(0.0, travelled[-1], most)
    chosen: list[int] = []
    for position, target in enumerate(wanted):
        # Leave enough frames for the targets still to come.
        lowest = chosen[-1] + 1 if chosen else 0
        highest = len(part) - (most - position)
        nearest = int(np.abs(travelled - target).argmin())
        chosen.append(min(max(nearest, lowest), highest))
    return [part[i] for i in chosen]


def places(n_kept: int, config: ExtractConfig) -> list[tuple[int, ...]]:
    """Positions of the frames of every window of one stretch of ``n_kept`` key frames.

    ``spacing`` is lowered where the stretch is too short for it.
    """
    gaps = config.n_frames - 1
    spacing = max(1, min(config.spacing, (n_kept - 1) // gaps))
    first = range(0, n_kept - gaps * spacing, config.stride)
    return [tuple(range(start, start + gaps * spacing + 1, spacing)) for start in first]


def describe_frames(
    trajectory: Trajectory, kept: list[Candidate], names: list[str], earlier: int
) -> tuple[KeyFrame, ...]:
    """Key frames with the text of all steps whose result first shows in them.

    ``names`` are their frame ids; ``earlier`` is the index of the last distinct frame before the stretch,
    -1 at the start.
    """
    frames = []
    for position, (candidate, name) in enumerate(zip(kept, names, strict=True)):
        before = kept[position - 1].index if position else earlier
        texts = [s.text for s in trajectory.steps if before < s.frame <= candidate.index and s.text]
        reason = "first frame" if not position else f"{candidate.change:.1%} of cells changed"
        frames.append(KeyFrame(name, candidate.index, "; ".join(texts), reason))
    return tuple(frames)


def _spread(values: list[Value], most: int) -> list[Value]:
    if len(values) <= most:
        return values
    chosen = np.linspace(0, len(values) - 1, most).round().astype(int)
    return [values[i] for i in sorted(set(chosen.tolist()))]


def _sequence(
    trajectory: Trajectory,
    window: tuple[KeyFrame, ...],
    outside: tuple[KeyFrame, ...],
    alternatives: tuple[KeyFrame, ...],
) -> Sequence:
    span = f"{window[0].index:05d}-{window[-1].index:05d}"
    return Sequence(
        sequence_id=f"{trajectory.trajectory_id}/{span}",
        trajectory_id=trajectory.trajectory_id,
        scenario=trajectory.scenario,
        source=trajectory.source,
        licence=trajectory.licence,
        goal=trajectory.goal,
        group=trajectory.group,
        split=trajectory.split,
        family=trajectory.family,
        frames=window,
        outside=outside,
        alternatives=alternatives,
        level=trajectory.level,
    )
