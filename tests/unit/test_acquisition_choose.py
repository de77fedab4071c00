"""What a source needs of its origin: no more, and what it reads of that is what it reads of everything."""

import json
import os
import shutil
from functools import cache as cache_results
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from PIL import Image
from pydantic import TypeAdapter

from tests.unit import test_source_aitw as of_aitw
from tests.unit import test_source_android_control as of_android_control
from tests.unit import test_source_gui_odyssey as of_gui_odyssey
from tests.unit import test_source_ldraw as of_ldraw
from tests.unit import test_source_lerobot as of_lerobot
from tests.unit import test_source_observations as of_observations
from tests.unit import test_source_rlds as of_rlds
from tests.unit import test_source_screenagent as of_screenagent
from tests.unit import tfrecord_writer as writer
from tests.unit.test_source_ldraw import sets
from tpru.acquisition import cache
from tpru.acquisition.cache import RemoteFile
from tpru.acquisition.choose import needed
from tpru.acquisition.offers import Offer
from tpru.config.compose import CONF
from tpru.config.schema import Source
from tpru.errors import FetchError, UpstreamError
from tpru.shards import WHOLE
from tpru.stages.download import local_source, read_source
from tpru.stages.fetch import settle
from tpru.trajectories.source_data import SourceTrajectory
from tpru.trajectories.sources.ldraw_files import Library, Model

__all__ = ["sets"]
REAL = Path(__file__).parents[3] / "shared/data"


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))


def source(kind: str, **changes: Any) -> Source:
    values: Any = OmegaConf.to_container(OmegaConf.load(CONF / "source" / f"{kind}.yaml"))
    values |= {"path": ".", "licence": "MIT", "citation": "", "extract": {}, **changes}
    return TypeAdapter(Source).validate_python(values)


def chosen(root: Path, wanted: Source) -> tuple[Path, set[str]]:
    """The folder that the source would get, and the paths in it; ``root`` is the origin."""
    files = []
    for path in root.rglob("*"):
        if path.is_file():
            name = path.relative_to(root).as_posix()
            files.append(RemoteFile(name, f"{root.name}/{name}", "http://x", path.stat().st_size, ""))
            if not files[-1].cached.exists():
                files[-1].cached.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, files[-1].cached)
    found, came = settle(wanted, Offer(tuple(files)), "x", unpack=False)
    assert came == 0
    return cache.view(found), {file.path for file in found}


def read(root: Path, wanted: Source, out: Path) -> list[SourceTrajectory]:
    """What the source reads in a folder; the names of folders left out."""
    paths = {key: str(root / getattr(wanted, key)) for key in wanted.paths if getattr(wanted, key)}
    config = wanted.model_copy(update=paths).model_dump()
    made = SimpleNamespace(config={"source": config}, seed=0, output=lambda name: out / name)
    return list(read_source(made, "x", WHOLE))  # type: ignore[arg-type]


def same(root: Path, wanted: Source) -> set[str]:
    """Check that what was chosen is read as everything would be; return its paths."""
    folder, paths = chosen(root, wanted)
    out = Path(os.environ[cache.CACHE_VARIABLE])
    some, everything = read(folder, wanted, out / "some"), read(root, wanted, out / "all")
    assert some
    assert [entry.frames for entry in some] == [entry.frames for entry in everything]
    for a, b in zip(some, everything, strict=True):
        assert (a.trajectory.trajectory_id, a.trajectory.steps) == (
            b.trajectory.trajectory_id,
            b.trajectory.steps,
        )
        assert a.trajectory.media.files == b.trajectory.media.files
    return paths


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
@pytest.mark.parametrize("most", [0, 1, 2])
def test_lerobot_videos(tmp_path: Path, version: str, most: int) -> None:
    root = tmp_path / "set"
    (of_lerobot.write_v2 if version == "v2.1" else of_lerobot.write_v3)(root / "inner")
    other = root / "inner/videos" / "observation.images.side"
    other.mkdir(parents=True)
    (other / "x.mp4").write_bytes(b"another camera")
    paths = same(root, source("lerobot", path="inner", max_episodes=most))
    files = {0: 3, 1: 1, 2: 2} if version == "v2.1" else {0: 2, 1: 1, 2: 1}
    assert sum(name.endswith(".mp4") for name in paths) == files[most]
    assert not any("side" in name or "/data/" in name for name in paths)


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_lerobot_pictures(tmp_path: Path, version: str) -> None:
    root = tmp_path / "set"
    (of_lerobot.write_v2 if version == "v2.1" else of_lerobot.write_v3)(root, "image")
    paths = same(root, source("lerobot", max_episodes=1))
    assert len([name for name in paths if name.startswith("data/")]) == 1


