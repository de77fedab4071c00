"""What stages do besides calling others: levels in the report, seconds of trainings, the guessers' verdict."""

import dataclasses
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.builders import make_item, make_sequence, png, scene
from tpru.config.compose import compose
from tpru.config.schema import SynthesizeConfig
from tpru.errors import ShortcutError
from tpru.evaluation.guessers import GuessRow
from tpru.files import sha256_bytes, write_json
from tpru.records import SPLITS, Item, Level, Prediction
from tpru.reporting.page import Results
from tpru.stages import report, synthesize
from tpru.stages.report import Answers, asked_items, by_level, trained, training_seconds
from tpru.stages.synthesize import LEAST_GUESSED, check_guessers, count_items, looks_of
from tpru.store import FrameStore, write_frames
from tpru.synthesis.splits import frame_ids

CONFIG = compose("demo", []).synthesize


# What starts at all.


@pytest.mark.parametrize("stage", ["download", "extract", "describe", "grounding", "filter_audit", "report"])
def test_stages_without_a_model_start_without_torch(stage: str) -> None:
    # Five seconds each, and on a cluster a node that needs no more than the data.
    asked = f"import sys, tpru.stages.{stage}; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


# The report: a benchmark per level.


def items_of(levels: list[Level]) -> list[Item]:
    return [make_item(f"i{k}", level=level) for k, level in enumerate(levels)]


def answers_to(items: list[Item], *models: str) -> Answers:
    return {m: [Prediction(i.item_id, m, "heldout", "", "C", True, 1) for i in items] for m in models}


def ids(listed: list[Item]) -> list[str]:
    return [i.item_id for i in listed]


def test_a_benchmark_with_levels_is_one_per_level() -> None:
    items = items_of(["L3", "L1", "L2", "L1", "L3"])
    made = list(by_level("heldout", items, answers_to(items[::-1], "base", "sft")))
    assert [name for name, _, _ in made] == ["heldout L1", "heldout L2", "heldout L3"]
    assert [ids(asked) for _, asked, _ in made] == [["i1", "i3"], ["i2"], ["i0", "i4"]]
    for _, asked, by_model in made:
        assert list(by_model) == ["base", "sft"]
        for predictions in by_model.values():
            assert sorted(p.item_id for p in predictions) == ids(asked)


def test_a_benchmark_without_levels_keeps_its_name_and_all_its_items() -> None:
    items = items_of(["", "", ""])
    answers = answers_to(items, "base")
    assert list(by_level("heldout", items, answers)) == [("heldout", items, answers)]


def test_items_without_a_level_stand_beside_those_with_one() -> None:
    items = items_of(["L1", "", "L2"])
    names = [name for name, _, _ in by_level("heldout", items, answers_to(items, "base"))]
    assert names == ["heldout", "heldout L1", "heldout L2"]


def test_only_items_that_were_asked_are_counted() -> None:
    items = items_of(["L1", "L2", "L1", "L2"])
    assert asked_items(items, answers_to(items[:1], "base")) == items[:1]
    assert asked_items(items, {"base": []}) == []


def test_nothing_asked_is_no_benchmark() -> None:
    assert list(by_level("heldout", [], {"base": []})) == []


def test_only_models_with_a_training_have_curves_and_seconds(tmp_path: Path) -> None:
    models = ["base", "sft", "grpo_from_base", "grpo_blind"]
    run: Any = SimpleNamespace(config={"models": models}, results=tmp_path)
    assert trained(run) == ["sft", "grpo", "grpo_from_base"]
    for k, stage in enumerate(("sft", "grpo", "grpo_from_base")):
        write_json(tmp_path / stage / "run.json", {"seconds": 10 * (k + 1)})
    # The blind model is the GRPO model: its training is that one.
    assert training_seconds(run) == {"sft": 10.0, "grpo_blind": 20.0, "grpo_from_base": 30.0}


def test_metrics_hold_no_times_and_no_paths() -> None:
    parts = ("rows", "comparisons", "detectable", "harness", "consistency")
    assert report.metrics(Results([], [], [], [])) == {part: [] for part in parts}


