"""Figures as inline SVG that takes its colours and its typeface from the page around it.

Matplotlib draws with placeholder colours; :func:`_inline` turns them into CSS variables, so that
one drawing serves light, dark and print.
"""

import contextlib
import html
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tpru.evaluation.scoring import BASELINES, CHANCE, Row, in_order
from tpru.records import TASKS
from tpru.reporting.tables import MINUS, distinct, find, models_in_order, plain

COLOURS = {"ink": "#010201", "muted": "#010202", "rule": "#010203", "accent": "#010204"}
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tpru",
    "font.family": "sans-serif",
    "font.size": 8.5,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.edgecolor": COLOURS["rule"],
    "axes.linewidth": 0.8,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": COLOURS["rule"],
    "ytick.color": COLOURS["rule"],
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["muted"],
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "path.simplify": False,
    "text.parse_math": False,
}
COLUMNS = 4
SMOOTH_FROM = 8
SCHEDULED = "learning_rate"


@dataclass(frozen=True)
class Panel:
    """One small chart of the learning curves: the metric ``key``, with ``unit`` on its y axis."""

    title: str
    unit: str
    key: str


PANELS = (
    ("held_out_accuracy", "Held-out items", "share right"),
    ("loss", "Loss", "nats per token"),
    ("reward", "Reward", "mean of the batch"),
    ("reward_std", "Spread of the reward", "std. deviation"),
    ("accuracy", "Accuracy", "share right"),
    ("format", "Answers in the right format", "share"),
    ("unparsable", "Unreadable answers", "share"),
    ("frac_cut_off", "Completions cut off", "share"),
    ("token_accuracy", "Token accuracy", "share right"),
    ("completion_length", "Completion length", "tokens"),
    ("entropy", "Entropy", "nats per token"),
    ("kl", "KL to the reference", "nats per token"),
    ("frac_zero_variance", "Groups without variance", "share"),
    ("learning_rate", "Learning rate", "per step"),
    ("grad_norm", "Gradient norm", "L2 norm"),
)


@contextlib.contextmanager
def _style() -> Iterator[None]:
    with mpl.rc_context():
        # a matplotlibrc of the user must not change the page
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def accuracy_figure(rows: Sequence[Row], benchmark: str) -> str:
    """Accuracy of every model with its interval, one panel per task, chance as a dotted line.

    More than :data:`COLUMNS` panels stand in several rows.
    """
    here = [row for row in rows if row.benchmark == benchmark]
    models = [name for name in models_in_order(here) if name != CHANCE][::-1]
    tasks = in_order(("all", *(row.task for row in here)), ("all", *TASKS))
    abreast = min(COLUMNS, len(tasks))
    lines = -(-len(tasks) // abreast)
    with _style():
        height = 0.75 + 0.27 * len(models)
        figure = Figure(figsize=(9.2, lines * height), layout="constrained")
        panels = figure.subplots(lines, abreast, sharey=True, squeeze=False).ravel()
        for axes, task in zip(panels, tasks, strict=False):
            _draw_accuracy(axes, here, benchmark, models, task)
        for axes in panels[len(tasks) :]:
            axes.set_visible(False)
        return _inline(figure, f"Accuracy with 95% intervals on {benchmark}")


def _draw_accuracy(axes: Axes, rows: Sequence[Row], benchmark: str, models: Sequence[str], task: str) -> None:
    chance = find(rows, CHANCE, benchmark, task=task)
    if chance is not None:
        axes.axvline(100 * chance.accuracy, color=COLOURS["muted"], linewidth=0.9, linestyle=":")
    for height, model in enumerate(models):
        row = find(rows, model, benchmark, task=task)
        if row is None:
            continue
        colour = COLOURS["muted" if model in BASELINES else "accent"]
        axes.plot([100 * row.low, 100 * row.high], [height] * 2, color=colour, linewidth=1.6)
        # a dot at 0 or 100 is a whole one
        axes.plot(100 * row.accuracy, height, "o", color=colour, markersize=4.5, clip_on=False)
    axes.set_title("All tasks" if task == "all" else plain(task).capitalize())
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_ylim(-0.6, len(models) - 0.4)
    axes.set_yticks(range(len(models)), models)
    axes.tick_params(axis="y", length=0, labelcolor=COLOURS["ink"])
    axes.set_xlabel("accuracy (%)")
    axes.grid(axis="x", color=COLOURS["rule"], linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)


def curve_panels(records: Sequence[dict[str, float]]) -> list[Panel]:
    """The charts that the logged keys ask for, known metrics first."""
    keys = distinct(k for r in records for k in r if k != "step" and _series(records, k)[0])
    panels = [
        Panel(_title(title, key), unit, key)
        for name, title, unit in PANELS
        for key in keys
        if key == name or key.startswith(f"{name}/")
    ]
    drawn = {panel.key for panel in panels}
    return panels + [Panel(plain(key), "value", key) for key in sorted(set(keys) - drawn)]


def _title(title: str, key: str) -> str:
    detail = key.partition("/")[2]
    return f"{title}, {plain(detail)}" if detail else title


def curve_figure(stage: str, records: Sequence[dict[str, float]]) -> str:
    """Small multiples of what a stage logged; empty where no number was logged.

    Dots are the logged values. The line is their centred mean over an eighth of the records; with
    fewer than eight records, and for the learning rate, which has no noise, it joins the dots.
    """
    panels = curve_panels(records)
    if not panels:
        return ""
    n_rows = math.ceil(len(panels) / COLUMNS)
    with _style():
        spacing = ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.06)
        figure = Figure(figsize=(9.6, 1.75 * n_rows), layout=spacing)
        grid = figure.subplots(n_rows, COLUMNS, squeeze=False).flatten()
        for axes, panel in zip(grid, panels, strict=False):
            _draw_panel(axes, panel, records)
        for axes in grid[len(panels) :]:
            axes.remove()
        return _inline(figure, f"Learning curves of {stage}")