def test_a_video_that_the_origin_lacks_is_named(tmp_path: Path) -> None:
    root = of_lerobot.write_v2(tmp_path / "set")
    next(root.rglob("episode_000001.mp4")).unlink()
    same(root, source("lerobot", max_episodes=1))
    with pytest.raises(FetchError, match=r"no 'videos/.*episode_000001\.mp4' \(1 such files\)"):
        chosen(root, source("lerobot", max_episodes=2))


@pytest.mark.parametrize(("most", "shards"), [(1, 1), (2, 1), (3, 2), (4, 3), (5, 3), (0, 3)])
def test_rlds_takes_the_first_shards(tmp_path: Path, most: int, shards: int) -> None:
    root = of_rlds.write_set(tmp_path / "set")
    (root / "toy-val.tfrecord-00000-of-00001").write_bytes(b"another split")
    paths = same(root, source("rlds", max_episodes=most))
    if most:
        assert {name for name in paths if "tfrecord" in name} == {
            of_rlds.shard(root, k).name for k in range(shards)
        }


def test_rlds_goes_on_where_episodes_are_left_out(tmp_path: Path) -> None:
    root = of_rlds.write_set(tmp_path / "set", **{of_rlds.SPOKEN: [""] * of_rlds.FRAMES[2]})
    paths = same(root, source("rlds", max_episodes=3, skip_without_goal=True))
    assert len([name for name in paths if "tfrecord" in name]) == 3


@pytest.mark.parametrize(("most", "shards"), [(1, 1), (2, 1), (3, 2), (9, 2)])
def test_android_control_takes_the_first_shards(tmp_path: Path, most: int, shards: int) -> None:
    root = of_android_control.write_set(tmp_path / "set")
    paths = same(root, source("android_control", max_episodes=most, split_file=""))
    assert len([name for name in paths if "of-00020" in name]) == shards


def test_android_control_of_a_split_looks_for_its_episodes(tmp_path: Path) -> None:
    root = of_android_control.write_set(tmp_path / "set" / "deep").parent
    wanted = source(
        "android_control", path="deep", max_episodes=2, split_file="deep/splits.json", split="train"
    )
    assert len(same(root, wanted)) == 3


@pytest.mark.parametrize("most", [1, 2, 3])
def test_aitw_takes_the_first_shards(tmp_path: Path, most: int) -> None:
    root = of_aitw.write_set(tmp_path / "set" / "general").parent
    (root / "splits").mkdir()
    (root / "splits/standard.json").write_text(json.dumps({"train": ["a", "b", "c"]}))
    (root / "install").mkdir()
    (root / "install/install-00000-of-00001").write_bytes(b"another part")
    wanted = source("aitw", path="general", max_episodes=most, split_file="splits/standard.json")
    paths = same(root, wanted)
    assert "splits/standard.json" in paths
    assert not any(name.startswith("install") for name in paths)


@cache_results
def message(number: int, short: bool) -> bytes:
    actions = [] if short else [of_android_control.WAIT]
    return of_android_control.episode(number, actions, f"goal {number}")


@given(
    lengths=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    most=st.integers(1, 8),
    skipped=st.sets(st.integers(0, 17), max_size=8),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_as_many_shards_as_it_takes(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], most: int, skipped: set[int]
) -> None:
    """Wherever in the shards the episodes are that count, as many are read as there are or as are wanted."""
    root, number = tmp_path_factory.mktemp("set"), 0
    for index, length in enumerate(lengths):
        messages = [message(number + k, number + k in skipped) for k in range(length)]
        shard = root / f"android_control-{index:05d}-of-{len(lengths):05d}"
        writer.write(shard, messages, packed=True)
        number += length
    there = len(set(range(number)) - skipped)
    wanted = source("android_control", max_episodes=most, skip_short=True)
    folder, paths = chosen(root, wanted)
    if there:
        assert len(read(folder, wanted, root / "out")) == min(most, there)
    else:
        assert len(paths) == len(lengths)
    assert paths == {f"android_control-{k:05d}-of-{len(lengths):05d}" for k in range(len(paths))}


def test_gui_odyssey_takes_the_screens_of_the_first_episodes(tmp_path: Path) -> None:
    root = tmp_path / "set"
    gave_up = [of_gui_odyssey.HOME, ("INCOMPLETE", "")]
    for name, actions, below in (
        ("1", [of_gui_odyssey.HOME, of_gui_odyssey.DONE], "data_0"),
        ("2", gave_up, "data_0"),
        ("10", [of_gui_odyssey.HOME, of_gui_odyssey.DONE], "data_1"),
        ("11", [of_gui_odyssey.HOME, of_gui_odyssey.DONE], "data_1"),
    ):
        of_gui_odyssey.write_episode(root, name, actions, below=below)
    paths = same(root, source("gui_odyssey", max_episodes=2))
    screens = {"data_0/1_0.png", "data_0/1_1.png", "data_1/10_0.png", "data_1/10_1.png"}
    assert {name.removeprefix("screenshots/") for name in paths if name.endswith(".png")} == screens
    assert len(paths) == 4 + 4


