"""A real MLflow server that is killed, or is not there: training goes on, and nothing is lost."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Workspace
from tests.integration.test_dag import log, read

pytestmark = pytest.mark.slow

STEPS = 40
AWAY = "MLflow: cannot be told anything now"


class Server:
    """An ``mlflow server`` with its own database and artifacts, which can be started and killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        arguments = {
            "backend-store-uri": f"sqlite:///{self._folder}/server.db",
            "artifacts-destination": str(self._folder / "artifacts"),
            "host": "127.0.0.1",
            "port": str(self.port),
            "workers": "1",
        }
        command = [str(Path(sys.executable).with_name("mlflow")), "server"]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        with (self._folder / "server.log").open("ab") as heard:
            self._process = subprocess.Popen(
                [*command, *(word for k, v in arguments.items() for word in (f"--{k}", v))],
                cwd=self._folder,
                env=kept,
                stdout=heard,
                stderr=heard,
                start_new_session=True,
            )
        wait(self._answers, 120, self._folder / "server.log")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def kill(self) -> None:
        """Kill -9 it with its workers."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that is not running yet, and is not running afterwards."""
    folder = tmp_path / "server"
    folder.mkdir()
    made = Server(folder)
    yield made
    made.kill()


def wait(done: Callable[[], object], seconds: float, log_file: Path) -> None:
    """Wait until something is true; show the end of a log when it does not become so."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s in vain\n{log_file.read_text()[-6000:]}")
        time.sleep(0.05)


def steps_logged(folder: Path) -> int:
    """How many updates the training's own log holds."""
    path = folder / "log.jsonl"
    return path.read_text().count('"reward"') if path.exists() else 0


def start_grpo(copy: Workspace, uri: str, heard: Path) -> subprocess.Popen[bytes]:
    """Start a GRPO stage by hand, with a fresh folder and this server."""
    for path in (copy.folder / "results/smoke/grpo").iterdir():
        if path.name in ("run.json", "log.jsonl"):
            path.unlink()
    command = [sys.executable, "-m", "tpru.stages.grpo", "experiment=smoke", f"grpo.steps={STEPS}"]
    environment = {**copy.environment, "MLFLOW_TRACKING_URI": uri}
    with heard.open("wb") as stream:
        return subprocess.Popen(command, cwd=copy.folder, env=environment, stdout=stream, stderr=stream)


def the_run(uri: str) -> tuple[Any, Any]:
    """A client of the server and the one run of the experiment that it knows."""
    from mlflow import MlflowClient

    store = MlflowClient(uri)
    experiment = store.get_experiment_by_name("smoke")
    assert experiment is not None
    (run,) = store.search_runs([experiment.experiment_id])
    return store, run


def check_all_arrived(uri: str, folder: Path) -> str:
    """Every update once, with the value of the stage's own log; artifacts; the end. Return the run's id."""
    store, run = the_run(uri)
    told = [(r["step"], r["reward"]) for r in log(folder / "log.jsonl") if "reward" in r]
    assert [step for step, _ in told] == list(range(1, STEPS + 1))
    history = store.get_metric_history(run.info.run_id, "reward")
    assert sorted((m.step, m.value) for m in history) == told
    times = {m.step: m.timestamp for m in history}
    assert [times[s] for s in sorted(times)] == sorted(times.values())
    assert times[STEPS] - times[1] > 1000, "the times are those of the updates, not of the sending"
    assert (run.info.status, run.info.run_name) == ("FINISHED", "grpo")
    assert run.data.params["grpo.steps"] == str(STEPS)
    assert run.inputs.dataset_inputs[0].dataset.name == "grpo items"
    names = {a.path for a in store.list_artifacts(run.info.run_id)}
    assert {"adapter", "log.jsonl", "run.json"} <= names
    assert store.list_artifacts(run.info.run_id, "adapter")
    assert not (folder / ".mlflow_run").exists()
    return str(run.info.run_id)


def test_a_server_killed_during_training_gets_everything(
    finished: Workspace, server: Server, tmp_path: Path
) -> None:
    copy = finished.copy(tmp_path / "copy")
    folder = copy.folder / "results/smoke/grpo"
    heard = tmp_path / "grpo.log"
    server.start()
    process = start_grpo(copy, server.uri, heard)
    try:
        wait(lambda: steps_logged(folder) >= 5 or process.poll() is not None, 400, heard)
        server.kill()
        wait(lambda: AWAY in heard.read_text() or process.poll() is not None, 400, heard)
        assert process.poll() is None, heard.read_text()[-6000:]
        process.send_signal(signal.SIGSTOP)  # a fast training would end before the server is up
        server.start()
        process.send_signal(signal.SIGCONT)
        assert process.wait(timeout=800) == 0, heard.read_text()[-6000:]
    finally:
        process.kill()
        process.wait()
    text = heard.read_text()
    assert text.count(AWAY) == 1
    assert text.count("MLflow: takes what it is told again") == 1
    assert read(folder / "run.json")["mlflow_run_id"] == check_all_arrived(server.uri, folder)


def test_a_server_that_was_never_there_gets_everything_by_hand(
    finished: Workspace, server: Server, tmp_path: Path
) -> None:
    copy = finished.copy(tmp_path / "copy")
    folder = copy.folder / "results/smoke/grpo"
    heard = tmp_path / "grpo.log"
    process = start_grpo(copy, server.uri, heard)
    try:
        assert process.wait(timeout=800) == 0, heard.read_text()[-6000:]
    finally:
        process.kill()
        process.wait()
    assert heard.read_text().count("MLflow:") == 1
    assert read(folder / "run.json")["mlflow_run_id"] == ""
    by_hand = [sys.executable, "-m", "tpru.tracking"]
    kept = copy.run(by_hand, check=False)
    assert kept.returncode == 1
    assert "the same command sends them" in kept.stdout
    server.start()
    sent = copy.run(by_hand)  # the address stands in the journal
    assert "results/smoke/grpo: " in sent.stdout
    assert ", 0 left" in sent.stdout
    check_all_arrived(server.uri, folder)
    assert "nothing is left" in copy.run(by_hand).stdout
