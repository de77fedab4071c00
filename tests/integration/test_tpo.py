"""Task Preference Optimization in the DAG, on the finished smoke run: what it adds, from dense items to the page."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import Workspace
from tpru.grounding.records import GROUNDING_TASKS, GroundingItem, GroundingPrediction
from tpru.store import read_records

pytestmark = pytest.mark.slow

HEADS = "conversation: true, answers: heads, temporal_head: detr, region_loss: l1_giou"
OVERRIDES = (
    "evaluate.models=[base,sft,grpo,tpo,tpo_chat,sft_from_tpo,grpo_from_tpo]",
    f"+tpo.variants.full={{tasks: [temporal, region, mask], {HEADS}}}",
    f"+tpo.variants.chat={{tasks: [], {HEADS}}}",
    "+tpo.variants.text={tasks: [temporal, region, mask], conversation: false, answers: text, "
    "temporal_head: mlp, region_loss: mse}",
    "tpo.phases.assignment.updates=2",
    "tpo.phases.heads.updates=3",
    "tpo.phases.joint.updates=2",
    "segmenter.updates=20",
)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def results(finished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of smoke with three variants of TPO."""
    made = finished.copy(tmp_path_factory.mktemp("tpo") / "clone")
    listed = ",".join(f'"{o}"' for o in OVERRIDES)
    said = made.run(made.snakemake("all", "--config", "experiment=smoke", f"overrides=[{listed}]"))
    # What was there and does not depend on TPO is not made again.
    for kept in ("download", "synthesize", "base_model", "sft", "grpo"):
        assert f"rule {kept}:" not in said.stdout + said.stderr
    return made.folder / "results/smoke"


def test_every_phase_hands_its_model_to_the_next(results: Path) -> None:
    phases = ("assignment", "heads", "joint")
    for variant in ("full", "text"):
        before = "base_model"
        for phase in phases:
            record = read(results / f"tpo/{variant}/{phase}/run.json")
            assert before in record["inputs"]
            assert {"merged", "heads", "log.jsonl"} <= set(record["outputs"])
            before = f"tpo/{variant}/{phase}"
    assert [p.name for p in (results / "tpo/chat").iterdir() if p.is_dir()] == ["joint"]
    assert "tpo/full/joint" in read(results / "sft_from_tpo/run.json")["inputs"]
    assert "sft_from_tpo" in read(results / "grpo_from_tpo/run.json")["inputs"]


def test_losses_of_heads_begin_with_their_phase(results: Path) -> None:
    def logged(phase: str) -> set[str]:
        lines = (results / f"tpo/full/{phase}/log.jsonl").read_text().splitlines()
        return {key for line in lines for key in json.loads(line) if key.endswith("_loss")}

    heads = {f"{task}_loss" for task in GROUNDING_TASKS}
    assert logged("assignment") == {"assignment_loss"}
    assert logged("heads") == {"assignment_loss", *heads}
    assert logged("joint") == {"assignment_loss", "language_loss", *heads}


def test_every_dense_test_item_is_answered(results: Path) -> None:
    items = read_records(results / "grounding/grounding.parquet", GroundingItem)
    asked = [item for item in items if item.split == "test"]
    assert {item.task for item in asked} == set(GROUNDING_TASKS)
    for variant in ("full", "text"):
        path = results / f"evaluate_heads/{variant}/predictions.parquet"
        found = read_records(path, GroundingPrediction)
        assert [p.item_id for p in found] == [item.item_id for item in asked]
    assert not (results / "evaluate_heads/chat").exists()


def test_the_page_shows_them_beside_the_temporal_tasks(results: Path) -> None:
    metrics = read(results / "report/metrics.json")
    models = {row["model"] for row in metrics["rows"]}
    assert {"tpo", "tpo_chat", "sft_from_tpo", "grpo_from_tpo"} <= models
    dense = metrics["grounding"]["rows"]
    assert {row["model"] for row in dense} >= {"full", "text", "guess_constant", "guess_words"}
    assert {row["task"] for row in dense} == set(GROUNDING_TASKS)
    assert all(row["low"] <= row["value"] <= row["high"] for row in dense)
    pairs = {(c["model_a"], c["model_b"]) for c in metrics["comparisons"]}
    assert {("sft_from_tpo", "sft"), ("grpo_from_tpo", "grpo")} <= pairs
    page = (results / "report/index.html").read_text(encoding="utf-8")
    assert "Dense supervision" in page


def test_no_dense_picture_of_training_is_tested(results: Path) -> None:
    checked = read(results / "grounding/leak_check.json")
    assert checked["leaks"] == []
    test = {
        f
        for row in pq.read_table(results / "synthesize/items.parquet").to_pylist()
        if row["split"] == "test"
        for f in row["shown"]
    }
    items = read_records(results / "grounding/grounding.parquet", GroundingItem)
    assert not test & {f for item in items if item.split == "train" for f in item.frames}
