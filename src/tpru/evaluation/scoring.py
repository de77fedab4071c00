"""From items and predictions to rows: accuracy per task, scenario and subset, and the baselines."""

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tpru.evaluation.power import detectable_paired, detectable_unpaired
from tpru.evaluation.statistics import Interval, PairedResult, clustered_interval, holm, paired_difference
from tpru.records import SCENARIOS, TASKS, Item, Prediction

Subset = Literal["all", "answerable", "unanswerable"]

SUBSETS: tuple[Subset, ...] = ("all", "answerable", "unanswerable")
CHANCE = "chance"
MAJORITY = "majority"
ALWAYS_NONE = "always_none"
GUESS_TEXT_RULES = "guess_text_rules"
GUESS_TEXT_TRAINED = "guess_text_trained"
GUESS_PIXELS = "guess_pixels"
GUESS_FEATURES = "guess_features"
BASELINES = (
    CHANCE,
    MAJORITY,
    ALWAYS_NONE,
    GUESS_TEXT_RULES,
    GUESS_TEXT_TRAINED,
    GUESS_PIXELS,
    GUESS_FEATURES,
)


@dataclass(frozen=True)
class Row:
    """One cell of the results: a model on the items of a task, a scenario and a subset.

    ``task`` and ``scenario`` are "all" for the margins. A benchmark without categories (without a second
    grouping) has no other task (scenario) than that.
    ``correct`` is a count, or an expected count for chance. ``low`` and ``high`` are the 95% interval of
    ``accuracy`` in view of its ``clusters`` (how many groups the items come from); chance is exact, so both
    equal it. ``unparsable`` is the share of completions without a readable answer.
    """

    model: str
    benchmark: str
    task: str
    scenario: str
    subset: Subset
    n: int
    correct: float
    accuracy: float
    low: float
    high: float
    unparsable: float
    clusters: int


@dataclass(frozen=True)
class _Cell:
    task: str
    scenario: str
    subset: Subset
    items: list[Item]


@dataclass(frozen=True)
class Comparison(PairedResult):
    """Two models on the same items of one task, or of all: a paired result with its names.

    ``p_adjusted`` is the p-value in view of all comparisons of the benchmark (:func:`adjusted`), and
    ``detectable`` the smallest difference that this one finds with a power of 80% (None: no difference).
    """

    benchmark: str
    task: str
    model_a: str
    model_b: str
    p_adjusted: float
    detectable: float | None


@dataclass(frozen=True)
class Power:
    """What the items of a benchmark can show at 5% with a power of 80%, as differences in accuracy.

    ``paired``: two models on its items, which differ as often as those compared do on average
    (``discordance``), in view of its clusters. ``unpaired``: against a model of accuracy 1/2 whose answers
    are not known, items taken as independent. None: no difference, or nothing compared.
    """

    benchmark: str
    n: int
    clusters: int
    discordance: float | None
    paired: float | None
    unpaired: float | None


def score(items: Sequence[Item], predictions: Sequence[Prediction], model: str, benchmark: str) -> list[Row]:
    """Rows of every task, scenario and subset that has items, margins ("all") included.

    Raises:
        ValueError: predictions and items do not match one to one by ``item_id``.
    """
    by_id = _matched(items, predictions)
    rows = []
    for cell in _cells(items):
        answers = [by_id[item.item_id] for item in cell.items]
        correct = sum(answer.correct for answer in answers)
        unparsable = sum(not answer.parsed for answer in answers) / len(answers)
        interval = clustered_interval([a.correct for a in answers], [cluster(i) for i in cell.items])
        rows.append(_row(cell, model, benchmark, correct, interval, unparsable))
    return rows


def chance_rows(items: Sequence[Item], benchmark: str) -> list[Row]:
    """Rows of the expected accuracy of uniform guessing over options, or over free permutations."""
    rows = []
    for cell in _cells(items):
        correct = math.fsum(chance(item) for item in cell.items)
        share = correct / len(cell.items)
        rows.append(_row(cell, CHANCE, benchmark, correct, Interval(share, share), 0.0))
    return rows


def majority_rows(train_items: Sequence[Item], items: Sequence[Item], benchmark: str) -> list[Row]:
    """Rows of always giving the most common training answer of the same task and answer form.

    Ties go to the first answer in alphabetical order. A form that training never shows counts as
    wrong. Of an external benchmark, which nothing was trained on, ``train_items`` are its own items: then
    the rows are the most that a constant answer per category can reach, an upper bound for such guessers.
    """
    counts: dict[tuple[str, str], Counter[str]] = {}
    for item in train_items:
        counts.setdefault((item.task, answer_form(item)), Counter())[item.answer] += 1
    common = {form: min(c, key=lambda answer: (-c[answer], answer)) for form, c in counts.items()}
    answers = [common.get((item.task, answer_form(item)), "") for item in items]
    return answer_rows(items, answers, MAJORITY, benchmark)


def always_none_rows(items: Sequence[Item], benchmark: str) -> list[Row]:
    """Rows of always choosing the reject option; items without one count as wrong."""
    answers = [next((o.letter for o in item.options if o.kind == "none"), "") for item in items]
    return answer_rows(items, answers, ALWAYS_NONE, benchmark)


