"""Figures of dense items, and what dense supervision does to the temporal tasks, as tables of text."""

from collections.abc import Sequence

from tpru.evaluation.scoring import Comparison
from tpru.grounding.guessers import GUESSERS
from tpru.grounding.results import PART_TASKS, DenseComparison, DenseResults, DenseRow, Part, Question
from tpru.grounding.scores import ALL
from tpru.records import LEVELS
from tpru.reporting.published import Published, published_tpo
from tpru.reporting.published.gains import gains
from tpru.reporting.published.tables import figures, gain_table
from tpru.reporting.tables import MINUS, Cell, Line, Table, bounds, distinct, p_text, percent, points

NOTHING = Cell("\N{EN DASH}")
GAP = "\N{EN SPACE}"
TITLES: dict[Part, str] = {
    "temporal": "Moments",
    "region": "Boxes",
    "mask": "Masks",
    "tracked": "Tracked masks",
}
# The metrics that are shown, where items have them; the first of them is what comparisons take.
SHOWN: dict[Part, tuple[str, ...]] = {
    "temporal": ("mIoU", "R1@0.3", "R1@0.5", "R1@0.7", "mAP", "HIT@1", "HL-mAP"),
    "region": ("mIoU", "Acc@0.5"),
    "mask": ("J&F", "J", "F", "AO", "success"),
    "tracked": ("J&F", "AO", "success", "precision@20px", "SR@0.5"),
}
QUESTIONS: dict[Question, str] = {
    "together": "Tasks learned together against a task alone",
    "guessers": "Against guessers that see no picture",
    "choices": "Heads against text, and other choices",
}
# What dense supervision does to the temporal tasks: a model that had it, and one that did not.
PAIRS = (
    ("tpo", "base"),
    ("tpo", "tpo_chat"),
    ("sft_from_tpo", "sft"),
    ("grpo_from_tpo", "grpo"),
    ("sft_from_tpo", "sft_continued"),
    ("grpo_from_tpo", "sft_from_tpo"),
)


def part_tables(results: DenseResults, part: Part) -> list[tuple[str, Table]]:
    """Titled tables of a part: the simulators together, of all levels first; other datasets; by simulator."""
    rows = [row for row in results.rows if row.part == part]
    names = [n for n in distinct(row.dataset for row in rows) if n not in results.simulated]
    out = []
    for dataset in names:
        here = [row for row in rows if row.dataset == dataset]
        levels = [level for level in (ALL, *LEVELS) if any(row.level == level for row in here)]
        for level in levels:
            of_all = "all levels" if len(levels) > 1 else ""
            where = ["" if dataset == ALL else dataset, of_all if level == ALL else level]
            title = ", ".join([TITLES[part], *filter(None, where)])
            out.append((title, score_table([row for row in here if row.level == level], part)))
    if len(results.simulated) > 1:
        out.append((f"{TITLES[part]}, by source", source_table(rows, part, results.simulated)))
    return [(title, table) for title, table in out if table.lines]


def score_table(rows: Sequence[DenseRow], part: Part) -> Table:
    """Variants, and guessers behind them, against the metrics of a part and the share of tasks recognised.

    The rows are of one dataset and level.
    """
    metrics = _metrics(rows, part)
    found = {(row.model, row.metric): row for row in rows}
    lines = []
    for model in _models(rows):
        first = next(row for row in rows if row.model == model)
        guesses = model in GUESSERS
        assigned = NOTHING if guesses else Cell(percent(first.assigned), f"n {first.n}")
        cells = (*(_cell(found.get((model, metric))) for metric in metrics), assigned)
        lines.append(Line(model, cells, guesses))
    return Table(("model", *metrics, "task recognised"), tuple(lines))


def source_table(rows: Sequence[DenseRow], part: Part, sources: Sequence[str]) -> Table:
    """Variants, and guessers behind them, against the simulators, in the first metric of the part."""
    of_all = [row for row in rows if row.level == ALL and row.dataset in sources]
    if not of_all:
        return Table(("model",), ())
    metric = _metrics(of_all, part)[0]
    found = {(row.model, row.dataset): row for row in of_all if row.metric == metric}
    columns = [name for name in sources if any(dataset == name for _, dataset in found)]
    lines = [
        Line(model, tuple(_cell(found.get((model, name))) for name in columns), model in GUESSERS)
        for model in _models(of_all)
    ]
    return Table(("model", *(f"{name}, {metric}" for name in columns)), tuple(lines))


