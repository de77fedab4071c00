"""What every reader of an external benchmark gives, and how that becomes an item.

A reader is ``read(config) -> Reading``: light questions, and for each a function that loads its pictures,
which is called for chosen questions alone. The wording is the benchmark's, the form of the answer ours.
"""

import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from PIL import Image

from tpru.config.schema import ExternalBenchmark
from tpru.errors import CorruptMediaError, ManifestError
from tpru.files import sha256_bytes
from tpru.records import LETTERS, Block, Item, Level, Option
from tpru.synthesis.wording import CHOICE_FORM, IMAGE, ORDER_FORM, blocks
from tpru.trajectories.sources.reading import same_words


@dataclass(frozen=True)
class Question:
    """One question of a benchmark, before it is a prompt.

    question_id: unique within the benchmark.
    category: its task, empty where the benchmark has none; ``scenario`` is a second grouping, if any.
    group: questions of one group are one cluster for intervals (a pair of counterparts, a video).
    text: with an ``<image>`` marker where each picture stands; without any, the pictures come first.
    options: in the order of their letters, with markers; empty where the answer is an order to write out.
    answer: the letter of an option, or letters in order.
    pictures: gives the encoded pictures in the order of the markers, those of the text before those of the
        options.
    where: file and row, for messages.
    options_in_text: whether the text lists the options already.
    """

    question_id: str
    category: str
    group: str
    text: str
    options: tuple[str, ...]
    answer: str
    pictures: Callable[[], list[bytes]]
    where: str
    scenario: str = ""
    level: Level = ""
    options_in_text: bool = False


@dataclass(frozen=True)
class Reading:
    """What a reader found.

    ``files`` are the files that hold the questions: their hashes are recorded. ``left_out`` counts by
    reason what cannot be asked.
    """

    questions: list[Question]
    files: list[Path]
    left_out: dict[str, int] = field(default_factory=dict)


def choose(questions: list[Question], most: int, rejects: Callable[[Question], bool]) -> list[Question]:
    """At most ``most`` questions (0: all), in their old order, chosen evenly and without chance.

    Cells of level, category and answerability take turns. Within a cell groups come in the order of a hash
    of their name, and a second question of a group comes after the first of all others. So both of a pair
    of counterparts are taken, and videos are many.
    """
    if not most or len(questions) <= most:
        return questions
    cells: dict[tuple[str, str, bool], list[tuple[int, str, int]]] = defaultdict(list)
    seen: Counter[tuple[str, str, bool, str]] = Counter()
    for position, q in enumerate(questions):
        cell = (q.level, q.category, rejects(q))
        rank = seen[(*cell, q.group)]
        seen[(*cell, q.group)] += 1
        cells[cell].append((rank, sha256_bytes(q.group.encode()), position))
    in_turn = zip_longest(*(sorted(cells[cell]) for cell in sorted(cells)))
    chosen = [entry[2] for turn in in_turn for entry in turn if entry][:most]
    return [questions[position] for position in sorted(chosen)]


def text_of(values: Mapping[str, Any], name: str, where: str) -> str:
    """A text that must be there and not blank.

    Raises:
        ManifestError: naming the place and the field.
    """
    value = values.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ManifestError(f"{where}: {name!r} is {value!r:.80}; expected a text. Download the file again")
    return value


def texts_of(values: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    """A list of at least two texts; raises as :func:`text_of` does."""
    value = values.get(name)
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(v, str) for v in value):
        raise ManifestError(
            f"{where}: {name!r} is {value!r:.80}; expected a list of texts. Download the file again"
        )
    return tuple(value)


def rejects(question: Question, config: ExternalBenchmark) -> bool:
    """Whether the right answer of a question is to reject its options."""
    place = LETTERS.find(question.answer)
    options = question.options
    return len(question.answer) == 1 and place < len(options) and is_reject(options[place], config.reject)


def is_reject(text: str, phrases: Iterable[str]) -> bool:
    """Whether an option is one of the reject phrases, whatever its case, blanks and final full stop."""
    return same_words(text) in {same_words(phrase) for phrase in phrases}


