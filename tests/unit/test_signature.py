"""How different two pictures look, and the search for near-duplicates."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from tests.unit.builders import Colour, cells, jpeg, random_look, scene
from tpru.config.compose import compose
from tpru.store import decode_image, encode_jpeg
from tpru.trajectories.signature import VISIBLE, Signature, alike, change, near_duplicates, signature

LOOKS = arrays.arrays(np.uint8, (32, 32, 3), elements=st.integers(0, 255))
DEMO = compose("demo", [])
BELOW = DEMO.synthesize.splits.near_duplicate_change
MIN_CHANGE = DEMO.extract.min_change


@settings(deadline=None)
@given(LOOKS, LOOKS)
def test_change_is_a_symmetric_share(a: Signature, b: Signature) -> None:
    assert change(a, a) == 0.0
    assert change(a, b) == change(b, a)
    assert 0.0 <= change(a, b) <= 1.0


@settings(deadline=None)
@given(LOOKS, st.lists(st.tuples(LOOKS, st.integers(0, 40)), max_size=6), st.floats(0.001, 1.0))
def test_change_and_alike_are_what_they_say(
    one: Signature, drawn: list[tuple[Signature, int]], below: float
) -> None:
    # Half of them differ from the first in a few cells alone.
    many = np.array([other for other, _ in drawn], np.uint8).reshape(-1, 32, 32, 3)
    for k, (other, n) in enumerate(drawn[::2]):
        many[2 * k] = one
        many[2 * k].reshape(-1, 3)[:: 1024 // (n + 1)] = other.reshape(-1, 3)[:: 1024 // (n + 1)]
    plainly = [float((np.abs(m.astype(int) - one.astype(int)).max(axis=-1) > VISIBLE).mean()) for m in many]
    assert [change(m, one) for m in many] == plainly
    assert alike(many, one, below).tolist() == [c < below for c in plainly]


def test_black_and_white_differ_everywhere() -> None:
    assert change(signature(cells(0)), signature(cells(1024))) == 1.0


@pytest.mark.parametrize("changed", [1, 6, 7, 512, 1023])
def test_change_counts_cells(changed: int) -> None:
    assert change(signature(cells(0)), signature(cells(changed))) == changed / 1024


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize(("difference", "visible"), [(VISIBLE, 0.0), (VISIBLE + 1, 1 / 1024)])
def test_one_channel_of_one_cell_is_seen_from_the_threshold_on(
    channel: int, difference: int, visible: float
) -> None:
    a = np.full((32, 32, 3), 100, dtype=np.uint8)
    for sign in (1, -1):  # uint8 must not wrap around
        b = a.copy()
        b[3, 4, channel] = 100 + sign * difference
        assert change(a, b) == visible


def test_a_signature_is_the_mean_of_every_cell() -> None:
    look = signature(scene(size=(320, 320)))
    pixels = np.asarray(scene(size=(320, 320)), dtype=float)
    means = pixels.reshape(32, 10, 32, 10, 3).mean(axis=(1, 3))
    assert look.shape == (32, 32, 3)
    assert np.abs(look - means).max() <= 0.51


@pytest.mark.parametrize(
    ("size", "save"),
    [
        # Chroma subsampling smears the saturated edges of pictures below about 160 pixels over cells.
        ((112, 112), encode_jpeg),
        ((224, 224), jpeg),
        ((640, 480), jpeg),
    ],
)
@pytest.mark.parametrize("quality", [60, 80, 95])
def test_a_picture_saved_again_as_jpeg_is_a_near_duplicate(
    size: tuple[int, int], save: Callable[[Image.Image, int], bytes], quality: int
) -> None:
    image = scene(size=size)
    again = decode_image(save(image, quality))
    assert again.tobytes() != image.tobytes()
    assert change(signature(image), signature(again)) < BELOW
    assert near_duplicates([signature(image)], [signature(again)], BELOW) == [(0, 0)]


@pytest.mark.parametrize("to", [(96, 96), (168, 168), (640, 640)])
def test_a_resized_picture_is_a_near_duplicate(to: tuple[int, int]) -> None:
    image = scene(size=(320, 320))
    resized = image.resize(to, Image.Resampling.BICUBIC)
    assert change(signature(image), signature(resized)) < BELOW


@pytest.mark.parametrize(
    "make",
    [
        lambda: scene(at=(34, 24)),
        lambda: scene(at=(20, 38)),
        lambda: scene(colour=(40, 90, 200)),
    ],
)
def test_a_small_object_that_moved_or_changed_colour_is_another_picture(
    make: Callable[[], Image.Image],
) -> None:
    assert change(signature(scene()), signature(make())) >= max(BELOW, MIN_CHANGE)
    assert near_duplicates([signature(scene())], [signature(make())], BELOW) == []


def brute_force(left: list[Signature], right: list[Signature], below: float) -> list[tuple[int, int]]:
    return [(i, j) for i, a in enumerate(left) for j, b in enumerate(right) if change(a, b) < below]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    below=st.sampled_from([0.0, 1 / 1024, 0.003, 4 / 1024, 0.01, 0.05, 0.5, 1.0]),
    block=st.booleans(),
)
def test_near_duplicates_are_those_of_a_brute_force_search(seed: int, below: float, block: bool) -> None:
    rng = np.random.default_rng(seed)
    left = [rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(4)]
    limit = round(below * 1024)
    right = []
    for look in left:
        # One cell below, at and above the threshold; the others as far as they go unseen. All changed
        # cells in one block of 8 x 8, all by the full range, move the block's mean the most.
        for changed in (limit - 1, limit, limit + 1):
            changed = min(max(changed, 0), 1024)
            wide = look.astype(int) + VISIBLE * (1 if block else rng.choice([-1, 1], look.shape))
            other = np.clip(wide, 0, 255).astype(np.uint8)
            order = (
                [(i // 8 % 8 + 8 * (i // 64 // 4), i % 8 + 8 * (i // 64 % 4)) for i in range(1024)]
                if block
                else [divmod(int(i), 32) for i in rng.permutation(1024)]
            )
            for row, column in order[:changed]:
                other[row, column] = np.where(look[row, column] < 128, 255, 0)
            right.append(other)
    expected = brute_force(left, right, below)
    assert near_duplicates(left, right, below) == expected
    assert near_duplicates(right, left, below) == sorted((j, i) for i, j in expected)


def test_the_furthest_near_duplicate_in_one_block_is_found() -> None:
    """Every changed cell in one block, from black to white, the rest brighter by what is not seen."""
    below = 4 / 1024
    dark = np.zeros((32, 32, 3), dtype=np.uint8)
    other = dark + np.uint8(VISIBLE)
    other[0, :3] = 255
    assert near_duplicates([dark], [other], below) == [(0, 0)]
    other[0, 3] = 255
    assert near_duplicates([dark], [other], below) == []


@pytest.mark.parametrize(("left", "right"), [(0, 0), (0, 2), (2, 0)])
def test_nothing_has_no_near_duplicates(left: int, right: int) -> None:
    looks = [random_look(str(i)) for i in range(2)]
    assert near_duplicates(looks[:left], looks[:right], 0.5) == []


def test_grey_pictures_are_looked_at_in_colour() -> None:
    grey: Colour = (90, 90, 90)
    assert signature(Image.new("L", (8, 8), 90)).tolist() == np.full((32, 32, 3), 90).tolist()
    assert change(signature(Image.new("L", (8, 8), 90)), signature(Image.new("RGB", (8, 8), grey))) == 0
