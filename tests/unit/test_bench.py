"""The benchmark's clock, its table, and that both trainers do the work it says."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tpru.bench import clock as clock_module
from tpru.bench import evaluation, extraction
from tpru.bench.clock import Clock, PeakMemory
from tpru.bench.extraction import Spent
from tpru.bench.geometries import GEOMETRIES, make_items, make_model
from tpru.bench.grpo import PHASES, Measured, compare, table
from tpru.models.loading import device

SMALL = replace(GEOMETRIES["tiny"], pictures=2, side=56, group=2, tokens=4, beta=0.04, method="lora")


class Time:
    """A clock that stands still until it is told."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_a_phase_within_a_phase_stops_the_outer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    hand = Time()
    monkeypatch.setattr(clock_module, "time", hand)
    clock = Clock()

    class Work:
        def inner(self) -> str:
            hand.now += 2.0
            return "done"

    work: Any = Work()
    clock.time_calls(work, "inner", "inner", within="outer")
    with clock.phase("outer"):
        hand.now += 1.0
        assert work.inner() == "done"
        hand.now += 4.0
    with clock.phase("elsewhere"):
        work.inner()
    assert dict(clock.seconds) == {"outer": 5.0, "inner": 2.0, "elsewhere": 2.0}


def test_memory_is_what_is_taken_inside() -> None:
    with PeakMemory() as memory:
        taken = torch.ones(16 << 20, dtype=torch.uint8, device=device())
        time.sleep(0.1)
        del taken
    assert (8 << 20) < memory.bytes < (64 << 20)


def test_the_table_has_a_ratio_for_every_row() -> None:
    stock, shared = (
        Measured(dict.fromkeys(PHASES, seconds), 1000 * k, k << 20) for seconds, k in ((0.6, 4), (0.2, 2))
    )
    lines = table({"stock": stock, "shared": shared}).splitlines()
    assert len(lines) == 1 + len(PHASES) + 3
    assert [float(line.split()[-1]) for line in lines[1:]] == pytest.approx([3.0] * 7 + [2.0] * 2)


def test_both_trainers_are_measured_in_every_phase() -> None:
    measured = compare(SMALL, 1)
    for name, found in measured.items():
        assert {p for p in PHASES if found.seconds[p] > 0} == set(PHASES), name
        assert found.total == pytest.approx(sum(found.seconds.values()))
    # Two prompts of two completions: the stock passes read each prompt twice as often.
    assert measured["stock"].tokens > 1.3 * measured["shared"].tokens


def test_a_geometry_has_the_pictures_it_says() -> None:
    items, pictures = make_items(SMALL)
    assert [len(i.shown) for i in items] == [SMALL.pictures] * SMALL.prompts
    assert {p.size for p in pictures.values()} == {(SMALL.side, SMALL.side)}
    model, processor = make_model(SMALL)
    seen = processor.image_processor([pictures["0/0"]], return_tensors="pt")["image_grid_thw"]
    assert seen.tolist() == [[1, SMALL.side // 14, SMALL.side // 14]]
    assert not any(p.requires_grad for p in model.model.visual.parameters())


def test_extraction_and_the_bare_loop_go_through_the_same_frames(tmp_path: Path) -> None:
    videos = [extraction.make_video(tmp_path / f"{k}.mp4", "libx264", 16, k) for k in range(2)]
    assert extraction.videos_in(tmp_path) == videos
    assert extraction.decode_all(videos) == 32
    found, pictures = extraction.run_stage(extraction.jobs_of(videos, 2))
    assert found.trajectories == 2
    assert {s.trajectory_id for s in found.sequences} == {"00000", "00001"}
    assert pictures == len({f.frame_id for s in found.sequences for f in (*s.frames, *s.outside)})


def test_the_ratio_of_extraction_is_that_of_each_round() -> None:
    rounds = [(Spent(1.0, 2.0), Spent(a, 2.5)) for a in (1.1, 1.5, 1.2)]
    wall, cores = extraction.table(rounds).splitlines()[1:]
    assert wall.split()[1:] == ["1.00", "1.20", "1.20", "1.10", "to", "1.50"]
    assert cores.split()[2:] == ["2.00", "2.50", "1.25", "1.25", "to", "1.25"]


def test_both_ways_of_answering_take_turns_and_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    hand = Time()
    monkeypatch.setattr(evaluation, "time", hand)
    order: list[str] = []

    def way(name: str, seconds: float, last: str) -> Any:
        def answer(part: Sequence[int]) -> list[str]:
            order.append(name)
            hand.now += seconds * len(part)
            return [last if k == 4 else f"answer {k}" for k in part]

        return answer

    items: Any = range(5)
    found = evaluation.race(items, way("slow", 3.0, "C"), way("fast", 1.0, "D"), turn=2)
    assert order == ["slow", "fast", "fast", "slow", "slow", "fast"]
    assert found == evaluation.Raced([6.0, 6.0, 3.0], [2.0, 2.0, 1.0], 5, 4)
    assert found.ratio == 3.0
