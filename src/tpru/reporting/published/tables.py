"""Published figures, our own beside them, and published gains, as tables; and the page of the docs."""

import textwrap
from collections import Counter
from collections.abc import Sequence

from tpru.evaluation.scoring import BASELINES, CHANCE, Row
from tpru.reporting.markup import markdown
from tpru.reporting.published import OVERALL, Published, own_row, published, published_tpo
from tpru.reporting.published.gains import Gain, estimate, gains
from tpru.reporting.tables import (
    Cell,
    Line,
    Table,
    accuracy_cell,
    bounds,
    models_in_order,
    p_text,
    percent,
    points,
)

NOTHING = Cell("\N{EN DASH}")
INTERVALS = (
    "Intervals and tests of published figures are ours: the papers print point estimates. A figure of n "
    "items has its 95% Wilson interval, a mean of columns or a difference the hybrid score interval "
    "(Newcombe 1998, method 10; Zou and Donner 2008), where n is known. Items are taken as independent, and "
    "the chance of the training (one seed) and of sampled answers is in none of them."
)
VERDICTS = (
    "The p-value of a difference takes the two models as unpaired, since their answers are not published, "
    "and is corrected for all differences of its table (Holm 1979); “least p” is McNemar's with the pairing "
    "of the answers that would favour the difference most, corrected likewise. “clear”: p is below 0.05. "
    "“noise”: its own n cannot tell it from noise, since not even the least p is below 0.05. “open”: the "
    "answers would decide."
)
OVERALLS = {
    "micro": " Overall is the share of all items.",
    "mean": " Overall is the plain mean of the columns.",
    "none": "",
}
COMMAND = "python -m tpru.reporting.published docs/published-figures.md"
INTRODUCTION = (
    "The report puts these figures beside those of a run that evaluates the same benchmark. They are data in "
    "`src/tpru/reporting/published/`.",
    INTERVALS,
    VERDICTS,
)


def evaluated(rows: Sequence[Row]) -> list[Published]:
    """The published tables of which a model of this run has at least one column."""
    models = [name for name in models_in_order(rows) if name not in BASELINES]
    return [
        table
        for table in published()
        if any(own_row(table, rows, model, column) for model in models for column in table.names)
    ]


def figures(table: Published, rows: Sequence[Row] = ()) -> Table:
    """Our models first, chance behind them, then the published ones; the overall before the columns.

    The head says of how many items a published figure is; our own say it themselves.
    """
    own = [name for name in models_in_order(rows) if name not in BASELINES or name == CHANCE]
    columns = sorted(table.names, key=lambda column: column != OVERALL)
    lines = [Line(m, tuple(_own(table, rows, m, c) for c in columns), m in BASELINES) for m in own]
    found = [line for line in lines if any(cell != NOTHING for cell in line.cells)]
    others = [
        Line(model, tuple(_published(table, model, c) for c in columns), bool(rows)) for model in table.rows
    ]
    return Table(("model", *(_head(table, column) for column in columns)), (*found, *others))


def _head(table: Published, column: str) -> str:
    sizes = list(table.columns.values()) if column == OVERALL else [table.columns[column]]
    known = [n for n in sizes if n is not None]
    return f"{column} ({sum(known)})" if len(known) == len(sizes) else column


def _published(table: Published, model: str, column: str) -> Cell:
    figure = dict(zip(table.names, table.rows[model], strict=True))[column]
    parts = table.counts(model, column)
    if not parts:
        return Cell(table.text(column, figure))
    _, interval = estimate(parts)
    return Cell(table.text(column, figure), bounds(interval.low, interval.high))


def _own(table: Published, rows: Sequence[Row], model: str, column: str) -> Cell:
    if column != OVERALL or table.overall == "micro":
        row = own_row(table, rows, model, column)
        return NOTHING if row is None else accuracy_cell(row)
    found = [own_row(table, rows, model, name) for name in table.columns]
    known = [row for row in found if row is not None]
    if len(known) < len(found):
        return NOTHING
    if model == CHANCE:
        return Cell(percent(sum(row.accuracy for row in known) / len(known)), "exact")
    value, interval = estimate([(1 / len(known), round(row.correct), row.n) for row in known])
    n = sum(row.n for row in known)
    return Cell(percent(value), f"{bounds(interval.low, interval.high)}\N{EN SPACE}n {n}")


def gain_table(found: Sequence[Gain]) -> Table:
    """Published gains and losses: difference in points, interval, corrected p-values and the verdict."""
    head = ("published gain", "of", "n", "difference", "95% interval", "p", "least p", "verdict")
    lines = [
        Line(
            f"{gain.base} \N{RIGHTWARDS ARROW} {gain.trained}",
            (
                Cell(gain.column),
                Cell(str(gain.n)),
                Cell(points(gain.difference)),
                Cell(f"[{points(gain.interval.low)}, {points(gain.interval.high)}]"),
                Cell(p_text(gain.p)),
                Cell(p_text(gain.least_p)),
                Cell(gain.verdict),
            ),
            gain.verdict == "noise",
        )
        for gain in found
    ]
    return Table(head, tuple(lines))


def summary(found: Sequence[Gain]) -> str:
    """One sentence: how many of the gains and losses are told from noise."""
    if not found:
        return "No number of items is known, so that nothing can be said about its gains."
    kinds = Counter(gain.verdict for gain in found)
    losses = sum(gain.verdict == "clear" and gain.difference < 0 for gain in found)
    clear = f"{kinds['clear']} clear" + (f" ({losses} of them losses)" if losses else "")
    return f"Of {len(found)} published differences, {clear}, {kinds['open']} open, {kinds['noise']} noise."


def document() -> str:
    """All published tables with their gains, in Markdown."""
    overview = []
    parts = []
    for table in (*published(), *published_tpo()):
        found = gains(table)
        overview.append(_overview_line(table, found))
        parts += [f"## {table.title}\n", f"Source: {table.source}.{OVERALLS[table.overall]}\n"]
        parts += ["\n".join(f"- {note}" for note in table.notes) + "\n"]
        parts += [markdown(figures(table)), f"{summary(found)}\n", markdown(gain_table(found))]
    head = ("table", "differences", "clear gains", "clear losses", "open", "noise")
    title = "# Published figures, and what their number of items can show\n"
    written = f"<!-- written by `{COMMAND}`, checked by tests/unit/test_published.py -->\n"
    introduction = [textwrap.fill(text, 120) + "\n" for text in INTRODUCTION]
    return "\n".join([title, written, *introduction, markdown(Table(head, tuple(overview))), *parts])


def _overview_line(table: Published, found: Sequence[Gain]) -> Line:
    clear = [gain.difference for gain in found if gain.verdict == "clear"]
    kinds = Counter(gain.verdict for gain in found)
    counts = (len(found), sum(d > 0 for d in clear), sum(d < 0 for d in clear), kinds["open"], kinds["noise"])
    return Line(table.title, tuple(Cell(str(count)) for count in counts))
