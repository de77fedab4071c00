"""The same completions as two widely used harnesses read them: how much of a difference is the harness?

Written from the published rules, with their weaknesses, for comparison alone; our own verdict is
:func:`tpru.evaluation.parsing.read_answer`. What cannot be told from a completion is how a harness would have
asked: lmms-eval lets a model write 16 tokens on MuirBench, so that one that thinks first never answers.

``lmms_eval`` (task muirbench): a capital letter with a full stop at the start is the answer, else the whole
completion is; case and blanks around it do not count.

``vlmevalkit`` (multiple choice, exact matching): words after a few marks are blanked out; exactly one of the
option letters among them, within the last four, is the answer. Else the text of exactly one option, where the
completion is not more than twice as long as all of them. Orders (LEGO-Puzzles): the first word of four
different letters A to D, else what follows "first", "second", "third" and "fourth", or "step 1" and so on.
What is left goes to a language model as judge, and after three failed tries a random option or "Z" is taken;
without a judge it is wrong. Here it is unresolved, ``""``, and counts as wrong; :class:`HarnessRow` also says
what to expect of the random draw. ``vlmevalkit_split_think``: the same with ``SPLIT_THINK``, which leaves out
everything before the last ``</think>``.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from tpru.evaluation.parsing import option_letters, read_answer
from tpru.evaluation.scoring import cluster
from tpru.evaluation.statistics import clustered_interval
from tpru.records import Item, Prediction

REFUSED = "Z"
REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
BLANKED = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
LAST_WORDS = 4
PICTURE_TEXT = "<image>"
FOUR = re.compile(r"\b[A-D]{4}\b")
PLACES = (
    re.compile("FIRST|1ST|首先|第一步"),
    re.compile("SECOND|2ND|其次|第二步"),
    re.compile("THIRD|3RD|再次|第三步"),
    re.compile("FOURTH|4TH|最后|第四步"),
)
STEP = re.compile(r"STEP\s*[\d一二三四]+|步骤\s*[\d一二三四]+|第\s*[\d一二三四]\s*步")
LABEL = re.compile("[A-D]")


@dataclass(frozen=True)
class HarnessRow:
    """Accuracy of the same predictions under one reading of them, with its 95% interval by clusters.

    ``unresolved`` is the share without a verdict. ``with_random`` is the expected accuracy where these are
    drawn at random, as VLMEvalKit does after its judge has failed; equal to ``accuracy`` for the others.
    """

    model: str
    benchmark: str
    harness: str
    n: int
    correct: int
    accuracy: float
    low: float
    high: float
    unresolved: float
    with_random: float


def harness_rows(
    items: Sequence[Item], predictions: Sequence[Prediction], model: str, benchmark: str
) -> list[HarnessRow]:
    """One row for each reading, ours first; items in any order.

    Raises:
        KeyError: an item has no prediction.
        ValueError: there are no items.
    """
    if not items:
        raise ValueError(f"no items of {benchmark}")
    said = {p.item_id: p.completion for p in predictions}
    readings: dict[str, Callable[[str, Item], str]] = {
        "tpru": read_answer,
        "lmms_eval": lmms_eval_verdict,
        "vlmevalkit": vlmevalkit_verdict,
        "vlmevalkit_split_think": partial(vlmevalkit_verdict, split_think=True),
    }
    rows = []
    for harness, read in readings.items():
        verdicts = [read(said[item.item_id], item) for item in items]
        right = [v == item.answer for v, item in zip(verdicts, items, strict=True)]
        lucky = sum(
            1 / (len(item.options) + 1)
            for v, item in zip(verdicts, items, strict=True)
            if not v and item.options
        )
        interval = clustered_interval(right, [cluster(item) for item in items])
        n = len(items)
        rows.append(
            HarnessRow(
                model=model,
                benchmark=benchmark,
                harness=harness,
                n=n,
                correct=sum(right),
                accuracy=sum(right) / n,
                low=interval.low,
                high=interval.high,
                unresolved=sum(not v for v in verdicts) / n,
                with_random=(sum(right) + (lucky if harness.startswith("vlmevalkit") else 0)) / n,
            )
        )
    return rows


def lmms_eval_verdict(completion: str, item: Item) -> str:
    """The letter or order that lmms-eval compares with the answer, "" where it can equal none."""
    found = re.match(r"\s*([A-Z])\.", completion)
    text = (found.group(1) if found else completion).strip().upper()
    if item.options:
        return text if len(text) == 1 and text in option_letters(item) else ""
    return text if text and sorted(text) == sorted(item.answer.upper()) else ""


def vlmevalkit_verdict(completion: str, item: Item, split_think: bool = False) -> str:
    """The letter or order that VLMEvalKit reads without a judge.

    Returns:
        A letter or an order; "Z", always wrong, for a refusal or the letter Z; "" where a judge would be
        asked. Pictures as options have the text "<image>", as in its files.
    """
    text = (completion.rpartition("</think>")[2] if split_think else completion).strip()
    if not item.options:
        return _sequence(text)
    return _letter(text, option_letters(item)) or _option_text(text, item)


def _letter(text: str, letters: str) -> str:
    if any(refusal in text for refusal in REFUSALS):
        return REFUSED
    words = text.translate(BLANKED).split()
    found = [letter for letter in letters if letter in words]
    if len(found) == 1 and words.index(found[0]) >= len(words) - LAST_WORDS:
        return found[0]
    return REFUSED if not found and REFUSED in words else ""


def _option_text(text: str, item: Item) -> str:
    texts = {o.letter: PICTURE_TEXT if o.kind == "image" else o.content.lower() for o in item.options}
    if len(text) > 2 * sum(map(len, texts.values())):
        return ""
    found = [letter for letter, option in texts.items() if option in text.lower()]
    return found[0] if len(found) == 1 else ""


def _sequence(text: str) -> str:
    upper = text.upper()
    found = FOUR.search(upper)
    if found and len(set(found.group())) == 4:
        return found.group()
    named = [next(_labels_after(place, upper), "") for place in PLACES]
    if all(named) and len(set(named)) == 4:
        return "".join(named)
    steps = list(islice(_labels_after(STEP, upper), 4))
    return "".join(steps) if len(set(steps)) == 4 else ""


def _labels_after(what: re.Pattern[str], text: str) -> Iterator[str]:
    """The first label behind each find on the same line; the next find comes after that label."""
    text, at, without_label = text + "\n", 0, 0
    while found := what.search(text, at):
        at = found.end()
        if at >= without_label:
            end = text.index("\n", at)
            label = LABEL.search(text, at, end)
            if label:
                yield label.group()
                at = label.end()
            else:
                without_label = end
