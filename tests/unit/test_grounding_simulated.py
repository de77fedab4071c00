"""Dense items of simulated trajectories: what they say is what the states say, and no guess does well."""

import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.unit.builders import solid
from tests.unit.test_source_simulated import source
from tpru.config.compose import compose
from tpru.config.schema import LevelCounts
from tpru.errors import CorruptMediaError, ManifestError
from tpru.files import sha256_bytes
from tpru.grounding.chat import film_chat, read_chat
from tpru.grounding.films import LEAST_SIDE, MOST_SHARE, Film, clear_names, overlap, usual_places
from tpru.grounding.moments import LEAST_FRAMES, MOST_FILLED, MOST_MOMENTS, runs_of, state_truths, step_truths
from tpru.grounding.records import GroundingItem, GroundingTask, Moment
from tpru.grounding.simulated import POINTED_AT, dense_items
from tpru.grounding.statements import area, between, statements
from tpru.records import SCENARIOS, FrameState, Media, Scenario, Step, Thing, Trajectory
from tpru.store import encode_png
from tpru.trajectories.sources import simulated

CONFIG = compose("demo", []).grounding.simulated
SIDE = 40
Box = tuple[float, ...]


def drawn(things: dict[str, tuple[str, Box]], frame: int = 0, progress: float = 0.5) -> FrameState:
    """A state whose labels fill the boxes; later things cover earlier ones."""
    labels = np.zeros((SIDE, SIDE), np.uint8)
    with_box = [(name, state, box) for name, (state, box) in things.items() if box]
    for number, (_, _, box) in enumerate(with_box, 1):
        left, top, right, bottom = (round(v * SIDE) for v in box)
        labels[top:bottom, left:right] = number
    bare = [(name, state, ()) for name, (state, box) in things.items() if not box]
    listed = tuple(Thing(*one) for one in [*with_box, *bare])
    return FrameState("t", frame, progress, listed, encode_png(Image.fromarray(labels)))


def film(
    states: list[FrameState], steps: list[str] | None = None, scenario: Scenario = "robot", name: str = "t"
) -> Film:
    n = len(states)
    texts = steps or [f"step {i} was done" for i in range(n)]
    trajectory = Trajectory(
        name, scenario, "arm", "CC0-1.0", "tidy up", name, Media("embedded", n),
        tuple(Step(i, text) for i, text in enumerate(texts)), level="L1",
    )  # fmt: skip
    return Film(trajectory, tuple(states), tuple(f"{name}@{i}" for i in range(n)))


def moving(n: int = 10, name: str = "t", still: bool = False) -> Film:
    """A cube that goes to the right and a lamp that stays; the cube is red in every film."""
    shift = 0.0 if still else 0.07
    return film(
        [
            drawn(
                {
                    "the red cube": ("on the red mat" if 2 <= i < 5 else "", (i * shift, 0.2, 0.3 + i * shift, 0.5)),
                    "the lamp": ("", (0.1, 0.7, 0.3, 0.9)),
                },
                i,
                i / (n - 1),
            )
            for i in range(n)
        ],
        name=name,
    )  # fmt: skip


@cache
def real(scenario: Scenario, episodes: int = 3) -> tuple[Film, ...]:
    config = source(scenario=scenario, size=56, episodes=LevelCounts(L1=episodes, L2=0, L3=0), first_seed=40)
    made = (simulated._one(job) for job in simulated_jobs(scenario, config))
    return tuple(
        Film(entry.trajectory, entry.states, tuple(map(sha256_bytes, entry.frames[: len(entry.states)])))
        for entry in made
    )


def simulated_jobs(name: str, config: Any) -> list[simulated.Job]:
    return [(name, config, "L1", i, config.first_seed + i) for i in range(config.episodes.L1)]


def made_of(films: tuple[Film, ...], task: GroundingTask, seed: int = 0) -> list[tuple[Film, GroundingItem]]:
    usual = usual_places(films)
    found = [(f, i) for f in films for i in dense_items(f, "train", CONFIG, usual, seed) if i.task == task]
    assert found
    return found


def frames_of(one: Film, item: GroundingItem) -> list[int]:
    return [one.frames.index(frame) for frame in item.frames]