# The synthesis: guessers.


def guess(guesser: str = "pixels_near", n: int = 100, accuracy: float = 0.6) -> GuessRow:
    return GuessRow(
        guesser=guesser,
        task="next_frame",
        form="pictures",
        subset="all",
        n=n,
        correct=round(accuracy * n),
        accuracy=accuracy,
        low=accuracy - 0.08,
        high=accuracy + 0.08,
        chance=0.2,
        excess=accuracy - 0.2,
        blind=0.2,
    )


def checked(
    rows: list[GuessRow], says: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, list[tuple[int, int]]]:
    """The run after the check, and how many items the guessers were fitted on and asked."""
    asked: list[tuple[int, int]] = []

    def report_of(train: list[Item], test: list[Item], frames: FrameStore) -> list[GuessRow]:
        asked.append((len(train), len(test)))
        assert {i.split for i in test} == {"test"}
        assert "test" not in {i.split for i in train}
        return rows

    monkeypatch.setattr(synthesize, "guess_report", report_of)
    run: Any = SimpleNamespace(folder=folder, output=lambda name: folder / name, metrics={})
    config = SynthesizeConfig(**{**CONFIG.model_dump(), "guessers": says})
    items = [make_item(f"i{k}", split=SPLITS[k % 3]) for k in range(10)]
    frames: Any = None
    check_guessers(run, config, items, frames)
    return run, asked


def test_a_shortcut_stops_the_build_where_it_is_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ShortcutError, match="1 place") as caught:
        checked([guess()], "fail", tmp_path, monkeypatch)
    assert caught.value.exit_code == 22
    assert "synthesize.guessers=warn" in str(caught.value)
    # Told, and written down, before the build stops.
    assert "pixels_near answers 60.0% of 100 all next_frame items" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "guessers.json").read_text())["beaten"]) == 1


def test_a_shortcut_is_told_where_it_is_to_warn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, asked = checked([guess(), guess("majority", accuracy=0.2)], "warn", tmp_path, monkeypatch)
    assert asked == [(7, 3)]
    assert run.metrics["guessers_best_excess"] == pytest.approx(0.4)
    out = capsys.readouterr().out
    assert "pixels_near" in out
    assert "majority" not in out


@pytest.mark.parametrize(
    "row",
    [
        guess(accuracy=0.25),
        guess(n=LEAST_GUESSED - 1),  # too few to tell
        guess("features_path"),  # what time leaves in pictures
    ],
)
def test_what_is_no_shortcut_does_not_stop_the_build(
    row: GuessRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checked([row], "fail", tmp_path, monkeypatch)
    assert "shortcut" not in capsys.readouterr().out
    assert json.loads((tmp_path / "guessers.json").read_text())["rows"]


def test_the_data_card_counts_levels_where_there_are_any() -> None:
    counts = count_items(items_of(["L1", "L1", "L3", ""]))
    assert counts["level"] == {"L1": 2, "L3": 1}
    assert count_items(items_of([""]))["level"] == {}
    assert Counter(counts["task"]) == {"next_frame": 4}


def test_what_was_not_done_is_looked_at_too(tmp_path: Path) -> None:
    pictures = [png(scene(at=(10 * k, 20))) for k in range(8)]
    names = [sha256_bytes(p) for p in pictures]
    write_frames(tmp_path / "frames.parquet", [*pictures, png(scene(at=(0, 60)))])
    made = make_sequence(total=6, first=0, alternatives=2)
    frames = [dataclasses.replace(f, frame_id=n) for f, n in zip(made.frames, names, strict=False)]
    rest = [dataclasses.replace(f, frame_id=n) for f, n in zip(made.outside, names[4:], strict=False)]
    others = [dataclasses.replace(f, frame_id=n) for f, n in zip(made.alternatives, names[6:], strict=True)]
    made = dataclasses.replace(made, frames=tuple(frames), outside=tuple(rest), alternatives=tuple(others))
    looks = looks_of([made], FrameStore([tmp_path / "frames.parquet"]))
    assert list(looks) == names == frame_ids(made)
