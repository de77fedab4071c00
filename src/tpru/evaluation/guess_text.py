"""Guessers that see no picture: the most common answer, hand-made rules, and a small trained model."""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence as Listing
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from tpru.evaluation.guess_rules import (
    Cell,
    Costs,
    Floats,
    Orders,
    all_orders,
    by_cell,
    candidate,
    cheapest,
    form_of,
    orders_of,
    tie_number,
)
from tpru.evaluation.scoring import answer_form, n_labels
from tpru.records import LETTERS, Item

WORD = re.compile(r"[^\W\d_]+")
N_WORDS = 256  # words share this many counters
L2 = 2.0  # penalty on squared weights, in units of one item's log-likelihood
MOST_LABELS = len(LETTERS)


def majority(fit: Listing[Item], asked: Listing[Item]) -> dict[str, str]:
    """The most frequent answer of ``fit`` for the task and form; ties go by the item's id."""
    counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for item in fit:
        counts[(item.task, answer_form(item))][item.answer] += 1
    common_answers = {
        key: sorted(answer for answer, n in seen.items() if n == seen.most_common(1)[0][1])
        for key, seen in counts.items()
    }
    answers: dict[str, str] = {}
    for item in asked:
        common = common_answers.get((item.task, answer_form(item)))
        if common:
            answers[item.item_id] = common[tie_number(item) % len(common)]
    return answers


def text_costs(item: Item) -> Costs:
    """Hand-made rules on the option texts and on the length of the caption."""
    length = len(WORD.findall(item.caption))
    if form_of(item) == "written":
        from_identity = _inversions(n_labels(item))
        return {
            "even": np.zeros(len(from_identity)),
            "near_identity": from_identity,
            "far_from_identity": -from_identity,
        }
    n = sum(o.kind != "none" for o in item.options)
    costs = {
        "even": np.zeros(n),
        "first": np.arange(n, dtype=float),
        "last": -np.arange(n, dtype=float),
        "long_caption_is_false": np.full(n, float(length)),
        "short_caption_is_false": np.full(n, -float(length)),
    }
    if form_of(item) == "orders":
        orders = orders_of(item)
        pairs = pairs_in_order(orders)
        from_identity, to_others = 1 - pairs.mean(axis=1), _kendall(pairs).mean(axis=1)
        costs |= {
            "near_identity": from_identity,
            "far_from_identity": -from_identity,
            "medoid": to_others,
            "outlier": -to_others,
        }
    return costs


def pairs_in_order(orders: Orders) -> NDArray[np.bool_]:
    """For each order, whether place i comes before place j, for all i < j: shape (orders, pairs)."""
    position = np.argsort(orders, axis=1)
    first, second = np.triu_indices(orders.shape[1], 1)
    return position[:, first] < position[:, second]


def _kendall(pairs: NDArray[np.bool_]) -> Floats:
    """Share of pairs on which two orders differ, for all pairs of orders."""
    return (pairs[:, None] != pairs[None]).mean(axis=-1)


@cache
def _inversions(n: int) -> Floats:
    return 1 - pairs_in_order(all_orders(n)).mean(axis=1)


def text_trained(fit: Listing[Item], asked: Listing[Item]) -> dict[str, str]:
    """Answers of a small model per task and form, trained on ``fit``: see :func:`option_features`."""
    answers: dict[str, str] = {}
    fit_cells = by_cell(fit)
    for cell, items in by_cell(asked).items():
        known = fit_cells.get(cell, [])
        answers |= _written(known, items) if cell[1] == "written" else _chosen(cell, known, items)
    return answers


def _chosen(cell: Cell, fit: list[Item], asked: list[Item]) -> dict[str, str]:
    known = [i for i in fit if any(o.letter == i.answer for o in i.options)]
    features = [option_features(i) for i in known]
    right = [[o.letter for o in i.options].index(i.answer) for i in known]
    weights = fit_choices(features, right) if known else None
    answers: dict[str, str] = {}
    for item in asked:
        scores = option_features(item) @ weights if weights is not None else np.zeros(len(item.options))
        number, _ = cheapest(item, -scores)
        answers[item.item_id] = item.options[number].letter
    return answers


