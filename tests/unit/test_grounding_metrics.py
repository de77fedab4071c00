"""Figures of moments and boxes: by hand, by their properties, and as other programs have them.

The numbers of other programs were computed once on ``grounding_inputs`` (seeds 11 to 13), since those programs
are no packages or bring much with them: the evaluation of QVHighlights (jayleicn/moment_detr at 2fa9e32, on
scikit-learn 1.9.1), got10k 0.1.3, pycocotools 2.0.11, and the gIoU of transformers 5.23.0.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.grounding_inputs import box_pairs, highlight_queries, moment_queries
from tpru.grounding.metrics import (
    MOMENT_THRESHOLDS,
    best_moment_iou,
    box_giou,
    box_iou,
    centre_errors,
    highlight_average_precision,
    hit_at_one,
    moment_average_precision,
    normalised_centre_errors,
    precision_at,
    success_auc,
    temporal_iou,
)

# Far enough from 0 for ratios of lengths to mean something.
places = st.integers(0, 100).map(lambda k: k / 100)
spans = st.tuples(places, places).filter(lambda s: s[0] != s[1]).map(lambda s: tuple(sorted(s)))
boxes = st.tuples(spans, spans).map(lambda s: (s[0][0], s[1][0], s[0][1], s[1][1]))


# Moments.


def test_overlaps_of_moments_by_hand() -> None:
    # [0, 10] with [5, 15]: 5 of 15; with [10, 20]: they touch; with [0, 10]: all. A moment turned round: none.
    found = temporal_iou([(0, 10), (10, 0), (3, 3)], [(5, 15), (10, 20), (0, 10)])
    assert found.tolist() == [[5 / 15, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert temporal_iou([(3, 3)], [(3, 3)]).tolist() == [[0.0]]
    assert temporal_iou([], [(3, 4)]).shape == (0, 1)


def test_the_first_moment_counts_against_the_true_one_that_suits_it() -> None:
    truth = [(0, 4), (10, 20)]
    assert best_moment_iou([(12, 20), (0, 4)], truth) == 0.8
    assert best_moment_iou([], truth) == 0.0
    assert best_moment_iou([(1, 2)], []) == 0.0


def test_an_average_precision_by_hand() -> None:
    # By score: (0, 10) right; (0, 9) too late, that moment is taken; (21, 30) right where 0.9 is enough.
    proposed = [(21, 30, 0.1), (0, 10, 0.9), (0, 9, 0.5)]
    found = moment_average_precision(proposed, [(0, 10), (20, 30)])
    # Two of two found with precisions 1 and 2/3: (1 + 2/3) / 2 up to IoU 0.9, then one of two: 1/2.
    assert found == pytest.approx([5 / 6] * 9 + [0.5])
    assert np.flatnonzero(MOMENT_THRESHOLDS == 0.9).tolist() == [8]


def test_precision_at_a_recall_is_the_best_from_there_on() -> None:
    # Wrong, right, right: precisions 0, 1/2, 2/3, so that both recalls have 2/3.
    found = moment_average_precision([(50, 60, 3), (0, 10, 2), (20, 30, 1)], [(0, 10), (20, 30)])
    assert found == pytest.approx([2 / 3] * 10)


def test_only_ten_moments_count_as_they_are_listed() -> None:
    wrong = [(50, 60, 0.1)] * 10
    assert moment_average_precision([*wrong, (0, 10, 0.9)], [(0, 10)]).max() == 0.0
    assert moment_average_precision([*wrong[1:], (0, 10, 0.9)], [(0, 10)]).min() == 1.0


def test_no_moments_have_no_precision() -> None:
    assert moment_average_precision([], [(0, 1)]).tolist() == [0.0] * 10
    assert moment_average_precision([(0, 1, 1)], []).tolist() == [0.0] * 10


def test_moments_agree_with_the_evaluation_of_qvhighlights() -> None:
    found = np.mean([moment_average_precision(p, t) for p, t in moment_queries()], axis=0)
    assert found == pytest.approx(
        [
            *(0.799439484127, 0.788397817460, 0.753645833333, 0.745491071429, 0.638923611111),
            *(0.550699404762, 0.455930059524, 0.372353670635, 0.232361111111, 0.047465277778),
        ]
    )


@settings(deadline=None)
@given(st.lists(spans, min_size=1, max_size=6), st.lists(spans, min_size=1, max_size=4), st.floats(1, 5))
def test_moments_keep_their_figures_when_time_is_scaled(
    proposed: list[tuple[float, float]], truth: list[tuple[float, float]], scale: float
) -> None:
    overlaps = temporal_iou(proposed, truth)
    assert ((overlaps >= 0) & (overlaps <= 1)).all()
    assert np.allclose(overlaps.T, temporal_iou(truth, proposed))
    assert temporal_iou(np.multiply(proposed, scale), np.multiply(truth, scale)) == pytest.approx(overlaps)


@settings(deadline=None)
@given(st.lists(spans, min_size=1, max_size=5), st.lists(spans, min_size=1, max_size=4))
def test_precision_falls_with_the_threshold_and_is_1_for_the_truth(
    proposed: list[tuple[float, float]], truth: list[tuple[float, float]]
) -> None:
    ranked = [(*p, -float(k)) for k, p in enumerate(proposed)]
    found = moment_average_precision(ranked, truth)
    assert (found >= 0).all()
    assert (found <= 1).all()
    # With one true moment a higher threshold can only turn right into wrong.
    alone = moment_average_precision(ranked, truth[:1])
    assert (np.diff(alone) <= 1e-12).all()
    assert moment_average_precision([(*t, 1.0) for t in truth], truth) == pytest.approx([1.0] * 10)


# Highlights.


def test_highlights_by_hand() -> None:
    judged = [[4, -1, 0, 4], [3, 3, 3, 3], [4, 4, 4, 4]]
    # Highest: the second stretch, very good to the third annotator alone.
    assert hit_at_one([0.1, 0.9, 0.2, 0.3], judged)
    assert not hit_at_one([0.1, 0.9, 0.2, 0.3], judged[:2])
    # Of equals the first counts.
    assert hit_at_one([0.5, 0.5], [[4, 0]])
    assert not hit_at_one([0.5, 0.5], [[0, 4]])
    # First annotator: ranks 2 and 4 are very good, precisions 1/2 and 2/4; nothing is to the second, all to
    # the third.
    assert highlight_average_precision([0.1, 0.9, 0.2, 0.3], judged) == pytest.approx((0.5 + 0 + 1) / 3)
    assert highlight_average_precision([], judged) == 0.0
    assert not hit_at_one([], judged)


def test_stretches_of_equal_saliency_come_at_once() -> None:
    # Both of the first two at the first threshold: precision 1/2, in whichever order they stand.
    assert highlight_average_precision([1, 1, 0], [[4, 0, 0]]) == 0.5
    assert highlight_average_precision([1, 1, 0], [[0, 4, 0]]) == 0.5


def test_highlights_agree_with_the_evaluation_of_qvhighlights() -> None:
    queries = highlight_queries()
    assert [highlight_average_precision(s, j) for s, j in queries] == pytest.approx(
        [
            *(0.283950617284, 0.506300366300, 0.134303350970, 0.158333333333, 0.139306599833, 0.500000000000),
            *(0.254960317460, 0.286044973545, 0.151785714286, 0.444444444444, 0.276368538869, 0.156493506494),
        ]
    )
    assert [hit_at_one(s, j) for s, j in queries] == [bool(k) for k in (0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1)]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(-1, 4)), min_size=1, max_size=12), st.integers(1, 9)
)
def test_highlights_know_the_order_of_saliency_alone(rows: list[tuple[int, int]], scale: int) -> None:
    saliency, judged = np.array([s for s, _ in rows]), [[j for _, j in rows]]
    found = highlight_average_precision(saliency, judged)
    assert 0 <= found <= 1
    assert highlight_average_precision(saliency * scale - 7, judged) == pytest.approx(found)
    if 4 in judged[0]:
        assert highlight_average_precision(np.equal(judged[0], 4), judged) == 1.0


# Boxes.


def test_overlaps_of_boxes_by_hand() -> None:
    whole, left = (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.5, 1.0)
    assert box_iou([whole, left], [left, (0.5, 0.0, 1.0, 1.0)]).tolist() == [0.5, 0.0]
    # A box turned inside out and a point overlap nothing, themselves included.
    for none in ((0.8, 0.8, 0.2, 0.2), (0.5, 0.5, 0.5, 0.5)):
        assert float(box_iou(none, whole)) == float(box_iou(none, none)) == 0.0


def test_generalised_overlaps_by_hand() -> None:
    # Two unit squares one apart: hull 3, union 2: 0 - 1/3. A point far off: union 1, hull 4: -3/4.
    assert float(box_giou((0, 0, 1, 1), (2, 0, 3, 1))) == pytest.approx(-1 / 3)
    assert float(box_giou((0, 0, 1, 1), (2, 2, 2, 2))) == pytest.approx(-3 / 4)
    assert float(box_giou((2, 2, 2, 2), (2, 2, 2, 2))) == -1.0


@settings(deadline=None)
@given(boxes, boxes)
def test_boxes_are_symmetric_and_the_generalised_overlap_is_no_larger(
    a: tuple[float, ...], b: tuple[float, ...]
) -> None:
    iou, giou = float(box_iou(a, b)), float(box_giou(a, b))
    assert float(box_iou(a, a)) == pytest.approx(1)
    assert (iou, giou) == pytest.approx((float(box_iou(b, a)), float(box_giou(b, a))))
    assert -1 <= giou <= iou + 1e-12 <= 1 + 2e-12
    # Overlap of 1 is for equal boxes alone.
    assume(max(abs(np.subtract(a, b))) > 1e-6)
    assert iou < 1


def test_boxes_agree_with_other_programs() -> None:
    a, b = box_pairs()
    # got10k and pycocotools give the same.
    assert box_iou(a, b) == pytest.approx(
        [
            *(0.311789720990, 0.007048858313, 0.453918039235, 0.400753205059, 0.319917286908, 0.420515806978),
            *(0.225071495158, 0.031260389200, 0.237354336407, 0.697469242126, 0.172927253031, 0.488769652762),
        ]
    )
    assert box_giou(a, b) == pytest.approx(
        [
            *(0.231304006528, -0.18482733143, 0.344084903503, 0.332366184483, 0.219229444732, 0.390138951808),
            *(0.087714762394, -0.14417875622, 0.171774763143, 0.691017787449, 0.009145931806, 0.449428153910),
        ]
    )


# Tracking.


def test_tracking_by_hand() -> None:
    # IoU 1 is above 20 of 21 thresholds, 0.52 above 0 to 0.5, which are 11, and 0 above none.
    assert success_auc([1.0, 0.52, 0.0]) == pytest.approx((20 + 11) / 63)
    truth = np.array([(0.0, 0.0, 0.2, 0.4), (0.0, 0.0, 0.0, 0.4)])
    moved = truth + np.array([0.03, 0.04, 0.03, 0.04])
    # 0.03 of 640 and 0.04 of 360 pixels; 0.03 of a width of 0.2 and 0.04 of a height of 0.4.
    assert centre_errors(moved, truth, 640, 360) == pytest.approx([np.hypot(19.2, 14.4)] * 2)
    assert normalised_centre_errors(moved, truth) == pytest.approx([np.hypot(0.15, 0.1), np.inf])
    assert precision_at([20.0, 20.1, np.inf, 0.0], 20) == 0.5


def test_tracking_agrees_with_got10k() -> None:
    a, b = box_pairs()
    assert success_auc(box_iou(a, b)) == pytest.approx(0.325396825397)
    assert centre_errors(a, b, 640, 360) == pytest.approx(
        [
            *(59.738335411507, 45.887034227574, 77.176402935755, 31.440245098042, 76.325752590507),
            *(64.133160109495, 71.977202926477, 57.372782638799, 113.61439527310, 13.055588226267),
            *(49.916885232607, 25.732474110054),
        ]
    )
    # Its formula, of a later state that has one (LaSOT's): errors of centres over sides of the true box.
    assert normalised_centre_errors(a, b) == pytest.approx(
        [
            *(0.378334911779, 1.004086070534, 0.320281884501, 0.379370191469, 0.467230321781, 0.424984620519),
            *(0.668856806223, 0.948145739156, 0.632628546538, 0.095895250942, 0.779238118794, 0.229024782908),
        ]
    )


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_success_plot_is_as_large_as_the_mean_overlap(overlaps: list[float]) -> None:
    # Each overlap is above ceil(20 x) of 21 thresholds: within a step of x itself.
    assert success_auc(overlaps) == pytest.approx(np.mean(overlaps), abs=0.05)
