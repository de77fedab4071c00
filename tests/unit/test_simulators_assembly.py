"""Toy bricks: reproducible, physical, ordered, and told truly by steps, states and facts."""

import re
from collections import defaultdict
from itertools import combinations, product

import numpy as np
import pytest

from tpru.simulators import assembly
from tpru.simulators.assembly import draw_plan
from tpru.simulators.assembly.bricks import Brick, Plan
from tpru.simulators.assembly.figures import LETTERS, UNSEEN_LETTERS
from tpru.simulators.assembly.raster import Light, blank, draw, normals, reduced, shade, view
from tpru.simulators.assembly.scene import COLOURS, DOWN, PLATES, SIDEWAYS
from tpru.simulators.episode import DISTINCT, Episode, Look
from tpru.trajectories.signature import change, signature

SIZE = 64
LOOKS: tuple[Look, ...] = ("seen", "unseen")
CASES = list(product((*assembly.SEEN, *assembly.UNSEEN), LOOKS))
QUESTIONS = (
    r"what colour (is|are) the [a-z ]+\?",
    r"what is the highest part\?",
    r"(has|have) the [a-z ]+ been put on\?",
    r"how many [a-z ]+ are there\?",
    r"which is farther (left|right), the [a-z ]+ or the [a-z ]+\?",
    r"is the plate empty\?",
    r"is the work finished\?",
)


@pytest.fixture(scope="module")
def episodes() -> dict[tuple[str, Look], list[Episode]]:
    return {case: [assembly.episode(seed, SIZE, *case) for seed in range(3)] for case in CASES}


@pytest.fixture(scope="module")
def every(episodes: dict[tuple[str, Look], list[Episode]]) -> list[Episode]:
    return [episode for group in episodes.values() for episode in group]


def plans(count: int) -> list[tuple[str, Plan, str]]:
    return [
        (family, *draw_plan(np.random.default_rng([7, seed]), family, look))
        for (family, look), seed in product(CASES, range(count))
    ]


def test_at_least_seven_families_are_seen_and_three_are_not() -> None:
    assert len(set(assembly.SEEN)) >= 7
    assert len(set(assembly.UNSEEN)) >= 3
    assert not set(assembly.SEEN) & set(assembly.UNSEEN)
    assert {*assembly.SEEN, *assembly.UNSEEN} == set(assembly.FAMILIES)


def test_same_arguments_give_the_same_bytes(episodes: dict[tuple[str, Look], list[Episode]]) -> None:
    for case in CASES[::5]:
        first, second = episodes[case][1], assembly.episode(1, SIZE, *case)
        assert (first.goal, first.steps) == (second.goal, second.steps)
        frames = [[f.tobytes() for f in e.frames] for e in (first, second)]
        assert frames[0] == frames[1]
        assert [s.facts for s in first.states] == [s.facts for s in second.states]
        assert all(
            np.array_equal(a.labels, b.labels) for a, b in zip(first.states, second.states, strict=True)
        )
        wrong = [[(a.index, a.step, a.frame.tobytes()) for a in e.alternatives] for e in (first, second)]
        assert wrong[0] == wrong[1]


def test_an_unknown_family_is_an_error() -> None:
    with pytest.raises(KeyError):
        assembly.episode(0, SIZE, "cathedral", "seen")


@pytest.mark.parametrize("size", [56, 112, 224])
def test_frames_are_square_rgb_pictures_with_labels_of_their_size(size: int) -> None:
    episode = assembly.episode(3, size, "house", "seen")
    for frame, state in zip(episode.frames, episode.states, strict=True):
        assert (frame.size, frame.mode) == ((size, size), "RGB")
        assert (state.labels.shape, state.labels.dtype) == ((size, size), np.uint8)


def test_words_fit_the_frames(every: list[Episode]) -> None:
    for episode in every:
        assert 8 <= len(episode.frames) == len(episode.steps) == len(episode.states) <= 12
        assert len(set(episode.steps)) == len(episode.steps)
        assert all(len(step.split()) <= 9 for step in episode.steps), episode.steps
        texts = (episode.goal, *episode.steps, *(a.step for a in episode.alternatives))
        assert all(text and text[-1] not in ".?" and "{" not in text for text in texts)


