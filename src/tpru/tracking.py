"""MLflow: one experiment per ``experiment``, one parent run per invocation, one child per stage.

The store is ``$MLFLOW_TRACKING_URI`` when set, else SQLite under ``results/``. It is created once under
a file lock: several processes that create a database at the same time destroy each other's tables.
"""

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tpru.files import canonical_json

PARENT_VARIABLE = "TPRU_PARENT_RUN"
RUN_FILE = ".mlflow_run"


def tracking_uri() -> str:
    """Where runs are kept: the environment's choice, else ``results/mlflow.db`` below the cwd."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path('results/mlflow.db').absolute()}"


def client() -> Any:
    """An MLflow client on :func:`tracking_uri`."""
    os.environ.setdefault("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
    import logging

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    import mlflow

    mlflow.set_tracking_uri(tracking_uri())
    return mlflow.MlflowClient(tracking_uri())


def ensure_experiment(name: str) -> str:
    """Create store and experiment when they are not there, one process at a time; return its id."""
    results = Path("results").absolute()
    results.mkdir(parents=True, exist_ok=True)
    with (results / ".mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        store = client()
        experiment = store.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        local = tracking_uri().startswith("sqlite")
        location = (results / "mlflow_artifacts" / name).as_uri() if local else None
        return str(store.create_experiment(name, artifact_location=location))


def open_parent(name: str, tags: dict[str, str]) -> str:
    """Close what dead invocations left open, then start the run of this invocation; return its id."""
    experiment = ensure_experiment(name)
    close_dead_runs(experiment)
    run = client().create_run(
        experiment, run_name="pipeline", tags={**tags, **_owner(), "tpru.kind": "invocation"}
    )
    return str(run.info.run_id)


def close_parent(run_id: str, succeeded: bool) -> None:
    """End the run of an invocation and its children that were killed."""
    store = client()
    store.set_terminated(run_id, "FINISHED" if succeeded else "FAILED")
    close_dead_runs(store.get_run(run_id).info.experiment_id)


def close_dead_runs(experiment: str) -> int:
    """Mark runs as KILLED whose process on this host is gone; return how many there were."""
    store = client()
    count = 0
    for run in store.search_runs([experiment], "attributes.status = 'RUNNING'", max_results=1000):
        owner = run.data.tags.get("tpru.host"), int(run.data.tags.get("tpru.pid", "0"))
        if owner[0] == os.uname().nodename and not _alive(owner[1]):
            store.set_terminated(run.info.run_id, "KILLED")
            count += 1
    return count


def _owner() -> dict[str, str]:
    return {"tpru.host": os.uname().nodename, "tpru.pid": str(os.getpid())}


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Tracker:
    """The MLflow run of one stage."""

    def __init__(self, store: Any, run_id: str) -> None:
        self._store = store
        self.run_id = run_id

    def metrics(self, values: dict[str, float], step: int = 0) -> None:
        """Log metrics of one step; names may hold letters, digits and ``_ - . / :`` and blanks."""
        from mlflow.entities import Metric

        now = _milliseconds()
        batch = [Metric(k, float(v), now, step) for k, v in values.items() if v == v]
        if batch:
            self._store.log_batch(self.run_id, metrics=batch)

    def params(self, values: list[str]) -> None:
        """Log ``key=value`` leaves of the configuration; a resumed run keeps what it has."""
        from mlflow.entities import Param

        known = self._store.get_run(self.run_id).data.params
        pairs = (leaf.partition("=") for leaf in values)
        fresh = [Param(k, v[:500]) for k, _, v in pairs if k not in known]
        for start in range(0, len(fresh), 100):
            self._store.log_batch(self.run_id, params=fresh[start : start + 100])

    def tag(self, key: str, value: str) -> None:
        """Set a tag."""
        self._store.set_tag(self.run_id, key, value[:5000])

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Copy a file, or the files of a folder, to the run's artifacts."""
        if path.is_dir():
            self._store.log_artifacts(self.run_id, str(path), folder or path.name)
        else:
            self._store.log_artifact(self.run_id, str(path), folder)

    def dataset(self, name: str, path: Path, digest: str, context: str) -> None:
        """Record that this run read a data file (``digest``: its SHA-256)."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = canonical_json({"uri": str(path)})
        data = Dataset(name=name, digest=digest[:36], source_type="local", source=source)
        tags = [InputTag("mlflow.data.context", context)]
        self._store.log_inputs(self.run_id, [DatasetInput(data, tags)])


class SilentTracker(Tracker):
    """Tells nothing: of the processes that train together the first alone speaks."""

    def __init__(self) -> None:
        self.run_id = ""

    def metrics(self, values: dict[str, float], step: int = 0) -> None:
        """Nothing."""

    def params(self, values: list[str]) -> None:
        """Nothing."""

    def tag(self, key: str, value: str) -> None:
        """Nothing."""

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Nothing."""

    def dataset(self, name: str, path: Path, digest: str, context: str) -> None:
        """Nothing."""


def _milliseconds() -> int:
    import time

    return int(time.time() * 1000)


@contextlib.contextmanager
def stage_run(name: str, unit: str, folder: Path, tags: dict[str, str]) -> Iterator[Tracker]:
    """The run of one stage, a child of the invocation's run.

    A stage that was killed before it finished continues in the same run: its id stands in
    ``<folder>/.mlflow_run`` until the stage ends. SIGTERM ends the run as KILLED.
    """
    experiment = ensure_experiment(name)
    store = client()
    run_id = _unfinished(store, folder / RUN_FILE, experiment)
    if run_id is None:
        parent = os.environ.get(PARENT_VARIABLE)
        lineage = {"mlflow.parentRunId": parent} if parent else {}
        run = store.create_run(experiment, run_name=unit, tags={**lineage, **tags, **_owner()})
        run_id = str(run.info.run_id)
        (folder / RUN_FILE).write_text(run_id)
    else:
        store.update_run(run_id, status="RUNNING")
        for key, value in {**_owner(), "tpru.resumed": "true"}.items():
            store.set_tag(run_id, key, value)
    tracker = Tracker(store, run_id)
    previous = signal.signal(signal.SIGTERM, _raise_terminated)
    status = "FAILED"
    try:
        yield tracker
        status = "FINISHED"
        (folder / RUN_FILE).unlink(missing_ok=True)
    except (SystemExit, KeyboardInterrupt):
        status = "KILLED"
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)
        store.set_terminated(run_id, status)


def _unfinished(store: Any, path: Path, experiment: str) -> str | None:
    if not path.exists():
        return None
    import mlflow

    run_id = path.read_text().strip()
    try:
        run = store.get_run(run_id)
    except mlflow.exceptions.MlflowException:  # the tracking database was deleted or changed
        return None
    active = run.info.lifecycle_stage == "active" and run.info.experiment_id == experiment
    return run_id if active else None


def _raise_terminated(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)
