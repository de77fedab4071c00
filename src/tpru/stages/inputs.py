"""Reading what earlier stages wrote."""

import os
from pathlib import Path

from tpru.acquisition.cache import CACHE_VARIABLE
from tpru.errors import UpstreamError
from tpru.records import Item, Sequence, Split
from tpru.run import Run
from tpru.store import FrameStore, read_records


def sources(run: Run) -> list[str]:
    """Names of the sources of the experiment, as extracted: the ones the workflow asked for."""
    names = run.config.get("sources")
    if names is None:
        raise KeyError("this unit's config lists no sources")
    return list(names)


def fetched_folder(run: Run, name: str) -> Path:
    """The folder with what was fetched for a source or a benchmark.

    Raises:
        UpstreamError: it was not, or this machine does not see the cache that it is in.
    """
    data = run.upstream(f"fetch/{name}").folder / "data"
    if not data.exists():
        raise UpstreamError(
            f"{data} leads to {data.readlink()}, which {os.uname().nodename} does not see. Set "
            f"{CACHE_VARIABLE} to a folder on a file system that all nodes share, delete "
            f"{data.with_name('run.json')} and repeat the command"
        )
    return data


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


def benchmark_unit(name: str, kind: str) -> str:
    """The unit that gives the items of a benchmark and their pictures."""
    return "synthesize" if kind == "heldout" else f"benchmark/{name}"


def benchmark_items(run: Run, name: str, kind: str) -> list[Item]:
    """All items that a benchmark can ask."""
    items = read_records(run.upstream(benchmark_unit(name, kind)).path("items.parquet"), Item)
    return [item for item in items if item.split == "test"]


def item_frames(run: Run, unit: str = "synthesize") -> FrameStore:
    """Pictures that the items of a unit show."""
    return FrameStore([run.upstream(unit).path("frames.parquet")])
