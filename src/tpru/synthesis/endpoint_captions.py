"""Captions by a vision-language model behind an endpoint, and its judgement of the sequences.

As in arXiv 2602.18884 one model filters the sequences and describes them twice, truly and wrongly; its
prompts are not published, the words here are this project's own (:mod:`tpru.synthesis.questions`).
Nothing is made up: a sequence without a readable answer is left out and counted.
"""

import threading
from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Literal, TypeVar

from tpru.config.schema import EndpointConfig
from tpru.errors import EmptySourceError, EndpointError
from tpru.models.endpoint import Endpoint, Message, RefusedError, in_order, picture
from tpru.randomness import generator
from tpru.records import LETTERS, Caption, Sequence
from tpru.runtime import progress
from tpru.store import FrameStore
from tpru.synthesis import questions
from tpru.synthesis.captions import opening

Outcome = Literal["kept", "not_clear", "verdict_unreadable", "caption_unreadable", "refused"]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Judgement:
    """What became of a sequence.

    reason: the judge's own words, or those of the endpoint that refused; may be empty.
    shown: the moments in the order in which the blind judge saw them, as digits ("2031").
    said: the moments in the order that it gave; right is "0123". Both are empty where it was not asked,
        ``said`` also where it gave no readable order.
    agreement: share of pairs of moments that it put in the right order; None without ``said``.
    """

    sequence_id: str
    outcome: Outcome
    reason: str
    shown: str
    said: str
    agreement: float | None


@dataclass(frozen=True)
class Described:
    """A judgement of every sequence, and captions of those that were kept, in the order of the sequences."""

    captions: tuple[Caption, ...]
    judgements: tuple[Judgement, ...]

    def outcomes(self) -> dict[str, int]:
        """How many sequences were kept, and how many left out for which reason."""
        return dict(sorted(Counter(j.outcome for j in self.judgements).items()))

    def order_metrics(self) -> dict[str, float]:
        """How the blind judge did: sequences asked, readable, wholly right, and mean agreement."""
        asked = [j for j in self.judgements if j.shown]
        if not asked:
            return {}
        read = [j.agreement for j in asked if j.agreement is not None]
        return {
            "blind_order_asked": len(asked),
            "blind_order_readable": len(read),
            "blind_order_right": sum(a == 1.0 for a in read) / len(asked),
            **({"blind_order_agreement": sum(read) / len(read)} if read else {}),
        }


class Pictures:
    """The pictures of the sequences as parts of messages; threads take turns at the store."""

    def __init__(self, frames: FrameStore, max_side: int) -> None:
        self._frames, self._max_side = frames, max_side
        self._lock = threading.Lock()

    def of(self, sequence: Sequence) -> list[Message]:
        """One part for each picture, in the order of time."""
        with self._lock:
            images = [self._frames.image(f.frame_id) for f in sequence.frames]
        return [picture(image, self._max_side) for image in images]


def endpoint_captions(
    sequences: Listing[Sequence],
    config: EndpointConfig,
    seed: int,
    frames: FrameStore,
    endpoint: Endpoint,
) -> Described:
    """Judge and describe every sequence; the result does not depend on which answer came first.

    Raises:
        EndpointError: the endpoint cannot be used.
    """
    pictures = Pictures(frames, config.max_side)
    work = partial(_describe, config=config, seed=seed, pictures=pictures, endpoint=endpoint)
    done = in_order(work, sequences, config.concurrency)
    pairs = list(progress(done, "ask the endpoint", len(sequences)))
    return Described(tuple(c for c, _ in pairs if c), tuple(j for _, j in pairs))


def check_some_kept(made: Described) -> None:
    """Refuse to go on without any caption.

    Raises:
        EndpointError: the endpoint accepted not one request.
        EmptySourceError: no sequence was kept.
    """
    if made.captions:
        return
    refused = [j for j in made.judgements if j.outcome == "refused"]
    if refused and len(refused) == len(made.judgements):
        raise EndpointError(
            f"the endpoint accepted none of {len(refused)} requests ({refused[0].reason}): check that "
            "describe.endpoint.model takes several pictures in one question, and max_side and max_tokens"
        )
    raise EmptySourceError(
        f"no sequence was kept: {made.outcomes()}. Look at judgements.parquet of stage describe, and change "
        "the extraction, the model, or describe.endpoint.judge"
    )


def _describe(
    sequence: Sequence, config: EndpointConfig, seed: int, pictures: Pictures, endpoint: Endpoint
) -> tuple[Caption | None, Judgement]:
    """The caption and the judgement of one sequence; questions end with the first that speaks against it."""
    ask = partial(_ask, endpoint=endpoint, asks=config.asks)
    judged = partial(Judgement, sequence.sequence_id)
    reason, shown, said = "", "", ""
    try:
        shots = pictures.of(sequence)
        if config.judge:
            verdict = ask(questions.clear(sequence, shots, config.show_goal), read=questions.read_verdict)
            if verdict is None:
                return None, judged("verdict_unreadable", "", "", "", None)
            reason = verdict.reason
            if not verdict.clear:
                return None, judged("not_clear", reason, "", "", None)
        if config.blind_order:
            shown, said = _blind_order(sequence, shots, config, seed, ask)
        told = ask(questions.describe(sequence, shots, config.show_goal), read=questions.read_actions)
    except RefusedError as error:
        return None, judged("refused", str(error), shown, said, agreement(said))
    if told is None:
        return None, judged("caption_unreadable", reason, shown, said, agreement(said))
    caption = Caption(
        sequence_id=sequence.sequence_id,
        positive=opening(sequence, told.action),
        negative=opening(sequence, told.other_action),
        captioner=config.model,
    )
    return caption, judged("kept", reason, shown, said, agreement(said))


def _blind_order(
    sequence: Sequence,
    shots: list[Message],
    config: EndpointConfig,
    seed: int,
    ask: Callable[..., str | None],
) -> tuple[str, str]:
    """Moments as shown and as ordered by the judge, who sees them shuffled and is not told the truth."""
    n = len(shots)
    shuffle = [int(i) for i in generator(seed, "blind order", sequence.sequence_id).permutation(n)]
    question = questions.order(sequence, [shots[moment] for moment in shuffle], config.show_goal)
    letters = ask(question, read=partial(questions.read_order, n=n))
    said = "".join(str(shuffle[LETTERS.index(letter)]) for letter in letters or "")
    return "".join(map(str, shuffle)), said


def agreement(said: str) -> float | None:
    """Share of pairs of moments (digits) in the right order, None for an empty string."""
    pairs = list(combinations(said, 2))
    return sum(a < b for a, b in pairs) / len(pairs) if pairs else None


def _ask(
    question: list[Message], read: Callable[[str], Answer], endpoint: Endpoint, asks: int
) -> Answer | None:
    """The answer as read; where it cannot be read the model is told why and asked again, then None."""
    talk = question
    for _ in range(asks):
        text = endpoint.ask(talk)
        try:
            return read(text)
        except ValueError as problem:
            talk = [*question, *questions.again(text, problem)]
    return None
