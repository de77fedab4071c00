"""Which frames of a filmed build show a settled state: nothing moves, no hand is in the picture.

Frames pass once. Runs of equal frames that last long enough are *stills*; a still is held back until a few
later ones are known, so that what stands in the picture for a moment only can be told from what was built.
Memory holds those few frames and nothing else.
"""

import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from tpru.trajectories.signature import VISIBLE

CELL = 4  # pixels of a side: averages the noise of video coding away
BLOCK = 4  # cells of a side: blurring a picture leaves the mean of a block as it is
CLOCK_S = 0.001  # Matroska rounds the time of a frame to a millisecond
DARKEST = 24.0  # cells below it say nothing about the exposure
BRIGHT = 170.0  # cells above it may hold pixels that clip at white
FLAT = 1.5  # strength of edges below which there is nothing that could be blurred
UNBUILT = 8.0  # of 255: less than an edge that comes into a block changes its mean
LEAST_BLOCKS = 4  # with fewer in common, sharpness cannot be compared

Cells = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Settling:
    """When a state counts as settled; conf/source/videos.yaml explains every value."""

    settled_s: float
    min_change: float
    cut_change: float
    exposure: float
    hand_share: float
    look_ahead: int
    black: float
    blur: float


@dataclass(frozen=True)
class View:
    """A frame as decisions see it.

    ``cells``: mean colours of 4x4 pixels, float32 (rows, columns, 3), 0 to 255. ``blocks``: those of 4x4
    cells, (rows/4, columns/4, 3). ``edges``: how strong the edges in a block are, (rows/4, columns/4): its
    mean absolute Laplacian of Gaussian.
    """

    cells: Cells
    blocks: Cells
    edges: Cells


@dataclass(frozen=True)
class Filmed:
    """A frame of a video: when it is shown and until when (seconds), how it looks, and its full picture.

    ``picture`` is called for frames that are kept alone.
    """

    start_s: float
    end_s: float
    view: View
    picture: Callable[[], Image.Image]


@dataclass(frozen=True)
class Settled:
    """A settled state, the shot it is in (from 0) and its frame."""

    shot: int
    frame: Filmed


