"""Guessers that look for shortcuts in the items: a set that one of them can beat is broken.

Each guesser is ``guess(fit, asked, looks) -> {item_id: answer}``: it may choose its rule on the items
``fit`` and answers ``asked``, items of the same build, without knowing what happens in the pictures. It
leaves out items on which it has nothing to say. All are deterministic; ties go by a hash of the item's id.
"""

import math
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Listing
from dataclasses import asdict, dataclass
from pathlib import Path

from tpru.evaluation.guess_pictures import (
    Frames,
    Kind,
    Looks,
    look_at,
    near_costs,
    odd_costs,
    path_costs,
    picture_costs,
)
from tpru.evaluation.guess_rules import Costs, Form, by_cell, guess_by_rules, none_letter, tie_number
from tpru.evaluation.guess_text import majority, text_costs, text_trained
from tpru.evaluation.scoring import (
    GUESS_FEATURES,
    GUESS_PIXELS,
    GUESS_TEXT_RULES,
    GUESS_TEXT_TRAINED,
    SUBSETS,
    Row,
    Subset,
    answer_rows,
    chance,
)
from tpru.evaluation.statistics import wilson_interval
from tpru.files import write_json
from tpru.records import Item

Answers = dict[str, str]
Guesser = Callable[[Listing[Item], Listing[Item], Looks], Answers]

MOST_FIT = 4000  # items to choose rules on: more cost time and would not change the choice
MARGIN = 0.10


@dataclass(frozen=True)
class GuessRow:
    """A guesser on the items of one task, form and subset.

    ``low`` and ``high`` are the 95% Wilson interval of ``accuracy``; ``chance`` is that of a uniform guess
    over the options (1/n! for orders written out) and ``excess`` what the accuracy has over it.
    ``blind`` is what the guesser would get here if it rejected options as often as it does, but on items
    drawn at random: who always rejects is right on all unanswerable items without knowing them.
    """

    guesser: str
    task: str
    form: Form
    subset: Subset
    n: int
    correct: int
    accuracy: float
    low: float
    high: float
    chance: float
    excess: float
    blind: float


def _without_pictures(guess: Callable[[Listing[Item], Listing[Item]], Answers]) -> Guesser:
    return lambda fit, asked, looks: guess(fit, asked)


def _text_rules(fit: Listing[Item], asked: Listing[Item], looks: Looks) -> Answers:
    return guess_by_rules(fit, asked, text_costs)


def _comparing(rules: Callable[[Item, Looks, Kind], Costs], kind: Kind) -> Guesser:
    def guess(fit: Listing[Item], asked: Listing[Item], looks: Looks) -> Answers:
        return guess_by_rules(fit, asked, lambda item: rules(item, looks, kind))

    return guess


GUESSERS: dict[str, Guesser] = {
    "majority": _without_pictures(majority),
    "text_rules": _text_rules,
    "text_trained": _without_pictures(text_trained),
    "pixels_near": _comparing(near_costs, "pixels"),
    "features_near": _comparing(near_costs, "features"),
    "pixels_odd": _comparing(odd_costs, "pixels"),
    "features_odd": _comparing(odd_costs, "features"),
    "pixels_path": _comparing(path_costs, "pixels"),
    "features_path": _comparing(path_costs, "features"),
}

# In the report's tables every line answers every item, so near, odd and path are one guesser there.
REPORTED: dict[str, Guesser] = {
    GUESS_TEXT_RULES: GUESSERS["text_rules"],
    GUESS_TEXT_TRAINED: GUESSERS["text_trained"],
    GUESS_PIXELS: _comparing(picture_costs, "pixels"),
    GUESS_FEATURES: _comparing(picture_costs, "features"),
}


def guess_report(fit: Listing[Item], asked: Listing[Item], frames: Frames) -> list[GuessRow]:
    """Every guesser on ``asked``, its rule chosen on ``fit``: see :func:`strongest`.

    The two should be different items (training and test), or the choice flatters the guessers.

    Raises:
        UpstreamError: a picture of the items is not in ``frames``.
    """
    known = _some(fit)
    looks = look_at([*known, *asked], frames)
    return strongest(asked, {name: guess(known, asked, looks) for name, guess in GUESSERS.items()})


