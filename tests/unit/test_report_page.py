"""The report page, built from drawn pictures: complete, self-contained, escaped, the same twice."""

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tpru.errors import UpstreamError
from tpru.evaluation.consistency import consistency_rows
from tpru.evaluation.harness import harness_rows
from tpru.evaluation.judge import Agreement, Judgement
from tpru.evaluation.scoring import (
    Row,
    adjusted,
    always_none_rows,
    chance_rows,
    compare,
    majority_rows,
    powers,
    score,
)
from tpru.files import sha256_bytes
from tpru.records import NONE_OPTION, SCENARIOS, TASKS, Block, Item, Option, Prediction, Task
from tpru.reporting.figures import curve_figure, curve_panels, smooth
from tpru.reporting.gallery import GalleryItem
from tpru.reporting.page import DataCard, Provenance, ReportInputs, Results, build_page, duration, every_table
from tpru.reporting.reading_tables import power_table
from tpru.reporting.tables import bounds, filter_table, headline, overview, percent, points
from tpru.run import Upstream
from tpru.stages.report import metrics, picture_budgets
from tpru.store import FrameStore, encode_png, write_frames
from tpru.trajectories.filter_audit import Tally

ATTACK = "<think>look</think><script>alert('x')</script> & \"quoted\""
RESOURCE_ATTRIBUTES = {"src", "srcset", "data", "poster", "background", "xlink:href"}
LABELS = "ABCD"


def draw(number: int) -> bytes:
    image = Image.new("RGB", (400, 240), (200, 210, 220))
    ImageDraw.Draw(image).rectangle([4 * number, 40, 4 * number + 60, 120], fill=(180, 40, 40))
    return encode_png(image)


PICTURES = [draw(number) for number in range(12)]
IDS = [sha256_bytes(data) for data in PICTURES]


def make_item(number: int, task: Task, negative: bool) -> Item:
    shown = IDS[number % 8 : number % 8 + 4]
    prompt = [Block("text", f"Sort these & those.\n\nImage {LABELS[0]}:")]
    for position, frame_id in enumerate(shown):
        if position:
            prompt.append(Block("text", f"Image {LABELS[position]}:"))
        prompt.append(Block("image", frame_id))
    kind = "permutation" if task == "reordering" else "image"
    contents = ["ABCD", "BACD", "CABD", "DCBA"] if kind == "permutation" else shown
    options = [
        Option(letter, kind, text)  # type: ignore[arg-type]
        for letter, text in zip(LABELS, contents, strict=True)
    ]
    return Item(
        item_id=f"item-{number:03d}",
        task=task,
        split="test",
        scenario=SCENARIOS[number % 4],
        source="drawn",
        licence="CC0",
        family="",
        group=f"g{number // 2}",
        sequence_id=f"s{number}",
        trajectory_id=f"t{number}",
        caption="a red block moves",
        prompt=tuple(prompt),
        options=(*options, Option("E", "none", NONE_OPTION)),
        answer="E" if negative else LABELS[number % 4],
        is_negative=negative,
        negative_kind="withheld" if negative else "",
        reasoning="The block is furthest left in A.",
        shown=tuple(shown),
        order=(0, 1, 2, -1),
    )


ITEMS = [make_item(n, TASKS[n % 3], n % 5 == 0) for n in range(24)]


def answers(model: str, every: int) -> list[Prediction]:
    parsed = ["" if n % every == 0 else item.answer for n, item in enumerate(ITEMS)]
    return [
        Prediction(item.item_id, model, "drawn_test", ATTACK, p, p == item.answer, 9)
        for item, p in zip(ITEMS, parsed, strict=True)
    ]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> ReportInputs:
    return report_inputs(tmp_path_factory.mktemp("report"))


