"""Batches over devices, and the command that starts a training on them."""

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpru import launch, pipeline, runtime
from tpru.config.compose import compose
from tpru.config.devices import passes_per_update
from tpru.config.schema import GrpoConfig, SftConfig
from tpru.errors import BatchError, ConfigError
from tpru.launch import Job, Shape

CONFIG = compose("demo", ["sft.batch_size=16", "sft.per_device_batch_size=4"])
JOB = Job(id=42, restarts=1, first_node="n1", cores=8)


def sft(batch: int, each: int) -> SftConfig:
    return CONFIG.sft.model_copy(update={"batch_size": batch, "per_device_batch_size": each})


def grpo(batch: int, each: int, group: int) -> GrpoConfig:
    changes = {"batch_size": batch, "per_device_batch_size": each, "group_size": group}
    return CONFIG.grpo.model_copy(update=changes)


@given(st.integers(1, 64), st.integers(1, 16), st.integers(1, 4), st.integers(1, 8))
def test_what_is_accepted_makes_exactly_the_batch(batch: int, each: int, nodes: int, gpus: int) -> None:
    try:
        passes = passes_per_update(sft(batch, each), nodes, gpus)
    except BatchError:
        assert batch % (each * nodes * gpus)
    else:
        assert passes >= 1
        assert passes * each * nodes * gpus == batch


def test_a_batch_that_does_not_spread_is_refused_with_its_numbers() -> None:
    with pytest.raises(BatchError) as told:
        passes_per_update(grpo(128, 128, 8), 2, 4)
    for part in (
        "grpo.batch_size=128", "16 prompts x 8", "2 node(s) x 4 device(s)", "per_device_batch_size=128 = 1024",
        "0.125 passes", "grpo.per_device_batch_size to 16",
    ):  # fmt: skip
        assert part in str(told.value)
    with pytest.raises(BatchError, match=r"make sft\.batch_size a multiple of 3"):
        passes_per_update(sft(16, 4), 1, 3)


def made() -> pipeline.Plan:
    return pipeline.Plan(CONFIG, (), {})


@pytest.mark.parametrize("rule", pipeline.TRAININGS)
def test_the_profile_is_checked_against_the_batch_before_anything_runs(rule: str) -> None:
    pipeline.check_devices(made(), {rule: {"nodes": 1, "gpu": 0}, "download": {"mem_mb": 5}})
    with pytest.raises(BatchError, match=r"5 node\(s\) x 7 device\(s\)"):
        pipeline.check_devices(made(), {rule: {"nodes": 5, "gpu": 7}})


def test_a_stage_of_one_process_takes_no_second_gpu() -> None:
    pipeline.check_devices(made(), {"evaluate": {"gpu": 1}})
    with pytest.raises(ConfigError, match="evaluate:gpu=1"):
        pipeline.check_devices(made(), {"evaluate": {"gpu": 2}})


def test_one_process_is_started_as_it_is() -> None:
    assert launch.local_command(Shape(1, 1), ["tpru.stages.sft", "-cn", "sft"]) == [
        sys.executable, "-m", "tpru.stages.sft", "-cn", "sft",
    ]  # fmt: skip
    assert launch.slurm_command(Shape(1, 1), ["tpru.stages.sft"], JOB) == [
        "srun", "--nodes=1", "--ntasks=1", "--ntasks-per-node=1", "--cpus-per-task=8", "--kill-on-bad-exit=1",
        sys.executable, "-m", "tpru.stages.sft",
    ]  # fmt: skip


def test_several_processes_meet_on_the_first_node() -> None:
    command = launch.slurm_command(Shape(2, 4), ["tpru.stages.grpo"], JOB)
    assert command[:3] == ["srun", "--nodes=2", "--ntasks=2"]
    assert "--nnodes=2" in command
    assert "--nproc-per-node=4" in command
    assert f"--rdzv-endpoint=n1:{JOB.port}" in command
    assert "--rdzv-id=tpru-42-1" in command
    assert "--max-restarts=0" in command
    assert command[-2:] == ["--module", "tpru.stages.grpo"]
    # On one machine nobody has to be found.
    assert "--standalone" in launch.slurm_command(Shape(1, 4), ["tpru.stages.grpo"], JOB)
    assert "--standalone" in launch.local_command(Shape(1, 4), ["tpru.stages.grpo"])


@given(st.integers(1, 10**8), st.integers(0, 20))
def test_ports_are_free_to_use_and_change_with_a_restart(job: int, restarts: int) -> None:
    ports = [Job(job, r, "n1", 1).port for r in (restarts, restarts + 1)]
    assert all(1024 < port < 61000 for port in ports)
    assert ports[0] != ports[1]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Commands that were run, and how the next ones end."""
    seen = SimpleNamespace(commands=[], requeue=0)

    def run(command: list[str], **_: Any) -> Any:
        seen.commands.append(command)
        if command[0] == "scontrol":
            return SimpleNamespace(returncode=seen.requeue, stderr="no such job")
        return subprocess.CompletedProcess(command, seen.step())

    monkeypatch.setattr(launch.subprocess, "run", run)
    monkeypatch.setattr(launch.time, "sleep", lambda s: seen.commands.append(["sleep"]))
    kept = signal.getsignal(signal.SIGTERM)
    yield seen
    signal.signal(signal.SIGTERM, kept)


def test_an_interrupted_training_goes_back_to_the_queue(ran: Any, tmp_path: Path) -> None:
    mark = tmp_path / runtime.INTERRUPTED

    def step() -> int:
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN, "it must live to see how the step ends"
        mark.touch()
        return 143

    ran.step = step
    assert launch.run_in_slurm(["srun"], tmp_path / "log", mark, 42) == launch.TRY_AGAIN
    assert ran.commands == [["srun"], ["scontrol", "requeue", "42"], ["sleep"]]
    assert not mark.exists()


def test_a_job_that_is_being_cancelled_is_not_waited_for(ran: Any, tmp_path: Path) -> None:
    mark = tmp_path / runtime.INTERRUPTED
    ran.step, ran.requeue = (lambda: (mark.touch(), 143)[1]), 1
    assert launch.run_in_slurm(["srun"], tmp_path / "log", mark, 42) == launch.TRY_AGAIN
    assert ["sleep"] not in ran.commands


@pytest.mark.parametrize(("ended", "status"), [(0, 0), (10, 10), (-9, 137)])
def test_any_other_end_is_passed_on(ran: Any, tmp_path: Path, ended: int, status: int) -> None:
    mark = tmp_path / runtime.INTERRUPTED
    mark.touch()  # of an earlier start
    ran.step = lambda: ended
    assert launch.run_in_slurm(["srun"], tmp_path / "log", mark, 42) == status
    assert ran.commands == [["srun"]]


@pytest.mark.parametrize(("asked", "ranks", "least"), [("1", "1", 1), ("1", "4", 1), ("1000", "1", 1)])
def test_cores_are_shared_and_never_more_than_there_are(
    asked: str, ranks: str, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.os, "sched_getaffinity", lambda _: set(range(6)))
    monkeypatch.setenv("TPRU_THREADS", asked)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", ranks)
    assert least <= runtime.threads() <= 6
    monkeypatch.setenv("TPRU_THREADS", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert runtime.threads() == 2