# All tasks.


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_seed_gives_the_same_items_and_another_seed_others(scenario: Scenario) -> None:
    usual = usual_places(real(scenario))
    for one in real(scenario):
        first, again, other = (dense_items(one, "train", CONFIG, usual, seed) for seed in (0, 0, 1))
        assert first == again
        assert first != other
        assert len({i.item_id for i in first}) == len(first)
        for item in first:
            t = one.trajectory
            assert (item.split, item.group, item.level, item.licence) == (
                "train",
                t.group,
                t.level,
                t.licence,
            )
            assert (item.dataset, item.scenario) == (t.source, t.scenario)
            assert len(item.times) == len(item.frames)
            assert item.times[0] == 0.0
            assert item.duration == item.times[-1] + CONFIG.seconds_per_frame
            shown = frames_of(one, item)
            assert [(f - shown[0]) * CONFIG.seconds_per_frame for f in shown] == list(item.times)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_gives_every_task(scenario: Scenario) -> None:
    films, usual = real(scenario), usual_places(real(scenario))
    found = Counter(i.task for f in films for i in dense_items(f, "train", CONFIG, usual, 0))
    assert found["temporal"] == 3 * CONFIG.per_trajectory["temporal"]
    assert found["region"] >= 2 * CONFIG.per_trajectory["region"]
    assert found["mask"] >= 4


@pytest.mark.parametrize("hidden", [{0, 1}, {4}, {8, 9}, set(range(9)), set(range(10))])
def test_hidden_frames_are_never_shown(hidden: set[int]) -> None:
    one = replace(moving(), hidden=frozenset(hidden))
    items = dense_items(one, "test", CONFIG, {}, 0)
    items_shown = {frame for item in items for frame in frames_of(one, item)}
    assert not items_shown & hidden
    assert bool(items) == (len(hidden) < 10)
    for item in items:
        if item.task == "temporal":
            shown = frames_of(one, item)
            assert shown == list(range(shown[0], shown[-1] + 1))


# Moments.


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_moments_are_what_steps_and_states_say(scenario: Scenario) -> None:
    for one, item in made_of(real(scenario), "temporal"):
        frames = frames_of(one, item)
        assert frames == list(range(frames[0], frames[-1] + 1))
        assert LEAST_FRAMES <= len(frames) <= CONFIG.clip_frames
        truths = step_truths(one.trajectory, len(one.states)) | state_truths(one.trajectory, one.states)
        holds = [truths[item.query][frame] for frame in frames]
        inside = [any(m.start_s <= time < m.end_s for m in item.moments) for time in item.times]
        assert holds == inside
        assert 0 < sum(inside) <= MOST_FILLED * len(frames)


def test_steps_last_until_the_next_one_and_the_start_is_none() -> None:
    t = replace(
        moving().trajectory,
        steps=(Step(0, "it lies"), Step(2, "it rose"), Step(5, "it fell"), Step(8, "it rose")),
    )
    truths = step_truths(t, 10)
    assert set(truths) == {"it rose", "it fell"}
    assert [i for i, true in enumerate(truths["it rose"]) if true] == [2, 3, 4, 8, 9]
    assert [i for i, true in enumerate(truths["it fell"]) if true] == [5, 6, 7]


def test_what_happens_twice_in_a_clip_has_two_moments() -> None:
    texts = ["start", "a", "the cube rose", "b", "the cube rose", *"cdefg"]
    films = [film(list(moving().states), texts, name=f"t{k}") for k in range(30)]
    found = [i for f in films for i in dense_items(f, "train", CONFIG, {}, 0) if i.query == "the cube rose"]
    assert any(len(i.moments) == 2 for i in found)
    for item in found:
        assert all(m.end_s - m.start_s == 1.0 for m in item.moments)
        if len(item.moments) == 2:
            assert item.moments[1] == Moment(item.moments[0].start_s + 2, item.moments[0].start_s + 3)


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=14))
def test_runs_are_the_true_frames_or_no_question(truth: list[bool | None]) -> None:
    runs = runs_of(truth)
    covered = [frame for start, end in runs for frame in range(start, end)]
    true = [frame for frame, holds in enumerate(truth) if holds]
    parts = sum(1 for frame in true if frame == 0 or not truth[frame - 1])
    fair = None not in truth and true and len(true) <= MOST_FILLED * len(truth) and parts <= MOST_MOMENTS
    assert covered == (true if fair else [])
    assert len(runs) == (parts if fair else 0)


