"""Rows and comparisons to tables of text: what the page prints, with every n and interval."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tpru.evaluation.scoring import ALWAYS_NONE, BASELINES, CHANCE, MAJORITY, Comparison, Row, in_order
from tpru.evaluation.statistics import Interval
from tpru.records import SCENARIOS, TASKS
from tpru.trajectories.filter_audit import Tally

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Cell:
    """A figure and, in smaller print below it, what qualifies it (interval and n)."""

    main: str
    detail: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a table; ``baseline`` lines need no model and are set apart."""

    label: str
    cells: tuple[Cell, ...]
    baseline: bool = False


@dataclass(frozen=True)
class Table:
    """A table: the heads of all columns, the label column first, and its lines."""

    head: tuple[str, ...]
    lines: tuple[Line, ...]


def distinct(values: Iterable[str]) -> list[str]:
    """Values in the order of their first appearance."""
    return list(dict.fromkeys(values))


def models_in_order(rows: Sequence[Row]) -> list[str]:
    """Models in the order of the rows, baselines behind them."""
    names = distinct(row.model for row in rows)
    return sorted(names, key=lambda name: BASELINES.index(name) + 1 if name in BASELINES else 0)


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{100 * share:.1f}%"


def bounds(low: float, high: float) -> str:
    """An interval of shares in percent."""
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def points(difference: float) -> str:
    """A difference of shares in signed percentage points."""
    text = f"{100 * difference:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)


def plain(name: str) -> str:
    """A name from the records as words."""
    return name.replace("_", " ")


def find(
    rows: Iterable[Row],
    model: str,
    benchmark: str,
    task: str = "all",
    scenario: str = "all",
    subset: str = "all",
) -> Row | None:
    """The row of one cell, or None where it has no items."""
    wanted = (model, benchmark, task, scenario, subset)
    found = (r for r in rows if (r.model, r.benchmark, r.task, r.scenario, r.subset) == wanted)
    return next(found, None)


def accuracy_cell(row: Row | None) -> Cell:
    """Accuracy with interval and n; chance has no interval."""
    if row is None:
        return Cell("\N{EN DASH}")
    interval = "exact" if row.model == CHANCE else bounds(row.low, row.high)
    return Cell(percent(row.accuracy), f"{interval}\N{EN SPACE}n {row.n}")


def overview(rows: Sequence[Row], seconds: dict[str, float]) -> Table:
    """Models against benchmarks (levels), all tasks together, and how long their last training took.

    Without any ``seconds`` there is no column of them.
    """
    benchmarks = distinct(row.benchmark for row in rows)
    lines = []
    for model in models_in_order(rows):
        cells = [accuracy_cell(find(rows, model, b)) for b in benchmarks]
        if seconds:
            cells.append(Cell(f"{seconds[model]:.0f} s" if model in seconds else "\N{EN DASH}"))
        lines.append(Line(model, tuple(cells), model in BASELINES))
    return Table(("model", *benchmarks, *(["last training"] if seconds else [])), tuple(lines))


def accuracy_by_task(rows: Sequence[Row], benchmark: str) -> Table:
    """Models against tasks, the margin first; a benchmark's own tasks in the order of its items."""
    columns = in_order(("all", *(row.task for row in rows if row.benchmark == benchmark)), ("all", *TASKS))
    head = ("model", "all tasks", *map(plain, columns[1:]))
    return _by_model(rows, benchmark, head, lambda m: [find(rows, m, benchmark, task=c) for c in columns])


def accuracy_by_scenario(rows: Sequence[Row], benchmark: str) -> Table:
    """Models against scenarios, the margin first."""
    here = (row.scenario for row in rows if row.benchmark == benchmark)
    columns = in_order(("all", *here), ("all", *SCENARIOS))
    head = ("model", "all scenarios", *map(plain, columns[1:]))
    return _by_model(rows, benchmark, head, lambda m: [find(rows, m, benchmark, scenario=c) for c in columns])


def answerability(rows: Sequence[Row], benchmark: str) -> Table:
    """Models against answerable and unanswerable items, and the share of unreadable answers."""
    lines = []
    for model in _models(rows, benchmark):
        cells = [
            accuracy_cell(find(rows, model, benchmark, subset=subset))
            for subset in ("answerable", "unanswerable")
        ]
        total = find(rows, model, benchmark)
        unparsable = Cell("\N{EN DASH}")
        if total is not None and model not in BASELINES:
            unparsable = Cell(percent(total.unparsable), f"n {total.n}")
        lines.append(Line(model, (*cells, unparsable), model in BASELINES))
    return Table(("model", "answerable", "unanswerable", "unreadable answers"), tuple(lines))


