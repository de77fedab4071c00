"""How completions were read, and what a number of items can show, as tables of text."""

from collections.abc import Sequence

from tpru.evaluation.consistency import ConsistencyRow
from tpru.evaluation.harness import HarnessRow
from tpru.evaluation.judge import Judgement
from tpru.evaluation.scoring import Power
from tpru.reporting.tables import Cell, Line, Table, bounds, distinct, percent, plain, points

JUDGED = "answers that follow from the reasoning, as a judge reads it"
NOTHING = Cell("\N{EN DASH}")
GAP = "\N{EN SPACE}"


def harness_table(rows: Sequence[HarnessRow], benchmark: str) -> Table:
    """Models against readings of the same completions: accuracy, interval, share without a verdict."""
    here = {(row.model, row.harness): row for row in rows if row.benchmark == benchmark}
    harnesses = distinct(harness for _, harness in here)
    lines = [
        Line(model, tuple(_harness_cell(here[model, harness]) for harness in harnesses))
        for model in distinct(model for model, _ in here)
    ]
    return Table(("model", *map(plain, harnesses)), tuple(lines))


def _harness_cell(row: HarnessRow) -> Cell:
    unread = f"{GAP}{percent(row.unresolved)} unread" if row.unresolved else ""
    return Cell(percent(row.accuracy), f"{bounds(row.low, row.high)}{unread}")


def consistency_table(rows: Sequence[ConsistencyRow], benchmark: str) -> Table:
    """Models against all, right and wrong answers: how many follow from the reasoning before them."""
    here: dict[tuple[str, str], ConsistencyRow] = {
        (row.model, row.answers): row for row in rows if row.benchmark == benchmark
    }
    kinds = distinct(answers for _, answers in here)
    lines = [
        Line(model, tuple(_consistency_cell(here[model, kind]) for kind in kinds))
        for model in distinct(model for model, _ in here)
    ]
    return Table(("model", *(f"{kind} answers" for kind in kinds)), tuple(lines))


def _consistency_cell(row: ConsistencyRow) -> Cell:
    if not row.decided:
        return Cell(NOTHING.main, f"0 of {row.n} can be judged")
    return Cell(percent(row.rate), f"{bounds(row.low, row.high)}{GAP}{row.decided} of {row.n}")


def judge_table(found: Judgement) -> Table:
    """Models against all answers by judge and by rules, right and wrong ones by the judge, and how often both
    say the same."""
    judged, ruled = (
        {(row.model, row.answers): row for row in rows} for rows in (found.by_judge, found.by_rules)
    )
    lines = [
        Line(
            one.model,
            (
                _consistency_cell(judged[one.model, "all"]),
                _consistency_cell(ruled[one.model, "all"]),
                _consistency_cell(judged[one.model, "right"]),
                _consistency_cell(judged[one.model, "wrong"]),
                Cell(percent(one.share), f"of {one.n}") if one.n else NOTHING,
                NOTHING if one.kappa is None else Cell(f"{one.kappa:.2f}"),
                Cell(str(one.unreadable), f"{one.not_asked} / {one.refused}"),
            ),
        )
        for one in found.agreement
    ]
    head = ("model", "judge", "rules", "right, judge", "wrong, judge", "same", "kappa")
    return Table((*head, "unread"), tuple(lines))


def power_table(found: Sequence[Power]) -> Table:
    """Benchmarks against the smallest differences that their items find with a power of 80%."""
    head = ("benchmark", "items", "groups", "answered differently", "same items", "other items")
    lines = [
        Line(
            power.benchmark,
            (
                Cell(str(power.n)),
                Cell(str(power.clusters)),
                NOTHING if power.discordance is None else Cell(percent(power.discordance)),
                NOTHING if power.paired is None else Cell(points(power.paired)),
                NOTHING if power.unpaired is None else Cell(points(power.unpaired)),
            ),
        )
        for power in found
    ]
    return Table(head, tuple(lines))
