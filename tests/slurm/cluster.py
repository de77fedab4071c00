"""A real SLURM cluster on this one machine, for tests and for trying the pipeline.

Run it by hand with any Python from 3.9 on::

    python3 tests/slurm/cluster.py up | down | status | env

It has two nodes with 32 cores and two pretended GPUs each, three partitions and an accounting database.
All of it lives in ``$TPRU_CLUSTER`` and listens on ``$TPRU_CLUSTER_PORT`` and a few ports above it, on
127.0.0.1 only. Nothing outlives ``down``: queue, accounting and logs go with the folder.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

NODES = ("n1", "n2")
PARTITIONS = ("cpu", "gpu", "scavenge")
DAEMONS = {"mariadbd": 1, "slurmdbd": 1, "slurmctld": 1, "slurmd": len(NODES)}
PACKAGES = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "slurmdbd": "slurmdbd",
    "mariadbd": "mariadb-server",
}
MYSQL_PLUGIN = "accounting_storage_mysql.so"
PLUGIN_FOLDERS = ("lib/*/slurm-wlm", "lib64/slurm", "lib/slurm")
SYSTEM_CONF = Path("/etc/slurm/slurm.conf")
POLICY = Path("/usr/sbin/policy-rc.d")
MARKER = ".tpru-cluster"
TEMPLATES = Path(__file__).with_name("conf")
# The longest socket in the folder is that of a job step: spool/n1/n1_<job>.<step>, ten digits each.
LONGEST_SOCKET = len("/spool/n1/n1_.") + 20
SOCKET_LIMIT = 107


class ClusterError(RuntimeError):
    """The cluster cannot do what was asked; the message says why and what to do."""


@dataclass(frozen=True)
class Process:
    """A running process of the cluster, by the name of its program."""

    pid: int
    name: str


def user_name() -> str:
    """Return the name of the user who runs this."""
    return pwd.getpwuid(os.getuid()).pw_name


def conf(folder: Path) -> Path:
    """Return the slurm.conf of the cluster in this folder: the value for ``SLURM_CONF``."""
    return folder / "etc" / "slurm.conf"


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of the cluster's commands, free of settings for any other cluster."""
    foreign = re.compile("S(LURM|BATCH|ALLOC|RUN|INFO|QUEUE|ACCT)")
    kept = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    paths = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin"
    socket_path = str(folder / "database.sock")
    return {**kept, "PATH": paths, "SLURM_CONF": str(conf(folder)), "MYSQL_UNIX_PORT": socket_path}


