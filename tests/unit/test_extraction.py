"""Which frames of a trajectory become a sequence."""

from collections import Counter
from itertools import combinations, pairwise
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.builders import cells, jpeg, png, scene, solid
from tpru.config.schema import ExtractConfig
from tpru.files import sha256_bytes
from tpru.records import SCENARIOS, Alternative, KeyFrame, Media, Scenario, Sequence, Step, Trajectory
from tpru.store import decode_image
from tpru.trajectories.extraction import (
    Candidate,
    Extraction,
    Known,
    cut_reversals,
    distinct_frames,
    distinct_neighbours,
    extract,
    places,
    thin,
)
from tpru.trajectories.frames import PictureFrame, VideoFrame
from tpru.trajectories.signature import change, signature

CONFIG = ExtractConfig(
    version=1,
    n_frames=4,
    every=1,
    min_change=0.006,
    black=16,
    jump_change=dict.fromkeys(SCENARIOS, 0.0),
    max_key_frames=12,
    spacing=1,
    stride=2,
    max_sequences=3,
    jpeg_quality=95,
)
HUES = {c: ((37 * i + 30) % 256, (91 * i) % 256, (173 * i) % 256) for i, c in enumerate("ABCDEFGHIJKLM")}


def config(**changes: Any) -> ExtractConfig:
    values = {"n_frames": 3, "max_key_frames": 12, "spacing": 1, "stride": 1, "max_sequences": 20, **changes}
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


def film(looks: str) -> list[PictureFrame]:
    """One frame per letter; equal letters look the same."""
    encoded = [solid(HUES[c], (32, 32 + i)) for i, c in enumerate(looks)]  # but differ in bytes
    return [PictureFrame(i, decode_image(data), data) for i, data in enumerate(encoded)]


def steps_film(levels: list[int]) -> list[PictureFrame]:
    """One frame per level: the number of changed cells, of which 7 are a visible change."""
    return [PictureFrame(i, cells(level), png(cells(level))) for i, level in enumerate(levels)]


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
        PictureFrame(0, decode_image(original), original),
        VideoFrame(1, av.VideoFrame.from_image(scene(at=(50, 20)))),
    ]
    first, second = distinct_neighbours(frames, config(), Counter())
    assert first.encode() == original
    again = decode_image(second.encode())
    assert change(signature(again), signature(scene(at=(50, 20)))) < CONFIG.min_change


# Black frames and jumps.


def as_frames(images: list[Image.Image]) -> list[PictureFrame]:
    return [PictureFrame(i, image, png(image)) for i, image in enumerate(images)]


def kept_indices(images: list[Image.Image], scenario: Scenario, **changes: Any) -> tuple[list[int], Any]:
    rejected: Counter[str] = Counter()
    found = distinct_frames(as_frames(images), scenario, config(**changes), rejected)
    # Of every kept frame the change is that against the one kept before it, as always.
    for before, after in pairwise(found):
        assert after.change == change(before.signature, after.signature)
    return [c.index for c in found], rejected


def walk(n: int, **changes: Any) -> list[Image.Image]:
    return [scene(at=(4 + 14 * k, 30), **changes) for k in range(n)]


NIGHT = scene(background=(8, 10, 14), colour=(60, 10, 10))
ELSEWHERE = scene(background=(60, 120, 60))
JUMPS = {"robot": 0.75, "assembly": 0.75, "gui": 0.0, "navigation": 0.0}


@pytest.mark.parametrize(("colour", "kept"), [(0, [0, 2]), (15, [0, 2]), (16, [0, 1, 2])])
def test_black_frames_are_dropped_and_counted(colour: int, kept: list[int]) -> None:
    images = [walk(1)[0], Image.new("RGB", (112, 112), (colour,) * 3), walk(2)[1]]
    found, rejected = kept_indices(images, "robot")
    assert found == kept
    assert rejected == ({} if len(kept) == 3 else {"black_frames": 1})
    assert kept_indices(images, "robot", black=0)[0] == [0, 1, 2]


def test_a_dark_scene_is_no_black_frame() -> None:
    assert kept_indices([*walk(2), NIGHT], "robot")[0] == [0, 1, 2]


@pytest.mark.parametrize(("scenario", "kept"), [("robot", [0, 1, 3, 4]), ("gui", [0, 1, 2, 3, 4])])
def test_a_jump_to_another_place_and_back_is_dropped(scenario: Scenario, kept: list[int]) -> None:
    images = [*walk(4)[:2], ELSEWHERE, *walk(4)[2:]]
    found, rejected = kept_indices(images, scenario, jump_change=JUMPS)
    assert found == kept
    assert rejected == ({"jumps": 1} if scenario == "robot" else {})


