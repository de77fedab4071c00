"""The typed records that flow through the DAG.

``Trajectory`` (a source) -> ``Sequence`` (extraction) -> ``Caption`` (description) -> ``Item``
(synthesis) -> ``Prediction`` (evaluation). Each is frozen, holds only plain values, and has one
Parquet form (see :mod:`tpru.store`). Pictures are never inside a record: a record names a frame by
``frame_id``, the SHA-256 of its encoded bytes, and a ``frames.parquet`` beside it holds the bytes once.
"""

from dataclasses import dataclass
from typing import Literal

Scenario = Literal["robot", "assembly", "gui", "navigation"]
Task = Literal["reordering", "next_frame", "previous_frame"]
Split = Literal["sft", "grpo", "test"]
Level = Literal["", "L1", "L2", "L3"]

SCENARIOS: tuple[Scenario, ...] = ("robot", "assembly", "gui", "navigation")
TASKS: tuple[Task, ...] = ("reordering", "next_frame", "previous_frame")
SPLITS: tuple[Split, ...] = ("sft", "grpo", "test")
LEVELS: tuple[Level, ...] = ("L1", "L2", "L3")
LETTERS = "ABCDEFGH"
DIGITS = "12345678"
NONE_OPTION = "None of the choices provided"


@dataclass(frozen=True)
class Step:
    """Text of one step of a trajectory.

    ``frame`` is the index of the first frame that shows the result of the step; ``text`` says what was
    done, as a short clause without a full stop ("the red cube was placed on the blue cube").
    """

    frame: int
    text: str


@dataclass(frozen=True)
class Media:
    """Where the frames of a trajectory are, in time order.

    kind: ``embedded`` (bytes in the ``media.parquet`` beside ``trajectories.parquet``), ``files`` (one
        picture file per frame) or ``video`` (one file, cut to ``[start_s, end_s)`` when these are set, or
        single frames of it at ``times``, in seconds since its first frame and in time order).
    root: folder that ``files`` are relative to; empty for ``embedded``.
    files: the picture files in time order, or the one video file; empty for ``embedded``.
    n_frames: number of frames in the cut, or of ``times``; for a video what its index promises, checked
        when decoded.
    fps: frames per second of a video; 0 where frames have no clock.
    """

    kind: Literal["embedded", "files", "video"]
    n_frames: int
    root: str = ""
    files: tuple[str, ...] = ()
    start_s: float | None = None
    end_s: float | None = None
    fps: float = 0.0
    times: tuple[float, ...] = ()


@dataclass(frozen=True)
class Alternative:
    """What one would see instead of frame ``frame`` had something else been done just before it.

    ``media`` is the index of its picture in the media of the trajectory, after all true frames.
    """

    frame: int
    text: str
    media: int


@dataclass(frozen=True)
class Thing:
    """One thing in a frame: its state in words, and its box as shares of the picture where it is seen."""

    name: str
    state: str
    box: tuple[float, ...] = ()


@dataclass(frozen=True)
class FrameState:
    """What a simulator knows of one frame.

    ``progress`` is the share of the task that is done. ``labels`` is a PNG whose pixel value k marks the
    k-th thing that has a box (from 1), 0 the rest.
    """

    trajectory_id: str
    frame: int
    progress: float
    things: tuple[Thing, ...]
    labels: bytes


@dataclass(frozen=True)
class Trajectory:
    """What a source gives: ordered frames and a goal.

    ``group`` (episode, scene, app, model) is the key that is never split between train and test.
    ``split`` is empty unless the source fixes it ("train" or "test").
    ``family`` names the kind of activity where the source knows it, else it is empty.
    ``level`` says how far from training it is (arXiv 2503.24376): L1 in distribution, L2 an unseen
    environment, L3 an unseen environment and an unseen family; empty where the source has no levels.
    """

    trajectory_id: str
    scenario: Scenario
    source: str
    licence: str
    goal: str
    group: str
    media: Media
    steps: tuple[Step, ...] = ()
    split: Literal["", "train", "test"] = ""
    family: str = ""
    level: Level = ""
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True)
class KeyFrame:
    """One kept frame: its picture, its place in the trajectory, what was done, and why it was kept."""

    frame_id: str
    index: int
    step: str
    reason: str


@dataclass(frozen=True)
class Sequence:
    """What extraction gives: ``frames`` (3 to 8, in time order) make the order decidable.

    ``outside`` are the other key frames of the same trajectory, in time order, and ``alternatives`` the
    pictures of what was not done (their index is that of the frame they stand in for): they feed
    distractors.
    """

    sequence_id: str
    trajectory_id: str
    scenario: Scenario
    source: str
    licence: str
    goal: str
    group: str
    split: Literal["", "train", "test"]
    family: str
    frames: tuple[KeyFrame, ...]
    outside: tuple[KeyFrame, ...] = ()
    alternatives: tuple[KeyFrame, ...] = ()
    level: Level = ""


@dataclass(frozen=True)
class Caption:
    """A description of a sequence that is true, and one that names another plausible action."""

    sequence_id: str
    positive: str
    negative: str
    captioner: str


@dataclass(frozen=True)
class Block:
    """One part of a prompt: a text, or a picture named by its ``frame_id``."""

    type: Literal["text", "image"]
    value: str


@dataclass(frozen=True)
class Option:
    """One answer option: ``content`` is a frame_id, a permutation of labels, a text, or the reject text."""

    letter: str
    kind: Literal["image", "permutation", "text", "none"]
    content: str


@dataclass(frozen=True)
class Item:
    """One question: prompt blocks with pictures in place, options, answer and provenance.

    ``task`` and ``scenario`` are those of :data:`TASKS` and :data:`SCENARIOS`; of an external benchmark
    they are its own category and second grouping, as it names them, and empty where it has none.
    ``group`` is what intervals take as one: an episode, a scene, a pair of counterparts, a video.
    ``answer`` is an option letter, or a permutation of the picture labels when there are no options.
    ``negative_kind``: "" (answerable), "caption" (description contradicts the pictures), "withheld" (the
    right option was left out) or "unanswerable" (a benchmark's own); in all of these the right answer is
    the reject option.
    ``shown`` are the frame ids of the pictures in prompt order; ``order`` is their index in the
    trajectory, -1 for pictures of other trajectories and of what was not done: where every frame came
    from; empty for an external benchmark. ``difficulty`` is in [0, 1]: how close the wrong options are to
    the right one (:mod:`tpru.synthesis.difficulty`).
    """

    item_id: str
    task: str
    split: Split
    scenario: str
    source: str
    licence: str
    family: str
    group: str
    sequence_id: str
    trajectory_id: str
    caption: str
    prompt: tuple[Block, ...]
    options: tuple[Option, ...]
    answer: str
    is_negative: bool
    negative_kind: Literal["", "caption", "withheld", "unanswerable"]
    reasoning: str
    shown: tuple[str, ...]
    order: tuple[int, ...]
    level: Level = ""
    difficulty: float = 0.0


@dataclass(frozen=True)
class PassRate:
    """How many of a model's sampled completions of one item were right."""

    item_id: str
    passes: int
    samples: int


@dataclass(frozen=True)
class Prediction:
    """What one model answered to one item; ``parsed`` is empty when no answer could be read."""

    item_id: str
    model: str
    benchmark: str
    completion: str
    parsed: str
    correct: bool
    n_tokens: int
