"""What the sources of an experiment contain: counts, and one page with samples that needs nothing else."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from tpru.records import Media, Sequence, Trajectory
from tpru.reporting.gallery import Picture, data_uri
from tpru.reporting.page import render
from tpru.reporting.tables import Cell, Line, Table, plain
from tpru.store import FrameStore
from tpru.trajectories.media import EmbeddedFrames, iter_frames

SIDE = 360  # a small copy says nothing of a screen: the page shrinks them, and enlarges one on demand
SHOWN_NAMES = 12
LENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class Sample:
    """Pictures in time order, with what they belong to."""

    title: str
    note: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Contents:
    """What one source contains.

    ``numbers`` are the columns of the overview. ``counts`` maps a heading to counts by name, rejections
    by reason among them; ``problems`` says what could not be made.
    """

    name: str
    licence: str
    citation: str
    numbers: dict[str, str]
    counts: dict[str, dict[str, int]]
    trajectories: tuple[Sample, ...] = ()
    sequences: tuple[Sample, ...] = ()
    problems: tuple[str, ...] = field(default=())


def page(title: str, sources: list[Contents], items: dict[str, dict[str, int]]) -> str:
    """The page as HTML; ``items`` counts the items made of the sources, where there are some."""
    values = {"title": title, "sources": sources, "overview": overview(sources), "items": items}
    return render("contents.html.j2", values)


def overview(sources: list[Contents]) -> Table:
    """Sources against their numbers."""
    columns = list(dict.fromkeys(name for source in sources for name in source.numbers))
    lines = (Line(s.name, tuple(Cell(s.numbers.get(name, "-")) for name in columns)) for s in sources)
    return Table(("source", *columns), tuple(lines))


def numbers(trajectories: list[Trajectory], sequences: int | None) -> dict[str, str]:
    """How much there is, and how long trajectories are; ``sequences`` None where none were made yet."""
    lengths = [t.media.n_frames for t in trajectories]
    found = {
        "trajectories": str(len(trajectories)),
        "groups": str(len({t.group for t in trajectories})),
        "frames": str(sum(lengths)),
        "shortest": str(min(lengths, default=0)),
        "median": f"{median(lengths):g}" if lengths else "0",
        "longest": str(max(lengths, default=0)),
        "with steps": str(sum(bool(t.steps) for t in trajectories)),
    }
    return found | ({} if sequences is None else {"sequences": str(sequences)})


def counts(
    trajectories: list[Trajectory], left_out: dict[str, int], rejected: dict[str, int]
) -> dict[str, dict[str, int]]:
    """Trajectories by what they are, the most frequent first, and what was turned away by reason."""
    groups = Counter(t.group for t in trajectories)
    by: dict[str, Counter[str]] = {
        "scenario": Counter[str](t.scenario for t in trajectories),
        "family": Counter(t.family or "unknown" for t in trajectories),
        "level": Counter[str](t.level for t in trajectories if t.level),
        "fixed split": Counter[str](t.split for t in trajectories if t.split),
        "licence": Counter(t.licence for t in trajectories),
        # A group of one is as good as its trajectory: a list of them says nothing.
        "shared group": Counter({g: n for g, n in groups.items() if n > 1}),
    }
    out = {f"Trajectories by {name}": _most(found) for name, found in by.items() if found}
    if trajectories:
        sizes = Counter(groups.values())
        out["Groups by their trajectories"] = {str(size): sizes[size] for size in sorted(sizes)}
        out["Trajectories by frames"] = _by_length(t.media.n_frames for t in trajectories)
    if left_out:
        out["Left out by the source"] = {plain(k): n for k, n in left_out.items()}
    if rejected:
        out["Rejected by extraction"] = {plain(k): n for k, n in rejected.items()}
    return out


def _most(found: Counter[str]) -> dict[str, int]:
    """The most frequent names, the rest as one; names of equal frequency in their order."""
    ordered = sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))
    rest = ordered[SHOWN_NAMES:]
    others = {f"{len(rest)} others": sum(n for _, n in rest)} if rest else {}
    return dict(ordered[:SHOWN_NAMES]) | others


def _by_length(lengths: Iterable[int]) -> dict[str, int]:
    """How many are of a length from each of ``LENGTHS`` to the next, without empty ends."""
    found = Counter(sum(low <= max(n, 1) for low in LENGTHS) - 1 for n in lengths)
    out = {}
    for k in range(min(found), max(found) + 1):
        end = LENGTHS[k + 1] - 1 if k + 1 < len(LENGTHS) else 0
        out[f"{LENGTHS[k]} to {end}" if end > LENGTHS[k] else f"{LENGTHS[k]}{'' if end else '+'}"] = found[k]
    return out


def spread(trajectories: list[Trajectory], most: int) -> list[Trajectory]:
    """At most ``most`` trajectories, kinds of activity and then groups taking turns, in their order."""
    turn: Counter[tuple[str, ...]] = Counter()
    ranked = []
    for position, trajectory in enumerate(trajectories):
        kind = (trajectory.scenario, trajectory.family, trajectory.level)
        group = (*kind, trajectory.group)
        ranked.append((turn[group], turn[kind] if not turn[group] else 0, position))
        turn[kind] += not turn[group]
        turn[group] += 1
    return [trajectories[position] for _, _, position in sorted(ranked)[:most]]


def trajectory_sample(trajectory: Trajectory, embedded: EmbeddedFrames | None, most: int) -> Sample:
    """Frames of a trajectory at even distances, the first and the last one always.

    Raises:
        TpruError: as :func:`tpru.trajectories.media.iter_frames` does.
    """
    n = trajectory.media.n_frames
    shown = min(most, n)
    wanted = {round(k * (n - 1) / max(shown - 1, 1)) for k in range(shown)}
    pictures, before = [], -1
    for frame in iter_frames(trajectory, embedded):
        if frame.index not in wanted:
            continue
        done = [s.text for s in trajectory.steps if before < s.frame <= frame.index and s.text]
        pictures.append(Picture(data_uri(frame.image, SIDE), str(frame.index), "; ".join(done)))
        before = frame.index
    about = [
        trajectory.scenario,
        trajectory.family,
        trajectory.level,
        trajectory.split,
        _length(trajectory.media),
    ]
    note = [trajectory.trajectory_id, f"group {trajectory.group}", *(part for part in about if part)]
    return Sample(trajectory.goal, " · ".join(note), tuple(pictures))


def _length(media: Media) -> str:
    kind = {"embedded": "frames", "files": "picture files", "video": "frames of a video"}[media.kind]
    return f"{media.n_frames} {kind}"


def sequence_sample(sequence: Sequence, frames: FrameStore) -> Sample:
    """The key frames of a sequence.

    Raises:
        UpstreamError: a picture is not in the store.
    """
    pictures = tuple(
        Picture(data_uri(frames.image(f.frame_id), SIDE), str(f.index), f.step) for f in sequence.frames
    )
    note = f"{sequence.sequence_id} · {len(sequence.outside)} more key frames"
    return Sample(sequence.goal, note, pictures)
