"""What is submitted to SLURM, recorded by a stand-in for sbatch that then runs the job script."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import get_args

import pytest

from tests.conftest import REPOSITORY, Workspace
from tpru.config.compose import ARMS, TRAININGS, compose, unit_names
from tpru.config.schema import ModelName
from tpru.config.tpo_schema import PHASES
from tpru.seeds import stage_of, with_seed

SBATCH = """#!/usr/bin/env python3
import json, os, pathlib, shutil, subprocess, sys
here = pathlib.Path({folder!r})
number = len(list(here.glob("job-*.json"))) + 1
script = pathlib.Path(sys.argv[-1])
finished = os.environ.get("TEST_OUTPUTS_FROM")
if finished:
    line = next(l for l in script.read_text().splitlines() if l.startswith("# properties = "))
    for output in json.loads(line.removeprefix("# properties = "))["output"]:
        pathlib.Path(output).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pathlib.Path(finished) / output, output)
    code = 0
else:
    with (here / f"job-{{number}}.log").open("w") as stream:
        code = subprocess.run(["bash", script], stdout=stream, stderr=subprocess.STDOUT).returncode
seen = {{name: os.environ.get(name) for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")}}
record = {{"argv": sys.argv[1:-1], "state": "FAILED" if code else "COMPLETED", "environment": seen}}
(here / f"job-{{number}}.json").write_text(json.dumps(record))
print(number)
"""
SCONTROL = """#!/usr/bin/env python3
import json, pathlib, sys
print("JobState=" + json.loads((pathlib.Path({folder!r}) / f"job-{{sys.argv[-1]}}.json").read_text())["state"])
"""
SQUEUE = """#!/bin/sh
cat {folder}/queue 2>/dev/null || true
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of stand-ins first on PATH; it also holds what they recorded."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("scontrol", SCONTROL), ("squeue", SQUEUE)):
        path = folder / name
        path.write_text(text.format(folder=str(folder)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def submitted(folder: Path) -> list[list[str]]:
    """Arguments of every submission, in order."""
    return [json.loads(p.read_text())["argv"] for p in sorted(folder.glob("job-*.json"))]


def test_literal_command_plans_from_a_fresh_copy(workspace: Workspace) -> None:
    done = workspace.run(workspace.snakemake("-n", "all", profile="slurm"))
    jobs = len(unit_names(compose("demo", []))) + 1  # and `all`
    assert re.search(rf"^total\s+{jobs}$", done.stdout + done.stderr, re.MULTILINE)
    assert not (workspace.folder / "results").exists(), "a dry run must not write anything"


# The stand-in is done at once: a test need not wait for the next look.
OFTEN = ["--seconds-between-status-checks", "1"]
# What each rule asks of sbatch, behind the name, comment and log that tell which job it is.
CPU = ["--partition=cpu", "--account=default", "--nodes=1", "--ntasks-per-node=1"]
GPU = ["--partition=gpu", "--account=default", "--nodes=1", "--ntasks-per-node=1"]
WARNING = "--signal=TERM@300"
GOLDEN = {
    "download": [*CPU, "--cpus-per-task=16", "--mem=4000", "--time=240", WARNING],
    "extract": [*CPU, "--cpus-per-task=16", "--mem=8000", "--time=240", WARNING],
    "filter_audit": [*CPU, "--cpus-per-task=4", "--mem=4000", "--time=60", WARNING],
    "describe": [*CPU, "--cpus-per-task=1", "--mem=4000", "--time=60", WARNING],
    "benchmark": [*CPU, "--cpus-per-task=1", "--mem=8000", "--time=240", WARNING],
    "synthesize": [*CPU, "--cpus-per-task=4", "--mem=16000", "--time=240", WARNING],
    "grounding": [*CPU, "--cpus-per-task=1", "--mem=16000", "--time=240", WARNING],
    "segmenter": [*GPU, "--cpus-per-task=8", "--mem=16000", "--time=60", "--gres=gpu:1", WARNING],
    "sft": [*GPU, "--cpus-per-task=8", "--mem=32000", "--time=1440", "--gres=gpu:1", WARNING],
    "sft_continued": [*GPU, "--cpus-per-task=8", "--mem=32000", "--time=1440", "--gres=gpu:1", WARNING],
    "pass_rates": [*GPU, "--cpus-per-task=8", "--mem=16000", "--time=480", "--gres=gpu:1", WARNING],
    "grpo": [*GPU, "--cpus-per-task=8", "--mem=32000", "--time=2880", "--gres=gpu:1", WARNING],
    "grpo_from_base": [*GPU, "--cpus-per-task=8", "--mem=32000", "--time=2880", "--gres=gpu:1", WARNING],
    "tpo": [*GPU, "--cpus-per-task=8", "--mem=32000", "--time=2880", "--gres=gpu:1", WARNING],
    "sft_from_tpo": [*GPU, "--cpus-per-task=8", "--mem=32000", "--time=1440", "--gres=gpu:1", WARNING],
    "grpo_from_tpo": [*GPU, "--cpus-per-task=8", "--mem=32000", "--time=2880", "--gres=gpu:1", WARNING],
    "evaluate": [*GPU, "--cpus-per-task=8", "--mem=16000", "--time=480", "--gres=gpu:1", WARNING],
    "evaluate_heads": [*GPU, "--cpus-per-task=8", "--mem=16000", "--time=480", "--gres=gpu:1", WARNING],
    "report": [*CPU, "--cpus-per-task=1", "--mem=4000", "--time=60", WARNING],
}


TPO = "+tpo.variants.full={tasks:[mask],conversation:true,answers:heads,temporal_head:detr,region_loss:mse}"
CHAT = TPO.replace("full", "chat").replace("mask", "")


def check_golden(arguments: list[str]) -> str:
    """Compare one submission with what its rule should ask for; return the unit."""
    parsable, name, comment, log, *asked = arguments
    said = re.fullmatch(r"--comment=tpru smoke (\S+) in [0-9a-f]{8} of [0-9a-f]{8}", comment)
    assert said, comment
    unit = said.group(1)
    assert parsable == "--parsable"
    assert name == f"--job-name=tpru-smoke-{unit.replace('/', '-')}"
    assert log == f"--output=results/slurm_logs/tpru-smoke-{unit.replace('/', '-')}-%j.log"
    assert asked == ["--open-mode=append", "--requeue", *GOLDEN[stage_of(unit)]]
    return unit


@pytest.mark.slow
def test_the_exact_submission_of_every_rule(
    finished: Workspace, slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = finished.copy(tmp_path / "copy")
    arms, further = list(ARMS), [with_seed(name, 1) for name in TRAININGS]
    tpo = [
        "grounding",
        "segmenter",
        *(f"tpo/full/{phase}" for phase in PHASES),
        "tpo/chat/joint",
        "evaluate_heads/full",
    ]
    units = [*arms, *further, "pass_rates", "pass_rates_seed1", "benchmark/muirbench", *tpo]
    for unit in units:  # what smoke does without: any file will do
        shutil.copytree(finished.folder / "results/smoke/grpo", copy.folder / f"results/smoke/{unit}")
    outputs = shutil.copytree(copy.folder / "results", tmp_path / "outputs/results")
    for model in [*arms, *further, "tpo", "tpo_chat"]:
        shutil.copytree(outputs / "smoke/evaluate/grpo", outputs / f"smoke/evaluate/{model}")
    for folder in (outputs / "smoke/evaluate").iterdir():
        shutil.copytree(folder / "heldout", folder / "muirbench")
    monkeypatch.setenv("TEST_OUTPUTS_FROM", str(tmp_path / "outputs"))
    models = f"evaluate.models=[{','.join(get_args(ModelName))}]"
    more = '"+benchmark@benchmarks.muirbench=muirbench","benchmarks.muirbench.path=there"'
    config = [
        "--config",
        "experiment=smoke",
        f'overrides=["{models}","grpo.least_pass_rate=0.1","seeds=[1]",{more},"{TPO}","{CHAT}"]',
    ]
    copy.run(copy.snakemake("all", "--forceall", *OFTEN, *config, profile="slurm"))
    seen = [check_golden(arguments) for arguments in submitted(slurm)]
    assert len(seen) == len(set(seen))
    assert {*further, "pass_rates_seed1", *(f"evaluate/{m}/muirbench" for m in further)} <= set(seen)
    # The two that fetch from a hub run beside the driver; everything else was submitted.
    assert {stage_of(unit) for unit in seen} == set(GOLDEN)
    records = [json.loads(path.read_text()) for path in slurm.glob("job-*.json")]
    assert all(r["environment"] == {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} for r in records)


def test_every_rule_that_is_submitted_has_its_line() -> None:
    text = "".join(path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk"))
    rules = set(re.findall(r"^rule (\w+):", text, re.MULTILINE))
    assert rules - set(GOLDEN) == {
        "fetch",
        "processor",
        "base_model",
        "tiny_base",
        "audit",
        "lmms_eval",
        "judge",
        "download_shard",
        "extract_shard",
    }


def test_cpu_stage(workspace: Workspace, slurm: Path) -> None:
    target = "results/smoke/download/assembly/run.json"
    config = ["--config", "experiment=smoke", 'overrides=["sources.assembly.episodes.L1=2"]']
    workspace.run(workspace.snakemake(target, *OFTEN, *config, profile="slurm"))
    assert (workspace.folder / target).exists()
    (arguments,) = submitted(slurm)
    assert check_golden(arguments) == "download/assembly"


QUEUED = """#!/bin/sh
echo 7
"""
ASKED = """#!/bin/sh
touch {folder}/asked
sleep 3
echo JobState=RUNNING
"""
SCANCEL = """#!/bin/sh
echo "$@" >> {folder}/cancelled
"""


def test_ctrl_c_while_snakemake_asks_for_the_state_of_a_job(workspace: Workspace, slurm: Path) -> None:
    """Snakemake has then no job in its list of active ones, and would cancel none."""
    for name, text in (("sbatch", QUEUED), ("squeue", QUEUED), ("scontrol", ASKED), ("scancel", SCANCEL)):
        (slurm / name).write_text(text.format(folder=slurm))
    (slurm / "scancel").chmod(0o755)
    target = "results/smoke/download/assembly/run.json"
    command = workspace.snakemake(target, *OFTEN, "--config", "experiment=smoke", profile="slurm")
    driver = subprocess.Popen(
        command, cwd=workspace.folder, env=workspace.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 120
    while not (slurm / "asked").exists():
        assert time.monotonic() < end
        assert driver.poll() is None
        time.sleep(0.1)
    driver.send_signal(signal.SIGINT)
    printed, _ = driver.communicate(timeout=60)
    assert driver.returncode, printed
    assert "tpru: cancelling 7" in printed
    assert (slurm / "cancelled").read_text() == "7\n"


def test_a_batch_that_does_not_spread_over_the_gpus_is_refused_before_anything_is_submitted(
    workspace: Workspace, slurm: Path
) -> None:
    path = workspace.folder / "workflow/profiles/slurm/profile.yaml"
    path.write_text(path.read_text().replace("- grpo:gpu=1", "- grpo:gpu=3"))
    config = ["--config", "experiment=smoke"]
    done = workspace.run(workspace.snakemake("all", *config, profile="slurm"), check=False)
    assert done.returncode == 16
    for part in ("grpo.batch_size=8", "2 prompts x 4", "1 node(s) x 3 device(s)", "= 24 at once"):
        assert part in done.stderr
    assert not list(slurm.glob("job-*"))
    assert not (workspace.folder / "results").exists()


@pytest.mark.slow
def test_gpu_stage_and_config_edited_while_queued(finished: Workspace, slurm: Path, tmp_path: Path) -> None:
    copy = finished.copy(tmp_path / "copy")
    # The job script edits conf/ before the stage starts: what was submitted must run all the same.
    sbatch = slurm / "sbatch"
    edit = f"conf = pathlib.Path({str(copy.folder / 'conf/grpo/default.yaml')!r})\n"
    edit += "conf.write_text(conf.read_text().replace('beta: 0.01', 'beta: 0.5'))\n"
    sbatch.write_text(sbatch.read_text().replace("script = ", edit + "script = "))
    config = ["--config", "experiment=smoke", 'overrides=["grpo.epsilon=0.19"]']
    copy.run(copy.snakemake("results/smoke/grpo/run.json", *OFTEN, *config, profile="slurm"))
    (arguments,) = submitted(slurm)
    assert check_golden(arguments) == "grpo"
    ran = json.loads((copy.folder / "results/smoke/grpo/run.json").read_text())["config"]["grpo"]
    assert (ran["epsilon"], ran["beta"]) == (0.19, 0.01)
    assert "beta: 0.5" in (copy.folder / "conf/grpo/default.yaml").read_text()
