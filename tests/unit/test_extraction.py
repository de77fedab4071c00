"""Which frames of a trajectory become a sequence."""

from collections import Counter
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.builders import cells, jpeg, scene, solid
from tpru.config.schema import ExtractConfig
from tpru.files import sha256_bytes
from tpru.records import KeyFrame, Media, Sequence, Step, Trajectory
from tpru.store import decode_image
from tpru.trajectories.extraction import (
    Candidate,
    Extraction,
    cut_reversals,
    distinct_neighbours,
    extract,
    starts,
    thin,
)
from tpru.trajectories.media import RawFrame
from tpru.trajectories.signature import change, signature

CONFIG = ExtractConfig(
    version=1,
    n_frames=4,
    every=1,
    min_change=0.006,
    max_key_frames=12,
    stride=2,
    max_sequences=3,
    jpeg_quality=95,
)
HUES = {c: ((37 * i) % 256, (91 * i) % 256, (173 * i) % 256) for i, c in enumerate("ABCDEFGHIJKLM")}


def config(**changes: Any) -> ExtractConfig:
    values = {"n_frames": 3, "max_key_frames": 12, "stride": 1, "max_sequences": 20, **changes}
    return ExtractConfig(**{**CONFIG.model_dump(), **values})


def trajectory(steps: dict[int, str] | None = None, **changes: Any) -> Trajectory:
    values: dict[str, Any] = {
        "trajectory_id": "film/7",
        "scenario": "robot",
        "source": "film",
        "licence": "CC0-1.0",
        "goal": "clear the table",
        "group": "kitchen",
        "media": Media("embedded", 99),
        "steps": tuple(Step(frame, text) for frame, text in (steps or {}).items()),
    }
    return Trajectory(**{**values, **changes})


def film(looks: str) -> list[RawFrame]:
    """One frame per letter; equal letters look the same."""
    encoded = [solid(HUES[c], (32, 32 + i)) for i, c in enumerate(looks)]  # but differ in bytes
    return [RawFrame(i, decode_image(data), data) for i, data in enumerate(encoded)]


def steps_film(levels: list[int]) -> list[RawFrame]:
    """One frame per level: the number of changed cells, of which 7 are a visible change."""
    return [RawFrame(i, cells(level), None) for i, level in enumerate(levels)]


def windows(extraction: Extraction) -> list[list[int]]:
    return [[f.index for f in s.frames] for s in extraction.sequences]


def parts(looks: str) -> list[str]:
    kept = distinct_neighbours(film(looks), config(), Counter())
    cut = cut_reversals(kept, CONFIG.min_change)
    return ["".join(looks[c.index] for c in part) for part in cut]


# Near-identical neighbours.


def test_near_identical_neighbours_are_dropped_and_counted() -> None:
    rejected: Counter[str] = Counter()
    kept = distinct_neighbours(film("AABBBC"), config(), rejected)
    assert [c.index for c in kept] == [0, 2, 5]
    assert rejected == {"near_identical_frames": 3}


@pytest.mark.parametrize(("level", "kept"), [(6, [0]), (7, [0, 1])])
def test_the_threshold_is_six_cells(level: int, kept: list[int]) -> None:
    # 0.006 of 1,024 cells is 6.1: six cells are no change, seven are one.
    found = distinct_neighbours(steps_film([0, level]), config(), Counter())
    assert [c.index for c in found] == kept


def test_slow_change_is_measured_against_the_last_frame_kept() -> None:
    found = distinct_neighbours(steps_film([0, 3, 6, 9, 12, 15, 18]), config(), Counter())
    assert [c.index for c in found] == [0, 3, 6]
    assert [c.change for c in found] == [1.0, 9 / 1024, 9 / 1024]


def test_the_bytes_of_a_picture_file_are_kept_and_those_of_a_video_made() -> None:
    original = jpeg(scene(), 71)
    frames = [
        RawFrame(0, decode_image(original), original),
        RawFrame(1, scene(at=(50, 20)), None),
    ]
    first, second = distinct_neighbours(frames, config(), Counter())
    assert first.encoded == original
    again = decode_image(second.encoded)
    assert change(signature(again), signature(scene(at=(50, 20)))) < CONFIG.min_change


# Static and reversing trajectories.


