"""Dense items as pictures: the truth and one model's prediction drawn into them, small enough to inline."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from PIL import Image, ImageDraw, ImageFilter

from tpru.grounding.masks import decode
from tpru.grounding.records import GroundingItem, GroundingPrediction, Region
from tpru.grounding.results import part_of
from tpru.reporting.dense_tables import TITLES
from tpru.reporting.gallery import Picture, data_uri
from tpru.reporting.tables import percent
from tpru.store import FrameStore

SIDE = 168
MOST_FRAMES = 6
# As in dense.css; blue and orange, which also those tell apart who do not see red or green. The truth is
# drawn first and broader, so that it frames a prediction in the same place.
TRUTH = (43, 124, 255)
PREDICTED = (255, 145, 0)
WIDTHS = {TRUTH: 6, PREDICTED: 3}


@dataclass(frozen=True)
class DenseExample:
    """An item to show and what a model answers to it; ``score`` is the item's main one, from 0 to 1."""

    item: GroundingItem
    prediction: GroundingPrediction
    score: float


@dataclass(frozen=True)
class ShownExample:
    """Everything that the page prints about an example; ``bar`` is the time line of a moment."""

    part: str
    query: str
    origin: str
    pictures: tuple[Picture, ...]
    bar: Markup
    verdict: str


def examples_view(examples: Sequence[DenseExample], frames: FrameStore) -> list[ShownExample]:
    """Examples ready to print.

    Raises:
        UpstreamError: a picture is in none of the frame files.
        CorruptMediaError: a mask cannot be read.
    """
    return [
        ShownExample(
            part=TITLES[part_of(e.item)].lower(),
            query=e.item.query,
            origin=", ".join(filter(None, (e.item.dataset, e.item.level))),
            pictures=tuple(_pictures(e, frames)),
            bar=time_bar(e.item, e.prediction) if e.item.task == "temporal" else Markup(""),
            verdict=_verdict(e),
        )
        for e in examples
    ]


def _verdict(example: DenseExample) -> str:
    if not example.prediction.assigned:
        return "task not recognised"
    of = "J&F" if any(region.mask for region in example.item.regions) else "IoU"
    return f"{percent(example.score)} {of}"


def _pictures(example: DenseExample, frames: FrameStore) -> list[Picture]:
    """Some frames of the item, at even distances; a region has one alone."""
    item = example.item
    truth = {region.frame: region for region in item.regions}
    found = {region.frame: region for region in example.prediction.regions}
    asked = range(len(item.frames)) if item.task == "temporal" else sorted(truth)
    out = []
    for k in _spread(asked, MOST_FRAMES):
        picture = drawn(frames.image(item.frames[k]), truth.get(k), found.get(k))
        label = f"{item.times[k]:.1f} s" if len(item.frames) > 1 else ""
        given = "given" if item.start and k == min(truth) else ""
        out.append(Picture(data_uri(picture, SIDE), label, given))
    return out


def _spread(places: Sequence[int], most: int) -> list[int]:
    """At most so many of these at even distances, the first and the last among them."""
    shown = min(most, len(places))
    return [places[round(k * (len(places) - 1) / max(1, shown - 1))] for k in range(shown)]


def drawn(picture: Image.Image, truth: Region | None, predicted: Region | None) -> Image.Image:
    """A copy whose longer side is ``SIDE`` pixels, with contours of masks, or boxes where there are none.

    Raises:
        CorruptMediaError: a mask cannot be read.
    """
    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    copy = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    for region, colour in ((truth, TRUTH), (predicted, PREDICTED)):
        if region and region.mask:
            copy.paste(colour, mask=_contour(region, size, WIDTHS[colour]))
        elif region and region.box:
            ends = [share * side for share, side in zip(region.box, size * 2, strict=True)]
            # Predicted ends may be the wrong way round, which Pillow refuses to draw.
            box = [*(min(ends[k], ends[k + 2]) for k in (0, 1)), *(max(ends[k], ends[k + 2]) for k in (0, 1))]
            ImageDraw.Draw(copy).rectangle(box, outline=colour, width=WIDTHS[colour])
    return copy


def _contour(region: Region, size: tuple[int, int], width: int) -> Image.Image:
    """The inner rim of a mask, 255 where it is; beyond the picture there is nothing."""
    mask = Image.fromarray(decode(region.mask).astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)
    framed = Image.new("L", (size[0] + 2 * width, size[1] + 2 * width))
    framed.paste(mask, (width, width))
    inside = framed.filter(ImageFilter.MinFilter(2 * width + 1))
    rim = np.asarray(framed) & ~np.asarray(inside)
    return Image.fromarray(rim[width:-width, width:-width])


def time_bar(item: GroundingItem, prediction: GroundingPrediction) -> Markup:
    """The moments of a clip on a line of its whole time: the truth above, the best one predicted below."""
    rows = [
        ("truth", 1.0, [(m.start_s, m.end_s) for m in item.moments]),
        ("predicted", 9.0, [(m.start_s, m.end_s) for m in prediction.moments[:1]]),
    ]
    parts = []
    for name, top, moments in rows:
        for start, end in moments:
            left, right = (100 * min(max(s / item.duration, 0.0), 1.0) for s in (start, end))
            # So that a moment of no length is seen.
            width = max(right - left, 0.5)
            parts.append(f'<rect class="{name}" x="{left:.2f}" y="{top:g}" width="{width:.2f}" height="6"/>')
    words = [f"{name} {'; '.join(f'{s:.1f} to {e:.1f} s' for s, e in m) or 'none'}" for name, _, m in rows]
    title = f"{', '.join(words)}, of {item.duration:.1f} s"
    bar = f'<rect class="ground" x="0" y="0" width="100" height="16"/>{"".join(parts)}'
    return Markup(
        f'<svg class="bar-of-time" viewBox="0 0 100 16" preserveAspectRatio="none" role="img" '
        f'aria-label="{title}"><title>{title}</title>{bar}</svg><p class="sub">{title}</p>'
    )