def run(folder: Path, *command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Return what a command against this cluster gave; one that takes too long has code 124."""
    try:
        return subprocess.run(
            command, env=environment(folder), capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"no answer within {seconds:.0f} s")


def must(folder: Path, daemon: str, *command: str) -> str:
    """Return what a command printed. Raises ClusterError with the end of the log when it fails."""
    done = run(folder, *command)
    if done.returncode:
        said = f"{done.stdout}{done.stderr}".strip()
        raise ClusterError(f"failed ({done.returncode}): {' '.join(command)}\n{said}\n{tail(folder, daemon)}")
    return done.stdout


def tail(folder: Path, daemon: str) -> str:
    """Return the last lines of one of the cluster's logs, under its path."""
    path = folder / "log" / f"{daemon}.log"
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "\n  ".join([f"end of {path}:", *lines[-12:]])


def wait_for(folder: Path, daemon: str, *command: str, wanted: list[str] | None = None) -> None:
    """Return as soon as a command succeeds, and prints the wanted words if there are any.

    Raises ClusterError with the end of the daemon's log when that takes too long.
    """
    end = time.monotonic() + 60
    while (done := run(folder, *command)).returncode or wanted not in (None, done.stdout.split()):
        if time.monotonic() > end:
            said = f"{done.stdout}{done.stderr}".strip()
            raise ClusterError(f"{daemon} does not work: {' '.join(command)}\n{said}\n{tail(folder, daemon)}")
        time.sleep(0.1)


def processes(folder: Path) -> list[Process]:
    """Return the daemons of this cluster and the processes of its jobs, whoever their parents are."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        name = re.sub("(-wlm)?( .deleted.)?$", "", Path(link(entry / "exe")).name)  # Debian adds -wlm
        if name and int(entry.name) != os.getpid() and belongs(entry, name, folder):
            found.append(Process(int(entry.name), name))
    return found


def belongs(entry: Path, name: str, folder: Path) -> bool:
    """Return whether a process is one of this cluster's, and not merely a shell that talks to it."""
    try:
        variables = (entry / "environ").read_bytes().split(b"\0")
        opened = [link(file) for file in (entry / "fd").iterdir()] if name in (*DAEMONS, "slurmstepd") else []
    except OSError:  # it ended, or is another user's
        return False
    if any(path.startswith(f"{folder}/") for path in opened):
        return True
    ours = f"SLURM_CONF={conf(folder)}".encode() in variables
    return ours and (name in DAEMONS or any(value.startswith(b"SLURMD_NODENAME=") for value in variables))


def link(path: Path) -> str:
    """Return where a link leads, or nothing if it cannot be read."""
    try:
        return str(path.readlink())
    except OSError:
        return ""


def problems(folder: Path) -> list[str]:
    """Return what keeps the cluster from working, one line each; nothing when it is healthy."""
    if not conf(folder).exists():
        return [f"there is no cluster in {folder}"]
    alive = Counter(process.name for process in processes(folder))
    missing = [name for name, count in DAEMONS.items() if alive[name] < count]
    if missing:
        return [f"not running: {name} (log in {folder}/log)" for name in missing]
    for command in (["scontrol", "ping"], ["sacctmgr", "-n", "show", "cluster"]):
        done = run(folder, *command, seconds=15)
        if done.returncode:
            return [f"no answer to '{' '.join(command)}': {(done.stdout + done.stderr).strip()}"]
    states = run(folder, "sinfo", "-hN", "-o", "%N %T", seconds=15).stdout.splitlines()
    return [f"node does not respond: {line}" for line in sorted(set(states)) if line.endswith("*")]


def check_folder(folder: Path) -> None:
    """Raises ClusterError if SLURM cannot use the folder, or if it holds anything but a cluster."""
    if len(os.fsencode(folder)) + LONGEST_SOCKET > SOCKET_LIMIT:
        limit = SOCKET_LIMIT - LONGEST_SOCKET
        raise ClusterError(f"{folder} is longer than {limit} bytes, too long for sockets: set TPRU_CLUSTER")
    if not re.fullmatch(r"/[\w./+-]+", str(folder), re.ASCII):
        raise ClusterError(f"{folder} has characters that slurm.conf cannot hold: set TPRU_CLUSTER")
    if folder.exists() and not (folder / MARKER).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ClusterError(f"{folder} holds something else than a cluster: set TPRU_CLUSTER to a new folder")


def ports(port: int) -> dict[str, int]:
    """Return the ports of a cluster by the program that listens there."""
    return {"slurmctld": port, "slurmdbd": port + 1, **{name: port + 11 + i for i, name in enumerate(NODES)}}


def taken(port: int) -> list[int]:
    """Return those ports of a cluster with this base port that someone listens on already."""
    found = []
    for number in ports(port).values():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except (OSError, OverflowError):
                found.append(number)
    return found


def missing_packages() -> list[str]:
    """Return the Debian packages whose programs this machine lacks."""
    search = f"{os.environ.get('PATH', '')}:/usr/sbin"
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program, path=search)]
    if not any(any(Path("/usr").glob(f"{folder}/{MYSQL_PLUGIN}")) for folder in PLUGIN_FOLDERS):
        missing.append("slurm-wlm-mysql-plugin")
    return missing


