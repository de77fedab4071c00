"""The report: one HTML file that needs nothing else, the same for the same inputs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

import jinja2
from markupsafe import Markup

from tpru.evaluation.consistency import ConsistencyRow
from tpru.evaluation.harness import HarnessRow
from tpru.evaluation.judge import Judgement
from tpru.evaluation.scoring import Comparison, Row, powers
from tpru.grounding.results import DenseResults
from tpru.reporting import figures, tables
from tpru.reporting.dense import dense_view
from tpru.reporting.dense_examples import DenseExample
from tpru.reporting.dense_tables import every_dense_table
from tpru.reporting.gallery import GalleryItem, gallery_view, thumbnails
from tpru.reporting.published import Published
from tpru.reporting.published import tables as papers
from tpru.reporting.published.gains import gains
from tpru.reporting.reading_tables import JUDGED, consistency_table, harness_table, judge_table, power_table
from tpru.reporting.seeds import Shares, over_seeds
from tpru.store import FrameStore
from tpru.trajectories.filter_audit import Tally

SHEET_SIDE = 128


class SourceEntry(TypedDict):
    """A source of trajectories as the data card names it."""

    name: str
    licence: str
    citation: str
    trajectories: int
    sequences: int


class BenchmarkEntry(TypedDict):
    """An external benchmark as the data card names it; ``dropped`` questions were not asked."""

    name: str
    licence: str
    citation: str
    items: int
    pictures: int
    dropped: int


class StageRun(TypedDict):
    """When a stage ran (ISO time), for how long, and its peak memory."""

    stage: str
    started: str
    seconds: float
    peak_memory_gb: float


class Provenance(TypedDict):
    """What was run: resolved configuration per stage as YAML, versions, commit and times; ``pixels`` names by
    budget of pixels the stages that showed pictures to a model."""

    config: dict[str, str]
    versions: dict[str, str]
    commit: str
    dirty: bool
    command: str
    pixels: dict[str, list[str]]
    stages: list[StageRun]


@dataclass(frozen=True)
class DataCard:
    """What the items are made of.

    ``counts`` maps what is counted (source, scenario, task, split, letter, negative kind) to counts
    by name; ``rejections`` maps a source to counts by reason. ``filter_audit`` says what the key-frame filter
    made of planted defects.
    """

    counts: dict[str, dict[str, int]]
    rejections: dict[str, dict[str, int]]
    sources: list[SourceEntry]
    filter_audit: list[Tally]
    benchmarks: list[BenchmarkEntry] = field(default_factory=list)


@dataclass(frozen=True)
class Results:
    """What was measured: accuracies, differences, other readings of the same completions, consistency.

    ``seeds`` maps training seeds, the experiment's own first, to the accuracies of the models trained with
    them; empty where there is no further one. ``dense`` is there where variants of TPO were evaluated,
    ``judge`` where the page is to show it.
    """

    rows: list[Row]
    comparisons: list[Comparison]
    harness: list[HarnessRow]
    consistency: list[ConsistencyRow]
    seeds: dict[int, Shares] = field(default_factory=dict)
    dense: DenseResults | None = None
    judge: Judgement | None = None


@dataclass(frozen=True)
class ReportInputs:
    """Everything the page shows.

    ``curves`` maps a stage to its logged records, each with a "step" beside its metrics.
    ``contact_sheet`` holds titles with the frame ids of a sequence in time order. ``seconds`` is how long
    the last training of each model took. ``dense_examples`` are shown where the results have ``dense``.
    """

    experiment: str
    results: Results
    curves: dict[str, list[dict[str, float]]]
    gallery: list[GalleryItem]
    frames: FrameStore
    data_card: DataCard
    contact_sheet: list[tuple[str, list[str]]]
    provenance: Provenance
    seconds: dict[str, float]
    dense_examples: list[DenseExample] = field(default_factory=list)


@dataclass(frozen=True)
class BesideView:
    """A published table with the run's own figures in it, and what its gains can show."""

    table: Published
    figures: tables.Table
    summary: str
    gains: tables.Table


@dataclass(frozen=True)
class BenchmarkView:
    """The figure and the tables of one benchmark."""

    name: str
    headline: str
    figure: Markup
    by_task: tables.Table
    by_scenario: tables.Table
    answerability: tables.Table
    comparisons: tables.Table
    harness: tables.Table
    consistency: tables.Table
    every_row: tables.Table


def build_page(inputs: ReportInputs) -> str:
    """The whole report as HTML.

    Raises:
        UpstreamError: a picture of the gallery or the contact sheet is in none of the frame files.
    """
    return render("page.html.j2", _view(inputs))


