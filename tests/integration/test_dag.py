"""The whole DAG on the tiny model: what comes out, and that it comes out the same twice."""

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import Workspace, new_workspace
from tests.unit.benchmark_files import write_muirbench
from tpru.evaluation.scoring import BASELINES

pytestmark = pytest.mark.slow

SAME = (
    "download/*/*.parquet", "extract/*/*.parquet", "describe/captions.parquet", "processor/processor/*",
    "synthesize/*.parquet", "synthesize/leak_check.json", "synthesize/guessers.json",
    "base_model/model/model.safetensors", "sft/merged/model.safetensors", "sft/log.jsonl",
    "grpo/merged/model.safetensors", "grpo/log.jsonl", "evaluate/*/*/predictions.parquet",
    "report/metrics.*", "report/tables.*",
)  # fmt: skip


BENCHMARKS = {"heldout L1", "heldout L2", "heldout L3"}


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def log(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def hashes(results: Path) -> dict[str, str]:
    """SHA-256 of everything that equal runs must have in common."""
    assert [pattern for pattern in SAME if not list(results.glob(pattern))] == []
    files = [p for pattern in SAME for p in results.glob(pattern)]
    return {str(p.relative_to(results)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(files)}


def test_metrics_have_every_row_with_n_and_interval(finished: Workspace) -> None:
    metrics = read(finished.folder / "results/smoke/report/metrics.json")
    rows = metrics["rows"]
    assert pq.read_table(finished.folder / "results/smoke/report/metrics.parquet").to_pylist() == rows
    models = {*BASELINES, "base", "sft", "grpo", "grpo_blind"}
    for benchmark in BENCHMARKS:
        assert {r["model"] for r in rows if r["benchmark"] == benchmark} == models
    assert {r["benchmark"] for r in rows} == BENCHMARKS
    for r in rows:
        assert r["n"] > 0
        assert 0 <= r["low"] <= r["accuracy"] <= r["high"] <= 1
        assert math.isclose(r["accuracy"], r["correct"] / r["n"])
    for model in models:
        cells = {(r["task"], r["scenario"]) for r in rows if r["model"] == model and r["subset"] == "all"}
        assert {t for t, _ in cells} == {"all", "reordering", "next_frame", "previous_frame"}
        assert {s for _, s in cells} == {"all", "robot", "assembly", "gui", "navigation"}
    for benchmark in BENCHMARKS:
        pairs = {(c["model_a"], c["model_b"]) for c in metrics["comparisons"] if c["benchmark"] == benchmark}
        assert pairs >= {("sft", "base"), ("grpo", "sft")}


def test_every_split_has_items_and_no_group_in_common(finished: Workspace) -> None:
    checked = read(finished.folder / "results/smoke/synthesize/leak_check.json")
    assert checked["leaks"] == []
    counts = read(finished.folder / "results/smoke/synthesize/run.json")["counts"]
    assert set(counts["split"]) == {"sft", "grpo", "test"}
    assert set(counts["scenario"]) == {"robot", "assembly", "gui", "navigation"}


def test_every_level_is_tested_and_the_unseen_ones_are_not_trained_on(finished: Workspace) -> None:
    from tpru.records import Item, Trajectory
    from tpru.store import read_records

    items = read_records(finished.folder / "results/smoke/synthesize/items.parquet", Item)
    assert {i.level for i in items if i.split == "test"} == {"L1", "L2", "L3"}
    assert {i.level for i in items if i.split != "test"} == {"L1"}
    assert all(0 <= i.difficulty <= 1 for i in items)
    for name in ("robot", "assembly", "gui", "navigation"):
        path = finished.folder / f"results/smoke/download/{name}/trajectories.parquet"
        levels = [t.level for t in read_records(path, Trajectory)]
        assert levels == ["L1"] * 5 + ["L2", "L3"]


def test_the_guessers_were_asked(finished: Workspace) -> None:
    guessed = read(finished.folder / "results/smoke/synthesize/guessers.json")
    assert {r["task"] for r in guessed["rows"]} == {"reordering", "next_frame", "previous_frame"}
    assert "guessers_best_excess" in read(finished.folder / "results/smoke/synthesize/run.json")["metrics"]


def test_the_base_is_the_shipped_one(finished: Workspace) -> None:
    shipped = finished.folder / "src/tpru/models/tiny_base/model.safetensors"
    used = finished.folder / "results/smoke/base_model/model/model.safetensors"
    assert used.read_bytes() == shipped.read_bytes()
    assert read(finished.folder / "results/smoke/base_model/run.json")["inputs"] == {}
    assert read(finished.folder / "results/smoke/processor/run.json")["inputs"] == {}


def test_training_changes_the_weights(finished: Workspace) -> None:
    for stage in ("sft", "grpo"):
        record = read(finished.folder / f"results/smoke/{stage}/run.json")
        assert record["metrics"]["adapter_norm"] > 0, stage


def test_logs_hold_what_the_report_draws(finished: Workspace) -> None:
    updates = [r for r in log(finished.folder / "results/smoke/grpo/log.jsonl") if "reward" in r]
    assert [r["step"] for r in updates] == [1, 2, 3, 4]
    for key in ("reward", "accuracy", "format", "completion_length", "entropy", "kl", "frac_zero_variance"):
        assert key in updates[-1], key
    assert any(r["reward_std"] > 0 for r in updates), "no group ever differed: GRPO had nothing to learn from"
    assert any("loss" in r for r in log(finished.folder / "results/smoke/sft/log.jsonl"))


def test_the_curve_on_held_out_items_begins_and_ends_with_the_training(finished: Workspace) -> None:
    for stage in ("sft", "grpo"):
        record = read(finished.folder / f"results/smoke/{stage}/run.json")
        curve = [
            r for r in log(finished.folder / f"results/smoke/{stage}/log.jsonl") if "held_out_accuracy" in r
        ]
        steps = [r["step"] for r in curve]
        assert steps[0] == 0
        assert steps[-1] == record["metrics"]["updates"]
        assert steps == sorted(set(steps))
        assert all(0 <= r["held_out_accuracy"] <= 1 for r in curve)


def test_report_page_is_one_file(finished: Workspace) -> None:
    page = (finished.folder / "results/smoke/report/index.html").read_text()
    assert not re.findall(r'(?:src|href)="https?://', page)
    words = ("chance", "majority", "guess_pixels", "grpo_blind", "Apache-2.0", "smoke", "last training")
    for word in (*words, *BENCHMARKS):
        assert word in page


def test_mlflow_has_one_parent_and_linked_children(finished: Workspace) -> None:
    from mlflow import MlflowClient

    store = MlflowClient(f"sqlite:///{finished.folder}/results/mlflow.db")
    experiment = store.get_experiment_by_name("smoke")
    assert experiment is not None
    runs = store.search_runs([experiment.experiment_id], max_results=1000)
    parents = [r for r in runs if r.data.tags.get("tpru.kind") == "invocation"]
    assert [r.info.status for r in parents] == ["FINISHED"]
    children = {r.info.run_name: r for r in runs if r not in parents}
    assert len(children) == 20
    assert {r.data.tags["mlflow.parentRunId"] for r in children.values()} == {parents[0].info.run_id}
    assert {r.info.status for r in children.values()} == {"FINISHED"}
    grpo = children["grpo"]
    assert grpo.data.tags["upstream.sft.run_id"] == children["sft"].info.run_id
    assert grpo.data.params["grpo.group_size"] == "4"
    assert grpo.inputs is not None
    assert grpo.inputs.dataset_inputs[0].dataset.name == "grpo items"
    names = {a.path for a in store.list_artifacts(grpo.info.run_id)}
    assert {"adapter", "log.jsonl", "run.json"} <= names
    report = {a.path for a in store.list_artifacts(children["report"].info.run_id)}
    assert {"index.html", "metrics.json", "metrics.parquet", "tables.md", "tables.tex"} <= report


def test_snakemake_report_holds_the_page(finished: Workspace) -> None:
    finished.run(finished.snakemake("--report", "report.zip", "--config", "experiment=smoke"))
    assert (finished.folder / "report.zip").stat().st_size > 10_000


def test_arms_and_the_audit_run_where_they_are_asked_for(finished: Workspace, tmp_path: Path) -> None:
    copy = finished.copy(tmp_path / "copy")
    models = "evaluate.models=[base,sft,sft_continued,grpo,grpo_from_base,grpo_blind]"
    chosen = ["--config", "experiment=smoke", f'overrides=["{models}","sft_continued.epochs=1"]']
    copy.run(copy.snakemake("all", *chosen))
    copy.run(copy.snakemake("audit", "--config", "experiment=smoke"))
    results = copy.folder / "results/smoke"
    rows = read(results / "report/metrics.json")["rows"]
    assert {"sft_continued", "grpo_from_base"} <= {r["model"] for r in rows}
    for arm, start in (("sft_continued", "sft"), ("grpo_from_base", "base_model")):
        record = read(results / arm / "run.json")
        assert start in record["inputs"]
        assert record["metrics"]["updates"] > 0
    # GRPO from the base may find no reward in four updates, and then leaves the adapter as it was.
    assert read(results / "sft_continued/run.json")["metrics"]["adapter_norm"] > 0
    # What was trained before was not trained again.
    for stage in ("sft", "grpo"):
        assert (results / stage / "run.json").read_bytes() == (
            finished.folder / f"results/smoke/{stage}/run.json"
        ).read_bytes()
    assert (results / "audit/index.html").stat().st_size > 10_000


def test_an_external_benchmark_is_asked_and_reported_beside_the_held_out_items(
    finished: Workspace, tmp_path: Path
) -> None:
    copy = finished.copy(tmp_path / "copy")
    data = write_muirbench(tmp_path / "data", pairs=4)
    added = f'"+benchmark@benchmarks.muirbench=muirbench","benchmarks.muirbench.path={data}"'
    chosen = ["--config", "experiment=smoke", f'overrides=["evaluate.models=[base,grpo_blind]",{added}]']
    done = copy.run(copy.snakemake("all", *chosen))
    jobs = re.findall(r"^(\w+) +(\d+)$", (done.stdout + done.stderr).split("Job stats:")[1], re.MULTILINE)
    assert dict(jobs) == {"all": "1", "benchmark": "1", "evaluate": "2", "report": "1", "total": "5"}
    results = copy.folder / "results/smoke"
    for model in ("base", "grpo_blind"):
        record = read(results / f"evaluate/{model}/muirbench/run.json")
        assert {"benchmark/muirbench", "processor"} < set(record["inputs"])
        assert "synthesize" not in record["inputs"]
    rows = [r for r in read(results / "report/metrics.json")["rows"] if r["benchmark"] == "muirbench"]
    assert {r["model"] for r in rows} == {"chance", "majority", "always_none", "base", "grpo_blind"}
    assert {(r["task"], r["n"]) for r in rows if r["subset"] == "all"} == {
        ("all", 8), ("Counting", 4), ("Ordering", 4),
    }  # fmt: skip
    (rejecting,) = [r for r in rows if (r["model"], r["task"], r["subset"]) == ("always_none", "all", "all")]
    assert rejecting["accuracy"] == 0.5
    page = (results / "report/index.html").read_text()
    for word in ("2406.09411", "CC-BY-4.0", r"<code>muirbench/\d</code>", "<th [^>]*>Ordering</th>"):
        assert re.search(word, page), word


def test_same_config_and_seed_give_the_same_bytes(finished: Workspace, tmp_path: Path) -> None:
    again = new_workspace(tmp_path / "clone")
    again.run(again.snakemake("all", "--config", "experiment=smoke"))
    assert hashes(again.folder / "results/smoke") == hashes(finished.folder / "results/smoke")


def test_finished_stage_leaves_no_checkpoints(finished: Workspace) -> None:
    assert not list((finished.folder / "results").rglob("checkpoint-*"))
