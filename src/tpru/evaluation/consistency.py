"""Does the answer follow from the reasoning? Read by rules; a model as judge is :mod:`tpru.evaluation.judge`.

Reinforcement learning may raise accuracy while chains of thought contradict the answers that they end in
(arXiv 2503.24376 and 2506.16141). What a reasoning concludes is read out of the text inside
``<think>...</think>`` (without such a block, out of what stands before the answer):

- the last letter that is named as the conclusion: "so the answer is B", "picture C comes next", "that is D",
  "none of the options", and the words that SFT teaches here ("Then B: ...", "no option: E");
- the last order that is spelled out ("3142", "C, A, B, D", "2 -> 1 -> 3"), else the order in which the
  pictures are gone through ("3: the cup was lifted. 1: ..."), each once. Pictures in the order of their own
  labels are no conclusion, unless they are called the order: most texts go through them that way first. An
  order that no option has concludes the reject option, where the item has one.

An answer is consistent if it is every conclusion that can be read, inconsistent if one of them is another,
and undecided where none can be read or no answer was given. That an answer follows does not make the
reasoning right, and what is said in between is not judged.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tpru.evaluation.parsing import THINK_TAG, option_letters
from tpru.evaluation.scoring import cluster
from tpru.evaluation.statistics import clustered_interval
from tpru.records import Item, Prediction

Verdict = Literal["consistent", "inconsistent", "undecided"]
Answers = Literal["all", "right", "wrong"]

LETTER = r"[(\"'\[*]{0,3}([A-H])(?![\w'])"
THING = r"(?:answer|choice|option|solution|picture|image|photo|screen|frame|step|one)"
BE = r"(?:is:?|was|are|must be:?|should be:?|would be|has to be|=|:)"
ENDS = r"(?=[)\"'\]*]{0,3} ?(?:[.,;:!?]|$))"
NAMED = rf"(?: (?:the )?(?:{THING}|letter))?"
CONCLUSIONS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?i:\b{THING}(?: [1-8])? ?{BE}{NAMED}) ?{LETTER}",
        rf"(?i:\b(?:choose|select|pick|go with|going with|conclude|answer){NAMED}) {LETTER}",
        rf"(?i:\b(?:that|this|it|so|thus|therefore|hence)[,:]?(?: {BE})?{NAMED}) {LETTER}{ENDS}",
        rf"\b{LETTER} (?i:{BE} (?:the )?(?:correct|right|best|missing|next|previous|answer|only))",
        rf"\b{LETTER} (?i:(?:comes|must come|should come|goes) next|fits|completes)\b",
        # What SFT teaches here (tpru.synthesis.choice, reordering, wording).
        rf"\b(?:Then|Before it|no option:|this order:|something else:) {LETTER}",
    )
)
REJECTED = re.compile(
    r"(?i:\bnone of (?:the |these |them|all )|\bno (?:option|choice|picture) (?:fits|matches|is right))"
)
NAMED_ORDER = re.compile(r"(?i:order|sequence|answer)")
# An order in the labels' own order counts only where one of these words stands so close before it.
NEAR = 30


@dataclass(frozen=True)
class ConsistencyRow:
    """How often a model's answers follow from its reasoning: all of them, the right or the wrong ones.

    ``decided`` of ``n`` answers could be judged; ``rate`` is the share of these that is consistent, with its
    95% interval by clusters (0 to 1, rate 0, where none could be judged).
    """

    model: str
    benchmark: str
    answers: Answers
    n: int
    decided: int
    consistent: int
    rate: float
    low: float
    high: float


def consistency_rows(
    items: Sequence[Item], predictions: Sequence[Prediction], model: str, benchmark: str
) -> list[ConsistencyRow]:
    """One row each for all answers, the right ones and the wrong ones (the unparsable are wrong).

    Raises:
        KeyError: an item has no prediction.
    """
    said = {p.item_id: p for p in predictions}
    answered = [(item, said[item.item_id]) for item in items]
    return verdict_rows([(i, p.correct, verdict(i, p)) for i, p in answered], model, benchmark)


def verdict_rows(
    judged: Sequence[tuple[Item, bool, Verdict]], model: str, benchmark: str
) -> list[ConsistencyRow]:
    """The same rows of verdicts that are given, each with its item and whether the answer was right."""
    chosen = {
        "all": judged,
        "right": [j for j in judged if j[1]],
        "wrong": [j for j in judged if not j[1]],
    }
    rows = []
    for answers, own in chosen.items():
        decided = [(item, v == "consistent") for item, _, v in own if v != "undecided"]
        follows = [f for _, f in decided]
        interval = clustered_interval(follows, [cluster(item) for item, _ in decided])
        rows.append(
            ConsistencyRow(
                model=model,
                benchmark=benchmark,
                answers=answers,  # type: ignore[arg-type]
                n=len(own),
                decided=len(decided),
                consistent=sum(follows),
                rate=sum(follows) / max(1, len(follows)),
                low=interval.low,
                high=interval.high,
            )
        )
    return rows


def verdict(item: Item, prediction: Prediction) -> Verdict:
    """Whether an answer is what its reasoning concludes."""
    concluded = conclusions(reasoning(prediction.completion), item)
    if not prediction.parsed or not concluded:
        return "undecided"
    return "consistent" if set(concluded) == {prediction.parsed} else "inconsistent"


def reasoning(completion: str) -> str:
    """What stands inside the think blocks, else before the last answer tag; blanks collapsed."""
    inside: list[str] = []
    depth = 0
    for piece in THINK_TAG.split(completion):
        if THINK_TAG.fullmatch(piece):
            depth = max(0, depth + (1 if piece[1] != "/" else -1))
        elif depth:
            inside.append(piece)
    text = " ".join(inside) if inside else _before_answer(completion)
    return " ".join(text.split())


def conclusions(text: str, item: Item) -> list[str]:
    """What a reasoning (blanks collapsed) concludes: a letter by name, one by its order, or an order."""
    if not item.options:
        labels = "".join(sorted(filter(str.isalnum, item.answer)))
        return [order] if (order := _order(text, labels)) else []
    letter = _letter(text, item)
    return [c for c in (letter, _ordered_option(text, item)) if c]


def _before_answer(completion: str) -> str:
    place = completion.lower().rfind("<answer>")
    return completion[:place] if place >= 0 else ""


def _letter(text: str, item: Item) -> str:
    letters = option_letters(item)
    reject = next((o.letter for o in item.options if o.kind == "none"), "")
    found = [(m.start(1), m[1]) for c in CONCLUSIONS for m in c.finditer(text) if m[1] in letters]
    if reject:
        found += [(m.start(), reject) for m in REJECTED.finditer(text)]
    return max(found, default=(0, ""))[1]


def _ordered_option(text: str, item: Item) -> str:
    orders = {o.content: o.letter for o in item.options if o.kind == "permutation"}
    if not orders:
        return ""
    order = _order(text, "".join(sorted(next(iter(orders)))))
    reject = next((o.letter for o in item.options if o.kind == "none"), "")
    return orders.get(order, reject) if order else ""


def _order(text: str, labels: str) -> str:
    """The last order of these labels that is spelled out, else that of the pictures as gone through."""
    label = f"[{re.escape(labels)}]"
    apart = r" ?(?:,|->|→|=>|>|-)? ?(?:and )?(?:then )?"
    spelled = re.compile(rf"(?<![\w]){label}(?:{apart}{label}){{{len(labels) - 1}}}(?!\w)")
    last = ""
    for found in spelled.finditer(text):
        order = "".join(c for c in found[0] if c in labels)
        if len(set(order)) != len(labels):
            continue
        if order != labels or NAMED_ORDER.search(text, max(0, found.start() - NEAR), found.start()):
            last = order
    if last:
        return last
    gone = "".join(re.findall(rf"(?<!\w)({label}):", text))
    return gone if sorted(gone) == list(labels) and gone != labels else ""