def every_table(results: Results) -> list[tuple[str, tables.Table]]:
    """The tables of the page with titles, for ``tables.md`` and ``tables.tex``: no times and no paths."""
    rows = results.rows
    out = [("All benchmarks", tables.overview(rows, {}))]
    for name in tables.distinct(row.benchmark for row in rows):
        out += [
            (f"{name}: by task", tables.accuracy_by_task(rows, name)),
            (f"{name}: by scenario", tables.accuracy_by_scenario(rows, name)),
            (f"{name}: answerable and unanswerable items", tables.answerability(rows, name)),
            (f"{name}: paired comparisons", tables.comparison_table(results.comparisons, name)),
            (
                f"{name}: as other harnesses read it",
                harness_table(results.harness, name),
            ),
            (f"{name}: answers that follow from the reasoning", consistency_table(results.consistency, name)),
        ]
    if results.judge:
        out.append((f"{results.judge.benchmark}: {JUDGED}", judge_table(results.judge)))
    out.append(("Smallest differences that are found", power_table(powers(rows, results.comparisons))))
    out += _over_seeds(results)
    for view in _beside(rows):
        out += [
            (f"{view.table.title}: published figures below our own", view.figures),
            (f"{view.table.title}: published gains", view.gains),
        ]
    if results.dense:
        out += every_dense_table(results.dense, results.comparisons)
    return [(title, table) for title, table in out if table.lines]


def _over_seeds(results: Results) -> list[tuple[str, tables.Table]]:
    return over_seeds([*results.seeds.values()], "training seed")


def _beside(rows: Sequence[Row]) -> list[BesideView]:
    found = [(table, gains(table)) for table in papers.evaluated(rows)]
    return [
        BesideView(table, papers.figures(table, rows), papers.summary(g), papers.gain_table(g))
        for table, g in found
    ]


def render(template: str, values: dict[str, Any]) -> str:
    """A template of this package with its values in place, which are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tpru.reporting", ""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["duration"] = duration
    environment.filters["counts"] = tables.counts
    environment.filters["plain"] = tables.plain
    return environment.get_template(template).render(values) + "\n"


def duration(seconds: float) -> str:
    """Seconds as the two largest of hours, minutes and seconds."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _view(inputs: ReportInputs) -> dict[str, Any]:
    rows, dense = inputs.results.rows, inputs.results.dense
    curves = [(s, Markup(figures.curve_figure(s, r))) for s, r in inputs.curves.items()]
    return {
        "experiment": inputs.experiment,
        "benchmarks": [
            _benchmark(inputs.results, name) for name in tables.distinct(r.benchmark for r in rows)
        ],
        "overview": tables.overview(rows, inputs.seconds),
        "power": power_table(powers(rows, inputs.results.comparisons)),
        "judge": inputs.results.judge,
        "judged": judge_table(inputs.results.judge) if inputs.results.judge else None,
        "seeds": [*inputs.results.seeds],
        "over_seeds": _over_seeds(inputs.results),
        "beside": _beside(rows),
        "intervals": papers.INTERVALS,
        "verdicts": papers.VERDICTS,
        "dense": dense_view(dense, inputs.results.comparisons, inputs.dense_examples, inputs.frames)
        if dense
        else None,
        "curves": [(stage, figure) for stage, figure in curves if figure],
        "gallery": gallery_view(inputs.gallery, inputs.frames),
        "card": inputs.data_card,
        "rejections": tables.rejection_table(inputs.data_card.rejections),
        "filter_audit": tables.filter_table(inputs.data_card.filter_audit),
        "sheet": _sheet(inputs.contact_sheet, inputs.frames),
        "provenance": inputs.provenance,
    }


def _benchmark(results: Results, name: str) -> BenchmarkView:
    rows = results.rows
    return BenchmarkView(
        name=name,
        headline=tables.headline(rows, name),
        figure=Markup(figures.accuracy_figure(rows, name)),
        by_task=tables.accuracy_by_task(rows, name),
        by_scenario=tables.accuracy_by_scenario(rows, name),
        answerability=tables.answerability(rows, name),
        comparisons=tables.comparison_table(results.comparisons, name),
        harness=harness_table(results.harness, name),
        consistency=consistency_table(results.consistency, name),
        every_row=tables.every_row(rows, name),
    )


def _sheet(sheet: Sequence[tuple[str, Sequence[str]]], frames: FrameStore) -> list[tuple[str, list[str]]]:
    uris = thumbnails(frames, (i for _, ids in sheet for i in ids), SHEET_SIDE)
    return [(title, [uris[i] for i in ids]) for title, ids in sheet]
