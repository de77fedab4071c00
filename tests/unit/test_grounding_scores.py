"""From dense items and predictions to rows and comparisons: by hand, and what must hold of any."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.grounding_builders import (
    mask_item,
    masked,
    moment_item,
    moments,
    perfect,
    region_item,
    regions,
    unassigned,
)
from tpru.errors import UpstreamError
from tpru.evaluation.statistics import clustered_mean_interval, wilson_interval
from tpru.grounding.masks import encode
from tpru.grounding.measures import measure
from tpru.grounding.records import GroundingItem, GroundingPrediction, Region
from tpru.grounding.scores import METRICS, GroundingRow, compare_grounding, main_score, score_grounding

LEFT, RIGHT, WHOLE = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)
QUARTER = (0.0, 0.0, 0.25, 1.0)


def table(rows: list[GroundingRow]) -> dict[tuple[str, str, str, str], GroundingRow]:
    return {(r.dataset, r.task, r.level, r.metric): r for r in rows}


# One item.


def test_a_moment_by_hand() -> None:
    # The first overlaps by 2 of 4 seconds; the second is the truth.
    item = moment_item("a", (2.0, 6.0))
    found = measure(item, moments("a", (4.0, 6.0), (2.0, 6.0)))
    assert found["mIoU"] == [0.5]
    assert (found["R1@0.3"], found["R1@0.5"], found["R1@0.7"]) == ([1.0], [1.0], [0.0])
    # At 0.5 the first takes the moment: 1; above it is wrong, the second right: 1/2.
    assert (found["mAP@0.5"], found["mAP@0.75"]) == ([1.0], [0.5])
    assert found["mAP"] == pytest.approx([(1 + 9 * 0.5) / 10])
    assert "HIT@1" not in found


def test_saliency_of_frames_is_read_at_the_middle_of_the_judged_stretches() -> None:
    # Eight stretches of a second over four frames of two: middles 0.5, 1.5 .. of frames centred at 1, 3, 5, 7.
    judged = ((0.0, 0.0, 0.0, 0.0, 0.0, 4.0, -1.0, 0.0),)
    item = moment_item("a", (5.0, 6.0), saliency=judged, clip_s=1.0)
    # The third frame is highest: of its two stretches the second, towards the fourth frame (0.8), is highest.
    found = measure(item, moments("a", (5.0, 6.0), saliency=(0.0, 0.1, 1.0, 0.8)))
    assert found["HIT@1"] == [1.0]
    assert found["HL-mAP"] == [1.0]
    assert measure(item, moments("a", (5.0, 6.0)))["HIT@1"] == [0.0]
    with pytest.raises(UpstreamError, match="2 values of saliency for 4 frames"):
        measure(item, moments("a", saliency=(0.1, 0.2)))


def test_a_region_by_hand() -> None:
    item = region_item("a", LEFT)
    assert measure(item, regions("a", Region(0, WHOLE))) == {"Acc@0.5": [1.0], "mIoU": [0.5]}
    assert measure(item, regions("a", Region(0, QUARTER)))["Acc@0.5"] == [1.0]
    assert measure(item, regions("a"))["mIoU"] == [0.0]
    # Another frame was not asked for.
    assert measure(item, regions("a", Region(1, LEFT)))["mIoU"] == [0.0]


def test_masks_by_hand() -> None:
    # Right, half of it, absent and said to be absent, absent and said to be there.
    item = mask_item("a", LEFT, LEFT, (), ())
    said = (masked(0, LEFT), masked(1, QUARTER), Region(2, ()), masked(3, LEFT))
    found = measure(item, regions("a", *said))
    assert found["J"] == [(1 + 0.5 + 1 + 0) / 4]
    # Contours: 10 x 1 pixels each, in columns 9 and 4 of 20, further apart than the tolerance of one pixel.
    assert found["F"] == [(1 + 0 + 1 + 0) / 4]
    assert found["J&F"] == [(found["J"][0] + found["F"][0]) / 2]
    assert "AO" not in found


def test_a_box_without_a_mask_stands_for_its_area() -> None:
    item = mask_item("a", LEFT)
    assert measure(item, regions("a", Region(0, LEFT)))["J"] == [1.0]
    assert measure(item, regions("a"))["J"] == [0.0]


def test_what_is_pointed_at_is_tracked_from_the_second_frame_on() -> None:
    item = mask_item("a", LEFT, LEFT, (), WHOLE, start=LEFT)
    # The first frame is wrong, which does not count; the third is not seen.
    said = (masked(0, RIGHT), masked(1, LEFT), masked(2, RIGHT), Region(3, LEFT))
    found = measure(item, regions("a", *said))
    assert found["AO"] == [1.0, 0.5]
    # More than 0.5 is asked for.
    assert (found["SR@0.5"], found["SR@0.75"]) == ([1.0, 0.0], [1.0, 0.0])
    assert found["success"] == pytest.approx([(20 + 10) / 42])
    # Centres 0.25 of the width apart: 5 of 20 pixels, 0.25 of the true box.
    assert (found["precision@20px"], found["precision@0.2"]) == ([1.0], [0.5])
    assert found["J"] == [(1 + 0 + 0.5) / 3]
    large = dataclasses.replace(item, size=(200, 100))
    assert measure(large, regions("a", *said))["precision@20px"] == [0.5]
    # A mask without its box is tracked as well; without an answer there is no centre.
    bare = [dataclasses.replace(r, box=()) for r in said]
    assert measure(item, regions("a", *bare[:3]))["AO"] == [1.0, 0.0]
    assert measure(item, regions("a"))["precision@20px"] == [0.0]


def test_one_frame_counts_though_it_is_the_first() -> None:
    found = measure(mask_item("a", LEFT, start=LEFT), regions("a", masked(0, LEFT)))
    assert found["J"] == found["AO"] == [1.0]


def test_clips_with_boxes_alone_are_tracked() -> None:
    item = dataclasses.replace(mask_item("a"), regions=(Region(0, LEFT), Region(1, LEFT)))
    found = measure(item, regions("a", Region(0, LEFT), Region(1, WHOLE)))
    assert found["AO"] == [1.0, 0.5]
    assert "J&F" not in found
    # Pixels of what, nobody said.
    assert "precision@20px" not in found
    assert main_score(item, regions("a", Region(0, LEFT), Region(1, WHOLE))) == 0.75


def test_what_cannot_be_compared_is_refused() -> None:
    item = mask_item("a", LEFT)
    small = Region(0, LEFT, encode(np.ones((5, 5), np.bool_)))
    with pytest.raises(UpstreamError, match=r"frame 0 of a has 5 x 5 pixels, expected 20 x 10"):
        measure(item, regions("a", small))
    with pytest.raises(UpstreamError, match=r"of m for a holds a number that is not finite"):
        measure(item, regions("a", Region(0, (math.nan, 0.0, 1.0, 1.0))))
    for empty in (moment_item("a"), region_item("a", ()), mask_item("a", ())):
        with pytest.raises(UpstreamError, match="holds nothing to compare with"):
            measure(empty, regions("a"))


# Many.


def mixed() -> list[GroundingItem]:
    judged = ((0.0, 0.0, 4.0, 4.0),)
    return [
        moment_item("t1", (2.0, 6.0), level="L1"),
        moment_item("t2", (2.0, 6.0), (7.0, 8.0), level="L2", saliency=judged, clip_s=2.0),
        region_item("r1", LEFT),
        region_item("r2", LEFT, dataset="lego"),
        mask_item("m1", LEFT, LEFT),
        mask_item("m2", LEFT, RIGHT, (), start=LEFT),
    ]


def test_the_truth_has_all_and_nobody_who_missed_the_task() -> None:
    items = mixed()
    right = score_grounding(items, [perfect(i) for i in items], "m")
    # Nothing is above an overlap of 1.
    assert {r.value for r in right if r.metric != "success"} == {1.0}
    success = [r.value for r in right if r.metric == "success"]
    assert success == pytest.approx([20 / 21] * len(success))
    assert {r.assigned for r in right} == {1.0}
    assert {r.metric for r in right} == {m for metrics in METRICS.values() for m in metrics}
    missed = score_grounding(items, [unassigned(i) for i in items], "m")
    assert [(r.dataset, r.metric) for r in missed] == [(r.dataset, r.metric) for r in right]
    assert {(r.value, r.assigned) for r in missed} == {(0.0, 0.0)}
    # A frame in which nothing is seen, too.
    assert measure(items[-1], unassigned(items[-1]))["J"] == [0.0]


def test_rows_by_hand() -> None:
    items = [
        region_item("1", LEFT, group="x"),
        region_item("2", LEFT, group="x"),
        region_item("3", LEFT, group="y", level="L3"),
        region_item("4", LEFT, group="x", dataset="lego"),
    ]
    said = [regions(i, Region(0, box)) for i, box in (("1", LEFT), ("2", WHOLE), ("3", RIGHT))]
    rows = table(score_grounding(items, [*said, unassigned(items[3])], "m"))
    mean = rows["blocks", "region", "all", "mIoU"]
    assert (mean.value, mean.n, mean.assigned, mean.model) == (0.5, 3, 1.0, "m")
    expected = clustered_mean_interval([1.0, 0.5, 0.0], ["x", "x", "y"])
    assert (mean.low, mean.high) == (expected.low, expected.high)
    assert rows["blocks", "region", "all", "Acc@0.5"].value == pytest.approx(2 / 3)
    only = rows["blocks", "region", "L3", "Acc@0.5"]
    assert (only.value, only.n, only.high) == (0.0, 1, wilson_interval(0, 1).high)
    lego = rows["lego", "region", "all", "mIoU"]
    assert (lego.value, lego.assigned) == (0.0, 0.0)
    both = rows["all", "region", "all", "mIoU"]
    assert (both.value, both.n, both.assigned) == (1.5 / 4, 4, 0.75)
    # Groups of the same name in two datasets are two: four items in three clusters.
    expected = clustered_mean_interval([1.0, 0.5, 0.0, 0.0], ["ax", "ax", "ay", "bx"])
    assert (both.low, both.high) == (expected.low, expected.high)
    assert ("blocks", "region", "L1", "mIoU") not in rows
    some = table(score_grounding(items, [*said, unassigned(items[3])], "m", pooled={"blocks"}))
    assert some["all", "region", "all", "mIoU"].n == 3
    assert some["lego", "region", "all", "mIoU"].n == 1


def test_frames_of_all_clips_count_alike_in_ao_and_clips_in_success() -> None:
    items = [mask_item("1", *[LEFT] * 4, start=LEFT), mask_item("2", LEFT, LEFT, start=LEFT)]
    said = [regions("1", *(masked(k, LEFT) for k in range(4))), regions("2", masked(1, RIGHT))]
    rows = table(score_grounding(items, said, "m"))
    ao, success = (rows["blocks", "mask", "all", metric] for metric in ("AO", "success"))
    assert (ao.value, ao.n) == (3 / 4, 2)
    assert success.value == pytest.approx(20 / 21 / 2)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a"], r"1 items without a prediction \['b'\]"),
        (["a", "b", "c"], r"1 predictions of other items \['c'\]"),
        (["a", "b", "b"], r"1 ids that occur twice \['b'\]"),
    ],
)
def test_items_and_predictions_have_to_match(ids: list[str], message: str) -> None:
    items = [region_item("a", LEFT), region_item("b", LEFT)]
    said = [regions(i, Region(0, LEFT)) for i in ids]
    with pytest.raises(UpstreamError, match=message):
        score_grounding(items, said, "m")
    with pytest.raises(UpstreamError, match=message):
        compare_grounding(items, [perfect(i) for i in items], said)


edges = st.tuples(st.integers(0, 7), st.integers(1, 8)).map(lambda s: (s[0] / 8, min(1.0, (s[0] + s[1]) / 8)))
boxes = st.tuples(edges, edges).map(lambda s: (s[0][0], s[1][0], s[0][1], s[1][1]))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(boxes, boxes, st.sampled_from("xyz")), min_size=1, max_size=6))
def test_rows_hold_their_value_in_their_interval(
    drawn: list[tuple[tuple[float, ...], tuple[float, ...], str]],
) -> None:
    items: list[GroundingItem] = []
    said: list[GroundingPrediction] = []
    for k, (truth, found, group) in enumerate(drawn):
        items += [region_item(f"r{k}", truth, group=group), mask_item(f"m{k}", truth, truth, group=group)]
        said += [
            regions(f"r{k}", Region(0, found)),
            regions(f"m{k}", masked(0, found), masked(1, truth)),
        ]
    for row in score_grounding(items, said, "m"):
        assert 0 <= row.low <= row.value + 1e-12 <= row.high + 2e-12 <= 1 + 3e-12


# Two models.


def test_a_comparison_by_hand() -> None:
    items = [region_item(str(k), LEFT, group=str(k // 2)) for k in range(6)]
    a = [regions(i.item_id, Region(0, LEFT)) for i in items]
    b = [regions(i.item_id, Region(0, WHOLE if k < 5 else LEFT)) for k, i in enumerate(items)]
    pooled, made = compare_grounding(items, a, b)
    assert dataclasses.replace(pooled, dataset="blocks") == made
    assert (made.dataset, made.task, made.n) == ("blocks", "region", 6)
    assert (made.mean_a, made.mean_b) == pytest.approx((1.0, 3.5 / 6))
    assert made.difference == pytest.approx(2.5 / 6)
    # Three groups, all in favour of A: two of eight flips are as far off.
    assert made.p_value == 0.25
    expected = clustered_mean_interval([0.5] * 5 + [0.0], list("001122"), 0.95, 10_000, 0, (-1.0, 1.0))
    assert (made.low, made.high) == (expected.low, expected.high)
    turned = compare_grounding(items, b, a)[1]
    assert (turned.difference, turned.p_value) == pytest.approx((-made.difference, made.p_value))


def test_equal_models_are_not_different_but_not_proven_equal() -> None:
    items = mixed()
    said = [perfect(i) for i in items]
    for made in compare_grounding(items, said, said):
        assert (made.difference, made.p_value) == (0.0, 1.0)
        assert made.low < -0.2
        assert made.high > 0.2


def test_the_main_scores() -> None:
    assert main_score(moment_item("a", (2.0, 6.0)), moments("a", (4.0, 6.0))) == 0.5
    assert main_score(region_item("a", LEFT), regions("a", Region(0, WHOLE))) == 0.5
    # J 1/2 and F 0 of the mask above.
    assert main_score(mask_item("a", LEFT), regions("a", masked(0, QUARTER))) == 0.25
    assert main_score(mask_item("a", LEFT), unassigned(mask_item("a", LEFT))) == 0.0
