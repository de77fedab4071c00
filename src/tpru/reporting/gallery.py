"""Items as a model saw them, with every model's answer, and pictures small enough to inline."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image

from tpru.records import Item, Option, Prediction
from tpru.reporting.tables import plain
from tpru.store import FrameStore, encode_jpeg

PICTURE_SIDE = 160
OPTION_SIDE = 96
JPEG_QUALITY = 80
LABEL_LENGTH = 24


@dataclass(frozen=True)
class GalleryItem:
    """An item to show and what each model answered to it: (model, prediction)."""

    item: Item
    answers: tuple[tuple[str, Prediction], ...]


@dataclass(frozen=True)
class Picture:
    """A picture in a prompt: its data URI, the label before it and where it came from."""

    uri: str
    label: str
    origin: str


@dataclass(frozen=True)
class Part:
    """A run of text, or of pictures that follow each other, in a prompt."""

    text: str
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Choice:
    """An option as shown: a picture (``uri``) or a text."""

    letter: str
    text: str
    uri: str
    right: bool


@dataclass(frozen=True)
class Shown:
    """Everything that the page prints about one item."""

    item: Item
    traits: tuple[str, ...]
    parts: tuple[Part, ...]
    choices: tuple[Choice, ...]
    answers: tuple[tuple[str, Prediction], ...]


def gallery_view(gallery: Sequence[GalleryItem], frames: FrameStore) -> list[Shown]:
    """Items ready to print, their pictures shrunk.

    Raises:
        UpstreamError: a picture is in none of the frame files.
    """
    large = thumbnails(frames, _prompt_frames(gallery), PICTURE_SIDE)
    small = thumbnails(frames, _option_frames(gallery), OPTION_SIDE)
    return [
        Shown(
            entry.item,
            _traits(entry.item),
            tuple(prompt_parts(entry.item, large)),
            tuple(_choice(option, entry.item, small) for option in entry.item.options),
            entry.answers,
        )
        for entry in gallery
    ]


def thumbnails(frames: FrameStore, frame_ids: Iterable[str], side: int) -> dict[str, str]:
    """JPEG data URIs by frame id, no side longer than ``side`` pixels, never enlarged."""
    # sorted order lets the store read each group of pictures once
    return {i: data_uri(frames.image(i), side) for i in sorted(set(frame_ids))}


def data_uri(image: Image.Image, side: int) -> str:
    """A shrunk copy of a picture as a JPEG data URI, the same for the same pixels."""
    copy = image.copy()
    copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    encoded = base64.b64encode(encode_jpeg(copy, JPEG_QUALITY)).decode("ascii")
    return f"data:image/jpeg;base64,{encoded}"


def _prompt_frames(gallery: Sequence[GalleryItem]) -> set[str]:
    return {b.value for entry in gallery for b in entry.item.prompt if b.type == "image"}


def _option_frames(gallery: Sequence[GalleryItem]) -> set[str]:
    return {o.content for entry in gallery for o in entry.item.options if o.kind == "image"}


def _traits(item: Item) -> tuple[str, ...]:
    kinds = {"": "answerable", "caption": "contradicting caption", "withheld": "answer withheld"}
    kind = kinds.get(item.negative_kind, item.negative_kind)
    named = (plain(item.task), item.scenario, item.source, kind)
    return tuple(name for name in named if name)


def prompt_parts(item: Item, uris: dict[str, str]) -> list[Part]:
    """The prompt as runs of text and of labelled pictures, given the data URI of every picture."""
    origins = {i: _origin(order) for i, order in zip(item.shown, item.order, strict=False)}
    parts: list[Part] = []
    for block in item.prompt:
        if block.type == "text":
            parts.append(Part(block.value.strip("\n")))
            continue
        label = ""
        if parts and not parts[-1].pictures:
            text, label = _split_label(parts.pop().text)
            parts += [Part(text)] if text else []
        picture = Picture(uris[block.value], label, origins.get(block.value, ""))
        row = parts.pop().pictures if parts and parts[-1].pictures else ()
        parts.append(Part("", (*row, picture)))
    return parts


def _split_label(text: str) -> tuple[str, str]:
    """A text before a picture, and its last line where that is short enough to be a label."""
    body, _, last = text.rpartition("\n")
    return (body.rstrip(), last.strip()) if len(last.strip()) <= LABEL_LENGTH else (text, "")


def _origin(order: int) -> str:
    return f"frame {order}" if order >= 0 else "elsewhere"


def _choice(option: Option, item: Item, uris: dict[str, str]) -> Choice:
    picture = option.kind == "image"
    return Choice(
        letter=option.letter,
        text="" if picture else option.content,
        uri=uris[option.content] if picture else "",
        right=option.letter == item.answer,
    )
