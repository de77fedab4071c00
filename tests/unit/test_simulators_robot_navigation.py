"""The robot and the navigation simulator: what every episode promises."""

import hashlib
import itertools
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tpru.simulators import navigation, robot
from tpru.simulators.episode import Episode
from tpru.simulators.navigation.walks import plan
from tpru.simulators.robot.tasks import EDGE
from tpru.simulators.robot.world import pb
from tpru.trajectories.signature import Signature, change, signature

SIZE = 64
MAKERS: dict[str, Callable[[int, int], Episode]] = {
    "robot": robot.episode,
    "navigation": navigation.episode,
}


@pytest.fixture(scope="module")
def films() -> list[tuple[Episode, robot.Outcome]]:
    """One robot episode of every family."""
    return [robot.film(seed, SIZE) for seed in range(len(robot.FAMILIES))]


@pytest.fixture(scope="module")
def walks() -> list[Episode]:
    return [navigation.episode(seed, SIZE) for seed in range(12)]


@pytest.fixture(scope="module")
def every(films: list[tuple[Episode, robot.Outcome]], walks: list[Episode]) -> list[Episode]:
    return [episode for episode, _ in films] + walks


@pytest.fixture(scope="module")
def signatures(every: list[Episode]) -> list[list[Signature]]:
    return [[signature(frame) for frame in episode.frames] for episode in every]


def digest(episode: Episode) -> str:
    pixels = b"".join(frame.tobytes() for frame in episode.frames)
    words = "|".join((episode.goal, episode.family, *episode.steps))
    return hashlib.sha256(pixels + words.encode()).hexdigest()


def test_frames_and_steps_fit_together(every: list[Episode]) -> None:
    for episode in every:
        assert 8 <= len(episode.frames) <= 12
        assert len(episode.steps) == len(episode.frames)
        assert len(set(episode.steps)) == len(episode.steps)
        assert all(f.size == (SIZE, SIZE) and f.mode == "RGB" for f in episode.frames)
        assert not any(text.endswith(".") for text in (episode.goal, *episode.steps))


def test_no_two_frames_of_an_episode_look_alike(
    every: list[Episode], signatures: list[list[Signature]]
) -> None:
    for episode, own in zip(every, signatures, strict=True):
        assert min(change(a, b) for a, b in itertools.combinations(own, 2)) > 0.006, episode.goal


def test_no_frame_of_one_episode_looks_like_one_of_another(
    signatures: list[list[Signature]],
) -> None:
    for one, other in itertools.combinations(signatures, 2):
        assert min(change(a, b) for a, b in itertools.product(one, other)) > 0.05


def test_all_families_are_reached(films: list[tuple[Episode, robot.Outcome]], walks: list[Episode]) -> None:
    assert {episode.family for episode, _ in films} == set(robot.FAMILIES)
    assert {episode.family for episode in walks} == set(navigation.FAMILIES)


@pytest.mark.parametrize("name", list(MAKERS))
def test_a_new_process_draws_the_same_bytes_and_prints_nothing(
    name: str, films: list[tuple[Episode, robot.Outcome]], walks: list[Episode]
) -> None:
    here = {"robot": films[3][0], "navigation": walks[3]}[name]  # drawn after other episodes
    code = f"import {Path(__file__).stem} as t; print(t.digest(t.MAKERS[{name!r}](3, {SIZE})))"
    paths = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (result.stdout.strip(), result.stderr) == (digest(here), "")


def test_the_robot_brings_every_thing_to_its_place(
    films: list[tuple[Episode, robot.Outcome]],
) -> None:
    for episode, outcome in films:
        assert outcome.error() <= robot.TOLERANCE, episode.goal
        if episode.family == "stack":
            heights = sorted(z for _, _, z in outcome.reached)
            rises = np.diff(heights)
            assert rises == pytest.approx(np.full(len(rises), EDGE), abs=0.004)


def test_a_missed_goal_is_tried_again_and_then_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robot, "TOLERANCE", -1.0)
    monkeypatch.setattr(robot, "ATTEMPTS", 2)
    with pytest.raises(RuntimeError, match="failed 2 times"):
        robot.film(6, 16)


def test_the_robot_leaves_no_physics_server_behind() -> None:
    robot.episode(6, 16)
    assert not any(pb.isConnected(client) for client in range(4))


@pytest.mark.parametrize("seed", range(12))
def test_the_walker_ends_in_front_of_its_target(seed: int) -> None:
    family = navigation.FAMILIES[seed % len(navigation.FAMILIES)]
    walk = plan(np.random.default_rng([seed, 0]), family)
    last, (x, y) = walk.views[-1], walk.target.at
    assert 1.6 < math.dist(last.at, (x, y)) < 2.2
    bearing = math.atan2(y - last.at[1], x - last.at[0])
    assert abs(math.remainder(bearing - last.heading, math.tau)) < 0.3
    assert last.opened == len(walk.route)
    assert walk.target.name in walk.goal
    places = [(view.at, view.heading, view.opened) for view in walk.views]
    assert len(set(places)) == len(places)
