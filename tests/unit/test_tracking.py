"""What is told to MLflow arrives once and in order, whatever happens to the server or the process."""

import json
import os
import resource
import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tpru.tracking import delivery, invocation, sending
from tpru.tracking.__main__ import main
from tpru.tracking.delivery import client, ensure_experiment, tracking_uri
from tpru.tracking.invocation import close_dead_runs, close_invocation, open_invocation
from tpru.tracking.journal import (
    JOURNAL,
    RUN_FILE,
    Sent,
    append,
    parse,
    pending,
    read_sent,
    read_whole,
    run_id,
    take,
    write_sent,
)
from tpru.tracking.runs import PARENT_VARIABLE, SilentTracker, Tracker, stage_run
from tpru.tracking.sending import FIRST_WAIT, LONGEST_WAIT, TRIES, Patience, send, send_everything, send_left

NO_PROCESS = "999999999"


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables: making them takes longer than any test here."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    client(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def folder(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a unit in an empty working directory with a database."""
    for name in ("MLFLOW_TRACKING_URI", "SLURM_JOB_ID", PARENT_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(delivery, "_warned", set())
    unit = Path("results/exp/sft")
    unit.mkdir(parents=True)
    shutil.copy(empty_store, "results/mlflow.db")
    return unit


@pytest.fixture
def away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The server refuses connections, until the function that this gives is called."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free.getsockname()[1]}")
    default = f"sqlite:///{Path('results/mlflow.db').absolute()}"
    return lambda: monkeypatch.setenv("MLFLOW_TRACKING_URI", default)


def runs(name: str = "exp") -> list[Any]:
    """All runs of an experiment, the first one first."""
    store = client(tracking_uri())
    experiment = store.get_experiment_by_name(name)
    return list(reversed(store.search_runs([experiment.experiment_id]))) if experiment else []


def history(run: Any, key: str) -> list[tuple[int, float]]:
    """Steps and values of a metric, in order."""
    found = client(tracking_uri()).get_metric_history(run.info.run_id, key)
    return sorted((m.step, m.value) for m in found)


def killed(folder: Path, tell: Callable[[Tracker], None]) -> Tracker:
    """A stage that tells something and is killed; return its tracker."""

    def work() -> Any:
        with stage_run("exp", "sft", folder, {"tpru.stage": "sft"}) as tracker:
            told.append(tracker)
            tell(tracker)
            raise SystemExit(1)

    told: list[Tracker] = []
    with pytest.raises(SystemExit):
        work()
    return told[0]


def stage(folder: Path, *losses: float) -> None:
    """A small stage that finishes."""
    with stage_run("exp", "sft", folder, {"tpru.stage": "sft"}) as tracker:
        for step, loss in enumerate(losses):
            tracker.metrics({"loss": loss}, step)


class Picky:
    """A store that fails at one metric and knows the rest."""

    def __init__(self, error: Exception) -> None:
        self._store = client(tracking_uri())
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def log_batch(self, run: str, **entities: Any) -> None:
        if any(m.key == "poison" for m in entities.get("metrics", ())):
            raise self._error
        self._store.log_batch(run, **entities)


def test_journal_gives_back_what_was_told(folder: Path) -> None:
    told = {"name": 'quotes " and\nlines', "values": {"a": 0.1, "b": 1e-300}}
    end = append(folder, "metrics", **told)
    data = read_whole(folder)
    assert end == len(data)
    assert parse(data) == {"kind": "metrics", **told}


def test_a_half_line_is_not_read_and_not_joined_to_the_next(folder: Path) -> None:
    append(folder, "tags", values={"a": "1"})
    with (folder / JOURNAL).open("ab") as stream:
        stream.write(b'{"kind":"tags","val')
    assert pending(folder) == 1
    append(folder, "tags", values={"b": "2"})
    kinds = [parse(line) for line in read_whole(folder).splitlines()]
    assert [k["values"] for k in kinds] == [{"a": "1"}, {"b": "2"}]


