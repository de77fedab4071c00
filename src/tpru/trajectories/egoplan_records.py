"""Records of the EgoPlan family: what was done so far in an egocentric video, and what to do next.

Three publications share one form: EgoPlan-Bench and its training set EgoPlan-IT (arXiv 2312.06722), JSON
lists with whole numbers as ids; EgoPlan-Bench2 (arXiv 2412.04447), a JSON list with ids ``<video>_<number>``;
and SEED-Bench-R1 (arXiv 2503.24376), the same records as JSON lines with names of cut videos and pictures.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpru.errors import ManifestError
from tpru.trajectories.sources.reading import LFS_HEAD, field, load_json

EPIC, EGO4D = "EpicKitchens", "Ego4D"
SOURCES = (EPIC, EGO4D)
EPIC_ID = re.compile(r"(P\d{2})_\d{2,3}")
CHOICES = ("choice_a", "choice_b", "choice_c", "choice_d")
LETTERS = "ABCD"


@dataclass(frozen=True)
class Segment:
    """One narrated step: its words ("open drawer"), and its first and last frame in the whole video."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True)
class EgoPlanRecord:
    """One question and the progress that it is asked about; what a form does not have is empty.

    All frame numbers count in the whole video: from 1 for EpicKitchens, from 0 for Ego4D. ``segments`` are in
    the order of the file, and there are none where the question is about the current picture alone.
    ``choices`` are four texts, of which ``golden`` is the letter of the right one (validation and test; a
    test with secret answers has neither ``golden`` nor ``answer``); ``negatives`` are wrong answers
    (training). ``start_frame`` is where the task begins. ``where`` names file and place for messages.
    """

    sample_id: str
    video_source: str
    video_id: str
    task_goal: str
    question: str
    answer: str
    segments: tuple[Segment, ...]
    observation_frame: int
    where: str
    choices: tuple[str, ...] = ()
    golden: str = ""
    negatives: tuple[str, ...] = ()
    start_frame: int | None = None
    video_basename: str = ""
    observation_basename: str = ""
    domain: str = ""
    scenario: str = ""

    @property
    def participant(self) -> str:
        """Who wears the camera in EpicKitchens, one kitchen each (P01); elsewhere the video itself."""
        match = EPIC_ID.fullmatch(self.video_id)
        return match[1] if match else self.video_id


def read_records(path: Path) -> Iterator[EgoPlanRecord]:
    """The records of a file in their order; JSON lines are read one at a time, a JSON list whole.

    Raises:
        ManifestError: the file is missing or is something else, or a record is malformed; names file, line
            (or number in the list, from 0) and key.
    """
    for record, where in _lines(path) if path.suffix == ".jsonl" else _listed(path):
        yield _record(record, where)


def _lines(path: Path) -> Iterator[tuple[Any, str]]:
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.startswith(LFS_HEAD):
                    raise ManifestError(f"{path} is a Git LFS pointer; fetch the file with git lfs pull")
                if not line.strip():
                    continue
                where = f"{path}, line {number}"
                try:
                    yield json.loads(line.decode("utf-8-sig")), where
                except ValueError as error:
                    raise ManifestError(
                        f"{where}: cannot be read as JSON ({error}); restore the file"
                    ) from error
    except OSError as error:
        raise ManifestError(f"{path} cannot be read ({error}); restore it or correct the path") from error


def _listed(path: Path) -> Iterator[tuple[Any, str]]:
    records = load_json(path)
    if not isinstance(records, list):
        raise ManifestError(f"{path}: expected a JSON list of records, found {records!r:.40}; restore it")
    yield from ((record, f"{path}, record {number}") for number, record in enumerate(records))


def _record(record: Any, where: str) -> EgoPlanRecord:
    if isinstance(record, dict) and "response" in record and "task_goal" not in record:
        raise ManifestError(
            f"{where}: has 'prompt' and 'response': a written-out conversation without frame numbers; name "
            "the file of the same records without reasoning instead (training_6k.jsonl)"
        )
    sample_id = _sample_id(record, where)
    # EgoPlan-Bench2 names the video in its id alone.
    video_id = _text(record, "video_id", where) or sample_id.rpartition("_")[0]
    goal = field(record, "task_goal", str, where).strip()
    choices = _choices(record, where)
    answer, golden = _answer(record, choices, where)
    return EgoPlanRecord(
        sample_id=sample_id,
        video_source=_source(record, video_id, where),
        video_id=video_id,
        task_goal=goal,
        question=_text(record, "question", where) or _question(goal),
        answer=answer,
        segments=_segments(record, where),
        observation_frame=_frame(record, "current_observation_frame", where),
        where=where,
        choices=choices,
        golden=golden,
        negatives=_texts(record, "negative_answers", where) if "negative_answers" in record else (),
        start_frame=_frame(record, "task_start_frame", where)
        if record.get("task_start_frame") is not None
        else None,
        video_basename=_name(record, "video_basename", where),
        observation_basename=_name(record, "current_observation_basename", where),
        domain=_text(record, "domain", where),
        scenario=_text(record, "scenario", where),
    )


