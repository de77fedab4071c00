"""Everything that was measured -> ``index.html`` (one self-contained page) and what machines read of it.

``metrics.json`` holds rows and comparisons, ``metrics.parquet`` the rows, ``tables.md`` and ``tables.tex``
the tables of the page. None of these holds a time or a path: equal runs give equal files. Where variants of
TPO were evaluated, ``grounding.parquet`` holds the rows of the dense items.

python -m tpru.stages.report experiment=demo
"""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import yaml

from tpru.config.compose import TRAININGS, trained_models
from tpru.config.schema import ReportConfig
from tpru.evaluation.consistency import ConsistencyRow, consistency_rows
from tpru.evaluation.guessers import guesser_rows
from tpru.evaluation.harness import HarnessRow, harness_rows
from tpru.evaluation.judge import Agreement, Judgement
from tpru.evaluation.scoring import (
    Comparison,
    Row,
    adjusted,
    always_none_rows,
    chance_rows,
    compare,
    majority_rows,
    powers,
    score,
)
from tpru.files import read_json, write_json, write_text
from tpru.grounding.results import DenseResults, DenseRow
from tpru.grounding.scores import ALL
from tpru.pipeline import WEIGHTS_FROM, command_line
from tpru.randomness import generator
from tpru.records import Item, Prediction, Sequence
from tpru.reporting.gallery import GalleryItem
from tpru.reporting.markup import latex_file, markdown_file
from tpru.reporting.page import (
    BenchmarkEntry,
    DataCard,
    Provenance,
    ReportInputs,
    Results,
    SourceEntry,
    build_page,
    every_table,
)
from tpru.reporting.seeds import Shares, overall
from tpru.run import Run, Upstream, code, say, stage
from tpru.seeds import stage_of, with_seed
from tpru.stages.inputs import benchmark_items, benchmark_unit, item_frames, items_of, sources
from tpru.stages.report_dense import EXAMPLES_PER_TASK, dense_examples, dense_inputs, score_dense
from tpru.store import FrameStore, read_records, write_records
from tpru.tracking.runs import metric_name
from tpru.training.logs import read_log
from tpru.trajectories.filter_audit import Tally

Answers = dict[str, list[Prediction]]


@stage("report")
def main(run: Run) -> None:
    config = ReportConfig(**run.config["report"])
    train = items_of(run, "sft", "grpo")
    kinds: dict[str, str] = run.config["benchmarks"]
    answers = {b: benchmark_answers(run, b, run.config["models"]) for b in kinds}
    test = {b: asked_items(benchmark_items(run, b, kind), answers[b]) for b, kind in kinds.items()}
    pictures = item_frames(run)
    rows: list[Row] = []
    comparisons: list[Comparison] = []
    readings: list[HarnessRow] = []
    follows: list[ConsistencyRow] = []
    for name, kind in kinds.items():
        for benchmark, asked, by_model in by_level(name, test[name], answers[name]):
            if kind == "heldout":
                rows += heldout_baselines(train, asked, pictures, benchmark)
            else:
                rows += external_baselines(asked, benchmark)
            for model, predictions in by_model.items():
                rows += score(asked, predictions, model, benchmark)
                readings += harness_rows(asked, predictions, model, benchmark)
                follows += consistency_rows(asked, predictions, model, benchmark)
            comparisons += compare_models(asked, by_model, benchmark, config, run.seed)
    dense = dense_inputs(run)
    results = Results(
        rows,
        adjusted(comparisons),
        readings,
        follows,
        by_seed(run, rows, test),
        score_dense(run, dense, config) if dense else None,
        judgement(run) if config.judge else None,
    )
    write_json(run.output("metrics.json"), metrics(results))
    write_records(run.output("metrics.parquet"), Row, rows)
    if results.dense:
        write_records(run.output("grounding.parquet"), DenseRow, results.dense.rows)
    tables = every_table(results)
    write_text(run.output("tables.md"), markdown_file(tables))
    write_text(run.output("tables.tex"), latex_file(tables))
    page = build_page(
        ReportInputs(
            experiment=run.name,
            results=results,
            curves={s: read_log(run.results / s / "log.jsonl") for s in trained(run)},
            gallery=gallery(test, answers, config.gallery_items, run.seed),
            frames=FrameStore([*extracted(run), *shown_frames(run, kinds)]),
            dense_examples=dense_examples(dense.test, dense.answers, EXAMPLES_PER_TASK, run.seed)
            if dense
            else [],
            data_card=data_card(run),
            contact_sheet=contact_sheet(run, config.contact_sheet_sequences),
            provenance=provenance(run),
            seconds=training_seconds(run),
        )
    )
    write_text(run.output("index.html"), page)
    run.metrics = {
        f"{r.benchmark}/{r.model}/{metric_name(r.task)}": r.accuracy for r in rows if is_headline(r)
    }
    run.metrics |= dense_headlines(results.dense)
    for name in run.outputs:
        run.tracker.artifact(run.folder / name)
    for row in rows:
        if row.task == row.scenario == row.subset == "all":
            interval = f"[{row.low:.1%}, {row.high:.1%}]"
            say(f"{row.benchmark}  {row.model:12s} {row.accuracy:6.1%} {interval} of {row.n}")
    say(f"open {run.folder / 'index.html'}")


