"""Reading what earlier stages wrote."""

from pathlib import Path

from tpru.records import Item, Sequence, Split
from tpru.run import Run
from tpru.store import FrameStore, read_records


def sources(run: Run) -> list[str]:
    """Names of the sources of the experiment, as extracted: the ones the workflow asked for."""
    names = run.config.get("sources")
    if names is None:
        raise KeyError("this unit's config lists no sources")
    return list(names)


def all_sequences(run: Run) -> list[Sequence]:
    """Sequences of all sources, in the order of the sources."""
    return [
        sequence
        for name in sources(run)
        for sequence in read_records(run.upstream(f"extract/{name}").path("sequences.parquet"), Sequence)
    ]


def source_frames(run: Run) -> FrameStore:
    """Pictures of all sources."""
    paths: list[Path] = [run.upstream(f"extract/{name}").path("frames.parquet") for name in sources(run)]
    return FrameStore(paths)


def items_of(run: Run, *splits: Split) -> list[Item]:
    """Synthesized items of the given splits."""
    path = run.upstream("synthesize").path("items.parquet")
    return [item for item in read_records(path, Item) if item.split in splits]


def item_frames(run: Run) -> FrameStore:
    """Pictures that the items show."""
    return FrameStore([run.upstream("synthesize").path("frames.parquet")])