def answer_rows(items: Sequence[Item], answers: Sequence[str], model: str, benchmark: str) -> list[Row]:
    """Rows of a baseline's answers, one per item in their order; "" for an item it has no answer to."""
    predictions = [
        Prediction(item.item_id, model, benchmark, answer, answer, answer == item.answer, 0)
        for item, answer in zip(items, answers, strict=True)
    ]
    # a baseline without an answer for some form is wrong there, not unreadable
    rows = score(items, predictions, model, benchmark)
    return [dataclasses.replace(row, unparsable=0.0) for row in rows]


def compare(
    items: Sequence[Item],
    predictions_a: Sequence[Prediction],
    predictions_b: Sequence[Prediction],
    benchmark: str,
    model_a: str,
    model_b: str,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> list[Comparison]:
    """Model A minus model B over all items and per task, clustered by group within its source.

    Raises:
        ValueError: predictions of A or B do not match the items one to one by ``item_id``.
    """
    right_a, right_b = _matched(items, predictions_a), _matched(items, predictions_b)
    comparisons = []
    for cell in _cells(items):
        if cell.scenario != "all" or cell.subset != "all":
            continue
        result = paired_difference(
            [right_a[item.item_id].correct for item in cell.items],
            [right_b[item.item_id].correct for item in cell.items],
            [cluster(item) for item in cell.items],
            confidence,
            n_resamples,
            seed,
        )
        comparisons.append(
            Comparison(
                **dataclasses.asdict(result),
                benchmark=benchmark,
                task=cell.task,
                model_a=model_a,
                model_b=model_b,
                p_adjusted=result.p_value,
                detectable=detectable_paired(
                    result.n / result.effect, (result.only_a + result.only_b) / result.n
                ),
            )
        )
    return comparisons


def adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons, in their order, with p-values adjusted by Holm over those of the same benchmark."""
    out = list(comparisons)
    for benchmark in {c.benchmark for c in comparisons}:
        places = [k for k, c in enumerate(comparisons) if c.benchmark == benchmark]
        for k, p in zip(places, holm([comparisons[k].p_value for k in places]), strict=True):
            out[k] = dataclasses.replace(comparisons[k], p_adjusted=p)
    return out


def powers(rows: Sequence[Row], comparisons: Sequence[Comparison]) -> list[Power]:
    """What every benchmark can show, over all of its items."""
    totals = {r.benchmark: r for r in rows if r.task == r.scenario == r.subset == "all"}
    out = []
    for benchmark, row in totals.items():
        pairs = [c for c in comparisons if c.benchmark == benchmark and c.task == "all"]
        discordance = paired = None
        if pairs:
            discordance = math.fsum((c.only_a + c.only_b) / c.n for c in pairs) / len(pairs)
            effect = math.fsum(c.effect for c in pairs) / len(pairs)
            paired = detectable_paired(row.n / effect, discordance)
        unpaired = detectable_unpaired(row.n, 0.5)
        out.append(Power(benchmark, row.n, row.clusters, discordance, paired, unpaired))
    return out


def cluster(item: Item) -> str:
    """Items of one group within a source are one cluster."""
    return f"{item.source}\0{item.group}"


def chance(item: Item) -> float:
    """Probability that a uniform guess over options, or over orders of the labels, is right."""
    return 1 / len(item.options) if item.options else 1 / math.factorial(n_labels(item))


def answer_form(item: Item) -> str:
    """The form of the expected answer: "options", or "permutation" with the number of labels."""
    return "options" if item.options else f"permutation {n_labels(item)}"


def n_labels(item: Item) -> int:
    """How many pictures the answer of an item without options puts in order."""
    # labels are single characters; the answer may be written with or without separators
    return sum(character.isalnum() for character in item.answer)


def in_order(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Distinct names without the empty one: the known ones in their order, the others as they appear."""
    found = [name for name in dict.fromkeys(names) if name]
    return [*(name for name in known if name in found), *(name for name in found if name not in known)]


def _matched(items: Sequence[Item], predictions: Sequence[Prediction]) -> dict[str, Prediction]:
    wanted = Counter(item.item_id for item in items)
    found = Counter(prediction.item_id for prediction in predictions)
    twice = sorted(i for i in wanted | found if max(wanted[i], found[i]) > 1)
    missing, extra = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    if twice or missing or extra:
        raise ValueError(
            "items and predictions do not match one to one: "
            f"{len(missing)} without a prediction {missing[:3]}, "
            f"{len(extra)} predictions of other items {extra[:3]}, "
            f"{len(twice)} ids that occur twice {twice[:3]}"
        )
    return {prediction.item_id: prediction for prediction in predictions}


def _cells(items: Sequence[Item]) -> Iterator[_Cell]:
    tasks = ("all", *in_order((item.task for item in items), TASKS))
    scenarios = ("all", *in_order((item.scenario for item in items), SCENARIOS))
    for task, scenario, subset in itertools.product(tasks, scenarios, SUBSETS):
        chosen = [
            item
            for item in items
            if task in ("all", item.task)
            and scenario in ("all", item.scenario)
            and subset in ("all", "unanswerable" if item.is_negative else "answerable")
        ]
        if chosen:
            yield _Cell(task, scenario, subset, chosen)


def _row(
    cell: _Cell, model: str, benchmark: str, correct: float, interval: Interval, unparsable: float
) -> Row:
    return Row(
        model=model,
        benchmark=benchmark,
        task=cell.task,
        scenario=cell.scenario,
        subset=cell.subset,
        n=len(cell.items),
        correct=float(correct),
        accuracy=correct / len(cell.items),
        low=interval.low,
        high=interval.high,
        unparsable=unparsable,
        clusters=len({cluster(item) for item in cell.items}),
    )
