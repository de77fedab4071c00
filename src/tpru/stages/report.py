"""Everything that was measured -> ``index.html`` (one self-contained page) and ``metrics.json``.

python -m tpru.stages.report experiment=demo
"""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import yaml

from tpru.config.schema import ReportConfig
from tpru.evaluation.guessers import guesser_rows
from tpru.evaluation.scoring import (
    Comparison,
    Row,
    always_none_rows,
    chance_rows,
    compare,
    majority_rows,
    score,
)
from tpru.files import read_json, write_json, write_text
from tpru.pipeline import WEIGHTS_FROM, command_line
from tpru.randomness import generator
from tpru.records import Item, Prediction, Sequence
from tpru.reporting.gallery import GalleryItem
from tpru.reporting.page import DataCard, Provenance, ReportInputs, SourceEntry, build_page
from tpru.run import Run, code, say, stage
from tpru.stages.inputs import item_frames, items_of, sources
from tpru.store import FrameStore, read_records
from tpru.training.callbacks import read_log
from tpru.trajectories.filter_audit import Tally

TRAINED = ("sft", "sft_continued", "grpo", "grpo_from_base")
Answers = dict[str, list[Prediction]]


@stage("report")
def main(run: Run) -> None:
    config = ReportConfig(**run.config["report"])
    train, test = items_of(run, "sft", "grpo"), items_of(run, "test")
    answers = {b: benchmark_answers(run, b) for b in run.config["benchmarks"]}
    pictures = item_frames(run)
    rows: list[Row] = []
    comparisons: list[Comparison] = []
    for benchmark, asked, by_model in by_level(test, answers):
        rows += [
            *chance_rows(asked, benchmark),
            *majority_rows(train, asked, benchmark),
            *always_none_rows(asked, benchmark),
            *guesser_rows(train, asked, pictures, benchmark),
        ]
        for model, predictions in by_model.items():
            rows += score(asked, predictions, model, benchmark)
        comparisons += compare_models(asked, by_model, benchmark, config, run.seed)
    write_json(run.output("metrics.json"), metrics(rows, comparisons))
    page = build_page(
        ReportInputs(
            experiment=run.name,
            rows=rows,
            comparisons=comparisons,
            curves={s: read_log(run.results / s / "log.jsonl") for s in trained(run)},
            gallery=gallery(test, answers, config.gallery_items, run.seed),
            frames=FrameStore([*extracted(run), run.upstream("synthesize").path("frames.parquet")]),
            data_card=data_card(run),
            contact_sheet=contact_sheet(run, config.contact_sheet_sequences),
            provenance=provenance(run),
            seconds=training_seconds(run),
        )
    )
    write_text(run.output("index.html"), page)
    run.metrics = {f"{r.benchmark}/{r.model}/{r.task}": r.accuracy for r in rows if is_headline(r)}
    run.tracker.artifact(run.folder / "index.html")
    run.tracker.artifact(run.folder / "metrics.json")
    for row in rows:
        if row.task == row.scenario == row.subset == "all":
            interval = f"[{row.low:.1%}, {row.high:.1%}]"
            say(f"{row.benchmark}  {row.model:12s} {row.accuracy:6.1%} {interval} of {row.n}")
    say(f"open {run.folder / 'index.html'}")


def trained(run: Run) -> list[str]:
    """The trainings whose models are shown."""
    return [s for s in TRAINED if s in {WEIGHTS_FROM[m] for m in run.config["models"]}]


def is_headline(row: Row) -> bool:
    """Rows over all scenarios and all items."""
    return row.scenario == "all" and row.subset == "all"


def benchmark_answers(run: Run, benchmark: str) -> Answers:
    """Predictions of every model on a benchmark."""
    out: Answers = {}
    for model in run.config["models"]:
        path = run.upstream(f"evaluate/{model}/{benchmark}").path("predictions.parquet")
        out[model] = read_records(path, Prediction)
    return out


def by_level(items: list[Item], answers: dict[str, Answers]) -> Iterator[tuple[str, list[Item], Answers]]:
    """Every benchmark with its items and answers; one with levels is a benchmark per level."""
    for benchmark, by_model in answers.items():
        asked = asked_items(items, by_model)
        for level in sorted({item.level for item in asked}):
            chosen = [item for item in asked if item.level == level]
            ids = {item.item_id for item in chosen}
            kept = {m: [p for p in ps if p.item_id in ids] for m, ps in by_model.items()}
            yield f"{benchmark} {level}".rstrip(), chosen, kept


def asked_items(items: list[Item], answers: Answers) -> list[Item]:
    """The items that the models were asked, in their order."""
    asked = {p.item_id for predictions in answers.values() for p in predictions}
    return [item for item in items if item.item_id in asked]


