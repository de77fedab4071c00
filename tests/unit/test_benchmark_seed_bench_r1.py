"""SEED-Bench-R1, EgoPlan-Bench and EgoPlan-Bench2: records and media in their forms, written here."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.unit.benchmark_files import config_of, configured, film, grey_of, run_stage, still
from tpru.benchmarks import seed_bench_r1
from tpru.benchmarks.questions import make_item
from tpru.benchmarks.seed_bench_r1 import WITH_PROGRESS, WITHOUT
from tpru.config.schema import SeedBenchR1Benchmark
from tpru.errors import CorruptMediaError, ManifestError
from tpru.records import Item
from tpru.stages.report import by_level
from tpru.store import decode_image

UUID = "ca6e9ec9-46ac-4a02-8034-7c31157dc52c"
CHOICES = {"choice_a": "cut it", "choice_b": "wash it", "choice_c": "eat it", "choice_d": "peel it"}


def record(number: int = 0, **changes: Any) -> dict[str, Any]:
    """As a validation file of SEED-Bench-R1 has it."""
    made = {
        "sample_id": number, "video_source": "EpicKitchens", "video_id": "P07_113", "task_goal": "eat an onion",
        "question": "What should I do next?", "answer": "wash it", "golden_choice_idx": "B",
        "current_observation_frame": 95, "video_basename": f"{number}.mp4",
        "current_observation_basename": f"{number}.png",
        "task_progress_metadata": [{"narration_text": "take knife", "start_frame": 12, "stop_frame": 40}],
    }  # fmt: skip
    return made | CHOICES | changes


def third(number: int = 0, **changes: Any) -> dict[str, Any]:
    names = {
        "sample_id": f"{UUID}_{number}",
        "video_source": "Ego4D",
        "video_id": UUID,
        "task_start_frame": 3,
    }
    more = {"domain": "Hobbies", "scenario": "baking", "task_progress_metadata": []}
    return record(number, **names, **more, **changes)


def published(folder: Path, **levels: list[dict[str, Any]]) -> Path:
    """The three files, and the media that their records name."""
    for level in ("L1", "L2", "L3"):
        lines = levels.get(level, [])
        path = folder / f"annotations/validation_{level}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        for line in lines:
            still(folder / "images" / line["video_source"] / line["current_observation_basename"], 50)
            if line["task_progress_metadata"]:
                film(folder / "videos" / line["video_source"] / line["video_basename"], 30)
    return folder


def config(path: Path, *overrides: str, file: str = "seed_bench_r1") -> SeedBenchR1Benchmark:
    made = configured(file, path, *overrides)
    assert isinstance(made, SeedBenchR1Benchmark)
    return made


def read(path: Path, *overrides: str, file: str = "seed_bench_r1") -> list[tuple[Item, list[Image.Image]]]:
    chosen = config(path, *overrides, file=file)
    questions = seed_bench_r1.read(chosen).questions
    return [(make_item("s", q, chosen)[0], [decode_image(p) for p in q.pictures()]) for q in questions]


def test_video_then_current_state_then_question(tmp_path: Path) -> None:
    ((item, pictures),) = read(published(tmp_path, L1=[record()]))
    assert [grey_of(p) for p in pictures] == [0, 6, 12, 17, 23, 29, 50]  # 3 s give six frames
    assert {p.size for p in pictures} == {(252, 252)}
    assert [b.type for b in item.prompt] == ["image"] * 7 + ["text"]
    assert item.prompt[-1].value.startswith(
        f"\n{WITH_PROGRESS}\nWhat should I do next?\nA. cut it\nB. wash it"
    )
    assert (item.item_id, item.level, item.group, item.answer) == ("s/L1/0", "L1", "P07_113", "B")
    assert (item.task, item.scenario, item.is_negative) == ("", "", False)


def test_a_record_without_progress_has_the_current_state_alone(tmp_path: Path) -> None:
    ((item, pictures),) = read(published(tmp_path, L3=[third()]))
    assert [grey_of(p) for p in pictures] == [50]
    assert item.prompt[-1].value.startswith(f"\n{WITHOUT}\n")
    assert (item.task, item.scenario, item.level) == ("Hobbies", "baking", "L3")


def test_levels_are_sections_of_the_report(tmp_path: Path) -> None:
    data = published(tmp_path / "data", L1=[record(0), record(1)], L2=[record(2)], L3=[third(0)])
    items, frames, run = run_stage(tmp_path, config_of("seed_bench_r1", data))
    assert run["counts"]["level"] == {"L1": 2, "L2": 1, "L3": 1}
    assert sorted(run["facts"]["files"]) == [f"annotations/validation_L{k}.jsonl" for k in (1, 2, 3)]
    assert len(frames) == 6 + 1
    assert [name for name, _, _ in by_level("seed", items, {})] == ["seed L1", "seed L2", "seed L3"]


def test_epic_kitchens_frames_of_egoplan_count_from_one(tmp_path: Path) -> None:
    names = ("video_basename", "current_observation_basename", "video_source")
    line = {k: v for k, v in record(current_observation_frame=60).items() if k not in names}
    (tmp_path / "EgoPlan_validation.json").write_text(json.dumps([line]))
    for number in range(12, 61):
        still(tmp_path / f"EPIC-KITCHENS/P07/rgb_frames/P07_113/frame_{number:010d}.jpg", number)
    ((item, pictures),) = read(tmp_path, file="egoplan_bench")
    assert [grey_of(p) for p in pictures] == [12, 28, 44, 60, 60]
    assert (item.item_id, item.level, item.scenario) == ("s/0", "", "EpicKitchens")
    (tmp_path / "EPIC-KITCHENS/P07/rgb_frames/P07_113/frame_0000000044.jpg").unlink()
    with pytest.raises(ManifestError, match=r"frame_0000000044\.jpg cannot be read"):
        read(tmp_path, file="egoplan_bench")


def test_whole_videos_of_egoplan_2_are_read_from_the_start_of_the_task(tmp_path: Path) -> None:
    names = ("video_basename", "current_observation_basename", "video_source", "video_id", "question")
    progress = [{"narration_text": "open oven", "start_frame": 5, "stop_frame": 9}]
    line = {k: v for k, v in third(2).items() if k not in names}
    line |= {"task_progress_metadata": progress, "current_observation_frame": 33}
    (tmp_path / "EgoPlan-Bench2.json").write_text(json.dumps([line]))
    video = film(tmp_path / f"Ego4D/v1_288p/{UUID}.mp4", 50)
    ((item, pictures),) = read(tmp_path, file="egoplan_bench2")
    assert [grey_of(p) for p in pictures] == [3, 9, 15, 21, 27, 33, 33]
    assert (item.group, item.task, item.scenario) == (UUID, "Hobbies", "baking")
    assert "in order to eat an onion?" in item.prompt[-1].value
    film(video, 20)
    with pytest.raises(CorruptMediaError, match="ends before frame 21, after 20 frames"):
        read(tmp_path, file="egoplan_bench2")


def test_secret_answers_are_left_out_and_counted(tmp_path: Path) -> None:
    secret = record(1, answer="")
    del secret["golden_choice_idx"]
    found = seed_bench_r1.read(config(published(tmp_path, L1=[record(), secret])))
    assert (len(found.questions), found.left_out) == (1, {"answer_not_published": 1})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            {k: v for k, v in record().items() if k not in CHOICES} | {"negative_answers": ["a"]},
            "has no choices",
        ),
        (record(golden_choice_idx="E"), r"validation_L1\.jsonl, line 1: expected under 'golden_choice_idx'"),
        (record(video_basename=""), "line 1: names no 'video_basename'"),
        (
            record(current_observation_basename="", task_start_frame=96),
            "begins at frame 96, after the current",
        ),
    ],
)
def test_malformed_records_are_named(tmp_path: Path, line: dict[str, Any], message: str) -> None:
    folder = published(tmp_path, L1=[record()])
    (folder / "annotations/validation_L1.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(ManifestError, match=message):
        read(folder)


def test_missing_media_are_named(tmp_path: Path) -> None:
    folder = published(tmp_path, L1=[record()])
    (folder / "videos/EpicKitchens/0.mp4").unlink()
    with pytest.raises(ManifestError, match=r"videos/EpicKitchens/0\.mp4 does not exist"):
        read(folder)
