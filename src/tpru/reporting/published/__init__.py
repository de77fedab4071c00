"""Figures that papers published, as data beside this file, and how our own rows stand next to them.

    python -m tpru.reporting.published [FILE]

prints them, or writes them to FILE, with an interval for each and with the gains that their number of
items cannot tell from noise (``docs/published-figures.md``).
"""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Literal

import yaml

from tpru.evaluation.scoring import Row

ORDER = (
    "tpru_test",
    "muirbench",
    "lego_puzzles",
    "general",
    "seed_bench_r1",
    "seed_bench_r1_l3",
    "longvideobench",
)
# Of Task Preference Optimization, which the report has a section for.
TPO_ORDER = ("tpo_ablations", "tpo_grounding", "tpo_masks", "tpo_general")
OVERALL = "overall"


@dataclass(frozen=True)
class Published:
    """One published table: accuracy, or another measure from 0 to 100, as printed.

    ``benchmark`` is our name of it. ``columns`` maps a column to its number of items, None where that is not
    known. ``rows`` maps a model to its figures, None where a paper prints none; the last is the overall
    unless ``overall`` is "none". That is the share of all items ("micro") or the plain mean of the columns
    ("mean"). ``gains`` are pairs of a model and what training made of it. ``measures`` maps a column of dense
    items to the part and the metric that are ours of it, and to the datasets whose row is taken, the first
    that a run has.
    """

    benchmark: str
    title: str
    source: str
    decimals: int
    columns: Mapping[str, int | None]
    overall: Literal["micro", "mean", "none"]
    rows: Mapping[str, Sequence[float | None]]
    gains: Sequence[tuple[str, str]]
    notes: Sequence[str]
    measures: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, and the overall behind them where there is one."""
        return (*self.columns, *((OVERALL,) if self.overall != "none" else ()))

    def text(self, column: str, figure: float | None) -> str:
        """A figure with the digits that the paper prints; a mean of whole percents has one more."""
        digits = max(1, self.decimals) if column == OVERALL else self.decimals
        return "\N{EN DASH}" if figure is None else f"{figure:.{digits}f}%"

    def counts(self, model: str, column: str) -> list[tuple[float, int, int]]:
        """Weight, right answers and items of the groups that a figure is made of; empty where unknown."""
        figures = dict(zip(self.names, self.rows[model], strict=True))
        known = [(figures[c], n) for c, n in self.columns.items()]
        if column != OVERALL:
            known = [(figures[column], self.columns[column])]
        elif self.overall == "micro":
            sizes = [n for n in self.columns.values() if n is not None]
            known = [(figures[OVERALL], sum(sizes) if len(sizes) == len(self.columns) else None)]
        parts = [(1 / len(known), round(f * n / 100), n) for f, n in known if f is not None and n is not None]
        return parts if len(parts) == len(known) else []


@functools.cache
def published() -> tuple[Published, ...]:
    """The tables of accuracies, in the order of ORDER."""
    return tuple(map(_read, ORDER))


@functools.cache
def published_tpo() -> tuple[Published, ...]:
    """The tables of Task Preference Optimization, in the order of TPO_ORDER."""
    return tuple(map(_read, TPO_ORDER))


def _read(name: str) -> Published:
    text = (files("tpru.reporting.published") / f"{name}.yaml").read_text("utf-8")
    return Published(**yaml.safe_load(text))


def own_row(table: Published, rows: Sequence[Row], model: str, column: str) -> Row | None:
    """Our row of one column (a task, a second grouping or a level of the benchmark), None without one."""
    whole = column == OVERALL or len(table.columns) == 1
    for row in rows:
        if row.model != model or row.subset != "all":
            continue
        if row.benchmark == table.benchmark:
            groups = [name for name in (row.task, row.scenario) if name != "all"]
            if (whole and not groups) or [_key(name) for name in groups] == [_key(column)]:
                return row
        elif row.task == row.scenario == "all" and row.benchmark == f"{table.benchmark} {column}":
            return row
    return None


def _key(name: str) -> str:
    """A name without case and punctuation: benchmarks and papers write theirs in several ways."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