def report_inputs(folder: Path) -> ReportInputs:
    """Two models on drawn items, with everything that a page shows."""
    write_frames(folder / "frames.parquet", PICTURES)
    base, sft = answers("base_model", 2), answers("sft", 5)
    rows = [
        *score(ITEMS, base, "base_model", "drawn_test"),
        *score(ITEMS, sft, "sft", "drawn_test"),
        *chance_rows(ITEMS, "drawn_test"),
        *majority_rows(ITEMS[:9], ITEMS, "drawn_test"),
        *always_none_rows(ITEMS, "drawn_test"),
    ]
    provenance: Provenance = {
        "config": {"sft": "learning_rate: 1.0e-4 # <b>\n"},
        "versions": {"torch": "2.13.0"},
        "commit": "0123abc",
        "dirty": True,
        "command": "snakemake -c2",
        "pixels": {"7,056": ["sft", "evaluate"]},
        "stages": [
            {
                "stage": "sft",
                "started": "2026-01-01T00:00:00Z",
                "seconds": 75,
                "peak_memory_gb": 3.2,
            }
        ],
    }
    return ReportInputs(
        experiment="smoke",
        results=Results(
            rows,
            adjusted(compare(ITEMS, sft, base, "drawn_test", "sft", "base_model", n_resamples=200)),
            [
                *harness_rows(ITEMS, base, "base_model", "drawn_test"),
                *harness_rows(ITEMS, sft, "sft", "drawn_test"),
            ],
            [
                *consistency_rows(ITEMS, base, "base_model", "drawn_test"),
                *consistency_rows(ITEMS, sft, "sft", "drawn_test"),
            ],
        ),
        curves={
            "base_model": [],
            "sft": [{"step": step, "loss": 1 / step} for step in range(1, 21)],
            "grpo": [{"step": 1, "reward": 0.5, "accuracy/next_frame": 0.25}],
        },
        gallery=[GalleryItem(ITEMS[n], (("base_model", base[n]), ("sft", sft[n]))) for n in (0, 1)],
        frames=FrameStore([folder / "frames.parquet"]),
        data_card=DataCard(
            counts={"task": {"reordering": 8, "next_frame": 8}, "negative kind": {"": 19}},
            rejections={"drawn": {"near_duplicate": 31}},
            sources=[
                {
                    "name": "drawn",
                    "licence": "CC0",
                    "citation": "Nobody, 2026, https://example.org/paper",
                    "trajectories": 41,
                    "sequences": 83,
                }
            ],
            filter_audit=[Tally("near_duplicate", "gui", 80, 60, 64, 48, 20, 5)],
        ),
        contact_sheet=[("robot: a red block moves", IDS[:5])],
        provenance=provenance,
        seconds={"sft": 75.4},
    )


def with_rows(inputs: ReportInputs, rows: list[Row]) -> ReportInputs:
    """The same with other accuracies."""
    return dataclasses.replace(inputs, results=dataclasses.replace(inputs.results, rows=rows))


@pytest.fixture(scope="module")
def page(inputs: ReportInputs) -> str:
    return build_page(inputs)


