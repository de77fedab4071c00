"""Toy bricks and phone screens: reproducible, ordered, and never twice the same picture."""

from collections.abc import Callable
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tpru.simulators import assembly, gui
from tpru.simulators.episode import Episode

SEEDS = range(60)
SIZE = 64
NEAR_DUPLICATE = 0.006
FAMILIES = {
    assembly: {"house", "tower", "vehicle", "letter", "bridge"},
    gui: {
        "add_contact",
        "change_settings",
        "set_alarm",
        "order_product",
        "send_message",
        "add_event",
        "write_list",
    },
}
both = pytest.mark.parametrize("make", [assembly.episode, gui.episode], ids=["assembly", "gui"])
Make = Callable[[int, int], Episode]


@cache
def _episodes(make: Make) -> list[Episode]:
    return [make(seed, SIZE) for seed in SEEDS]


def _thumbnails(frames: tuple[Image.Image, ...]) -> NDArray[np.int16]:
    cells = [np.asarray(frame.resize((32, 32), Image.Resampling.BOX)) for frame in frames]
    return np.stack(cells).astype(np.int16)


def _changed(first: NDArray[np.int16], second: NDArray[np.int16]) -> float:
    return float((np.abs(first - second).max(axis=-1) > 16).mean())


@both
@pytest.mark.parametrize("size", [112, 224])
def test_same_seed_gives_same_bytes(make: Make, size: int) -> None:
    for seed in (0, 5, 9):
        first, second = make(seed, size), make(seed, size)
        assert first.goal == second.goal
        assert first.steps == second.steps
        assert [f.tobytes() for f in first.frames] == [f.tobytes() for f in second.frames]


@both
@pytest.mark.parametrize("size", [56, 112, 224])
def test_frames_are_square_rgb_pictures(make: Make, size: int) -> None:
    for frame in make(3, size).frames:
        assert frame.size == (size, size)
        assert frame.mode == "RGB"


@both
def test_words_fit_the_frames(make: Make) -> None:
    for episode in _episodes(make):
        assert 8 <= len(episode.frames) == len(episode.steps) <= 12
        assert len(set(episode.steps)) == len(episode.steps)
        texts = (episode.goal, *episode.steps)
        assert all(text and text[-1] not in ".?" and "{" not in text for text in texts)


@both
def test_no_two_frames_of_an_episode_look_alike(make: Make) -> None:
    for seed, episode in zip(SEEDS, _episodes(make), strict=True):
        for first, second in combinations(_thumbnails(episode.frames), 2):
            assert _changed(first, second) > NEAR_DUPLICATE, (seed, episode.family)


@both
def test_episodes_of_different_seeds_differ_everywhere(make: Make) -> None:
    thumbnails = [_thumbnails(episode.frames) for episode in _episodes(make)[:25]]
    for first, second in combinations(thumbnails, 2):
        closest = min(_changed(a, b) for a in first for b in second)
        assert closest > NEAR_DUPLICATE


@pytest.mark.parametrize("module", [assembly, gui], ids=["assembly", "gui"])
def test_every_family_is_reached(module: object) -> None:
    make = assembly.episode if module is assembly else gui.episode
    assert {episode.family for episode in _episodes(make)} == FAMILIES[module]


def _overlap(first: assembly.Brick, second: assembly.Brick) -> bool:
    across = first.x < second.x + second.w and second.x < first.x + first.w
    return across and first.y < second.y + second.d and second.y < first.y + first.d


def test_every_brick_rests_on_the_plate_or_on_an_earlier_brick() -> None:
    for seed in range(300):
        placed: list[assembly.Brick] = []
        for step in assembly.build_plan(seed).steps:
            for brick in sorted(step.bricks, key=lambda b: b.z):
                below = (b for b in placed if b.z + b.h == brick.z and _overlap(b, brick))
                assert brick.z == 0 or any(below), (seed, step.clause)
                placed.append(brick)


def test_no_two_bricks_share_space() -> None:
    for seed in range(300):
        bricks = [brick for step in assembly.build_plan(seed).steps for brick in step.bricks]
        for a, b in combinations(bricks, 2):
            apart = a.z >= b.z + b.h or b.z >= a.z + a.h
            assert apart or not _overlap(a, b), (seed, a, b)


def test_colours_of_the_clause_are_the_colours_of_the_bricks() -> None:
    for seed in range(100):
        plan = assembly.build_plan(seed)
        assert plan.plate not in {b.colour for step in plan.steps for b in step.bricks}
        for step in plan.steps:
            assert any(brick.colour in step.clause for brick in step.bricks), step.clause
