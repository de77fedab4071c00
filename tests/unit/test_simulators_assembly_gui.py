"""Toy bricks and phone screens: reproducible, ordered, and never twice the same picture."""

from collections.abc import Callable
from itertools import combinations, product

import pytest

from tpru.simulators import assembly, gui
from tpru.simulators.assembly.bricks import Brick, build_plan
from tpru.simulators.episode import Episode
from tpru.trajectories.signature import Signature, change, signature

SEEDS = range(40)
SIZE = 64
NEAR_DUPLICATE = 0.006
FAMILIES = {
    assembly.episode: {"house", "tower", "vehicle", "letter", "bridge"},
    gui.episode: {
        "add_contact",
        "change_settings",
        "set_alarm",
        "order_product",
        "send_message",
        "add_event",
        "write_list",
    },
}
Make = Callable[[int, int], Episode]


@pytest.fixture(scope="module", params=list(FAMILIES), ids=["assembly", "gui"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


@pytest.fixture(scope="module")
def episodes(make: Make) -> list[Episode]:
    return [make(seed, SIZE) for seed in SEEDS]


@pytest.fixture(scope="module")
def signatures(episodes: list[Episode]) -> list[list[Signature]]:
    return [[signature(frame) for frame in episode.frames] for episode in episodes]


def assert_same(first: Episode, second: Episode) -> None:
    assert (first.goal, first.steps) == (second.goal, second.steps)
    assert [f.tobytes() for f in first.frames] == [f.tobytes() for f in second.frames]


def test_same_seed_gives_same_bytes(make: Make, episodes: list[Episode]) -> None:
    for seed in (0, 5, 9):
        assert_same(make(seed, SIZE), episodes[seed])
    assert_same(make(3, 224), make(3, 224))


@pytest.mark.parametrize("size", [56, 112, 224])
def test_frames_are_square_rgb_pictures(make: Make, size: int) -> None:
    for frame in make(3, size).frames:
        assert frame.size == (size, size)
        assert frame.mode == "RGB"


def test_words_fit_the_frames(episodes: list[Episode]) -> None:
    for episode in episodes:
        assert 8 <= len(episode.frames) == len(episode.steps) <= 12
        assert len(set(episode.steps)) == len(episode.steps)
        texts = (episode.goal, *episode.steps)
        assert all(text and text[-1] not in ".?" and "{" not in text for text in texts)


def test_no_two_frames_of_an_episode_look_alike(signatures: list[list[Signature]]) -> None:
    for seed, own in zip(SEEDS, signatures, strict=True):
        assert min(change(a, b) for a, b in combinations(own, 2)) > NEAR_DUPLICATE, seed


def test_episodes_of_different_seeds_differ_everywhere(signatures: list[list[Signature]]) -> None:
    for first, second in combinations(signatures[:15], 2):
        assert min(change(a, b) for a, b in product(first, second)) > NEAR_DUPLICATE


def test_every_family_is_reached(make: Make, episodes: list[Episode]) -> None:
    assert {episode.family for episode in episodes} == FAMILIES[make]


def _overlap(first: Brick, second: Brick) -> bool:
    across = first.x < second.x + second.w and second.x < first.x + first.w
    return across and first.y < second.y + second.d and second.y < first.y + first.d


def test_every_brick_rests_on_the_plate_or_on_an_earlier_brick() -> None:
    for seed in range(300):
        placed: list[Brick] = []
        for step in build_plan(seed).steps:
            for brick in sorted(step.bricks, key=lambda b: b.z):
                below = (b for b in placed if b.z + b.h == brick.z and _overlap(b, brick))
                assert brick.z == 0 or any(below), (seed, step.clause)
                placed.append(brick)


def test_no_two_bricks_share_space() -> None:
    for seed in range(300):
        bricks = [brick for step in build_plan(seed).steps for brick in step.bricks]
        for a, b in combinations(bricks, 2):
            apart = a.z >= b.z + b.h or b.z >= a.z + a.h
            assert apart or not _overlap(a, b), (seed, a, b)


def test_colours_of_the_clause_are_the_colours_of_the_bricks() -> None:
    for seed in range(100):
        plan = build_plan(seed)
        assert plan.plate not in {b.colour for step in plan.steps for b in step.bricks}
        for step in plan.steps:
            assert any(brick.colour in step.clause for brick in step.bricks), step.clause
