"""One line of a journal becomes requests to MLflow. Each may be repeated: the second time changes nothing."""

import fcntl
import functools
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tpru.files import canonical_json
from tpru.tracking.journal import RUN_FILE, Line, Sent, run_id, write_sent

KEY_TAG = "tpru.start"
REFUSALS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST")


def tracking_uri(recorded: str = "") -> str:
    """Where runs are kept: the environment's choice, else ``recorded``, else SQLite below the cwd."""
    chosen = os.environ.get("MLFLOW_TRACKING_URI") or recorded
    return chosen or f"sqlite:///{Path('results/mlflow.db').absolute()}"


@functools.cache
def client(uri: str) -> Any:
    """An MLflow client that gives up soon."""
    os.environ.setdefault("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    # None inside MLflow: it would repeat a creation that timed out, and there would be two runs.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    import logging

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    import mlflow

    # Not set_tracking_uri: it would change the environment, and journals may name different stores.
    return mlflow.MlflowClient(uri)


def ensure_experiment(name: str, uri: str) -> str:
    """Create store and experiment when they are not there; return its id.

    SQLite is created under a file lock: processes that do it at the same time destroy each other's tables.
    """
    results = Path("results").absolute()
    results.mkdir(parents=True, exist_ok=True)
    local = uri.startswith("sqlite")
    with (results / ".mlflow.lock").open("w") as lock:
        if local:
            fcntl.flock(lock, fcntl.LOCK_EX)
        store = client(uri)
        experiment = store.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        location = (results / "mlflow_artifacts" / name).as_uri() if local else None
        try:
            return str(store.create_experiment(name, artifact_location=location))
        except Exception as error:
            if getattr(error, "error_code", "") != "RESOURCE_ALREADY_EXISTS":
                raise
            return str(store.get_experiment_by_name(name).experiment_id)  # another host was faster


_warned: set[str] = set()


def warn(text: str, about: str = "") -> None:
    """One line for the log; once where it is ``about`` the same thing."""
    if not about or about not in _warned:
        print(f"MLflow: {text}", file=sys.stderr, flush=True)
    _warned.add(about)


def refused(error: Exception) -> bool:
    """Whether MLflow will not take this line, however often it is sent."""
    return isinstance(error, RefusedError) or getattr(error, "error_code", "") in REFUSALS


class RefusedError(Exception):
    """A line that no server would take."""


def answers(uri: str) -> bool:
    """Whether the server, and the database behind it, answer at all."""
    try:
        client(uri).search_experiments(max_results=1)
    except Exception:
        return False
    return True


def start_run(uri: str, folder: Path, line: Line, before: int, done: Sent) -> None:
    """Continue in the run that is not finished, else create one.

    ``before``: how often the stage was started without finishing; ``done``: how far the journal was sent.
    MLflow raises errors of its own.
    """
    store, experiment = client(uri), ensure_experiment(line["experiment"], uri)
    known = _unfinished(store, run_id(folder), experiment)
    if not known and done.creating:
        found = store.search_runs([experiment], f"tags.`{KEY_TAG}` = '{line['key']}'", max_results=1)
        known = found[0].info.run_id if found else ""
    if not known:
        # Before the request: if its answer is lost, the run is looked for, not created again.
        write_sent(folder, replace(done, creating=True))
        tags = {**line["tags"], **line["owner"], KEY_TAG: line["key"]}
        run = store.create_run(experiment, start_time=line["time"], run_name=line["name"], tags=tags)
        known = str(run.info.run_id)
    (folder / RUN_FILE).write_text(known)
    if before:
        store.update_run(known, status="RUNNING")
        resumed = {"tpru.resumed": "true", "tpru.restarts": str(before)}
        for key, value in {**line["owner"], **resumed}.items():
            store.set_tag(known, key, value)


def _unfinished(store: Any, known: str, experiment: str) -> str:
    if not known:
        return ""
    import mlflow

    try:
        run = store.get_run(known)
    except mlflow.exceptions.MlflowException as error:
        if not refused(error):
            raise
        return ""  # the tracking database was deleted or changed
    active = run.info.lifecycle_stage == "active" and run.info.experiment_id == experiment
    return known if active else ""


def tell(store: Any, run: str, lines: list[Line]) -> None:
    """Send one line, or several of metrics.

    Raises:
        RefusedError: it belongs to no run, or its kind is not known. MLflow raises errors of its own.
    """
    line, kind = lines[0], lines[0]["kind"]
    if kind == "end" and not run:
        return  # a crash came between the end and the note that it was sent
    if not run:
        raise RefusedError("its run is not known")
    if kind == "metrics":
        _metrics(store, run, lines)
    elif kind == "params":
        _params(store, run, line["values"])
    elif kind == "tags":
        for key, value in line["values"].items():
            store.set_tag(run, key, value)
    elif kind == "artifact":
        _artifact(store, run, Path(line["path"]), line["folder"])
    elif kind == "dataset":
        _dataset(store, run, line)
    elif kind == "end":
        store.set_terminated(run, line["status"], end_time=line["time"])
    else:
        raise RefusedError("nobody knows what it means")


def _metrics(store: Any, run: str, lines: list[Line]) -> None:
    from mlflow.entities import Metric

    batch = [Metric(k, v, line["time"], line["step"]) for line in lines for k, v in line["values"].items()]
    try:
        store.log_batch(run, metrics=batch)
    except Exception as error:
        if not refused(error) or len(batch) == 1:
            raise
        _one_by_one(batch, lambda metric: store.log_batch(run, metrics=[metric]))


def _params(store: Any, run: str, values: dict[str, str]) -> None:
    from mlflow.entities import Param

    known = store.get_run(run).data.params  # a resumed run keeps what it has
    fresh = [Param(k, v) for k, v in values.items() if k not in known]
    try:
        for start in range(0, len(fresh), 100):
            store.log_batch(run, params=fresh[start : start + 100])
    except Exception as error:
        if not refused(error):
            raise
        _one_by_one(fresh, lambda param: store.log_batch(run, params=[param]))


def _one_by_one(entities: Iterable[Any], log: Callable[[Any], None]) -> None:
    """After a refusal: what is good goes in, what is not is named and dropped."""
    for entity in entities:
        try:
            log(entity)
        except Exception as error:
            if not refused(error):
                raise
            text = " ".join(str(error).split())[:300]
            warn(f"did not take {entity.key}, dropped: {text}", about=f"value {entity.key}")


def _artifact(store: Any, run: str, path: Path, folder: str | None) -> None:
    if path.is_dir():
        store.log_artifacts(run, str(path), folder or path.name)
    elif path.exists():
        store.log_artifact(run, str(path), folder)
    else:
        warn(f"{path} is gone and cannot be sent as an artifact")


def _dataset(store: Any, run: str, line: Line) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = canonical_json({"uri": line["path"]})
    data = Dataset(name=line["name"], digest=line["digest"], source_type="local", source=source)
    store.log_inputs(run, [DatasetInput(data, [InputTag("mlflow.data.context", line["context"])])])