def test_what_stays_elsewhere_and_what_comes_last_is_no_jump() -> None:
    there = walk(2, background=(60, 120, 60))
    assert kept_indices([*walk(2), *there], "robot", jump_change=JUMPS)[0] == [0, 1, 2, 3]
    assert kept_indices([*walk(2), ELSEWHERE], "robot", jump_change=JUMPS)[0] == [0, 1, 2]


def test_the_same_picture_before_and_after_a_jump_is_kept_once() -> None:
    first, second = walk(2)
    found, rejected = kept_indices([first, ELSEWHERE, first, second], "robot", jump_change=JUMPS)
    assert found == [0, 3]
    assert rejected == {"jumps": 1, "near_identical_frames": 1}


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
    return [Candidate(3 * i, blank, bytes, c) for i, c in enumerate(changes)]


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
    made = places(n_kept, config(n_frames=n_frames, stride=stride))
    assert made == [tuple(range(start, start + n_frames)) for start in first]


@pytest.mark.parametrize(
    ("n_kept", "spacing", "windows_of_four"),
    [
        (12, 2, [(0, 2, 4, 6), (2, 4, 6, 8), (4, 6, 8, 10)]),
        (11, 3, [(0, 3, 6, 9)]),
        (10, 3, [(0, 3, 6, 9)]),
        # A stretch that is too short for it is read with less.
        (9, 3, [(0, 2, 4, 6), (2, 4, 6, 8)]),
        (6, 2, [(0, 1, 2, 3), (2, 3, 4, 5)]),
        (4, 9, [(0, 1, 2, 3)]),
    ],
)
def test_key_frames_between_those_of_a_window_are_skipped(
    n_kept: int, spacing: int, windows_of_four: list[tuple[int, ...]]
) -> None:
    assert places(n_kept, config(n_frames=4, spacing=spacing, stride=2)) == windows_of_four


@settings(deadline=None)
@given(st.integers(3, 30), st.integers(3, 8), st.integers(1, 4), st.integers(1, 4))
def test_every_window_fits_its_stretch_and_none_is_empty(
    n_kept: int, n_frames: int, spacing: int, stride: int
) -> None:
    made = places(n_kept, config(n_frames=n_frames, spacing=spacing, stride=stride))
    assert bool(made) == (n_kept >= n_frames)
    for window in made:
        assert len(window) == n_frames
        assert 0 <= window[0] <= window[-1] < n_kept
        assert len({b - a for a, b in pairwise(window)}) == 1
        assert window[1] - window[0] <= spacing
    assert len(set(made)) == len(made)


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


def test_skipped_key_frames_stand_outside_in_the_order_of_time() -> None:
    made = extract(trajectory(), film("ABCDEFGH"), config(spacing=2, stride=3))
    assert windows(made) == [[0, 2, 4], [3, 5, 7]]
    outside = [[f.index for f in s.outside] for s in made.sequences]
    assert outside == [[1, 3, 5, 6, 7], [0, 1, 2, 4, 6]]


def test_a_step_of_a_skipped_key_frame_belongs_to_that_frame_alone() -> None:
    steps = {i: f"step {i}" for i in range(7)}
    (made,) = extract(trajectory(steps), film("ABCDEFG"), config(n_frames=4, spacing=2)).sequences
    assert texts(made) == ["step 0", "step 2", "step 4", "step 6"]
    assert [f.step for f in made.outside] == ["step 1", "step 3", "step 5"]


def test_only_pictures_that_a_sequence_names_are_handed_on_once() -> None:
    frames = film("ABABCDEF")
    made = extract(trajectory(), frames, config(max_sequences=2))
    named = {f.frame_id for s in made.sequences for f in (*s.frames, *s.outside)}
    assert sorted(sha256_bytes(p) for p in made.pictures) == sorted(named)
    assert len(made.pictures) == len(set(made.pictures))
    by_index = {f.index: f.encoded for f in frames}
    for sequence in made.sequences:
        for frame in sequence.frames:
            assert sha256_bytes(by_index[frame.index]) == frame.frame_id


def test_a_sequence_carries_what_its_trajectory_says() -> None:
    source = trajectory(split="test", family="tidy", level="L2")
    (made,) = extract(source, film("ABC"), config()).sequences
    assert made.sequence_id == "film/7/00000-00002"
    for name in (
        "trajectory_id",
        "scenario",
        "source",
        "licence",
        "goal",
        "group",
        "split",
        "family",
        "level",
    ):
        assert getattr(made, name) == getattr(source, name)


# What a simulator knows besides: states, and what was not done.


def told(states: str) -> Known:
    """One state per frame, named by a letter; a dot is an unknown state."""
    return Known({i: "" if c == "." else f"cube: {c}" for i, c in enumerate(states)}, ())


