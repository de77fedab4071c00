"""AndroidControl as it is published: GZIP TFRecord files with one Example per episode.

An action happens between two screens, so its text belongs to the one that follows it. Screens and actions
are those of the file; the accessibility trees beside them are not read.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from tpru.errors import EmptySourceError, ManifestError, TooShortError
from tpru.records import SCENARIOS, Media, Step, Trajectory
from tpru.trajectories.source_data import SourceData, SourceTrajectory
from tpru.trajectories.sources.action_words import ninth, typed
from tpru.trajectories.sources.public_data import LeftOut, check_picture, read_split, shard_files, taken
from tpru.trajectories.sources.reading import same_words
from tpru.trajectories.tfrecord import Example, parse_example, read_records

KEYS = (
    "episode_id",
    "goal",
    "screenshots",
    "screenshot_widths",
    "screenshot_heights",
    "actions",
    "step_instructions",
)
PLAIN = {"navigate_home": "went to the home screen", "navigate_back": "went back"}
AT_A_POINT = {"click": "clicked", "long_press": "long-pressed"}


@dataclass(frozen=True)
class AndroidControlConfig:
    """A folder of shards; ``max_episodes`` 0 takes all.

    ``split_file`` "" takes every episode, else those that this JSON file lists under ``split``. ``texts``
    says what the texts of steps are made from. ``group`` says what stays on one side of a split.
    ``skip_short`` leaves out episodes of fewer than two screens, which are refused otherwise.
    """

    name: str
    path: str
    licence: str
    split_file: str = ""
    split: str = "train"
    texts: Literal["actions", "instructions"] = "actions"
    scenario: str = "gui"
    citation: str = ""
    max_episodes: int = 0
    group: Literal["goal", "app", "episode"] = "goal"
    skip_short: bool = False


def read(config: AndroidControlConfig) -> SourceData:
    """Read the episodes in the order of the shards; memory holds one episode at a time.

    Raises:
        EmptySourceError: the folder has no shards; when read: no episode is of the split.
        ManifestError: the split is not there; when read: an episode lacks something, its lists do not fit
            each other, or its id stands twice.
        CorruptMediaError: when read: a shard is damaged or cut, or a screen is no picture.
        TooShortError: when read: an episode has fewer than two screens.
    """
    if config.scenario not in SCENARIOS:
        raise ManifestError(f"the scenario is {config.scenario!r}; expected one of {SCENARIOS}")
    wanted = read_split(config.split_file, config.split)
    episodes = _Episodes(config, tuple(shard_files(Path(config.path))), wanted)
    return SourceData(episodes, config.licence, config.citation)


@dataclass(frozen=True)
class _Episodes:
    """The episodes, read anew each time they are gone through."""

    config: AndroidControlConfig
    shards: tuple[Path, ...]
    wanted: frozenset[str] | None

    def __iter__(self) -> Iterator[SourceTrajectory]:
        left = LeftOut(self.config.name)
        if not (yield from taken(self._found(left), self.config.max_episodes, left)):
            of = f" of the split {self.config.split!r}" if self.config.split_file else ""
            raise EmptySourceError(
                f"{self.config.path} gave no episode{of} of at least two screens; add shards, or correct "
                "path and split_file"
            )

    def _found(self, left: LeftOut) -> Iterator[SourceTrajectory | None]:
        places: dict[int, str] = {}
        for example in self._examples():
            number = example.number("episode_id")
            if self.wanted is not None and str(number) not in self.wanted:
                continue
            other = places.setdefault(number, example.where)
            if other != example.where:
                raise ManifestError(
                    f"{example.where} is episode {number}, as {other} is; remove one of the two files"
                )
            yield _trajectory(self.config, number, example, left)

    def _examples(self) -> Iterator[Example]:
        for path in self.shards:
            for record in read_records(path):
                yield parse_example(record, frozenset(KEYS))


def _trajectory(
    config: AndroidControlConfig, number: int, example: Example, left: LeftOut
) -> SourceTrajectory | None:
    screens = tuple(example.blobs("screenshots"))
    if len(screens) < 2:
        if not config.skip_short:
            raise TooShortError(
                f"{example.where}, episode {number}, has {len(screens)} screenshot(s); at least 2 are "
                "needed: set skip_short=true to leave out such episodes"
            )
        left.reasons["fewer than two screens"] += 1
        return None
    goal = example.text("goal")
    if not goal:
        raise ManifestError(f"{example.where}, episode {number}: the goal is empty; expected a text")
    for index, data in enumerate(screens):
        check_picture(data, f"{example.where}, episode {number}: screenshot {index}")
    actions = _actions(example, len(screens))
    trajectory_id = f"{config.name}-{number:06d}"
    groups = {"goal": same_words(goal), "app": _app(actions) or same_words(goal), "episode": trajectory_id}
    steps = _instructed(example, actions) if config.texts == "instructions" else _acted(example, actions)
    trajectory = Trajectory(
        trajectory_id=trajectory_id,
        scenario=config.scenario,  # type: ignore[arg-type]  # checked in read()
        source=config.name,
        licence=config.licence,
        goal=goal,
        group=groups[config.group],
        media=Media("embedded", len(screens)),
        steps=steps,
    )
    return SourceTrajectory(trajectory, screens)


def _expect_length(example: Example, key: str, found: int, expected: int) -> None:
    if found != expected:
        raise ManifestError(f"{example.where}: {key!r} has {found} values, expected {expected}")


def _actions(example: Example, n_screens: int) -> list[dict[str, Any]]:
    texts = example.blobs("actions")
    _expect_length(example, "actions", len(texts), n_screens - 1)
    actions = []
    for index, text in enumerate(texts):
        try:
            action = json.loads(text)
        except ValueError as error:
            raise ManifestError(f"{example.where}: action {index} is no JSON ({error})") from error
        if not isinstance(action, dict) or not isinstance(action.get("action_type"), str):
            raise ManifestError(
                f"{example.where}: action {index} is {action!r}; expected an object with an action_type"
            )
        actions.append(action)
    return actions


def _app(actions: list[dict[str, Any]]) -> str:
    """The app that is opened first, as the key of a group; empty where none is."""
    names = (str(a.get("app_name") or "") for a in actions if a["action_type"] == "open_app")
    first = next(names, "")
    return f"app {same_words(first)}" if first else ""


def _instructed(example: Example, actions: list[dict[str, Any]]) -> tuple[Step, ...]:
    """What people wrote, at the screen after the last action of each step.

    A step of several actions repeats its text for each of them.
    """
    texts = example.texts("step_instructions")
    _expect_length(example, "step_instructions", len(texts), len(actions))
    ends = [*(a != b for a, b in pairwise(texts)), True]
    said = zip(texts, ends, strict=True)
    return tuple(Step(i, text.rstrip(".")) for i, (text, end) in enumerate(said, 1) if text and end)


def _acted(example: Example, actions: list[dict[str, Any]]) -> tuple[Step, ...]:
    """What was done, at the screen after each action; nothing for waiting."""
    sizes = [example.numbers(key) for key in ("screenshot_widths", "screenshot_heights")]
    for key, values in zip(("screenshot_widths", "screenshot_heights"), sizes, strict=True):
        _expect_length(example, key, len(values), len(actions) + 1)
    texts = (_clause(a, w, h) for a, w, h in zip(actions, *(values[:-1] for values in sizes), strict=True))
    return tuple(Step(frame, text) for frame, text in enumerate(texts, 1) if text)


def _clause(action: dict[str, Any], width: int, height: int) -> str:
    """An action as a clause; empty for waiting and what is not known."""
    kind = action["action_type"]
    if kind in AT_A_POINT:
        where = _place(action, width, height)
        return f"{AT_A_POINT[kind]} at the {where} of the screen" if where else AT_A_POINT[kind]
    if kind == "scroll":
        return f"scrolled {action['direction']}" if action.get("direction") else "scrolled"
    if kind == "open_app":
        name = " ".join(str(action.get("app_name") or "").split())
        return f"opened {name}" if name else "opened an app"
    if kind in ("input_text", "type"):
        text = typed(str(action.get("text") or ""))
        return f"{text} and pressed Enter" if text and kind == "type" else text
    return PLAIN.get(kind, "")


def _place(action: dict[str, Any], width: int, height: int) -> str:
    try:
        return ninth(float(action["x"]) / width, float(action["y"]) / height)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return ""