@pytest.mark.parametrize("looks", ["A", "AAAA", "AB", "AABB"])
def test_a_static_trajectory_is_rejected_as_such(looks: str) -> None:
    made = extract(trajectory(), film(looks), config())
    assert made.sequences == ()
    assert made.pictures == ()
    assert made.rejected["static"] == 1
    assert "reversing" not in made.rejected


def test_a_trajectory_that_swings_is_rejected_as_reversing() -> None:
    made = extract(trajectory(), film("ABABA"), config())
    assert made.sequences == ()
    assert made.rejected == {"reversing": 4}


@pytest.mark.parametrize(
    ("looks", "stretches"),
    [
        ("ABC", ["ABC"]),
        ("ABA", ["AB", "BA"]),
        ("ABCA", ["ABC", "BCA"]),
        ("ABCBA", ["ABC", "CBA"]),
        ("ABCBADEF", ["ABC", "CBADEF"]),
        ("ABACADA", ["AB", "BAC", "CAD", "DA"]),
        ("ABCABC", ["ABC", "BCA", "CAB", "ABC"]),
        ("", []),
    ],
)
def test_a_trajectory_is_cut_where_an_earlier_look_returns(looks: str, stretches: list[str]) -> None:
    assert parts(looks) == stretches


def test_the_way_there_and_the_way_back_are_two_sequences() -> None:
    made = extract(trajectory(), film("ABCDCBA"), config(n_frames=4))
    assert windows(made) == [[0, 1, 2, 3], [3, 4, 5, 6]]
    assert made.rejected == {}
    assert [f.index for f in made.sequences[0].outside] == []


def test_parts_that_are_too_short_are_counted() -> None:
    made = extract(trajectory(), film("ABACDEF"), config(n_frames=4))
    assert windows(made) == [[1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]]
    assert made.rejected == {"reversing": 1}


# Thinning and windows.


def candidates(changes: list[float]) -> list[Candidate]:
    blank = signature(cells(0))
    return [Candidate(3 * i, blank, b"", c) for i, c in enumerate(changes)]


@settings(deadline=None)
@given(
    st.lists(st.floats(0.006, 1.0), min_size=3, max_size=40),
    st.integers(3, 12),
)
def test_thinning_keeps_the_ends_and_the_order(changes: list[float], most: int) -> None:
    part = candidates(changes)
    kept = [c.index for c in thin(part, most)]
    assert len(kept) == min(most, len(part))
    assert kept == sorted(set(kept))
    assert kept[0] == part[0].index
    assert kept[-1] == part[-1].index