def view(pixels: NDArray[np.uint8]) -> View:
    """The view of a small RGB picture (height, width, 3); rests of less than a block are cut off."""
    side = CELL * BLOCK
    height, width = (max(n // side, 1) * side for n in pixels.shape[:2])
    whole = np.pad(pixels, [(0, max(0, height - len(pixels))), (0, max(0, width - pixels.shape[1])), (0, 0)])
    kept = whole[:height, :width].astype(np.float32)
    cells = _pooled(kept, CELL)
    # Smoothed by one pixel first: grain is no edge.
    edges = np.abs(ndimage.gaussian_laplace(kept.mean(axis=-1), 1.0))
    return View(cells, _pooled(cells, BLOCK), _pooled(edges[..., None], side)[..., 0])


def _pooled(values: Cells, side: int) -> Cells:
    rows, columns, channels = values.shape
    parts = values.reshape(rows // side, side, columns // side, side, channels)
    return np.asarray(parts.mean(axis=(1, 3)), np.float32)


def differing(a: Cells, b: Cells, exposure: float, visible: float = VISIBLE) -> Mask:
    """Where two pictures differ by more than ``visible`` (of 255), ``a`` brought to the exposure of ``b``.

    The exposure is the median of the ratios by channel, at most ``exposure`` either way: what is built or
    a hand covers the smaller part of the picture.
    """
    known = (a > DARKEST) & (b > DARKEST)
    gains = np.ones(3, np.float32)
    for channel in range(3):
        usable = known[..., channel]
        if usable.any():
            gains[channel] = np.median(b[..., channel][usable] / a[..., channel][usable])
    gains = np.clip(gains, 1 / exposure, exposure)
    more = b - np.minimum(a * gains, 255.0)
    # Pixels of a bright cell may have clipped at white in the brighter picture: they lack at most this much.
    more -= np.clip(more, 0, 255 * np.maximum(1 - gains, 0)) * (a > BRIGHT)
    more -= np.clip(more, -255 * np.maximum(gains - 1, 0), 0) * (b > BRIGHT)
    return np.asarray(np.abs(more).max(axis=-1) > visible, np.bool_)


def settled_states(frames: Iterable[Filmed], config: Settling, dropped: Counter[str]) -> Iterator[Settled]:
    """Settled states in time order; what is left out is counted in ``dropped`` by reason.

    Reasons (frames): ``black``, ``moving`` (part of no still), ``repeated`` (another frame stands for it),
    ``blurred``, ``hand`` (a part of the picture is there for a moment only).
    """
    queue: deque[Filmed] = deque()
    last: Settled | None = None
    for still in itertools.chain(stills(frames, config, dropped), itertools.repeat(None)):
        if still:
            queue.append(still)
        if not queue:
            break
        if still and len(queue) <= config.look_ahead:
            continue
        judged = queue.popleft()
        kept, reason = _judged(judged, last, queue, config)
        if kept:
            last = kept
            yield kept
        else:
            dropped[reason] += 1


def stills(frames: Iterable[Filmed], config: Settling, dropped: Counter[str]) -> Iterator[Filmed]:
    """The sharpest frame of every run of equal frames that is shown for ``settled_s`` or longer."""
    first = best = None
    count, end = 0, 0.0
    for frame in itertools.chain(frames, itertools.repeat(None)):
        black = frame is not None and _is_black(frame.view, config.black)
        if first and best and (frame is None or black or not _same(first.view, frame.view, config)):
            # A frame stands until the next one, however long that takes: frame rates may vary.
            seconds = (end if frame is None else frame.start_s) - first.start_s
            if seconds >= config.settled_s - CLOCK_S:
                dropped["repeated"] += count - 1
                yield best
            else:
                dropped["moving"] += count
            first = best = None
        if frame is None:
            break
        end = frame.end_s
        if black:
            dropped["black"] += 1
        elif first and best:
            count += 1
            # A good deal sharper: the noise of coding must not decide which frame it is.
            best = frame if frame.view.edges.mean() > 1.5 * best.view.edges.mean() else best
        else:
            first, best, count = frame, frame, 1


def _is_black(seen: View, black: float) -> bool:
    return float(np.percentile(seen.cells.max(axis=-1), 95)) < black


def _same(a: View, b: View, config: Settling) -> bool:
    return float(differing(a.cells, b.cells, config.exposure).mean()) < config.min_change


def _is_cut(a: View, b: View, config: Settling) -> bool:
    return float(differing(a.cells, b.cells, config.exposure).mean()) >= config.cut_change


def _judged(
    still: Filmed, last: Settled | None, queue: Iterable[Filmed], config: Settling
) -> tuple[Settled | None, str]:
    """The state that a still shows, or None and why it is left out."""
    seen = still.view
    cut = last is not None and _is_cut(last.frame.view, seen, config)
    before = last.frame.view if last and not cut else None
    after = [f.view for f in itertools.takewhile(lambda f: not _is_cut(seen, f.view, config), queue)]
    others = [*([before] if before else []), *after]
    beside = [*([before] if before else []), *after[:1]]
    if any(_blurred_beside(seen, other, config) for other in beside):
        return None, "blurred"
    if before is not None and _same(before, seen, config):
        return None, "repeated"
    if before is not None and after:
        hand = any(_passing_share(seen, before, later, config) >= config.hand_share for later in after)
    else:
        hand = any(_skin_share(seen, other, config) >= config.hand_share for other in others)
    if hand:
        return None, "hand"
    return Settled((last.shot if last else 0) + cut, still), ""


def _blurred_beside(seen: View, other: View, config: Settling) -> bool:
    """Whether edges that both pictures show are much weaker in the first.

    The median over blocks: a few have edges that one of the pictures alone shows.
    """
    common = ~differing(other.blocks, seen.blocks, config.exposure, UNBUILT) & (other.edges > FLAT)
    if common.sum() < LEAST_BLOCKS:
        return False
    return float(np.median(seen.edges[common] / other.edges[common])) < config.blur


def _passing_share(seen: View, before: View, later: View, config: Settling) -> float:
    """Share of the picture under things that were not there before and are gone later.

    They reach the edge of the picture, as an arm does, or have the colour of skin: a part that is put
    somewhere else is none.
    """
    came = differing(before.cells, seen.cells, config.exposure)
    went = differing(later.cells, seen.cells, config.exposure)
    gone = came & went & ~differing(before.cells, later.cells, config.exposure)
    return _share(gone, lambda part: _at_edge(part) or _mostly_skin(seen, part))


def _skin_share(seen: View, other: View, config: Settling) -> float:
    """Share of the picture under what looks like an arm, where one side to compare with is missing."""
    new = differing(other.cells, seen.cells, config.exposure) & ~_skin(other.cells)
    return _share(new, lambda part: _at_edge(part) and _mostly_skin(seen, part))


def _share(mask: Mask, counts: Callable[[Mask], bool]) -> float:
    labels, n = ndimage.label(mask, np.ones((3, 3)))
    parts = [labels == k for k in range(1, n + 1)]
    return float(sum(part.mean() for part in parts if part.sum() > 2 and counts(part)))


def _at_edge(part: Mask) -> bool:
    return bool(part[[0, -1]].any() or part[:, [0, -1]].any())


def _mostly_skin(seen: View, part: Mask) -> bool:
    return float(_skin(seen.cells)[part].mean()) > 0.5


def _skin(cells: Cells) -> Mask:
    """Cells whose chrominance (ITU-R BT.601) is one that skin of all tones has; wood and sand have it too."""
    red, green, blue = np.moveaxis(cells, -1, 0)
    blueness = 128 - 0.169 * red - 0.331 * green + 0.5 * blue
    redness = 128 + 0.5 * red - 0.419 * green - 0.081 * blue
    inside = (blueness > 77) & (blueness < 127) & (redness > 133) & (redness < 173)
    return np.asarray(inside, np.bool_)
