"""Simulated sources: levels, seeds, what was not done, states; with a stand-in for the simulators."""

import io
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.builders import scene
from tpru.config.compose import CONF, compose
from tpru.config.schema import LevelCounts, SimulatedSource
from tpru.records import LEVELS, FrameState
from tpru.simulators.episode import Alternative, Episode, State
from tpru.stages.download import MEDIA, check_fixed_splits
from tpru.stages.extract import extract_one, states_by_trajectory
from tpru.stages.tiny_base import FIRST_SEED
from tpru.store import decode_image, write_records
from tpru.trajectories.media import iter_frames
from tpru.trajectories.source_data import SourceTrajectory
from tpru.trajectories.sources import simulated
from tpru.trajectories.sources.simulated import LEVEL_OFFSET, SEEDS_APART, Job, read

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
N_FRAMES = 6
OTHERS = (1, 4)


def source(**changes: Any) -> SimulatedSource:
    values = {
        "kind": "simulated",
        "scenario": "robot",
        "licence": "Apache-2.0",
        "citation": "nobody",
        "extract": {},
        "shards": 1,
        "fetch": None,
        "episodes": LevelCounts(L1=5, L2=2, L3=3),
        "size": 112,
        "first_seed": 10,
    }
    return SimulatedSource(**{**values, **changes})


def state(frame: int) -> State:
    labels = np.zeros((112, 112), dtype=np.uint8)
    labels[20:34, 20:34] = 1
    return State(
        progress=frame / (N_FRAMES - 1),
        objects={"the lid": "closed", "the cube": f"at place {frame}", "the arm": "above"},
        boxes={"the cube": (0.1, 0.2, 0.3, 0.4), "a shadow": (0.0, 0.0, 0.5, 0.5)},
        labels=labels,
        facts=(("where is the cube?", f"at place {frame}"),),
    )


