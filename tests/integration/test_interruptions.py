"""Killed, locked, out of disk: nothing computed is lost, and the same command carries on."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.integration.test_dag import hashes

pytestmark = pytest.mark.slow


def kill_when_checkpointed(workspace: Workspace, command: list[str], stage: str) -> int:
    """Start the workflow, kill -9 driver and stage once a complete checkpoint is there; return its step."""
    folder = workspace.folder / f"results/smoke/{stage}"
    process = subprocess.Popen(
        command,
        cwd=workspace.folder,
        env=workspace.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.time() + 300
    while time.time() < deadline and process.poll() is None:
        done = sorted(folder.glob("checkpoints/*/checkpoint-*/complete"))
        if done:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return int(done[-1].parent.name.rsplit("-", 1)[1])
        time.sleep(0.01)
    pytest.fail(f"{stage} ended or hung before its first checkpoint")


@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_killed_training_continues_and_ends_the_same(finished: Workspace, tmp_path: Path, stage: str) -> None:
    copy = finished.copy(tmp_path / "copy")
    shutil.rmtree(copy.folder / f"results/smoke/{stage}")
    command = copy.snakemake(f"results/smoke/{stage}/run.json", "--config", "experiment=smoke")
    step = kill_when_checkpointed(copy, command, stage)
    interrupted = (copy.folder / f"results/smoke/{stage}/.mlflow_run").read_text()
    copy.run(command)
    text = (copy.folder / f"results/smoke/logs/{stage}.log").read_text()
    continued = re.search(r"continuing from \S+checkpoint-(\d+)", text)
    assert continued is not None
    assert int(continued.group(1)) >= step
    assert hashes(copy.folder / "results/smoke") == hashes(finished.folder / "results/smoke")
    record = json.loads((copy.folder / f"results/smoke/{stage}/run.json").read_text())
    assert record["mlflow_run_id"] == interrupted, "the same MLflow run goes on"


def test_second_driver_does_not_train_the_same_thing(finished: Workspace, tmp_path: Path) -> None:
    from tpru.files import stage_lock

    copy = finished.copy(tmp_path / "copy")
    with stage_lock(copy.folder / "results/smoke/sft"):
        done = copy.stage("sft", "experiment=smoke")
    assert done.returncode == 19
    assert f"pid {os.getpid()}" in done.stderr


def test_sigterm_ends_the_run_as_killed(finished: Workspace, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    copy = finished.copy(tmp_path / "copy")
    command = [sys.executable, "-m", "tpru.stages.grpo", "experiment=smoke", "grpo.steps=200"]
    process = subprocess.Popen(command, cwd=copy.folder, env=copy.environment, stderr=subprocess.DEVNULL)
    folder = copy.folder / "results/smoke/grpo"
    deadline = time.time() + 120
    while time.time() < deadline and not list(folder.glob("checkpoints/*/*/complete")):
        time.sleep(0.05)
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    store = MlflowClient(f"sqlite:///{copy.folder}/results/mlflow.db")
    assert store.get_run((folder / ".mlflow_run").read_text()).info.status == "KILLED"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk(finished: Workspace, small_disk: Path, tmp_path: Path) -> None:
    copy = finished.copy(tmp_path / "copy")
    stage = copy.folder / "results/smoke/synthesize"
    kept = shutil.copytree(stage, small_disk / "synthesize")
    before = {p.name: p.read_bytes() for p in kept.iterdir() if p.is_file()}
    shutil.rmtree(stage)
    stage.symlink_to(kept)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(b"0" * 4096)
    done = copy.stage("synthesize", "experiment=smoke")
    assert done.returncode == 18, done.stderr
    assert "is full" in done.stderr
    for name in ("items.parquet", "run.json"):
        assert (kept / name).read_bytes() == before[name], f"{name} must survive"
    assert not list(kept.glob(".*.tmp"))
    filler.unlink()
    assert copy.stage("synthesize", "experiment=smoke").returncode == 0