def test_screenagent_takes_the_first_sessions(tmp_path: Path) -> None:
    root = tmp_path / "set/data/train"
    for name, steps in (("c", 2), ("a", 2), ("b", 1), ("d", 3)):
        of_screenagent.write_session(root, name, [[of_screenagent.ENTER]] * steps)
    paths = same(tmp_path / "set", source("screenagent", path="data/train", max_episodes=2))
    assert {name.split("/")[2] for name in paths} == {"a", "c"}


def test_observations_take_the_first_walks(tmp_path: Path) -> None:
    for walk in ("flat_10/1", "flat_9/2", "flat_9/10"):
        of_observations.write_walk(tmp_path / "set", walk, ["1.png", "2.png"])
    paths = same(tmp_path / "set", source("observations", max_episodes=2))
    assert {name.rsplit("/", 1)[0] for name in paths} == {"flat_9/2", "flat_9/10"}


def test_episodes_take_what_the_first_lines_name(tmp_path: Path) -> None:
    root = tmp_path / "set"
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png", "b/note.txt", "c/1.png", "c/2.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(root / name, format="PNG")
    frames: dict[str, Any] = {"a": ["a/1.png", "./a/2.png"], "b": "b/", "c": "c/"}
    lines = [json.dumps({"id": k, "goal": k, "frames": v}) for k, v in frames.items()]
    (root / "manifest.jsonl").write_text("\n".join(lines))
    paths = same(root, source("episodes", max_episodes=2))
    assert paths == {"manifest.jsonl", "a/1.png", "a/2.png", "b/1.png", "b/2.png", "b/note.txt"}


def test_of_videos_the_first_by_name(tmp_path: Path) -> None:
    names = ["b.mp4", "a/2.webm", "a/10.mkv", "list.txt"]
    wanted = source("videos", max_videos=2)
    assert needed(wanted, names, tmp_path) == {"a/10.mkv", "a/2.webm"}
    assert needed(source("videos"), names, tmp_path) == set(names[:3])


def test_ldraw_takes_the_parts_of_its_models(sets: Path) -> None:
    of_ldraw.write_model(
        sets,
        "0 wall.ldr",
        f"0 A wall\n1 1 0 0 0 {of_ldraw.TURN} wall.dat\n0 STEP\n1 4 0 -80 0 {of_ldraw.TURN} WALL.DAT\n",
    )
    wanted = source("ldraw", path="models", parts="ldraw", max_models=1, size=64)
    assert same(sets, wanted) == {
        "models/0 wall.ldr",
        "ldraw/LDConfig.ldr",
        "ldraw/parts/wall.dat",
        "ldraw/p/box.dat",
    }
    both = same(sets, wanted.model_copy(update={"max_models": 0}))
    assert "ldraw/parts/s/half.dat" in both


def test_where_nothing_can_be_known_everything_is_needed(tmp_path: Path) -> None:
    assert needed(source("aitz", max_episodes=1), ["b", "a/c"], tmp_path) == {"b", "a/c"}


def test_a_cache_that_this_node_does_not_see_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("results/e/fetch/x")
    folder.mkdir(parents=True)
    (folder / "data").symlink_to("/elsewhere/views/abc")
    made = SimpleNamespace(
        config={"source": source("lerobot").model_dump(exclude={"fetch"}), "fetched": True},
        upstream=lambda unit: SimpleNamespace(folder=Path("results/e") / unit),
    )
    with pytest.raises(UpstreamError, match=r"/elsewhere/views/abc.*TPRU_CACHE.*fetch/x/run\.json"):
        local_source(made, "x")  # type: ignore[arg-type]
    (folder / "data").unlink()
    (folder / "data").mkdir()
    assert local_source(made, "x").path == "results/e/fetch/x/data"  # type: ignore[arg-type,union-attr]


@pytest.mark.skipif(not REAL.exists(), reason="the shared sample data are not beside the project")
def test_real_sets_and_episodes() -> None:
    sets_of = source("ldraw", path="models", parts="ldraw", max_models=3)
    folder, paths = chosen(REAL / "ldraw_sets", sets_of)
    library = Library(folder / "ldraw")
    models = sorted((folder / "models").iterdir())
    assert len(models) == 3
    for model in models:
        Model(model, library).check()  # no part is missing
    assert len(paths) < 1000
    for version, most, files in (("v2.1_subset5", 2, 2), ("v3.0_subset5", 1, 1)):
        paths = same(REAL / "g1_lerobot", source("lerobot", path=version, max_episodes=most))
        assert len([path for path in paths if path.endswith(".mp4")]) == files