def install(packages: list[str]) -> None:
    """Install packages without starting their services. Raises ClusterError where that is impossible."""
    flags = ["install", "-y", "--no-install-recommends", *packages]
    if os.getuid() or not shutil.which("apt-get"):
        raise ClusterError(f"SLURM is incomplete; as root: apt-get update && apt-get {' '.join(flags)}")
    print(f"installing {' '.join(packages)}", flush=True)
    temporary = not os.path.lexists(POLICY)
    try:
        if temporary:
            POLICY.write_text("#!/bin/sh\nexit 101\n")
            POLICY.chmod(0o755)
        for arguments in (["update"], flags):
            command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                said = "\n  ".join((done.stdout + done.stderr).splitlines()[-12:])
                raise ClusterError(f"apt-get {' '.join(arguments)} failed ({done.returncode}):\n  {said}")
    finally:
        if temporary:
            POLICY.unlink(missing_ok=True)


def write_files(folder: Path, port: int) -> None:
    """Write the folder and all configuration files."""
    for name in ("etc", "log", "run", "state", "cgroup", *(f"spool/{node}" for node in NODES)):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    numbers = {f"{name}_port": number for name, number in ports(port).items()}
    host = socket.gethostname().split(".")[0]
    for template in TEMPLATES.glob("*.conf"):
        path = folder / "etc" / template.name
        path.write_text(template.read_text().format(folder=folder, host=host, user=user_name(), **numbers))
        path.chmod(0o600 if path.name == "slurmdbd.conf" else 0o644)  # slurmdbd insists


def start_database(folder: Path) -> None:
    """Make an empty database and start its server, reachable by a socket only. Raises ClusterError."""
    common = ["--no-defaults", f"--datadir={folder}/database", f"--user={user_name()}"]
    accounts = ["--auth-root-authentication-method=socket", f"--auth-root-socket-user={user_name()}"]
    must(folder, "mariadbd", "mariadb-install-db", *common, *accounts, "--skip-test-db")
    server = [f"--socket={folder}/database.sock", f"--pid-file={folder}/run/mariadbd.pid"]
    log = ["sh", "-c", f'exec "$@" >>{folder}/log/mariadbd.log 2>&1', "sh"]
    must(folder, "mariadbd", "setsid", "--fork", *log, "mariadbd", *common, *server, "--skip-networking")
    client = ["mariadb", "--no-defaults", f"--socket={folder}/database.sock", "--execute"]
    wait_for(folder, "mariadbd", *client, "create database if not exists slurm_acct_db")


def start_accounting(folder: Path) -> None:
    """Start slurmdbd and enter the cluster, the account and its user. Raises ClusterError."""
    must(folder, "slurmdbd", "slurmdbd")
    wait_for(folder, "slurmdbd", "sacctmgr", "-n", "show", "cluster")
    # Before slurmctld starts: it reads the entries then, and refuses jobs of a user without one.
    for entry in (
        ["cluster", "tpru"],
        ["account", "default", "Cluster=tpru"],
        ["user", user_name(), "Account=default", "DefaultAccount=default", "AdminLevel=Admin"],
    ):
        must(folder, "slurmdbd", "sacctmgr", "-iQ", "add", *entry)


def start_slurm(folder: Path) -> None:
    """Start the controller and the nodes. Raises ClusterError."""
    must(folder, "slurmctld", "slurmctld")
    wait_for(folder, "slurmctld", "scontrol", "ping")
    for node in NODES:
        must(folder, f"slurmd-{node}", "slurmd", "-N", node)


def wait_until_idle(folder: Path) -> None:
    """Return once no node is starting or cleaning up after a job. Raises ClusterError."""
    for node in NODES:
        state = ["sinfo", "-h", "-n", node, "-p", PARTITIONS[0], "-o", "%T"]
        wait_for(folder, f"slurmd-{node}", *state, wanted=["idle"])


def try_jobs(folder: Path) -> None:
    """Run a job with a GPU in every partition. Raises ClusterError if one fails or sees no GPU."""
    for partition in PARTITIONS:
        job = ["srun", "-p", partition, "--account=default", "--gres=gpu:1"]
        must(folder, "slurmctld", *job, "printenv", "CUDA_VISIBLE_DEVICES")


