"""Reading the answer out of a completion: one deterministic rule, no judge, no random fallback.

Only the last ``<answer>...</answer>`` counts: the first one could stand inside the reasoning. Case,
blanks, commas and the punctuation around a letter are forgiven; anything else is unparsable.
"""

import re

from tpru.records import LETTERS, Item

ANSWER = re.compile(r"<answer>((?:(?!<answer>).)*?)</answer>", re.DOTALL | re.IGNORECASE)
INSIDE = r"((?:(?!</?think>|</?answer>).)+)"
FORM = re.compile(
    rf"\s*<think>{INSIDE}</think>\s*<answer>{INSIDE}</answer>\s*",
    re.DOTALL,
)
AROUND = " \t\r\n.,;:()[]{}'\"*"


def parse_answer(completion: str, item_options: str, n_pictures: int) -> str:
    """The answer letter, or the order of the pictures; empty when there is none.

    Args:
        completion: what the model wrote.
        item_options: the option letters ("ABCDE"), empty when the order is to be written out.
        n_pictures: how many pictures an order written out must name.
    """
    found = ANSWER.findall(completion)
    if not found:
        return ""
    text = found[-1].strip(AROUND).upper()
    if item_options:
        return text if len(text) == 1 and text in item_options else ""
    order = re.sub(r"[\s,>-]+", "", text)
    return order if sorted(order) == sorted(LETTERS[:n_pictures]) else ""


def option_letters(item: Item) -> str:
    """The letters of an item's options, empty when it has none."""
    return "".join(option.letter for option in item.options)


def well_formed(completion: str) -> bool:
    """Exactly one non-empty think block, then exactly one answer block, and nothing else."""
    return FORM.fullmatch(completion) is not None