@pytest.mark.parametrize(
    ("states", "stretches"),
    [
        ("", ["ABCDE"]),
        (".....", ["ABCDE"]),
        ("vwxyz", ["ABCDE"]),
        # The cube falls and lies where it lay: another picture of the same state.
        ("vwvyz", ["AB", "BCDE"]),
        ("vwxyv", ["ABCD", "BCDE"]),
        ("vvwww", ["A", "BC", "D", "E"]),
        # An unknown state is equal to nothing, not even to another unknown one.
        ("v...z", ["ABCDE"]),
        ("v..v.", ["ABC", "BCDE"]),
    ],
)
def test_a_trajectory_is_cut_where_an_earlier_state_returns(states: str, stretches: list[str]) -> None:
    looks = "ABCDE"
    kept = distinct_neighbours(film(looks), config(), Counter(), told(states).states)
    cut = cut_reversals(kept, CONFIG.min_change)
    assert ["".join(looks[c.index] for c in part) for part in cut] == stretches


def test_no_sequence_holds_a_state_twice() -> None:
    states = "abcdbefg"
    made = extract(trajectory(), film("ABCDEFGH"), config(), told(states))
    assert windows(made) == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6], [5, 6, 7]]
    for sequence in made.sequences:
        shown = [states[f.index] for f in all_frames(sequence)]
        assert len(set(shown)) == len(shown)


def test_a_return_to_an_earlier_state_is_counted_as_reversing() -> None:
    made = extract(trajectory(), film("ABCD"), config(n_frames=4), told("abca"))
    assert made.sequences == ()
    assert made.rejected == {"reversing": 2}


def test_frames_are_alike_by_look_or_by_state() -> None:
    a, b = signature(cells(0)), signature(cells(500))
    for looks, states, expected in [
        ((a, b), ("", ""), False),
        ((a, a), ("", ""), True),
        ((a, a), ("x", "y"), True),
        ((a, b), ("x", "y"), False),
        ((a, b), ("x", "x"), True),
        ((a, b), ("x", ""), False),
    ]:
        one, two = (Candidate(i, looks[i], bytes, 1.0, states[i]) for i in range(2))
        for pair in ([one, two], [two, one]):
            assert cut_reversals(pair, CONFIG.min_change) == ([pair[:1], pair[1:]] if expected else [pair])


def with_alternatives(*frames: int) -> tuple[Trajectory, Known]:
    """A trajectory with a picture of what was not done at each of these frames."""
    others = tuple(Alternative(frame, f"other {k}", 99 + k) for k, frame in enumerate(frames))
    pictures = tuple(solid((250, 5 * k, 40 + k), (20, 20)) for k in range(len(frames)))
    return trajectory(alternatives=others), Known({}, pictures)


def test_what_was_not_done_goes_with_every_sequence_and_its_picture_is_kept() -> None:
    source, known = with_alternatives(2, 5)
    made = extract(source, film("ABCDEF"), config(n_frames=4, stride=2), known)
    assert windows(made) == [[0, 1, 2, 3], [2, 3, 4, 5]]
    expected = [
        KeyFrame(sha256_bytes(data), a.frame, a.text, "alternative")
        for a, data in zip(source.alternatives, known.alternatives, strict=True)
    ]
    for sequence in made.sequences:
        assert list(sequence.alternatives) == expected
        assert not {f.frame_id for f in expected} & {f.frame_id for f in all_frames(sequence)}
    assert set(known.alternatives) <= set(made.pictures)


def test_a_trajectory_without_a_sequence_hands_on_no_picture_of_what_was_not_done() -> None:
    source, known = with_alternatives(1)
    assert extract(source, film("AB"), config(), known).pictures == ()


def test_alternatives_and_their_pictures_must_match() -> None:
    source, known = with_alternatives(1, 2)
    with pytest.raises(ValueError, match="zip"):
        extract(source, film("ABC"), config(), Known({}, known.alternatives[:1]))


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
    spacing=st.integers(1, 3),
    stride=st.integers(1, 3),
    most=st.integers(1, 8),
)
def test_every_sequence_has_a_decidable_order(
    levels: list[int], n_frames: int, spare: int, spacing: int, stride: int, most: int
) -> None:
    wanted = config(
        n_frames=n_frames,
        max_key_frames=n_frames + spare,
        spacing=spacing,
        stride=stride,
        max_sequences=most,
    )
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
        assert not set(inside) & set(outside)
        assert spacing > 1 or all(not inside[0] <= i <= inside[-1] for i in outside)
        for a, b in combinations(inside + outside, 2):
            assert change(looks[a], looks[b]) >= wanted.min_change
        assert len({f.frame_id for f in all_frames(sequence)}) == len(inside + outside)
    named = {f.frame_id for s in made.sequences for f in all_frames(s)}
    assert {sha256_bytes(p) for p in made.pictures} == named
