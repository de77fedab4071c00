"""Start a stage on the machines that its job has: one process, or one group of processes over all GPUs.

    python -m tpru.launch --folder results/demo/grpo --log grpo.log --nodes 2 --processes 8 \\
        -- tpru.stages.grpo ...

What the rules of trainings call. Outside SLURM the stage takes this process' place, by way of torch's
elastic launcher where it is to be several processes. In a SLURM job ``srun`` starts it on the job's nodes,
so that SLURM's warning before a time limit (``--signal=TERM@...``, which only job steps get) reaches it. A
training that was told to end and wrote its checkpoint (:data:`tpru.runtime.INTERRUPTED`) is queued again
under the same job id, and Snakemake goes on waiting for it.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tpru.runtime import INTERRUPTED, in_slurm

# Seconds within which all nodes must have joined, and within which SLURM must have ended a job that was
# queued again.
JOIN_S = 300
REQUEUE_S = 300
# More than SLURM ever waits between SIGTERM and SIGKILL: it is SLURM that decides when time is up.
SHUTDOWN_S = 24 * 3600
# Exit status of a job that was interrupted and left everything whole (EX_TEMPFAIL of sysexits).
TRY_AGAIN = 75


@dataclass(frozen=True)
class Shape:
    """How many machines, and how many processes on each."""

    nodes: int
    processes: int

    @property
    def alone(self) -> bool:
        """Whether it is a single process."""
        return self.nodes * self.processes == 1


def group_command(shape: Shape, endpoint: str, group: str, stage: list[str]) -> list[str]:
    """The elastic launcher of one node; ``endpoint`` (host:port) is the same on all, empty for one node.

    Nothing is restarted inside a job: a rank that dies ends all, and the job goes on from its checkpoint.
    """
    meet = (
        ["--rdzv-backend=c10d", f"--rdzv-endpoint={endpoint}", f"--rdzv-id={group}",
         f"--rdzv-conf=join_timeout={JOIN_S}"]
        if endpoint
        else ["--standalone"]
    )  # fmt: skip
    return [
        sys.executable, "-m", "torch.distributed.run",
        f"--nnodes={shape.nodes}", f"--nproc-per-node={shape.processes}", *meet,
        "--max-restarts=0", f"--shutdown-timeout={SHUTDOWN_S}", "--module", *stage,
    ]  # fmt: skip


def local_command(shape: Shape, stage: list[str]) -> list[str]:
    """The stage on this machine."""
    return [sys.executable, "-m", *stage] if shape.alone else group_command(shape, "", "", stage)


def slurm_command(shape: Shape, stage: list[str], job: "Job") -> list[str]:
    """The stage on all nodes of a SLURM job, one task on each; the first task that fails ends all."""
    endpoint = f"{job.first_node}:{job.port}" if shape.nodes > 1 else ""
    inner = [sys.executable, "-m", *stage] if shape.alone else group_command(shape, endpoint, job.name, stage)
    return [
        "srun", f"--nodes={shape.nodes}", f"--ntasks={shape.nodes}", "--ntasks-per-node=1",
        f"--cpus-per-task={job.cores}", "--kill-on-bad-exit=1", *inner,
    ]  # fmt: skip


@dataclass(frozen=True)
class Job:
    """What this SLURM job is: its id, this start of it (0: the first), its first node, cores per node."""

    id: int
    restarts: int
    first_node: str
    cores: int

    @property
    def name(self) -> str:
        """Distinct for each start."""
        return f"tpru-{self.id}-{self.restarts}"

    @property
    def port(self) -> int:
        """Where its processes meet; jobs that share a node have different ones."""
        return 20000 + (self.id * 16 + self.restarts) % 20000


def this_job() -> Job:
    """The SLURM job that this process runs in."""
    names = subprocess.run(
        ["scontrol", "show", "hostnames", os.environ["SLURM_JOB_NODELIST"]],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return Job(
        id=int(os.environ["SLURM_JOB_ID"]),
        restarts=int(os.environ.get("SLURM_RESTART_COUNT", "0")),
        first_node=address(names[0]),
        cores=int(os.environ.get("SLURM_CPUS_PER_TASK", "1")),
    )


def address(node: str) -> str:
    """A node's name where it can be looked up, else the address that SLURM itself uses for it."""
    try:
        socket.gethostbyname(node)
    except OSError:
        shown = subprocess.run(
            ["scontrol", "-o", "show", "node", node], capture_output=True, text=True, check=True
        )
        fields = dict(field.split("=", 1) for field in shown.stdout.split() if "=" in field)
        return fields["NodeAddr"]
    return node


def run_in_slurm(command: list[str], log: Path, mark: Path, job: int) -> int:
    """Run the steps of a job to their end; queue the job again if they were interrupted; the exit status."""
    # The steps are told by SLURM itself. This process stays to see how they end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mark.unlink(missing_ok=True)
    with log.open("ab") as stream:
        status = subprocess.run(command, stdout=stream, stderr=stream, check=False).returncode
    if not mark.exists():
        return status if status >= 0 else 128 - status
    mark.unlink()
    again = subprocess.run(["scontrol", "requeue", str(job)], capture_output=True, text=True, check=False)
    if again.returncode:
        # It is being cancelled, or SLURM has queued it again already.
        print(f"tpru launch: not queued again: {again.stderr.strip()}", file=sys.stderr, flush=True)
    else:
        print(f"tpru launch: interrupted; job {job} goes back to the queue", file=sys.stderr, flush=True)
        time.sleep(REQUEUE_S)
    return TRY_AGAIN


def main() -> None:
    """Parse the command line and start the stage."""
    parser = argparse.ArgumentParser(prog="python -m tpru.launch")
    parser.add_argument("--folder", type=Path, required=True, help="of the stage's results")
    parser.add_argument("--log", type=Path, required=True, help="takes the stage's output")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1, help="on each node; 0 counts as 1")
    parser.add_argument("stage", nargs=argparse.REMAINDER, help="-- module and its arguments")
    given = parser.parse_args()
    stage = [part for k, part in enumerate(given.stage) if k or part != "--"]
    shape = Shape(given.nodes, max(1, given.processes))
    # Within a step (srun by hand, or another executor's) no further one is started.
    if not in_slurm() or (shape.nodes == 1 and "SLURM_STEP_ID" in os.environ):
        command = local_command(shape, stage)
        with given.log.open("ab") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        os.execv(command[0], command)
    job = this_job()
    command = slurm_command(shape, stage, job)
    sys.exit(run_in_slurm(command, given.log, given.folder / INTERRUPTED, job.id))


if __name__ == "__main__":
    main()