def test_a_line_that_does_not_fit_leaves_the_journal_as_it_was(folder: Path) -> None:
    append(folder, "tags", values={"a": "1"})
    before = (folder / JOURNAL).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
    try:
        with pytest.raises(OSError, match="no room"):
            append(folder, "tags", values={"a": "1"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (folder / JOURNAL).read_bytes() == before


def test_metrics_in_a_row_are_taken_together_up_to_a_limit(folder: Path) -> None:
    for step in range(5):
        append(folder, "metrics", step=step, values={"a": 1.0, "b": 2.0})
    append(folder, "tags", values={"a": "1"})
    data = read_whole(folder)
    lines, end = take(data, 0, 6)
    assert [line["step"] for line in lines] == [0, 1, 2]
    lines, end = take(data, end, 6)
    assert [line["step"] for line in lines] == [3, 4]
    assert take(data, end, 6)[0][0]["kind"] == "tags"
    assert len(take(data, 0, 0)[0]) == 1


def test_a_stage_is_one_run_with_all_that_it_told(folder: Path) -> None:
    file, kept = folder / "log.jsonl", folder / "adapter"
    file.write_text("{}\n")
    kept.mkdir()
    (kept / "weights").write_text("w")
    with stage_run("exp", "sft", folder, {"tpru.stage": "sft"}) as tracker:
        known = tracker.run_id
        tracker.params(["sft.seed=1", f"sft.long={'x' * 900}"])
        tracker.metrics({"loss": 2.0, "nothing": float("nan"), "large": float("inf")}, 1)
        tracker.metrics({"loss": 1.0}, 2)
        tracker.dataset("sft items", Path("items.parquet"), "d" * 64, "train")
        tracker.artifact(file)
        tracker.artifact(kept)
        assert runs()[0].info.status == "RUNNING"
    (run,) = runs()
    assert run.info.run_id == known
    assert (run.info.run_name, run.info.status) == ("sft", "FINISHED")
    assert run.data.tags["tpru.stage"] == "sft"
    assert run.data.tags["tpru.pid"] == str(os.getpid())
    assert run.data.params == {"sft.seed": "1", "sft.long": "x" * 500}
    assert history(run, "loss") == [(1, 2.0), (2, 1.0)]
    assert "nothing" not in run.data.metrics
    assert run.inputs.dataset_inputs[0].dataset.name == "sft items"
    names = {a.path for a in client(tracking_uri()).list_artifacts(known)}
    assert names == {"adapter", "log.jsonl"}
    assert not (folder / RUN_FILE).exists()
    assert pending(folder) == 0


def test_a_second_execution_is_a_second_run_and_begins_a_new_journal(folder: Path) -> None:
    stage(folder, 1.0)
    size = len(read_whole(folder))
    stage(folder, 2.0)
    assert [history(run, "loss") for run in runs()] == [[(0, 1.0)], [(0, 2.0)]]
    assert len(read_whole(folder)) == size


def test_sending_again_after_a_crash_changes_nothing(folder: Path) -> None:
    def tell(tracker: Tracker) -> None:
        tracker.params(["a=1"])
        tracker.metrics({"loss": 0.1, "large": float("inf")}, 1)
        tracker.dataset("items", Path("items.parquet"), "d", "train")

    killed(folder, tell)
    before = runs()[0]
    data = read_whole(folder)
    for end in [0, *(i + 1 for i, byte in enumerate(data) if byte == ord("\n"))]:
        write_sent(folder, Sent(end))
        assert not send(folder, Patience()).left
        (after,) = runs()
        assert after.data.to_dictionary() == before.data.to_dictionary()
        assert after.info.status == "KILLED"
        assert after.info.end_time == before.info.end_time
        assert len(after.inputs.dataset_inputs) == 1
        assert history(after, "loss") == [(1, 0.1)]
        assert len(history(after, "large")) == 1


def test_a_run_whose_creation_was_not_remembered_is_found_again(folder: Path) -> None:
    stage(folder, 1.0)
    (folder / RUN_FILE).unlink(missing_ok=True)
    write_sent(folder, Sent(0, creating=True))
    send(folder, Patience())
    (run,) = runs()
    assert history(run, "loss") == [(0, 1.0)]
    assert "tpru.resumed" not in run.data.tags


def test_the_rest_is_sent_in_order_into_one_run(folder: Path, away: Callable[[], None]) -> None:
    def tell(tracker: Tracker) -> None:
        tracker.params(["a=1"])
        tracker.metrics({"loss": 1.0}, 1)

    assert killed(folder, tell).run_id == ""
    with stage_run("exp", "sft", folder, {"second": "yes"}) as tracker:
        tracker.params(["a=2", "b=3"])
        tracker.metrics({"loss": 0.5}, 2)
        assert tracker.run_id == ""
    told = read_whole(folder)
    away()
    outcome = send(folder, Patience())
    assert (outcome.sent, outcome.left) == (told.count(b"\n"), 0)
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert history(run, "loss") == [(1, 1.0), (2, 0.5)]
    assert run.data.params == {"a": "1", "b": "3"}
    assert (run.data.tags["tpru.resumed"], run.data.tags["tpru.restarts"]) == ("true", "1")
    times = [parse(line)["time"] for line in told.splitlines() if b'"metrics"' in line]
    metrics = client(tracking_uri()).get_metric_history(run.info.run_id, "loss")
    assert sorted(m.timestamp for m in metrics) == times
    assert run.info.start_time == parse(told.splitlines()[0])["time"]


def test_the_id_of_an_older_run_is_not_taken_for_the_new_one(
    folder: Path, away: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = os.environ["MLFLOW_TRACKING_URI"]
    away()
    with stage_run("exp", "sft", folder, {}) as tracker:
        first = tracker.run_id
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert run_id(folder) == first, "its end was not sent"
    with stage_run("exp", "sft", folder, {}) as tracker:
        assert tracker.run_id == ""
    away()
    send(folder, Patience())
    assert [run.info.status for run in runs()] == ["FINISHED", "FINISHED"]
    assert runs()[0].info.run_id == first


def test_a_killed_stage_goes_on_in_its_run(folder: Path) -> None:
    for count in (1, 2, 3):
        killed(folder, lambda tracker: tracker.interrupted("preempted by SLURM"))
        (run,) = runs()
        assert (folder / RUN_FILE).read_text() == run.info.run_id
        assert (run.info.status, run.data.tags["tpru.interrupted"]) == ("KILLED", "preempted by SLURM")
        assert run.data.tags.get("tpru.restarts", "0") == str(count - 1)
    with stage_run("exp", "sft", folder, {}):
        assert runs()[0].info.status == "RUNNING"
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert run.data.tags["tpru.restarts"] == "3"


def test_interrupted_stands_also_where_the_stage_returns(folder: Path) -> None:
    with stage_run("exp", "sft", folder, {}) as tracker:
        tracker.interrupted("time limit")
    assert runs()[0].info.status == "KILLED"
    assert (folder / RUN_FILE).exists()


def test_a_deleted_database_begins_a_new_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed(folder, lambda tracker: tracker.tag("a", "1"))
    (folder / RUN_FILE).write_text("0" * 32)
    stage(folder, 1.0)
    assert [run.info.status for run in runs()] == ["KILLED", "FINISHED"]


def test_a_refused_value_is_named_and_the_rest_arrives(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with stage_run("exp", "sft", folder, {}) as tracker:
        for step in range(3):
            tracker.metrics({"reward(mean)": 1.0, "loss": 2.0}, step)
        append(folder, "dance", step=1)
        with (folder / JOURNAL).open("ab") as stream:
            stream.write(b"[1, 2\n")
        tracker.metrics({"loss": 1.0}, 3)
    (run,) = runs()
    assert history(run, "loss") == [(0, 2.0), (1, 2.0), (2, 2.0), (3, 1.0)]
    assert run.info.status == "FINISHED"
    heard = capfd.readouterr().err
    assert heard.count("did not take reward(mean)") == 1
    assert heard.count("did not take dance") == 1


def test_what_fails_though_the_server_answers_is_dropped_after_some_tries(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    picky = Picky(RuntimeError("500"))
    monkeypatch.setattr(sending, "client", lambda uri: picky)
    tracker = Tracker(folder)
    tracker.start("exp", "sft", {})
    for step, key in enumerate(["loss"] * 5 + ["poison"] + ["loss"] * 5):
        append(folder, "metrics", time=step, step=step, values={key: 1.0})
    for _ in range(TRIES - 1):
        assert send(folder, Patience()).left == 6
    assert not send(folder, Patience()).left
    assert [step for step, _ in history(runs()[0], "loss")] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    assert "did not take metrics poison" in capfd.readouterr().err


def test_what_fails_while_the_server_is_away_is_never_dropped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picky = Picky(ConnectionError("refused"))
    monkeypatch.setattr(sending, "client", lambda uri: picky)
    monkeypatch.setattr(sending, "answers", lambda uri: False)
    tracker = Tracker(folder)
    tracker.start("exp", "sft", {})
    append(folder, "metrics", time=1, step=1, values={"poison": 1.0})
    for _ in range(3 * TRIES):
        assert send(folder, Patience()).left == 1


def test_a_file_that_is_gone_is_skipped(
    folder: Path, away: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    with stage_run("exp", "sft", folder, {}) as tracker:
        for name in ("a.txt", "b.txt"):
            (folder / name).write_text(name)
            tracker.artifact((folder / name).absolute())
    (folder / "a.txt").unlink()
    away()
    send(folder, Patience())
    assert [a.path for a in client(tracking_uri()).list_artifacts(runs()[0].info.run_id)] == ["b.txt"]
    assert f"{folder / 'a.txt'} is gone" in capfd.readouterr().err


def test_waits_double_to_a_limit_and_the_log_says_it_once(capfd: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    patience = Patience(lambda: now[0])
    waits = []
    for _ in range(7):
        assert patience.ready()
        patience.failed("refused")
        begun = now[0]
        while not patience.ready():
            now[0] += 1
        waits.append(now[0] - begun)
    assert waits == [FIRST_WAIT, 30, 60, 120, 240, LONGEST_WAIT, LONGEST_WAIT]
    patience.worked(0.1)
    assert patience.ready()
    patience.worked(0.1)
    assert len(capfd.readouterr().err.splitlines()) == 2
    patience.worked(3)  # a slow server: a tenth of the time is enough for it
    now[0] += 29
    assert not patience.ready()


def test_a_stage_does_not_ask_a_server_that_is_away_at_each_step(
    folder: Path, away: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = []
    monkeypatch.setattr("tpru.tracking.runs.send", lambda *a: asked.append(1) or send(*a))
    begun = time.monotonic()
    with stage_run("exp", "sft", folder, {}) as tracker:
        for step in range(100):
            tracker.metrics({"loss": 1.0}, step)
    assert len(asked) == 2, "at the start and at the end"
    assert time.monotonic() - begun < 5
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_a_server_that_accepts_and_says_nothing_costs_one_timeout(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        begun = time.monotonic()
        tracker = Tracker(folder)
        tracker.start("exp", "sft", {})
        assert 0.9 < time.monotonic() - begun < 3
        assert pending(folder) == 1


def test_two_senders_do_not_send_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = Tracker(folder, sends=False)
    tracker.start("exp", "sft", {})
    for step in range(40):
        tracker.metrics({"loss": 1.0}, step)
        tracker.tag("step", str(step))
    asked: list[int] = []
    tell = delivery.tell
    monkeypatch.setattr(sending, "tell", lambda *a: asked.append(1) or tell(*a))
    threads = [threading.Thread(target=send, args=(folder, Patience())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert send(folder, Patience()).left == 0
    assert len(asked) == 80
    assert len(history(runs()[0], "loss")) == 40


def test_a_full_disk_is_the_stages_own_affair(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tpru.tracking.runs.append", full)
    stage(folder, 1.0, 2.0)
    assert capfd.readouterr().err.count("cannot be written") == 1


def test_silent_tracker_does_nothing(folder: Path) -> None:
    tracker = SilentTracker()
    tracker.start("exp", "sft", {})
    tracker.params(["a=1"])
    tracker.metrics({"loss": 1.0}, 1)
    tracker.tag("a", "b")
    tracker.artifact(folder)
    tracker.dataset("items", folder, "d", "train")
    tracker.interrupted("no reason")
    tracker.end("FINISHED")
    assert tracker.run_id == ""
    assert runs() == []
    assert not list(Path().rglob(".mlflow*"))


def test_a_job_leaves_a_sqlite_file_to_the_driver(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("results/mlflow.db").unlink()
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    with stage_run("exp", "sft", folder, {}) as tracker:
        tracker.metrics({"loss": 1.0}, 1)
        assert tracker.run_id == ""
        assert not Path("results/mlflow.db").exists()
        monkeypatch.delenv("SLURM_JOB_ID")
        assert send_left([folder], Patience())[folder].left == 0
        assert tracker.run_id == runs()[0].info.run_id, "known as soon as the driver sent it"
        monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert runs()[0].info.status == "RUNNING"
    send_left([folder], Patience())
    (run,) = runs()
    assert (run.info.status, run.data.tags["tpru.slurm_job"]) == ("FINISHED", "17")


def test_the_driver_leaves_alone_what_a_living_stage_sends(folder: Path) -> None:
    tracker = Tracker(folder)
    tracker.start("exp", "sft", {})
    append(folder, "metrics", time=1, step=1, values={"loss": 1.0})
    assert send_left([folder], Patience()) == {}
    dead = (folder / JOURNAL).read_text().replace(f'"tpru.pid":"{os.getpid()}"', f'"tpru.pid":"{NO_PROCESS}"')
    (folder / JOURNAL).write_text(dead)
    write_sent(folder, Sent(dead.index("\n") + 1))
    assert send_left([folder], Patience())[folder].sent == 1


def test_the_driver_leaves_a_job_on_another_host_time_to_send(folder: Path) -> None:
    owner = {"tpru.host": "elsewhere", "tpru.pid": "1"}
    append(folder, "start", experiment="exp", name="sft", key="k", time=1, sends=True, tags={}, owner=owner)
    assert send_left([folder], Patience()) == {}
    os.utime(folder / JOURNAL, (0, 0))
    assert send_left([folder], Patience())[folder].sent == 1


def test_jobs_are_sent_while_the_driver_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invocation, "PAUSE", 0.05)
    opened = open_invocation("exp", {"git.commit": "c"}, ["sft"])
    parent = opened.tracker.run_id
    assert os.environ[PARENT_VARIABLE] == parent
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    stage(folder, 1.0)
    deadline = time.monotonic() + 20
    while pending(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    children = [run for run in runs() if run.info.run_id != parent]
    assert [run.data.tags["mlflow.parentRunId"] for run in children] == [parent]
    close_invocation(opened, succeeded=True)
    assert {run.info.status for run in runs()} == {"FINISHED"}
    assert not list(Path("results/exp/.invocations").iterdir())


def test_the_workflow_goes_on_without_a_server(
    folder: Path, away: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    opened = open_invocation("exp", {}, ["sft"])
    assert os.environ[PARENT_VARIABLE] == ""
    stage(folder, 1.0)
    close_invocation(opened, succeeded=False)
    assert "python -m tpru.tracking" in capfd.readouterr().err
    away()
    assert main() == 0
    assert {run.info.run_name: run.info.status for run in runs()} == {"pipeline": "FAILED", "sft": "FINISHED"}
    assert str(folder) in capfd.readouterr().out
    assert main() == 0
    assert "nothing is left" in capfd.readouterr().out


def test_by_hand_the_address_of_the_stage_is_used(
    folder: Path, away: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(folder, 1.0)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    text = (folder / JOURNAL).read_text()
    uri = json.loads(text.splitlines()[0])["uri"]
    assert uri.startswith("http://127.0.0.1:")
    assert tracking_uri(uri) == uri
    other = Path("other.db").absolute()
    shutil.copy("results/mlflow.db", other)
    (folder / JOURNAL).write_text(text.replace(uri, f"sqlite:///{other}"))
    assert send_everything(Path("results"))[folder].left == 0
    assert runs() == [], "the default store has heard nothing"


def test_a_password_is_not_written_down(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    stage(folder, 1.0)
    assert b"secret" not in read_whole(folder)
    assert b"http://127.0.0.1:9" in read_whole(folder)


def test_runs_of_dead_processes_are_closed_but_not_those_of_waiting_jobs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = ensure_experiment("exp", tracking_uri())
    store = client(tracking_uri())
    for name, host, job in (
        ("here", os.uname().nodename, ""),
        ("there", "x", ""),
        ("job", os.uname().nodename, "7"),
    ):
        tags = {"tpru.host": host, "tpru.pid": NO_PROCESS, **({"tpru.slurm_job": job} if job else {})}
        store.create_run(experiment, run_name=name, tags=tags)
    squeue = tmp_path / "bin/squeue"
    squeue.parent.mkdir()
    squeue.write_text('#!/bin/sh\necho "$@" > asked\necho PENDING\n')
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{squeue.parent}:{os.environ['PATH']}")
    assert close_dead_runs("exp") == 1
    assert (tmp_path / "asked").read_text() == "-h -j 7 -o %T\n"
    squeue.write_text("#!/bin/sh\necho slurm_load_jobs error: Invalid job id specified >&2; exit 1\n")
    assert close_dead_runs("exp") == 1
    states = {run.info.run_name: run.info.status for run in runs()}
    assert states == {"here": "KILLED", "there": "RUNNING", "job": "KILLED"}


def test_a_journal_that_was_taken_away_is_begun_anew(folder: Path) -> None:
    stage(folder, 1.0)
    (folder / JOURNAL).unlink()
    stage(folder, 2.0)
    assert [history(run, "loss") for run in runs()] == [[(0, 1.0)], [(0, 2.0)]]
    assert read_sent(folder, len(read_whole(folder))).offset == len(read_whole(folder))
