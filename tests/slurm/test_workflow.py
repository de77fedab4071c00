"""The workflow on a real SLURM: every stage through sbatch, and what a cluster does to it meanwhile.

Each test disturbs a training of two processes on two nodes. All must end in the bytes of an undisturbed one.
"""

import hashlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Workspace, new_workspace
from tests.slurm.conftest import Cluster, wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

SMOKE = ["--config", "experiment=smoke"]
STEPS = 24
# Long enough to be struck in the middle. Two processes share a batch of eight completions.
LONGER = ["--config", "experiment=smoke", 'overrides=["grpo.steps=24","grpo.save_every=2",'
          '"grpo.per_device_batch_size=4","sft.per_device_batch_size=4"]']  # fmt: skip
GRPO = "results/smoke/grpo/run.json"


def site(workspace: Workspace, **changes: Any) -> None:
    """Edit the profile as a site does: ``grpo__nodes=2`` is the line ``grpo:nodes=2``."""
    path = workspace.folder / "workflow/profiles/slurm/profile.yaml"
    text = path.read_text()
    for key, value in changes.items():
        name = key.replace("__", ":")
        text, count = re.subn(rf"(?m)^(  - {name}=|{name.replace('_', '-')}: ).*", rf"\g<1>{value}", text)
        assert count == 1, name
    path.write_text(text)


def sacct(cluster: Cluster, since: str) -> list[dict[str, str]]:
    """Jobs since a moment, as accounting has them."""
    fields = ["JobIDRaw", "JobName", "State", "AllocTRES", "NNodes", "Partition", "Account", "Comment"]
    lines = cluster.run("sacct", "-XnP", f"-S{since}", f"-o{','.join(fields)}").splitlines()
    return [dict(zip(fields, line.split("|"), strict=True)) for line in lines]


def now() -> str:
    """This second as sacct takes it, with no job of an earlier one in it."""
    time.sleep(1.0)
    return time.strftime("%Y-%m-%dT%H:%M:%S")


def hashes(folder: Path) -> dict[str, str]:
    """Of what a training leaves: weights and log."""
    kept = [*folder.glob("adapter/*.safetensors"), *folder.glob("merged/*.safetensors"), folder / "log.jsonl"]
    assert len(kept) == 3
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}


def mlflow_runs(workspace: Workspace) -> list[Any]:
    """Runs of stages that MLflow has."""
    from mlflow import MlflowClient

    store = MlflowClient(f"sqlite:///{workspace.folder}/results/mlflow.db")
    experiment = store.get_experiment_by_name("smoke")
    assert experiment is not None
    found = store.search_runs([experiment.experiment_id], max_results=1000)
    return [run for run in found if "tpru.unit" in run.data.tags]


@pytest.fixture(scope="module")
def started(cluster: Cluster) -> str:
    """When the tests of this module began."""
    return now()