def trained(run: Run) -> list[str]:
    """The trainings whose models are shown."""
    return [s for s in TRAININGS if s in {WEIGHTS_FROM.get(m) for m in run.config["models"]}]


def is_headline(row: Row) -> bool:
    """Rows over all scenarios and all items."""
    return row.scenario == "all" and row.subset == "all"


def dense_headlines(dense: DenseResults | None) -> dict[str, float]:
    """The main figures over all dense items, by dataset, model and part."""
    if not dense:
        return {}
    return {
        f"grounding/{r.dataset}/{r.model}/{r.part}": r.value
        for r in dense.rows
        if r.level == ALL and r.metric in ("mIoU", "J&F") and r.dataset not in dense.simulated
    }


def heldout_baselines(
    train: list[Item], asked: list[Item], pictures: FrameStore, benchmark: str
) -> list[Row]:
    """Rows that need no model, of the synthesized items: guessers choose their rules on training items."""
    return [
        *chance_rows(asked, benchmark),
        *majority_rows(train, asked, benchmark),
        *always_none_rows(asked, benchmark),
        *guesser_rows(train, asked, pictures, benchmark),
    ]


def external_baselines(asked: list[Item], benchmark: str) -> list[Row]:
    """Rows that need no model, of a benchmark that nothing was trained on.

    Its most common answers are its own (an upper bound for a constant answer), and rejecting is an answer
    only where an item offers it.
    """
    rejectable = any(option.kind == "none" for item in asked for option in item.options)
    return [
        *chance_rows(asked, benchmark),
        *majority_rows(asked, asked, benchmark),
        *(always_none_rows(asked, benchmark) if rejectable else []),
    ]


def by_seed(run: Run, rows: list[Row], test: dict[str, list[Item]]) -> dict[int, Shares]:
    """Accuracies of the trained models by training seed, the experiment's own first; empty with it alone.

    Args:
        run: the report.
        rows: of the experiment's own seed.
        test: by benchmark, the items that the models were asked.
    """
    seeds: list[int] = run.config.get("seeds", [])
    models = trained_models(run.config["models"])
    if not seeds or not models:
        return {}
    out = {run.seed: overall(asdict(row) for row in rows if row.model in models)}
    for seed in seeds:
        scored: list[Row] = []
        for name, items in test.items():
            made = benchmark_answers(run, name, [with_seed(model, seed) for model in models])
            answers = dict(zip(models, made.values(), strict=True))
            for benchmark, asked, by_model in by_level(name, items, answers):
                for model, predictions in by_model.items():
                    scored += score(asked, predictions, model, benchmark)
        out[seed] = overall(map(asdict, scored))
    return out


def benchmark_answers(run: Run, benchmark: str, models: list[str]) -> Answers:
    """Predictions of these models on a benchmark."""
    out: Answers = {}
    for model in models:
        path = run.upstream(f"evaluate/{model}/{benchmark}").path("predictions.parquet")
        out[model] = read_records(path, Prediction)
    return out


def by_level(
    benchmark: str, asked: list[Item], by_model: Answers
) -> Iterator[tuple[str, list[Item], Answers]]:
    """A benchmark with its items and answers; one with levels is a benchmark per level."""
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


def judgement(run: Run) -> Judgement:
    """What the judge found."""
    made = read_json(run.upstream("judge").path("judge.json"))
    kinds = {"by_judge": ConsistencyRow, "by_rules": ConsistencyRow, "agreement": Agreement}
    return Judgement(**made | {key: tuple(kind(**row) for row in made[key]) for key, kind in kinds.items()})


