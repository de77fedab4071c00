"""Records of EgoPlan, EgoPlan-Bench2 and SEED-Bench-R1: files in their forms, written here."""

import json
from pathlib import Path
from typing import Any

import pytest

from tpru.errors import ManifestError
from tpru.trajectories.egoplan_records import EgoPlanRecord, Segment, read_records

UUID = "ca6e9ec9-46ac-4a02-8034-7c31157dc52c"
SEGMENTS = [("open  drawer", 12, 40), ("take knife", 44, 90)]
CHOICES = {"choice_a": "cut it", "choice_b": "wash it", "choice_c": "eat it", "choice_d": "peel it"}


def progress(segments: list[tuple[str, int, int]]) -> list[dict[str, Any]]:
    return [{"narration_text": t, "start_frame": a, "stop_frame": b} for t, a, b in segments]


def training(**changes: Any) -> dict[str, Any]:
    """A record as EgoPlan-IT has it."""
    record = {"sample_id": 39, "video_id": "P07_113", "task_goal": "Cut the onion", "question": "What next?"}
    record |= {"answer": "grab onion", "current_observation_frame": 95}
    record |= {"task_progress_metadata": progress(SEGMENTS)}
    return record | {"negative_answers": ["a", "b", "c", "d"]} | changes


def published(**changes: Any) -> dict[str, Any]:
    """A training record as SEED-Bench-R1 has it."""
    names = {"video_basename": "P07_113_39.mp4", "current_observation_basename": "P07_113_39.png"}
    return training(video_source="EpicKitchens", **names) | changes


def level_3(**changes: Any) -> dict[str, Any]:
    record = published(sample_id=f"{UUID}_2", video_id=UUID, video_source="Ego4D", **CHOICES)
    record |= {"domain": "Hobbies", "scenario": "baking", "task_start_frame": 3}
    record |= {"answer": "wash it", "golden_choice_idx": "B"}
    del record["negative_answers"]
    return record | changes


def bench_2(**changes: Any) -> dict[str, Any]:
    """A record as EgoPlan-Bench2 has it: no question, no id of the video, no names of files."""
    record = level_3()
    for key in ("video_id", "question", "video_source", "video_basename", "current_observation_basename"):
        del record[key]
    return record | changes