@pytest.fixture(scope="module")
def whole(cluster: Cluster, started: str, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A fresh copy in which the literal command ran the smallest experiment to its end."""
    made = new_workspace(tmp_path_factory.mktemp("slurm") / "clone")
    site(made, seconds_between_status_checks=1)
    made.run(made.snakemake("all", *SMOKE, profile="slurm"))
    return made


def test_every_stage_ran_with_the_resources_it_asked_for(
    cluster: Cluster, whole: Workspace, started: str
) -> None:
    metrics = json.loads((whole.folder / "results/smoke/report/metrics.json").read_text())
    assert {"base", "sft", "grpo"} <= {row["model"] for row in metrics["rows"]}
    jobs = {job["JobName"]: job for job in sacct(cluster, started) if job["JobName"].startswith("tpru-smoke")}
    names = {f"tpru-smoke-{stage}-{source}" for stage in ("download", "extract")
             for source in ("robot", "assembly", "gui", "navigation")}  # fmt: skip
    names |= {f"tpru-smoke-evaluate-{m}-heldout" for m in ("base", "sft", "grpo", "grpo_blind")}
    names |= {
        f"tpru-smoke-{stage}" for stage in ("describe", "synthesize", "sft", "grpo", "filter_audit", "report")
    }
    # What may need a network runs beside the driver.
    assert set(jobs) == names
    assert {job["State"] for job in jobs.values()} == {"COMPLETED"}
    assert {job["Account"] for job in jobs.values()} == {"default"}
    for name, job in jobs.items():
        on_gpu = any(stage in name for stage in ("-sft", "-grpo", "-evaluate"))
        assert job["Partition"] == ("gpu" if on_gpu else "cpu")
        assert ("gres/gpu=1" in job["AllocTRES"]) == on_gpu
    assert "cpu=16,mem=4000M" in jobs["tpru-smoke-download-gui"]["AllocTRES"]
    assert "cpu=8" in jobs["tpru-smoke-grpo"]["AllocTRES"]
    runs = [json.loads(p.read_text()) for p in whole.folder.glob("results/smoke/**/run.json")]
    assert len(runs) == 20
    # A database file is written by the driver alone, and it has heard of all of them.
    assert {run.data.tags["tpru.unit"]: run.info.status for run in mlflow_runs(whole)} == {
        run["unit"]: "FINISHED" for run in runs
    }


@pytest.fixture(scope="module")
def pair(whole: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy whose trainings are two processes on two nodes, before GRPO."""
    made = whole.copy(tmp_path_factory.mktemp("pair") / "clone")
    # The two nodes are one machine: more threads than it has cores would only wait for each other.
    site(made, sft__nodes=2, grpo__nodes=2, sft=1, grpo=1)
    made.run(made.snakemake("results/smoke/sft/run.json", *LONGER, profile="slurm"))
    log = (made.folder / "results/smoke/logs/sft.log").read_text()
    assert "2 processes train together" in log
    return made


@pytest.fixture(scope="module")
def undisturbed(pair: Workspace, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What GRPO on two nodes leaves when nothing happens to it."""
    made = pair.copy(tmp_path_factory.mktemp("undisturbed") / "clone")
    made.run(made.snakemake(GRPO, *LONGER, profile="slurm"))
    assert "2 processes train together" in (made.folder / "results/smoke/logs/grpo.log").read_text()
    record = json.loads((made.folder / GRPO).read_text())
    assert record["metrics"]["updates"] == STEPS
    return hashes(made.folder / "results/smoke/grpo")


@contextmanager
def driver(workspace: Workspace, *command: str) -> Iterator[subprocess.Popen[str]]:
    """The workflow in the background; what it prints is kept in a file."""
    with (workspace.folder / "driver.log").open("a") as stream:
        process = subprocess.Popen(
            workspace.snakemake(*command, profile="slurm"), cwd=workspace.folder, stdout=stream,
            stderr=subprocess.STDOUT, env=workspace.environment, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def step_of(workspace: Workspace) -> int:
    """Updates that the newest complete checkpoint of GRPO has behind it."""
    found = (workspace.folder / "results/smoke/grpo").glob("checkpoints/*/checkpoint-*/complete")
    return max((int(p.parent.name.rsplit("-", 1)[1]) for p in found), default=0)


def running(cluster: Cluster, name: str = "tpru-smoke-grpo") -> str:
    """Id of the job of this name that runs, empty where none does."""
    return cluster.run("squeue", "-h", "-n", name, "-t", "R", "-o", "%i")


def finish(workspace: Workspace, process: subprocess.Popen[str]) -> str:
    """Wait for the workflow's good end; return what the stage said."""
    try:
        code = process.wait(timeout=420)
    except subprocess.TimeoutExpired:
        code = -1
    log = (workspace.folder / "results/smoke/logs/grpo.log").read_text()
    if code:
        pytest.fail(f"{code}\n{(workspace.folder / 'driver.log').read_text()[-4000:]}\n{log[-4000:]}")
    return log


def ranks(folder: Path) -> list[int]:
    """Processes that train in a copy, the first of the group first."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = dict(
                v.split(b"=", 1) for v in (entry / "environ").read_bytes().split(b"\0") if b"=" in v
            )
            here = (entry / "cwd").readlink() == folder
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if here and b"RANK" in variables and b"tpru.stages.grpo" in command and b"run.py" not in command:
            found[int(variables[b"RANK"])] = int(entry.name)
    return [found[rank] for rank in sorted(found)]


def restarts(workspace: Workspace) -> str:
    """How often MLflow saw the run of GRPO go on; and that it is one run, which ended well."""
    from mlflow import MlflowClient

    record = json.loads((workspace.folder / GRPO).read_text())
    runs = [run for run in mlflow_runs(workspace) if run.info.run_name == "grpo"]
    latest = max(runs, key=lambda r: r.info.start_time)
    assert record["config_hash"] == latest.data.tags["tpru.config"]
    assert latest.info.status == "FINISHED"
    store = MlflowClient(f"sqlite:///{workspace.folder}/results/mlflow.db")
    steps = [m.step for m in store.get_metric_history(latest.info.run_id, "reward")]
    assert sorted(set(steps)) == list(range(1, STEPS + 1))
    return latest.data.tags.get("tpru.restarts", "0")


def slurm_log(workspace: Workspace) -> str:
    """What SLURM kept of the output of GRPO's jobs, over all their starts."""
    logs = workspace.folder.glob("results/slurm_logs/tpru-smoke-grpo-[0-9]*.log")
    return "".join(path.read_text() for path in sorted(logs))


def stage_log(workspace: Workspace) -> str:
    """What GRPO said since it was last started, empty before it says anything."""
    try:
        return (workspace.folder / "results/smoke/logs/grpo.log").read_text()
    except FileNotFoundError:
        return ""


Strike = Callable[[Cluster, Workspace, str], None]


def requeue(cluster: Cluster, workspace: Workspace, job: str) -> None:
    cluster.run("scontrol", "requeue", job)


def warn_of_the_time_limit(cluster: Cluster, workspace: Workspace, job: str) -> None:
    """What ``--signal=TERM@...`` does, and at a moment that a test can choose."""
    cluster.run("scancel", "--signal=TERM", job)


def preempt(cluster: Cluster, workspace: Workspace, job: str) -> None:
    """Somebody whose jobs go first wants all GPUs of both nodes."""
    log = workspace.folder / "first.log"
    cluster.submit(log, "sleep 2", "--partition=gpu", "--nodes=2", "--gres=gpu:2")
    cluster.wait_for_state(job, "PENDING")


def kill_a_rank(cluster: Cluster, workspace: Workspace, job: str) -> None:
    os.kill(ranks(workspace.folder)[1], signal.SIGKILL)


def lose_a_node(cluster: Cluster, workspace: Workspace, job: str) -> None:
    cluster.run("scontrol", "update", "NodeName=n2", "State=DOWN", "Reason=test")
    try:
        cluster.wait_for_state(job, "PENDING")
    finally:
        cluster.run("scontrol", "update", "NodeName=n2", "State=RESUME")


@pytest.mark.parametrize(
    ("strike", "jobs", "again"),
    [
        # SLURM queues it again by itself, or the training asks for that.
        (requeue, 1, False),
        # Within the grace time it is the training that asks, after it SLURM.
        (preempt, 1, None),
        (warn_of_the_time_limit, 1, True),
        (kill_a_rank, 2, False),
        (lose_a_node, 1, False),
    ],
    ids=["requeue", "preemption", "time-limit", "kill-9-of-a-rank", "node-down"],
)
def test_a_struck_training_ends_the_same(
    cluster: Cluster,
    pair: Workspace,
    undisturbed: dict[str, str],
    tmp_path: Path,
    strike: Strike,
    jobs: int,
    again: bool | None,
) -> None:
    copy = pair.copy(tmp_path / "clone")
    if strike is preempt:
        site(copy, grpo__slurm_partition="scavenge")
    since = now()
    with driver(copy, GRPO, *LONGER) as process:
        wait_until(lambda: step_of(copy) >= 2, 180, lambda: (copy.folder / "driver.log").read_text()[-3000:])
        job = running(cluster)
        strike(cluster, copy, job)
        log = finish(copy, process)
    continued = [int(step) for step in re.findall(r"continuing from \S+checkpoint-(\d+)", log)]
    assert len(continued) == 1
    assert 2 <= continued[0] < STEPS
    assert again in (None, "goes back to the queue" in slurm_log(copy))
    assert hashes(copy.folder / "results/smoke/grpo") == undisturbed
    assert restarts(copy) == "1"
    mine = [j for j in sacct(cluster, since) if j["JobName"] == "tpru-smoke-grpo"]
    seen = {j["JobIDRaw"] for j in mine if int(j["JobIDRaw"]) >= int(job)}
    assert len(seen) == jobs, "SLURM starts the same job again; only a dead rank costs a new one"


def test_a_real_time_limit(cluster: Cluster, pair: Workspace, tmp_path: Path) -> None:
    """As above, but SLURM itself says when: a limit of two minutes, and a training that takes longer."""
    copy = pair.copy(tmp_path / "clone")
    site(copy, grpo__runtime=2, warning_s=30)
    slower = [LONGER[0], LONGER[1], LONGER[2].replace("grpo.steps=24", "grpo.steps=600")]
    since = now()
    with driver(copy, GRPO, *slower) as process:
        wait_until(lambda: "goes back to the queue" in slurm_log(copy), 240, lambda: slurm_log(copy)[-3000:])
        at = step_of(copy)
        assert at > 0
        # Snakemake removes the log when a job starts; it is there again a moment later.
        wait_until(lambda: f"checkpoint-{at}" in stage_log(copy), 120)
        assert process.poll() is None, "Snakemake goes on waiting for the same job"
        jobs = {j["JobIDRaw"] for j in sacct(cluster, since) if j["JobName"] == "tpru-smoke-grpo"}
        assert len(jobs) == 1
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)
    # Ctrl-C ends it for good: a job that had asked to go back to the queue would wait there.
    queued = ["squeue", "-h", "-n", "tpru-smoke-grpo", "-o", "%i %T"]
    wait_until(lambda: not cluster.run(*queued), 60, lambda: cluster.run(*queued))


def test_a_driver_that_died_takes_over_what_runs(
    cluster: Cluster, pair: Workspace, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    copy = pair.copy(tmp_path / "clone")
    since = now()
    with driver(copy, GRPO, *LONGER) as process:
        wait_until(lambda: step_of(copy) >= 2, 180)
        job = running(cluster)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert running(cluster) == job, "jobs outlive their driver"
    other = [LONGER[0], LONGER[1], LONGER[2].replace('"]', '","grpo.beta=0.5"]')]
    refused = copy.run(copy.snakemake(GRPO, *other, "--retries", "0", profile="slurm"), check=False)
    assert refused.returncode
    assert f"job {job} still computes smoke grpo from another configuration" in refused.stderr
    with driver(copy, GRPO, *LONGER) as process:
        finish(copy, process)
    assert f"job {job} already computes this" in (copy.folder / "driver.log").read_text()
    assert hashes(copy.folder / "results/smoke/grpo") == undisturbed
    seen = [j["JobIDRaw"] for j in sacct(cluster, since) if int(j["JobIDRaw"]) >= int(job)]
    assert seen == [job], "nothing is trained twice"


def test_a_job_that_ended_without_its_driver_counts(
    cluster: Cluster, pair: Workspace, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    copy = pair.copy(tmp_path / "clone")
    with driver(copy, GRPO, *LONGER) as process:
        wait_until(lambda: step_of(copy) >= 2, 180)
        job = running(cluster)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    cluster.wait_for_state(job, "COMPLETED", 240)
    assert hashes(copy.folder / "results/smoke/grpo") == undisturbed
    plan = copy.run(copy.snakemake("-n", GRPO, *LONGER, profile="slurm"))
    assert "Nothing to be done" in plan.stdout + plan.stderr
    # Snakemake was not there to note what it was made from; its run.json tells.
    other = [LONGER[0], LONGER[1], LONGER[2].replace('"]', '","grpo.beta=0.5"]')]
    plan = copy.run(copy.snakemake("-n", GRPO, *other, profile="slurm"))
    assert re.search(r"^grpo\s+1$", plan.stdout + plan.stderr, re.MULTILINE)