def comparison_table(comparisons: Sequence[Comparison], benchmark: str) -> Table:
    """Differences in points with interval, p-values and the discordant counts."""
    figures = ("difference", "95% interval", "p", "p of all", "only first", "only second", "n")
    lines = [
        Line(
            f"{c.model_a} {MINUS} {c.model_b}",
            (
                Cell("all tasks" if c.task == "all" else plain(c.task)),
                Cell(points(c.difference)),
                Cell(f"[{points(c.low)}, {points(c.high)}]"),
                Cell(p_text(c.p_value)),
                Cell(p_text(c.p_adjusted)),
                Cell(str(c.only_a)),
                Cell(str(c.only_b)),
                Cell(str(c.n)),
            ),
        )
        for c in comparisons
        if c.benchmark == benchmark
    ]
    return Table(("compared", "task", *figures), tuple(lines))


def p_text(p_value: float) -> str:
    """A p-value with three decimals, or its bound."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def every_row(rows: Sequence[Row], benchmark: str) -> Table:
    """All rows as they are, one per line."""
    head = (
        "model",
        "task",
        "scenario",
        "subset",
        "n",
        "right",
        "accuracy",
        "95% interval",
        "unread.",
    )
    lines = [
        Line(
            row.model,
            (
                *(Cell(plain(name)) for name in (row.task, row.scenario, row.subset)),
                Cell(str(row.n)),
                Cell(f"{row.correct:.10g}" if row.correct.is_integer() else f"{row.correct:.1f}"),
                Cell(percent(row.accuracy)),
                Cell("exact" if row.model == CHANCE else bounds(row.low, row.high)),
                Cell(percent(row.unparsable)),
            ),
            row.model in BASELINES,
        )
        for row in rows
        if row.benchmark == benchmark
    ]
    return Table(head, tuple(lines))


def headline(rows: Sequence[Row], benchmark: str) -> str:
    """One sentence: the overall accuracy of every model beside guessing and constant answers."""
    totals = {m: find(rows, m, benchmark) for m in _models(rows, benchmark)}
    found = {model: row for model, row in totals.items() if row is not None}
    models = [(name, row) for name, row in found.items() if name not in BASELINES]
    if not models:
        return f"No model was evaluated on {benchmark}."
    shares = [f"{percent(row.accuracy)} {bounds(row.low, row.high)}" for _, row in models]
    named = [f"{name} {share}" for (name, _), share in zip(models[1:], shares[1:], strict=True)]
    listed = [f"{models[0][0]} answers {shares[0]} right", *named]
    sentence = f"Of the {models[0][1].n} items of {benchmark}, {_joined(listed)}"
    beside = []
    if CHANCE in found:
        beside.append(f"guessing gives {percent(found[CHANCE].accuracy)}")
    constant = [found[name].accuracy for name in (MAJORITY, ALWAYS_NONE) if name in found]
    if constant:
        beside.append(f"the best constant answer {percent(max(constant))}")
    return "; ".join([sentence, ", ".join(beside)] if beside else [sentence]) + "."


def counts(values: dict[str, int]) -> list[tuple[str, int, str, float]]:
    """Name, count, share of all, and length relative to the largest count, for a bar."""
    total, largest = sum(values.values()), max(values.values(), default=0)
    return [
        (name, n, percent(n / total) if total else "", n / largest if largest else 0.0)
        for name, n in values.items()
    ]


def rejection_table(rejections: dict[str, dict[str, int]]) -> Table:
    """Sources against the reasons for which sequences were turned away."""
    reasons = sorted({reason for found in rejections.values() for reason in found})
    lines = [
        Line(
            source,
            (
                *(Cell(str(found.get(reason, 0))) for reason in reasons),
                Cell(str(sum(found.values()))),
            ),
        )
        for source, found in rejections.items()
    ]
    return Table(("source", *map(plain, reasons), "all"), tuple(lines))


def filter_table(tallies: Iterable[Tally]) -> Table:
    """What the key-frame filter made of planted defects, over all scenarios and by scenario."""
    head = ("planted", "scenario", "left in", "precision", "recall")
    lines = []
    for tally in tallies:
        missed = _share_cell(tally.missed, tally.planted) if tally.planted else Cell("\N{EN DASH}")
        cells = (
            Cell("all scenarios" if tally.scenario == "all" else tally.scenario),
            missed,
            _share_cell(tally.precision, tally.kept),
            _share_cell(tally.recall, tally.steps),
        )
        lines.append(Line(plain(tally.defect), cells, tally.scenario != "all"))
    return Table(head, tuple(lines))


def _share_cell(share: tuple[float, Interval], n: int) -> Cell:
    value, interval = share
    return Cell(percent(value), f"{bounds(interval.low, interval.high)}\N{EN SPACE}n {n}")


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _models(rows: Sequence[Row], benchmark: str) -> list[str]:
    return models_in_order([row for row in rows if row.benchmark == benchmark])


def _by_model(
    rows: Sequence[Row],
    benchmark: str,
    head: tuple[str, ...],
    cells_of: Callable[[str], list[Row | None]],
) -> Table:
    lines = [
        Line(model, tuple(accuracy_cell(row) for row in cells_of(model)), model in BASELINES)
        for model in _models(rows, benchmark)
    ]
    return Table(head, tuple(lines))
