"""The right picture does not stand out by how like the given ones it is, nor the right order by its path."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from tests.unit.builders import random_look
from tpru.synthesis.likeness import PLACES, WRONG, Likeness
from tpru.trajectories.signature import Signature

GIVEN = ["g0", "g1", "g2"]
CANDIDATES = [f"c{k}" for k in range(9)]
DRAWS = 400


def flat(value: int) -> Signature:
    return np.full((32, 32, 3), value, dtype=np.uint8)


def blend(a: Signature, b: Signature, share: float) -> Signature:
    """Picture a with a share of picture b in it."""
    return np.round((1 - share) * a + share * b).astype(np.uint8)


@dataclass(frozen=True)
class Table:
    """Three given pictures of one scene, the right one, and candidates; all of them blends with noise."""

    looks: dict[str, Signature]

    @property
    def likeness(self) -> Likeness:
        return Likeness(self.looks)


def table(number: int, right: float, candidates: list[float]) -> Table:
    """``right`` and ``candidates`` say how much noise is in a picture of the scene."""
    scene = random_look(f"scene {number}")
    shares = {"right": right, **dict(zip(CANDIDATES, candidates, strict=True)), **dict.fromkeys(GIVEN, 0.1)}
    return Table({k: blend(scene, random_look(f"{number}/{k}"), s) for k, s in shares.items()})


SPREAD = [0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
NO_COSTS = np.zeros(len(CANDIDATES))


def place(likeness: Likeness, right: str, wrong: list[str], kind: int) -> int:
    """How many wrong pictures are nearer to the given ones than the right one, in the mean."""
    d = likeness.between([right, *wrong, *GIVEN])[kind]
    means = d[: 1 + len(wrong), 1 + len(wrong) :].mean(axis=1)
    return int((means[1:] < means[0]).sum())


# Distances.


def test_distances_are_symmetric_and_zero_to_itself() -> None:
    looks = {name: random_look(name) for name in "abcd"}
    made = Likeness(looks).between(list("abca"))
    assert len(made) == 2
    for d in made:
        assert d.shape == (4, 4)
        np.testing.assert_array_equal(d, d.T)
        assert (np.diag(d) == 0).all()
        assert d[0, 3] == 0
        assert (d[np.triu_indices(3, 1)] > 0).all()


def test_distances_do_not_depend_on_the_other_pictures_known() -> None:
    looks = {f"p{k}": random_look(f"p{k}") for k in range(600)}  # more than are described at once
    few = Likeness({k: looks[k] for k in ("p3", "p590")})
    many = Likeness(dict(reversed(looks.items())))
    for a, b in zip(few.between(["p3", "p590"]), many.between(["p3", "p590"]), strict=True):
        np.testing.assert_array_equal(a, b)


# The choice of wrong pictures.


def test_three_wrong_pictures_and_a_fourth_all_different() -> None:
    made = 0
    for number in range(30):
        rng = np.random.default_rng(number)
        chosen = table(number, 0.3, SPREAD).likeness.choose("right", GIVEN, CANDIDATES, NO_COSTS, rng)
        if chosen is None:
            continue
        wrong, fourth = chosen
        assert len(wrong) == WRONG
        assert len({*wrong, fourth}) == WRONG + 1
        assert {*wrong, fourth} <= set(CANDIDATES)
        made += 1
    assert made > 15


def test_the_choice_depends_on_the_pictures_and_the_generator_alone() -> None:
    likeness = table(0, 0.3, SPREAD).likeness
    draws = [
        [likeness.choose("right", GIVEN, CANDIDATES, NO_COSTS, np.random.default_rng(k)) for k in range(12)]
        for _ in range(2)
    ]
    assert draws[0] == draws[1]
    assert len({str(d) for d in draws[0]}) > 3


def test_four_candidates_are_enough() -> None:
    looks = table(1, 0.4, SPREAD).looks
    found = [
        Likeness(looks).choose("right", GIVEN, CANDIDATES[1:5], np.zeros(4), np.random.default_rng(k))
        for k in range(10)
    ]
    assert any(found)
    for chosen in found:
        if chosen:
            assert {*chosen[0], chosen[1]} == set(CANDIDATES[1:5])


def test_where_every_candidate_is_further_away_few_items_are_made() -> None:
    """The right picture may then only be the nearest, so it is shown as rarely as that is wanted."""
    made = 0
    for number in range(DRAWS):
        likeness = table(number % 5, 0.12, [s + 0.1 for s in SPREAD[1:]] + [1.0]).likeness
        made += (
            likeness.choose("right", GIVEN, CANDIDATES, NO_COSTS, np.random.default_rng(number)) is not None
        )
    assert made / DRAWS == pytest.approx(PLACES[0], abs=0.08)


@cache
def ranked() -> list[tuple[int, int]]:
    """Places of the right picture by both kinds of descriptor, in many items of many scenes."""
    out = []
    for number in range(DRAWS):
        likeness = table(number, float(np.random.default_rng(number).choice(SPREAD[2:6])), SPREAD).likeness
        chosen = likeness.choose("right", GIVEN, CANDIDATES, NO_COSTS, np.random.default_rng(number))
        if chosen:
            out.append((place(likeness, "right", chosen[0], 0), place(likeness, "right", chosen[0], 1)))
    assert len(out) > DRAWS / 2
    return out


@pytest.mark.parametrize("kind", [0, 1], ids=["colours", "edges"])
def test_the_right_picture_is_the_nearest_no_more_often_than_another_one(kind: int) -> None:
    places = [pair[kind] for pair in ranked()]
    assert places.count(0) / len(places) < 0.30


@pytest.mark.parametrize("kind", [0, 1], ids=["colours", "edges"])
def test_no_place_of_the_right_picture_gives_it_away(kind: int) -> None:
    places = [pair[kind] for pair in ranked()]
    assert set(places) == set(range(WRONG + 1))
    assert max(places.count(k) for k in range(WRONG + 1)) / len(places) < 0.5


def test_a_picture_that_costs_is_taken_only_where_it_helps() -> None:
    free, dear = 0, 0
    for number in range(60):
        likeness = table(number, 0.35, SPREAD).likeness
        costs = np.array([4.0 if k % 2 else 0.0 for k in range(len(CANDIDATES))])
        for c in (NO_COSTS, costs):
            chosen = likeness.choose("right", GIVEN, CANDIDATES, c, np.random.default_rng(number))
            odd = sum(int(name[1:]) % 2 for name in chosen[0]) if chosen else 0
            free, dear = (free + odd, dear) if c is NO_COSTS else (free, dear + odd)
    assert dear < free / 2


# Paths through the pictures.

# Colours of four levels: the histograms of any two differ equally, the colours themselves do not.
LEVELS = {name: flat(value) for name, value in zip("abcd", (32, 96, 160, 224), strict=True)}


@pytest.mark.parametrize(
    ("orders", "shorter"),
    [
        (["4321"], 0.5),  # the way back is as long as the way there
        (["1324"], 0.25),  # longer by colours, as long by histograms
        (["1324", "2413", "4321"], 0.25 + 0.25 + 0.5),
        ([], 0.0),
    ],
)
def test_shorter_ways_are_counted_and_ties_by_half(orders: list[str], shorter: float) -> None:
    assert Likeness(LEVELS).shorter(list("abcd"), "1234", orders) == pytest.approx(shorter)


def test_a_way_that_is_shorter_than_the_right_one_counts_whole() -> None:
    # Time goes a c b d: 1234 is shown in that order, and 1324 goes straight through the colours.
    assert Likeness(LEVELS).shorter(list("acbd"), "1234", ["1324"]) == pytest.approx(0.75)


def test_the_labels_of_the_order_do_not_matter() -> None:
    assert Likeness(LEVELS).shorter(list("acbd"), "3142", ["3412"]) == pytest.approx(0.75)
    assert Likeness(LEVELS).shorter(list("abcd"), "DBCA", ["ACBD"]) == pytest.approx(0.5)


def test_a_way_that_nothing_beats_gives_the_order_away() -> None:
    assert Likeness(LEVELS).gives_away(list("abcd"))
    assert Likeness(LEVELS).gives_away(list("dcba")), "the way back is as long"
    # By colours a c b d is a detour, by histograms it is as short as any.
    assert not Likeness(LEVELS).gives_away(list("acbd"))
