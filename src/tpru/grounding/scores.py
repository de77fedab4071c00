"""From dense items and predictions to rows: the figures of every dataset, task and level, and comparisons."""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tpru.errors import UpstreamError
from tpru.evaluation.statistics import (
    Interval,
    clustered_interval,
    clustered_mean_interval,
    sign_flip_p_value,
)
from tpru.grounding.measures import measure
from tpru.grounding.records import GROUNDING_TASKS, GroundingItem, GroundingPrediction, GroundingTask
from tpru.records import LEVELS

ALL = "all"
METRICS: dict[GroundingTask, tuple[str, ...]] = {
    "temporal": (
        *("R1@0.3", "R1@0.5", "R1@0.7", "mIoU"),
        *("mAP@0.5", "mAP@0.75", "mAP", "HIT@1", "HL-mAP"),
    ),
    "region": ("Acc@0.5", "mIoU"),
    "mask": (
        *("J&F", "J", "F", "success", "precision@20px", "precision@0.2"),
        *("AO", "SR@0.5", "SR@0.75"),
    ),
}
# Shares of items or frames; the others are means.
SHARES = frozenset({"R1@0.3", "R1@0.5", "R1@0.7", "HIT@1", "Acc@0.5", "SR@0.5", "SR@0.75"})


@dataclass(frozen=True)
class GroundingRow:
    """One figure of a model, from 0 to 1: ``metric`` over the items of a dataset, a task and a level.

    ``dataset`` and ``level`` are "all" for the margins. ``low`` and ``high`` are the interval of ``value`` in
    view of its groups: :func:`tpru.evaluation.statistics.clustered_interval` for shares, ``..mean_interval``
    for means. ``n`` counts the items that have this metric, and ``assigned`` is the share of those for which
    the model recognised the task; the others count as 0.
    """

    model: str
    dataset: str
    task: GroundingTask
    level: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    assigned: float


@dataclass(frozen=True)
class GroundingComparison:
    """How A and B differ in the :func:`main_score` of the same ``n`` items.

    ``difference`` is the mean of A minus that of B, from ``low`` to ``high``: A is not worse than B by more
    than a margin where ``low`` is above minus that margin. ``p_value`` is two-sided.
    """

    dataset: str
    task: GroundingTask
    n: int
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    p_value: float


def score_grounding(
    items: Sequence[GroundingItem],
    predictions: Sequence[GroundingPrediction],
    model: str,
    confidence: float = 0.95,
    pooled: Collection[str] | None = None,
    seed: int = 0,
) -> list[GroundingRow]:
    """Rows of every dataset, task and level that has items, and of the metrics that these have.

    Of the dataset "all" are the items of the datasets ``pooled`` together (None: of every one), where figures
    of single public datasets stay comparable with published ones. AO and SR take frames as one, like their
    benchmark; the others are means over items.

    Raises:
        UpstreamError: predictions and items do not match one to one by ``item_id``, or see
            :func:`tpru.grounding.measures.measure`.
    """
    by_id = _matched(items, predictions)
    measured = {item.item_id: measure(item, by_id[item.item_id]) for item in items}
    rows = []
    for dataset, task, level, chosen in _cells(items, pooled):
        for metric in METRICS[task]:
            having = [item for item in chosen if metric in measured[item.item_id]]
            if not having:
                continue
            values = [value for item in having for value in measured[item.item_id][metric]]
            clusters = [_cluster(item) for item in having for _ in measured[item.item_id][metric]]
            interval = _interval(metric, values, clusters, confidence, seed)
            assigned = sum(by_id[item.item_id].assigned for item in having) / len(having)
            mean = math.fsum(values) / len(values)
            rows.append(
                GroundingRow(
                    *(model, dataset, task, level, metric),
                    *(mean, interval.low, interval.high, len(having), assigned),
                )
            )
    return rows


def main_score(item: GroundingItem, prediction: GroundingPrediction) -> float:
    """The one figure of an item that comparisons take, from 0 to 1.

    IoU of the best moment (temporal), IoU of the box (region), J&F (mask) or, where a dataset has boxes
    alone, the mean IoU of the boxes.

    Raises:
        UpstreamError: see :func:`tpru.grounding.measures.measure`.
    """
    found = measure(item, prediction)
    name = next(name for name in ("J&F", "mIoU", "AO") if name in found)
    return math.fsum(found[name]) / len(found[name])