def make_item(name: str, question: Question, config: ExternalBenchmark) -> tuple[Item, dict[str, bytes]]:
    """The item of a question and its encoded pictures by frame id.

    The prompt is the text, the options one a line, and the form of the answer that training asks for. With
    ``images: first`` all pictures stand in front, and each marker becomes "picture 2", its place among them.

    Raises:
        ManifestError: options, answer, markers and pictures do not fit each other.
        CorruptMediaError: a picture cannot be decoded.
    """
    _check_answer(question)
    encoded = question.pictures()
    ids = [_frame_id(data, question.where, number) for number, data in enumerate(encoded, start=1)]
    text = question.text
    if question.options and not question.options_in_text:
        text += "".join(f"\n{LETTERS[i]}. {option}" for i, option in enumerate(question.options))
    if ids and IMAGE not in text:
        text = IMAGE * len(ids) + "\n" + text
    if text.count(IMAGE) != len(ids):
        raise ManifestError(
            f"{question.where}: {text.count(IMAGE)} {IMAGE} marker(s) for {len(ids)} picture(s); restore the "
            "file, or remove the question"
        )
    options = _options(question, ids, config.reject)
    form = CHOICE_FORM if options else ORDER_FORM
    prompt = blocks(f"{text.rstrip()}\n{form}", ids)
    if config.images == "first":
        prompt = _pictures_first(prompt)
    negative = any(o.kind == "none" and o.letter == question.answer for o in options)
    item = Item(
        item_id=f"{name}/{question.question_id}",
        task=question.category,
        split="test",
        scenario=question.scenario,
        source=name,
        licence=config.licence,
        family="",
        group=question.group,
        sequence_id="",
        trajectory_id="",
        caption="",
        prompt=prompt,
        options=options,
        answer=question.answer,
        is_negative=negative,
        negative_kind="unanswerable" if negative else "",
        reasoning="",
        shown=tuple(ids),
        order=(),
        level=question.level,
    )
    return item, dict(zip(ids, encoded, strict=True))


def _check_answer(question: Question) -> None:
    n = len(question.options)
    if n > len(LETTERS):
        raise ManifestError(f"{question.where}: {n} options; at most {len(LETTERS)} can be lettered")
    answer = question.answer
    if n:
        right = len(answer) == 1 and answer in LETTERS[:n]
        wanted = f"one of the letters {LETTERS[:n]}"
    else:
        right = 2 <= len(answer) <= len(LETTERS) and sorted(answer) == sorted(LETTERS[: len(answer)])
        wanted = "an order of the letters from A, such as BDAC"
    if not right:
        raise ManifestError(f"{question.where}: the answer is {answer!r}; expected {wanted}")


def _frame_id(data: bytes, where: str, number: int) -> str:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except Exception as error:  # Pillow's readers raise many types for damaged files
        raise CorruptMediaError(
            f"{where}: picture {number} cannot be decoded ({type(error).__name__}: {error}); download the "
            "file again"
        ) from error
    return sha256_bytes(data)


def _options(question: Question, ids: list[str], reject: Iterable[str]) -> tuple[Option, ...]:
    """Options with the pictures that they show; these are the last of the question."""
    waiting = iter(ids[len(ids) - sum(text.count(IMAGE) for text in question.options) :])
    made = []
    for letter, text in zip(LETTERS, question.options, strict=False):
        own = [next(waiting) for _ in range(text.count(IMAGE))]
        if text.strip() == IMAGE:
            made.append(Option(letter, "image", own[0]))
        else:
            made.append(Option(letter, "none" if is_reject(text, reject) else "text", text.strip()))
    return tuple(made)


def _pictures_first(prompt: tuple[Block, ...]) -> tuple[Block, ...]:
    pictures = [block for block in prompt if block.type == "image"]
    number = iter(range(1, len(pictures) + 1))
    texts = (b.value if b.type == "text" else f"picture {next(number)}" for b in prompt)
    return (*pictures, Block("text", "\n" + "".join(texts).lstrip("\n")))
