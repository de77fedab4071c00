"""Reading the answer out of a completion: one deterministic rule, no judge, no random fallback.

What counts is the last ``<answer>...</answer>`` that does not stand inside ``<think>...</think>``; a think
block that is never closed hides nothing. The block may hold

- the letter of an option, in any case or width, with punctuation or Markdown around it ("(b)", "**B.**");
- the whole text of one option ("None of the choices provided"), or the letter followed by its own text
  ("B. the cup"). A letter with another option's text, and a text that two options share, are no answer;
- the order of the pictures, each label once, with blanks, commas, hyphens or arrows between them.

Anything else is unparsable, and counts as wrong: several letters, an option that the item does not have, a
number for a letter ("2" is no "B"; where the text of an option is "2", it is that option), a sentence, no
tag. The time taken grows linearly with the length of the completion.
"""

import re
import unicodedata

from tpru.records import LETTERS, Item

ANSWER = re.compile(r"<answer>((?:(?!<answer>).)*?)</answer>", re.DOTALL | re.IGNORECASE)
THINK_TAG = re.compile(r"(</?think>)", re.IGNORECASE)
INSIDE = r"((?:(?!</?think>|</?answer>).)+)"
FORM = re.compile(
    rf"\s*<think>{INSIDE}</think>\s*<answer>{INSIDE}</answer>\s*",
    re.DOTALL,
)
AROUND = " \t\r\n.,;:()[]{}'\"*"
# What other scripts and typographers write for the marks above.
MARKS = str.maketrans("、。→⇒“”„«»", ',.>>"""""')


def read_answer(completion: str, item: Item) -> str:
    """The option letter that a completion gives to an item, or its order; empty where there is none.

    The labels of an order are those of the item's own answer, and it is given without separators.
    """
    block = unicodedata.normalize("NFKC", _last_block(without_reasoning(completion))).translate(MARKS)
    if item.options:
        return _letter(block, option_letters(item)) or _option_in_words(block, item)
    return _order(block, "".join(filter(str.isalnum, item.answer)))


def parse_answer(completion: str, item_options: str, n_pictures: int) -> str:
    """The answer as the reward of GRPO reads it: letters alone, in the last answer block wherever it stands.

    Args:
        completion: what the model wrote.
        item_options: the option letters ("ABCDE"), empty when the order is to be written out.
        n_pictures: how many pictures an order written out must name.
    """
    block = _last_block(completion)
    return _letter(block, item_options) if item_options else _order(block, LETTERS[:n_pictures])


def without_reasoning(completion: str) -> str:
    """The completion less its closed think blocks, nested ones too; a tag without its partner is dropped."""
    kept: list[str] = []
    opened: list[int] = []
    for piece in THINK_TAG.split(completion):
        if piece.lower() == "<think>":
            opened.append(len(kept))
        elif piece.lower() == "</think>":
            if opened:
                del kept[opened.pop() :]
        else:
            kept.append(piece)
    return "".join(kept)


def option_letters(item: Item) -> str:
    """The letters of an item's options, empty when it has none."""
    return "".join(option.letter for option in item.options)


def well_formed(completion: str) -> bool:
    """Exactly one non-empty think block, then exactly one answer block, and nothing else."""
    return FORM.fullmatch(completion) is not None


def _last_block(text: str) -> str:
    found = ANSWER.findall(text)
    return found[-1].strip(AROUND) if found else ""


def _letter(block: str, letters: str) -> str:
    text = block.strip(AROUND).upper()
    return text if len(text) == 1 and text in letters else ""


def _order(block: str, labels: str) -> str:
    order = re.sub(r"[\s,>-]+", "", block.strip(AROUND).upper())
    return order if order and sorted(order) == sorted(labels) else ""


def _option_in_words(block: str, item: Item) -> str:
    said = _plain(block)
    texts = {o.letter: _plain(o.content) for o in item.options if o.kind != "image"}
    letter, rest = said[:1].upper(), said[1:]
    if rest and not rest[0].isalnum() and rest.strip(AROUND) == texts.get(letter):
        return letter
    same = [letter for letter, text in texts.items() if said and text == said]
    return same[0] if len(same) == 1 else ""


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(AROUND)
