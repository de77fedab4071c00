"""ShareRobot: questions about the planning of robot episodes in large JSON lists, frames as picture files.

An episode is spread over the lists: each question shows its first frames and names one of its steps
(``selected_step``, from 0). Those that ask what comes next show all up to where the step begins, those that
ask what was done show all up to where it ended. Put together they give the goal, the steps and their ends.
"""

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tpru.config.schema import ShareRobotSource
from tpru.errors import EmptySourceError, ManifestError, TooShortError
from tpru.records import Media, Step, Trajectory
from tpru.trajectories.source_data import SourceData, SourceTrajectory
from tpru.trajectories.sources import reading
from tpru.trajectories.sources.action_words import past

LOG = logging.getLogger(__name__)
CHUNK = 1 << 20  # characters read at a time
LONGEST = 16 << 20  # no record is longer: what is, is broken
KEY = re.compile(r"([^/.][^/]*/[^/#]+#episode_\d+)/?$")
FRAME = re.compile(r"frame_(\d+)\.(?:png|jpg|jpeg)$")
MARK = re.compile(r"<image[^>]*>")
NUMBERED, BRACKETS = re.compile(r"(\d+)\s*-\s*<([^<>]+)>"), re.compile(r"<([^<>]+)>")
SEPARATOR = re.compile(r"[\s,]*")
# Which questions show the frames up to the end of their step, up to its beginning, and begin with the goal.
DONE = ("Past_Description_Task", "Success_(Positive)_Task")
NEXT = (
    "Planning_Task",
    "Planning_with_Context_Task",
    "Planning_Remaining_Steps_Task",
    "Generative_Affordance_Task",
)
WITH_GOAL = NEXT[:3]
# Where the one thing in brackets is the step itself; the first wins where they word it differently.
ANSWERED = ("Past_Description_Task", "Planning_Task", "Generative_Affordance_Task")


@dataclass
class _Episode:
    """What the questions read so far say of an episode; ``texts`` holds (rank, text) by step."""

    side: str = ""
    goal: str = ""
    texts: dict[int, tuple[int, str]] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    last: int = 0

    def name_step(self, step: int, rank: int, text: str) -> None:
        """Take a text for a step; of several the one of the lowest rank, then the first in the alphabet."""
        words = (rank, " ".join(text.split()))
        self.texts[step] = min(words, self.texts.get(step, words))


def read(name: str, config: ShareRobotSource) -> SourceData:
    """Read the episodes whose frames are there, in natural order of their names.

    All lists are read, a record at a time; of the pictures only those of the episodes taken are looked at,
    from both ends. Episodes of which no frame was unpacked, or whose goal no question names, are left out
    with a warning. With ``own_split`` an episode that any list under ``test`` asks about is tested.

    Raises:
        ManifestError: a list is missing or malformed, or frames of an unpacked episode are missing.
        TooShortError: an episode has fewer than two frames.
        CorruptMediaError: a picture is cut off or is none.
        EmptySourceError: there is no episode.
    """
    episodes = _Episodes(Path(config.images), config.max_episodes)
    for path in _lists(Path(config.path)):
        for number, record in enumerate(_records(path)):
            episodes.add(record, f"{path}, record {number}", path.parent.name)
    kept = episodes.kept()
    found = [_trajectory(name, config, key, episode) for key, episode in kept if episode.goal]
    for count, why in ((len(episodes.absent), "no frames in `images`"), (len(kept) - len(found), "no goal")):
        if count:
            LOG.warning("%d episodes of ShareRobot are left out: %s", count, why)
    if config.own_split:
        found = reading.without_test_groups(found)
    if not found:
        raise EmptySourceError(
            f"{config.path} and {config.images} give no episode of ShareRobot with a goal and frames; "
            "expected the lists of all tasks (planning_task.json among them) and folders "
            "rtx_frames_success_*/: correct `path` and `images`"
        )
    for trajectory in found:
        reading.check_ends(trajectory.media)
    return SourceData([SourceTrajectory(t) for t in found], config.licence, config.citation, len(found))


