#!/usr/bin/env python3
"""Hand one job to sbatch and print its id; the submit command of the slurm profile.

    slurm_submit.py UNIT-OUTPUT [options of sbatch ...] JOBSCRIPT

A job's comment says what it computes, in which folder and from which configuration. A driver that died
left jobs behind: where one with this comment still waits or runs, its id is printed and nothing is
submitted. One that computes the same from another configuration is never raced: an error names it.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

LOGS = "results/slurm_logs"


def unit_of(output: str) -> tuple[str, str]:
    """Experiment and unit of an output, ``results/<experiment>/<unit>/<file>``."""
    parts = Path(output).parts
    return parts[1], "/".join(parts[2:-1])


def digest(*parts: bytes) -> str:
    """Eight hex digits."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:8]


def comment(experiment: str, unit: str, folder: str, frozen: bytes) -> str:
    """``tpru EXPERIMENT UNIT in FOLDER of CONFIG``, the last two as hashes."""
    return f"tpru {experiment} {unit} in {digest(folder.encode())} of {digest(frozen)}"


def plain(options: list[str]) -> list[str]:
    """Options without those that are empty, and ``--gres=gpu:MODEL:COUNT`` without an empty model."""
    shorter = [option.replace("gpu::", "gpu:") for option in options]
    return [o for o in shorter if not o.endswith("=") and not (o.startswith("--gres=") and o.endswith(":0"))]


def arguments(output: str, options: list[str], script: str, frozen: bytes, folder: str) -> list[str]:
    """The whole line of sbatch."""
    experiment, unit = unit_of(output)
    name = "-".join(["tpru", experiment, *unit.split("/")])
    return [
        "sbatch", "--parsable", f"--job-name={name}",
        f"--comment={comment(experiment, unit, folder, frozen)}",
        f"--output={LOGS}/{name}-%j.log", "--open-mode=append", "--requeue", *plain(options), script,
    ]  # fmt: skip


def left_behind(comments: dict[str, str], wanted: str) -> str:
    """Id of the job with this comment, empty where there is none.

    Args:
        comments: of this user's jobs that wait or run, by job id.
        wanted: the comment of the job to be submitted.

    Raises:
        SystemExit: another job computes the same from another configuration.
    """
    what = wanted.rsplit(" of ", 1)[0]
    for job, said in comments.items():
        if said == wanted:
            return job
        if said.rsplit(" of ", 1)[0] == what:
            raise SystemExit(
                f"tpru: job {job} still computes {what.split(' in ')[0][5:]} from another configuration. "
                f"Wait for it, or `scancel {job}`, and run the same command again."
            )
    return ""


def queued() -> dict[str, str]:
    """Comments of this user's jobs that wait or run, by id."""
    listed = subprocess.run(
        ["squeue", "--me", "--noheader", "--states=PD,R,CF,CG,S,RQ,RH,RF,SI,ST,SO", "--format=%i|%k"],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    return dict(line.strip().split("|", 1) for line in listed.splitlines() if "|" in line)


def hand_over(job: str) -> None:
    """Tell Snakemake the id, and the driver, which cancels what is left when it is stopped."""
    with Path(os.environ["TPRU_JOBS"]).open("a") as stream:
        stream.write(f"{job}\n")
    print(job, flush=True)


def main() -> None:
    """Print the id of the job."""
    output, *options, script = sys.argv[1:]
    plan, folder, (experiment, unit) = Path(os.environ["TPRU_PLAN"]), str(Path.cwd()), unit_of(output)
    frozen = (plan / f"{unit.replace('/', '-')}.yaml").read_bytes()
    known = left_behind(queued(), comment(experiment, unit, folder, frozen))
    if known:
        print(f"tpru: job {known} already computes this: waiting for it", file=sys.stderr)
        hand_over(known)
        return
    Path(LOGS).mkdir(parents=True, exist_ok=True)
    command = arguments(output, options, script, frozen, folder)
    # Compute nodes need no network: what comes from a hub was fetched by the driver. A stage that finds
    # something missing says so at once instead of waiting for a connection.
    offline = dict.fromkeys(("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"), "1")
    done = subprocess.run(command, env={**os.environ, **offline}, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    # "id" or, on a federation, "id;cluster".
    hand_over(done.stdout.split(";")[0].strip())


if __name__ == "__main__":
    main()
