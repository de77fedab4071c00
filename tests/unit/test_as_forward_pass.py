"""Gradients of several processes come together where the pass is a function of ours."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import multiprocessing
from torch.nn.parallel import DistributedDataParallel

from tpru.training.grpo_trainer import as_forward_pass

PROCESSES = 2


def loss_of(model: torch.nn.Sequential, rank: int) -> torch.Tensor:
    """Each process has another batch."""
    inputs = torch.arange(6.0).view(2, 3) + rank
    return (model[0](inputs) ** 2).sum()


def small() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 2))


def work(rank: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}
    torch.set_num_threads(1)
    store = torch.distributed.FileStore(f"{folder}/meet", PROCESSES)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=PROCESSES)
    model = small()
    wrapped: Any = DistributedDataParallel(model)
    as_forward_pass(wrapped, model, lambda: loss_of(model, rank)).backward()
    assert "forward" not in vars(model), "the forward pass is the model's own again"
    torch.save([p.grad for p in model.parameters()], f"{folder}/{rank}.pt")
    # As the last to hold the group, the wrapper would wait for its thread with Python's lock held, for ever.
    del wrapped
    torch.distributed.destroy_process_group()


def test_processes_have_the_mean_of_their_gradients(tmp_path: Path) -> None:
    multiprocessing.spawn(work, (str(tmp_path),), nprocs=PROCESSES)
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(PROCESSES)]
    model = small()
    mean = sum(loss_of(model, rank) for rank in range(PROCESSES)) / PROCESSES
    expected = torch.autograd.grad(torch.as_tensor(mean), list(model.parameters()))
    for gradients in found:
        for a, b in zip(gradients, expected, strict=True):
            torch.testing.assert_close(a, b)


def test_a_forward_pass_that_was_patched_is_patched_again() -> None:
    model = small()
    patched = lambda: "patched"  # noqa: E731
    model.forward = patched  # type: ignore[assignment]
    assert as_forward_pass(lambda: model(), model, lambda: "ours") == "ours"
    assert model() == "patched"
    assert as_forward_pass(model, model, lambda: "alone") == "alone"