def test_moments_begin_everywhere_in_their_clips() -> None:
    places = []
    for k in range(80):
        for item in dense_items(moving(11, f"t{k}"), "train", CONFIG, {}, 0):
            if item.task == "temporal":
                first = item.moments[0]
                places.append(first.start_s / (item.duration - first.end_s + first.start_s))
    counts = np.histogram(places, bins=5, range=(0.0, 1.0))[0]
    assert counts.sum() == 320
    assert counts.min() > 0.6 * counts.mean()
    assert counts.max() < 1.4 * counts.mean()


# Clauses.


def said(scenario: Scenario, things: dict[str, tuple[str, Box]]) -> dict[str, bool]:
    return statements(scenario, drawn(things))


HERE: Box = (0.2, 0.2, 0.5, 0.5)


def test_a_thing_that_is_set_down_is_in_the_gripper_and_where_it_lies() -> None:
    cube = {"the red cube": ("on the mat", HERE), "the gripper": ("holds the red cube down on the mat", HERE)}
    assert said("robot", cube) == {"the red cube is in the gripper": True, "the red cube is on the mat": True}
    away = {
        "the red cube": ("in the gripper over the mat", ()),
        "the gripper": ("holds the red cube up", HERE),
    }
    assert said("robot", away) == {"the red cube is in the gripper": False}
    # What lies on a mat lies on the table, too, and "closed and empty above" holds nothing.
    table = {
        "the red cube": ("on the table", HERE),
        "the gripper": ("closed and empty above the red cube", HERE),
    }
    assert said("robot", table) == {}


def test_what_is_behind_a_dialog_is_left_open() -> None:
    dialog: Box = (0.1, 0.4, 0.9, 0.9)
    things: dict[str, tuple[str, Box]] = {
        "the first row": ("ticked", (0.1, 0.5, 0.9, 0.6)),
        "the sound switch": ("on", (0.1, 0.1, 0.9, 0.2)),
        "the name field": ("selected, empty", ()),
        "the second row": ("not on the screen", ()),
        "the screen": ("settings: Ton", ()),
        "the dialog": ("open", dialog),
        "the message": ("not shown", ()),
    }
    assert said("gui", things) == {
        "the first row is ticked": True,
        "the sound switch is on": False,
        "the name field is selected": False,
        'the settings app shows the page "Ton"': False,
        "the dialog is shown": True,
    }
    things["the dialog"] = ("closed", ())
    assert said("gui", things)["the sound switch is on"]
    assert not said("gui", things)["the name field is selected"]


def test_a_glimpse_is_neither_in_view_nor_out_of_view() -> None:
    things: dict[str, tuple[str, Box]] = {
        "the blue door": ("open, near", (0.1, 0.1, 0.6, 0.9)),
        "the red sofa": ("in view", (0.0, 0.4, 0.05, 0.5)),
        "the lamp": ("out of view", ()),
        "the ball": ("carried", HERE),
        "the walker": ("in the grey room", ()),
    }
    assert said("navigation", things) == {
        "the blue door is in view": True,
        "the blue door is in view and open": True,
        "the red sofa is in view": False,
        "the ball is in view": True,
        "the walker carries the ball": True,
        "the walker is in the grey room": True,
    }


def test_bricks_are_asked_between_two_parts() -> None:
    def work(done: int, seen: bool = True) -> FrameState:
        names = ["the floor", "the wall", "the roof"]
        box: Box = HERE if seen else ()
        return drawn(
            {n: ("put on" if k < done else "missing", box if k < done else ()) for k, n in enumerate(names)}
        )

    assert statements("assembly", work(2)) == {}
    text = "the model with the floor but without the roof"
    assert between([work(0), work(1), work(2), work(3)]) == [{}, {text: True}, {text: True}, {}]
    assert between([work(0), work(1, seen=False), work(2), work(3)])[1] == {text: False}


