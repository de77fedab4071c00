"""SIGTERM during a training: the update at hand is finished, saved, and then it ends."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tpru.errors import LockedError
from tpru.files import stage_lock
from tpru.run import TERMINATED
from tpru.training.interruption import Interrupted, Interruption, any_rank

ARGUMENTS: Any = SimpleNamespace(device=torch.device("cpu"))


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    kept = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, kept)


def step(callback: Interruption, number: int, of: int = 10) -> Any:
    control: Any = SimpleNamespace(should_save=False, should_training_stop=False)
    callback.on_step_end(ARGUMENTS, SimpleNamespace(global_step=number, max_steps=of), control)
    return control


def test_nothing_happens_without_a_signal() -> None:
    callback = Interruption()
    callback.on_train_begin(ARGUMENTS, None, None)
    control = step(callback, 3)
    assert not control.should_save
    assert not control.should_training_stop
    assert callback.stopped_at is None


def test_a_signal_waits_for_the_end_of_the_update() -> None:
    before = signal.getsignal(signal.SIGTERM)
    callback = Interruption()
    callback.on_train_begin(ARGUMENTS, None, None)
    os.kill(os.getpid(), signal.SIGTERM)
    control = step(callback, 3)
    assert control.should_save
    assert control.should_training_stop
    assert callback.stopped_at == 3
    callback.on_train_end(ARGUMENTS, None, None)
    assert signal.getsignal(signal.SIGTERM) == before


def test_it_stops_only_where_a_checkpoint_can_be_continued() -> None:
    callback = Interruption(every=2)
    callback.on_train_begin(ARGUMENTS, None, None)
    os.kill(os.getpid(), signal.SIGTERM)
    assert not step(callback, 3).should_training_stop
    assert step(callback, 4).should_training_stop


def test_the_last_update_ends_the_training_by_itself() -> None:
    callback = Interruption()
    callback.on_train_begin(ARGUMENTS, None, None)
    os.kill(os.getpid(), signal.SIGTERM)
    assert not step(callback, 10).should_training_stop
    assert callback.stopped_at is None


def test_it_ends_like_a_process_that_was_terminated() -> None:
    assert Interrupted().code == TERMINATED == 143


PAIR = """
import os, sys
import torch
from torch import distributed
from tpru.training.interruption import any_rank
distributed.init_process_group("gloo", init_method=f"file://{sys.argv[1]}", rank=int(sys.argv[2]), world_size=2)
here = torch.device("cpu")
print([any_rank(bool(told), here) for told in ((0, 0), (0, 1), (1, 0), (1, 1))[int(sys.argv[3])][int(sys.argv[2])::2]])
"""


def test_one_rank_alone_decides_for_itself() -> None:
    assert any_rank(True, torch.device("cpu"))
    assert not any_rank(False, torch.device("cpu"))


@pytest.mark.parametrize("case", [0, 1, 2, 3])
def test_all_ranks_decide_alike(tmp_path: Path, case: int) -> None:
    commands = [[sys.executable, "-c", PAIR, str(tmp_path / "meet"), str(r), str(case)] for r in (0, 1)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    said = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert said == [str([case > 0])] * 2


def test_a_job_that_was_queued_again_waits_for_its_former_self(tmp_path: Path) -> None:
    freed = threading.Event()

    def former() -> None:
        with stage_lock(tmp_path):
            held.set()
            freed.wait(30)

    held = threading.Event()
    thread = threading.Thread(target=former)
    thread.start()
    assert held.wait(30)
    with pytest.raises(LockedError, match=f"pid {os.getpid()}"), stage_lock(tmp_path):
        pass
    threading.Timer(1.5, freed.set).start()
    with stage_lock(tmp_path, wait_s=30.0):
        assert freed.is_set()
    thread.join()