def test_frames_and_alternatives_differ_from_all_frames(every: list[Episode]) -> None:
    for episode in every:
        marks = [signature(frame) for frame in episode.frames]
        wrong = [signature(alternative.frame) for alternative in episode.alternatives]
        assert min(change(a, b) for a, b in combinations([*marks, *wrong], 2)) > DISTINCT, episode.goal


def test_alternatives_are_of_different_frames_and_contradict_the_step(every: list[Episode]) -> None:
    for episode in every:
        assert 2 <= len(episode.alternatives) <= 4
        assert len({a.index for a in episode.alternatives}) == len(episode.alternatives)
        for alternative in episode.alternatives:
            assert 1 <= alternative.index < len(episode.frames)
            assert alternative.step != episode.steps[alternative.index]
            assert alternative.step not in episode.steps


def test_states_grow_and_tell_the_newest_part(every: list[Episode]) -> None:
    for episode in every:
        progress = [state.progress for state in episode.states]
        assert progress[0] == 0
        assert progress[-1] == 1
        assert np.all(np.diff(progress) > 0)
        for done, (state, step) in enumerate(zip(episode.states, episode.steps, strict=True)):
            placed = [name for name, where in state.objects.items() if where == "put on"]
            assert len(placed) == done
            assert state.labels.max() == len(state.boxes)
            if done:  # the newest part is in sight and its colour is told
                assert placed[-1] in state.boxes, step
                assert step.split(" was put ")[0].split(" were put ")[0].split(" on ")[0] in placed[-1]


def test_boxes_frame_the_labels(every: list[Episode]) -> None:
    for episode in every[::4]:
        state = episode.states[-1]
        for k, (left, top, right, bottom) in enumerate(state.boxes.values(), 1):
            rows, columns = np.nonzero(state.labels == k)
            edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert (left, top, right, bottom) == pytest.approx(tuple(e / SIZE for e in edges))


def test_facts_are_few_short_and_of_a_closed_set(every: list[Episode]) -> None:
    answers = defaultdict(set)
    for state in (state for episode in every for state in episode.states):
        assert 3 <= len(state.facts) <= 6
        assert len({question for question, _ in state.facts}) == len(state.facts)
        for question, answer in state.facts:
            matching = [q for q in QUESTIONS if re.fullmatch(q, question)]
            assert len(matching) == 1, question
            assert 1 <= len(answer.split()) <= 4, (question, answer)
            answers[matching[0]].add(answer)
    assert all(len(answers[q]) >= 2 for q in QUESTIONS)


def test_facts_agree_with_the_objects(every: list[Episode]) -> None:
    for state in (state for episode in every for state in episode.states):
        for question, answer in state.facts:
            found = re.fullmatch(r"ha(?:s|ve) the (.+) been put on\?", question)
            if found:
                words = set(found[1].split())
                where = {w for name, w in state.objects.items() if words < set(name.split())}
                assert ("put on" if answer == "yes" else "missing") in where
            found = re.fullmatch(r"which is farther (left|right), the (.+) or the (.+)\?", question)
            if found:
                middles = {
                    noun: np.mean(
                        [
                            (b[0] + b[2]) / 2
                            for n, b in state.boxes.items()
                            if set(noun.split()) < set(n.split())
                        ]
                    )
                    for noun in found.groups()[1:]
                }
                best = (min if found[1] == "left" else max)(middles, key=lambda noun: middles[noun])
                assert answer == f"the {best}"


def _touch(a: Brick, b: Brick) -> bool:
    gaps = (
        max(a.x, b.x) - min(a.x + a.w, b.x + b.w),
        max(a.y, b.y) - min(a.y + a.d, b.y + b.d),
        max(a.z, b.z) - min(a.z + a.h, b.z + b.h),
    )
    return max(gaps) < 1e-6 and sorted(gaps)[1] < -1e-6  # more than an edge in common


def test_every_part_is_held_by_the_plate_or_by_earlier_parts() -> None:
    for family, plan, _ in plans(25):
        standing: list[Brick] = []
        for piece in plan.parts:
            held = [b for b in piece.bricks if b.z == 0 or any(_touch(b, other) for other in standing)]
            assert held, (family, piece.step)
            for _ in piece.bricks:
                held += [b for b in piece.bricks if b not in held and any(_touch(b, o) for o in held)]
            assert len(held) == len(piece.bricks), (family, piece.step)
            standing += piece.bricks


def test_parts_share_no_space_and_no_name() -> None:
    for family, plan, _ in plans(25):
        for one, other in combinations(plan.parts, 2):
            assert one.noun != other.noun
            assert not any(a.collides(b) for a in one.bricks for b in other.bricks), (
                family,
                one.step,
                other.step,
            )


