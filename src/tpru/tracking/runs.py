"""MLflow: one experiment per ``experiment``, one parent run per invocation, one child per stage.

The store is ``$MLFLOW_TRACKING_URI`` when set, else SQLite under ``results/``. Everything is written to a
journal beside a stage's outputs first and sent from there (:mod:`tpru.tracking.journal`,
:mod:`tpru.tracking.sending`): no stage fails or waits because a server is away.
"""

import contextlib
import os
import re
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tpru.tracking.delivery import tracking_uri, warn
from tpru.tracking.journal import append, clear_finished, read_sent, read_whole, run_id
from tpru.tracking.sending import Patience, send

PARENT_VARIABLE = "TPRU_PARENT_RUN"
IN_STAGE, AT_END = 5.0, 60.0


def metric_name(text: str) -> str:
    """A text as part of a metric's name: MLflow takes only some signs, benchmarks name tasks with any."""
    return re.sub(r"[^A-Za-z0-9_\-. ]", "_", text)


class Tracker:
    """The MLflow run of one stage, whose folder this is."""

    def __init__(self, folder: Path, sends: bool = True, patience: Patience | None = None) -> None:
        self._folder = folder
        self._sends = sends
        self._patience = patience or Patience()
        self._begun = 0
        self._ended = False
        self._trusted = True

    @property
    def run_id(self) -> str:
        """Id of the run; empty while no server was told of it."""
        data = read_whole(self._folder)
        created = read_sent(self._folder, len(data)).offset >= self._begun
        return run_id(self._folder) if created or self._trusted else ""

    def start(self, experiment: str, name: str, tags: dict[str, str]) -> None:
        """Begin the run, or go on with the one that was not finished."""
        with contextlib.suppress(OSError):
            clear_finished(self._folder)
            data = read_whole(self._folder)
            # The id on disk is that of an older run where that run's end was not sent yet.
            self._trusted = b'"status":"FINISHED"' not in data[read_sent(self._folder, len(data)).offset :]
        start = {"experiment": experiment, "name": name, "uri": _chosen_uri(), "key": uuid.uuid4().hex}
        self._begun = self._keep("start", **start, sends=self._sends, tags=tags, owner=_owner())
        self._send()

    def metrics(self, values: dict[str, float], step: int = 0) -> None:
        """Log metrics of one step; names may hold letters, digits and ``_ - . / :`` and blanks."""
        known = {k: float(v) for k, v in values.items() if v == v}
        if known:
            self._tell("metrics", step=step, values=known)

    def params(self, values: list[str]) -> None:
        """Log ``key=value`` leaves of the configuration; a resumed run keeps what it has."""
        pairs = (leaf.partition("=") for leaf in values)
        self._tell("params", values={k: v[:500] for k, _, v in pairs})

    def tag(self, key: str, value: str) -> None:
        """Set a tag."""
        self._tell("tags", values={key: value[:5000]})

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Copy a file, or the files of a folder, to the run's artifacts, as they are when it is sent."""
        self._tell("artifact", path=os.path.relpath(path), folder=folder)

    def dataset(self, name: str, path: Path, digest: str, context: str) -> None:
        """Record that this run read a data file (``digest``: its SHA-256)."""
        self._tell("dataset", name=name, path=str(path), digest=digest[:36], context=context)

    def interrupted(self, reason: str) -> None:
        """End the run as KILLED for a reason that is not the stage's; it goes on when that starts again."""
        self._keep("tags", values={"tpru.interrupted": reason[:5000]})
        self.end("KILLED")

    def end(self, status: str) -> None:
        """End the run and send what is left; a second call changes nothing."""
        if self._ended:
            return
        self._ended = True
        self._keep("end", status=status)
        if self._sends:  # however recently the server was away
            send(self._folder, self._patience, AT_END)

    def _tell(self, kind: str, **values: Any) -> None:
        self._keep(kind, **values)
        self._send()

    def _keep(self, kind: str, **values: Any) -> int:
        try:
            return append(self._folder, kind, time=int(time.time() * 1000), **values)
        except OSError as error:  # a full disk stops the stage where its own files do not fit
            warn(f"the journal in {self._folder} cannot be written: {error}", about=str(self._folder))
            return self._begun

    def _send(self) -> None:
        if self._sends and self._patience.ready():
            send(self._folder, self._patience, IN_STAGE)


class SilentTracker(Tracker):
    """Tells nobody anything: for every process of a training but the first."""

    def __init__(self) -> None:
        super().__init__(Path(), sends=False)

    @property
    def run_id(self) -> str:
        """Empty: there is no run."""
        return ""

    def start(self, experiment: str, name: str, tags: dict[str, str]) -> None:
        """Do nothing."""

    def _keep(self, kind: str, **values: Any) -> int:
        return 0


@contextlib.contextmanager
def stage_run(name: str, unit: str, folder: Path, tags: dict[str, str]) -> Iterator[Tracker]:
    """The run of one stage, a child of the invocation's run where that is known.

    A stage that was killed before it finished continues in the same run. SIGTERM ends the run as KILLED.
    """
    previous = signal.signal(signal.SIGTERM, _raise_terminated)
    tracker = Tracker(folder, sends=_may_send())
    parent = os.environ.get(PARENT_VARIABLE)
    lineage = {"mlflow.parentRunId": parent} if parent else {}
    status = "FAILED"
    try:
        tracker.start(name, unit, {**lineage, **tags})
        yield tracker
        status = "FINISHED"
    except (SystemExit, KeyboardInterrupt):
        status = "KILLED"
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)
        tracker.end(status)


def _may_send() -> bool:
    """Whether this process may write to the store: a SQLite file is written by the driver's host alone."""
    return not (os.environ.get("SLURM_JOB_ID") and tracking_uri().startswith("sqlite"))


def _chosen_uri() -> str:
    """The environment's choice, for whoever sends without it; never its password."""
    chosen = os.environ.get("MLFLOW_TRACKING_URI", "")
    parts = urlsplit(chosen)
    return (
        chosen if "@" not in parts.netloc else parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    )


def _owner() -> dict[str, str]:
    job = os.environ.get("SLURM_JOB_ID")
    slurm = {"tpru.slurm_job": job} if job else {}
    return {"tpru.host": os.uname().nodename, "tpru.pid": str(os.getpid()), **slurm}


def _raise_terminated(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)
