"""Android in the Wild as it is published: GZIP TFRecord files with one Example per screen.

A record holds a screen as raw pixels, what was done on it, and which step of which episode it is. Records of
several episodes may stand among each other: an episode is given as soon as all its steps have been read,
in the order of their numbers. An action happens after its screen was taken, so its text belongs to the
next one.
"""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from PIL import Image

from tpru.errors import CorruptMediaError, EmptySourceError, ManifestError, TooShortError
from tpru.records import SCENARIOS, Media, Step, Trajectory
from tpru.trajectories.source_data import SourceData, SourceTrajectory
from tpru.trajectories.sources.action_words import ninth, typed
from tpru.trajectories.sources.public_data import LeftOut, read_split, shard_files, taken
from tpru.trajectories.sources.reading import same_words
from tpru.trajectories.tfrecord import Example, parse_example, read_records

KEYS = (
    "episode_id",
    "episode_length",
    "goal_info",
    "step_id",
    "image/encoded",
    "image/height",
    "image/width",
    "image/channels",
    "results/action_type",
    "results/type_action",
    "results/yx_touch",
    "results/yx_lift",
)
TYPE, GESTURE, IMPOSSIBLE = 3, 4, 11
BUTTONS = {5: "went back", 6: "went to the home screen", 7: "pressed Enter"}
TAP = 0.04  # farthest that a finger moves in a tap, as a share of the screen (as the authors evaluate it)
PNG_EFFORT = 1  # of 9: more than twice as fast as the default (6), for up to a third more bytes


@dataclass(frozen=True)
class AitwConfig:
    """A folder of shards of one part; ``max_episodes`` 0 takes all.

    ``split_file`` "" takes every episode, else those that this JSON file lists under ``split``. ``group``
    says what stays on one side of a split. At most ``max_waiting`` screens of unfinished episodes are held.
    ``skip_incomplete`` and ``skip_short`` leave out episodes of which a step is missing, and of fewer than
    two screens; both are refused otherwise. Episodes that ended as impossible are always left out.
    """

    name: str
    path: str
    licence: str
    split_file: str = ""
    split: str = "train"
    scenario: str = "gui"
    citation: str = ""
    max_episodes: int = 0
    group: Literal["goal", "episode"] = "goal"
    max_waiting: int = 400
    skip_incomplete: bool = False
    skip_short: bool = False


@dataclass(frozen=True)
class _Screen:
    """One step: its screen as PNG, what was done on it ("" if nothing), and where it stands."""

    picture: bytes
    text: str
    action: int
    where: str


@dataclass(frozen=True)
class _Episode:
    """What has been read of an episode: its screens by the number of their step."""

    name: str
    goal: str
    length: int
    screens: dict[int, _Screen] = field(default_factory=dict)


@dataclass
class _Waiting:
    """Unfinished episodes, the one whose last step came first in front, and what became of the others."""

    episodes: dict[str, _Episode] = field(default_factory=dict)
    screens: int = 0
    finished: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)

    def take(self, name: str) -> _Episode:
        """Remove an episode from those that wait."""
        episode = self.episodes.pop(name)
        self.screens -= len(episode.screens)
        return episode


