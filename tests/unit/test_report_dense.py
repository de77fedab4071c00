"""Dense supervision in the report: its section, tables, drawn examples, and what machines read of it."""

import base64
import dataclasses
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.unit.dense_report import SIMULATED, TEST, TRAIN, answers, pictures, variant
from tests.unit.grounding_builders import masked, moment_item, moments
from tests.unit.test_report_page import IDS, read, report_inputs
from tpru.config.schema import ReportConfig
from tpru.errors import UpstreamError
from tpru.evaluation.scoring import Comparison
from tpru.grounding.records import GroundingItem, GroundingPrediction, Region
from tpru.grounding.results import DenseRow, dense_results
from tpru.reporting.dense_examples import PREDICTED, SIDE, TRUTH, drawn, time_bar
from tpru.reporting.dense_tables import every_dense_table, part_tables, published_figures, temporal_table
from tpru.reporting.page import ReportInputs, build_page, every_table
from tpru.reporting.published import published_tpo
from tpru.reporting.tables import MINUS, bounds, percent, points
from tpru.stages.report import dense_headlines, metrics
from tpru.stages.report_dense import dense_examples, dense_inputs, score_dense
from tpru.store import FrameStore, read_records, write_records

RESULTS = dense_results(TRAIN, TEST, answers(TEST), SIMULATED, n_resamples=200)


def compared(a: str, b: str, difference: float, benchmark: str = "heldout L1") -> Comparison:
    ends = {"low": difference - 0.05, "high": difference + 0.02, "p_value": 0.01, "p_adjusted": 0.04}
    counts = {"n": 50, "only_a": 6, "only_b": 1, "effect": 1.0, "detectable": 0.1}
    return Comparison(
        **ends, **counts, difference=difference, benchmark=benchmark, task="all", model_a=a, model_b=b
    )


PAIRED = [compared("tpo", "base", 0.1), compared("sft", "sft_from_tpo", 0.03), compared("grpo", "sft", 0.2)]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ReportInputs:
    return report_inputs(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory, plain: ReportInputs) -> ReportInputs:
    """The page of the other tests with variants of TPO."""
    folder = tmp_path_factory.mktemp("dense")
    report_inputs(folder)
    return with_dense(plain, folder)


def with_dense(plain: ReportInputs, folder: Path) -> ReportInputs:
    comparisons = [*plain.results.comparisons, *PAIRED]
    return dataclasses.replace(
        plain,
        results=dataclasses.replace(plain.results, dense=RESULTS, comparisons=comparisons),
        frames=FrameStore([folder / "frames.parquet", pictures(folder)]),
        dense_examples=dense_examples(TEST, answers(TEST), 4, 0),
    )


@pytest.fixture(scope="module")
def page(dense: ReportInputs) -> str:
    return build_page(dense)


def section(page: str) -> str:
    return page.split('<h2 id="dense">')[1].split("</section>")[0]


def test_a_page_without_variants_has_nothing_of_it(plain: ReportInputs, dense: ReportInputs) -> None:
    page = build_page(dataclasses.replace(dense, results=plain.results))
    assert [word for word in ("dense", "TPO", "2412.19326", "grounding") if word in page] == []
    assert "grounding" not in metrics(plain.results)
    assert not [title for title, _ in every_table(plain.results) if "Dense" in title]


def test_the_rest_of_the_page_is_as_it_was(page: str, dense: ReportInputs) -> None:
    read(page)
    assert build_page(dense) == page
    assert page.count('<a href="#dense">') == 1
    assert page.index('id="accuracy"') < page.index('id="dense"') < page.index('id="data"')
    assert re.findall(r"(?:src|href)=\"(?!data:|#|https://example)[^\"]*\"", page) == []


def test_every_shown_figure_has_its_interval_and_n(page: str) -> None:
    words = " ".join(re.sub(r"<[^>]+>", " ", section(page)).split())
    shown = [row for row in RESULTS.rows if row.dataset == "all" and row.metric in ("mIoU", "J&F", "R1@0.5")]
    assert len(shown) > 40
    for row in shown:
        assert f"{percent(row.value)} {bounds(row.low, row.high)} n {row.n}" in words
    for title in ("Moments", "Boxes", "Masks", "Tracked masks", "Moments, L1", "Boxes, by source"):
        assert f">{title}<" in section(page)
    assert "Moments, charades_sta" in section(page)


def test_the_tables_of_a_part() -> None:
    tables = dict(part_tables(RESULTS, "tracked"))
    assert list(tables) == [
        *("Tracked masks, all levels", "Tracked masks, L1", "Tracked masks, L3", "Tracked masks, by source")
    ]
    table = tables["Tracked masks, all levels"]
    assert table.head[:3] == ("model", "J&F", "AO")
    assert table.head[-1] == "task recognised"
    names = ["full", "tasks", "text", "guess_constant", "guess_words", "guess_stay"]
    assert [(line.label, line.baseline) for line in table.lines] == [(n, n[0] == "g") for n in names]
    assert [line.cells[-1].main for line in table.lines] == ["100.0%", "12.5%", "25.0%", *["\N{EN DASH}"] * 3]
    by_source = tables["Tracked masks, by source"]
    assert by_source.head == ("model", "robot, J&F", "gui, J&F")
    # right on the item with the number 0 alone, one of the four of "robot"
    assert [cell.main for cell in by_source.lines[1].cells] == ["25.0%", "0.0%"]


