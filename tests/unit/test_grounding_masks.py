"""Masks: to PNG and back, and J and F of DAVIS by hand, by their properties and as other programs have them.

Numbers of other programs were computed once on ``grounding_inputs`` (seed 14): J and boxes by pycocotools
2.0.11, F by the rules of davis2017-evaluation (dilation by a disk) with OpenCV 5.0.0 and scikit-image 0.26.0.
"""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tests.unit.grounding_inputs import mask_pairs
from tpru.errors import CorruptMediaError
from tpru.grounding.masks import box_of_mask, decode, encode, fill_box, size_of
from tpru.grounding.metrics import contour, contour_accuracy, region_similarity

Mask = NDArray[np.bool_]
masks = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0, 1)).map(
    lambda t: np.random.default_rng(t[2]).random(t[:2]) < t[3]
)


def square(top: int, left: int, side: int, size: int = 50) -> Mask:
    mask = np.zeros((size, size), np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


# PNG.


@settings(deadline=None)
@given(masks)
def test_masks_come_back_as_they_were(mask: Mask) -> None:
    data = encode(mask)
    assert np.array_equal(decode(data), mask)
    assert size_of(data) == mask.shape[::-1]
    assert data == encode(mask.copy())


def test_a_mask_is_255_in_one_channel() -> None:
    with Image.open(io.BytesIO(encode(np.array([[True, False]])))) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        assert np.asarray(image).tolist() == [[255, 0]]


@pytest.mark.parametrize("bad", [np.zeros((2, 2)), np.zeros((2, 2, 2), np.bool_), np.zeros((0, 2), np.bool_)])
def test_what_is_no_mask_is_not_encoded(bad: Mask) -> None:
    with pytest.raises(ValueError, match="boolean array"):
        encode(bad)


def test_what_is_no_mask_is_not_decoded() -> None:
    colours = io.BytesIO()
    Image.new("RGB", (3, 3)).save(colours, format="PNG")
    with pytest.raises(CorruptMediaError, match="frame 3 is a picture of mode RGB"):
        decode(colours.getvalue(), "frame 3")
    for bad in (b"", b"no picture", encode(np.random.default_rng(0).random((40, 40)) > 0.5)[:60]):
        with pytest.raises(CorruptMediaError, match="cannot be read as a PNG"):
            decode(bad)
    with pytest.raises(CorruptMediaError, match="is no PNG"):
        size_of(b"no picture")


# Boxes.


def test_a_box_goes_around_its_mask() -> None:
    mask = np.zeros((4, 10), np.bool_)
    assert box_of_mask(mask) == ()
    mask[1, 3] = mask[2, 6] = True
    assert box_of_mask(mask) == (0.3, 0.25, 0.7, 0.75)
    assert box_of_mask(np.ones((4, 10), np.bool_)) == (0.0, 0.0, 1.0, 1.0)


@settings(deadline=None)
@given(masks)
def test_a_filled_box_has_the_box_that_it_was_filled_from(mask: Mask) -> None:
    filled = fill_box(box_of_mask(mask), mask.shape[1], mask.shape[0])
    assert (filled | mask == filled).all()
    assert box_of_mask(filled) == box_of_mask(mask)


def test_boxes_agree_with_pycocotools() -> None:
    # Left, top, width and height in pixels.
    known = [
        *((136, 0, 291, 226), (24, 4, 66, 53), (61, 27, 176, 171), (45, 11, 45, 49), (0, 0, 299, 146)),
        *((25, 19, 29, 41), (0, 137, 281, 103), (58, 37, 32, 19), (43, 0, 384, 128), (36, 3, 54, 20)),
    ]
    for (mask, _), (left, top, width, height) in zip(mask_pairs(), known, strict=True):
        h, w = mask.shape
        assert box_of_mask(mask) == pytest.approx((left / w, top / h, (left + width) / w, (top + height) / h))


# J and F.


def test_region_similarity_by_hand() -> None:
    assert region_similarity(square(0, 0, 10), square(0, 5, 10)) == 50 / 150
    assert region_similarity(square(0, 0, 10), square(30, 30, 10)) == 0.0


def test_a_contour_lies_left_and_above() -> None:
    # The pixels that differ from the one right, below or right below, of a square of 2 at (1, 1).
    mask = square(1, 1, 2, 5)
    rows = ["11100", "10100", "11100", "00000", "00000"]
    assert contour(mask).astype(int).tolist() == [[int(c) for c in row] for row in rows]
    # The picture's edge is no contour.
    assert not contour(np.ones((4, 4), np.bool_)).any()


def test_contours_within_the_tolerance_are_right() -> None:
    # 0.008 of the diagonal of 50 x 50 is 0.57: one pixel. One further along one side of a square of 10:
    true = square(10, 10, 10)
    assert contour_accuracy(square(10, 11, 10), true) == 1.0
    # Three further: both contours are frames of 11 x 11, 40 pixels. Of the upper and the lower row the nine that
    # reach one column beyond the other frame are right, and of the near column the two next to those rows.
    assert contour_accuracy(square(10, 13, 10), true) == pytest.approx((9 + 9 + 2) / 40)
    assert contour_accuracy(square(30, 30, 10), true) == 0.0


def test_empty_masks() -> None:
    nothing, something, full = square(0, 0, 0), square(5, 5, 9), np.ones((50, 50), np.bool_)
    for figure in (region_similarity, contour_accuracy):
        assert figure(nothing, nothing) == 1.0
        for other in (something, full):
            assert figure(nothing, other) == figure(other, nothing) == 0.0
    # A full mask has no contour: right against a full one, wrong against all that have one.
    assert contour_accuracy(full, full) == 1.0
    assert contour_accuracy(full, something) == contour_accuracy(something, full) == 0.0


def test_masks_of_other_sizes_are_refused() -> None:
    for figure in (region_similarity, contour_accuracy):
        with pytest.raises(ValueError, match=r"shape \(4, 4\) for a true one of \(5, 5\)"):
            figure(square(0, 0, 1, 4), square(0, 0, 1, 5))


@settings(max_examples=60, deadline=None)
@given(masks, st.integers(0, 2**32 - 1))
def test_both_figures_are_symmetric_shares_and_1_for_the_truth(mask: Mask, seed: int) -> None:
    other = mask ^ (np.random.default_rng(seed).random(mask.shape) < 0.2)
    for figure in (region_similarity, contour_accuracy):
        assert figure(mask, mask) == 1.0
        assert 0 <= figure(mask, other) <= 1
        assert figure(mask, other) == pytest.approx(figure(other, mask))


def test_region_similarity_agrees_with_pycocotools() -> None:
    assert [region_similarity(a, b) for a, b in mask_pairs()] == pytest.approx(
        [
            *(0.810850439883, 0.669590643275, 0.515814637734, 0.794579172611, 0.681923540501),
            *(0.555106167846, 0.742163161994, 0.699052132701, 0.597064321392, 0.720848056537),
        ]
    )


def test_contour_accuracy_agrees_with_davis() -> None:
    assert [contour_accuracy(a, b) for a, b in mask_pairs()] == pytest.approx(
        [
            *(0.247403363180, 0.265978562922, 0.231231270529, 0.409882088714, 0.089959615652),
            *(0.388038942976, 0.317639401172, 0.620134228188, 0.166631601094, 0.541401273885),
        ]
    )