def _question(goal: str) -> str:
    """EgoPlan-Bench2 states the goal and leaves the question to its reader."""
    return (
        "Considering what has been done so far and what I see now, what should I do next in order to "
        f"{goal.rstrip(' .')}?"
    )


def _sample_id(record: Any, where: str) -> str:
    """The id as a text: some forms have whole numbers."""
    value = record.get("sample_id") if isinstance(record, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return field(record, "sample_id", str, where).strip()


def _text(record: dict[str, Any], key: str, where: str) -> str:
    """A text that may be missing, null or blank: then it is empty."""
    value = record.get(key)
    if value is None or value == "":
        return ""
    return field(record, key, str, where).strip()


def _texts(record: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    listed = field(record, key, list, where)
    if not listed or not all(isinstance(text, str) and text.strip() for text in listed):
        raise ManifestError(f"{where}: expected texts under {key!r}, found {listed!r:.80}; restore the file")
    return tuple(text.strip() for text in listed)


def _name(record: dict[str, Any], key: str, where: str) -> str:
    """The name of a file in the folder of its source; it may not lead out of it."""
    name = _text(record, key, where)
    if name and (Path(name).is_absolute() or ".." in Path(name).parts):
        raise ManifestError(
            f"{where}: expected the name of a file under {key!r}, found {name!r:.80}; restore it"
        )
    return name


def _frame(record: Any, key: str, where: str) -> int:
    value: int = field(record, key, int, where)
    if value < 0:
        raise ManifestError(
            f"{where}: expected a frame number under {key!r}, found {value}; restore the file"
        )
    return value


def _source(record: dict[str, Any], video_id: str, where: str) -> str:
    """Where the video is from; EgoPlan says it by the form of the id alone (P01_13 or a UUID)."""
    source = _text(record, "video_source", where) or (EPIC if EPIC_ID.fullmatch(video_id) else EGO4D)
    if source not in SOURCES:
        raise ManifestError(
            f"{where}: expected one of {list(SOURCES)} under 'video_source', found {source!r:.40}; restore "
            "the file"
        )
    if not video_id or Path(video_id).name != video_id:
        raise ManifestError(
            f"{where}: expected the id of a video under 'video_id', or a 'sample_id' <video>_<number>, found "
            f"{video_id!r:.60}; restore the file"
        )
    return source


def _choices(record: dict[str, Any], where: str) -> tuple[str, ...]:
    if not any(key in record for key in CHOICES):
        return ()
    return tuple(field(record, key, str, where).strip() for key in CHOICES)


def _answer(record: dict[str, Any], choices: tuple[str, ...], where: str) -> tuple[str, str]:
    """The right answer and, where there are choices, its letter; both empty where they are kept secret."""
    if not choices:
        return field(record, "answer", str, where).strip(), ""
    answer, golden = _text(record, "answer", where), _text(record, "golden_choice_idx", where)
    if not answer and not golden:
        return "", ""
    right = dict(zip(LETTERS, choices, strict=True)).get(golden, "")
    if not right or answer not in ("", right):
        raise ManifestError(
            f"{where}: expected under 'golden_choice_idx' the letter (A to D) of the choice that 'answer' "
            f"repeats, found {golden!r:.20} and {answer!r:.60}; restore the file"
        )
    return right, golden


def _segments(record: dict[str, Any], where: str) -> tuple[Segment, ...]:
    segments = []
    for number, entry in enumerate(field(record, "task_progress_metadata", list, where)):
        place = f"{where}, entry {number} of task_progress_metadata"
        text = " ".join(field(entry, "narration_text", str, place).split())
        start, stop = (_frame(entry, key, place) for key in ("start_frame", "stop_frame"))
        if start > stop:
            raise ManifestError(
                f"{place}: 'start_frame' {start} comes after 'stop_frame' {stop}; restore the file"
            )
        segments.append(Segment(text, start, stop))
    return tuple(segments)