def compare_models(
    items: list[Item], answers: Answers, benchmark: str, config: ReportConfig, seed: int
) -> list[Comparison]:
    """Every later model against every earlier one, on the same items."""
    out: list[Comparison] = []
    for earlier, later in combinations(answers, 2):
        out += compare(
            items,
            answers[later],
            answers[earlier],
            benchmark,
            later,
            earlier,
            config.confidence,
            config.bootstrap_samples,
            seed,
        )
    return out


def metrics(rows: list[Row], comparisons: list[Comparison]) -> dict[str, object]:
    """The content of ``metrics.json``: no times and no paths, so that equal runs give equal files."""
    return {"rows": [asdict(r) for r in rows], "comparisons": [asdict(c) for c in comparisons]}


def gallery(items: list[Item], answers: dict[str, Answers], most: int, seed: int) -> list[GalleryItem]:
    """A random draw of test items, spread over tasks and scenarios, with every model's answer."""
    by_model = {m: {p.item_id: p for p in ps} for a in answers.values() for m, ps in a.items()}
    cells: dict[tuple[str, str, bool], list[Item]] = {}
    rng = generator(seed, "gallery")
    for i in rng.permutation(len(items)):
        item = items[i]
        cells.setdefault((item.task, item.scenario, item.is_negative), []).append(item)
    turns = max((len(c) for c in cells.values()), default=0)
    ordered = [c[k] for k in range(turns) for _, c in sorted(cells.items()) if k < len(c)]
    return [
        GalleryItem(item, tuple((m, ps[item.item_id]) for m, ps in by_model.items() if item.item_id in ps))
        for item in ordered[:most]
    ]


def extracted(run: Run) -> list[Path]:
    """Frame files of all sources."""
    return [run.upstream(f"extract/{s}").path("frames.parquet") for s in sources(run)]


def contact_sheet(run: Run, most: int) -> list[tuple[str, list[str]]]:
    """Sequences in time order, the sources taking turns."""
    by_source = [
        read_records(run.upstream(f"extract/{s}").path("sequences.parquet"), Sequence) for s in sources(run)
    ]
    turns = max(len(listed) for listed in by_source)
    # Sequences of one trajectory stand side by side in the file: one of each first.
    spread = [sorted(s, key=lambda q: (s_rank(q, s), q.sequence_id)) for s in by_source]
    ordered = [listed[k] for k in range(turns) for listed in spread if k < len(listed)]
    return [
        (f"{s.scenario}: {s.goal} ({s.trajectory_id})", [f.frame_id for f in s.frames])
        for s in ordered[:most]
    ]


def s_rank(sequence: Sequence, listed: list[Sequence]) -> int:
    """Position of a sequence among those of its trajectory."""
    same = [s.sequence_id for s in listed if s.trajectory_id == sequence.trajectory_id]
    return same.index(sequence.sequence_id)


def data_card(run: Run) -> DataCard:
    """Counts, rejections and licences, from what the data stages recorded."""
    synthesize = run.upstream("synthesize").record
    entries: list[SourceEntry] = []
    rejections: dict[str, dict[str, int]] = {}
    for name in sources(run):
        download = run.upstream(f"download/{name}").record
        extract = run.upstream(f"extract/{name}").record
        rejections[name] = extract["counts"]["rejected"]
        entries.append(
            {
                "name": name,
                "licence": download["facts"]["licence"],
                "citation": download["facts"]["citation"],
                "trajectories": int(extract["metrics"]["trajectories"]),
                "sequences": int(extract["metrics"]["sequences"]),
            }
        )
    counts = {k: v for k, v in synthesize["counts"].items() if k != "dropped"}
    rejections["synthesis"] = synthesize["counts"]["dropped"]
    audit = read_json(run.upstream("filter_audit").path("filter_audit.json"))
    return DataCard(counts, rejections, entries, [Tally(**row) for row in audit])


def training_seconds(run: Run) -> dict[str, float]:
    """Seconds that the last training of every model took."""
    stages = {m: WEIGHTS_FROM[m] for m in run.config["models"] if WEIGHTS_FROM[m] in trained(run)}
    records = {m: read_json(run.results / s / "run.json") for m, s in stages.items()}
    return {m: float(record["seconds"]) for m, record in records.items()}


def provenance(run: Run) -> Provenance:
    """Config, versions, commit and times of every stage that this report stands on."""
    units = [run.upstream(unit) for unit in sorted(run.inputs)]
    units.sort(key=lambda u: u.record["started"])
    return {
        "config": {u.unit: yaml.safe_dump(u.record["config"], sort_keys=False) for u in units},
        "versions": units[-1].record["versions"],
        "commit": code()["git.commit"],
        "dirty": code()["git.dirty"] == "true",
        "command": command_line(),
        "stages": [
            {
                "stage": u.unit,
                "started": u.record["started"],
                "seconds": u.record["seconds"],
                "peak_memory_gb": u.record["peak_memory_gb"],
            }
            for u in units
        ],
    }


if __name__ == "__main__":
    main()