def metrics(results: Results) -> dict[str, object]:
    """The content of ``metrics.json``: no times and no paths, so that equal runs give equal files.

    ``seeds`` is there only where trainings ran with several, ``grounding`` only where variants of TPO were
    evaluated, ``judge`` only where the page shows it.
    """
    seeds = [
        {"seed": seed, "benchmark": benchmark, "model": model, "accuracy": accuracy}
        for seed, shares in results.seeds.items()
        for (benchmark, model), accuracy in shares.items()
    ]
    return {
        "rows": [asdict(r) for r in results.rows],
        "comparisons": [asdict(c) for c in results.comparisons],
        "detectable": [asdict(p) for p in powers(results.rows, results.comparisons)],
        "harness": [asdict(r) for r in results.harness],
        "consistency": [asdict(r) for r in results.consistency],
        **({"seeds": seeds} if seeds else {}),
        **({"grounding": dense_metrics(results.dense)} if results.dense else {}),
        **({"judge": asdict(results.judge)} if results.judge else {}),
    }


def dense_metrics(dense: DenseResults) -> dict[str, object]:
    """Rows and comparisons of the dense items."""
    return {
        "simulated": dense.simulated,
        "rows": [asdict(r) for r in dense.rows],
        "comparisons": [asdict(c) for c in dense.comparisons],
    }


def gallery(
    items: dict[str, list[Item]], answers: dict[str, Answers], most: int, seed: int
) -> list[GalleryItem]:
    """Items with every model's answer: a random draw of each benchmark, benchmarks taking turns."""
    drawn = [benchmark_gallery(items[b], answers[b], most, seed) for b in items]
    turns = max((len(entries) for entries in drawn), default=0)
    return [entries[k] for k in range(turns) for entries in drawn if k < len(entries)][:most]


def benchmark_gallery(items: list[Item], answers: Answers, most: int, seed: int) -> list[GalleryItem]:
    """A random draw of test items, spread over tasks and scenarios, with every model's answer."""
    by_model = {m: {p.item_id: p for p in ps} for m, ps in answers.items()}
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


def shown_frames(run: Run, kinds: dict[str, str]) -> list[Path]:
    """Frame files of the items of all benchmarks, and of dense ones."""
    units = dict.fromkeys(["synthesize", *(benchmark_unit(b, kind) for b, kind in kinds.items())])
    units |= dict.fromkeys(["grounding"] if run.config.get("variants") else [])
    return [run.upstream(unit).path("frames.parquet") for unit in units]


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
    external = [b for b, kind in run.config["benchmarks"].items() if kind != "heldout"]
    return DataCard(
        counts,
        rejections,
        entries,
        [Tally(**row) for row in audit],
        [benchmark_entry(run, name) for name in external],
    )


def benchmark_entry(run: Run, name: str) -> BenchmarkEntry:
    """An external benchmark as its stage recorded it."""
    record = run.upstream(f"benchmark/{name}").record
    return {
        "name": name,
        "licence": record["facts"]["licence"],
        "citation": record["facts"]["citation"],
        "items": int(record["metrics"]["items"]),
        "pictures": int(record["metrics"]["pictures"]),
        "dropped": sum(record["counts"]["dropped"].values()),
    }


def training_seconds(run: Run) -> dict[str, float]:
    """Seconds that the last training of every model took."""
    stages = {m: WEIGHTS_FROM[m] for m in run.config["models"] if WEIGHTS_FROM.get(m) in trained(run)}
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
        "pixels": picture_budgets(units),
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


def picture_budgets(units: list[Upstream]) -> dict[str, list[str]]:
    """The stages by how many pixels they bring pictures to: training and evaluation side by side."""
    budgets: dict[str, list[str]] = {}
    for unit in units:
        model = unit.record["config"].get("model", {})
        if "dtype" in model and unit.unit != "base_model":  # what reads pictures with a local model
            low, high = model["min_pixels"], model["max_pixels"]
            stages = budgets.setdefault(f"{low:,}" if low == high else f"{low:,} to {high:,}", [])
            if stage_of(unit.unit) not in stages:
                stages.append(stage_of(unit.unit))
    return budgets


if __name__ == "__main__":
    main()