def test_every_comparison_is_in_its_table(page: str) -> None:
    assert {c.question for c in RESULTS.comparisons} == {"together", "guessers", "choices"}
    text = section(page)
    for c in RESULTS.comparisons:
        interval = f"<td>[{points(c.low)}, {points(c.high)}]</td>"
        name = f'<th scope="row">{c.model_a} {MINUS} {c.model_b}</th>'
        lines = [line for line in text.splitlines() if name in line and interval in line]
        assert any(f"<td>{c.verdict}</td>" in line for line in lines), c


def test_temporal_pairs_are_the_evaluated_ones_the_right_way_round() -> None:
    lines = temporal_table(PAIRED).lines
    assert [line.label for line in lines] == [f"tpo {MINUS} base", f"sft_from_tpo {MINUS} sft"]
    assert [c.main for c in lines[0].cells[:3]] == ["heldout L1", "+10.0", "[+5.0, +12.0]"]
    # the run lists sft last, so that it was compared the other way round
    assert [c.main for c in lines[1].cells[1:3]] == [f"{MINUS}3.0", f"[{MINUS}5.0, +2.0]"]
    assert temporal_table([compared("grpo", "base", 0.1)]).lines == ()


def test_published_figures_stand_below_ours() -> None:
    ablations, grounding, *_ = published_tpo()
    table = published_figures(ablations, RESULTS)
    lines = {line.label: line for line in table.lines}
    assert [label for label, line in lines.items() if not line.baseline] == [
        *("full", "temporal", "tasks", "text", "region")
    ]
    # the public dataset comes before the simulators
    assert lines["temporal"].cells[0].main == "87.5%"
    assert "simulators" not in lines["temporal"].cells[0].detail
    assert lines["region"].cells[1].detail.endswith("n 8\N{EN SPACE}simulators")
    assert lines["all three and conversation"].cells[0].main == "40.2%"
    assert [line.label for line in published_figures(grounding, RESULTS).lines if not line.baseline] == [
        *("full", "temporal", "tasks", "text")
    ]


@pytest.mark.parametrize("table", published_tpo(), ids=lambda table: table.benchmark)
def test_published_tables_are_complete(table: Any) -> None:
    assert all(len(values) == len(table.columns) for values in table.rows.values())
    assert {model for pair in table.gains for model in pair} <= set(table.rows)
    assert set(table.measures) <= set(table.columns)
    assert "Data and model differ" in table.notes[0]
    known = {(row.part, row.metric) for row in RESULTS.rows} | {("temporal", "HIT@1"), ("temporal", "HL-mAP")}
    assert {tuple(measure[:2]) for measure in table.measures.values()} <= known


def test_titled_tables_go_to_the_files(dense: ReportInputs) -> None:
    titles = [title for title, _ in every_table(dense.results)]
    assert "Dense supervision: Moments, all levels" in titles
    assert "Dense supervision: What dense supervision does to the temporal tasks" in titles
    assert "Dense supervision: TPO, general benchmarks: published gains" in titles
    assert len(set(titles)) == len(titles)
    assert all(len(line.cells) + 1 == len(t.head) for _, t in every_table(dense.results) for line in t.lines)
    assert len(every_dense_table(RESULTS, [])) > 20


# The examples.


def test_examples_are_drawn_by_seed_and_have_the_first_variant_of_the_task() -> None:
    given = {**answers(TEST)}
    given = {"temporal": given.pop("temporal"), **given}
    drawn_once = dense_examples(TEST, given, 4, 0)
    assert [e.item.task for e in drawn_once] == ["temporal"] * 4 + ["region"] * 4 + ["mask"] * 4
    assert {e.prediction.model for e in drawn_once} == {"temporal", "full"}
    assert drawn_once == dense_examples(TEST, given, 4, 0)
    assert drawn_once != dense_examples(TEST, given, 4, 1)
    assert {e.score for e in drawn_once if e.prediction.model == "full"} == {1.0}


def test_examples_are_small_pictures_with_words(page: str) -> None:
    text = section(page).split("<h3>Examples</h3>")[1]
    encoded = re.findall(r"data:image/jpeg;base64,([^\"]+)", text)
    assert len(encoded) >= 12
    for one in encoded:
        with Image.open(io.BytesIO(base64.b64decode(one))) as image:
            assert max(image.size) == SIDE
    assert text.count('class="bar-of-time"') == 4
    assert len(re.findall(r">100\.0% (IoU|J&amp;F)<", text)) == 12
    assert "the red cube" in text


def colours(picture: Image.Image, colour: tuple[int, int, int]) -> Any:
    """Where a picture has exactly this colour, (height, width)."""
    return (np.asarray(picture) == colour).all(-1)


