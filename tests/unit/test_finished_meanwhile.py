"""A stage that another job finished while the driver was planning is not made twice."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tpru import run as frame
from tpru.files import write_json

SFT = Path("results/x/sft")
EVALUATE = Path("results/x/evaluate/sft/heldout")
CONFIG: dict[str, Any] = {"name": "x", "unit": "evaluate/sft/heldout", "evaluate": {"batch_size": 1}}


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation that has just been finished, its ``run.json`` already deleted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(frame.PLANNED_VARIABLE, "1000")
    write_json(SFT / "run.json", {"fingerprint": "abc"})
    record = {"config": CONFIG, "inputs": {"sft": "abc"}, "outputs": {"predictions.parquet": {}}}
    write_json(EVALUATE / frame.FINISHED, record)
    (EVALUATE / "predictions.parquet").touch()


def never(run: frame.Run) -> None:
    pytest.fail("it was made again")


def test_it_is_kept() -> None:
    frame.execute("evaluate", never, CONFIG)
    assert json.loads((EVALUATE / "run.json").read_text())["inputs"] == {"sft": "abc"}


def test_other_ranks_keep_it_too_and_write_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    frame.execute("evaluate", never, CONFIG)
    assert not (EVALUATE / "run.json").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda: os.utime(EVALUATE / frame.FINISHED, (999, 999)),
        lambda: os.environ.pop(frame.PLANNED_VARIABLE),
        lambda: write_json(SFT / "run.json", {"fingerprint": "another"}),
        lambda: (SFT / "run.json").unlink(),
        lambda: (EVALUATE / "predictions.parquet").unlink(),
        lambda: (EVALUATE / frame.FINISHED).unlink(),
    ],
    ids=["before the plan", "by hand", "another input", "no input", "an output is gone", "not finished"],
)
def test_anything_else_is_made(change: Any) -> None:
    assert frame.finished_meanwhile(EVALUATE, CONFIG)
    change()
    assert frame.finished_meanwhile(EVALUATE, CONFIG) is None


def test_another_configuration_is_made() -> None:
    other = {**CONFIG, "evaluate": {"batch_size": 2}}
    assert frame.finished_meanwhile(EVALUATE, other) is None
