"""The cluster that cluster.py brings up behaves as the pipeline's tests and its users rely on."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm import cluster as machine
from tests.slurm.conftest import Cluster, free_port, wait_until

pytestmark = pytest.mark.slurm


@pytest.fixture
def second(cluster: Cluster) -> Iterator[Path]:
    """A further cluster beside the one under test, in a folder and on ports of its own."""
    folder = Path(tempfile.mkdtemp(prefix="tpru-second-")).resolve()
    try:
        machine.up(folder, free_port())
        yield folder
    finally:
        machine.down(folder)


def pids(folder: Path) -> set[int]:
    """Return the processes of a cluster."""
    return {process.pid for process in machine.processes(folder)}


def test_partitions_and_gpus_are_as_declared(cluster: Cluster) -> None:
    """Two nodes of 32 cores and two GPUs each, in all three partitions; cpu is the default."""
    lines = cluster.run("sinfo", "-h", "-N", "-o", "%N %P %c %m %G").splitlines()
    expected = [
        f"{node} {partition} 32 64000 gpu:test:2"
        for node in ("n1", "n2")
        for partition in ("cpu*", "gpu", "scavenge")
    ]
    assert sorted(lines) == sorted(expected)


@pytest.mark.parametrize("partition", machine.PARTITIONS)
def test_job_sees_the_gpus_it_asked_for(cluster: Cluster, tmp_path: Path, partition: str) -> None:
    """A job in any partition sees as many GPUs as it asked for, and none unasked."""
    for options, visible in (["--gres=gpu:2"], "0,1"), ([], "none"):
        log = tmp_path / f"{visible}.log"
        cluster.submit(log, "echo ${CUDA_VISIBLE_DEVICES:-none}", f"-p{partition}", "--wait", *options)
        assert log.read_text().split() == [visible]


def test_daemons_listen_on_loopback_only(cluster: Cluster) -> None:
    """No port of the cluster can be reached from another machine."""
    declared = machine.conf(cluster.folder).read_text().split()
    port = next(int(word.split("=")[1]) for word in declared if word.startswith("SlurmctldPort="))
    listening = [
        line.split()[1].split(":")
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        if Path(table).exists()
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    ]
    found = {int(number, 16): address for address, number in listening}
    assert {number: found.get(number) for number in machine.ports(port).values()} == dict.fromkeys(
        machine.ports(port).values(), "0100007F"
    )


def test_unknown_account_is_refused(cluster: Cluster) -> None:
    """A job that nobody pays for is not accepted."""
    done = machine.run(cluster.folder, "sbatch", "--account=nobody", "--wrap", "true")
    assert done.returncode
    assert "Invalid account" in done.stderr


def test_accounting_has_the_job(cluster: Cluster, tmp_path: Path) -> None:
    """A finished job shows up in sacct with state, account and GPUs."""
    job = cluster.submit(tmp_path / "log", "exit 3", "--gres=gpu:1")
    query = ["sacct", "-XnP", "-j", job, "-o", "state,exitcode,account,alloctres"]
    wait_until(lambda: cluster.run(*query).startswith("FAILED|3:0|default|"), 60, lambda: cluster.run(*query))
    assert "gres/gpu=1" in cluster.run(*query)


def test_up_twice_is_harmless(cluster: Cluster) -> None:
    """Bringing up a cluster that is up changes nothing."""
    before = pids(cluster.folder)
    machine.up(cluster.folder, free_port())
    assert pids(cluster.folder) == before


def test_broken_cluster_is_brought_up_anew(second: Path) -> None:
    """A cluster whose controller was killed and one of whose nodes hangs is replaced by a healthy one."""
    for process in machine.processes(second):
        if process.name == "slurmctld":
            os.kill(process.pid, signal.SIGKILL)
        if process.name == "slurmd":
            os.kill(process.pid, signal.SIGSTOP)
    assert machine.problems(second)
    before = pids(second)
    machine.up(second, free_port())
    assert not machine.problems(second)
    assert not before & pids(second)


def test_down_leaves_nothing(cluster: Cluster, second: Path, tmp_path: Path) -> None:
    """After ``down`` there is no process, not even of a job that outlived its parent, and no folder."""
    log = tmp_path / "log"
    Cluster(second).submit(log, "(trap '' TERM; setsid sleep 300 &); echo started; sleep 300")
    wait_until(lambda: log.exists() and "started" in log.read_text(), 30)
    machine.down(second)
    machine.down(second)
    assert not pids(second)
    assert not second.exists()
    assert not machine.problems(cluster.folder)


def test_folder_of_something_else_is_refused() -> None:
    """Neither ``up`` nor ``down`` touches a folder that is no cluster, and long paths are refused."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "thesis.tex").touch()
        with pytest.raises(machine.ClusterError, match="something else"):
            machine.up(folder, free_port())
        with pytest.raises(machine.ClusterError, match="something else"):
            machine.down(folder)
        assert (folder / "thesis.tex").exists()
        with pytest.raises(machine.ClusterError, match="too long"):
            machine.up(folder / ("x" * 80), free_port())


def test_taken_port_is_said(cluster: Cluster) -> None:
    """A port that someone else listens on is named."""
    port = next(
        int(w.split("=")[1]) for w in machine.conf(cluster.folder).read_text().split() if "ctldPort" in w
    )
    folder = Path(tempfile.gettempdir()) / "tpru-third"
    with pytest.raises(machine.ClusterError, match=f"port {port} "):
        machine.up(folder, port)
    assert not folder.exists()
