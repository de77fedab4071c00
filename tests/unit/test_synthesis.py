"""Items: every question has exactly one right answer, and nothing but the pictures gives it away."""

import dataclasses
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from tests.unit.builders import key_frames, make_caption, make_sequence, random_look
from tpru.config.compose import compose
from tpru.config.schema import SynthesizeConfig
from tpru.evaluation.consistency import verdict
from tpru.evaluation.parsing import option_letters, parse_answer, well_formed
from tpru.records import LETTERS, NONE_OPTION, SCENARIOS, TASKS, Caption, Item, Prediction, Sequence, Split
from tpru.synthesis.build import Build, build, negative_kind
from tpru.synthesis.difficulty import order_difficulty
from tpru.synthesis.likeness import Likeness
from tpru.synthesis.splits import assign, frame_ids
from tpru.synthesis.wording import blocks, completion
from tpru.trajectories.signature import Signature, change

# Pinned, so that tuning conf/ does not change what the tests count.
CONFIG = compose(
    "demo",
    [
        "synthesize.items_per_sequence={reordering: 2, next_frame: 2, previous_frame: 2}",
        "synthesize.negatives={caption: 0.1, withheld: 0.1}",
        "synthesize.permutation_answer_share=0.5",
        "synthesize.splits={sft: 0.4, grpo: 0.4, test: 0.2, near_duplicate_change: 0.003}",
        "synthesize.max_pictures=9",
        "synthesize.max_tokens=2048",
        "synthesize.max_test_items=0",
    ],
).synthesize
SAME = CONFIG.splits.near_duplicate_change


def config(**changes: Any) -> SynthesizeConfig:
    return SynthesizeConfig(**{**CONFIG.model_dump(), **changes})


@dataclass(frozen=True)
class World:
    """Sequences with everything that a build reads, and where every picture comes from."""

    sequences: tuple[Sequence, ...]
    captions: dict[str, Caption]
    splits: dict[str, Split]
    looks: dict[str, Signature]

    def build(self, wanted: SynthesizeConfig, seed: int = 0, **changes: Any) -> Build:
        values: dict[str, Any] = {"count_tokens": lambda item: 100, **changes}
        return build(list(self.sequences), self.captions, self.splits, self.looks, wanted, seed, **values)

    def sequence(self, item: Item) -> Sequence:
        (found,) = [s for s in self.sequences if s.sequence_id == item.sequence_id]
        return found