def compare_grounding(
    items: Sequence[GroundingItem],
    predictions_a: Sequence[GroundingPrediction],
    predictions_b: Sequence[GroundingPrediction],
    confidence: float = 0.95,
    pooled: Collection[str] | None = None,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> list[GroundingComparison]:
    """A minus B in the :func:`main_score`, per dataset ("all": see :func:`score_grounding`) and task.

    Intervals and p-values take groups as one: they resample them, or flip their signs.

    Raises:
        UpstreamError: predictions of A or B do not match the items one to one by ``item_id``, or see
            :func:`tpru.grounding.measures.measure`.
    """
    a, b = _matched(items, predictions_a), _matched(items, predictions_b)
    scores_a, scores_b = ({i.item_id: main_score(i, p[i.item_id]) for i in items} for p in (a, b))
    return [
        compare_scores(dataset, task, chosen, scores_a, scores_b, confidence, n_resamples, seed)
        for dataset, task, level, chosen in _cells(items, pooled)
        if level == ALL
    ]


def compare_scores(
    dataset: str,
    task: GroundingTask,
    items: Sequence[GroundingItem],
    scores_a: Mapping[str, float],
    scores_b: Mapping[str, float],
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> GroundingComparison:
    """A minus B over these items, given the :func:`main_score` of both by ``item_id``.

    What :func:`compare_grounding` does for every dataset and task; for one that compares many pairs, since
    masks take long to measure.
    """
    scores = np.array([(scores_a[item.item_id], scores_b[item.item_id]) for item in items])
    apart = (scores[:, 0] - scores[:, 1]).tolist()
    clusters = [_cluster(item) for item in items]
    interval = clustered_mean_interval(apart, clusters, confidence, n_resamples, seed, (-1.0, 1.0))
    return GroundingComparison(
        *(dataset, task, len(items)),
        *(float(scores[:, 0].mean()), float(scores[:, 1].mean()), math.fsum(apart) / len(apart)),
        *(interval.low, interval.high),
        sign_flip_p_value(apart, clusters, n_resamples, seed),
    )


def _interval(
    metric: str, values: list[float], clusters: list[str], confidence: float, seed: int
) -> Interval:
    if metric in SHARES:
        return clustered_interval([value > 0 for value in values], clusters, confidence)
    return clustered_mean_interval(values, clusters, confidence, seed=seed)


def _cluster(item: GroundingItem) -> str:
    return f"{item.dataset}\0{item.group}"


def _cells(
    items: Sequence[GroundingItem], pooled: Collection[str] | None
) -> Iterator[tuple[str, GroundingTask, str, list[GroundingItem]]]:
    names = list(dict.fromkeys(item.dataset for item in items))
    sets = {ALL: [name for name in names if pooled is None or name in pooled]}
    sets |= {name: [name] for name in names}
    for dataset, members in sets.items():
        for task in GROUNDING_TASKS:
            for level in (ALL, *LEVELS):
                chosen = [
                    item
                    for item in items
                    if item.task == task and item.dataset in members and level in (ALL, item.level)
                ]
                if chosen:
                    yield dataset, task, level, chosen


def _matched(
    items: Sequence[GroundingItem], predictions: Sequence[GroundingPrediction]
) -> dict[str, GroundingPrediction]:
    wanted = Counter(item.item_id for item in items)
    found = Counter(prediction.item_id for prediction in predictions)
    twice = sorted(i for i in wanted | found if max(wanted[i], found[i]) > 1)
    missing, extra = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    if twice or missing or extra:
        raise UpstreamError(
            "dense items and predictions do not match one to one: "
            f"{len(missing)} items without a prediction {missing[:3]}, "
            f"{len(extra)} predictions of other items {extra[:3]}, "
            f"{len(twice)} ids that occur twice {twice[:3]}; make the predictions anew from these items"
        )
    return {prediction.item_id: prediction for prediction in predictions}
