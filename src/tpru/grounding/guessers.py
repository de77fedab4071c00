"""Guessers that answer dense items without their pictures: what a model has to beat.

Each guesser is ``guess(fit, asked) -> predictions``: it may look at the answers of the training items ``fit``
and answers all of ``asked``, of which it knows the words, how many frames there are and how large, how long
the clip lasts and, where something is pointed at, its first box. All are deterministic.
"""

import dataclasses
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from tpru.grounding.guess_shapes import Shape, at_size, fit
from tpru.grounding.masks import box_of_mask, encode, fill_box, mask_size
from tpru.grounding.records import GroundingItem, GroundingPrediction, GroundingTask, Region, ScoredMoment

GUESS_CONSTANT = "guess_constant"
GUESS_WORDS = "guess_words"
GUESS_STAY = "guess_stay"
WORD = re.compile(r"\w+")
NEAREST = 10

Items = Sequence[GroundingItem]
Key = tuple[GroundingTask, str]
Guesser = Callable[[Items, Items], list[GroundingPrediction]]


def constant(fit_items: Items, asked: Items) -> list[GroundingPrediction]:
    """The same answer to all items of a task and dataset: the one of the highest mean IoU in training.

    A dataset that training does not have takes the answer of all of them together. A task that it does not
    have is left unassigned, which counts as wrong.
    """
    by_key, wanted = _by_key(fit_items, asked)
    shapes = {key: fit(items) for key, items in by_key.items()}
    return [
        _prediction(item, shapes.get(key), GUESS_CONSTANT) for item, key in zip(asked, wanted, strict=True)
    ]


def text_only(fit_items: Items, asked: Items) -> list[GroundingPrediction]:
    """Like :func:`constant`, but by the words: from the training items that ask for the same.

    These are the ones of the same query, else of the ten queries nearest by the cosine of shared words, each
    word weighted by how few queries have it (tf-idf); without a shared word the constant remains.
    """
    by_key, wanted = _by_key(fit_items, asked)
    indices = {key: _index(items) for key, items in by_key.items()}
    shapes: dict[tuple[Key, str], Shape] = {}
    predictions = []
    for item, key in zip(asked, wanted, strict=True):
        query = _plain(item.query)
        if key in indices and (key, query) not in shapes:
            shapes[key, query] = fit(_alike(indices[key], query) or by_key[key])
        predictions.append(_prediction(item, shapes.get((key, query)), GUESS_WORDS))
    return predictions


def stay(fit_items: Items, asked: Items) -> list[GroundingPrediction]:
    """The box in the first frame, filled, in all frames where one is given; else :func:`constant`."""
    guessed = constant(fit_items, asked)
    return [
        _prediction(item, Shape(box=item.start), GUESS_STAY)
        if item.start
        else dataclasses.replace(prediction, model=GUESS_STAY)
        for item, prediction in zip(asked, guessed, strict=True)
    ]


GUESSERS: dict[str, Guesser] = {GUESS_CONSTANT: constant, GUESS_WORDS: text_only, GUESS_STAY: stay}


def _by_key(fit_items: Items, asked: Items) -> tuple[dict[Key, list[GroundingItem]], list[Key]]:
    """Training items by task and dataset, as far as they are wanted, and what each asked item wants.

    Under the dataset "" are all items of a task, for datasets that training does not have.
    """
    known = {(item.task, item.dataset) for item in fit_items}
    wanted: list[Key] = [
        (item.task, item.dataset if (item.task, item.dataset) in known else "") for item in asked
    ]
    found: defaultdict[Key, list[GroundingItem]] = defaultdict(list)
    needed = set(wanted)
    for item in fit_items:
        for key in needed & {(item.task, item.dataset), (item.task, "")}:
            found[key].append(item)
    return dict(found), wanted


def _prediction(item: GroundingItem, shape: Shape | None, model: str) -> GroundingPrediction:
    if shape is None:
        return GroundingPrediction(item.item_id, model, assigned=False)
    if item.task == "temporal":
        ends = [(w.start * item.duration, w.end * item.duration, w.score) for w in shape.windows]
        start, end, _ = ends[0]
        # Frames that begin within the first moment are the highlights.
        saliency = tuple(float(start <= time < end) for time in item.times)
        moments = tuple(ScoredMoment(*moment) for moment in ends)
        return GroundingPrediction(item.item_id, model, True, moments, saliency=saliency)
    box, mask = shape.box, b""
    if item.task == "mask" and (size := mask_size(item)):
        whole = fill_box(box, *size) if shape.cells is None else at_size(shape.cells, *size)
        mask, box = encode(whole), box if shape.cells is None else box_of_mask(whole)
    regions = tuple(Region(region.frame, box, mask) for region in item.regions)
    return GroundingPrediction(item.item_id, model, True, regions=regions)


@dataclass(frozen=True)
class _Index:
    by_query: dict[str, list[GroundingItem]]
    rarity: dict[str, float]  # by word, 0 for one that all queries have
    columns: dict[str, int]
    table: Any  # sparse, (queries, words), rows of length 1


def _index(items: list[GroundingItem]) -> _Index:
    by_query: defaultdict[str, list[GroundingItem]] = defaultdict(list)
    for item in items:
        by_query[_plain(item.query)].append(item)
    seen = Counter(word for query in by_query for word in set(WORD.findall(query)))
    rarity = {word: math.log(len(by_query) / count) for word, count in seen.items()}
    columns = {word: column for column, word in enumerate(sorted(seen))}
    rows = [_row(query, rarity, columns) for query in by_query]
    return _Index(dict(by_query), rarity, columns, sparse.vstack(rows, format="csr"))


def _row(query: str, rarity: dict[str, float], columns: dict[str, int]) -> Any:
    counts = Counter(word for word in WORD.findall(query) if word in columns)
    values = np.array([count * rarity[word] for word, count in counts.items()], dtype=np.float64)
    length = float(np.linalg.norm(values)) or 1.0
    places = ([0] * len(counts), [columns[word] for word in counts])
    return sparse.csr_matrix((values / length, places), shape=(1, len(columns)))


def _alike(index: _Index, query: str) -> list[GroundingItem]:
    if query in index.by_query:
        return index.by_query[query]
    likeness = (index.table @ _row(query, index.rarity, index.columns).T).toarray().ravel()
    nearest = [k for k in np.argsort(-likeness, kind="stable")[:NEAREST] if likeness[k] > 0]
    queries = list(index.by_query)
    return [item for k in nearest for item in index.by_query[queries[k]]]


def _plain(query: str) -> str:
    return " ".join(WORD.findall(query.lower()))
