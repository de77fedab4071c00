"""Hosted files of one external benchmark -> ``items.parquet`` and the pictures that its items show.

    python -m tpru.stages.benchmark experiment=demo unit=benchmark/muirbench \\
        +benchmark@benchmarks.muirbench=muirbench benchmarks.muirbench.path=MUIRBENCH

An item whose prompt exceeds the budget of tokens is refused by name, or dropped and counted; never cut.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import TypeAdapter

from tpru.benchmarks import lego_puzzles, longvideobench, muirbench, seed_bench_r1, tpru_test
from tpru.benchmarks.questions import Question, Reading, choose, make_item, rejects
from tpru.config.schema import External, ExternalBenchmark
from tpru.errors import ConfigError, EmptySourceError, ManifestError
from tpru.files import sha256_path
from tpru.models.processor import load_processor, token_counter
from tpru.records import Item
from tpru.run import Run, say, stage
from tpru.runtime import progress
from tpru.stages.inputs import fetched_folder
from tpru.store import write_frames, write_records

# Of what a message lists, so many are named.
MOST_NAMED = 10


def read_benchmark(config: External) -> Reading:
    """The questions of a configured benchmark, from the files under its ``path``."""
    if config.kind == "tpru_test":
        return tpru_test.read(config)
    if config.kind == "muirbench":
        return muirbench.read(config)
    if config.kind == "lego_puzzles":
        return lego_puzzles.read(config)
    if config.kind == "seed_bench_r1":
        return seed_bench_r1.read(config)
    return longvideobench.read(config)


class Held:
    """The pictures of one item at a time: what counting its tokens asks for."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}

    def encoded(self, frame_id: str) -> bytes:
        """The bytes of one picture."""
        return self.pictures[frame_id]


@stage("benchmark")
def main(run: Run) -> None:
    name = run.unit.partition("/")[2]
    config = TypeAdapter[External](External).validate_python(run.config["benchmark"])
    if "fetched" in run.config:
        config = config.model_copy(update={"path": str(fetched_folder(run, name) / config.path)})
    reading = read_benchmark(config)
    check_ids(reading.questions, config.path)
    asked = choose(reading.questions, config.max_items, lambda q: rejects(q, config))
    held = Held()
    count = token_counter(load_processor(run.upstream("processor").path("processor")), held)
    items: list[Item] = []
    too_long: dict[str, int] = {}

    def pictures_of_kept() -> Iterator[bytes]:
        # Items are made while their pictures are written: memory holds those of one.
        for question in progress(asked, f"read {name}", len(asked)):
            item, held.pictures = make_item(name, question, config)
            length = count(item)
            if length > config.max_tokens:
                too_long[question.question_id] = length
                continue
            items.append(item)
            yield from held.pictures.values()

    n_pictures = write_frames(run.output("frames.parquet"), pictures_of_kept())
    refuse_too_long(too_long, name, config)
    if not items:
        raise EmptySourceError(
            f"benchmark {name}: no question is left ({len(reading.questions)} read from {config.path}, "
            f"{len(too_long)} over {config.max_tokens} tokens, left out: {reading.left_out}); correct the "
            "path, or raise max_tokens"
        )
    write_records(run.output("items.parquet"), Item, items)
    dropped = {**reading.left_out, "over_token_budget": len(too_long)}
    run.counts = {**count_items(items), "dropped": {k: n for k, n in dropped.items() if n}}
    run.facts = {
        "licence": config.licence,
        "citation": config.citation,
        "files": {name_in(Path(config.path), file): sha256_path(file) for file in reading.files},
    }
    run.metrics |= {"items": len(items), "pictures": n_pictures}
    say(f"{name}: {len(items)} items, {n_pictures} pictures; dropped {run.counts['dropped']}")


def name_in(path: Path, file: Path) -> str:
    """A file below the path of a benchmark as it is named there; the path may be the file itself."""
    return file.name if file == path else str(file.relative_to(path))


def check_ids(questions: Iterable[Question], path: str) -> None:
    """Refuse two questions of one id.

    Raises:
        ManifestError: naming them.
    """
    twice = sorted(i for i, n in Counter(q.question_id for q in questions).items() if n > 1)
    if twice:
        raise ManifestError(f"{Path(path)}: {len(twice)} id(s) stand twice: {twice[:MOST_NAMED]}")


def refuse_too_long(too_long: dict[str, int], name: str, config: ExternalBenchmark) -> None:
    """Refuse items over the budget where the configuration does not drop them.

    Raises:
        ConfigError: naming the items and their lengths.
    """
    if too_long and config.too_long == "fail":
        listed = [f"{i} ({n})" for i, n in sorted(too_long.items())[:MOST_NAMED]]
        raise ConfigError(
            f"{len(too_long)} question(s) of benchmark {name} are longer than max_tokens="
            f"{config.max_tokens} tokens, pictures included: {', '.join(listed)}. Raise "
            f"benchmarks.{name}.max_tokens, take smaller pictures (model.max_pixels), or set "
            f"benchmarks.{name}.too_long=drop to leave them out and count them."
        )


def count_items(items: list[Item]) -> dict[str, dict[str, int]]:
    """Counts for the data card, one table per column that the benchmark has."""
    columns: dict[str, list[str]] = {
        "category": [i.task for i in items if i.task],
        "scenario": [i.scenario for i in items if i.scenario],
        "level": [i.level for i in items if i.level],
        "answer": [i.answer for i in items if i.options],
        "negative": [i.negative_kind or "answerable" for i in items],
    }
    return {name: dict(sorted(Counter(values).items())) for name, values in columns.items() if values}


if __name__ == "__main__":
    main()
