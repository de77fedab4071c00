"""Groups stay whole, and whatever stands on both sides of the test split is found."""

import dataclasses
import random
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.builders import jpeg, make_item, make_sequence, png, random_look, scene
from tpru.config.schema import SplitsConfig
from tpru.errors import LeakError, SplitError
from tpru.files import sha256_bytes
from tpru.records import SPLITS, Item, Sequence, Split
from tpru.store import decode_image
from tpru.synthesis.leaks import SHOWN, find_leaks, refuse_leaks
from tpru.synthesis.splits import assign, drop_near_duplicates, frame_ids
from tpru.trajectories.signature import Signature, change, signature

CONFIG = SplitsConfig(sft=0.4, grpo=0.4, test=0.2, near_duplicate_change=0.003, near_duplicates="fail")
BELOW = CONFIG.near_duplicate_change


def config(sft: float = 0.4, grpo: float = 0.4, test: float = 0.2) -> SplitsConfig:
    return SplitsConfig(**{**CONFIG.model_dump(), "sft": sft, "grpo": grpo, "test": test})


def sequences_of(
    groups: int, scenario: Any = "robot", source: str = "drawn", each: int = 1, split: Any = ""
) -> list[Sequence]:
    return [
        make_sequence(
            f"{source}/{scenario}/{split}{g:03d}/{k}",
            group=f"{source}-{scenario}-{split}{g:03d}",
            scenario=scenario,
            source=source,
            split=split,
        )
        for g in range(groups)
        for k in range(each)
    ]


# Assignment.

WEIGHTS = st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(3, 12), min_size=1, max_size=4),
    each=st.integers(1, 3),
    weights=WEIGHTS,
    seed=st.integers(0, 5),
)
def test_groups_stay_whole_and_every_split_gets_one_per_stratum(
    sizes: list[int], each: int, weights: tuple[int, int, int], seed: int
) -> None:
    sft, grpo = (w / sum(weights) for w in weights[:2])
    places = [("robot", "a"), ("robot", "b"), ("gui", "a"), ("navigation", "c")]
    strata = [sequences_of(n, *place, each=each) for n, place in zip(sizes, places, strict=False)]
    everything = [s for stratum in strata for s in stratum]
    splits = assign(everything, config(sft, grpo, 1.0 - sft - grpo), seed)
    assert set(splits) == {s.group for s in everything}
    for stratum in strata:
        assert {splits[s.group] for s in stratum} == set(SPLITS)


@settings(deadline=None, max_examples=40)
@given(groups=st.integers(3, 60), weights=WEIGHTS, seed=st.integers(0, 3))
def test_shares_are_met_to_within_the_group_that_every_split_needs(
    groups: int, weights: tuple[int, int, int], seed: int
) -> None:
    shares = dict(zip(SPLITS, (w / sum(weights) for w in weights), strict=True))
    splits = assign(sequences_of(groups), config(**shares), seed)
    counts = Counter(splits.values())
    for name in SPLITS:
        assert abs(counts[name] - shares[name] * groups) <= 2


@settings(deadline=None, max_examples=30)
@given(st.randoms(use_true_random=False), st.integers(0, 3))
def test_assignment_does_not_depend_on_the_order_of_the_sequences(shuffler: random.Random, seed: int) -> None:
    everything = sequences_of(7, each=2) + sequences_of(4, "gui", "b")
    mixed = list(everything)
    shuffler.shuffle(mixed)
    assert assign(mixed, CONFIG, seed) == assign(everything, CONFIG, seed)


def test_the_seed_chooses_who_is_tested() -> None:
    everything = sequences_of(20)
    tested = {
        frozenset(g for g, s in assign(everything, CONFIG, seed).items() if s == "test") for seed in range(5)
    }
    assert len(tested) == 5
    assert {len(t) for t in tested} == {4}


def test_a_group_of_two_sources_gets_one_split() -> None:
    shared = [
        dataclasses.replace(s, group=f"house {i}")
        for source in ("a", "b")
        for i, s in enumerate(sequences_of(6, source=source))
    ]
    splits = assign(shared, CONFIG, 0)
    assert len(splits) == 6
    assert set(splits.values()) == set(SPLITS)


