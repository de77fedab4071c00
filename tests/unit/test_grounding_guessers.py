"""Guessers of dense items on planted regularities, and against a search over all answers."""

import dataclasses
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.grounding_builders import SIZE, mask_item, masked, moment_item, region_item
from tpru.grounding.guess_shapes import (
    CELLS,
    MOST_FIT,
    at_size,
    best_box,
    best_mask,
    best_windows,
    fit,
    in_cells,
)
from tpru.grounding.guessers import (
    GUESS_CONSTANT,
    GUESS_STAY,
    GUESS_WORDS,
    GUESSERS,
    constant,
    stay,
    text_only,
)
from tpru.grounding.masks import decode, fill_box
from tpru.grounding.metrics import box_iou, temporal_iou
from tpru.grounding.records import GroundingItem, Region
from tpru.grounding.scores import main_score, score_grounding

LEFT, RIGHT, WHOLE = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)
places = st.integers(0, 20)
sides = st.tuples(places, places).filter(lambda s: s[0] < s[1])
boxes = st.tuples(sides, sides).map(lambda s: tuple(k / 20 for k in (s[0][0], s[1][0], s[0][1], s[1][1])))


# Shapes.


def test_the_best_window_is_the_common_one() -> None:
    # Of clips of 8 seconds: 2 to 6 twice, 0 to 2 once.
    items = [moment_item(str(k), m) for k, m in enumerate([(2.0, 6.0), (2.0, 6.0), (0.0, 2.0)])]
    windows = best_windows(items)
    assert (windows[0].start, windows[0].end, windows[0].score) == pytest.approx((0.25, 0.75, 2 / 3))
    assert len(windows) == 10
    assert [w.score for w in windows] == sorted((w.score for w in windows), reverse=True)
    # Each is another one.
    ends = [(w.start, w.end) for w in windows]
    assert (temporal_iou(ends, ends) - np.eye(10)).max() <= 0.5


@settings(max_examples=20, deadline=None)
@given(st.lists(sides, min_size=1, max_size=5))
def test_no_window_of_the_grid_is_better(drawn: list[tuple[int, int]]) -> None:
    items = [moment_item(str(k), (8 * a / 20, 8 * b / 20)) for k, (a, b) in enumerate(drawn)]
    truth = [(a / 20, b / 20) for a, b in drawn]
    every = [(a / 20, b / 20) for a, b in product(range(21), range(21)) if a < b]
    assert best_windows(items)[0].score == pytest.approx(temporal_iou(every, truth).mean(axis=1).max())


def test_the_best_box_of_one_is_itself() -> None:
    assert best_box(np.array([(0.13, 0.27, 0.55, 0.81)])) == pytest.approx((0.13, 0.27, 0.55, 0.81))


@settings(max_examples=20, deadline=None)
@given(st.lists(boxes, min_size=1, max_size=6), boxes)
def test_no_moved_or_coarse_box_is_better(drawn: list[tuple[float, ...]], other: tuple[float, ...]) -> None:
    truth = np.array(drawn)
    best = np.array(best_box(truth))
    value = box_iou(best, truth).mean()
    for move in 0.01 * np.concatenate([np.eye(4), -np.eye(4)]):
        assert box_iou(np.clip(best + move, 0, 1), truth).mean() <= value + 1e-9
    assert box_iou(np.round(other, 1), truth).mean() <= value + 1e-9


def test_the_best_mask_is_what_most_of_them_have() -> None:
    # A disk, three times, and once a corner: no filled box fits as well.
    y, x = np.mgrid[:CELLS, :CELLS]
    disk, corner = np.hypot(y - 16, x - 16) < 9, (y < 4) & (x < 4)
    assert np.array_equal(best_mask(np.array([disk, disk, disk, corner]), (0.2, 0.2, 0.8, 0.8)), disk)
    # Where no two masks share a cell, the box that most resemble is better than every share of them.
    stripes = [(x >= 8 * k) & (x < 8 * k + 8) for k in range(4)]
    assert np.array_equal(best_mask(np.array(stripes), WHOLE), np.ones((CELLS, CELLS), np.bool_))


@settings(deadline=None)
@given(boxes)
def test_masks_keep_their_place_on_the_grid(box: tuple[float, ...]) -> None:
    mask = fill_box(box, 80, 60)
    back = at_size(in_cells(mask), 80, 60)
    assert back.any()
    # A thing of a cell or more is where it was.
    assert (mask & back).sum() / (mask | back).sum() > 0.4


def test_small_things_do_not_vanish() -> None:
    speck = np.zeros((480, 640), np.bool_)
    speck[100:104, 300:304] = True
    assert in_cells(speck).sum() == 1


def test_more_items_than_are_looked_at_do_not_depend_on_their_order() -> None:
    rng = np.random.default_rng(0)
    items = [moment_item(str(k), (float(a), float(a) + 2)) for k, a in enumerate(rng.uniform(0, 6, 2050))]
    assert len(items) > MOST_FIT
    assert fit(items) == fit(items[::-1])


# Guessers.


