"""The description that is true and the one that must contradict the pictures."""

import re
from itertools import pairwise
from typing import Any

import pytest

from tests.unit.builders import make_sequence
from tpru.config.compose import compose
from tpru.config.schema import DescribeConfig
from tpru.errors import ConfigError
from tpru.records import SCENARIOS, Sequence
from tpru.synthesis.captions import phrase, template_captions

CONFIG = compose("demo", ["describe.detail=goal"]).describe
GOALS = [
    ("stack", "stack the red cube on the blue cube"),
    ("stack", "stack the green cube on the red cube"),
    ("push", "push the yellow box to the right side"),
    ("sort", "sort all balls into their bins"),
]


def config(**changes: Any) -> DescribeConfig:
    return DescribeConfig(**{**CONFIG.model_dump(), **changes})


def told(goals: list[tuple[str, str]], scenario: Any = "robot") -> list[Sequence]:
    return [
        make_sequence(f"{scenario}/{i}", family=family, goal=goal, scenario=scenario)
        for i, (family, goal) in enumerate(goals)
    ]


def goal_of(caption: str) -> str:
    found = re.fullmatch(r"These (?:pictures|screens) show this task: (.*?)\.(?: Step by .*)?", caption)
    assert found, caption
    return found.group(1)


def overlap(a: str, b: str) -> float:
    left, right = set(a.split()), set(b.split())
    return len(left & right) / min(len(left), len(right))


@pytest.mark.parametrize("seed", range(8))
def test_the_negative_comes_from_another_family(seed: int) -> None:
    sequences = told(GOALS)
    for sequence, caption in zip(sequences, template_captions(sequences, CONFIG, seed), strict=True):
        assert caption.sequence_id == sequence.sequence_id
        assert goal_of(caption.positive) == sequence.goal
        families = {family for family, goal in GOALS if goal == goal_of(caption.negative)}
        assert families
        assert sequence.family not in families


@pytest.mark.parametrize("seed", range(8))
def test_without_families_the_negative_has_mostly_other_words(seed: int) -> None:
    sequences = told([("", goal) for _, goal in GOALS])
    for sequence, caption in zip(sequences, template_captions(sequences, CONFIG, seed), strict=True):
        negative = goal_of(caption.negative)
        assert negative in {goal for _, goal in GOALS}
        assert overlap(negative, sequence.goal) < 0.5


def test_the_negatives_of_many_sequences_differ() -> None:
    sequences = told(GOALS * 5)
    stacks = [
        goal_of(c.negative)
        for s, c in zip(sequences, template_captions(sequences, CONFIG, 0), strict=True)
        if s.family == "stack"
    ]
    assert set(stacks) == {GOALS[2][1], GOALS[3][1]}


def test_a_goal_of_another_scenario_is_never_taken() -> None:
    sequences = told(GOALS) + told([("clock", "set an alarm"), ("shop", "order two pizzas")], "gui")
    captions = template_captions(sequences, CONFIG, 0)
    for sequence, caption in zip(sequences, captions, strict=True):
        same = {s.goal for s in sequences if s.scenario == sequence.scenario}
        assert goal_of(caption.negative) in same - {sequence.goal}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_single_goal_falls_back_to_the_other_actions(scenario: Any) -> None:
    (caption,) = template_captions(told([("x", "juggle")], scenario), CONFIG, 0)
    assert goal_of(caption.negative) in CONFIG.other_actions[scenario]


@pytest.mark.parametrize("family", ["", "tower"])
def test_goals_of_one_activity_alone_fall_back_too(family: str) -> None:
    same = [(family, "stack the red cube on the blue cube"), (family, "stack the red cube on it")]
    for caption in template_captions(told(same), CONFIG, 0):
        assert goal_of(caption.negative) in CONFIG.other_actions["robot"]


def test_an_other_action_that_says_the_same_is_not_taken() -> None:
    actions = {"robot": ("stack the red cube on the blue cube", "fold the towel")}
    for seed in range(6):
        (caption,) = template_captions(
            told([("", "Stack the red cube on the blue one.")]), config(other_actions=actions), seed
        )
        assert goal_of(caption.negative) == "fold the towel"


@pytest.mark.parametrize("actions", [{}, {"robot": ()}, {"robot": ("Juggle!",)}, {"gui": ("a b",)}])
def test_no_other_action_at_all_is_an_error_that_names_the_key(actions: Any) -> None:
    with pytest.raises(ConfigError, match=r"describe\.other_actions\.robot"):
        template_captions(told([("", "juggle")]), config(other_actions=actions), 0)


@pytest.mark.parametrize("detail", ["goal", "steps"])
def test_captions_depend_on_the_sequences_and_the_seed_alone(detail: str) -> None:
    sequences = told(GOALS * 3)
    made = template_captions(sequences, config(detail=detail), 0)
    assert template_captions(sequences, config(detail=detail), 0) == made
    assert template_captions(sequences, config(detail=detail), 1) != made


def test_captions_of_goals_do_not_depend_on_the_order_of_the_sequences() -> None:
    sequences = told(GOALS * 3)
    assert template_captions(sequences[::-1], CONFIG, 0) == template_captions(sequences, CONFIG, 0)[::-1]


@pytest.mark.parametrize("detail", ["goal", "steps"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_both_captions_begin_alike_and_have_one_form(detail: str, scenario: Any) -> None:
    noun = "screens" if scenario == "gui" else "pictures"
    for caption in template_captions(told(GOALS, scenario), config(detail=detail), 0):
        for text in (caption.positive, caption.negative):
            assert text.startswith(f"These {noun} show this task: ")
            assert text.endswith(".")
            assert ("Step by step: " in text) == (detail == "steps")
        assert caption.positive != caption.negative


def test_steps_are_told_in_order_and_those_of_the_negative_belong_to_its_goal() -> None:
    sequences = told(GOALS[1:])
    for sequence, caption in zip(
        sequences, template_captions(sequences, config(detail="steps"), 0), strict=True
    ):
        steps = [f.step for f in sequence.frames]
        places = [caption.positive.index(step) for step in steps]
        assert all(a < b for a, b in pairwise(places))
        (other,) = [s for s in sequences if s.goal == goal_of(caption.negative)]
        assert other.family != sequence.family
        assert all(f.step in caption.negative for f in other.frames)


def test_steps_without_text_are_left_out() -> None:
    sequences = [make_sequence(f"robot/{i}", goal=g, steps=False) for i, (_, g) in enumerate(GOALS)]
    for caption in template_captions(sequences, config(detail="steps"), 0):
        assert "Step by step" not in caption.positive


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ("Stack the cubes.", "stack the cubes"),
        ("stack  the\n cubes ;", "stack the cubes"),
        ("GUI test", "GUI test"),
        ("USB-stick holen!", "USB-stick holen"),
        ("Öffne die Tür", "öffne die Tür"),
        ("3 cubes", "3 cubes"),
        ("go", "go"),
    ],
)
def test_a_goal_stands_inside_a_sentence(goal: str, said: str) -> None:
    assert phrase(goal) == said