def write(path: Path, records: list[Any]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    else:
        path.write_text(json.dumps(records))
    return path


def read(path: Path, *records: Any) -> list[EgoPlanRecord]:
    return list(read_records(write(path, list(records))))


def test_training_record(tmp_path: Path) -> None:
    (found,) = read(tmp_path / "EgoPlan_IT.json", training())
    assert (found.sample_id, found.video_id, found.video_source) == ("39", "P07_113", "EpicKitchens")
    assert (found.participant, found.task_goal, found.question) == ("P07", "Cut the onion", "What next?")
    assert (found.answer, found.negatives) == ("grab onion", ("a", "b", "c", "d"))
    assert found.segments == (Segment("open drawer", 12, 40), Segment("take knife", 44, 90))
    assert (found.observation_frame, found.start_frame) == (95, None)
    assert (found.choices, found.golden, found.video_basename, found.domain) == ((), "", "", "")
    assert found.where == f"{tmp_path / 'EgoPlan_IT.json'}, record 0"


def test_the_same_record_in_lines_and_with_names_of_files(tmp_path: Path) -> None:
    path = write(tmp_path / "training.jsonl", [published(task_progress_metadata=[]), published()])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\n\n")
    without, found = read_records(path)
    assert without.segments == ()
    assert (found.video_basename, found.observation_basename) == ("P07_113_39.mp4", "P07_113_39.png")
    assert found.where == f"{path}, line 2"


def test_level_3_and_validation(tmp_path: Path) -> None:
    (found,) = read(tmp_path / "validation_L3.jsonl", level_3())
    assert (found.video_id, found.video_source, found.participant) == (UUID, "Ego4D", UUID)
    assert (found.domain, found.scenario, found.start_frame) == ("Hobbies", "baking", 3)
    assert (found.choices, found.golden) == (("cut it", "wash it", "eat it", "peel it"), "B")
    assert (found.answer, found.negatives) == ("wash it", ())


def test_what_a_form_leaves_out(tmp_path: Path) -> None:
    (found,) = read(tmp_path / "EgoPlan-Bench2.json", bench_2())
    assert (found.video_id, found.video_source) == (UUID, "Ego4D")
    assert found.question.endswith("in order to Cut the onion?")
    secret = level_3()
    del secret["answer"], secret["golden_choice_idx"]
    (found,) = read(tmp_path / "test.json", secret)
    assert (found.answer, found.golden, found.choices[0]) == ("", "", "cut it")


def bad_segment(**changes: Any) -> dict[str, Any]:
    return published(task_progress_metadata=[*progress(SEGMENTS[:1]), progress(SEGMENTS)[1] | changes])


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ([], ["a text", "'sample_id'"]),
        (published(sample_id=None), ["a text", "'sample_id'", "None"]),
        (published(sample_id=True), ["a text", "'sample_id'", "True"]),
        (published(task_goal=" "), ["a text", "'task_goal'"]),
        (published(question=3), ["a text", "'question'", "3"]),
        (published(answer=None), ["a text", "'answer'"]),
        (published(video_source="YouTube"), ["EpicKitchens", "'video_source'", "YouTube"]),
        (published(video_id="../P01_01"), ["'video_id'", "../P01_01"]),
        (bench_2(sample_id="7"), ["'video_id'", "<video>_<number>"]),
        (published(video_basename="../x.mp4"), ["the name of a file", "'video_basename'", "../x.mp4"]),
        (published(current_observation_basename="/x.png"), ["'current_observation_basename'", "/x.png"]),
        (published(current_observation_frame="95"), ["a whole number", "'current_observation_frame'"]),
        (published(current_observation_frame=-1), ["a frame number", "'current_observation_frame'", "-1"]),
        (published(task_progress_metadata=None), ["a list", "'task_progress_metadata'"]),
        (published(negative_answers=[]), ["texts", "'negative_answers'"]),
        (published(negative_answers=["a", ""]), ["texts", "'negative_answers'"]),
        (bad_segment(narration_text=""), ["entry 1 of task_progress_metadata", "'narration_text'"]),
        (bad_segment(stop_frame=1.5), ["entry 1 of task_progress_metadata", "'stop_frame'", "1.5"]),
        (bad_segment(start_frame=91), ["entry 1", "'start_frame' 91", "'stop_frame' 90"]),
        (level_3(choice_c=None), ["a text", "'choice_c'"]),
        (level_3(golden_choice_idx="E"), ["'golden_choice_idx'", "'E'"]),
        (level_3(golden_choice_idx="A"), ["'golden_choice_idx'", "'A'", "'wash it'"]),
        (level_3(golden_choice_idx=None), ["'golden_choice_idx'", "'wash it'"]),
        (level_3(task_start_frame="0"), ["a whole number", "'task_start_frame'"]),
        ({"prompt": [], "response": ""}, ["'response'", "training_6k.jsonl"]),
    ],
)
def test_malformed_records(tmp_path: Path, record: Any, words: list[str]) -> None:
    for name, place in (("x.jsonl", "x.jsonl, line 2"), ("x.json", "x.json, record 1")):
        path = write(tmp_path / name, [published(), record])
        with pytest.raises(ManifestError) as caught:
            list(read_records(path))
        assert all(word in str(caught.value) for word in [place, *words]), str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.jsonl", b'{"sample_id": 1', ["line 1", "JSON"]),
        ("x.jsonl", b"\xff\n", ["line 1", "JSON"]),
        ("x.jsonl", b"version https://git-lfs.github.com/spec/v1\n", ["git lfs pull"]),
        ("x.json", b"version https://git-lfs.github.com/spec/v1\n", ["git lfs pull"]),
        ("x.json", b"{}", ["a JSON list"]),
        ("x.json", b"[", ["JSON"]),
        ("x.jsonl", None, ["cannot be read"]),
        ("x.json", None, ["cannot be read"]),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: bytes | None, words: list[str]) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        list(read_records(path))
    assert all(word in str(caught.value) for word in [str(path), *words]), str(caught.value)