def test_boxes_and_contours_lie_where_they_belong() -> None:
    grey = Image.new("RGB", (40, 20), (90, 90, 90))
    both = drawn(grey, Region(0, (0.0, 0.0, 0.5, 1.0)), Region(0, (1.0, 0.5, 0.75, 0.0)))
    assert both.size == (SIDE, SIDE // 2)
    truth, predicted = colours(both, TRUTH), colours(both, PREDICTED)
    assert (truth.any(0).nonzero()[0].min(), truth.any(0).nonzero()[0].max()) == (0, SIDE // 2)
    # drawn although its ends are the wrong way round
    assert predicted.any(0).nonzero()[0].min() == SIDE * 3 // 4
    assert not truth[SIDE // 4, SIDE // 4]  # an outline, not an area
    mask = drawn(grey, masked(0, (0.0, 0.0, 0.5, 1.0)), None)
    rim = colours(mask, TRUTH)
    assert rim[:, :3].all()
    assert rim[:, SIDE // 2 - 2].all()
    assert not rim[10:-10, 10 : SIDE // 2 - 10].any()
    assert not rim[:, SIDE // 2 + 1 :].any()
    assert not colours(drawn(grey, Region(0, ()), None), TRUTH).any()


def test_the_time_bar_shows_truth_and_the_best_moment() -> None:
    item = moment_item("t", (2.0, 4.0), (6.0, 8.0))
    bar = time_bar(item, moments("t", (4.0, 12.0), (0.0, 1.0)))
    assert bar.count('class="truth"') == 2
    assert '<rect class="truth" x="25.00" y="1" width="25.00"' in bar
    # beyond the end of the clip there is nothing
    assert bar.count('class="predicted"') == 1
    assert '<rect class="predicted" x="50.00" y="9" width="50.00"' in bar
    assert "truth 2.0 to 4.0 s; 6.0 to 8.0 s, predicted 4.0 to 12.0 s, of 8.0 s" in bar
    assert "predicted none" in time_bar(item, GroundingPrediction("t", "m", False))


def test_words_of_items_are_escaped(dense: ReportInputs) -> None:
    first = dense.dense_examples[0]
    odd = dataclasses.replace(first.item, query="<script>alert(1)</script>", frames=IDS[:4])
    page = build_page(dataclasses.replace(dense, dense_examples=[dataclasses.replace(first, item=odd)]))
    assert page.count("<script") == 1
    read(page)


def test_a_lost_picture_is_an_upstream_error(dense: ReportInputs, plain: ReportInputs) -> None:
    with pytest.raises(UpstreamError, match="in no frames"):
        build_page(dataclasses.replace(dense, frames=plain.frames))


# What the stage reads and writes.


def stage_run(folder: Path, variants: Sequence[str]) -> Any:
    """As much of a run as reading takes: finished units below a folder."""
    write_records(folder / "grounding" / "grounding.parquet", GroundingItem, [*TRAIN, *TEST])
    for name, (made, predictions) in answers(TEST).items():
        path = folder / "evaluate_heads" / name / "predictions.parquet"
        write_records(path, GroundingPrediction, predictions)
        (path.parent / "run.json").write_text(json.dumps({"config": {"variant": made.model_dump()}}))

    def upstream(unit: str) -> Any:
        record = folder / unit / "run.json"
        return SimpleNamespace(
            path=lambda name: folder / unit / name,
            record=json.loads(record.read_text()) if record.exists() else {},
        )

    config: dict[str, Any] = {"sources": list(SIMULATED), "models": [], "benchmarks": {}}
    if variants:
        config["variants"] = list(variants)
    return SimpleNamespace(config=config, upstream=upstream, seed=0)


def test_the_stage_reads_items_and_answers_and_writes_every_row(tmp_path: Path, plain: ReportInputs) -> None:
    names = list(answers(TEST))
    run = stage_run(tmp_path, names)
    found = dense_inputs(run)
    assert found is not None
    assert (found.train, found.test, list(found.answers)) == (TRAIN, TEST, names)
    assert found.answers["text"][0] == variant(
        "temporal", "region", "mask", conversation=True, answers="text"
    )
    config = ReportConfig(
        version=1,
        gallery_items=1,
        contact_sheet_sequences=1,
        confidence=0.95,
        bootstrap_samples=200,
        judge=False,
    )
    results = score_dense(run, found, config)
    assert results == RESULTS
    write_records(tmp_path / "grounding.parquet", DenseRow, results.rows)
    assert read_records(tmp_path / "grounding.parquet", DenseRow) == results.rows
    whole: Any = metrics(dataclasses.replace(plain.results, dense=results))["grounding"]
    assert json.loads(json.dumps(whole))["simulated"] == ["robot", "gui"]
    assert (len(whole["rows"]), len(whole["comparisons"])) == (len(results.rows), len(results.comparisons))
    headlines = dense_headlines(results)
    assert headlines["grounding/all/tasks/mask"] == 1 / 8
    assert headlines["grounding/charades_sta/temporal/temporal"] == 7 / 8
    assert not [name for name in headlines if "robot" in name]


def test_without_variants_nothing_is_read(tmp_path: Path) -> None:
    run = stage_run(tmp_path, [])
    run.upstream = None
    assert dense_inputs(run) is None
    assert dense_headlines(None) == {}