def test_goal_and_step_name_the_colour_of_every_part() -> None:
    for family, plan, plate in plans(25):
        assert plate not in {b.colour for piece in plan.parts for b in piece.bricks}
        for piece in plan.parts:
            assert piece.colour in {b.colour for b in piece.bricks}
            assert piece.colour in piece.step
            assert piece.colour in plan.goal, (family, plan.goal, piece.step)


def test_the_looks_share_nothing() -> None:
    seen, unseen = (np.array(list(COLOURS[look].values()), float) for look in LOOKS)
    assert not set(COLOURS["seen"]) & set(COLOURS["unseen"])
    assert np.linalg.norm(seen[:, None] - unseen[None], axis=-1).min() > 2 * 9 * np.sqrt(
        3
    )  # paint varies by 9
    assert not set(PLATES["seen"]) & set(PLATES["unseen"])
    assert not set(LETTERS) & set(UNSEEN_LETTERS)
    assert SIDEWAYS["unseen"][1] < SIDEWAYS["seen"][0] * 0.75  # letters are seen more from the front
    assert DOWN["seen"][1] < DOWN["unseen"][0]


def test_draw_agrees_with_a_search_over_all_pixels() -> None:
    rng, side = np.random.default_rng(0), 24
    triangles = rng.uniform(-4, side + 4, (12, 3, 3)).astype(np.float32)
    colours = rng.uniform(0, 255, (12, 3)).astype(np.float32)
    canvas = blank(np.zeros((side, side, 3)))
    for k in range(2):  # drawn in two turns
        draw(canvas, triangles[k::2], colours[k::2], k + 1)
    depth, owner = np.full((side, side), np.inf), np.full((side, side), -1)
    for k, (y, x) in product(range(12), np.ndindex(side, side)):
        corners = np.vstack([triangles[k, :, :2].T, np.ones(3)]).astype(float)
        share = np.linalg.solve(corners, [x + 0.5, y + 0.5, 1])
        if share.min() >= 0 and share @ triangles[k, :, 2] < depth[y, x]:
            depth[y, x], owner[y, x] = share @ triangles[k, :, 2], k
    assert canvas.depth == pytest.approx(depth, abs=1e-3)
    assert np.array_equal(canvas.labels, np.where(owner < 0, 0, owner % 2 + 1))
    assert canvas.picture[owner >= 0] == pytest.approx(colours[owner[owner >= 0]])


def test_draw_bears_triangles_without_area_and_outside() -> None:
    canvas = blank(np.zeros((8, 8, 3)))
    line = [[1, 1, 0], [5, 5, 0], [3, 3, 0]]
    far = [[-9, -9, 0], [-1, -9, 0], [-9, -1, 0]]
    draw(canvas, np.array([line, far], np.float32), np.full((2, 3), 255, np.float32), 1)
    draw(canvas, np.zeros((0, 3, 3), np.float32), np.zeros((0, 3), np.float32), 1)
    assert not canvas.labels.any()


def test_the_camera_shows_all_points_and_normals_face_it() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(-5, 9, (50, 3))
    camera = view(points, 30, 25, 100, fill=0.9)
    pixels = camera.pixels(points)[:, :2]
    assert pixels.min() >= 4.9
    assert pixels.max() <= 95.1
    upwards = camera.pixels(np.array([[0.0, 0, 0], [0, 0, 1]]))
    assert upwards[1, 1] < upwards[0, 1]
    turned = normals(points[:48].reshape(16, 3, 3), camera)
    assert np.all(turned @ camera.axes[2] <= 0)
    assert np.linalg.norm(turned, axis=1) == pytest.approx(np.ones(16))
    lit = shade(np.array([[0.0, 0, 1], [0, 0, -1]]), np.full((2, 3), 100.0), Light(np.array([0.0, 0, 1])))
    assert lit[0, 0] > lit[1, 0] > 0


def test_reduced_averages_squares() -> None:
    picture = np.arange(4 * 4 * 3, dtype=np.float32).reshape(4, 4, 3)
    small = reduced(picture, 2)
    assert (small.shape, small.dtype) == ((2, 2, 3), np.uint8)
    assert small[0, 0] == pytest.approx(np.rint(picture[:2, :2].mean(axis=(0, 1))))