@pytest.mark.parametrize("seed", range(8))
def test_a_second_source_does_not_take_the_groups_of_the_first_one_away(seed: int) -> None:
    first = [dataclasses.replace(s, group=f"house {i}") for i, s in enumerate(sequences_of(3))]
    second = [
        dataclasses.replace(s, group=f"house {i + 2}") for i, s in enumerate(sequences_of(6, source="later"))
    ]
    splits = assign([*first, *second], CONFIG, seed)
    assert {splits[s.group] for s in first} == set(SPLITS)


def test_fixed_splits_are_kept() -> None:
    train, test = sequences_of(9, split="train"), sequences_of(4, split="test")
    splits = assign([*train, *test], CONFIG, 0)
    assert {splits[s.group] for s in test} == {"test"}
    assert Counter(splits[s.group] for s in train) in (
        Counter(sft=5, grpo=4),
        Counter(sft=4, grpo=5),
    )


def test_fixed_train_groups_follow_the_weights_of_sft_and_grpo() -> None:
    train, test = sequences_of(10, split="train"), sequences_of(1, split="test")
    splits = assign([*train, *test], config(0.2, 0.7, 0.1), 0)
    assert Counter(splits[s.group] for s in train) == {"sft": 2, "grpo": 8}


@pytest.mark.parametrize("sides", [("train", "test"), ("train", ""), ("", "test")])
def test_a_group_on_both_sides_is_refused_by_name(sides: tuple[Any, Any]) -> None:
    both = [make_sequence(f"t{i}", group="the kitchen", split=side) for i, side in enumerate(sides)]
    with pytest.raises(SplitError, match="'the kitchen'") as caught:
        assign([*sequences_of(5), *both], CONFIG, 0)
    assert caught.value.exit_code == 15


@pytest.mark.parametrize(
    "everything", [sequences_of(1), sequences_of(2, each=4), sequences_of(8, split="train")]
)
def test_an_empty_test_split_is_refused(everything: list[Sequence]) -> None:
    with pytest.raises(SplitError, match="too few for a test split"):
        assign(everything, CONFIG, 0)


def test_a_split_of_no_weight_gets_nothing() -> None:
    splits = assign(sequences_of(12), config(0.0, 0.8, 0.2), 0)
    assert set(splits.values()) == {"grpo", "test"}


# Near-duplicates taken out.


@pytest.fixture
def three() -> tuple[list[Sequence], dict[str, Split], dict[str, Signature]]:
    """A sequence of each split, all pictures different."""
    made = [make_sequence(f"t{i}", group=f"g{i}") for i in range(3)]
    splits: dict[str, Split] = dict(zip(("g0", "g1", "g2"), SPLITS, strict=True))
    looks = {f: random_look(f) for s in made for f in frame_ids(s)}
    return made, splits, looks


def test_without_near_duplicates_nothing_is_dropped(three: Any) -> None:
    made, splits, looks = three
    assert drop_near_duplicates(made, splits, looks, BELOW) == (made, 0)


@pytest.mark.parametrize("train", [0, 1])
def test_a_test_sequence_with_a_near_duplicate_inside_is_dropped(three: Any, train: int) -> None:
    made, splits, looks = three
    looks[made[2].frames[1].frame_id] = looks[made[train].outside[0].frame_id]
    assert drop_near_duplicates(made, splits, looks, BELOW) == (made[:2], 1)


def test_a_near_duplicate_outside_is_taken_from_the_distractors(three: Any) -> None:
    made, splits, looks = three
    looks[made[2].outside[3].frame_id] = looks[made[0].frames[0].frame_id]
    kept, dropped = drop_near_duplicates(made, splits, looks, BELOW)
    assert dropped == 0
    assert kept[:2] == made[:2]
    outside = (*made[2].outside[:3], *made[2].outside[4:])
    assert kept[2] == dataclasses.replace(made[2], outside=outside)


@pytest.mark.parametrize("train", [0, 1])
def test_a_near_duplicate_of_what_was_not_done_is_taken_from_the_distractors(train: int) -> None:
    made = [make_sequence(f"t{i}", group=f"g{i}", alternatives=3) for i in range(3)]
    splits: dict[str, Split] = dict(zip(("g0", "g1", "g2"), SPLITS, strict=True))
    looks = {f: random_look(f) for s in made for f in frame_ids(s)}
    looks[made[2].alternatives[1].frame_id] = looks[made[train].alternatives[0].frame_id]
    kept, dropped = drop_near_duplicates(made, splits, looks, BELOW)
    assert dropped == 0
    assert kept[:2] == made[:2]
    others = (made[2].alternatives[0], made[2].alternatives[2])
    assert kept[2] == dataclasses.replace(made[2], alternatives=others)