def stop(folder: Path) -> None:
    """End every process of the cluster at once. Raises ClusterError if one cannot be ended."""
    end = time.monotonic() + 20
    while left := processes(folder):
        if time.monotonic() > end:
            raise ClusterError(f"these processes do not end: {left}")
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.05)


def cancel(folder: Path) -> None:
    """Cancel all jobs and give them the time that SLURM grants them, if the controller still answers."""
    if not conf(folder).exists() or run(folder, "scontrol", "ping", seconds=5).returncode:
        return
    run(folder, "scancel", f"--user={user_name()}", seconds=10)
    end = time.monotonic() + 15
    while time.monotonic() < end and any(process.name == "slurmstepd" for process in processes(folder)):
        time.sleep(0.1)


def up(folder: Path, port: int) -> None:
    """Bring up a cluster, instead of a broken one in the same folder; a healthy one is left as it is.

    Raises ClusterError, which names the daemon and the end of its log; the logs are kept.
    """
    folder = folder.resolve()
    check_folder(folder)
    if not problems(folder):
        return
    if missing := missing_packages():
        install(missing)
    down(folder)
    if used := taken(port):
        raise ClusterError(f"port {used[0]} of 127.0.0.1 is taken or not allowed: set TPRU_CLUSTER_PORT")
    try:
        write_files(folder, port)
        start_database(folder)
        start_accounting(folder)
        start_slurm(folder)
        wait_until_idle(folder)
        try_jobs(folder)
        wait_until_idle(folder)
    except BaseException:
        stop(folder)
        raise
    if not os.getuid() and SYSTEM_CONF.parent.is_dir() and not os.path.lexists(SYSTEM_CONF):
        SYSTEM_CONF.symlink_to(conf(folder))


def down(folder: Path) -> None:
    """Cancel all jobs, end all processes, and remove the folder and the link to it; it may be down already.

    Raises ClusterError if a process cannot be ended or the folder holds something else than a cluster.
    """
    folder = folder.resolve()
    check_folder(folder)
    # Daemons are given no time, as all that they could save is removed.
    cancel(folder)
    stop(folder)
    if link(SYSTEM_CONF) == str(conf(folder)):
        SYSTEM_CONF.unlink()
    if folder.exists():
        shutil.rmtree(folder)


def default_folder() -> Path:
    """Return ``$TPRU_CLUSTER``, or a folder of this user among the temporary files."""
    usual = f"{tempfile.gettempdir()}/tpru-cluster-{os.getuid()}"
    return Path(os.environ.get("TPRU_CLUSTER") or usual).resolve()


def default_port() -> int:
    """Return ``$TPRU_CLUSTER_PORT`` or 16817. Raises ClusterError if that is no number."""
    text = os.environ.get("TPRU_CLUSTER_PORT") or "16817"
    if not text.isdecimal():
        raise ClusterError(f"TPRU_CLUSTER_PORT is not a port: {text}")
    return int(text)


def report(folder: Path) -> int:
    """Print how the cluster is; return 0 if it is healthy, else 1."""
    found = problems(folder)
    print("\n".join(found) or f"cluster in {folder} is up\n{run(folder, 'sinfo').stdout.rstrip()}")
    return int(bool(found))


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit status."""
    folder = default_folder()
    command = arguments[0] if len(arguments) == 1 else ""
    if command == "up":
        was_up = not problems(folder)
        up(folder, default_port())
        print(f"the cluster in {folder} {'was up already' if was_up else 'is up'}")
        if link(SYSTEM_CONF) != str(conf(folder)):
            print(f"in every shell that is to use it: export SLURM_CONF={conf(folder)}")
        print("next: snakemake --profile slurm all --config experiment=demo")
        print(run(folder, "sinfo").stdout.rstrip())
        return 0
    if command == "down":
        down(folder)
        print("the cluster is down")
        return 0
    if command == "status":
        return report(folder)
    if command == "env":
        print(f"export SLURM_CONF={conf(folder)}")
        return 0
    print("usage: cluster.py up | down | status | env", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ClusterError as error:
        sys.exit(f"cluster: {error}")