def _lists(root: Path) -> list[Path]:
    """The JSON files of both sides of the split, or those directly in the folder."""
    files = sorted([*root.glob("train/*.json"), *root.glob("test/*.json")]) or sorted(root.glob("*.json"))
    if not files:
        raise ManifestError(
            f"{root} holds no lists of ShareRobot; expected train/*.json, test/*.json or *.json"
        )
    return files


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON list, one after another: memory holds a little more than one.

    Raises:
        ManifestError: the file is no list of objects, or breaks off.
    """
    decode = json.JSONDecoder().raw_decode
    with path.open(encoding="utf-8-sig") as stream:
        text, at, count = stream.read(CHUNK), 1, 0
        if not text.startswith("["):
            pointer = (
                "a Git LFS pointer: fetch it with git lfs pull"
                if text.startswith("version https")
                else "no list"
            )
            raise ManifestError(f"{path} is {pointer}; expected a JSON list of questions")
        while True:
            match = SEPARATOR.match(text, at)
            at = match.end() if match else at
            if text.startswith("]", at):
                return
            try:
                record, at = decode(text, at)
            except json.JSONDecodeError as error:
                more = stream.read(CHUNK)
                if not more or len(text) - at > LONGEST:
                    raise ManifestError(
                        f"{path} is broken behind record {count} ({error}); restore it"
                    ) from error
                text, at = text[at:] + more, 0
                continue
            if not isinstance(record, dict):
                raise ManifestError(
                    f"{path}, record {count}: expected an object, found {record!r:.40}; restore it"
                )
            yield record
            count += 1


class _Episodes:
    """The episodes that the questions tell of, of which at most ``most`` are kept: the first by name."""

    def __init__(self, images: Path, most: int) -> None:
        self._images, self._most = images, most
        self._known: dict[str, _Episode] = {}
        self._bound: Any = None
        self.absent: set[str] = set()

    def add(self, record: dict[str, Any], where: str, folder: str) -> None:
        match = KEY.search(reading.field(record, "id", str, where))
        if not match:
            raise ManifestError(
                f"{where}: expected an 'id' that ends in <folder>/<number>_<source>#episode_<number>, found "
                f"{record['id']!r:.80}; restore the file"
            )
        key = match[1]
        if key in self.absent or (self._bound is not None and reading.natural(key) > self._bound):
            return
        if key not in self._known:
            if not (self._images / key).is_dir():
                self.absent.add(key)
                return
            self._known[key] = _Episode()
            if self._most and len(self._known) >= 2 * self._most:
                self._forget()
        if episode := self._known.get(key):
            _learn(episode, record, where)
            episode.side = "test" if "test" in (folder, episode.side) else "train"

    def _forget(self) -> None:
        """Drop those that cannot be among the first any more: enough others come before them."""
        first = sorted(self._known, key=reading.natural)[: self._most]
        self._known = {key: self._known[key] for key in first}
        self._bound = reading.natural(first[-1])

    def kept(self) -> list[tuple[str, _Episode]]:
        """Episodes by name."""
        first = sorted(self._known, key=reading.natural)[: self._most or None]
        return [(key, self._known[key]) for key in first]


def _learn(episode: _Episode, record: dict[str, Any], where: str) -> None:
    task = reading.field(record, "task", str, where)
    step = reading.field(record, "selected_step", int, where)
    last = _last_frame(record, where)
    question, answer = _asked(record, where)
    episode.last = max(episode.last, last)
    ended = step if task in DONE else step - 1 if task in NEXT else -1
    if ended >= 0:
        # Frames are thinned out, so that questions can differ by some: the first that shows the end counts.
        episode.ends[ended] = min(last, episode.ends.get(ended, last))
    numbered, brackets = NUMBERED.findall(question), BRACKETS.findall(NUMBERED.sub("", question))
    if task in WITH_GOAL and brackets:
        goal = reading.one_line(brackets[0])
        episode.goal = min(goal, episode.goal or goal)
    for number, text in numbered:
        episode.name_step(int(number) - 1, len(ANSWERED), text)
    said = BRACKETS.findall(answer)
    if task in ANSWERED and len(said) <= 1:
        episode.name_step(step, ANSWERED.index(task), said[0] if said else answer)


def _last_frame(record: dict[str, Any], where: str) -> int:
    """Number of the last frame that a question shows."""
    names = reading.field(record, "image", list, where)
    numbers = [int(m[1]) for n in names if isinstance(n, str) and (m := FRAME.search(n))]
    if not names or len(numbers) < len(names):
        raise ManifestError(f"{where}: expected paths .../frame_<number>.png under 'image'; restore the file")
    return max(numbers)


def _asked(record: dict[str, Any], where: str) -> tuple[str, str]:
    """Question, without the marks of its pictures, and answer."""
    talk = reading.field(record, "conversations", list, where)
    texts = [reading.field(turn, "value", str, f"{where}, conversations") for turn in talk[:2]]
    if len(texts) < 2:
        raise ManifestError(
            f"{where}: expected a question and an answer under 'conversations'; restore the file"
        )
    return MARK.sub("", texts[0]), texts[1]


def _trajectory(name: str, config: ShareRobotSource, key: str, episode: _Episode) -> Trajectory:
    files = _frames(Path(config.images), key, episode.last)
    dataset = key.split("/")[1].split("#")[0].partition("_")[2]
    trajectory_id = f"{name}-{key}"
    return Trajectory(
        trajectory_id=trajectory_id,
        scenario=config.scenario,
        source=name,
        licence=config.licence,
        goal=episode.goal,
        group=trajectory_id
        if config.group == "episode"
        else f"{name}-{dataset}-{reading.same_words(episode.goal)}",
        media=Media("files", len(files), root=config.images, files=files),
        steps=tuple(_steps(episode)),
        split=episode.side if config.own_split else "",  # type: ignore[arg-type]  # train or test
    )


def _frames(images: Path, key: str, last: int) -> tuple[str, ...]:
    """Paths of the frames relative to ``images``, none missing."""
    found = {int(m[1]): n for n in reading.picture_names(images / key) if (m := FRAME.fullmatch(n))}
    missing = sorted(set(range(max(last, *found, 0) + 1)) - set(found))
    if missing:
        raise ManifestError(
            f"{images / key} lacks {len(missing)} frame(s): {missing[:5]}; unpack the archive whole, or "
            "remove this folder"
        )
    if len(found) < 2:
        raise TooShortError(
            f"{images / key} holds {len(found)} frame(s), expected at least 2; remove the folder"
        )
    return tuple(f"{key}/{found[number]}" for number in sorted(found))


def _steps(episode: _Episode) -> Iterator[Step]:
    """Steps of which both text and end are known, as long as one ends behind the other."""
    shown = 0
    for step in sorted(episode.texts):
        end, text = episode.ends.get(step, 0), episode.texts[step][1].rstrip(" .")
        if end > shown and text:
            yield Step(end, past(text) or f'the step "{text}" was done')
            shown = end
