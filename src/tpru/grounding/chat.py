"""General chat beside the dense items: questions about single simulated frames, or the user's own file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tpru.errors import CorruptMediaError, ManifestError
from tpru.files import sha256_bytes
from tpru.grounding.films import Film, clear_names
from tpru.grounding.records import ChatItem
from tpru.randomness import generator
from tpru.records import FrameState
from tpru.store import decode_image

# States that say no more than that the thing is in the picture.
BARE = ("", "shown", "in view", "not on the screen", "out of view")
IMAGE = "<image>"


@dataclass(frozen=True)
class Talk:
    """A question and its answer from the user's file, with the encoded pictures that they are about.

    ``left_out`` counts the further questions of the same conversation.
    """

    item: ChatItem
    pictures: tuple[bytes, ...]
    left_out: int


def film_chat(film: Film, count: int, seed: int) -> list[ChatItem]:
    """Up to ``count`` questions about a training trajectory: a thing's state, or how much is done."""
    trajectory = film.trajectory
    rng = generator(seed, "chat", trajectory.trajectory_id)
    items: list[ChatItem] = []
    for number, frame in enumerate(rng.permutation(film.shown)[:count].tolist()):
        state = film.states[frame]
        found = None if number % 2 else _about_a_thing(state, rng)
        question, answer = found or _about_progress(trajectory.goal, state.progress)
        items.append(
            ChatItem(
                item_id=f"{trajectory.trajectory_id}/chat/{number}",
                split="train",
                group=trajectory.group,
                frames=(film.frames[frame],),
                question=question,
                answer=answer,
            )
        )
    return items


def _about_a_thing(state: FrameState, rng: np.random.Generator) -> tuple[str, str] | None:
    clear = clear_names(thing.name for thing in state.things)
    # What is not put on yet has no box, and can be told from the picture all the same.
    things = [
        thing
        for thing in state.things
        if thing.name in clear and thing.state not in BARE and (thing.box or thing.state == "missing")
    ]
    if not things:
        return None
    thing = things[int(rng.integers(len(things)))]
    return f"What is the state of {thing.name}?", thing.state.replace("shown: ", "shows ")


def _about_progress(goal: str, progress: float) -> tuple[str, str]:
    words = ("nothing yet", "less than half", "about half", "more than half", "all of it")
    bounds = (0.0, 0.4, 0.6, 0.999)
    place = 0 if progress <= bounds[0] else 1 + sum(progress >= bound for bound in bounds[1:])
    return f"The task is: {goal}. How much of it is done?", words[place]


def read_chat(path: Path) -> Iterator[Talk]:
    """The conversations of a file of JSON lines, which ``conf/grounding/default.yaml`` describes.

    Raises:
        ManifestError: the file is missing, or a line is not as described, with its number.
        CorruptMediaError: a picture cannot be decoded.
    """
    if not path.is_file():
        raise ManifestError(f"the chat file {path} does not exist; correct grounding.chat or set it to ''")
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield _talk(path, number, line)


def _talk(path: Path, number: int, line: str) -> Talk:
    where = f"{path}, line {number}"
    try:
        record = json.loads(line)
    except ValueError as error:
        raise ManifestError(f"{where} is not JSON ({error}); correct or remove the line") from error
    if not isinstance(record, dict):
        raise ManifestError(f"{where}: expected an object with 'images' and 'messages'; correct the line")
    names = record.get("images")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
        raise ManifestError(f"{where}: expected paths of pictures under 'images', found {names!r:.80}")
    texts = _texts(record.get("messages"), where)
    pictures = tuple(_picture(path.parent / name, where) for name in names)
    name = f"chat/{number}"
    frames = tuple(sha256_bytes(data) for data in pictures)
    question = " ".join(texts[0].replace(IMAGE, " ").split())
    if not question:
        raise ManifestError(f"{where}: the first message has no text beside {IMAGE}; add the question")
    return Talk(ChatItem(name, "train", name, frames, question, texts[1]), pictures, len(texts) // 2 - 1)


def _texts(messages: Any, where: str) -> list[str]:
    """What user and assistant say in turn."""
    if not isinstance(messages, list) or not messages or len(messages) % 2:
        raise ManifestError(
            f"{where}: expected under 'messages' as many of the user as of the assistant; correct the line"
        )
    texts = []
    for place, message in enumerate(messages):
        role = ("user", "assistant")[place % 2]
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, str) or not content.strip() or message.get("role") != role:
            raise ManifestError(
                f"{where}: message {place + 1} is {message!r:.80}; expected role {role!r} and a text as "
                "'content' (no system message, no parts)"
            )
        texts.append(content.strip())
    return texts


def _picture(path: Path, where: str) -> bytes:
    if not path.is_file():
        raise ManifestError(f"{where}: the picture {path} does not exist; add it or remove the line")
    data = path.read_bytes()
    try:
        decode_image(data)
    except Exception as error:  # Pillow's readers raise many types for damaged files
        raise CorruptMediaError(
            f"{where}: the picture {path} cannot be decoded ({type(error).__name__}: {error}); replace it or "
            "remove the line"
        ) from error
    return data
