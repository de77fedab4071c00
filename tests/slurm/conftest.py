"""The cluster that the tests of this folder run on: the one that is up, or one of their own."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.slurm import cluster as machine


@dataclass(frozen=True)
class Cluster:
    """A running cluster, spoken to by SLURM's own commands."""

    folder: Path

    def run(self, *command: str) -> str:
        """Return what a command printed, or fail with it."""
        done = machine.run(self.folder, *command)
        if done.returncode:
            pytest.fail(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def submit(self, log: Path, script: str, *options: str) -> str:
        """Submit a shell script and return the id of its job."""
        always = ["--parsable", "--account=default", "--time=5", f"--output={log}"]
        return self.run("sbatch", *always, *options, "--wrap", script)

    def state(self, job: str) -> str:
        """Return the state of a job as the controller has it now."""
        fields = self.run("scontrol", "-o", "show", "job", job).split()
        return next(field.split("=")[1] for field in fields if field.startswith("JobState="))

    def wait_for_state(self, job: str, state: str, seconds: float = 90) -> None:
        """Return once a job is in a state; fail when it never is."""
        wait_until(
            lambda: self.state(job) == state, seconds, lambda: self.run("scontrol", "show", "job", job)
        )


def wait_until(check: Callable[[], bool], seconds: float, explain: Callable[[], str] = lambda: "") -> None:
    """Return as soon as the check holds; fail with an explanation when it never does."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            pytest.fail(f"still not after {seconds:.0f} s\n{explain()}")
        time.sleep(0.2)


def free_port() -> int:
    """Return a base port at which a further cluster can be brought up."""
    return next(port for port in range(17817, 27817, 100) if not machine.taken(port))


def named_folders() -> list[Path]:
    """Return the folders in which the user's cluster may run, the most explicit first."""
    named = os.environ.get("SLURM_CONF")
    return [*([Path(named).resolve().parents[1]] if named else []), machine.default_folder()]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that is up already, else one that lives as long as the tests; SLURM_CONF is set to it."""
    running = [folder for folder in named_folders() if not machine.problems(folder)]
    folder = running[0] if running else Path(tempfile.mkdtemp(prefix="tpru-slurm-")).resolve()
    try:
        if not running:
            machine.up(folder, free_port())
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_CONF", str(machine.conf(folder)))
            yield Cluster(folder)
    finally:
        if not running:
            machine.down(folder)
