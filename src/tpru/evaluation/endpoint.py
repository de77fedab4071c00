"""Answers of a model behind an OpenAI-compatible endpoint, in place of a local one.

The items, the words and the reading of the answers are those of local models; pictures stand in place as data
URLs. Every answer is kept as it comes (:mod:`tpru.models.endpoint`), so that a killed run asks nothing twice.
"""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tpru.errors import EndpointError
from tpru.evaluation.generation import batch_by_batch, read_partial
from tpru.evaluation.parsing import read_answer
from tpru.models.endpoint import Endpoint, Message, RefusedError, Reply, in_order, picture
from tpru.records import Item, Prediction
from tpru.run import say
from tpru.store import FrameStore

# Questions of a batch for each that is under way: few threads wait for the last answers of a batch.
PER_THREAD = 8


def answer_items_by_endpoint(
    endpoint: Endpoint,
    items: list[Item],
    frames: FrameStore,
    partial_file: Path,
    names: tuple[str, str],
    concurrency: int,
    max_side: int,
) -> list[Prediction]:
    """One prediction per item, in the order of the items.

    A request that the endpoint refuses (a content filter, too many pictures) is an empty completion, which is
    unparsable and counts as wrong; so does a refusal in words, which is kept as it is.

    Args:
        endpoint: whom to ask.
        items: what to ask.
        frames: the pictures.
        partial_file: every answer is appended to it, and what it holds is not asked again.
        names: model and benchmark, as recorded.
        concurrency: questions under way at the same time.
        max_side: longer side of the pictures in pixels; they are shrunk, never enlarged.

    Raises:
        EndpointError: the endpoint cannot be used, or refused every request of the first batch.
    """
    shots = Shots(frames, max_side)
    ask = partial(_ask, endpoint=endpoint, shots=shots)
    answered = any(p.completion for p in read_partial(partial_file, Prediction))
    refused: list[str] = []

    def work(batch: list[Item]) -> Iterator[Prediction]:
        nonlocal answered
        waiting: list[Prediction] = []
        for item, reply in zip(batch, in_order(ask, batch, concurrency), strict=True):
            if isinstance(reply, RefusedError):
                refused.append(str(reply))
                reply = Reply("", 0)
            else:
                answered = True
            parsed = read_answer(reply.text, item)
            correct = parsed == item.answer
            waiting.append(Prediction(item.item_id, *names, reply.text, parsed, correct, reply.tokens))
            # Until something was answered, refusals may be those of a wrong model and are not written down.
            if answered:
                yield from waiting
                waiting = []
        if waiting:
            raise EndpointError(
                f"the endpoint accepted none of {len(waiting)} requests ({refused[0]}): check that its model "
                "takes several pictures in one question, and max_side and max_tokens"
            )

    size = PER_THREAD * concurrency
    batches = [items[k : k + size] for k in range(0, len(items), size)]
    done = batch_by_batch(batches, partial_file, Prediction, work, "ask the endpoint")
    if refused:
        say(f"{len(refused)} requests were refused and count as unparsable, the first: {refused[0]}")
    return [done[item.item_id] for item in items]


class Shots:
    """Pictures as parts of messages; threads take turns at the store."""

    def __init__(self, frames: FrameStore, max_side: int) -> None:
        self._frames, self._max_side = frames, max_side
        self._lock = threading.Lock()

    def __call__(self, frame_id: str) -> Message:
        """The picture of a frame."""
        with self._lock:
            image = self._frames.image(frame_id)
        return picture(image, self._max_side)


def question(item: Item, shots: Shots) -> list[Message]:
    """The prompt of an item as chat messages, its pictures in their places."""
    content = [
        shots(block.value) if block.type == "image" else {"type": "text", "text": block.value}
        for block in item.prompt
    ]
    return [{"role": "user", "content": content}]


def _ask(item: Item, endpoint: Endpoint, shots: Shots) -> Reply | RefusedError:
    try:
        return endpoint.reply(question(item, shots))
    except RefusedError as error:
        return error
