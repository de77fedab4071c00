"""Whole files or none, locks that die with their holder, hashes that see what they should."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpru.errors import DiskFullError, LockedError
from tpru.files import (
    canonical_json,
    explain_disk_full,
    read_json,
    sha256_bytes,
    sha256_path,
    short_hash,
    stage_lock,
    write_json,
    write_text,
    written_whole,
)
from tpru.randomness import generator

FULL = OSError(errno.ENOSPC, "No space left on device")


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_written_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    with written_whole(tmp_path / "new" / "a.txt") as temporary:
        assert temporary.parent == tmp_path / "new"  # the same file system
        temporary.write_text("whole")
        assert not (tmp_path / "new" / "a.txt").exists()
    assert names(tmp_path / "new") == ["a.txt"]
    assert (tmp_path / "new" / "a.txt").read_text() == "whole"


def test_a_written_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stale.bin").touch()
    with written_whole(tmp_path / "model") as temporary:
        temporary.mkdir()
        (temporary / "weights.bin").write_bytes(b"1")
    assert names(tmp_path) == ["model"]
    assert names(tmp_path / "model") == ["weights.bin"]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), FULL])
@pytest.mark.parametrize("is_folder", [False, True])
def test_an_error_leaves_the_old_one_and_no_temporary(
    error: BaseException, is_folder: bool, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    if is_folder:
        target.mkdir()
    old = target / "a" if is_folder else target
    old.write_text("old")

    def work() -> None:
        with written_whole(target) as temporary:
            if is_folder:
                temporary.mkdir()
            (temporary / "a" if is_folder else temporary).write_text("half")
            raise error

    with pytest.raises((type(error), DiskFullError)):
        work()
    assert old.read_text() == "old"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_writer_that_wrote_nothing_leaves_the_old_one(is_folder: bool, tmp_path: Path) -> None:
    target = tmp_path / "out"
    if is_folder:
        target.mkdir()
    old = target / "a" if is_folder else target
    old.write_text("old")

    def work() -> None:
        with written_whole(target):
            pass

    with pytest.raises(FileNotFoundError):
        work()
    assert old.read_text() == "old"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError("Error writing: [errno 28] No space left on device"),  # pyarrow, without errno
        RuntimeError("PytorchStreamWriter failed: unexpected pos 64 vs 0"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_told_as_such(error: Exception, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.bin"

    def work() -> None:
        with written_whole(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(DiskFullError) as caught:
        work()
    assert str(target) in str(caught.value)
    assert caught.value.exit_code == 18
    assert caught.value.__cause__ is error
    assert names(target.parent) == []


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "denied"), RuntimeError("shape mismatch")])
def test_other_errors_are_not_called_a_full_disk(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as caught, explain_disk_full(tmp_path):
        raise error
    assert caught.value is error


def test_a_real_full_device_is_told_as_such() -> None:
    with pytest.raises(DiskFullError), explain_disk_full(Path("/dev/full")):
        Path("/dev/full").write_text("x" * 100)


def test_text_and_json_come_back(tmp_path: Path) -> None:
    write_text(tmp_path / "t", "Grüße\n")
    assert (tmp_path / "t").read_text(encoding="utf-8") == "Grüße\n"
    value = {"b": [1, 2.5, None], "a": "ü"}
    write_json(tmp_path / "j", value)
    assert read_json(tmp_path / "j") == value


# Hashes and seeds.


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    data = os.urandom((1 << 20) + 17)  # more than one chunk
    (tmp_path / "a").write_bytes(data)
    assert sha256_path(tmp_path / "a") == sha256_bytes(data)


def tree(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_hash_of_a_folder_sees_names_and_contents(tmp_path: Path) -> None:
    base = sha256_path(tree(tmp_path / "0", a="1", sub__b="2"))
    same = sha256_path(tree(tmp_path / "1", sub__b="2", a="1"))
    others = [
        tree(tmp_path / "2", a="1", sub__b="3"),
        tree(tmp_path / "3", a="1", sub__c="2"),
        tree(tmp_path / "4", a="2", sub__b="1"),
        tree(tmp_path / "5", a="1", b="2"),
        tree(tmp_path / "6", a="1"),
        tree(tmp_path / "7", a="1", sub__b="2", c=""),
    ]
    assert same == base
    assert len({base, *map(sha256_path, others)}) == 1 + len(others)


def test_canonical_json_knows_values_not_their_order() -> None:
    assert canonical_json({"b": 1, "a": {"d": 2, "c": 3}}) == '{"a":{"c":3,"d":2},"b":1}'
    assert short_hash({"b": 1, "a": 2}) == short_hash({"a": 2, "b": 1})
    assert short_hash({"b": 1, "a": 2}) != short_hash({"a": 1, "b": 2})
    assert len(short_hash([])) == 12


@settings(deadline=None)
@given(st.integers(0, 3), st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3))
def test_a_generator_depends_on_seed_and_names_alone(seed: int, chosen: list[str]) -> None:
    drawn = generator(seed, *chosen).integers(0, 2**62)
    assert generator(seed, *chosen).integers(0, 2**62) == drawn
    assert generator(seed + 1, *chosen).integers(0, 2**62) != drawn
    assert generator(seed, *chosen, "c").integers(0, 2**62) != drawn


def test_names_are_not_run_together() -> None:
    draws = [generator(0, *n).integers(0, 2**62) for n in (("a", "b"), ("ab",), ("b", "a"))]
    assert len(set(draws)) == 3


# Locks.

HOLDER = """
    import sys, time
    from concurrent.futures import ProcessPoolExecutor
    from pathlib import Path
    from tpru.files import stage_lock
    with stage_lock(Path(sys.argv[1])):
        pool = ProcessPoolExecutor(1) if sys.argv[2] == "pool" else None
        worker = pool.submit(__import__("os").getpid).result() if pool else 0
        print("held", worker, flush=True)
        time.sleep(60)
"""


@contextmanager
def holder(folder: Path, how: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that holds the lock, and the pid of its worker process (0: none)."""
    code = textwrap.dedent(HOLDER)
    command = [sys.executable, "-c", code, str(folder), how]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    worker = 0
    try:
        assert process.stdout is not None
        said, pid = process.stdout.readline().split()
        worker = int(pid)
        assert said == "held"
        yield process, worker
    finally:
        process.kill()
        process.wait()
        if worker:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def take(folder: Path) -> None:
    with stage_lock(folder):
        pass


@pytest.mark.parametrize("how", ["alone", "pool"])
def test_a_lock_refuses_a_second_process_and_dies_with_its_holder(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "sft"
    with holder(folder, how) as (process, worker):
        with pytest.raises(LockedError) as caught:
            take(folder)
        assert f"pid {process.pid} on {os.uname().nodename}" in str(caught.value)
        assert caught.value.exit_code == 19
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if worker:
            os.kill(worker, 0)  # it lives on for a while, but holds nothing
        take(folder)


def end_well() -> None:
    pass


def end_badly() -> None:
    raise ValueError("the stage failed")


@pytest.mark.parametrize("end", [end_well, end_badly])
def test_a_lock_is_free_after_its_stage(end: Callable[[], None], tmp_path: Path) -> None:
    with suppress(ValueError), stage_lock(tmp_path):
        end()
    take(tmp_path)
    take(tmp_path)


def test_locks_of_different_stages_do_not_meet(tmp_path: Path) -> None:
    with stage_lock(tmp_path / "sft"), stage_lock(tmp_path / "grpo"):
        pass