def read(config: AitwConfig) -> SourceData:
    """Read the episodes in the order in which they are complete.

    Raises:
        EmptySourceError: the folder has no shards; when read: there is no whole episode of the split.
        ManifestError: the split is not there; when read: a record lacks something, contradicts another one
            of its episode, or a step of an episode is missing or farther away than ``max_waiting`` allows.
        CorruptMediaError: when read: a shard is damaged or cut, or a screen has another size than it says.
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

    config: AitwConfig
    shards: tuple[Path, ...]
    wanted: frozenset[str] | None

    def __iter__(self) -> Iterator[SourceTrajectory]:
        left = LeftOut(self.config.name)
        found = (_trajectory(self.config, episode, left) for episode in self._complete(left))
        if not (yield from taken(found, self.config.max_episodes, left)):
            raise EmptySourceError(
                f"{self.config.path} gave no whole episode{self._of_split()}; left out: "
                f"{dict(left.reasons) or 'none'}. Add shards, raise max_waiting, or correct path or split"
            )

    def _of_split(self) -> str:
        return f" of the split {self.config.split!r}" if self.config.split_file else ""

    def _complete(self, left: LeftOut) -> Iterator[_Episode]:
        waiting = _Waiting()
        for example in self._examples():
            name = example.text("episode_id")
            if name in waiting.given_up or (self.wanted is not None and name not in self.wanted):
                continue
            episode = _add(waiting, name, example)
            if len(episode.screens) == episode.length:
                waiting.finished.add(name)
                yield waiting.take(name)
            while waiting.screens > self.config.max_waiting:
                self._give_up(waiting, left)
        while waiting.episodes:
            self._give_up(waiting, left)

    def _give_up(self, waiting: _Waiting, left: LeftOut) -> None:
        """Leave out the episode that has waited longest, or refuse it."""
        episode = waiting.take(next(iter(waiting.episodes)))
        waiting.given_up.add(episode.name)
        if not self.config.skip_incomplete:
            missing = [step for step in range(episode.length) if step not in episode.screens]
            last = list(episode.screens.values())[-1]
            raise ManifestError(
                f"episode {episode.name} has {len(episode.screens)} of {episode.length} steps, the last of "
                f"them in {last.where}; the first missing are {missing[:5]}. Copy the missing shards, raise "
                f"max_waiting (now {self.config.max_waiting} screens) if its steps stand farther apart, or "
                "set skip_incomplete=true to leave out such episodes"
            )
        left.reasons["a step is missing, or farther away than max_waiting allows"] += 1

    def _examples(self) -> Iterator[Example]:
        for path in self.shards:
            for record in read_records(path):
                yield parse_example(record, frozenset(KEYS))


def _add(waiting: _Waiting, name: str, example: Example) -> _Episode:
    """Put a step to its episode, which becomes the last of those that wait."""
    goal, length, step = (
        example.text("goal_info"),
        example.number("episode_length"),
        example.number("step_id"),
    )
    where = f"{example.where}, step {step} of episode {name}"
    if not name or not goal:
        raise ManifestError(f"{where}: episode_id or goal_info is empty; expected texts")
    if not 0 <= step < length:
        raise ManifestError(f"{where}: step_id is not between 0 and episode_length ({length})")
    if name in waiting.finished:
        raise ManifestError(f"{where}: all {length} steps were read before; is a shard there twice?")
    episode = waiting.episodes.pop(name, None) or _Episode(name, goal, length)
    if step in episode.screens:
        raise ManifestError(f"{where}: so is {episode.screens[step].where}; is a shard there twice?")
    if (goal, length) != (episode.goal, episode.length):
        other = next(iter(episode.screens.values())).where
        raise ManifestError(
            f"{where} has goal_info {goal!r} and episode_length {length}; {other}, of the same episode, has "
            f"{episode.goal!r} and {episode.length}"
        )
    action = example.number("results/action_type")
    screen = _Screen(_picture(example, where), _clause(example, action), action, example.where)
    episode.screens[step] = screen
    waiting.episodes[name] = episode
    waiting.screens += 1
    return episode


def _picture(example: Example, where: str) -> bytes:
    """The screen as PNG, from its rows of red, green and blue bytes."""
    blobs = example.blobs("image/encoded")
    height, width, channels = (example.number(f"image/{key}") for key in ("height", "width", "channels"))
    if len(blobs) != 1 or channels != 3 or min(height, width) < 1 or len(blobs[0]) != height * width * 3:
        raise CorruptMediaError(
            f"{where}: image/encoded has {[len(blob) for blob in blobs]} bytes, image/height {height}, "
            f"image/width {width} and image/channels {channels}; expected one screen of height x width x 3 "
            "raw bytes"
        )
    buffer = io.BytesIO()
    image = Image.frombuffer("RGB", (width, height), blobs[0], "raw", "RGB", 0, 1)
    image.save(buffer, format="PNG", compress_level=PNG_EFFORT)
    return buffer.getvalue()


def _clause(example: Example, action: int) -> str:
    """What was done as a clause; empty for the end of an episode and what is not known."""
    if action == TYPE:
        return typed(example.text("results/type_action"))
    if action != GESTURE:
        return BUTTONS.get(action, "")
    touch, lift = (example.floats(f"results/{key}") for key in ("yx_touch", "yx_lift"))
    if len(touch) != 2 or len(lift) != 2:
        raise ManifestError(
            f"{example.where}: results/yx_touch and results/yx_lift have {len(touch)} and {len(lift)} "
            "values; expected two each"
        )
    down, across = lift[0] - touch[0], lift[1] - touch[1]
    if math.hypot(down, across) <= TAP:
        return f"tapped at the {ninth(touch[1], touch[0])} of the screen"
    if abs(down) >= abs(across):
        return "swiped down" if down > 0 else "swiped up"
    return "swiped right" if across > 0 else "swiped left"


def _trajectory(config: AitwConfig, episode: _Episode, left: LeftOut) -> SourceTrajectory | None:
    screens = [episode.screens[step] for step in range(episode.length)]
    if screens[-1].action == IMPOSSIBLE:
        left.reasons["ended as impossible: the screens do not show the goal"] += 1
        return None
    if len(screens) < 2:
        if not config.skip_short:
            raise TooShortError(
                f"{screens[0].where}: episode {episode.name} has a single screen; at least 2 are needed: set "
                "skip_short=true to leave out such episodes"
            )
        left.reasons["fewer than two screens"] += 1
        return None
    trajectory_id = f"{config.name}-{episode.name}"
    trajectory = Trajectory(
        trajectory_id=trajectory_id,
        scenario=config.scenario,  # type: ignore[arg-type]  # checked in read()
        source=config.name,
        licence=config.licence,
        goal=episode.goal,
        group=same_words(episode.goal) if config.group == "goal" else trajectory_id,
        media=Media("embedded", len(screens)),
        steps=tuple(Step(i, s.text) for i, s in enumerate(screens[:-1], 1) if s.text),
    )
    return SourceTrajectory(trajectory, tuple(screen.picture for screen in screens))