def test_what_was_not_done_in_training_keeps_a_test_sequence_out() -> None:
    made = [make_sequence(f"t{i}", group=f"g{i}", alternatives=1) for i in range(3)]
    splits: dict[str, Split] = dict(zip(("g0", "g1", "g2"), SPLITS, strict=True))
    looks = {f: random_look(f) for s in made for f in frame_ids(s)}
    looks[made[2].frames[3].frame_id] = looks[made[1].alternatives[0].frame_id]
    assert drop_near_duplicates(made, splits, looks, BELOW) == (made[:2], 1)


def test_items_may_show_moments_and_what_was_not_done() -> None:
    s = make_sequence(total=6, first=1, alternatives=2)
    assert frame_ids(s) == [f.frame_id for f in (*s.frames, *s.outside, *s.alternatives)]
    assert len(set(frame_ids(s))) == 8


def test_the_same_picture_on_both_sides_counts_as_near_duplicate(three: Any) -> None:
    made, splits, looks = three
    shared = dataclasses.replace(made[2].frames[0], frame_id=made[0].frames[0].frame_id)
    made[2] = dataclasses.replace(made[2], frames=(shared, *made[2].frames[1:]))
    for below in (BELOW, 0.0):
        assert drop_near_duplicates(made, splits, looks, below) == (made[:2], 1)


def test_near_duplicates_within_a_side_stay(three: Any) -> None:
    made, splits, looks = three
    looks[made[1].frames[0].frame_id] = looks[made[0].frames[0].frame_id]
    looks[made[2].frames[0].frame_id] = looks[made[2].outside[0].frame_id]
    assert drop_near_duplicates(made, splits, looks, BELOW) == (made, 0)


# The leak check.


def clean_items() -> list[Item]:
    """Two items of each split, nothing in common."""
    return [
        make_item(
            item_id=f"{split}-{k}",
            split=split,
            group=f"{split} group {k}",
            trajectory_id=f"{split} trajectory {k}",
            sequence_id=f"{split} sequence {k}",
            shown=tuple(f"{split} picture {k}{j}" for j in range(3)),
        )
        for split in SPLITS
        for k in range(2)
    ]


def looks_of(items: list[Item]) -> dict[str, Signature]:
    return {f: random_look(f) for i in items for f in i.shown}


def planted(**changes: Any) -> list[Item]:
    """The clean items with the second test item changed."""
    items = clean_items()
    return [*items[:-1], dataclasses.replace(items[-1], **changes)]


def test_a_clean_set_has_no_leak() -> None:
    items = clean_items()
    assert find_leaks(items, looks_of(items), BELOW) == []
    refuse_leaks([])


def test_sft_and_grpo_may_share() -> None:
    items = clean_items()
    shared = {k: getattr(items[0], k) for k in ("group", "trajectory_id", "sequence_id", "shown")}
    items[2] = dataclasses.replace(items[2], **shared)
    assert find_leaks(items, looks_of(items), BELOW) == []


@pytest.mark.parametrize("side", ["sft", "grpo"])
@pytest.mark.parametrize("kind", ["group", "trajectory_id", "sequence_id"])
def test_a_shared_name_is_a_leak_of_its_kind(kind: str, side: str) -> None:
    word = kind.removesuffix("_id")
    items = planted(**{kind: f"{side} {word} 0"})
    (leak,) = find_leaks(items, looks_of(items), BELOW)
    assert leak.kind == kind
    assert (leak.test_item, leak.train_item) == ("test-1", f"{side}-0")
    assert leak.what == f"{side} {word} 0"


def test_one_item_on_both_sides_is_a_leak() -> None:
    items = planted(item_id="sft-0")
    (leak,) = find_leaks(items, looks_of(items), BELOW)
    assert (leak.kind, leak.what) == ("item_id", "sft-0")


@pytest.mark.parametrize("side", ["sft", "grpo"])
def test_the_same_picture_is_a_leak(side: str) -> None:
    picture = f"{side} picture 01"
    items = planted(shown=("test picture 10", picture))
    (leak,) = find_leaks(items, looks_of(items), BELOW)
    assert leak.kind == "picture"
    assert (leak.test_item, leak.train_item, leak.what) == ("test-1", f"{side}-0", picture)


