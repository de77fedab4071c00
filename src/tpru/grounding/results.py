"""What the report says of dense items: figures of every variant and guesser, and the planned comparisons.

Things that are pointed at in the first frame and followed are a part of their own: they are told where the
thing begins, and the guesser to beat is the box that stays.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tpru.config.tpo_schema import TpoVariant
from tpru.evaluation.statistics import holm
from tpru.grounding.guessers import GUESS_CONSTANT, GUESS_STAY, GUESS_WORDS, GUESSERS
from tpru.grounding.records import GroundingItem, GroundingPrediction, GroundingTask
from tpru.grounding.scores import (
    ALL,
    GroundingComparison,
    GroundingRow,
    compare_scores,
    main_score,
    score_grounding,
)

Part = Literal["temporal", "region", "mask", "tracked"]
# What a comparison asks; p-values are adjusted within one.
Question = Literal["together", "guessers", "choices"]
Verdict = Literal["not worse", "worse", "better", "open"]

PART_TASKS: dict[Part, GroundingTask] = {
    "temporal": "temporal",
    "region": "region",
    "mask": "mask",
    "tracked": "mask",
}
PART_GUESSERS: dict[Part, tuple[str, ...]] = {
    part: (GUESS_CONSTANT, GUESS_WORDS, *((GUESS_STAY,) if part == "tracked" else ())) for part in PART_TASKS
}
# Choices of a variant that are compared where two variants differ in nothing else: the value of A (any other
# is that of B) and the parts that it concerns.
CHOICES: dict[str, tuple[object, tuple[Part, ...]]] = {
    "answers": ("heads", tuple(PART_TASKS)),
    "temporal_head": ("detr", ("temporal",)),
    "region_loss": ("l1_giou", ("region",)),
    "conversation": (True, tuple(PART_TASKS)),
}
# The level whose families and environments training has seen.
SEEN_LEVEL = "L1"

Answers = Mapping[str, tuple[TpoVariant, Sequence[GroundingPrediction]]]
Scores = Mapping[str, Mapping[str, float]]  # by model and item_id, see main_score


@dataclass(frozen=True)
class DenseRow(GroundingRow):
    """A figure of one part."""

    part: Part


@dataclass(frozen=True)
class DenseComparison(GroundingComparison):
    """Two models on the same items of one part and level ("all": of every level).

    ``p_adjusted`` is the p-value in view of all comparisons of its ``question`` (Holm). ``verdict``: of tasks
    learned together "not worse" where the interval reaches 0 and "worse" where it ends below; of the other
    questions "better" or "worse" where the interval leaves 0 out, else "open".
    """

    question: Question
    part: Part
    level: str
    model_a: str
    model_b: str
    p_adjusted: float
    verdict: Verdict


@dataclass(frozen=True)
class DenseResults:
    """Rows and comparisons of the dense items. ``simulated`` are the datasets that "all" consists of."""

    simulated: tuple[str, ...]
    rows: list[DenseRow]
    comparisons: list[DenseComparison]


def part_of(item: GroundingItem) -> Part:
    """The part of the results that an item belongs to."""
    return "tracked" if item.task == "mask" and item.start else item.task


def dense_results(
    train: Sequence[GroundingItem],
    test: Sequence[GroundingItem],
    answers: Answers,
    simulated: Collection[str],
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> DenseResults:
    """Figures of the variants and of the guessers, and the comparisons.

    Args:
        train: what the guessers choose their answers on.
        test: all items that were asked; a variant answered those of its tasks.
        answers: by variant, what it is and what it answers.
        simulated: the datasets that are taken together as "all"; others stand for themselves.
        confidence: of intervals.
        n_resamples: of the intervals and p-values of comparisons.
        seed: of resampling.

    Raises:
        UpstreamError: see :func:`tpru.grounding.scores.score_grounding`.
    """
    rows: list[DenseRow] = []
    comparisons: list[DenseComparison] = []
    for part, task in PART_TASKS.items():
        items = [item for item in test if part_of(item) == part]
        if not items:
            continue
        ids = {item.item_id for item in items}
        found = {
            name: [p for p in predictions if p.item_id in ids]
            for name, (variant, predictions) in answers.items()
            if task in variant.tasks
        }
        found |= {name: GUESSERS[name](train, items) for name in PART_GUESSERS[part]}
        scores = {}
        for model, predictions in found.items():
            scored = score_grounding(items, predictions, model, confidence, simulated, seed)
            rows += [DenseRow(**dataclasses.asdict(row), part=part) for row in scored]
            by_id = {p.item_id: p for p in predictions}
            scores[model] = {item.item_id: main_score(item, by_id[item.item_id]) for item in items}
        variants = {name: variant for name, (variant, _) in answers.items() if name in scores}
        for question, level, model_a, model_b in questions(variants, part):
            for dataset, asked in _scopes(items, simulated, level):
                compared = compare_scores(
                    *(dataset, task, asked, scores[model_a], scores[model_b]),
                    *(confidence, n_resamples, seed),
                )
                of = level if {item.level for item in asked} == {level} else ALL
                comparisons.append(_named(compared, question, part, of, model_a, model_b))
    together = dict.fromkeys(item.dataset for item in test if item.dataset in simulated)
    return DenseResults(tuple(together), rows, _adjusted(comparisons))


def questions(variants: Mapping[str, TpoVariant], part: Part) -> Iterator[tuple[Question, str, str, str]]:
    """The comparisons of a part: the question, the level that it is asked of, A and B.

    Several tasks together against the task alone, where both answer in the same way (conversation may come
    on top); every variant against the guessers on the level that training has seen; and every two variants
    that differ in one of :data:`CHOICES` alone.
    """
    task = PART_TASKS[part]
    for name_a, a in variants.items():
        for name_b, b in variants.items():
            if len(a.tasks) > 1 and b.tasks == (task,) and _way(a) == _way(b):
                yield "together", ALL, name_a, name_b
    for name in variants:
        for guesser in PART_GUESSERS[part]:
            yield "guessers", SEEN_LEVEL, name, guesser
    for choice, (first, parts) in CHOICES.items():
        for name_a, a in variants.items():
            for name_b, b in variants.items():
                if part in parts and getattr(a, choice) == first and _differ(a, b) == {choice}:
                    yield "choices", ALL, name_a, name_b


def _way(variant: TpoVariant) -> tuple[str, ...]:
    """How a variant answers."""
    return (variant.answers, variant.temporal_head, variant.region_loss)


def _differ(a: TpoVariant, b: TpoVariant) -> set[str]:
    """Names of the values that two variants do not share; the order of tasks is none."""
    left, right = ({**v.model_dump(), "tasks": set(v.tasks)} for v in (a, b))
    return {name for name in left if left[name] != right[name]}


def _scopes(
    items: Sequence[GroundingItem], simulated: Collection[str], level: str
) -> Iterator[tuple[str, list[GroundingItem]]]:
    """The simulated datasets together and every other one for itself, of one level where they have it.

    Public datasets have no levels, simulators may do without: then these are all items.
    """
    together = [item for item in items if item.dataset in simulated]
    chosen = [item for item in together if item.level == level] or together
    if chosen:
        yield ALL, chosen
    for name in dict.fromkeys(item.dataset for item in items if item.dataset not in simulated):
        yield name, [item for item in items if item.dataset == name]


def _named(
    compared: GroundingComparison, question: Question, part: Part, level: str, model_a: str, model_b: str
) -> DenseComparison:
    verdict: Verdict
    if question == "together":
        verdict = "not worse" if compared.high >= 0 else "worse"
    elif compared.low > 0:
        verdict = "better"
    else:
        verdict = "worse" if compared.high < 0 else "open"
    return DenseComparison(
        **dataclasses.asdict(compared),
        question=question,
        part=part,
        level=level,
        model_a=model_a,
        model_b=model_b,
        p_adjusted=compared.p_value,
        verdict=verdict,
    )


def _adjusted(comparisons: Sequence[DenseComparison]) -> list[DenseComparison]:
    """By question, with p-values in view of all comparisons of the same one."""
    out = []
    for question in ("together", "guessers", "choices"):
        asked = [c for c in comparisons if c.question == question]
        adjusted = holm([c.p_value for c in asked])
        out += [dataclasses.replace(c, p_adjusted=p) for c, p in zip(asked, adjusted, strict=True)]
    return out