def test_the_constant_is_that_of_the_task_and_dataset() -> None:
    known = [
        region_item("1", LEFT),
        region_item("2", RIGHT, dataset="lego"),
        region_item("3", RIGHT, dataset="lego"),
        moment_item("4", (0.0, 4.0)),
        mask_item("5", RIGHT, RIGHT),
    ]
    asked = [
        region_item("a", WHOLE),
        region_item("b", WHOLE, dataset="lego"),
        region_item("c", WHOLE, dataset="unknown"),
        moment_item("d", (0.0, 2.0), times=(0.0, 1.0, 2.0, 3.0), duration=4.0),
        mask_item("e", LEFT, LEFT, ()),
    ]
    a, b, c, d, e = constant(known, asked)
    assert [p.regions[0].box for p in (a, b, c)] == [LEFT, RIGHT, RIGHT]
    assert (a.item_id, a.model, a.assigned) == ("a", GUESS_CONSTANT, True)
    assert (d.moments[0].start_s, d.moments[0].end_s, d.saliency) == (0.0, 2.0, (1.0, 1.0, 0.0, 0.0))
    assert [r.frame for r in e.regions] == [0, 1, 2]
    for region in e.regions:
        assert region.box == RIGHT
        assert np.array_equal(decode(region.mask), fill_box(RIGHT, *SIZE))


def test_a_task_without_training_is_unassigned_and_scored_0() -> None:
    item = moment_item("a", (0.0, 2.0))
    for guess in GUESSERS.values():
        said = guess([region_item("1", LEFT)], [item])
        assert not said[0].assigned
        assert {row.value for row in score_grounding([item], said, "m")} == {0.0}


def test_clips_with_boxes_alone_get_boxes() -> None:
    plain = (Region(0, LEFT), Region(1, LEFT))
    known = [dataclasses.replace(mask_item("1"), regions=plain)]
    asked = [dataclasses.replace(mask_item("a"), regions=plain, start=LEFT, size=(640, 480))]
    for guess in GUESSERS.values():
        assert guess(known, asked)[0].regions == plain
    # Who learned from boxes fills them where masks are asked for.
    assert constant(known, [mask_item("b", RIGHT)])[0].regions == (masked(0, LEFT),)


def test_words_tell_where_the_constant_does_not() -> None:
    rng = np.random.default_rng(3)
    where = {"red": (0.0, 0.0, 0.3, 0.3), "green": (0.5, 0.1, 0.9, 0.4), "blue": (0.2, 0.6, 0.6, 1.0)}
    things = ("cube", "ball", "cone", "ring")

    def items(name: str, n: int) -> list[GroundingItem]:
        drawn = [(list(where)[rng.integers(3)], things[rng.integers(4)]) for _ in range(n)]
        return [region_item(f"{name}{k}", where[c], query=f"the {c} {t}") for k, (c, t) in enumerate(drawn)]

    known, asked = items("k", 60), items("a", 30)
    by_words = np.mean([main_score(i, p) for i, p in zip(asked, text_only(known, asked), strict=True)])
    blind = np.mean([main_score(i, p) for i, p in zip(asked, constant(known, asked), strict=True)])
    assert by_words == pytest.approx(1.0)
    assert blind < 0.5


def test_words_fall_back_to_shared_ones_and_then_to_the_constant() -> None:
    known = [
        region_item("1", LEFT, query="the red cube"),
        *(region_item(f"2{k}", RIGHT, query=f"the blue ball {k}") for k in range(3)),
    ]
    asked = [
        region_item("same", WHOLE, query="The red cube."),
        region_item("near", WHOLE, query="a cube"),
        region_item("none", WHOLE, query="the window"),
        region_item("other", WHOLE, query="a red brick", dataset="unknown"),
    ]
    said = {p.item_id: p for p in text_only(known, asked)}
    assert {p.model for p in said.values()} == {GUESS_WORDS}
    found = {name: p.regions[0].box for name, p in said.items()}
    # "the" is in every query and says nothing.
    assert found == {"same": LEFT, "near": LEFT, "none": RIGHT, "other": LEFT}
    assert constant(known, asked)[2].regions[0].box == RIGHT


def test_what_is_pointed_at_stays_there() -> None:
    known = [mask_item("1", LEFT, LEFT)]
    pointed, named = mask_item("a", RIGHT, RIGHT, start=RIGHT), mask_item("b", RIGHT, RIGHT)
    first, second = stay(known, [pointed, named])
    assert [r.box for r in first.regions] == [RIGHT, RIGHT]
    assert first.regions[1] == masked(1, RIGHT)
    assert main_score(pointed, first) == 1.0
    assert (first.model, second.model) == (GUESS_STAY, GUESS_STAY)
    assert [r.box for r in second.regions] == [LEFT, LEFT]


def test_guessers_do_not_look_at_the_answers_of_what_they_are_asked() -> None:
    known = [moment_item("1", (0.0, 4.0)), region_item("2", LEFT), mask_item("3", LEFT, LEFT)]
    truth = [moment_item("a", (4.0, 8.0)), region_item("b", RIGHT), mask_item("c", RIGHT, WHOLE)]
    other = [moment_item("a", (1.0, 2.0)), region_item("b", WHOLE), mask_item("c", LEFT, RIGHT)]
    for guess in GUESSERS.values():
        assert guess(known, truth) == guess(known, other)
