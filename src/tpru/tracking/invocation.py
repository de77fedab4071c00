"""What the driver of a workflow does for MLflow: its own run, and sending what its jobs cannot send.

Jobs of a cluster write only their journals where the store is a SQLite file; and a job that was killed
leaves a journal behind. Both are sent by a thread of the driver while it runs, and when it ends.
"""

import os
import subprocess
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tpru.tracking.delivery import client, tracking_uri, warn
from tpru.tracking.journal import INVOCATIONS, JOURNAL, forget
from tpru.tracking.runs import PARENT_VARIABLE, Tracker
from tpru.tracking.sending import Patience, alive, send, send_left

PAUSE = 10.0
QUEUED = ("PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "REQUEUED", "REQUEUE_HOLD")


@dataclass(frozen=True)
class Invocation:
    """What an invocation of the workflow holds while it runs: its own run, and who sends for its jobs."""

    experiment: str
    folder: Path
    tracker: Tracker
    units: tuple[Path, ...]
    patience: Patience
    stopped: threading.Event
    thread: threading.Thread


def open_invocation(name: str, tags: dict[str, str], units: Iterable[str]) -> Invocation:
    """Start the run of this invocation, tell its jobs by the environment, start the thread that sends.

    What dead invocations left open is closed first, where the server can be reached.
    """
    results = Path("results") / name
    folder = results / INVOCATIONS / uuid.uuid4().hex[:12]
    folder.mkdir(parents=True)
    patience = Patience()
    tracker = Tracker(folder, patience=patience)
    tracker.start(name, "pipeline", {**tags, "tpru.kind": "invocation"})
    os.environ[PARENT_VARIABLE] = tracker.run_id
    if tracker.run_id:
        close_dead_runs(name)
    folders = tuple(results / unit for unit in units)
    stopped = threading.Event()
    thread = threading.Thread(
        target=_keep_sending, args=(folder, tracker, folders, patience, stopped), daemon=True
    )
    thread.start()
    return Invocation(name, folder, tracker, folders, patience, stopped, thread)


def _keep_sending(
    folder: Path, tracker: Tracker, units: tuple[Path, ...], patience: Patience, stopped: threading.Event
) -> None:
    while not stopped.wait(PAUSE):
        if not patience.ready():
            continue
        send(folder, patience)
        send_left([*_invocations(folder.parents[1]), *units], patience)
        # Jobs that start from now on belong to the run, though it was not known when this began.
        if not os.environ.get(PARENT_VARIABLE):
            os.environ[PARENT_VARIABLE] = tracker.run_id


def _invocations(results: Path) -> list[Path]:
    return sorted(path.parent for path in (results / INVOCATIONS).glob(f"*/{JOURNAL}"))


def close_invocation(opened: Invocation, succeeded: bool) -> None:
    """Send what is left, end the run of the invocation and those of its jobs that were killed."""
    opened.stopped.set()
    opened.thread.join(timeout=30)
    opened.tracker.end("FINISHED" if succeeded else "FAILED")
    results = opened.folder.parents[1]
    done = send_left([*_invocations(results), *opened.units], opened.patience, all_of_them=True)
    left = sum(outcome.left for outcome in done.values())
    if left:
        warn(f"has not got {left} lines of {results}; later `python -m tpru.tracking` sends them")
    else:
        close_dead_runs(opened.experiment)
        forget(opened.folder)


def close_dead_runs(name: str) -> int:
    """Mark runs of an experiment as KILLED whose process on this host is gone; return how many there were.

    None where the server cannot be reached.
    """
    count = 0
    try:
        store = client(tracking_uri())
        experiment = store.get_experiment_by_name(name).experiment_id
        for run in store.search_runs([experiment], "attributes.status = 'RUNNING'", max_results=1000):
            tags = run.data.tags
            here = tags.get("tpru.host") == os.uname().nodename
            gone = here and not alive(int(tags.get("tpru.pid", "0")))
            if gone and not _queued(tags.get("tpru.slurm_job", "")):
                store.set_terminated(run.info.run_id, "KILLED")
                count += 1
    except Exception as error:  # the workflow goes on without a server
        warn(f"runs of dead jobs are not closed now ({' '.join(str(error).split())[:300]})")
    return count


def _queued(job: str) -> bool:
    """Whether SLURM says that a job is pending or running; no where there is no SLURM to ask."""
    if not job:
        return False
    command = ["squeue", "-h", "-j", job, "-o", "%T"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    return bool(set(answer.split()) & set(QUEUED))
