"""Does the answer follow from the reasoning? A text model as judge, beside the rules of ``consistency``.

The judge sees the question, its options and the reasoning, and neither pictures nor the answer. It says what
the reasoning concludes (``judge_prompt.txt``); whether that is the answer is compared here. So it is led by
no answer, and its verdicts mean what those of the rules mean.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from string import Template
from typing import Literal

from tpru.errors import EndpointError
from tpru.evaluation.consistency import ConsistencyRow, Verdict, reasoning, verdict, verdict_rows
from tpru.evaluation.parsing import ANSWER, read_answer, without_reasoning
from tpru.evaluation.statistics import cohens_kappa
from tpru.models.endpoint import Endpoint, Message, RefusedError, in_order
from tpru.records import Item, Prediction
from tpru.runtime import progress
from tpru.synthesis.wording import CHOICE_FORM, ORDER_FORM

Outcome = Literal["concluded", "undecided", "unreadable", "refused", "not_asked"]

UNDECIDED = "undecided"
REPLIED: tuple[Outcome, ...] = ("concluded", "undecided", "unreadable")
# Also one that is never closed: what follows it is the answer.
ANSWER_BLOCK = re.compile(r"<answer>.*?(?:</answer>|$)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Judged:
    """What the judge found in one answer of a model.

    outcome: "not_asked" without reasoning or without a readable answer; "refused" by the endpoint.
    answer: the model's, as it was read; empty where it could not be.
    concluded: the letter or the order that the judge read out of the reasoning, empty where it is undecided.
    judge, rules: the two verdicts; "undecided" unless the outcome is "concluded".
    reply: the judge's words, or those of the endpoint that refused.
    """

    item_id: str
    model: str
    benchmark: str
    outcome: Outcome
    answer: str
    correct: bool
    concluded: str
    judge: Verdict
    rules: Verdict
    reply: str


@dataclass(frozen=True)
class Agreement:
    """How often judge and rules give the same of three verdicts, over the ``n`` answers that it replied to.

    ``kappa`` is Cohen's, None where chance alone explains all. Of the other answers ``not_asked`` had nothing
    to judge and ``refused`` were turned away; ``unreadable`` replies are among the ``n``, as undecided.
    """

    model: str
    benchmark: str
    n: int
    same: int
    share: float
    kappa: float | None
    unreadable: int
    refused: int
    not_asked: int


@dataclass(frozen=True)
class Judgement:
    """All that the judge of this name found, beside the rules on the same ``items`` answers of each model."""

    judge: str
    benchmark: str
    items: int
    prompt: str
    by_judge: tuple[ConsistencyRow, ...]
    by_rules: tuple[ConsistencyRow, ...]
    agreement: tuple[Agreement, ...]


def prompt_text() -> str:
    """What the judge is asked, with ``$question`` and ``$reasoning`` in their places."""
    return resources.files("tpru.evaluation").joinpath("judge_prompt.txt").read_text(encoding="utf-8")


def question(item: Item) -> str:
    """The question with its options as text, without the form of the answer; a picture is "[picture]"."""
    text = "".join(block.value if block.type == "text" else "[picture]" for block in item.prompt).rstrip()
    return text.removesuffix(CHOICE_FORM).removesuffix(ORDER_FORM).strip()


def shown_reasoning(completion: str) -> str:
    """The reasoning of a completion less every answer block, wherever it stands; blanks collapsed."""
    return " ".join(ANSWER_BLOCK.sub(" ", reasoning(completion)).split())


def read_reply(reply: str, item: Item) -> str | None:
    """The letter or order that a reply names, empty where it says undecided, None where it says neither."""
    concluded = read_answer(reply, item)
    if concluded:
        return concluded
    said = ANSWER.findall(without_reasoning(reply))
    return "" if said and said[-1].strip().lower() == UNDECIDED else None


def judge_answers(
    endpoint: Endpoint, answers: Sequence[tuple[Item, Prediction]], concurrency: int
) -> list[Judged]:
    """The verdict on every answer, in their order; it does not depend on which reply came first.

    Raises:
        EndpointError: the endpoint cannot be used, or refused every request.
    """
    work = partial(_judge, endpoint=endpoint, template=Template(prompt_text()))
    judged = list(progress(in_order(work, answers, concurrency), "ask the judge", len(answers)))
    refused = [j for j in judged if j.outcome == "refused"]
    if refused and not any(j.outcome in REPLIED for j in judged):
        raise EndpointError(
            f"the endpoint accepted none of {len(refused)} requests ({refused[0].reply}): check judge.model "
            "and judge.max_tokens"
        )
    return judged


def judge_rows(
    items: Sequence[Item], judged: Sequence[Judged], model: str, benchmark: str
) -> list[ConsistencyRow]:
    """Rates by the judge, in the form of :func:`tpru.evaluation.consistency.consistency_rows`.

    Raises:
        KeyError: an item has no verdict.
    """
    found = {j.item_id: j for j in judged if j.model == model}
    own = [(item, found[item.item_id].correct, found[item.item_id].judge) for item in items]
    return verdict_rows(own, model, benchmark)


def agreement(judged: Sequence[Judged], model: str, benchmark: str) -> Agreement:
    """Judge and rules on the answers of one model."""
    own = [j for j in judged if j.model == model]
    replied = [j for j in own if j.outcome in REPLIED]
    same = sum(j.judge == j.rules for j in replied)
    kappa = cohens_kappa([j.judge for j in replied], [j.rules for j in replied])
    outcomes = [j.outcome for j in own]
    return Agreement(
        model=model,
        benchmark=benchmark,
        n=len(replied),
        same=same,
        share=same / max(1, len(replied)),
        kappa=None if math.isnan(kappa) else kappa,
        unreadable=outcomes.count("unreadable"),
        refused=outcomes.count("refused"),
        not_asked=outcomes.count("not_asked"),
    )


def _judge(answer: tuple[Item, Prediction], endpoint: Endpoint, template: Template) -> Judged:
    item, prediction = answer
    thought = shown_reasoning(prediction.completion)
    concluded: str | None = ""
    reply = ""
    outcome: Outcome = "not_asked"
    if thought and prediction.parsed:
        text = template.substitute(question=question(item), reasoning=thought)
        messages: list[Message] = [{"role": "user", "content": text}]
        try:
            reply = endpoint.ask(messages)
            concluded = read_reply(reply, item)
            outcome = "unreadable" if concluded is None else "concluded" if concluded else "undecided"
        except RefusedError as error:
            reply, outcome = str(error), "refused"
    follows: Verdict = "consistent" if concluded == prediction.parsed else "inconsistent"
    return Judged(
        item_id=item.item_id,
        model=prediction.model,
        benchmark=prediction.benchmark,
        outcome=outcome,
        answer=prediction.parsed,
        correct=prediction.correct,
        concluded=concluded or "",
        judge=follows if concluded else "undecided",
        rules=verdict(item, prediction),
        reply=reply,
    )