def fit_choices(features: Listing[Floats], right: Listing[int]) -> Floats:
    """Weights of a logistic regression that chooses one option per item.

    Args:
        features: per item an array of shape (options, features).
        right: per item the number of the right option.
    """
    x = np.concatenate(features)
    sizes = np.array([len(f) for f in features])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    chosen = starts + np.asarray(right)

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = x @ weights
        scores -= np.repeat(np.maximum.reduceat(scores, starts), sizes)
        totals = np.add.reduceat(np.exp(scores), starts)
        shares = np.exp(scores) / np.repeat(totals, sizes)
        value = np.log(totals).sum() - scores[chosen].sum() + L2 / 2 * weights @ weights
        return float(value), x.T @ shares - x[chosen].sum(axis=0) + L2 * weights

    found = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x, dtype=np.float64)


def option_features(item: Item) -> Floats:
    """What can be told of each option without pictures: array of shape (options, features).

    The letter; for an order how it lies to the identity and to the other orders; for the reject option
    the words of the prompt (captions that contradict the pictures might give themselves away).
    """
    n = len(item.options)
    letters = np.eye(n, MOST_LABELS)
    rejects = np.array([[float(o.kind == "none")] for o in item.options])
    words = rejects * _hashed_words(item)
    parts = [letters, rejects, words]
    if form_of(item) == "orders":
        described = _order_features(orders_of(item))
        table = np.zeros((n, described.shape[1]))
        table[[k for k, o in enumerate(item.options) if o.kind != "none"]] = described
        parts.append(table)
    return np.concatenate(parts, axis=1)


def _hashed_words(item: Item) -> Floats:
    text = " ".join([item.caption, *(b.value for b in item.prompt if b.type == "text")])
    counters = np.zeros(N_WORDS)
    counters[[zlib.crc32(word.encode()) % N_WORDS for word in WORD.findall(text.lower())]] = 1
    return counters


def _order_features(orders: Orders) -> Floats:
    pairs = pairs_in_order(orders)
    between = _kendall(pairs)
    others = between + np.where(np.eye(len(orders)), np.inf, 0)
    mean = between.mean(axis=1)
    same_place = (orders[:, None] == orders[None]).mean(axis=1)
    columns = [
        1 - pairs.mean(axis=1),
        mean,
        mean == mean.min(),
        mean == mean.max(),
        others.min(axis=1) if len(orders) > 1 else mean,
        between.max(axis=1),
        same_place.mean(axis=1),
        same_place[:, 0],  # how many options begin like this one
        same_place[:, -1],
    ]
    ends = [np.eye(MOST_LABELS)[orders[:, 0]], np.eye(MOST_LABELS)[orders[:, -1]]]
    return np.concatenate([np.stack(columns, axis=1).astype(float), *ends], axis=1)


def _written(fit: list[Item], asked: list[Item]) -> dict[str, str]:
    """The order whose labels were most common at their places among orders of the same length."""
    counts: dict[int, Floats] = {}
    for item in [*fit, *asked]:
        counts.setdefault(n_labels(item), np.ones((n_labels(item), n_labels(item))))
    for item in fit:
        order = [character for character in item.answer if character.isalnum()]
        for place, label in enumerate(order):
            counts[n_labels(item)][place, sorted(order).index(label)] += 1
    costs = {
        n: -np.log(table)[np.arange(n), all_orders(n)].sum(axis=1)
        for n, table in counts.items()
        if any(n_labels(item) == n for item in asked)
    }
    return {i.item_id: candidate(i, cheapest(i, costs[n_labels(i)])[0]) for i in asked}