@pytest.mark.parametrize("quality", [80, 95])
def test_a_picture_saved_again_as_jpeg_is_a_leak(quality: int) -> None:
    image = scene(size=(320, 240))
    original, again = png(image), jpeg(image, quality)
    names = {n: sha256_bytes(data) for n, data in (("old", original), ("new", again))}
    assert names["old"] != names["new"]
    items = planted(shown=("test picture 10", names["new"]))
    items[0] = dataclasses.replace(items[0], shown=(names["old"],))
    looks = looks_of(items)
    looks[names["old"]] = signature(decode_image(original))
    looks[names["new"]] = signature(decode_image(again))
    (leak,) = find_leaks(items, looks, BELOW)
    assert leak.kind == "near-duplicate"
    assert (leak.test_item, leak.train_item) == ("test-1", "sft-0")
    assert leak.what == f"{names['new'][:12]} ~ {names['old'][:12]}"


@pytest.mark.parametrize(("changed", "leaks"), [(3, 1), (4, 0)])
def test_the_threshold_of_near_duplicates_is_that_of_the_config(changed: int, leaks: int) -> None:
    items = clean_items()
    looks = looks_of(items)
    other = looks["sft picture 00"].copy()
    other.reshape(-1, 3)[:changed] = 255 - np.round(other.reshape(-1, 3)[:changed] / 255) * 255
    looks["test picture 00"] = other
    assert change(other, looks["sft picture 00"]) == changed / 1024
    assert len(find_leaks(items, looks, BELOW)) == leaks


def test_all_leaks_are_found_at_once() -> None:
    items = planted(group="sft group 0", trajectory_id="grpo trajectory 1", shown=("grpo picture 12",))
    looks = looks_of(items)
    looks["test picture 00"] = looks["sft picture 10"]
    assert Counter(leak.kind for leak in find_leaks(items, looks, BELOW)) == {
        "group": 1,
        "trajectory_id": 1,
        "picture": 1,
        "near-duplicate": 1,
    }


def test_a_leak_stops_the_build_and_names_the_offenders() -> None:
    items = planted(group="grpo group 1", shown=("sft picture 02",))
    with pytest.raises(LeakError) as caught:
        refuse_leaks(find_leaks(items, looks_of(items), BELOW))
    text = str(caught.value)
    assert caught.value.exit_code == 17
    assert "{'group': 1, 'picture': 1}" in text
    assert "group grpo group 1: test-1 (test) and grpo-1" in text
    assert "picture sft picture 02: test-1 (test) and sft-0" in text
    assert "more" not in text
    assert "synthesize.splits.near_duplicates=drop" in text


def test_a_flood_of_leaks_is_cut_but_counted() -> None:
    items = clean_items()
    many = tuple(f"p{k}" for k in range(SHOWN + 5))
    items[0] = dataclasses.replace(items[0], shown=many)
    items[-1] = dataclasses.replace(items[-1], shown=many)
    with pytest.raises(LeakError) as caught:
        refuse_leaks(find_leaks(items, looks_of(items), BELOW))
    assert f"'picture': {SHOWN + 5}" in str(caught.value)
    assert str(caught.value).count("(test) and") == SHOWN
    assert "and 5 more" in str(caught.value)


def test_what_assign_and_drop_leave_has_no_leak() -> None:
    """Splits and leak check share no code: what the one makes, the other one finds clean."""
    made = sequences_of(12)
    looks = {f: random_look(f) for s in made for f in frame_ids(s)}
    splits = assign(made, CONFIG, 0)
    by_split: dict[str, list[Sequence]] = defaultdict(list)
    for s in made:
        by_split[splits[s.group]].append(s)
    looks[by_split["test"][0].frames[0].frame_id] = looks[by_split["sft"][0].frames[0].frame_id]
    looks[by_split["test"][1].outside[0].frame_id] = looks[by_split["grpo"][0].frames[1].frame_id]

    def items_from(chosen: list[Sequence]) -> list[Item]:
        return [
            make_item(
                item_id=s.sequence_id,
                split=splits[s.group],
                group=s.group,
                trajectory_id=s.trajectory_id,
                sequence_id=s.sequence_id,
                shown=tuple(frame_ids(s)),
            )
            for s in chosen
        ]

    assert len(find_leaks(items_from(made), looks, BELOW)) == 2
    kept, dropped = drop_near_duplicates(made, splits, looks, BELOW)
    assert dropped == 1
    assert find_leaks(items_from(kept), looks, BELOW) == []
