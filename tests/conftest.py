"""Shared by all tests: the repository, and copies of it to run the workflow in."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tpru.files import stage_lock

REPOSITORY = Path(__file__).parents[1]
# A shell lets what it starts in the background ignore Ctrl-C, and all that the tests start would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Where several processes run tests, each leaves the other its core: two trainings that both take all of them
# are slower than one after the other.
CORES = ["--cores", "1"] if "PYTEST_XDIST_WORKER" in os.environ else []
COPIED = ("Snakefile", "workflow", "conf", "src", "environment.yml", "pyproject.toml", "local", "slurm")


@dataclass(frozen=True)
class Workspace:
    """A copy of the repository with its own results, as a fresh clone has them."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which the copy's own code and configuration are used."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TPRU_", "MLFLOW_", "SNAKEMAKE_"))}
        return {**kept, "PYTHONPATH": str(self.folder / "src"), "CI": "true"}

    def snakemake(self, *arguments: str, profile: str = "local") -> list[str]:
        """A snakemake command line; targets go before ``--config``."""
        cores = CORES if profile == "local" else []
        return [str(Path(sys.executable).with_name("snakemake")), "--profile", profile, *cores, *arguments]

    def run(
        self, command: list[str], check: bool = True, timeout: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy; on failure show what it printed."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=timeout
        )
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)}\n{done.stdout[-6000:]}\n{done.stderr[-12000:]}")
        return done

    def stage(self, name: str, *overrides: str) -> subprocess.CompletedProcess[str]:
        """Run a stage by hand, the way its docstring says."""
        return self.run([sys.executable, "-m", f"tpru.stages.{name}", *overrides], check=False)

    def copy(self, folder: Path) -> "Workspace":
        """A second copy with everything that this one has, results and workflow records included."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Workspace(folder)


def new_workspace(folder: Path) -> Workspace:
    """Copy what a fresh clone holds of the workflow."""
    folder.mkdir(parents=True)
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_symlink() or source.is_file():
            shutil.copy2(source, folder / name, follow_symlinks=False)
        else:
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, folder / name, ignore=ignore)
    return Workspace(folder)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A fresh copy without results."""
    return new_workspace(tmp_path / "clone")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy in which ``experiment=smoke`` has run to its end. Do not change it: copy it.

    It runs once, whichever of the processes that test side by side comes first; each has a copy of its own,
    so that none copies files while another one's dry run is writing beside them.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished_once"
    with stage_lock(shared, wait_s=1200.0):
        if not (shared / "done").exists():
            shutil.rmtree(shared / "clone", ignore_errors=True)  # of a try that failed
            made = new_workspace(shared / "clone")
            made.run(made.snakemake("all", "--config", "experiment=smoke"))
            (shared / "done").touch()
    return Workspace(shared / "clone").copy(tmp_path_factory.mktemp("finished") / "clone")
