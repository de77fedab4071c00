"""What Task Preference Optimization is taught on: rows of four kinds, in an order known beforehand."""

from collections.abc import Iterator, Mapping
from typing import Any

from tpru.config.tpo_schema import Part
from tpru.grounding.records import ChatItem, GroundingItem
from tpru.grounding.wording import written
from tpru.models.processor import ImageTextProcessor, prompt_text
from tpru.models.prompts import Prompt, encode_prompt
from tpru.models.task_heads.reading import GroundingBook, Row, extended
from tpru.models.task_heads.tokens import INDICATING, LEARNABLE, token_ids
from tpru.randomness import generator
from tpru.records import Block, Item
from tpru.synthesis.wording import completion

Lesson = GroundingItem | Item | ChatItem


class RowBook:
    """Rows of lessons; ``heads`` says whether dense labels go to the heads or into the reply."""

    def __init__(self, book: GroundingBook, processor: ImageTextProcessor, heads: bool) -> None:
        self._book = book
        self._processor = processor
        self._heads = heads
        self._indicating = token_ids(processor, INDICATING)
        self._learnable = token_ids(processor, LEARNABLE)
        self._known: dict[str, Row] = {}

    def row(self, lesson: Lesson) -> Row:
        """The row of a lesson, made once."""
        if lesson.item_id not in self._known:
            self._known[lesson.item_id] = self._made(lesson)
        return self._known[lesson.item_id]

    def _made(self, lesson: Lesson) -> Row:
        if isinstance(lesson, GroundingItem):
            prompt = self._book.prompt(lesson)
            start = len(prompt.ids)
            if self._heads:
                reply = [self._indicating[lesson.task], self._learnable[lesson.task]]
                return Row(extended(prompt, reply), start, start + 1, lesson.task, lesson)
            return self._spoken(prompt, written(lesson))
        if isinstance(lesson, ChatItem):
            blocks = (*(Block("image", f) for f in lesson.frames), Block("text", f"\n{lesson.question}"))
            return self._spoken(self._encoded(blocks, lesson.frames), lesson.answer)
        said = completion(lesson.reasoning, lesson.answer)
        return self._spoken(self._encoded(lesson.prompt, lesson.shown), said)

    def _spoken(self, prompt: Prompt, said: str) -> Row:
        tokenizer: Any = self._processor.tokenizer
        reply = tokenizer(said + tokenizer.eos_token)["input_ids"]
        start = len(prompt.ids)
        return Row(extended(prompt, reply), start, start + len(reply), None, None)

    def _encoded(self, blocks: tuple[Block, ...], frames: tuple[str, ...]) -> Prompt:
        text = prompt_text(self._processor, blocks)
        return encode_prompt(text, frames, self._processor, self._book.eyes)


def order_of(
    lessons: Mapping[Part, list[Lesson]], mix: Mapping[Part, float], updates: int, batch: int, seed: int
) -> list[Lesson]:
    """All lessons of a phase in the order in which they are taught, ``updates`` x ``batch`` of them.

    Every update holds each part by its share; what is left over from whole numbers is carried to the next.
    A part is gone through in a new order each time. The order is a matter of the seed alone, so that a
    training that is continued goes on with the same.

    Raises:
        ValueError: no part has both a share and a lesson.
    """
    parts = [part for part in sorted(lessons) if lessons[part] and mix[part] > 0.0]
    if not parts:
        raise ValueError("no part of the mix has a share and a lesson")
    total = sum(mix[part] for part in parts)
    streams = {part: _stream(lessons[part], seed, part) for part in parts}
    owed = dict.fromkeys(parts, 0.0)
    taught: list[Lesson] = []
    for update in range(updates):
        for part in parts:
            owed[part] += batch * mix[part] / total
        counts = {part: int(owed[part]) for part in parts}
        for part in sorted(parts, key=lambda p: counts[p] - owed[p])[: batch - sum(counts.values())]:
            counts[part] += 1
        drawn: list[Lesson] = []
        for part in parts:
            owed[part] -= counts[part]
            drawn += [next(streams[part]) for _ in range(counts[part])]
        # Mixed, so that a pass of a part of an update holds all kinds, too.
        taught += [drawn[int(i)] for i in generator(seed, "update", str(update)).permutation(batch)]
    return taught


def _stream(lessons: list[Lesson], seed: int, part: str) -> Iterator[Lesson]:
    turn = 0
    while True:
        for index in generator(seed, "tpo", part, str(turn)).permutation(len(lessons)):
            yield lessons[int(index)]
        turn += 1
