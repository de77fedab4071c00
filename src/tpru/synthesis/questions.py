"""What the captioning model is asked, and how its answers are read: JSON, checked against a schema."""

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, StringConstraints, ValidationError, model_validator

from tpru.models.endpoint import Message
from tpru.records import LETTERS, Scenario, Sequence
from tpru.synthesis.captions import phrase

MOST_WORDS = 30
LEAD_IN = re.compile(r"^(these|the) (pictures|screens) show( this task)?:?\s+", re.IGNORECASE)
RECORDING: dict[Scenario, str] = {
    "robot": "a robot that handles things",
    "assembly": "something that is put together",
    "gui": "a computer or a phone that somebody uses",
    "navigation": "a walk through rooms",
}
SYSTEM = (
    "You look at pictures of recordings and answer questions about them exactly. Go by what can be seen. "
    "Reply with one JSON object and nothing else."
)


def _clause(text: str) -> str:
    """A description as it stands inside a sentence."""
    clause = phrase(LEAD_IN.sub("", text))
    if not clause:
        raise ValueError("is empty")
    if len(clause.split()) > MOST_WORDS:
        raise ValueError(f"has more than {MOST_WORDS} words")
    return clause


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]
Clause = Annotated[Text, AfterValidator(_clause)]


class Verdict(BaseModel):
    """Whether the pictures make a clear procedure, and why."""

    reason: Text
    clear: bool


class Actions(BaseModel):
    """The action that the pictures show, and another one that they do not."""

    action: Clause
    other_action: Clause

    @model_validator(mode="after")
    def _differ(self) -> "Actions":
        if self.action.casefold() == self.other_action.casefold():
            raise ValueError("other_action says the same as action")
        return self


class Order(BaseModel):
    """Letters of the pictures in the order of time."""

    order: str


def clear(sequence: Sequence, shots: list[Message], show_goal: bool) -> list[Message]:
    """Do the pictures, in the order of time, make a procedure whose order can be decided?"""
    noun = _noun(sequence)
    ask = (
        f"The {noun}s are in the order of time. Judge whether they make a clear procedure. That is so when "
        f"all of the following hold: every {noun} can be recognised; each one differs plainly from the one "
        f"before, by a step of the same activity; and somebody who got the {noun}s shuffled could tell their "
        "order from what they show, because no other order makes sense. Reply with JSON of this form:\n"
        '{"reason": "<one short sentence>", "clear": "<yes or no>"}'
    )
    return _messages(sequence, shots, [str(k + 1) for k in range(len(shots))], show_goal, ask)


def order(sequence: Sequence, shots: list[Message], show_goal: bool) -> list[Message]:
    """In which order were these pictures taken? ``shots`` come shuffled."""
    noun = _noun(sequence)
    letters = list(LETTERS[: len(shots)])
    ask = (
        f"The {noun}s are in random order. Put them in the order of time, the first moment first, naming "
        'every letter once. Reply with JSON of this form, the letters without blanks:\n{"order": "<letters>"}'
    )
    return _messages(sequence, shots, letters, show_goal, ask)


def describe(sequence: Sequence, shots: list[Message], show_goal: bool) -> list[Message]:
    """What is done in the pictures, in the order of time, and what else could have been done there?"""
    noun = _noun(sequence)
    ask = (
        f"The {noun}s are in the order of time. Write two endings of the sentence "
        f'"These {noun}s show this task: ...", each an instruction of at most 20 words, such as "put the cup '
        'on the shelf".\n'
        f"action: what is really done, from the first {noun} to the last; name things so that they can be "
        f"found in the {noun}s, and nothing that cannot be seen.\n"
        "other_action: another action that would be natural in the same place with such things, but that "
        f"the {noun}s plainly contradict. It needs the same style, length and detail as the true one, so "
        f"that only the {noun}s tell which of the two is true.\n"
        'Reply with JSON of this form:\n{"action": "<text>", "other_action": "<text>"}'
    )
    return _messages(sequence, shots, [str(k + 1) for k in range(len(shots))], show_goal, ask)


def again(text: str, problem: ValueError) -> list[Message]:
    """The unreadable answer and why it cannot be read, to follow the question."""
    why = (
        f"Your reply cannot be used: {explain(problem)}. Reply with the JSON object alone, in the form given."
    )
    return [{"role": "assistant", "content": text or "(nothing)"}, {"role": "user", "content": why}]


def explain(problem: ValueError) -> str:
    """A short reason why an answer could not be read."""
    if isinstance(problem, ValidationError):
        return "; ".join(
            f"{'.'.join(map(str, p['loc'])) or 'the object'}: {p['msg'].removeprefix('Value error, ')}"
            for p in problem.errors()
        )
    return str(problem)


def read_verdict(text: str) -> Verdict:
    """Raises ValueError where the answer has not the form asked for; so do the other readers."""
    return Verdict.model_validate(read_object(text))


def read_actions(text: str) -> Actions:
    """Both descriptions."""
    return Actions.model_validate(read_object(text))


def read_order(text: str, n: int) -> str:
    """The letters of ``n`` pictures, each once."""
    given = Order.model_validate(read_object(text)).order
    letters = re.sub(r"[\s,;>-]+", "", given).upper()
    if sorted(letters) != sorted(LETTERS[:n]):
        raise ValueError(f"order: {given!r} does not name each of {LETTERS[:n]} once")
    return letters


def read_object(text: str) -> dict[str, Any]:
    """The first JSON object of a text; reasoning, fences and words around it are forgiven.

    Raises:
        ValueError: there is none, or it is cut off.
    """
    spoken = text.rpartition("</think>")[2]
    problem = "it holds no JSON object"
    for found in re.finditer(r"\{", spoken):
        try:
            return dict(json.JSONDecoder().raw_decode(spoken, found.start())[0])
        except json.JSONDecodeError as error:
            problem = f"it is not valid JSON ({error.msg})"
    raise ValueError(problem)


def _noun(sequence: Sequence) -> str:
    return "screen" if sequence.scenario == "gui" else "picture"


def _messages(
    sequence: Sequence, shots: list[Message], labels: list[str], show_goal: bool, ask: str
) -> list[Message]:
    noun = _noun(sequence)
    start = f"{len(shots)} {noun}s from a recording of {RECORDING[sequence.scenario]}."
    if show_goal and sequence.goal.strip():
        start += (
            f' The recording is titled "{phrase(sequence.goal)}"; the title may be wrong, or speak of more '
            "than is shown here."
        )
    content: list[Message] = [{"type": "text", "text": start}]
    for label, shot in zip(labels, shots, strict=True):
        content += [{"type": "text", "text": f"{noun.capitalize()} {label}:"}, shot]
    content.append({"type": "text", "text": ask})
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]
