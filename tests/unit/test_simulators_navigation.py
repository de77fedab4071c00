"""The navigation simulator: what every walk promises."""

import hashlib
import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tpru.simulators import navigation
from tpru.simulators.episode import Episode, Look
from tpru.simulators.navigation.families import plan
from tpru.simulators.navigation.styles import RANGES
from tpru.simulators.navigation.walk import DISTANCES
from tpru.trajectories.signature import change, signature

SIZE = 112
FAMILIES = navigation.SEEN + navigation.UNSEEN
LOOKS: tuple[Look, ...] = ("seen", "unseen")
CASES = [(family, look) for family in FAMILIES for look in LOOKS]
SEEDS = range(2)


@pytest.fixture(scope="module")
def walks() -> list[Episode]:
    return [navigation.episode(seed, SIZE, family, look) for family, look in CASES for seed in SEEDS]


def digest(episode: Episode) -> str:
    pictures = [*episode.frames, *(other.frame for other in episode.alternatives)]
    labels = [state.labels.tobytes() for state in episode.states]
    words = [episode.goal, episode.family, *episode.steps, *(other.step for other in episode.alternatives)]
    known = [repr((s.progress, s.objects, s.boxes, s.facts)) for s in episode.states]
    pixels = b"".join(picture.tobytes() for picture in pictures)
    return hashlib.sha256(pixels + b"".join(labels) + "|".join(words + known).encode()).hexdigest()


def box_share(episode: Episode, index: int, name: str) -> float:
    left, top, right, bottom = episode.states[index].boxes[name]
    return (right - left) * (bottom - top)


def test_there_are_enough_families() -> None:
    assert len(navigation.SEEN) >= 6
    assert len(navigation.UNSEEN) >= 2
    assert len(set(FAMILIES)) == len(FAMILIES)


def test_frames_steps_and_states_fit_together(walks: list[Episode]) -> None:
    for episode, (family, _) in zip(walks, [case for case in CASES for _ in SEEDS], strict=True):
        assert episode.family == family
        assert 8 <= len(episode.frames) <= 12
        assert len(episode.steps) == len(episode.states) == len(episode.frames)
        assert all(f.size == (SIZE, SIZE) and f.mode == "RGB" for f in episode.frames)
        assert not any(text.endswith(".") for text in (episode.goal, *episode.steps))


def test_steps_are_short_and_different(walks: list[Episode]) -> None:
    for episode in walks:
        assert len(set(episode.steps)) == len(episode.steps)
        assert max(len(step.split()) for step in episode.steps) <= 9


def test_frames_of_an_episode_differ_plainly(walks: list[Episode]) -> None:
    for episode in walks:
        own = [signature(frame) for frame in episode.frames]
        assert min(change(a, b) for a, b in itertools.combinations(own, 2)) > 0.05, episode.goal


def test_no_frame_of_one_episode_looks_like_one_of_another(walks: list[Episode]) -> None:
    own = [[signature(frame) for frame in episode.frames] for episode in walks]
    for one, other in itertools.combinations(own, 2):
        assert min(change(a, b) for a, b in itertools.product(one, other)) > 0.05


def test_no_two_states_are_equal_and_progress_grows(walks: list[Episode]) -> None:
    for episode in walks:
        objects = [tuple(sorted(state.objects.items())) for state in episode.states]
        assert len(set(objects)) == len(objects), episode.goal
        progress = [state.progress for state in episode.states]
        assert progress == sorted(set(progress))
        assert (progress[0], progress[-1]) == (0.0, 1.0)


def test_labels_and_boxes_agree(walks: list[Episode]) -> None:
    for state in (state for episode in walks for state in episode.states):
        assert state.labels.shape == (SIZE, SIZE)
        assert state.labels.dtype == np.uint8
        assert state.labels.max(initial=0) == len(state.boxes)
        for k, box in enumerate(state.boxes.values(), 1):
            rows, columns = np.nonzero(state.labels == k)
            found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert tuple(value * SIZE for value in box) == pytest.approx(found)


def test_what_a_step_names_is_seen_and_grows_with_nearness(walks: list[Episode]) -> None:
    endings = (
        " is far ahead",
        " is near",
        " is near and closed",
        " is very near",
        " was opened",
        " was taken",
    )
    for episode in walks:
        sizes: dict[str, float] = {}
        for index, step in enumerate(episode.steps):
            ending = next((ending for ending in endings if step.endswith(ending)), None)
            if ending is None:
                continue
            name = step.removesuffix(ending)
            box = episode.states[index].boxes[name]
            assert box[0] < 0.55
            assert box[2] > 0.45
            if ending in endings[:4]:
                assert box_share(episode, index, name) > 1.2 * sizes.get(name, 0.0), (episode.goal, step)
                sizes[name] = box_share(episode, index, name)


def test_facts_are_short_questions_and_true(walks: list[Episode]) -> None:
    for state in (state for episode in walks for state in episode.states):
        assert 3 <= len(state.facts) <= 6
        assert len({question for question, _ in state.facts}) == len(state.facts)
        facts = dict(state.facts)
        assert all(question.endswith("?") for question in facts)
        assert all(1 <= len(answer.split()) <= 4 for answer in facts.values())
        if "what is in the middle?" in facts:
            box = state.boxes[facts["what is in the middle?"]]
            assert box[0] < 0.6
            assert box[2] > 0.4
        left, right = (facts.get(f"what is on the {side}?", "nothing") for side in ("left", "right"))
        assert left == "nothing" or state.boxes[left][2] <= 0.5
        assert right == "nothing" or state.boxes[right][0] >= 0.5
        opened = facts.get("which door is open?", "none")
        assert opened == "none" or state.objects[opened].startswith("open")
        held = facts.get("what does the walker carry?", "nothing")
        assert held == "nothing" or (state.boxes[held][3] > 0.8 and state.objects[held] == "carried")