def make_world(n_frames: int = 4, groups: int = 6, scenarios: int = 4, total: int = 12) -> World:
    """Per scenario: groups of two trajectories, two sequences each, in two families.

    The second trajectory of a group repeats every second look of the first one in other bytes:
    distractors that are really the right picture. It is shorter, so that it lacks distractors itself.
    Each sequence has two pictures of what was not done.
    """
    sequences: list[Sequence] = []
    looks: dict[str, Signature] = {}
    for scenario in SCENARIOS[:scenarios]:
        for group in range(groups):
            for twin in range(2):
                name = f"{scenario}/{group:02d}{'ab'[twin]}"
                for first in (2, 4):
                    s = make_sequence(
                        name,
                        first,
                        n_frames,
                        total - 3 * twin,
                        scenario=scenario,
                        group=f"{scenario}-{group}",
                        family=f"family {group % 2}",
                        goal=f"do the thing number {group}",
                        alternatives=2,
                    )
                    sequences.append(s)
                    for frame in (*s.frames, *s.outside):
                        shared = twin and (frame.index // 2) % 2
                        like = f"{scenario}/{group:02d}a" if shared else name
                        looks[frame.frame_id] = random_look(f"{like}@{frame.index}")
                    looks |= {f.frame_id: random_look(f.frame_id) for f in s.alternatives}
    captions = {s.sequence_id: make_caption(s) for s in sequences}
    return World(tuple(sequences), captions, assign(sequences, CONFIG.splits, 0), looks)


@cache
def world() -> World:
    return make_world()


@cache
def small() -> World:
    return make_world(groups=3)


MANY = config(
    items_per_sequence={"reordering": 3, "next_frame": 3, "previous_frame": 3},
    negatives={"caption": 0.2, "withheld": 0.2},
)


@cache
def items() -> tuple[Item, ...]:
    return world().build(MANY).items


def chosen(**wanted: Any) -> list[Item]:
    """Items with the given values; there must be some."""
    found = [i for i in items() if all(getattr(i, k) == v for k, v in wanted.items())]
    assert found, wanted
    return found


def option_at(item: Item, letter: str) -> Any:
    (found,) = [o for o in item.options if o.letter == letter]
    return found


def none_letter(item: Item) -> str:
    (found,) = [o.letter for o in item.options if o.kind == "none"]
    return found


def asked(item: Item) -> int:
    """Position of the frame that a choice item asks for."""
    return 0 if item.task == "previous_frame" else len(world().sequence(item).frames) - 2


def missing(item: Item) -> str:
    """What the frame shows that a choice item asks for."""
    return world().sequence(item).frames[asked(item)].step


def right_frame(item: Item) -> str:
    return world().sequence(item).frames[asked(item)].frame_id


def given_pictures(item: Item) -> tuple[str, ...]:
    """The pictures of the question, before the options."""
    pictures = sum(o.kind == "image" for o in item.options)
    return item.shown[: len(item.shown) - pictures]


def option_pictures(item: Item) -> list[str]:
    return [o.content for o in item.options if o.kind == "image"]


CHOICE = ("next_frame", "previous_frame")
UNFAIR = "no_fair_distractors"


def test_every_sequence_gives_the_items_asked_for() -> None:
    made = world().build(MANY)
    counts = Counter((i.sequence_id, i.task) for i in made.items)
    assert {counts[(s.sequence_id, "reordering")] for s in world().sequences} == {3}
    assert max(counts.values()) == 3
    # Where no three wrong pictures are fair, there is no item, and it is counted.
    assert set(made.dropped) == {UNFAIR}
    assert len(made.items) + made.dropped[UNFAIR] == 3 * len(TASKS) * len(world().sequences)
    assert made.dropped[UNFAIR] < len(made.items)
    assert len({i.item_id for i in made.items}) == len(made.items)
    assert {i.negative_kind for i in made.items} == {"", "caption", "withheld"}


def test_items_carry_where_they_come_from() -> None:
    for item in items():
        s = world().sequence(item)
        assert item.split == world().splits[s.group]
        for name in ("scenario", "source", "licence", "family", "group", "trajectory_id", "level"):
            assert getattr(item, name) == getattr(s, name)
        assert item.is_negative == bool(item.negative_kind)


# Letters and options.


@pytest.mark.parametrize("seed", range(3))
def test_answer_letters_are_balanced_to_within_one(seed: int) -> None:
    decks: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for item in world().build(MANY, seed).items:
        if item.options:
            kinds = {o.kind for o in item.options} - {"none"}
            decks[(item.split, item.task, *kinds, item.negative_kind)][item.answer] += 1
    # Three splits, three tasks (of reordering the form with options), three kinds of item.
    assert len(decks) == 27
    for key, letters in decks.items():
        counts = [letters[letter] for letter in LETTERS[:5]]
        assert max(counts) - min(counts) <= 1, (key, letters)


def test_the_letter_that_gets_one_more_is_not_always_the_first() -> None:
    lone = make_world(scenarios=1, groups=3)
    ones = config(
        items_per_sequence={"reordering": 0, "next_frame": 1, "previous_frame": 0},
        negatives={"caption": 0.0, "withheld": 0.0},
    )
    extra = set()
    for seed in range(12):
        counts = Counter(i.answer for i in lone.build(ones, seed).items if i.split == "test")
        extra |= {letter for letter, n in counts.items() if n == max(counts.values(), default=0)}
    assert extra == set("ABCDE")


def test_five_options_in_order_with_exactly_one_none() -> None:
    for item in items():
        if not item.options:
            assert item.task == "reordering"
            continue
        assert option_letters(item) == "ABCDE"
        (none,) = [o for o in item.options if o.kind == "none"]
        assert none.content == NONE_OPTION
        assert len({o.content for o in item.options}) == 5
        kind = "permutation" if item.task == "reordering" else "image"
        assert [o.kind for o in item.options if o is not none] == [kind] * 4


def test_no_picture_of_an_item_looks_like_another_one() -> None:
    for item in items():
        assert len(set(item.shown)) == len(item.shown)
        for a, b in combinations(item.shown, 2):
            assert change(world().looks[a], world().looks[b]) >= SAME


def test_the_reject_option_stands_everywhere_in_answerable_items() -> None:
    places = Counter(none_letter(i) for i in chosen(negative_kind="") if i.options)
    assert set(places) == set("ABCDE")


# The right answer is right.


def in_time_order(item: Item, permutation: str) -> bool:
    """Whether the pictures, taken in the order of the labels, go forward in their trajectory."""
    labels = "12345678" if permutation.isdigit() else LETTERS
    indices = [item.order[labels.index(label)] for label in permutation]
    return len(set(permutation)) == len(item.shown) and indices == sorted(indices)


def test_the_order_that_is_right_puts_the_pictures_in_time_order() -> None:
    for item in chosen(task="reordering", negative_kind=""):
        if item.options:
            assert in_time_order(item, option_at(item, item.answer).content)
            wrong = [o.content for o in item.options if o.letter != item.answer and o.kind != "none"]
            assert not any(in_time_order(item, order) for order in wrong)
            assert {"".join(sorted(order)) for order in wrong} == {"1234"}
        else:
            assert in_time_order(item, item.answer)


def test_both_forms_of_reordering_occur_and_negatives_only_with_options() -> None:
    forms = Counter(bool(i.options) for i in chosen(task="reordering", negative_kind=""))
    assert set(forms) == {True, False}
    assert all(i.options for i in chosen(task="reordering", is_negative=True))


def test_pictures_to_reorder_are_shuffled() -> None:
    orders = {i.order for i in chosen(task="reordering")}
    shapes = {tuple(np.argsort(np.argsort(order))) for order in orders}
    assert len(shapes) > 20  # of 24


@pytest.mark.parametrize("task", CHOICE)
def test_the_option_at_the_answer_is_the_asked_frame(task: str) -> None:
    for item in chosen(task=task, negative_kind=""):
        assert option_at(item, item.answer).content == right_frame(item)


@pytest.mark.parametrize("task", CHOICE)
def test_the_given_pictures_are_the_others_in_time_order(task: str) -> None:
    for item in chosen(task=task):
        frames = world().sequence(item).frames
        expected = [f.frame_id for i, f in enumerate(frames) if i != asked(item)]
        assert list(given_pictures(item)) == expected
        text = question(item)
        places = [i + 1 for i in range(len(frames)) if i != asked(item)]
        word = "Screen" if item.scenario == "gui" else "Step"
        assert re.findall(rf"\n{word} (\d)(?: \(the goal\))?: <image>", text) == [str(i) for i in places]
        assert text.rstrip().endswith(f" is {word.lower()} {asked(item) + 1}?")
        assert ("(the goal)" in text) == (task == "next_frame")


def question(item: Item) -> str:
    """The prompt before the options, with a mark for each picture."""
    text = "".join("<image>" if b.type == "image" else b.value for b in item.prompt)
    return text.split("\nA. ")[0] if item.options else text


# Negatives.


def test_a_withheld_item_does_not_hold_what_is_right() -> None:
    for item in chosen(negative_kind="withheld"):
        assert item.answer == none_letter(item)
        if item.task == "reordering":
            orders = [o.content for o in item.options if o.kind == "permutation"]
            assert not any(in_time_order(item, order) for order in orders)
        else:
            right = world().looks[right_frame(item)]
            assert right_frame(item) not in item.shown
            for frame_id in option_pictures(item):
                assert change(right, world().looks[frame_id]) >= SAME
        assert item.caption == world().captions[item.sequence_id].positive


def test_a_caption_negative_shows_the_other_description_and_the_right_option() -> None:
    for item in chosen(negative_kind="caption"):
        caption = world().captions[item.sequence_id]
        assert item.answer == none_letter(item)
        assert item.caption == caption.negative
        assert item.prompt[0].value.startswith(caption.negative)
        assert not any(caption.positive in b.value for b in item.prompt)
        if item.task == "reordering":
            orders = [o.content for o in item.options if o.kind == "permutation"]
            assert sum(in_time_order(item, order) for order in orders) == 1
        else:
            assert right_frame(item) in option_pictures(item)


def test_an_answerable_item_shows_the_true_description() -> None:
    for item in chosen(negative_kind=""):
        caption = world().captions[item.sequence_id]
        assert item.caption == caption.positive
        assert item.prompt[0].value.startswith(caption.positive)
        assert not any(caption.negative in b.value for b in item.prompt)


@pytest.mark.parametrize(
    ("draw", "kind"),
    [(0.0, "caption"), (0.099, "caption"), (0.1, "withheld"), (0.249, "withheld"), (0.25, "")],
)
def test_kinds_follow_their_shares(draw: float, kind: str) -> None:
    assert negative_kind(config(negatives={"caption": 0.1, "withheld": 0.15}), draw) == kind


@pytest.mark.parametrize(
    ("negatives", "kinds"),
    [
        ({"caption": 0.0, "withheld": 0.0}, {""}),
        ({"caption": 1.0, "withheld": 0.0}, {"caption"}),
        ({"caption": 0.0, "withheld": 1.0}, {"withheld"}),
    ],
)
def test_the_ends_of_the_shares_are_exact(negatives: dict[str, float], kinds: set[str]) -> None:
    made = small().build(config(negatives=negatives))
    assert {i.negative_kind for i in made.items if i.task != "reordering"} == kinds


# Distractors.


def own_options(item: Item) -> list[int]:
    """Indices of the options that come from the item's own trajectory, but for the right one."""
    start = len(given_pictures(item))
    return [
        index
        for frame_id, index in zip(item.shown[start:], item.order[start:], strict=True)
        if index >= 0 and frame_id != right_frame(item)
    ]


def test_no_distractor_of_next_frame_could_stand_between_the_given_frames() -> None:
    found = 0
    for item in chosen(task="next_frame"):
        given = item.order[: len(given_pictures(item))]
        own = own_options(item)
        assert not [i for i in own if min(given) <= i <= max(given)]
        found += len(own)
    assert found


def test_no_distractor_of_previous_frame_comes_from_before_the_sequence() -> None:
    found = 0
    for item in chosen(task="previous_frame"):
        given = item.order[: len(given_pictures(item))]
        own = own_options(item)
        assert not [i for i in own if i <= max(given)]
        found += len(own)
    assert found


def wrong_pictures(item: Item) -> list[str]:
    return [f for f in option_pictures(item) if f != right_frame(item)]


def test_pictures_of_other_episodes_are_few_and_of_the_same_family() -> None:
    """Here every sequence has enough of its own, or of look-alikes, that no other family is needed."""
    origin = {f: (s.trajectory_id, s.family) for s in world().sequences for f in frame_ids(s)}
    foreign = 0
    asked_items = [*chosen(task="next_frame"), *chosen(task="previous_frame")]
    for item in asked_items:
        others = [origin[f] for f in wrong_pictures(item) if origin[f][0] != item.trajectory_id]
        assert {family for _, family in others} <= {item.family}
        foreign += len(others)
    assert 0 < foreign < 0.5 * 3 * len(asked_items)


def test_what_was_not_done_is_offered_too() -> None:
    others = {f.frame_id for s in world().sequences for f in s.alternatives}
    for task in CHOICE:
        offered = [f for item in chosen(task=task) for f in wrong_pictures(item) if f in others]
        assert offered
    for item in items():
        assert not others & set(given_pictures(item))
        assert not item.options or option_at(item, item.answer).content not in others


def test_another_family_serves_where_there_is_nothing_else() -> None:
    alone = make_sequence("robot/0", total=5, first=0, group="g0", family="stack")
    other = make_sequence("robot/1", group="g1", family="sort")
    both = (alone, other)
    only_next = config(
        items_per_sequence={"reordering": 0, "next_frame": 40, "previous_frame": 0},
        negatives={"caption": 0.0, "withheld": 0.0},
    )
    made = World(
        both,
        {s.sequence_id: make_caption(s) for s in both},
        {"g0": "test", "g1": "test"},
        {f: random_look(f) for s in both for f in frame_ids(s)},
    ).build(only_next)
    mine = [i for i in made.items if i.group == "g0"]
    assert mine
    for item in mine:
        foreign = [f for f in option_pictures(item) if f in frame_ids(other)]
        assert len(foreign) >= 2  # of the own trajectory there is one
        assert item.difficulty == round(1 - len(foreign) / 3, 3)


def spaced(first: int = 0) -> Sequence:
    """Every other key frame is shown; those in between stand outside, as extraction makes them."""
    s = make_sequence("robot/spaced", total=12, group="g")
    shown = [2 * (first + 2 * k) for k in range(4)]
    return dataclasses.replace(
        s,
        frames=key_frames(s.trajectory_id, shown),
        outside=key_frames(s.trajectory_id, (2 * i for i in range(12) if 2 * i not in shown)),
    )


@pytest.mark.parametrize(
    ("task", "allowed"),
    [
        # Shown are 4, 8, 12 and 16 of 0, 2, ..., 22. Asked is 12: 10 and 14 would stand there as well.
        ("next_frame", {0, 2, 6, 18, 20, 22}),
        # Asked is 4: whatever comes before 8 would stand there as well.
        ("previous_frame", {10, 14, 18, 20, 22}),
    ],
)
def test_a_skipped_moment_is_offered_only_where_it_is_no_second_right_answer(
    task: str, allowed: set[int]
) -> None:
    s = spaced(first=2)
    assert [f.index for f in s.frames] == [4, 8, 12, 16]
    wanted = config(
        items_per_sequence={t: 20 * (t == task) for t in TASKS}, negatives={"caption": 0.0, "withheld": 0.5}
    )
    right = s.frames[2 if task == "next_frame" else 0].frame_id
    index = {f.frame_id: f.index for f in s.outside}
    offered: set[int] = set()
    for look in range(6):
        looks = {f: random_look(f"{look}/{f}") for f in frame_ids(s)}
        made = World((s,), {s.sequence_id: make_caption(s)}, {"g": "test"}, looks).build(wanted)
        offered |= {index[f] for i in made.items for f in option_pictures(i) if f != right}
    assert offered == allowed


def test_the_difficulty_of_a_choice_is_how_close_the_wrong_pictures_are() -> None:
    origin = {f: (s.trajectory_id, s.family) for s in world().sequences for f in frame_ids(s)}
    seen = set()
    for item in [*chosen(task="next_frame"), *chosen(task="previous_frame")]:
        grades = [
            1.0 if origin[f][0] == item.trajectory_id else 0.5 if origin[f][1] == item.family else 0.0
            for f in wrong_pictures(item)
        ]
        assert item.difficulty == round(sum(grades) / len(grades), 3)
        seen.add(item.difficulty)
    assert len(seen) > 1
    assert max(seen) == 1.0


def test_the_difficulty_of_an_order_is_how_close_the_wrong_orders_are() -> None:
    for item in chosen(task="reordering"):
        assert 0.0 <= item.difficulty <= 1.0
        if not item.options:
            assert item.difficulty == 1.0
    for item in chosen(task="reordering", negative_kind="withheld"):
        wrong = [o.content for o in item.options if o.kind == "permutation"]
        right = "".join("1234"[i] for i in np.argsort(item.order))
        assert item.difficulty == round(order_difficulty(right, wrong), 3)


def test_the_origin_of_every_picture_is_recorded() -> None:
    index = {
        f.frame_id: (s.trajectory_id, f.index) for s in world().sequences for f in (*s.frames, *s.outside)
    }
    for item in items():
        assert len(item.order) == len(item.shown)
        for frame_id, place in zip(item.shown, item.order, strict=True):
            # What was not done has no place in any trajectory.
            trajectory, true_index = index.get(frame_id, ("", -1))
            assert place == (true_index if trajectory == item.trajectory_id else -1)


def test_every_picture_of_an_item_belongs_to_a_group_of_its_split() -> None:
    group = {f: s.group for s in world().sequences for f in frame_ids(s)}
    scenario = {f: s.scenario for s in world().sequences for f in frame_ids(s)}
    foreign = 0
    for item in items():
        assert {world().splits[group[f]] for f in item.shown} == {item.split}
        assert {scenario[f] for f in item.shown} == {item.scenario}
        foreign += sum(group[f] != item.group for f in item.shown)
    assert foreign  # else the first line says nothing


def test_without_distractors_there_is_no_choice_item() -> None:
    alone = make_sequence(total=4, first=0, group="g")
    lonely = World(
        (alone,),
        {alone.sequence_id: make_caption(alone)},
        {"g": "test"},
        {f: random_look(f) for f in frame_ids(alone)},
    )
    made = lonely.build(config())
    assert {i.task for i in made.items} == {"reordering"}
    assert made.dropped == {UNFAIR: 4}


@pytest.mark.parametrize("like", [0, 2, 7])
def test_pictures_that_look_alike_are_no_distractors(like: int) -> None:
    """Three of six frames outside look like a given, the asked, or another frame outside."""
    s = make_sequence(first=0, total=10, group="g")
    looks = {f: random_look(f) for f in frame_ids(s)}
    for frame in s.outside[:3]:
        looks[frame.frame_id] = looks[frame_ids(s)[like]]
    only_next = config(items_per_sequence={"reordering": 0, "next_frame": 1, "previous_frame": 0})
    made = World((s,), {s.sequence_id: make_caption(s)}, {"g": "test"}, looks).build(only_next)
    assert made.items == ()
    assert made.dropped == {UNFAIR: 1}


# Prompts and reasoning.


def test_prompts_hold_the_pictures_shown_in_order() -> None:
    for item in items():
        assert tuple(b.value for b in item.prompt if b.type == "image") == item.shown
        assert all(b.value for b in item.prompt)
        assert not any("<image>" in b.value for b in item.prompt)


def test_every_picture_stands_behind_its_label() -> None:
    for item in items():
        labels = []
        for before, block in zip(item.prompt, item.prompt[1:], strict=False):
            if block.type == "image":
                labels.append(before.value.splitlines()[-1])
        options = [f"{o.letter}. " for o in item.options if o.kind == "image"]
        assert labels[len(labels) - len(options) :] == options
        if item.task == "reordering":
            thing = "Screen" if item.scenario == "gui" else "Picture"
            known = "12345678" if item.options else LETTERS
            assert labels == [f"{thing} {known[k]}: " for k in range(len(item.shown))]


def test_options_without_pictures_are_written_behind_their_letter() -> None:
    for item in items():
        text = "".join(b.value for b in item.prompt)
        for option in item.options:
            if option.kind != "image":
                assert f"\n{option.letter}. {option.content}\n" in text


def test_the_prompt_says_how_to_answer() -> None:
    for item in items():
        asks_letter = "only the letter of your choice" in item.prompt[-1].value
        asks_order = "only the letters in order" in item.prompt[-1].value
        assert (asks_letter, asks_order) == (bool(item.options), not item.options)


def test_the_answer_is_not_in_the_prompt_but_among_the_options() -> None:
    for item in chosen(task="reordering", negative_kind=""):
        text = "".join(b.value for b in item.prompt)
        if not item.options:
            assert item.answer not in text


def test_the_reasoning_leads_to_the_answer_and_is_more_than_it() -> None:
    for item in items():
        assert "{letter}" not in item.reasoning
        assert len(item.reasoning.split()) > 5
        assert not any(f in item.reasoning for f in item.shown)
        order = item.task == "reordering"
        ending = {
            "caption": f", the description is about something else: {item.answer}.",
            "withheld": f" No option has this order: {item.answer}."
            if order
            else f" no option: {item.answer}.",
            # The order itself is spelled out: no letter is needed, and none is named.
            "": "." if order else f" {item.answer}: {missing(item)}.",
        }[item.negative_kind]
        assert item.reasoning.endswith(ending)
        thought = item.reasoning.removesuffix(ending)
        # Before its last words it names labels and steps, never an option by its letter.
        assert re.search(r"\b[A-E]\.$|\boption [A-E]\b|[<>]", thought) is None
        if item.options:
            assert re.search(r"\b[A-E]\b", thought) is None


def test_the_reasoning_names_pictures_in_the_order_of_time_each_with_its_label() -> None:
    for item in chosen(task="reordering"):
        if item.negative_kind == "caption":
            continue
        labels = "1234" if item.options else "ABCD"
        frames = world().sequence(item).frames
        places = [item.order.index(f.index) for f in frames]
        told = " ".join(f"{labels[k]}: {f.step}." for k, f in zip(places, frames, strict=True))
        assert item.reasoning.startswith(told)
        order = "".join(labels[k] for k in places)
        if not item.is_negative:
            assert item.reasoning == told
            assert order == (option_at(item, item.answer).content if item.options else item.answer)


@pytest.mark.parametrize("task", CHOICE)
def test_the_reasoning_names_what_comes_next_to_what_is_missing(task: str) -> None:
    for item in chosen(task=task):
        frames, at = world().sequence(item).frames, asked(item)
        if item.negative_kind == "caption":
            assert item.reasoning.startswith(f"At the end {frames[-1].step},")
        elif task == "next_frame":
            assert item.reasoning.startswith(f"{at}: {frames[at - 1].step}. Then ")
        else:
            assert item.reasoning.startswith(f"2: {frames[1].step}. Before it ")


def test_what_sft_teaches_is_read_as_the_right_answer() -> None:
    for item in items():
        target = completion(item.reasoning, item.answer)
        assert well_formed(target)
        assert parse_answer(target, option_letters(item), len(item.shown)) == item.answer
        assert verdict(item, Prediction(item.item_id, "", "", target, item.answer, True, 1)) != "inconsistent"


def test_frames_without_step_text_are_named_by_their_place() -> None:
    sequences = tuple(make_sequence(f"robot/{i}", group=f"g{i}", steps=False, family="f") for i in range(3))
    silent = World(
        sequences,
        {s.sequence_id: make_caption(s) for s in sequences},
        {"g0": "sft", "g1": "grpo", "g2": "test"},
        {f: random_look(f) for s in sequences for f in frame_ids(s)},
    )
    made = silent.build(config(negatives={"caption": 0.0, "withheld": 0.0}))
    assert {i.task for i in made.items} == set(TASKS)
    for item in made.items:
        assert item.negative_kind != "caption"
        told = {
            "reordering": {"the start", "moment 2", "moment 3", "the end"},
            "next_frame": {"moment 2", "moment 3"},
            "previous_frame": {"moment 2", "the start"},
        }[item.task]
        assert set(re.findall(r"the start|moment \d|the end", item.reasoning)) == told


def test_markers_and_pictures_must_match() -> None:
    with pytest.raises(ValueError, match="1 markers for 2 pictures"):
        blocks("see <image>", ["a", "b"])


# Budgets and limits.


def test_items_over_the_picture_budget_are_dropped_whole_and_counted() -> None:
    everything = small().build(config(max_pictures=7))
    assert set(everything.dropped) == {UNFAIR}
    assert max(len(i.shown) for i in everything.items) == 7
    made = small().build(config(max_pictures=6))
    assert {i.task for i in made.items} == {"reordering"}
    lost = len(everything.items) - len(made.items)
    assert made.dropped == {**everything.dropped, "over_picture_budget": lost}
    assert set(made.items) <= set(everything.items)


def test_items_over_the_token_budget_are_dropped_whole_and_counted() -> None:
    def count(item: Item) -> int:
        return 500 + (item.task == "next_frame") + (item.task == "previous_frame") * -1

    made = small().build(config(max_tokens=500), count_tokens=count)
    assert {i.task for i in made.items} == {"reordering", "previous_frame"}
    everything = small().build(config())
    lost = sum(i.task == "next_frame" for i in everything.items)
    assert made.dropped == {**everything.dropped, "over_token_budget": lost}
    assert set(made.items) <= set(everything.items)


@pytest.mark.parametrize("n_frames", range(3, 9))
def test_the_number_of_pictures_follows_the_length_of_the_sequence(n_frames: int) -> None:
    # Of eight pictures there are 40,320 orders, drawn from anew for every item: few are enough.
    each = {"reordering": 1, "next_frame": 8, "previous_frame": 8}
    long = make_world(n_frames, groups=3, scenarios=1, total=n_frames + 8)
    long = dataclasses.replace(long, sequences=long.sequences[::4])
    negatives = {"caption": 0.2, "withheld": 0.3}
    made = long.build(config(max_pictures=30, negatives=negatives, items_per_sequence=each))
    assert set(made.dropped) <= {UNFAIR}
    assert {i.task for i in made.items} == set(TASKS)
    for item in made.items:
        options = [o for o in item.options if o.kind == "image"]
        if item.task == "reordering":
            assert len(item.shown) == n_frames
            assert not item.is_negative or item.options
            assert len(item.answer) == (1 if item.options else n_frames)
        else:
            assert len(options) == 4
            assert len(item.shown) - len(options) == n_frames - 1


@pytest.mark.parametrize("most", [1, 5, 12, 13, 40, 500])
def test_the_limit_of_test_items_holds_and_spreads(most: int) -> None:
    everything = small().build(config()).items
    made = small().build(config(max_test_items=most)).items
    cells = Counter((i.task, i.scenario) for i in made if i.split == "test")
    available = Counter((i.task, i.scenario) for i in everything if i.split == "test")
    total = sum(available.values())
    assert sum(cells.values()) == min(most, total)
    for key, n in available.items():
        assert abs(cells[key] - n * min(1.0, most / total)) < 1
    assert [i for i in made if i.split != "test"] == [i for i in everything if i.split != "test"]
    assert [i for i in everything if i in set(made)] == list(made)


def test_the_limit_of_test_items_spreads_over_levels_too() -> None:
    w = small()
    tests = sorted(g for g, s in w.splits.items() if s == "test")
    level: dict[str, Any] = {g: f"L{1 + k % 3}" for k, g in enumerate(tests)}
    sequences = tuple(dataclasses.replace(s, level=level.get(s.group, "L1")) for s in w.sequences)
    levels = World(sequences, w.captions, w.splits, w.looks)
    available = Counter((i.level, i.task) for i in levels.build(config()).items if i.split == "test")
    made = levels.build(config(max_test_items=24)).items
    kept = Counter((i.level, i.task) for i in made if i.split == "test")
    assert set(kept) == set(available)
    assert len({key for key, _ in kept}) == 3
    assert sum(kept.values()) == 24


# Repeatability.


def test_a_build_does_not_depend_on_the_order_of_its_sequences() -> None:
    w = small()
    made = w.build(MANY)
    for seed in (1, 2):
        mixed = list(w.sequences)
        random.Random(seed).shuffle(mixed)
        splits = dict(sorted(w.splits.items(), reverse=bool(seed % 2)))
        looks = dict(sorted(w.looks.items()))
        assert World(tuple(mixed), w.captions, splits, looks).build(MANY) == made


def test_a_build_depends_on_its_seed() -> None:
    first, second = small().build(MANY, 0).items, small().build(MANY, 1).items
    before = {i.item_id: i for i in first}
    both = [(before[i.item_id], i) for i in second if i.item_id in before]
    # Which choice items find fair distractors is drawn too.
    assert len(both) > 0.5 * max(len(first), len(second))
    assert sum(a == b for a, b in both) < len(both) / 10


def test_items_of_one_sequence_differ() -> None:
    by_sequence: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for item in chosen(task="next_frame"):
        by_sequence[(item.sequence_id, item.task)].append((item.shown, item.answer))
    several = [values for values in by_sequence.values() if len(values) > 1]
    assert len(several) > len(world().sequences) / 4
    assert all(len(set(values)) > 1 for values in several)


def test_another_group_in_training_leaves_the_questions_of_the_others_alone() -> None:
    """Seeds come from names: only pool and deck can change, not the shuffle of a question."""
    w = small()
    added = make_sequence("robot/zz", group="robot-zz", family="family 0")
    more = World(
        (*w.sequences, added),
        {**w.captions, added.sequence_id: make_caption(added)},
        {**w.splits, "robot-zz": "sft"},
        {**w.looks, **{f: random_look(f) for f in frame_ids(added)}},
    )
    before = {i.item_id: i for i in w.build(MANY).items if i.split == "test"}
    after = {i.item_id: i for i in more.build(MANY).items if i.split == "test"}
    assert before == after


# Orders that likeness gives away.


@pytest.mark.parametrize("gives_away", [True, False])
def test_half_of_the_written_orders_that_likeness_gives_away_are_left_out(
    gives_away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Likeness, "gives_away", lambda self, frames: gives_away)
    wanted = {"reordering": 4, "next_frame": 0, "previous_frame": 0}
    made = world().build(config(items_per_sequence=wanted, permutation_answer_share=1.0))
    whole = 4 * len(world().sequences)
    if gives_away:
        assert 0.4 * whole < len(made.items) < 0.6 * whole
        assert made.dropped == {"likeness_gives_away": whole - len(made.items)}
    else:
        assert len(made.items) == whole


def test_orders_among_options_are_kept_whatever_likeness_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Likeness, "gives_away", lambda self, frames: True)
    wanted = {"reordering": 1, "next_frame": 0, "previous_frame": 0}
    made = world().build(config(items_per_sequence=wanted, permutation_answer_share=0.0))
    assert len(made.items) == len(world().sequences)
