"""Published figures: free of typing errors as far as they check each other, and what their n can show."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import REPOSITORY
from tpru.evaluation.scoring import CHANCE, Row
from tpru.evaluation.statistics import wilson_interval
from tpru.reporting.published import OVERALL, Published, own_row, published
from tpru.reporting.published.gains import Gain, estimate, gains, least_p, p_value
from tpru.reporting.published.tables import document, evaluated, figures, gain_table, summary

TABLES = {table.title: table for table in published()}
LEGO, MUIR, SEED = TABLES["LEGO-Puzzles"], TABLES["MuirBench"], TABLES["SEED-Bench-R1"]
DOMAINS = TABLES["SEED-Bench-R1, level 3 by domain"]

# Figures that are printed so and are no rounded share of their items; by how many points at most.
UNEVEN = {
    ("TPRU-Test", "Gemini-2.5-Flash", "TPRU-Test"): 0.075,
    ("TPRU-Test", "TPRU-32B", "TPRU-Test"): 0.016,
    (DOMAINS.title, "Qwen2-VL-7B", "Hobbies"): 0.1,
    (DOMAINS.title, "Qwen2.5-VL-3B + SFT", "Recreation"): 0.2,
    (DOMAINS.title, "Qwen2.5-VL-7B + SFT", "Work"): 0.09,
}
UNEVEN_OVERALLS = {"Qwen2.5-VL-3B + SFT": 33.9, "Qwen2.5-VL-7B + SFT": 39.8}
# Two decimals of arXiv 2503.24376, whose rows arXiv 2506.07464 prints with one.
TWO_DECIMALS = {
    "Qwen2-VL-7B": (34.79, 34.02, 31.57),
    "Qwen2-VL-7B + SFT": (43.79, 44.10, 38.15),
    "Qwen2-VL-7B + GRPO": (46.01, 50.16, 44.89),
}


def row(benchmark: str, task: str, correct: float, n: int, model: str = "grpo", scenario: str = "all") -> Row:
    interval = wilson_interval(round(correct), n)
    return Row(
        model,
        benchmark,
        task,
        scenario,
        "all",
        n,
        float(correct),
        correct / n,
        interval.low,
        interval.high,
        0,
        n,
    )


# The data.


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_every_figure_is_a_share_of_its_items(table: Published) -> None:
    # papers round, round twice (36.348, 36.35, 36.4), or cut off the second decimal
    usual = {0: 0.0, 1: 0.0551, 2: 0.0101}[table.decimals]
    for model, (column, n) in product(table.rows, table.columns.items()):
        figure = table.rows[model][table.names.index(column)]
        if figure is None or n is None or (model.startswith("InternVL3") and table.benchmark == "general"):
            continue
        most = UNEVEN.get((table.title, model, column), usual)
        assert abs(100 * round(figure * n / 100) / n - figure) <= most, (model, column)


@pytest.mark.parametrize("table", [t for t in TABLES.values() if t.overall != "none"], ids=lambda t: t.title)
def test_every_overall_follows_from_its_columns(table: Published) -> None:
    checked = 0
    for model, values in table.rows.items():
        figures = [value for value in values if value is not None]
        if len(figures) < len(values):
            continue
        if table.overall == "mean":
            value = math.fsum(figures[:-1]) / len(table.columns)
        else:
            sizes = [n for n in table.columns.values() if n is not None]
            right = sum(round(f * n / 100) for f, n in zip(figures, sizes, strict=False))
            value = 100 * right / sum(sizes)
        printed = UNEVEN_OVERALLS.get(model, figures[-1]) if table is DOMAINS else figures[-1]
        assert f"{value:.{max(1, table.decimals)}f}" == f"{printed:.{max(1, table.decimals)}f}", model
        checked += 1
    assert checked >= 3


def test_rounded_figures_agree_with_those_of_more_digits() -> None:
    for model, values in TWO_DECIMALS.items():
        # 38.15 became 38.2
        assert all(abs(a - b) <= 0.0501 for a, b in zip(values, SEED.rows[model], strict=True) if b)


def test_levels_and_their_domains_agree() -> None:
    for model, values in DOMAINS.rows.items():
        assert values[-1] == SEED.rows[model][-1]


def test_sizes_are_those_of_the_benchmarks() -> None:
    assert sum(n or 0 for n in MUIR.columns.values()) == 2600
    assert sum(n or 0 for n in DOMAINS.columns.values()) == SEED.columns["L3"] == 1321
    assert len(LEGO.columns) == 11


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_rows_are_complete_and_gains_name_rows(table: Published) -> None:
    assert all(len(values) == len(table.names) for values in table.rows.values())
    assert {model for pair in table.gains for model in pair} <= set(table.rows)
    assert "arXiv" in table.source


# Intervals and tests.


def test_one_group_has_the_wilson_interval() -> None:
    value, interval = estimate([(1.0, 9, 64)])
    assert value == 9 / 64
    wilson = wilson_interval(9, 64)
    assert (interval.low, interval.high) == pytest.approx((wilson.low, wilson.high))
    assert (round(100 * interval.low, 1), round(100 * interval.high, 1)) == (7.6, 24.6)


@pytest.mark.parametrize(
    ("a", "m", "b", "n", "low", "high"),
    [  # Newcombe 1998, table II, method 10
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0),
    ],
)
def test_a_difference_has_newcombes_interval(a: int, m: int, b: int, n: int, low: float, high: float) -> None:
    _, interval = estimate([(1.0, a, m), (-1.0, b, n)])
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_the_mean_of_equal_tasks_is_narrower_than_one_share_of_all_items() -> None:
    tasks = [(0.25, right, 100) for right in (5, 20, 80, 95)]
    value, interval = estimate(tasks)
    pooled = wilson_interval(200, 400)
    assert value == pytest.approx(0.5)
    assert pooled.low < interval.low < value < interval.high < pooled.high


@given(st.integers(1, 400), st.integers(1, 400), st.data())
def test_the_p_value_is_below_the_level_where_the_interval_leaves_zero_out(
    m: int, n: int, data: st.DataObject
) -> None:
    a, b = data.draw(st.integers(0, m)), data.draw(st.integers(0, n))
    parts = [(1.0, a, m), (-1.0, b, n)]
    _, interval = estimate(parts)
    p = p_value(parts)
    assert 0 <= p <= 1
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == (not interval.low <= 0 <= interval.high)
    assert p_value([(-w, right, items) for w, right, items in parts]) == pytest.approx(p, abs=1e-12)


def test_equal_shares_are_no_difference() -> None:
    assert p_value([(1.0, 3, 9), (-1.0, 1, 3)]) == 1.0


def test_the_most_favourable_pairing_leaves_only_the_difference_discordant() -> None:
    assert least_p([(1.0, 4, 100)], [(1.0, 8, 100)]) == pytest.approx(2 * 0.5**4)
    assert least_p([(1.0, 8, 100)], [(1.0, 4, 100)]) == pytest.approx(2 * 0.5**4)
    assert least_p([(1.0, 8, 100)], [(1.0, 8, 100)]) == 1.0


def named(table: Published, trained: str, column: str) -> Gain:
    return next(g for g in gains(table) if (g.trained, g.column) == (trained, column))


def test_what_the_published_gains_can_show() -> None:
    overall = named(MUIR, "TPRU-7B", OVERALL)
    assert (overall.verdict, overall.n, round(100 * overall.difference, 2)) == ("clear", 2600, 6.69)
    # from 4 to 8 of 100: no answers could show a gain
    ordering = named(LEGO, "TPRU-3B", "Ordering")
    assert (ordering.verdict, round(100 * ordering.difference)) == ("noise", 4)
    # from 9 to 22 of 64: clear by itself, not among 39 differences
    few = named(MUIR, "TPRU-7B", "Ordering")
    assert few.interval.low > 0
    assert (few.verdict, few.p > 0.05 > few.least_p) == ("open", True)


def test_a_gain_without_a_known_number_of_items_is_left_out() -> None:
    general = TABLES["General benchmarks"]
    columns = {g.column for g in gains(general)}
    assert columns == {c for c, n in general.columns.items() if n}
    assert len(gains(TABLES["TPRU-Test"])) == 3


def test_the_table_of_gains_sets_noise_apart() -> None:
    found = gains(LEGO)
    table = gain_table(found)
    assert [line.cells[-1].main == "noise" for line in table.lines] == [line.baseline for line in table.lines]
    assert summary(found) == "Of 36 published differences, 3 clear, 4 open, 29 noise."


# Our own rows beside them.


def test_own_rows_are_found_by_task_grouping_and_level() -> None:
    rows = [
        row("muirbench", "image_text_matching", 5, 10),
        row("muirbench", "all", 7, 20),
        row("longvideobench", "all", 3, 9, scenario="180-600 s"),
        row("seed_bench_r1 L2", "all", 2, 8),
        row("tpru_test", "all", 1, 4),
        row("tpru_test", "next_frame", 0, 4),
        row("seed_bench_r1 L3", "all", 6, 7, scenario="Daily life"),
    ]
    found = [
        own_row(MUIR, rows, "grpo", "Image-Text Matching"),
        own_row(MUIR, rows, "grpo", OVERALL),
        own_row(TABLES["LongVideoBench"], rows, "grpo", "180-600 s"),
        own_row(SEED, rows, "grpo", "L2"),
        own_row(TABLES["TPRU-Test"], rows, "grpo", "TPRU-Test"),
        None,
        own_row(DOMAINS, rows, "grpo", "Daily life"),
    ]
    assert [f for f in found if f] == [r for r in rows if r.task != "next_frame"]
    assert own_row(MUIR, rows, "grpo", "Ordering") is None
    assert own_row(MUIR, rows, "sft", OVERALL) is None
    assert {t.title for t in evaluated(rows)} == set(TABLES) - {"LEGO-Puzzles", "General benchmarks"}
    assert evaluated([row("heldout L1", "all", 1, 2), row("muirbench", "all", 1, 4, CHANCE)]) == []


def test_the_overall_of_our_own_tasks_is_a_mean_with_its_interval() -> None:
    rows = [
        row("lego_puzzles", task, right, 50)
        for task, right in zip(LEGO.columns, range(5, 55, 5), strict=False)
    ]
    missing = figures(LEGO, rows).lines[0]
    assert missing.cells[0].main == "\N{EN DASH}"
    rows += [row("lego_puzzles", list(LEGO.columns)[-1], 40, 80), row("lego_puzzles", "all", 1, 630)]
    rows += [row("lego_puzzles", task, 25, 50, CHANCE) for task in LEGO.columns]
    own, chance, first, *_ = figures(LEGO, rows).lines
    # (10 + 20 + ... + 100 + 50) / 11 percent, whatever the sizes
    assert (own.label, own.cells[0].main) == ("grpo", f"{600 / 11:.1f}%")
    assert own.cells[0].detail.endswith("n 580")
    assert (chance.label, chance.baseline, chance.cells[0].main) == ("chance", True, "50.0%")
    assert (first.label, first.baseline, first.cells[0].main) == ("InternVL3-78B", True, "47.3%")


def test_a_published_figure_keeps_its_digits_and_has_an_interval() -> None:
    table = figures(MUIR)
    line = next(line for line in table.lines if line.label == "Qwen2.5-VL-7B")
    cell = line.cells[table.head.index("Ordering (64)") - 1]
    assert (cell.main, cell.detail) == ("14.06%", "[7.6, 24.6]")
    assert not any(line.baseline for line in table.lines)
    assert figures(TABLES["General benchmarks"]).head[1] == "overall"


def test_the_page_of_the_docs_is_up_to_date() -> None:
    command = "python -m tpru.reporting.published docs/published-figures.md"
    assert (REPOSITORY / "docs/published-figures.md").read_text("utf-8") == document(), f"run: {command}"