def test_thinning_is_even_in_change_not_in_time() -> None:
    # Little happens in the first ten frames and much in the last four.
    part = candidates([1.0, *[0.01] * 10, 0.4, 0.4, 0.4, 0.4])
    assert [c.index // 3 for c in thin(part, 5)] == [0, 11, 12, 13, 14]


@pytest.mark.parametrize(
    ("n_kept", "n_frames", "stride", "first"),
    [
        (4, 4, 2, [0]),
        (5, 4, 2, [0]),
        (8, 4, 2, [0, 2, 4]),
        (8, 4, 1, [0, 1, 2, 3, 4]),
        (8, 3, 5, [0, 5]),
        (3, 4, 1, []),
    ],
)
def test_windows_start_every_stride(n_kept: int, n_frames: int, stride: int, first: list[int]) -> None:
    assert starts(n_kept, config(n_frames=n_frames, stride=stride)) == first


@pytest.mark.parametrize(
    ("most", "first"), [(1, [0]), (2, [0, 5]), (3, [0, 2, 5]), (6, [0, 1, 2, 3, 4, 5]), (9, range(6))]
)
def test_at_most_so_many_sequences_spread_over_the_trajectory(most: int, first: list[int]) -> None:
    made = extract(trajectory(), film("ABCDEFGH"), config(max_sequences=most))
    assert [w[0] for w in windows(made)] == list(first)


def test_the_frames_outside_are_the_others_of_the_stretch() -> None:
    made = extract(trajectory(), film("ABCDEFG"), config(stride=2))
    assert windows(made) == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    outside = [[f.index for f in s.outside] for s in made.sequences]
    assert outside == [[3, 4, 5, 6], [0, 1, 5, 6], [0, 1, 2, 3]]


def test_only_pictures_that_a_sequence_names_are_handed_on_once() -> None:
    frames = film("ABABCDEF")
    made = extract(trajectory(), frames, config(max_sequences=2))
    named = {f.frame_id for s in made.sequences for f in (*s.frames, *s.outside)}
    assert sorted(sha256_bytes(p) for p in made.pictures) == sorted(named)
    assert len(made.pictures) == len(set(made.pictures))
    by_index = {f.index: f.encoded for f in frames}
    for sequence in made.sequences:
        for frame in sequence.frames:
            assert sha256_bytes(by_index[frame.index] or b"") == frame.frame_id


def test_a_sequence_carries_what_its_trajectory_says() -> None:
    source = trajectory(split="train", family="tidy")
    (made,) = extract(source, film("ABC"), config()).sequences
    assert made.sequence_id == "film/7/00000-00002"
    for name in ("trajectory_id", "scenario", "source", "licence", "goal", "group", "split", "family"):
        assert getattr(made, name) == getattr(source, name)


# Step texts.


def texts(sequence: Sequence) -> list[str]:
    return [f.step for f in sequence.frames]


def test_steps_stand_at_the_first_frame_that_shows_their_result() -> None:
    steps = {0: "the table was laid", 2: "one", 3: "two", 5: "three"}
    made = extract(trajectory(steps), film("AABBBC"), config())
    assert windows(made) == [[0, 2, 5]]
    assert texts(made.sequences[0]) == ["the table was laid", "one", "two; three"]


def test_steps_of_frames_that_were_dropped_are_joined_in_order() -> None:
    made = extract(trajectory({1: "one", 2: "two", 3: "", 4: "four"}), film("AAABCD"), config())
    assert [(f.index, f.step) for s in made.sequences[:1] for f in s.frames] == [
        (0, ""),
        (3, "one; two"),
        (4, "four"),
    ]


def test_a_stretch_does_not_repeat_the_steps_before_its_first_frame() -> None:
    steps = {1: "went to B", 2: "went to C", 3: "went back to B", 4: "went back to A"}
    there, back = extract(trajectory(steps), film("ABCBA"), config()).sequences
    assert texts(there) == ["", "went to B", "went to C"]
    assert texts(back) == ["went to C", "went back to B", "went back to A"]


def test_every_step_is_told_once_where_frames_were_thinned() -> None:
    steps = {i: f"step {i}" for i in range(1, 9)}
    made = extract(trajectory(steps), film("ABCDEFGHI"), config(max_key_frames=4, n_frames=4))
    (sequence,) = made.sequences
    assert "; ".join(texts(sequence)).removeprefix("; ") == "; ".join(steps.values())


# Whatever the film.


def all_frames(sequence: Sequence) -> list[KeyFrame]:
    return [*sequence.frames, *sequence.outside]


@settings(deadline=None, max_examples=80)
@given(
    levels=st.lists(st.integers(0, 12).map(lambda k: 3 * k), min_size=1, max_size=40),
    n_frames=st.integers(3, 5),
    spare=st.integers(0, 4),
    stride=st.integers(1, 3),
    most=st.integers(1, 8),
)
def test_every_sequence_has_a_decidable_order(
    levels: list[int], n_frames: int, spare: int, stride: int, most: int
) -> None:
    wanted = config(n_frames=n_frames, max_key_frames=n_frames + spare, stride=stride, max_sequences=most)
    frames = steps_film(levels)
    made = extract(trajectory(), frames, wanted)
    looks = {f.index: signature(f.image) for f in frames}
    assert len(made.sequences) <= most
    names = [s.sequence_id for s in made.sequences]
    assert len(names) == len(set(names))
    for sequence in made.sequences:
        inside = [f.index for f in sequence.frames]
        outside = [f.index for f in sequence.outside]
        assert len(inside) == n_frames
        assert inside == sorted(set(inside))
        assert outside == sorted(set(outside))
        assert all(not inside[0] <= i <= inside[-1] for i in outside)
        for a, b in combinations(inside + outside, 2):
            assert change(looks[a], looks[b]) >= wanted.min_change
        assert len({f.frame_id for f in all_frames(sequence)}) == len(inside + outside)
    named = {f.frame_id for s in made.sequences for f in all_frames(s)}
    assert {sha256_bytes(p) for p in made.pictures} == named
