"""Look at data before training on them: counts in the terminal, and one page with samples.

    python -m tpru.inspect results/demo
    python -m tpru.inspect experiment=own_data [unit=extract/mine] [key=value ...]

A folder is read as it is. With an experiment, its sources are read and extracted as its stages would do it:
what ``results/<experiment>`` holds by the same configuration is taken, all else is made in
``results/<experiment>_inspect``. ``unit=extract/NAME`` is one source, ``unit=download/NAME`` leaves out
extraction. Nothing is trained.
"""

import argparse
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tpru.config.compose import compose, unit_config
from tpru.errors import ConfigError, EmptySourceError, TpruError, UpstreamError
from tpru.files import read_json, write_text
from tpru.records import Sequence, Trajectory
from tpru.reporting.contents import (
    Contents,
    counts,
    numbers,
    overview,
    page,
    sequence_sample,
    spread,
    trajectory_sample,
)
from tpru.run import Run, Upstream, execute
from tpru.runtime import progress
from tpru.stages import download, extract, fetch
from tpru.store import FrameStore, read_records
from tpru.trajectories.media import EmbeddedParquet

STAGES = {"fetch": fetch.main, "download": download.main, "extract": extract.main}


def finished(folder: Path, unit: str) -> Upstream | None:
    """A finished unit of an experiment, None where it was not made."""
    path = folder / unit / "run.json"
    return Upstream(unit, path.parent, read_json(path)) if path.exists() else None


def contents(folder: Path, name: str, samples: int, frames: int, problems: tuple[str, ...] = ()) -> Contents:
    """What a source contains, by what its stages wrote; extraction may be missing.

    Raises:
        UpstreamError: what a stage wrote is missing or changed.
        TpruError: a sampled frame cannot be read.
    """
    made = finished(folder, f"download/{name}")
    if made is None:
        raise UpstreamError(f"{folder / 'download' / name / 'run.json'} is missing: run that stage first")
    extracted = finished(folder, f"extract/{name}")
    trajectories = read_records(made.path("trajectories.parquet"), Trajectory)
    media = EmbeddedParquet(made.path("media.parquet"))
    chosen = progress(spread(trajectories, samples), f"look at {name}", min(samples, len(trajectories)))
    shown = tuple(trajectory_sample(t, media, frames) for t in chosen)
    facts, left_out = made.record["facts"], made.record["counts"].get("dropped", {})
    if extracted is None:
        said = counts(trajectories, left_out, {})
        return Contents(
            name, facts["licence"], facts["citation"], numbers(trajectories, None), said, shown, (), problems
        )
    sequences = read_records(extracted.path("sequences.parquet"), Sequence)
    store = FrameStore([extracted.path("frames.parquet")])
    first = {s.trajectory_id: s for s in reversed(sequences)}
    of_chosen = [first[t.trajectory_id] for t in spread(trajectories, samples) if t.trajectory_id in first]
    said = counts(trajectories, left_out, extracted.record["counts"]["rejected"])
    return Contents(
        name,
        facts["licence"],
        facts["citation"],
        numbers(trajectories, len(sequences)),
        said,
        shown,
        tuple(sequence_sample(s, store) for s in of_chosen),
        problems,
    )


def sources_of(folder: Path) -> list[str]:
    """Sources that a folder of results holds.

    Raises:
        UpstreamError: there is none.
    """
    names = sorted(path.parent.name for path in folder.glob("download/*/run.json"))
    if not names:
        raise UpstreamError(
            f"{folder} holds no finished download; expected results/<experiment>. Make one with `snakemake "
            "--profile local results/<experiment>/extract/<source>/run.json`, or give experiment=<name>"
        )
    return names