class Reader(HTMLParser):
    """Collects tags with attributes, and checks that they are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_every_row_appears_with_its_interval_and_n(inputs: ReportInputs, page: str) -> None:
    lines = [re.sub(r"<[^>]+>", " ", line) for line in page.splitlines() if "<tr" in line]
    found = {" ".join(line.split()) for line in lines}
    for row in inputs.results.rows:
        right = f"{row.correct:.0f}" if row.correct.is_integer() else f"{row.correct:.1f}"
        interval = "exact" if row.model == "chance" else bounds(row.low, row.high)
        names = f"{row.model} {row.task} {row.scenario} {row.subset}".replace("_", " ")
        line = f"{names} {row.n} {right} {percent(row.accuracy)} {interval}"
        assert any(f.replace("_", " ").startswith(line) for f in found), line


def test_every_comparison_appears(inputs: ReportInputs, page: str) -> None:
    assert len(inputs.results.comparisons) == 4
    for comparison in inputs.results.comparisons:
        assert f"<td>{points(comparison.difference)}</td>" in page
        assert f"[{points(comparison.low)}, {points(comparison.high)}]" in page


def test_other_readings_and_what_follows_from_the_reasoning_appear(inputs: ReportInputs, page: str) -> None:
    # Of the answers of "sft" four in five hold a letter; the reasoning "look" concludes nothing.
    reading = next(r for r in inputs.results.harness if (r.model, r.harness) == ("sft", "lmms_eval"))
    assert f"{percent(reading.unresolved)} unread" in page
    assert f"0 of {len(ITEMS)} can be judged" in page
    (power,) = power_table(powers(inputs.results.rows, inputs.results.comparisons)).lines
    assert [c.main for c in power.cells[:2]] == [str(len(ITEMS)), "12"]
    assert "How small a difference these items can show" in page


def test_the_page_shows_the_judge_where_it_was_asked(inputs: ReportInputs, page: str) -> None:
    rows = tuple(inputs.results.consistency)
    counted = Agreement("sft", "drawn_test", 5, 4, 0.8, None, 2, 1, 3)
    found = Judgement("<big>", "drawn_test", 9, "Find & say.", rows, rows, (counted,))
    results = dataclasses.replace(inputs.results, judge=found)
    shown = build_page(dataclasses.replace(inputs, results=results))
    assert 'id="judge"' not in page
    section = shown[shown.index('<h2 id="judge">') :].partition("</section>")[0]
    for text in ("&lt;big&gt; read", "Find &amp; say.", "80.0%", "of 5", "3 / 1"):
        assert text in section
    titles = [title for title, _ in every_table(results)]
    assert "drawn_test: answers that follow from the reasoning, as a judge reads it" in titles
    assert metrics(results)["judge"] == dataclasses.asdict(found)
    assert "judge" not in metrics(inputs.results)


def test_training_seeds_have_a_section_of_their_own(inputs: ReportInputs, page: str) -> None:
    assert "Over training seeds" not in page
    seeds = {
        0: {("drawn_test", "sft"): 0.40, ("drawn_test", "<grpo>"): 0.44},
        7: {("drawn_test", "sft"): 0.30, ("drawn_test", "<grpo>"): 0.36},
        8: {("drawn_test", "sft"): 0.50, ("drawn_test", "<grpo>"): 0.58},
    }
    results = dataclasses.replace(inputs.results, seeds=seeds)
    seeded = build_page(dataclasses.replace(inputs, results=results))
    read(seeded)
    section = seeded.split('<h2 id="seeds">')[1].split("</section>")[0]
    words = ("seed 0", "0, 7, 8", "40.0%", "[15.2, 64.8] of 3 runs", "+6.0", "[+1.0, +11.0]", "&lt;grpo&gt;")
    assert [w for w in words if w not in section] == []
    # All else is of the experiment's own seed.
    link = '<a href="#seeds">Over training seeds</a>'
    assert seeded.replace(f'<section>\n<h2 id="seeds">{section}</section>\n\n', "").replace(link, "") == page
    titles = ["Accuracy over 3 training seeds", "Differences within a training seed"]
    added = [t for t in every_table(results) if t not in every_table(inputs.results)]
    assert [title for title, _ in added] == titles


def test_one_trained_model_has_no_differences_over_seeds(inputs: ReportInputs) -> None:
    seeds = {0: {("drawn_test", "sft"): 0.4}, 1: {("drawn_test", "sft"): 0.5}}
    results = dataclasses.replace(inputs.results, seeds=seeds)
    assert [t for t, _ in every_table(results) if "seed" in t] == ["Accuracy over 2 training seeds"]
    assert "Differences within" not in build_page(dataclasses.replace(inputs, results=results))


def test_nothing_is_loaded_from_outside(page: str) -> None:
    reader = read(page)
    assert [attributes for tag, attributes in reader.tags if tag == "script"] == [{}]
    assert not {"link", "iframe", "object", "embed", "base"} & {t for t, _ in reader.tags}
    for tag, attributes in reader.tags:
        for name in RESOURCE_ATTRIBUTES & attributes.keys():
            assert (attributes[name] or "").startswith(("data:", "#")), (tag, name)
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    assert re.findall(r"https?://[^\"<]*", page) == ["https://example.org/paper"] * 2


def test_model_output_is_escaped(page: str) -> None:
    assert page.count("<script") == 1
    assert "<script>\n// Tables sort" in page
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; " in page
    assert "# &lt;b&gt;" in page


def test_names_are_escaped_in_figures_too(inputs: ReportInputs) -> None:
    rows = [dataclasses.replace(r, model='<i x="$a$">') for r in inputs.results.rows if r.model == "sft"]
    page = build_page(dataclasses.replace(with_rows(inputs, rows), curves={'"><b>': inputs.curves["sft"]}))
    assert "<i x" not in page
    assert '"><b>' not in page
    read(page)


def test_gallery_shows_prompt_answer_and_verdicts(page: str) -> None:
    (first, second) = re.findall(r"<article>.*?</article>", page, flags=re.DOTALL)
    assert first.count("✗ unreadable") == 2
    assert second.count("✓ right") == 2
    assert "answer withheld" in first
    assert "Sort these &amp; those." in first
    assert re.search(r"<b>Image D:</b><span>elsewhere</span>", first)
    assert first.index("Sort these") < first.index("Image A:") < first.index("Image B:")
    assert f"E ✓ <span>{NONE_OPTION}</span>" in first


def test_pictures_are_small_jpegs(page: str) -> None:
    encoded = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    # 4 in each of two prompts, 4 options in the item that has picture options, 5 on the sheet
    assert len(encoded) == 8 + 4 + 5
    for text in encoded:
        with Image.open(io.BytesIO(base64.b64decode(text))) as image:
            assert image.format == "JPEG"
            assert max(image.size) <= 160


def test_data_card_and_provenance_are_there(page: str) -> None:
    for fact in ("CC0", "83", "near duplicate", "31", "0123abc", "uncommitted", "snakemake -c2"):
        assert fact in page
    for fact in ("torch 2.13.0", "1 min 15 s", "3.2 GB", "configuration of sft", "7,056 in sft, evaluate"):
        assert fact in page


def test_picture_budgets_stand_side_by_side() -> None:
    def unit(name: str, low: int, high: int, **model: str) -> Upstream:
        config = {"model": {"min_pixels": low, "max_pixels": high, **model}}
        return Upstream(name, Path(), {"config": config})

    units = [
        unit("processor", 1, 2),
        unit("sft", 3136, 7056, dtype="float32"),
        unit("sft_seed1", 3136, 7056, dtype="float32"),
        unit("evaluate/sft/heldout", 12544, 12544, dtype="float32"),
        Upstream("synthesize", Path(), {"config": {}}),
    ]
    assert picture_budgets(units) == {"3,136 to 7,056": ["sft"], "12,544": ["evaluate"]}


def test_the_page_shows_what_the_filter_made_of_planted_defects(inputs: ReportInputs, page: str) -> None:
    (line,) = filter_table(inputs.data_card.filter_audit).lines
    assert line.label == "near duplicate"
    assert [cell.main for cell in line.cells] == ["gui", "25.0%", "75.0%", "75.0%"]
    assert [cell.detail[-4:] for cell in line.cells[1:]] == ["n 20", "n 80", "n 64"]
    assert "[64.5, 83.2]" in line.cells[2].detail
    section = page.split("Key-frame filter on planted defects")[1].split("</table>")[0]
    for cell in line.cells:
        assert cell.main in section
        assert cell.detail in section
    without = dataclasses.replace(inputs, data_card=dataclasses.replace(inputs.data_card, filter_audit=[]))
    assert "planted defects" not in build_page(without)


def test_page_is_the_same_twice(inputs: ReportInputs, page: str) -> None:
    assert build_page(inputs) == page


def test_page_without_results_still_builds(inputs: ReportInputs) -> None:
    empty = dataclasses.replace(
        inputs, results=Results([], [], [], []), curves={}, gallery=[], contact_sheet=[], seconds={}
    )
    page = build_page(empty)
    read(page)
    assert "No model was evaluated." in page


def test_two_benchmarks_get_their_own_tables(inputs: ReportInputs) -> None:
    more = [dataclasses.replace(row, benchmark="other") for row in inputs.results.rows]
    page = build_page(with_rows(inputs, inputs.results.rows + more))
    assert page.count("<h3>By task</h3>") == 2
    assert "items of other" in page


def test_the_overview_has_a_line_per_model_and_a_column_per_benchmark(inputs: ReportInputs) -> None:
    harder = [
        dataclasses.replace(row, benchmark="heldout L3", accuracy=row.accuracy / 2)
        for row in inputs.results.rows
        if row.model != "base_model"
    ]
    table = overview([*inputs.results.rows, *harder], {"sft": 75.4})
    assert table.head == ("model", "drawn_test", "heldout L3", "last training")
    lines = {line.label: line for line in table.lines}
    assert list(lines) == ["base_model", "sft", "chance", "majority", "always_none"]
    assert [line.baseline for line in table.lines] == [False, False, True, True, True]
    base, sft = lines["base_model"].cells, lines["sft"].cells
    assert [c.main for c in base] == ["50.0%", "\N{EN DASH}", "\N{EN DASH}"]
    total = next(
        r for r in inputs.results.rows if (r.model, r.task, r.scenario, r.subset) == ("sft", *["all"] * 3)
    )
    assert [c.main for c in sft] == [percent(total.accuracy), percent(total.accuracy / 2), "75 s"]
    assert sft[0].detail == f"{bounds(total.low, total.high)}\N{EN SPACE}n 24"
    assert [len(line.cells) for line in table.lines] == [3] * 5


def test_the_overview_of_nothing_is_empty() -> None:
    assert overview([], {}).lines == ()


def test_the_page_shows_the_overview_before_several_benchmarks(inputs: ReportInputs, page: str) -> None:
    assert 'id="overview"' not in page  # one benchmark is its own overview
    more = [dataclasses.replace(row, benchmark="heldout L2") for row in inputs.results.rows]
    both = build_page(with_rows(inputs, inputs.results.rows + more))
    read(both)
    assert both.count('id="overview"') == 1
    assert both.index('id="overview"') < both.index("<td>75 s</td>") < both.index("<h3>By task</h3>")
    assert both.index("last training") < both.index("<h3>By task</h3>")


def test_missing_picture_is_an_upstream_error(inputs: ReportInputs) -> None:
    with pytest.raises(UpstreamError, match="in no frames"):
        build_page(dataclasses.replace(inputs, contact_sheet=[("lost", ["0" * 64])]))


def test_headline_names_models_intervals_and_baselines(inputs: ReportInputs) -> None:
    sentence = headline(inputs.results.rows, "drawn_test")
    assert sentence.startswith("Of the 24 items of drawn_test, base_model answers 50.0% [30.4, 69.6]")
    assert "guessing gives 20.0%" in sentence
    assert headline([], "x") == "No model was evaluated on x."


def test_curves_of_one_record_and_of_broken_numbers() -> None:
    assert "<svg" in curve_figure("sft", [{"step": 1, "loss": 2.0}])
    assert curve_figure("sft", [{"step": 1, "loss": float("nan")}]) == ""
    assert curve_figure("sft", []) == ""


def test_curve_panels_have_units_and_known_metrics_first() -> None:
    panels = curve_panels([{"step": 1, "zeal": 1.0, "accuracy/next_frame": 0.5, "loss": 1.0}])
    assert [p.title for p in panels] == ["Loss", "Accuracy, next frame", "zeal"]
    assert all(panel.unit for panel in panels)


def test_the_curve_on_held_out_items_has_points_of_its_own() -> None:
    records = [
        {"step": 0, "held_out_accuracy": 0.2},
        *({"step": step, "loss": 1 / step} for step in range(1, 5)),
        {"step": 4, "held_out_accuracy": 0.4},
    ]
    panels = {p.title: p for p in curve_panels(records)}
    assert set(panels) == {"Loss", "Held-out items"}
    assert "<svg" in curve_figure("sft", records)


def test_smoothing_keeps_few_values_and_the_mean_of_a_constant() -> None:
    assert smooth([1.0, 5.0, 2.0]) == [1.0, 5.0, 2.0]
    assert smooth([2.0] * 50) == [2.0] * 50
    assert smooth([0.0] * 4 + [3.0] + [0.0] * 4) == [0, 0, 0, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(("seconds", "text"), [(0.26, "0.3 s"), (75, "1 min 15 s"), (7260, "2 h 01 min")])
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
