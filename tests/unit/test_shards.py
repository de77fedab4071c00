"""A source prepared by several jobs: the same bytes as by one, whatever their number."""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.test_bad_input import folder as episodes_folder
from tests.integration.test_bad_input import picture, video
from tests.unit import (
    test_egoplan_records,
    test_source_aitw,
    test_source_aitz,
    test_source_android_control,
    test_source_gui_odyssey,
    test_source_observations,
    test_source_rlds,
    test_source_seed_bench_r1,
    test_source_sharerobot,
    test_source_vln_ce,
)
from tests.unit.test_extraction import CONFIG as EXTRACT
from tests.unit.test_source_ldraw import CASTLE, PARTS, write_model
from tests.unit.test_source_ldraw import config as ldraw_source
from tests.unit.test_source_lerobot import write_v3
from tests.unit.test_source_screenagent import ENTER, write_session
from tests.unit.test_source_simulated import episode
from tests.unit.test_source_simulated import source as simulated_source
from tests.unit.test_source_videos import build, film, states, steady
from tests.unit.test_source_videos import config as videos_source
from tpru import run as frame
from tpru.config.compose import compose, shard_numbers, unit_config, unit_names
from tpru.config.schema import Config
from tpru.errors import ConfigError, EmptySourceError, SplitError
from tpru.files import read_json, write_json
from tpru.pipeline import Plan, chosen_shards, write_plan
from tpru.shards import WHOLE, Shard, shard_names, split_name
from tpru.stages import download, extract
from tpru.trajectories.media import EmbeddedParquet
from tpru.trajectories.source_data import SourceTrajectory
from tpru.trajectories.sources import simulated

FOUR = "sources.robot.shards=4"
OF_DISK = {"licence": "CC0-1.0", "citation": "c", "scenario": "gui", "max_episodes": 0}
Source = dict[str, Any]


# Blocks and names.


@given(st.integers(0, 300), st.integers(1, 40))
def test_blocks_are_the_whole_in_order_and_of_nearly_one_size(n: int, of: int) -> None:
    blocks = [Shard(number, of).block(range(n)) for number in range(of)]
    assert [i for block in blocks for i in block] == list(range(n))
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 1
    assert list(WHOLE.block(range(n))) == list(range(n))


@given(st.integers(2, 200))
def test_the_name_of_a_shard_says_of_what_it_is_which_part(of: int) -> None:
    names = shard_names("download/robot_2", of)
    assert [split_name(name) for name in names] == [("download/robot_2", Shard(k, of)) for k in range(of)]


def test_one_shard_is_the_unit_itself() -> None:
    assert shard_names("extract/robot", 1) == []
    for unit in ("download/robot", "download/robot/0of1", "download/robot/4of4", "download/robot/00of4"):
        assert split_name(unit) == (unit, WHOLE)
    assert split_name("evaluate/sft/0of2") == ("evaluate/sft/0of2", WHOLE)


# The configuration.


def test_a_shard_reads_what_its_unit_reads() -> None:
    config = compose("demo", [FOUR])
    for unit in ("download/robot", "extract/robot"):
        parts = [unit_config(config, name) for name in (unit, *shard_names(unit, 4))]
        assert [part.pop("unit") for part in parts] == [unit, *shard_names(unit, 4)]
        assert parts == [parts[0]] * 5
        assert "shards" not in json.dumps(parts)


def test_the_kind_of_a_source_says_whether_its_download_is_shared() -> None:
    config = compose("real_sample", ["sources.g1.shards=3"])
    numbers = shard_numbers(config)
    assert numbers["extract/g1"] == 3
    assert "download/g1" not in numbers
    assert numbers["download/lego"] == numbers["extract/lego"] == 1
    assert unit_config(config, "extract/g1/2of3")
    with pytest.raises(ConfigError, match="download/g1/2of3"):
        unit_config(config, "download/g1/2of3")


@pytest.mark.parametrize("unit", ["download/moon/0of2", "download/robot/4of4", "sft/0of2"])
def test_a_shard_that_cannot_be_is_refused(unit: str) -> None:
    with pytest.raises(ConfigError, match=unit):
        unit_config(compose("demo", [FOUR]), unit)