def test_answers_vary(walks: list[Episode]) -> None:
    answers: dict[str, list[str]] = {}
    for question, answer in (fact for episode in walks for state in episode.states for fact in state.facts):
        answers.setdefault(question if not question.startswith("how near") else "how near", []).append(answer)
    assert len(answers) <= 14
    for question, given in answers.items():
        assert len(set(given)) >= 2, question
        assert max(given.count(answer) for answer in set(given)) < 0.8 * len(given), question


def test_alternatives_differ_from_all_that_happened(walks: list[Episode]) -> None:
    for episode in walks:
        assert len(episode.alternatives) >= 2
        assert len({other.index for other in episode.alternatives}) == len(episode.alternatives)
        for other in episode.alternatives:
            assert 0 < other.index < len(episode.frames)
            assert other.step not in episode.steps
            own = signature(other.frame)
            assert min(change(own, signature(frame)) for frame in episode.frames) > 0.05


def test_alternatives_contradict_the_goal(walks: list[Episode]) -> None:
    for episode in walks:
        for other in episode.alternatives:
            name = other.step.split(" is ")[0].split(" was ")[0]
            # In the corridor the goal names the doors to pass; one of them is opened or faced instead.
            assert episode.family == "third_door" or name not in episode.goal, (episode.goal, other.step)


def test_the_looks_share_nothing() -> None:
    seen, unseen = RANGES["seen"], RANGES["unseen"]
    for field in (
        "kinds",
        "items",
        "wall_patterns",
        "floor_patterns",
        "door_styles",
        "woods",
        "floors",
        "ceilings",
    ):
        assert not set(getattr(seen, field)) & set(getattr(unseen, field)), field
    names = [{*of.things, *of.walls, *of.kinds, *of.items, of.tables, of.seats} for of in (seen, unseen)]
    assert not names[0] & names[1]
    for field in ("light", "eye", "field", "horizon"):
        (a, b), (c, d) = getattr(seen, field), getattr(unseen, field)
        assert b < c or d < a, field
    for field in ("things", "walls"):
        for a, b in itertools.product(getattr(seen, field).values(), getattr(unseen, field).values()):
            assert math.dist(a, b) > 0.1


def test_the_words_of_unseen_never_come_up_in_seen(walks: list[Episode]) -> None:
    of = RANGES["unseen"]
    strange = {*of.things, *of.walls, *of.kinds, *of.items, of.tables, of.seats}
    for episode, (_, look) in zip(walks, [case for case in CASES for _ in SEEDS], strict=True):
        words = {word.strip(",:") for text in (episode.goal, *episode.steps) for word in text.split()}
        assert bool(words & strange) == (look == "unseen"), episode.goal


@pytest.mark.parametrize(("family", "look"), CASES)
def test_the_walker_stays_inside_and_comes_nearer(family: str, look: Look) -> None:
    for seed in range(4):
        walk = plan(np.random.default_rng([seed, 99]), family, look)
        for view in walk.views:
            assert walk.house.rooms[view.room].holds(view.at, 0.1)
        for before, view in itertools.pairwise(walk.views):
            if before.focus == view.focus and {before.reach, view.reach} <= set(DISTANCES):
                assert DISTANCES[view.reach] <= DISTANCES[before.reach]
            assert before.opened <= view.opened  # doors stay open


@pytest.mark.parametrize("family", ["two_doors", "via_landmark", "tour", "around_table"])
def test_a_goal_names_its_things_in_the_order_of_meeting(family: str) -> None:
    for seed, look in itertools.product(range(4), LOOKS):
        walk = plan(np.random.default_rng([seed, 5]), family, look)
        table = walk.house.marks[0].name if family == "around_table" else None
        met = [name for name in dict.fromkeys(view.focus for view in walk.views) if name != table]
        places = [walk.goal.index(name) for name in met]
        assert places == sorted(places), walk.goal


def test_a_larger_picture_shows_the_same(walks: list[Episode]) -> None:
    large = navigation.episode(0, 2 * SIZE, *CASES[0])
    small = walks[0]
    assert (large.goal, large.steps) == (small.goal, small.steps)
    for a, b in zip(small.frames, large.frames, strict=True):
        assert change(signature(a), signature(b)) < 0.05
        assert b.resize((SIZE, SIZE), Image.Resampling.BOX).size == a.size


def test_a_new_process_draws_the_same_bytes_and_prints_nothing(walks: list[Episode]) -> None:
    family, look = CASES[-1]
    code = f"import {Path(__file__).stem} as t; print(t.digest(t.navigation.episode(1, t.SIZE, {family!r}, {look!r})))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (result.stdout.strip(), result.stderr) == (digest(walks[-1]), "")


def test_an_unclear_walk_is_drawn_again_and_then_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(navigation, "LEAST_SHOWN", 2.0)
    monkeypatch.setattr(navigation, "ATTEMPTS", 2)
    with pytest.raises(RuntimeError, match="in 2 attempts"):
        navigation.episode(6, 32, "tour", "seen")
