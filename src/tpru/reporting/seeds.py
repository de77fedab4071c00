"""What several runs of one experiment with different seeds say together.

    python -m tpru.reporting.seeds results/a results/b results/c

prints accuracy per model and benchmark, and the differences of models within a run, as means over the runs
with 95% intervals. Intervals of one report know the chance of the items alone; these know that of the
training, and of the items where each run made its own. The report shows the same tables of the trainings
of one experiment with its further ``seeds``.
"""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from scipy import special

from tpru.errors import ConfigError, TpruError, UpstreamError
from tpru.evaluation.scoring import BASELINES
from tpru.evaluation.statistics import Interval, holm
from tpru.files import read_json
from tpru.reporting.markup import markdown_file
from tpru.reporting.tables import MINUS, Cell, Line, Table, bounds, distinct, p_text, percent, points

# Accuracy of one run by benchmark and model.
Shares = dict[tuple[str, str], float]


@dataclass(frozen=True)
class OverRuns:
    """Mean of ``n`` runs with its Student t interval; ``p`` that the mean is 0.

    Runs that all gave the same say nothing about how much they may differ: then the interval is the mean
    alone, and ``p`` is None.
    """

    n: int
    mean: float
    interval: Interval
    p: float | None


def over_runs(values: Sequence[float]) -> OverRuns:
    """Mean, t interval and two-sided t test of values of independent runs.

    Source: Student, "The probable error of a mean", Biometrika 6 (1908), 1-25. With three runs the
    interval is 2.5 standard deviations to either side.

    Raises:
        ValueError: fewer than two values.
    """
    n = len(values)
    if n < 2:
        raise ValueError(f"{n} values have no spread")
    mean = math.fsum(values) / n
    error = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)
    # what is left of equal values is rounding
    if error < 1e-12:
        return OverRuns(n, mean, Interval(mean, mean), None)
    half = float(special.stdtrit(n - 1, 0.975)) * error
    p = 2 * float(special.stdtr(n - 1, -abs(mean) / error))
    return OverRuns(n, mean, Interval(mean - half, mean + half), p)


def shares(folder: Path) -> Shares:
    """Accuracy over all items of every model and benchmark in a run's report.

    Raises:
        UpstreamError: the run has no report.
    """
    path = folder / "report" / "metrics.json"
    if not path.exists():
        raise UpstreamError(f"{path} is missing: finish that run first, or give its folder (results/NAME)")
    return overall(read_json(path)["rows"])


def overall(rows: Iterable[Mapping[str, Any]]) -> Shares:
    """Of the rows of a report, the accuracies of models over all items."""
    return {
        (row["benchmark"], row["model"]): row["accuracy"]
        for row in rows
        if row["task"] == row["scenario"] == row["subset"] == "all" and row["model"] not in BASELINES
    }


def accuracies(runs: Sequence[Shares]) -> Table:
    """Models against benchmarks: the mean over the runs with its interval and their number."""
    names = distinct(model for run in runs for _, model in run)
    benchmarks = distinct(benchmark for run in runs for benchmark, _ in run)
    lines = tuple(
        Line(m, tuple(_cell([r[b, m] for r in runs if (b, m) in r]) for b in benchmarks)) for m in names
    )
    return Table(("model", *benchmarks), lines)


def _cell(values: Sequence[float]) -> Cell:
    if len(values) < 2:
        return Cell(percent(values[0]), "1 run") if values else Cell("\N{EN DASH}")
    found = over_runs(values)
    if found.p is None:
        return Cell(percent(found.mean), f"the same in {found.n} runs")
    return Cell(percent(found.mean), f"{bounds(found.interval.low, found.interval.high)} of {found.n} runs")


def differences(runs: Sequence[Shares]) -> Table:
    """Every later model minus every earlier one, paired by run; p corrected for all lines (Holm)."""
    names = distinct(model for run in runs for _, model in run)
    benchmarks = distinct(benchmark for run in runs for benchmark, _ in run)
    found = []
    for benchmark in benchmarks:
        for earlier, later in combinations(names, 2):
            a, b = (benchmark, later), (benchmark, earlier)
            paired = [run[a] - run[b] for run in runs if a in run and b in run]
            if len(paired) > 1:
                found.append((f"{later} {MINUS} {earlier}", benchmark, over_runs(paired)))
    corrected = iter(holm([result.p for *_, result in found if result.p is not None]))
    lines = []
    for label, benchmark, result in found:
        interval = p = "\N{EN DASH}"
        if result.p is not None:
            interval = f"[{points(result.interval.low)}, {points(result.interval.high)}]"
            p = p_text(next(corrected))
        texts = (benchmark, points(result.mean), interval, p, str(result.n))
        lines.append(Line(label, tuple(map(Cell, texts))))
    return Table(("compared", "benchmark", "difference", "95% interval", "p", "runs"), tuple(lines))


def over_seeds(runs: Sequence[Shares], what: str) -> list[tuple[str, Table]]:
    """Both tables with their titles, which say of ``what`` there are several; none of a single one."""
    if len(runs) < 2:
        return []
    return [
        (f"Accuracy over {len(runs)} {what}s", accuracies(runs)),
        (f"Differences within a {what}", differences(runs)),
    ]


def summary(folders: Sequence[Path]) -> str:
    """Both tables in Markdown.

    Raises:
        ConfigError: fewer than two folders, or one twice.
        UpstreamError: a run has no report.
    """
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise ConfigError("give the folders of two or more different runs: results/a results/b results/c")
    runs = [shares(folder) for folder in folders]
    names = ", ".join(folder.resolve().name for folder in folders)
    return f"Runs: {names}.\n\n{markdown_file(over_seeds(runs, 'run'))}"


def main(arguments: Sequence[str]) -> int:
    """Print the summary; returns the exit code."""
    try:
        print(summary([Path(argument) for argument in arguments]), end="")
    except TpruError as error:
        print(f"tpru seeds: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