# Regions.


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_region_is_the_box_of_a_thing_that_one_name_fits(scenario: Scenario) -> None:
    for one, item in made_of(real(scenario), "region"):
        (frame,) = frames_of(one, item)
        (region,) = item.regions
        (box,) = [t.box for t in one.states[frame].things if t.name == item.query]
        assert region.box == box
        assert (region.frame, region.mask) == (0, b"")
        assert CONFIG.least_share <= area(box) <= MOST_SHARE
        assert min(box[2] - box[0], box[3] - box[1]) >= LEAST_SIDE
        assert item.query in clear_names(t.name for t in one.states[frame].things)


def test_a_name_that_fits_two_things_is_not_asked() -> None:
    state = drawn(
        {
            "the red brick": ("", (0.0, 0.0, 0.2, 0.2)),
            "the red brick on level one": ("", (0.3, 0.0, 0.5, 0.2)),
            "the blue brick": ("", (0.6, 0.0, 0.8, 0.2)),
        }
    )
    assert clear_names(t.name for t in state.things) == {"the red brick on level one", "the blue brick"}
    twice = replace(state, things=(*state.things, state.things[-1]))
    assert clear_names(t.name for t in twice.things) == {"the red brick on level one"}


def test_what_is_small_thin_covered_or_everywhere_is_not_asked() -> None:
    state = drawn(
        {
            "the wall": ("", (0.0, 0.0, 1.0, 1.0)),
            "the speck": ("", (0.9, 0.9, 0.95, 0.95)),
            "the strip": ("", (0.97, 0.1, 1.0, 0.8)),
            "the covered box": ("", (0.1, 0.1, 0.4, 0.4)),
            "the cover": ("", (0.1, 0.1, 0.375, 0.375)),
        }
    )
    items = dense_items(film([state] * 6), "train", CONFIG, {}, 0)
    assert {i.query for i in items if i.task == "region"} == {"the cover"}


def test_things_are_asked_where_their_name_does_not_tell_that_they_are() -> None:
    films = tuple(moving(10, f"t{k}", still=k < 9) for k in range(10))
    usual = usual_places(films)
    mover = films[9]
    for one in films[:9]:
        items = [i for i in dense_items(one, "train", CONFIG, usual, 0) if i.task == "region"]
        assert len(items) == 2  # a third of six, both where their names tell
    found = [i for i in dense_items(mover, "train", CONFIG, usual, 0) if i.task == "region"]
    cubes = [i.regions[0].box for i in found if i.query == "the red cube"]
    assert len(cubes) >= 2
    assert all(overlap(a, b) < 0.5 for a in cubes for b in cubes if a != b)
    far = [box for box in cubes if overlap(box, (0.0, 0.2, 0.3, 0.5)) < 0.5]
    assert len(far) >= len(cubes) - 1
    # Alone, nothing is known of other films.
    assert len([i for i in dense_items(films[0], "train", CONFIG, {}, 0) if i.task == "region"]) == 2


# Masks.


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_masks_and_boxes_are_those_of_the_labels(scenario: Scenario) -> None:
    for one, item in made_of(real(scenario), "mask"):
        assert [r.frame for r in item.regions] == list(range(len(item.frames)))
        assert 2 <= len(item.frames) <= CONFIG.mask_frames
        assert bool(item.start) == (item.query == POINTED_AT)
        assert item.start in ((), item.regions[0].box)
        assert item.regions[0].box
        name = item.query
        if item.start:
            first = one.states[frames_of(one, item)[0]]
            (name,) = [t.name for t in first.things if t.box == item.start]
        for frame, region in zip(frames_of(one, item), item.regions, strict=True):
            found = [
                (k, t.box) for k, t in enumerate(one.states[frame].things, 1) if t.name == name and t.box
            ]
            if not found:
                assert (region.box, region.mask) == ((), b"")
                continue
            ((number, box),) = found
            with Image.open(io.BytesIO(region.mask)) as image:
                assert image.mode == "L"
                mask = np.asarray(image)
            with Image.open(io.BytesIO(one.states[frame].labels)) as image:
                np.testing.assert_array_equal(mask, np.where(np.asarray(image) == number, 255, 0))
            assert region.box == box
        assert 2 * sum(bool(r.box) for r in item.regions) >= len(item.regions)


@pytest.mark.parametrize(("share", "pointed"), [(0.0, {False}), (1.0, {True})])
def test_the_share_that_is_pointed_at_is_as_configured(share: float, pointed: set[bool]) -> None:
    config = CONFIG.model_copy(update={"tracked_share": share})
    items = dense_items(moving(), "train", config, {}, 0)
    assert {bool(i.start) for i in items if i.task == "mask"} == pointed