def _draw_panel(axes: Axes, panel: Panel, records: Sequence[dict[str, float]]) -> None:
    steps, values = _series(records, panel.key)
    few = len(values) < SMOOTH_FROM
    line = values if few or panel.key == SCHEDULED else smooth(values)
    size, alpha = (3.6, 1.0) if few else (2.4, 0.4)
    colour = COLOURS["accent"]
    axes.plot(steps, values, "o", color=colour, markersize=size, alpha=alpha, mew=0)
    axes.plot(steps, line, color=colour, linewidth=1.5)
    axes.set_title(panel.title)
    axes.set_xlabel("step")
    axes.set_ylabel(panel.unit)
    axes.margins(x=0.03, y=0.12)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)
    if panel.unit.startswith("share"):
        axes.set_ylim(-0.04, 1.04)
        axes.set_yticks([0, 0.5, 1])
    if 0 < max(map(abs, values)) < 1e-3:
        axes.yaxis.set_major_formatter(FuncFormatter(_small_number))
    axes.grid(axis="y", color=COLOURS["rule"], linewidth=0.5)
    axes.set_axisbelow(True)


def _small_number(value: float, position: int | None) -> str:
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    return f"{mantissa}e{MINUS}{exponent.lstrip('-0')}" if exponent else mantissa


def smooth(values: Sequence[float]) -> list[float]:
    """Centred mean over an eighth of the values, cut off at both ends; few values stay as is."""
    half = max(1, len(values) // 16) if len(values) >= SMOOTH_FROM else 0
    windows = [values[max(0, i - half) : i + half + 1] for i in range(len(values))]
    return [math.fsum(window) / len(window) for window in windows]


def _series(records: Sequence[dict[str, float]], key: str) -> tuple[list[float], list[float]]:
    pairs = sorted((r["step"], r[key]) for r in records if math.isfinite(r.get(key, math.nan)))
    return [step for step, _ in pairs], [value for _, value in pairs]


def _inline(figure: Figure, title: str) -> str:
    buffer = io.StringIO()
    blank = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", transparent=True, metadata=blank)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r'<style type="text/css">.*?</style>', "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r" font-family: [^;]*;", "", svg)
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(title)}"', 1)