def episode(seed: int, size: int, family: str, look: str) -> Episode:
    return Episode(
        goal=f"{family} with seed {seed}",
        family=family,
        frames=tuple(scene(at=(14 * i, 20 + seed % 7), size=(size, size)) for i in range(N_FRAMES)),
        steps=tuple(f"step {i} of {look}" for i in range(N_FRAMES)),
        states=tuple(state(i) for i in range(N_FRAMES)),
        alternatives=tuple(
            Alternative(i, scene(at=(14 * i, 60), size=(size, size)), f"not step {i}") for i in OTHERS
        ),
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Simulators become stand-ins, in this process; what they were asked for."""
    calls: list[tuple[Any, ...]] = []

    def make(*arguments: Any) -> Episode:
        calls.append(arguments)
        return episode(*arguments)

    fake = SimpleNamespace(SEEN=("stack", "sort"), UNSEEN=("swap",), episode=make)

    def find(name: str) -> Any:
        assert name == "tpru.simulators.robot"
        return fake

    monkeypatch.setattr(simulated, "import_module", find)
    monkeypatch.setattr(simulated, "_simulate", lambda jobs, workers: map(simulated._one, jobs))
    return calls


def one_of(level: str = "L1", **changes: Any) -> SourceTrajectory:
    return next(t for t in read("arm", source(**changes), 0, 1) if t.trajectory.level == level)


# Levels.


def test_every_level_has_its_families_and_its_environments(asked: list[Any]) -> None:
    made = [entry.trajectory for entry in read("arm", source(), 0, 1)]
    assert [t.level for t in made] == ["L1"] * 5 + ["L2"] * 2 + ["L3"] * 3
    assert [family for _, _, family, _ in asked] == [
        *("stack", "sort", "stack", "sort", "stack"),
        *("stack", "sort"),
        *("swap", "swap", "swap"),
    ]
    assert [look for *_, look in asked] == ["seen"] * 5 + ["unseen"] * 5
    assert {size for _, size, _, _ in asked} == {112}
    assert [t.family for t in made] == [family for _, _, family, _ in asked]


def test_unseen_levels_are_for_the_test_alone_and_every_episode_is_a_group(asked: list[Any]) -> None:
    made = [entry.trajectory for entry in read("arm", source(), 0, 1)]
    assert {(t.level, t.split) for t in made} == {("L1", ""), ("L2", "test"), ("L3", "test")}
    assert len({t.group for t in made}) == len(made)
    assert len({t.trajectory_id for t in made}) == len(made)
    check_fixed_splits(made)


def test_levels_may_be_left_out(asked: list[Any]) -> None:
    data = read("arm", source(episodes=LevelCounts(L1=2, L2=0, L3=0)), 0, 1)
    assert data.total == 2
    assert [entry.trajectory.level for entry in data] == ["L1", "L1"]


def test_the_data_card_gets_its_facts_without_simulating(asked: list[Any]) -> None:
    data = read("arm", source(), 0, 1)
    assert (data.total, data.licence, data.citation) == (10, "Apache-2.0", "nobody")
    assert asked == []


# Seeds.


def jobs(config: SimulatedSource, seed: int, patch: pytest.MonkeyPatch) -> list[Job]:
    """What would be simulated."""
    with patch.context() as context:
        context.setattr(simulated, "_simulate", lambda listed, workers: listed)
        found: Any = read("arm", config, seed, 1).trajectories
    return list(found)


def test_seeds_count_up_from_the_offset_of_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    made = jobs(source(), 3, monkeypatch)
    assert [(level, seed) for _, _, level, _, seed in made] == [
        (level, 10 + 3 * SEEDS_APART + LEVEL_OFFSET[level] + i)
        for level, n in zip(LEVELS, (5, 2, 3), strict=True)
        for i in range(n)
    ]


@settings(deadline=None, max_examples=30)
@given(
    counts=st.tuples(st.integers(1, 2000), st.integers(0, 2000), st.integers(0, 2000)),
    first=st.integers(0, 200_000),
    seeds=st.tuples(st.integers(0, 100), st.integers(0, 100)).filter(lambda s: s[0] != s[1]),
)
def test_no_layout_is_shared_between_levels_or_experiment_seeds(
    counts: tuple[int, int, int], first: int, seeds: tuple[int, int]
) -> None:
    levels = dict(zip(LEVELS, counts, strict=True))
    config = source(episodes=LevelCounts(**levels), first_seed=first)
    with pytest.MonkeyPatch.context() as patch:
        made = [seed for s in seeds for *_, seed in jobs(config, s, patch)]
    assert len(set(made)) == len(made) == 2 * sum(counts)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_no_experiment_meets_an_episode_of_the_base(experiment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = compose(experiment, [])
    schooled = range(FIRST_SEED, FIRST_SEED + config.tiny_base.episodes_per_scenario)
    for found in config.sources.values():
        if isinstance(found, SimulatedSource):
            for seed in (0, 1, 42, 99):
                assert not [s for *_, s in jobs(found, seed, monkeypatch) if s in schooled]


# Pictures, steps and what was not done.


def test_a_trajectory_says_what_the_episode_says(asked: list[Any]) -> None:
    entry = one_of("L3")
    t = entry.trajectory
    seed = 10 + LEVEL_OFFSET["L3"]
    assert t.trajectory_id == f"arm-L3-{seed:08d}"
    assert (t.goal, t.family, t.scenario, t.source) == (f"swap with seed {seed}", "swap", "robot", "arm")
    assert [(s.frame, s.text) for s in t.steps] == [(i, f"step {i} of unseen") for i in range(N_FRAMES)]
    assert (t.media.kind, t.media.n_frames) == ("embedded", N_FRAMES)


def test_pictures_of_what_was_not_done_stand_behind_the_true_frames(asked: list[Any]) -> None:
    entry = one_of()
    made = episode(10, 112, "stack", "seen")
    pictures = [*made.frames, *(a.frame for a in made.alternatives)]
    assert [decode_image(data).tobytes() for data in entry.frames] == [p.tobytes() for p in pictures]
    for k, a in enumerate(entry.trajectory.alternatives):
        assert (a.frame, a.text, a.media) == (OTHERS[k], f"not step {OTHERS[k]}", N_FRAMES + k)
        assert decode_image(entry.frames[a.media]).tobytes() == made.alternatives[k].frame.tobytes()


class Embedded:
    """The media of one trajectory."""

    def __init__(self, entry: SourceTrajectory) -> None:
        self._entry = entry

    def read(self, trajectory_id: str) -> list[bytes]:
        assert trajectory_id == self._entry.trajectory.trajectory_id
        return list(self._entry.frames)


@pytest.mark.parametrize(
    ("every", "indices"), [(1, [0, 1, 2, 3, 4, 5]), (2, [0, 2, 4]), (5, [0, 5]), (7, [0])]
)
def test_what_was_not_done_is_no_frame_of_the_trajectory(
    every: int, indices: list[int], asked: list[Any]
) -> None:
    entry = one_of()
    assert len(entry.frames) == N_FRAMES + len(OTHERS)
    found = list(iter_frames(entry.trajectory, Embedded(entry), every))
    assert [f.index for f in found] == indices
    assert [f.encoded for f in found] == [entry.frames[i] for i in indices]


# States.


def test_every_frame_has_its_state_with_boxes_in_the_order_of_the_labels(asked: list[Any]) -> None:
    entry = one_of()
    assert [s.frame for s in entry.states] == list(range(N_FRAMES))
    assert {s.trajectory_id for s in entry.states} == {entry.trajectory.trajectory_id}
    assert [s.progress for s in entry.states] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    for frame, found in enumerate(entry.states):
        things = [(t.name, t.state, t.box) for t in found.things]
        assert things == [
            ("the cube", f"at place {frame}", (0.1, 0.2, 0.3, 0.4)),
            ("a shadow", "", (0.0, 0.0, 0.5, 0.5)),
            ("the lid", "closed", ()),
            ("the arm", "above", ()),
        ]
        with Image.open(io.BytesIO(found.labels)) as labels:
            np.testing.assert_array_equal(np.asarray(labels), state(frame).labels)


def test_the_states_of_a_frame_become_one_text(asked: list[Any], tmp_path: Path) -> None:
    first, second = list(read("arm", source(), 0, 1))[:2]
    write_records(tmp_path / "states.parquet", FrameState, [*first.states, *second.states])
    found = states_by_trajectory(tmp_path / "states.parquet")
    assert set(found) == {first.trajectory.trajectory_id, second.trajectory.trajectory_id}
    # In an order of its own, and without the things of which nothing is said.
    assert found[first.trajectory.trajectory_id] == {
        i: f"the arm: above; the cube: at place {i}; the lid: closed" for i in range(N_FRAMES)
    }


def test_a_source_without_states_has_none(tmp_path: Path) -> None:
    write_records(tmp_path / "states.parquet", FrameState, [])
    assert states_by_trajectory(tmp_path / "states.parquet") == {}


# On to the extraction.


def test_the_extraction_reads_frames_states_and_what_was_not_done(asked: list[Any], tmp_path: Path) -> None:
    entry = one_of()
    path = tmp_path / "media.parquet"
    row = {"trajectory_id": entry.trajectory.trajectory_id, "frames": list(entry.frames)}
    pq.write_table(pa.Table.from_pylist([row], schema=MEDIA), path)
    config = compose("demo", ["extract.n_frames=4", "extract.spacing=1", "extract.stride=1"]).extract
    (first, *_) = extract_one((entry.trajectory, path, config, {})).sequences
    assert [f.index for f in first.frames] == [0, 1, 2, 3]
    assert [(f.index, f.step) for f in first.alternatives] == [(i, f"not step {i}") for i in OTHERS]
    assert first.level == "L1"
    # The last frame is in the state of the first one: no sequence holds both.
    states = {i: "start" if i in (0, 5) else f"place {i}" for i in range(N_FRAMES)}
    wanted = config.model_copy(update={"n_frames": 5})
    made = extract_one((entry.trajectory, path, wanted, states)).sequences
    assert [[f.index for f in s.frames] for s in made] == [[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]]
    assert all(s.outside == () for s in made)


def test_a_trajectory_without_alternatives_has_sequences_without_any(
    asked: list[Any], tmp_path: Path
) -> None:
    entry = one_of()
    bare = replace(entry.trajectory, alternatives=())
    row = {"trajectory_id": bare.trajectory_id, "frames": list(entry.frames[:N_FRAMES])}
    pq.write_table(pa.Table.from_pylist([row], schema=MEDIA), tmp_path / "media.parquet")
    made = extract_one((bare, tmp_path / "media.parquet", compose("demo", []).extract, {}))
    assert made.sequences
    assert {s.alternatives for s in made.sequences} == {()}


# The real thing, once.


def test_real_screens_of_every_level_are_the_same_on_two_processes() -> None:
    config = source(scenario="gui", size=56, episodes=LevelCounts(L1=1, L2=1, L3=1))
    one, two = (list(read("phone", config, 0, workers)) for workers in (1, 2))
    assert one == two
    assert Counter(e.trajectory.level for e in one) == {"L1": 1, "L2": 1, "L3": 1}
    for entry in one:
        t = entry.trajectory
        assert len(entry.frames) == t.media.n_frames + len(t.alternatives)
        assert len(entry.states) == t.media.n_frames == len(t.steps)
        assert len(t.alternatives) >= 2