def guesser_rows(fit: Listing[Item], asked: Listing[Item], frames: Frames, benchmark: str) -> list[Row]:
    """The guessers as baseline rows of the report, beside chance.

    Raises:
        UpstreamError: a picture of the items is not in ``frames``.
    """
    known = _some(fit)
    looks = look_at([*known, *asked], frames)
    rows = []
    for name, guess in REPORTED.items():
        answers = guess(known, asked, looks)
        rows += answer_rows(asked, [answers.get(i.item_id, "") for i in asked], name, benchmark)
    return rows


def strongest(asked: Listing[Item], guesses: dict[str, Answers]) -> list[GuessRow]:
    """A row per guesser, task, form and subset, those furthest above chance first.

    Tasks and forms of which a guesser answers no item have no row; what it leaves out there is wrong.
    """
    rows = [
        _row(name, task, form, subset, items, answers)
        for name, answers in guesses.items()
        for (task, form), items in by_cell(asked).items()
        if any(item.item_id in answers for item in items)
        for subset in SUBSETS
        if any(_belongs(item, subset) for item in items)
    ]
    return sorted(rows, key=lambda r: (-r.excess, r.guesser, r.task, r.form, r.subset))


def beaten(rows: Iterable[GuessRow], margin: float = MARGIN) -> list[GuessRow]:
    """Rows that show a shortcut: accuracy over chance by more than ``margin``, its interval above chance.

    On the answerable or unanswerable items alone, what counts is the larger of chance and ``blind``.
    """
    found = []
    for row in rows:
        bar = row.chance if row.subset == "all" else max(row.chance, row.blind)
        if row.accuracy > bar + margin and row.low > bar:
            found.append(row)
    return found


def write_guess_report(path: Path, rows: Listing[GuessRow], margin: float = MARGIN) -> None:
    """Write all rows, and apart from them those that show a shortcut, as JSON."""
    found = [asdict(row) for row in beaten(rows, margin)]
    write_json(path, {"margin": margin, "beaten": found, "rows": [asdict(row) for row in rows]})


def _some(fit: Listing[Item]) -> list[Item]:
    """At most ``MOST_FIT`` of the items, the same share of every task and form."""
    share = min(1.0, MOST_FIT / max(1, len(fit)))
    kept: list[Item] = []
    for items in by_cell(sorted(fit, key=tie_number)).values():
        kept += items[: math.ceil(share * len(items))]
    return kept


def _belongs(item: Item, subset: Subset) -> bool:
    return subset == "all" or item.is_negative == (subset == "unanswerable")


def _row(
    guesser: str, task: str, form: Form, subset: Subset, items: list[Item], answers: Answers
) -> GuessRow:
    rejecting = [i for i in items if none_letter(i)]
    rejected = sum(answers.get(i.item_id) == none_letter(i) for i in rejecting) / max(1, len(rejecting))
    chosen = [i for i in items if _belongs(i, subset)]
    correct = sum(answers.get(i.item_id) == i.answer for i in chosen)
    interval = wilson_interval(correct, len(chosen))
    luck = math.fsum(chance(i) for i in chosen) / len(chosen)
    return GuessRow(
        guesser=guesser,
        task=task,
        form=form,
        subset=subset,
        n=len(chosen),
        correct=correct,
        accuracy=correct / len(chosen),
        low=interval.low,
        high=interval.high,
        chance=luck,
        excess=correct / len(chosen) - luck,
        blind=math.fsum(_blind(i, rejected) for i in chosen) / len(chosen),
    )


def _blind(item: Item, rejected: float) -> float:
    """Probability that a guesser which rejects a share of the items at random is right on this one."""
    if not none_letter(item):
        return chance(item)
    if item.answer == none_letter(item):
        return rejected
    return (1 - rejected) / max(1, len(item.options) - 1)