# Stages: what shards make and one job gathers is what one job makes.


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages run in a folder of their own, without MLflow; simulators and habitat-sim are stand-ins."""

    @contextlib.contextmanager
    def stage_run(*_: Any) -> Iterator[Any]:
        nothing = dict.fromkeys(("params", "tag", "metrics", "artifact"), lambda *_: None)
        yield SimpleNamespace(run_id="r", **nothing)

    monkeypatch.setattr(frame, "stage_run", stage_run)
    fake = SimpleNamespace(SEEN=("stack", "sort"), UNSEEN=("swap",), episode=episode)
    monkeypatch.setattr(simulated, "import_module", lambda _: fake)
    monkeypatch.setitem(sys.modules, "habitat_sim", test_source_vln_ce.FakeHabitat())
    monkeypatch.setenv("TPRU_THREADS", "1")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def simulated_kind(data: Path) -> Source:
    return simulated_source(size=56, first_seed=0).model_dump(mode="json")


def ldraw_kind(data: Path) -> Source:
    for name, text in PARTS.items():
        path = data / "ldraw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    for number in range(4):
        write_model(data, f"{number}.mpd", CASTLE)
    write_model(data, "2b.ldr", "0 Nothing in it\n")  # left out: it shows nothing
    return ldraw_source(data, size=56).model_dump(mode="json")


def episodes_kind(data: Path) -> Source:
    def with_video(episodes: list[dict[str, Any]], root: Path) -> None:
        video(root / "long.mp4", 12)
        episodes[2] = {"id": "e2", "goal": "see it change", "video": "long.mp4", "family": "watch"}
        episodes[4]["frames"] = episodes[4]["frames"][:2]  # too few for a sequence

    root = episodes_folder(data, with_video)
    of_kind = {"kind": "episodes", "manifest": "manifest.jsonl", "skip_short": False}
    return {**OF_DISK, **of_kind, "path": str(root)}


def lerobot_kind(dtype: str) -> Callable[[Path], Source]:
    def make(data: Path) -> Source:
        of_kind = {"kind": "lerobot", "camera": "", "group": "episode", "scenario": "robot"}
        return {**OF_DISK, **of_kind, "path": str(write_v3(data, dtype))}

    return make


def screenagent_kind(data: Path) -> Source:
    for number in range(3):
        session = write_session(data, f"s{number}", [[ENTER]] * 5, prompt=f"open editor {number}")
        for k, path in enumerate(sorted((session / "images").iterdir())):
            picture(path, 10 * number + k)
    return {**OF_DISK, "kind": "screenagent", "path": str(data)}


def tfrecord_kind(kind: str) -> Callable[[Path], Source]:
    """A source of TFRecord files with the values of its group in ``conf/``."""

    def looks(data: Path, first: int, n: int) -> list[bytes]:
        picture_file = data / "look.png"
        frames = []
        for seed in range(first, first + n):
            picture(picture_file, seed)
            frames.append(picture_file.read_bytes())
        picture_file.unlink()
        return frames

    def make(data: Path) -> Source:
        values = [f"sources.mine.path={data}", "sources.mine.licence=CC0-1.0"]
        if kind == "rlds":
            test_source_rlds.write_set(data, **{test_source_rlds.CAMERA: looks(data, 0, 5)})
        elif kind == "android_control":
            test_source_android_control.write_set(data, screenshots=looks(data, 0, 4))
        else:
            test_source_aitw.write_set(data)
        source = compose("demo", [f"+source@sources.mine={kind}", *values]).sources["mine"]
        return source.model_dump(mode="json")

    return make


def other_pictures(folder: Path) -> None:
    """Put pictures that differ in place of those of a test."""
    for number, path in enumerate(sorted(path for path in folder.rglob("*.png") if path.name[0] != ".")):
        picture(path, number)


def aitz_kind(data: Path) -> Source:
    for number in range(3):
        test_source_aitz.write_episode(
            data, [test_source_aitz.HOME] * 5, f"general/GENERAL-{number}", f"do {number}"
        )
    other_pictures(data)
    return {**OF_DISK, "kind": "aitz", "path": str(data), "skip_short": True, "own_split": False}


def gui_odyssey_kind(data: Path) -> Source:
    for number in range(3):
        test_source_gui_odyssey.write_episode(
            data, str(number), [test_source_gui_odyssey.HOME] * 5, apps=(str(number),)
        )
    other_pictures(data)
    of_kind = {"kind": "gui_odyssey", "group": "apps", "split": "", "keep_given_up": True}
    return {**OF_DISK, **of_kind, "path": str(data), "skip_short": True}


def sharerobot_kind(data: Path) -> Source:
    keys = [test_source_sharerobot.key(number) for number in range(3)]
    test_source_sharerobot.write_set(data, {key: ("train", f"goal {key[-1]}") for key in keys})
    other_pictures(data)
    of_kind = {"kind": "sharerobot", "group": "goal", "own_split": False, "scenario": "robot"}
    return {**OF_DISK, **of_kind, "path": str(data / "planning"), "images": str(data / "images")}


def seed_bench_r1_kind(data: Path) -> Source:
    records = [
        test_source_seed_bench_r1.kitchen(video_id=f"P0{number}_113", sample_id=number) for number in range(3)
    ]
    data.mkdir()
    test_egoplan_records.write(data / "all.jsonl", records)
    for number in range(3):
        # Pictures of their own, so that no video's frames are those of another.
        path = data / f"videos/EpicKitchens/P0{number}/videos/P0{number}_113.MP4"
        test_source_seed_bench_r1.write_video(path, 110, Fraction(50), first=1 + 40 * number)
    of_kind = {"kind": "seed_bench_r1", "group": "video", "footage": "whole", "scenario": "robot"}
    of_kind |= {"annotations": ["all.jsonl"], "videos": str(data / "videos"), "skip_missing": False}
    return {**OF_DISK, **of_kind, "path": str(data)}


def vln_ce_kind(data: Path) -> Source:
    records = [test_source_vln_ce.record(n, scene="ABC"[n % 3]) for n in range(5)]
    test_source_vln_ce.write_set(data, *records)
    test_source_vln_ce.write_scenes(data, "A", "B", "C")
    return test_source_vln_ce.config(data).model_dump(mode="json")


def observations_kind(data: Path) -> Source:
    for number in range(3):
        names = [f"{k}.png" for k in range(5)]
        folder = test_source_observations.write_walk(data, f"scene{number}/walk", names)
        test_source_observations.write_poses(
            folder, [test_source_observations.row(name, 0, k, 0) for k, name in enumerate(names)], "csv"
        )
    other_pictures(data)
    of_kind = {"kind": "observations", "up": "z", "heading": "clockwise", "min_turn": 15, "min_way": 0.3}
    return {**OF_DISK, **of_kind, "path": str(data), "scenario": "navigation"}


def videos_kind(data: Path) -> Source:
    for number in range(3):
        film(data / f"in/{number}.mp4", steady(build(states(number, 5), still=8)))
    return videos_source(data / "in").model_dump(mode="json")


KINDS: dict[str, Callable[[Path], Source]] = {
    "simulated": simulated_kind,
    "ldraw": ldraw_kind,
    "episodes": episodes_kind,
    "lerobot videos": lerobot_kind("video"),
    "lerobot pictures": lerobot_kind("image"),
    "screenagent": screenagent_kind,
    **{kind: tfrecord_kind(kind) for kind in ("rlds", "android_control", "aitw")},
    "aitz": aitz_kind,
    "gui_odyssey": gui_odyssey_kind,
    "sharerobot": sharerobot_kind,
    "observations": observations_kind,
    "seed_bench_r1": seed_bench_r1_kind,
    "vln_ce": vln_ce_kind,
    "videos": videos_kind,
}
SHARED = ("simulated", "ldraw", "vln_ce")
RESULTS = Path("results/made")


def work(unit: str, values: dict[str, Any], of: int = 1) -> dict[str, Any]:
    """Run a unit, which gathers ``of`` shards; return its ``run.json``."""
    stage = unit.split("/")[0]
    main: Any = {"download": download.main, "extract": extract.main}[stage]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TPRU_SHARDS", str(of))
        frame.execute(stage, main.__wrapped__, {"name": "made", "unit": unit, "seed": 0, **values})
    record: dict[str, Any] = read_json(RESULTS / unit / "run.json")
    return record


def prepared(source: Source, of: int, **extraction: Any) -> dict[str, Any]:
    """Download and extract in ``of`` shards, in the folder of{of}; what must not depend on their number."""
    values = {k: v for k, v in source.items() if k not in ("extract", "shards")}
    wanted = {**EXTRACT.model_dump(), "n_frames": 3, **extraction}
    config = {"download": {"source": values}, "extract": {"extract": wanted}}
    made = {}
    Path(f"of{of}").mkdir()
    with contextlib.chdir(f"of{of}"):
        for stage in ("download", "extract"):
            shards = of if stage == "extract" or source["kind"] in SHARED else 1
            for unit in shard_names(f"{stage}/a", shards):
                work(unit, config[stage])
            record = work(f"{stage}/a", config[stage], shards)
            gathered = [unit for unit in record["inputs"] if unit.startswith(f"{stage}/")]
            assert sorted(gathered) == sorted(shard_names(f"{stage}/a", shards))
            files = {p.name: p.read_bytes() for p in sorted((RESULTS / stage / "a").glob("*.parquet"))}
            same = ("config_hash", "counts", "metrics", "facts", "fingerprint")
            made[stage] = {"files": files, **{key: record[key] for key in same}}
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_shards_gives_the_same_bytes(tmp_path: Path, kind: str) -> None:
    source = KINDS[kind](tmp_path / "data")
    whole = prepared(source, 1)
    assert list(whole["download"]["files"]) == ["media.parquet", "states.parquet", "trajectories.parquet"]
    assert list(whole["extract"]["files"]) == ["frames.parquet", "sequences.parquet"]
    assert whole["extract"]["metrics"]["sequences"] > 0
    for of in (2, 7):
        assert prepared(source, of) == whole


def test_a_picture_that_two_shards_have_is_there_once(tmp_path: Path) -> None:
    # The stand-in draws the same pictures for seeds that are 7 apart.
    source = simulated_source(size=56, first_seed=0, episodes={"L1": 9, "L2": 0, "L3": 0})
    whole = prepared(source.model_dump(mode="json"), 1)
    assert prepared(source.model_dump(mode="json"), 2) == whole
    parts = [read_json(Path(f"of2/results/made/extract/a/{k}of2/run.json"))["metrics"] for k in range(2)]
    assert sum(part["frames"] for part in parts) > whole["extract"]["metrics"]["frames"]


def test_a_shard_makes_its_own_episodes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(simulated, "_simulate", lambda jobs, workers: map(simulated._one, jobs))
    one = simulated._one
    monkeypatch.setattr(simulated, "_one", lambda job: asked.append(job[-1]) or one(job))  # type: ignore[func-returns-value]
    data = simulated.read("a", simulated_source(first_seed=0), 0, 1, Shard(1, 4))
    assert [entry.trajectory.level for entry in data] == ["L1"] * 3
    assert (data.total, asked) == (3, [2, 3, 4])


def test_gathering_holds_one_trajectory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"source": simulated_kind(Path())}
    del values["source"]["extract"], values["source"]["shards"]
    for unit in shard_names("download/a", 2):
        work(unit, values)
    made = [frame.Upstream(u, RESULTS / u, {}) for u in shard_names("download/a", 2)]
    monkeypatch.setattr(frame.Upstream, "path", lambda self, name: self.folder / name)
    read: list[str] = []
    there = EmbeddedParquet.read

    def noted(self: EmbeddedParquet, trajectory_id: str) -> list[bytes]:
        read.append(trajectory_id)
        return there(self, trajectory_id)

    monkeypatch.setattr(EmbeddedParquet, "read", noted)
    entries = [entry for shard in made for entry in [next(download.read_shard(shard))]]
    assert [entry.trajectory.trajectory_id for entry in entries] == read
    assert all(entry.states for entry in entries)


# What is checked of the whole.


def test_a_source_without_sequences_is_refused_when_it_is_gathered() -> None:
    with pytest.raises(EmptySourceError, match="static"):
        prepared(simulated_kind(Path()), 3, min_change=0.99)
    assert Path("of3/results/made/extract/a/2of3/run.json").exists()
    assert not Path("of3/results/made/extract/a/run.json").exists()


def test_a_source_without_trajectories_is_refused_when_it_is_gathered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(simulated, "_simulate", lambda jobs, workers: iter(()))
    with pytest.raises(EmptySourceError, match="no trajectory"):
        prepared(simulated_kind(Path()), 3)
    assert Path("of3/results/made/download/a/2of3/run.json").exists()


def test_a_group_that_two_shards_fix_to_two_sides_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(jobs: list[simulated.Job], workers: int) -> Iterator[SourceTrajectory]:
        for job in jobs:
            made = simulated._one(job)
            split = "train" if job[3] == 0 and job[2] == "L1" else "test"
            yield dataclasses.replace(
                made, trajectory=dataclasses.replace(made.trajectory, group="kitchen", split=split)
            )

    monkeypatch.setattr(simulated, "_simulate", torn)
    with pytest.raises(SplitError, match="kitchen"):
        prepared(simulated_kind(Path()), 10)
    assert Path("of10/results/made/download/a/9of10/run.json").exists()


# The number of shards of what stands.


def standing(config: Config, unit: str, inputs: dict[str, str], fingerprint: str = "f") -> None:
    """Write the ``run.json`` of a unit that was made of these values and inputs."""
    record = {"unit": unit, "config": unit_config(config, unit), "inputs": inputs, "fingerprint": fingerprint}
    write_json(Path("results/demo") / unit / "run.json", record)


def robot(config: Config) -> tuple[int, int]:
    chosen = chosen_shards(config)
    return chosen["download/robot"], chosen["extract/robot"]


def test_what_stands_keeps_its_number_of_shards_and_what_is_made_gets_the_configured_one() -> None:
    one, four = compose("demo", []), compose("demo", [FOUR])
    assert (robot(one), robot(four)) == ((1, 1), (4, 4))
    standing(one, "download/robot", {})
    assert robot(four) == (1, 4)
    standing(one, "extract/robot", {"download/robot": "f"})
    assert robot(four) == (1, 1)
    standing(four, "download/robot", dict.fromkeys(shard_names("download/robot", 4), "s"))
    assert (robot(one), robot(four)) == ((4, 1), (4, 1))


def test_another_value_or_input_means_that_it_does_not_stand() -> None:
    one = compose("demo", [])
    standing(one, "download/robot", {})
    standing(one, "extract/robot", {"download/robot": "f"})
    assert robot(compose("demo", [FOUR, "+sources.robot.extract.stride=7"])) == (1, 4)
    assert robot(compose("demo", [FOUR, "sources.robot.episodes.L1=7"])) == (4, 4)
    standing(one, "download/robot", {}, fingerprint="another")
    assert robot(compose("demo", [FOUR])) == (1, 4)
    Path("results/demo/download/robot/run.json").write_text("{")
    assert robot(compose("demo", [FOUR])) == (4, 4)


def test_the_plan_holds_every_shard() -> None:
    config = compose("demo", [FOUR])
    folder = write_plan(Plan(config, (), chosen_shards(config)))
    planned = {path.stem for path in folder.glob("*.yaml")}
    assert {f"download-robot-{k}of4" for k in range(4)} <= planned
    assert {f"extract-robot-{k}of4" for k in range(4)} <= planned
    assert len([name for name in planned if "of4" in name]) == 8
    assert not [unit for unit in unit_names(config) if "of4" in unit]
    assert read_json(folder / "plan.json")["shards"]["download/robot"] == 4