def test_a_row_of_another_page_is_another_row() -> None:
    def page(title: str, i: int) -> FrameState:
        return drawn(
            {"the first row": ("shown", (0.1, 0.2, 0.6, 0.4)), "the screen": (f"shop: {title}", ())}, i
        )

    titles = ["A", "A", "B", "B", "B", "A", "A", "A"]
    one = film([page(title, i) for i, title in enumerate(titles)], scenario="gui")
    found = [i for k in range(10) for i in dense_items(one, "train", CONFIG, {}, k) if i.task == "mask"]
    assert found
    for item in found:
        shown = frames_of(one, item)
        assert len({titles[frame] for frame in shown}) == 1
        assert set(shown) <= {2, 3, 4} or set(shown) <= {5, 6, 7}


# Chat.


def test_chat_of_a_film_says_states_and_progress() -> None:
    one = real("robot")[0]
    items = film_chat(one, 6, 0)
    assert items == film_chat(one, 6, 0)
    assert len(items) == 6
    for item in items:
        frame = one.frames.index(item.frames[0])
        state = one.states[frame]
        if item.question.startswith("The task is"):
            assert one.trajectory.goal in item.question
            assert (item.answer == "all of it") == (state.progress == 1.0)
            assert (item.answer == "nothing yet") == (state.progress == 0.0)
        else:
            (thing,) = [t for t in state.things if item.question == f"What is the state of {t.name}?"]
            assert item.answer == thing.state
            assert thing.box
    assert {i.question.split()[0] for i in items} == {"The", "What"}


LINE = {
    "images": ["a.png"],
    "messages": [
        {"role": "user", "content": "<image>\nWhich colour?"},
        {"role": "assistant", "content": "Red."},
    ],
}


def chat_file(folder: Path, *lines: Any) -> Path:
    (folder / "a.png").write_bytes(solid((200, 0, 0)))
    path = folder / "chat.jsonl"
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def test_a_chat_file_is_read_line_by_line(tmp_path: Path) -> None:
    longer = {**LINE, "images": ["a.png", "a.png"], "messages": [*LINE["messages"], *LINE["messages"]]}
    first, second = read_chat(chat_file(tmp_path, LINE, "\n", longer))
    assert (first.item.question, first.item.answer, first.left_out) == ("Which colour?", "Red.", 0)
    assert first.item.frames == (sha256_bytes(first.pictures[0]),)
    assert (second.left_out, len(second.pictures)) == (1, 2)
    assert (first.item.split, first.item.group, second.item.group) == ("train", "chat/1", "chat/3")


def no_answer(line: dict[str, Any]) -> Any:
    return {**line, "messages": line["messages"][:1]}


def system_first(line: dict[str, Any]) -> Any:
    return {**line, "messages": [{"role": "system", "content": "x"}, line["messages"][1]]}


def only_mark(line: dict[str, Any]) -> Any:
    return {**line, "messages": [{"role": "user", "content": "<image>"}, line["messages"][1]]}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda line: json.dumps(line)[:-5] + "\n", "is not JSON"),
        (lambda line: [line], "expected an object"),
        (lambda line: {**line, "images": []}, "'images'"),
        (lambda line: {**line, "images": ["b.png"]}, r"b\.png does not exist"),
        (lambda line: {**line, "messages": []}, "'messages'"),
        (no_answer, "as many of the user"),
        (system_first, "message 1"),
        (only_mark, "no text beside"),
    ],
)
def test_a_bad_line_of_chat_is_named(spoil: Callable[[Any], Any], said: str, tmp_path: Path) -> None:
    path = chat_file(tmp_path, LINE, spoil(LINE))
    with pytest.raises(ManifestError, match=said) as caught:
        list(read_chat(path))
    assert f"{path}, line 2" in str(caught.value)


def test_a_chat_file_or_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="nowhere"):
        list(read_chat(tmp_path / "nowhere.jsonl"))
    path = chat_file(tmp_path, LINE)
    (tmp_path / "a.png").write_bytes(solid((200, 0, 0))[:40])
    with pytest.raises(CorruptMediaError, match=r"line 1: the picture .*a\.png"):
        list(read_chat(path))