def made_by(overrides: list[str]) -> list[tuple[Path, str, tuple[str, ...]]]:
    """Folder of results, name and problems of every source of an experiment, made where it is missing.

    Raises:
        ConfigError: no experiment is named, or a value is refused.
        TpruError: a source cannot be read.
    """
    given = dict(text.split("=", 1) for text in overrides)
    if "experiment" not in given:
        raise ConfigError("give results/<experiment>, or experiment=<name of a file in conf/experiment>")
    rest = [text for text in overrides if not text.startswith(("experiment=", "name="))]
    config = compose(given["experiment"], rest)
    unit = (config.unit or "extract").split("/")
    if (
        unit[0] not in ("download", "extract")
        or len(unit) > 2
        or (unit[1:] and unit[1] not in config.sources)
    ):
        raise ConfigError(
            f"unit={config.unit} is not download/NAME or extract/NAME of a source in {sorted(config.sources)}"
        )
    stages = ["download", *(["extract"] if unit[0] == "extract" else [])]
    out: list[tuple[Path, str, tuple[str, ...]]] = []
    for name in unit[1:] or sorted(config.sources):
        first = ["fetch"] if config.sources[name].fetch else []
        values = [unit_config(config, f"{stage}/{name}") for stage in (*first, *stages)]
        folder = Path("results") / config.name
        if all(_stands(folder, value) for value in values):
            out.append((folder, name, ()))
        else:
            out.append((Path("results") / f"{config.name}_inspect", name, _make(config.name, values)))
    return out


def _stands(folder: Path, wanted: dict[str, Any]) -> bool:
    """Whether a unit was made by this configuration, in an experiment of any name."""
    made = finished(folder, wanted["unit"])
    if made is None or {**made.record["config"], "name": ""} != {**wanted, "name": ""}:
        return False
    read = {unit: finished(folder, unit) for unit in made.record["inputs"]}
    return all(made.record["inputs"][u] == (r.record["fingerprint"] if r else "") for u, r in read.items())


def _make(name: str, values: list[dict[str, Any]]) -> tuple[str, ...]:
    """Run what does not stand; what extraction says where it finds nothing is a result, too."""
    for value in values:
        made = {**value, "name": f"{name}_inspect"}
        if _stands(Path("results") / made["name"], made):
            print(f"{made['name']}/{made['unit']} stands; delete its folder to read the source again")
            continue
        stage = made["unit"].split("/")[0]
        work: Callable[[Run], None] = inspect.unwrap(STAGES[stage])
        try:
            execute(stage, work, made)
        except EmptySourceError as error:
            if stage != "extract":
                raise
            return (str(error),)
    return ()


def report(targets: list[str], samples: int, frames: int, out: Path | None) -> Path:
    """Print what there is and write the page; return where it stands.

    Raises:
        TpruError: as :func:`made_by` and :func:`contents` do.
    """
    overridden = [target for target in targets if "=" in target]
    if len(overridden) == len(targets):
        found = made_by(targets)
    elif len(targets) == 1:
        folder = Path(targets[0])
        found = [(folder, name, ()) for name in sources_of(folder)]
    else:
        raise ConfigError("give one folder results/<experiment>, or experiment=<name> and other key=value")
    sources = [contents(folder, name, samples, frames, problems) for folder, name, problems in found]
    base = found[0][0]
    synthesized = finished(base, "synthesize") if not overridden else None
    items = dict(synthesized.record["counts"]) if synthesized else {}
    _say(sources, items)
    path = out or base / "inspect.html"
    write_text(path, page(base.resolve().name, sources, items))
    return path


def _say(sources: list[Contents], items: dict[str, dict[str, int]]) -> None:
    table = overview(sources)
    rows = [table.head, *((line.label, *(cell.main for cell in line.cells)) for line in table.lines)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(table.head))]
    for row in rows:
        print("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))
    for source in sources:
        print(f"\n{source.name} ({source.licence})")
        for heading, found in source.counts.items():
            print(f"  {heading}: " + ", ".join(f"{name} {n}" for name, n in found.items()))
        for problem in source.problems:
            print(f"  problem: {problem}")
    for heading, found in items.items():
        print(f"Items by {heading}: " + ", ".join(f"{name or 'none'} {n}" for name, n in found.items()))


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description="Show what a source or an experiment contains.")
    parser.add_argument("target", nargs="+", help="results/<experiment>, or experiment=NAME [key=value ...]")
    parser.add_argument("--samples", type=int, default=8, help="trajectories of each source to show")
    parser.add_argument("--frames", type=int, default=8, help="most frames of each to show")
    parser.add_argument("--out", type=Path, help="the page (default: inspect.html in the folder)")
    given = parser.parse_args()
    if given.samples < 0 or given.frames < 1:
        parser.error("--samples must be 0 or more, --frames 1 or more")
    try:
        print(f"open {report(given.target, given.samples, given.frames, given.out)}")
    except TpruError as error:
        print(f"tpru inspect: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
