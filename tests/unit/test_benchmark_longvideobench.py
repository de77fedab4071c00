"""LongVideoBench: its list of records, videos and subtitles, written here."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.unit.benchmark_files import configured, film, grey_of
from tpru.benchmarks import longvideobench
from tpru.benchmarks.longvideobench import LEAD, interleaved
from tpru.benchmarks.questions import make_item
from tpru.config.schema import LongVideoBenchBenchmark
from tpru.errors import CorruptMediaError, ManifestError
from tpru.records import Item
from tpru.store import decode_image


def record(number: int = 0, **changes: Any) -> dict[str, Any]:
    made = {
        "id": f"abc_{number}", "video_id": "abc", "video_path": "abc.mp4", "subtitle_path": "abc_en.json",
        "question": "What happens after the man sits down?", "candidates": ["he stands", "he eats", "he goes"],
        "correct_choice": 1, "question_category": "E3E", "topic_category": "KA", "level": "L2-Relation",
        "duration_group": 15, "starting_timestamp_for_subtitles": 0, "duration": 6.0, "view_count": 9,
    }  # fmt: skip
    return made | changes


def write(folder: Path, *records: Any, subtitles: list[dict[str, Any]] | None = None) -> Path:
    (folder / "lvb_val.json").write_text(json.dumps(list(records)))
    film(folder / "videos/abc.mp4", 60)
    (folder / "subtitles").mkdir(exist_ok=True)
    (folder / "subtitles/abc_en.json").write_text(json.dumps(subtitles or []))
    return folder


def config(path: Path, *overrides: str) -> LongVideoBenchBenchmark:
    made = configured("longvideobench", path, *overrides)
    assert isinstance(made, LongVideoBenchBenchmark)
    return made


def read(folder: Path, *overrides: str) -> list[tuple[Item, list[Image.Image]]]:
    chosen = config(folder, *overrides)
    questions = longvideobench.read(chosen).questions
    return [(make_item("l", q, chosen)[0], [decode_image(p) for p in q.pictures()]) for q in questions]


def test_frames_are_even_and_stand_before_the_question(tmp_path: Path) -> None:
    ((item, pictures),) = read(write(tmp_path, record()), "frames=4")
    assert [grey_of(p) for p in pictures] == [0, 20, 39, 59]
    assert [b.type for b in item.prompt] == ["text", *["image"] * 4, "text"]
    assert item.prompt[0].value == LEAD + "\n"
    assert item.prompt[-1].value.startswith(
        "\nWhat happens after the man sits down?\nA. he stands\nB. he eats"
    )
    assert (item.answer, item.task, item.scenario, item.group) == ("B", "E3E", "8-15 s", "abc")
    assert (item.item_id, item.level) == ("l/abc_0", "")


def test_records_without_an_answer_are_left_out(tmp_path: Path) -> None:
    secret = {k: v for k, v in record(1).items() if k != "correct_choice"}
    found = longvideobench.read(config(write(tmp_path, record(), secret, record(2, correct_choice=-1))))
    assert ([q.question_id for q in found.questions], found.left_out) == (
        ["abc_0"],
        {"answer_not_published": 2},
    )


@pytest.mark.parametrize(
    "lines",
    [
        [{"timestamp": [12.5, None], "text": "the end"}, {"timestamp": [11.7, 12.3], "text": "hello  you"}],
        [
            {"start": "00:00:12.500", "end": "00:00:16.000", "line": "the end"},
            {"start": "00:00:11.700", "end": "00:00:12.300", "line": "hello you"},
        ],
    ],
)
def test_subtitles_stand_behind_the_frames_that_show_them(
    tmp_path: Path, lines: list[dict[str, Any]]
) -> None:
    folder = write(tmp_path, record(starting_timestamp_for_subtitles=10), subtitles=lines)
    ((item, _),) = read(folder, "frames=4", "subtitles=true")  # frames at 0, 2, 4 and 6 s
    texts = [b.value if b.type == "text" else "*" for b in item.prompt]
    assert texts[:7] == [LEAD + "\n", "*", "*", "\nhello you\n", "*", "\nthe end\n", "*"]
    ((without, _),) = read(folder, "frames=4")
    assert not any("hello" in b.value for b in without.prompt)


def test_a_line_is_shown_once_and_not_without_a_frame() -> None:
    said = [(0.5, 1.5, "unseen"), (1.9, 9.0, "long"), (3.9, 4.1, "short")]
    assert interleaved([0.0, 2.0, 4.0], said) == "<image><image>\nlong\n<image>\nshort\n"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correct_choice": 3}, r"lvb_val\.json, record 0: 'correct_choice' is 3 of 3"),
        ({"candidates": ["one"]}, "record 0: 'candidates' is"),
        ({"question": ""}, "record 0: 'question' is ''"),
        ({"duration": "6"}, "record 0: expected a number under 'duration'"),
        ({"video_path": "../abc.mp4"}, "expected the name of a file under 'video_path'"),
        ({"video_path": "other.mp4"}, r"videos/other\.mp4 does not exist"),
        ({"subtitle_path": "other.json"}, r"subtitles/other\.json cannot be read as JSON"),
    ],
)
def test_malformed_records_and_missing_files_are_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        read(write(tmp_path, record(**changes)), "subtitles=true")


def test_other_files_and_short_videos_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, record(), subtitles=[{"start": "12", "end": "13", "line": "x"}])
    with pytest.raises(ManifestError, match=r"abc_en\.json, line 0: expected a time"):
        read(folder, "subtitles=true")
    film(folder / "videos/abc.mp4", 9)
    with pytest.raises(CorruptMediaError, match="holds 9 frames, its duration promises 12"):
        read(folder)
    (folder / "lvb_val.json").write_text('{"a": 1}')
    with pytest.raises(ManifestError, match=r"lvb_val\.json: expected a JSON list"):
        read(folder)