def dense_comparisons(results: DenseResults, question: Question) -> Table:
    """The comparisons of one question: difference in points, interval, p-values and the verdict."""
    head = ("compared", "items", "difference", "95% interval", "p", "p of all", "n", "verdict")
    lines = [
        Line(
            f"{c.model_a} {MINUS} {c.model_b}",
            (
                Cell(_items(c)),
                Cell(points(c.difference)),
                Cell(f"[{points(c.low)}, {points(c.high)}]"),
                Cell(p_text(c.p_value)),
                Cell(p_text(c.p_adjusted)),
                Cell(str(c.n)),
                Cell(c.verdict),
            ),
        )
        for c in results.comparisons
        if c.question == question
    ]
    return Table(head, tuple(lines))


def temporal_table(comparisons: Sequence[Comparison]) -> Table:
    """The :data:`PAIRS` that were evaluated, over all tasks of every benchmark and level."""
    found = {(c.model_a, c.model_b, c.benchmark): c for c in comparisons if c.task == "all"}
    benchmarks = distinct(c.benchmark for c in comparisons)
    lines = []
    for a, b in PAIRS:
        for benchmark in benchmarks:
            # In the other order where the experiment lists its models so.
            sign = 1 if (a, b, benchmark) in found else -1
            c = found.get((a, b, benchmark) if sign > 0 else (b, a, benchmark))
            if c is None:
                continue
            low, high = sorted((sign * c.low, sign * c.high))
            texts = (
                *(benchmark, points(sign * c.difference), f"[{points(low)}, {points(high)}]"),
                *(p_text(c.p_value), p_text(c.p_adjusted), str(c.n)),
            )
            lines.append(Line(f"{a} {MINUS} {b}", tuple(map(Cell, texts))))
    return Table(("compared", "benchmark", "difference", "95% interval", "p", "p of all", "n"), tuple(lines))


def published_figures(table: Published, results: DenseResults) -> Table:
    """Our variants and the published lines below them; the head says what a column is of."""
    below = figures(table)
    columns = below.head[1:]
    lines = []
    for model in _models(results.rows):
        cells = tuple(_own(table, results, model, column) for column in columns)
        if model not in GUESSERS and any(cell != NOTHING for cell in cells):
            lines.append(Line(model, cells))
    others = tuple(Line(line.label, line.cells, baseline=True) for line in below.lines)
    return Table(below.head, (*lines, *others))


def every_dense_table(results: DenseResults, comparisons: Sequence[Comparison]) -> list[tuple[str, Table]]:
    """The tables of the section with titles, for ``tables.md`` and ``tables.tex``."""
    out = [entry for part in PART_TASKS for entry in part_tables(results, part)]
    out += [(title, dense_comparisons(results, question)) for question, title in QUESTIONS.items()]
    out.append(("What dense supervision does to the temporal tasks", temporal_table(comparisons)))
    for table in published_tpo():
        out.append((f"{table.title}: published figures below our own", published_figures(table, results)))
        out.append((f"{table.title}: published gains", gain_table(gains(table))))
    return [(f"Dense supervision: {title}", table) for title, table in out]


def _own(table: Published, results: DenseResults, model: str, column: str) -> Cell:
    """Our row of a published column: of the first of its datasets that was asked."""
    part, metric, *datasets = table.measures.get(column, ("", ""))
    for dataset in datasets:
        for row in results.rows:
            wanted = (model, part, metric, dataset, ALL)
            if (row.model, row.part, row.metric, row.dataset, row.level) == wanted:
                cell = _cell(row)
                return Cell(cell.main, f"{cell.detail}{GAP}simulators") if dataset == ALL else cell
    return NOTHING


def _items(comparison: DenseComparison) -> str:
    level = "" if comparison.level == ALL else comparison.level
    dataset = "" if comparison.dataset == ALL else comparison.dataset
    return ", ".join(filter(None, (TITLES[comparison.part].lower(), dataset, level)))


def _metrics(rows: Sequence[DenseRow], part: Part) -> list[str]:
    return [name for name in SHOWN[part] if any(row.metric == name for row in rows)]


def _models(rows: Sequence[DenseRow]) -> list[str]:
    """Variants in their order, guessers behind them."""
    return sorted(distinct(row.model for row in rows), key=lambda model: model in GUESSERS)


def _cell(row: DenseRow | None) -> Cell:
    return NOTHING if row is None else Cell(percent(row.value), f"{bounds(row.low, row.high)}{GAP}n {row.n}")
