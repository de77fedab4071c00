"""What all guessers share: the candidate answers of an item, ties, and choosing a rule on other items.

A guesser's rule gives every candidate answer of an item a cost; the cheapest candidate is the guess, and
the reject option where even the cheapest costs more than a threshold.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tpru.evaluation.scoring import n_labels
from tpru.files import sha256_bytes
from tpru.records import Item

Form = Literal["pictures", "orders", "written"]
Cell = tuple[str, Form]
Floats = NDArray[np.float64]
Orders = NDArray[np.int64]
Costs = dict[str, Floats]  # by rule: one cost per candidate
CostsOf = Callable[[Item], Costs]  # no rule where a guesser has nothing to say on an item

FORMS: tuple[Form, ...] = ("pictures", "orders", "written")
SAME_COST = 1e-6  # costs summed in another order (a path and its reverse) differ by rounding


@dataclass(frozen=True)
class Rule:
    """A rule by name, and the cost above which it rejects all options."""

    name: str
    threshold: float


def form_of(item: Item) -> Form:
    """Choice among pictures, choice among orders, or an order that is written out."""
    if not item.options:
        return "written"
    return "pictures" if any(o.kind == "image" for o in item.options) else "orders"


def by_cell(items: Iterable[Item]) -> dict[Cell, list[Item]]:
    """Items by task and form."""
    cells: defaultdict[Cell, list[Item]] = defaultdict(list)
    for item in items:
        cells[(item.task, form_of(item))].append(item)
    return dict(cells)


def none_letter(item: Item) -> str:
    """The letter of the reject option, empty where there is none."""
    return next((o.letter for o in item.options if o.kind == "none"), "")


@cache
def all_orders(n: int) -> Orders:
    """All orders of n pictures in lexicographic order: array of shape (n!, n)."""
    return np.array(list(permutations(range(n))), dtype=np.int64)


def orders_of(item: Item) -> Orders:
    """Candidate orders of a reordering item as places in the prompt: array of shape (candidates, n)."""
    if not item.options:
        return all_orders(n_labels(item))
    written = [_labels(o.content) for o in item.options if o.kind == "permutation"]
    labels = sorted(written[0])
    return np.array([[labels.index(label) for label in order] for order in written], dtype=np.int64)


def candidate(item: Item, number: int) -> str:
    """The answer that names a candidate: an option letter, or the labels in order."""
    if item.options:
        return [o.letter for o in item.options if o.kind != "none"][number]
    labels = sorted(_labels(item.answer))  # tells which labels there are, not their order
    return "".join(labels[k] for k in all_orders(len(labels))[number])


def tie_number(item: Item) -> int:
    """A number that depends on the item's id alone: ties that it breaks favour no letter."""
    return int(sha256_bytes(item.item_id.encode())[:12], 16)


def cheapest(item: Item, costs: Floats) -> tuple[int, float]:
    """Number and cost of the cheapest candidate."""
    low = float(costs.min())
    ties = np.flatnonzero(costs <= low + SAME_COST * max(1.0, abs(low)))
    return int(ties[tie_number(item) % len(ties)]), low


def guess_by_rules(fit: Listing[Item], asked: Listing[Item], costs_of: CostsOf) -> dict[str, str]:
    """Answers by item id, by the rule that does best on ``fit`` for the same task and form.

    Items for which there is no rule are left out. Where ``fit`` has no item of a form, the first rule
    answers and never rejects.
    """
    answers: dict[str, str] = {}
    fit_cells = by_cell(fit)
    for cell, items in by_cell(asked).items():
        rule = choose_rule(fit_cells.get(cell, []), costs_of)
        for item in items:
            costs = costs_of(item)
            if costs:
                name, threshold = (rule.name, rule.threshold) if rule else (next(iter(costs)), math.inf)
                number, cost = cheapest(item, costs[name])
                rejects = cost > threshold and none_letter(item)
                answers[item.item_id] = none_letter(item) if rejects else candidate(item, number)
    return answers


def choose_rule(items: Listing[Item], costs_of: CostsOf) -> Rule | None:
    """The rule and threshold with most right answers, the first of equals; None without any rule."""
    outcomes: defaultdict[str, list[tuple[float, bool, bool]]] = defaultdict(list)
    for item in items:
        none = none_letter(item)
        for name, costs in costs_of(item).items():
            number, cost = cheapest(item, costs)
            right = candidate(item, number) == item.answer
            # without a reject option, rejecting is no way to be right or wrong
            outcomes[name].append((cost, right, item.answer == none if none else right))
    best, most = None, -1
    for name, listed in outcomes.items():
        threshold, n_right = fit_threshold(listed)
        if n_right > most:
            best, most = Rule(name, threshold), n_right
    return best


def fit_threshold(outcomes: list[tuple[float, bool, bool]]) -> tuple[float, int]:
    """Threshold with most right answers, and their number.

    Args:
        outcomes: per item the cost of its cheapest candidate, whether that one is right, and whether
            rejecting is right. Of equal thresholds the one that rejects least is taken.
    """
    listed = sorted(outcomes)
    costs = [-math.inf, *(cost for cost, _, _ in listed), math.inf]
    kept = np.cumsum([0, *(right for _, right, _ in listed)])
    rejected = np.cumsum([0, *(none for _, _, none in reversed(listed))])[::-1]
    right_answers = kept + rejected
    between = [k for k in range(len(listed) + 1) if costs[k] + SAME_COST < costs[k + 1]]
    k = max(between, key=lambda k: (right_answers[k], k))
    threshold = costs[k + 1] if k == len(listed) else (costs[k] + costs[k + 1]) / 2
    return threshold, int(right_answers[k])


def _labels(text: str) -> list[str]:
    return [character for character in text if character.isalnum()]
