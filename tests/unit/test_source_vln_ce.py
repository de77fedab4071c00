"""VLN-CE: episodes in their form, written here, and rendered by the raycaster of the simulated walks."""

import gzip
import json
import math
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.unit.test_extraction import CONFIG
from tpru.config.compose import compose
from tpru.config.schema import VlnCeSource
from tpru.errors import ConfigError, EmptySourceError, ManifestError, TpruError
from tpru.shards import WHOLE, Shard
from tpru.simulators.navigation.families import plan
from tpru.simulators.navigation.render import draw
from tpru.simulators.navigation.scene import scene as solids
from tpru.store import decode_image
from tpru.trajectories.extraction import extract
from tpru.trajectories.media import iter_frames
from tpru.trajectories.source_data import SourceTrajectory
from tpru.trajectories.sources import habitat, vln_ce
from tpru.trajectories.sources.habitat import Camera, Point, Rotation
from tpru.trajectories.sources.vln_ce import Episode, View, heading_of, rotation_of, views

SQUARE = [[0.0, 0.1, 0.0], [0.0, 0.1, -2.0], [3.0, 0.1, -2.0], [3.0, 0.1, 2.0]]
LEFT = [0.0, math.sqrt(0.5), 0.0, math.sqrt(0.5)]  # as the files have it: x, y, z, w


def record(number: Any, path: Any = None, scene: str = "AbC", **changes: Any) -> dict[str, Any]:
    path = SQUARE if path is None else path
    made = {"episode_id": number, "trajectory_id": 10 * int(number), "scene_id": f"mp3d/{scene}/{scene}.glb"}
    made |= {"start_position": path[0], "start_rotation": LEFT, "reference_path": path}
    made |= {"goals": [{"position": path[-1], "radius": 3.0}], "info": {"geodesic_distance": 9.0}}
    made["instruction"] = {"instruction_text": "go  around the bed.\n", "instruction_tokens": [1, 2, 0]}
    return made | changes


def write_set(root: Path, *records: Any, name: str = "train/train.json.gz") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    vocabulary = {"word_list": ["<pad>"]}
    path.write_bytes(
        gzip.compress(json.dumps({"episodes": records, "instruction_vocab": vocabulary}).encode())
    )
    return path


def write_scenes(root: Path, *names: str) -> None:
    for name in names:
        (root / "scenes/mp3d" / name).mkdir(parents=True, exist_ok=True)
        (root / f"scenes/mp3d/{name}/{name}.glb").write_bytes(b"glTF")


def config(root: Path, **changes: Any) -> VlnCeSource:
    values = {
        "scenario": "navigation",
        "licence": "l",
        "citation": "c",
        "extract": {},
        "shards": 1,
        "fetch": None,
    }
    values |= {"kind": "vln_ce", "path": str(root), "files": ["train/train.json.gz"], "language": "en"}
    values |= {"scenes": str(root / "scenes"), "max_episodes": 0, "max_per_path": 1, "skip_missing": False}
    values |= {"size": 56, "field": 90, "eye": 1.25, "min_turn": 30, "min_way": 0.5, "jpeg_quality": 95}
    return VlnCeSource.model_validate(values | changes)


class Compass:
    """Draws where it stands and looks, so that frames say by which poses they were asked for."""

    def __init__(self, opened: list[str]) -> None:
        self._opened = opened

    @contextmanager
    def open(self, scene: Path, camera: Camera) -> Iterator["Compass"]:
        self._opened.append(f"open {scene.stem}")
        self.size = camera.size
        yield self
        self._opened.append(f"close {scene.stem}")

    def view(self, position: Point, rotation: Rotation) -> NDArray[np.uint8]:
        x, _, z = position
        degrees = math.degrees(heading_of(rotation)) % 360
        colour = (128 + 10 * round(x), 128 + 10 * round(z), round(degrees / 2))
        return np.full((self.size, self.size, 3), colour, np.uint8)


def read(root: Path, shard: Shard = WHOLE, opened: list[str] | None = None, **changes: Any) -> Any:
    renderer = Compass([] if opened is None else opened)
    return list(vln_ce.read("vln", config(root, **changes), shard, renderer.open))


def names(found: list[SourceTrajectory]) -> list[str]:
    return [entry.trajectory.trajectory_id for entry in found]


def refused(root: Path, kind: type[TpruError], *words: str, **changes: Any) -> None:
    with pytest.raises(TpruError) as caught:
        read(root, **changes)
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)


def looks_along(rotation: Rotation) -> list[float]:
    """-z turned by a rotation, by the product of quaternions (an independent formula)."""
    x, y, z, w = rotation

    def product(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
        (ax, ay, az, aw), (bx, by, bz, bw) = a, b
        return (
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        )

    return list(product(product((x, y, z, w), (0.0, 0.0, -1.0, 0.0)), (-x, -y, -z, w))[:3])


@given(st.floats(-math.pi, math.pi))
def test_headings_and_rotations(heading: float) -> None:
    rotation = rotation_of(heading)
    assert looks_along(rotation) == pytest.approx([-math.sin(heading), 0, -math.cos(heading)], abs=1e-9)
    assert math.remainder(heading_of(rotation) - heading, 2 * math.pi) == pytest.approx(0, abs=1e-9)
    opposite = (-rotation[0], -rotation[1], -rotation[2], -rotation[3])  # the same turn, written otherwise
    assert math.remainder(heading_of(opposite) - heading, 2 * math.pi) == pytest.approx(0, abs=1e-9)


def test_a_rotation_of_the_published_files() -> None:
    # An episode of R2R_VLNCE: x and z stay 0, the last number is the scalar.
    heading = heading_of((0, 0.6198966754439885, 0, -0.7846834468583432))
    assert math.degrees(heading) == pytest.approx(-76.6, abs=0.1)


def episode(path: list[list[float]], heading: float = 0.0) -> Episode:
    points = tuple((x, y, z) for x, y, z in path)
    return Episode("e", "1", "mp3d/AbC/AbC.glb", "Go", "en", heading, points)


def test_a_path_is_walked_from_point_to_point() -> None:
    found = views(episode(SQUARE, math.pi / 2), 30, 0.5)
    told = [(v.position[0], v.position[2], round(math.degrees(v.heading)), v.text) for v in found]
    assert told == [
        (0, 0, 90, ""),
        (0, 0, 0, "turned right 90 degrees"),
        (0, -2, 0, "walked 2.0 m"),
        (0, -2, -90, "turned right 90 degrees"),
        (3, -2, -90, "walked 3.0 m"),
        (3, -2, -180, "turned right 90 degrees"),
        (3, 2, -180, "walked 4.0 m"),
    ]


def test_small_turns_short_ways_and_stairs() -> None:
    path = [[0.0, 0, 0], [0.1, 0, -0.1], [0.2, 0, -2.0], [0.2, 1.5, -2.0], [0.2, 1.5, -4.0], [0.2, 1.5, -4.2]]
    found = views(episode(path), 30, 0.5)
    assert [view.text for view in found] == ["", "walked 2.0 m", "went up 1.5 m", "walked 2.2 m"]
    assert found[2].heading == found[1].heading
    assert found[-1].position == (0.2, 1.5, -4.2)
    assert views(episode([[0, 0, 0], [0, 0, 0.2]]), 30, 0.5)[-1].text == ""


POINTS = st.lists(st.tuples(*[st.floats(-20, 20)] * 3), min_size=2, max_size=8, unique=True)


@given(POINTS, st.floats(-math.pi, math.pi), st.floats(1, 180), st.floats(0.1, 3))
def test_every_path_is_followed_to_its_end(
    path: list[Point], heading: float, min_turn: float, min_way: float
) -> None:
    found = views(Episode("e", "1", "s", "g", "en", heading, tuple(path)), min_turn, min_way)
    assert found[0] == View(path[0], heading, "")
    assert found[-1].position == path[-1]
    seen = [view.position for view in found]
    assert [p for p in path if p in set(seen)] == list(dict.fromkeys(seen))
    for before, after in pairwise(found):
        turned = abs(math.degrees(math.remainder(after.heading - before.heading, 2 * math.pi)))
        if before.position == after.position:
            assert turned >= min_turn - 1e-9
            assert after.text.startswith("turned")
        else:
            assert turned < min_turn + 1e-9


def test_episodes_become_trajectories(tmp_path: Path) -> None:
    write_set(tmp_path, record(7))
    write_scenes(tmp_path, "AbC")
    (entry,) = read(tmp_path)
    found = entry.trajectory
    assert (found.trajectory_id, found.group) == ("vln-train-7", "AbC")
    assert (found.goal, found.scenario) == ("Go around the bed.", "navigation")
    assert (found.media.kind, found.media.n_frames, len(entry.frames)) == ("embedded", 7, 7)
    assert [(s.frame, s.text) for s in found.steps][:2] == [
        (1, "turned right 90 degrees"),
        (2, "walked 2.0 m"),
    ]
    drawn = [decode_image(data).getpixel((0, 0)) for data in entry.frames]
    wanted = [(128, 128, 45), (128, 128, 0), (128, 108, 0), (128, 108, 135), (158, 108, 135), (158, 108, 90)]
    assert np.abs(np.array(drawn[:6]) - np.array(wanted)).max() <= 3


def test_order_scenes_and_shards(tmp_path: Path) -> None:
    records = [record(str(n), scene="BA"[n % 2]) for n in (10, 9, 1, 2, 3)]
    write_set(tmp_path, *records)
    write_scenes(tmp_path, "A", "B")
    opened: list[str] = []
    found = read(tmp_path, opened=opened)
    assert names(found) == [f"vln-train-{n}" for n in (1, 3, 9, 2, 10)]
    assert opened == ["open A", "close A", "open B", "close B"]
    assert sorted(names(read(tmp_path, max_episodes=3))) == [f"vln-train-{n}" for n in (1, 2, 3)]
    for of in (2, 3, 7):
        assert [e for k in range(of) for e in read(tmp_path, Shard(k, of))] == found
    random.Random(1).shuffle(records)
    write_set(tmp_path, *records)
    assert read(tmp_path) == found


def test_several_files_and_instructions_for_a_path(tmp_path: Path) -> None:
    write_set(tmp_path, record(1), record(2, trajectory_id=10), record(3, trajectory_id=10))
    write_set(tmp_path, record("1", path=SQUARE[::-1], trajectory_id="70"), name="val_seen/val_seen.json.gz")
    write_scenes(tmp_path, "AbC")
    files = ["val_seen/val_seen.json.gz", "train/train.json.gz"]
    assert names(read(tmp_path, files=files)) == ["vln-train-1", "vln-val_seen-1"]
    assert len(read(tmp_path, files=files[::-1], max_per_path=2)) == 3
    assert len(read(tmp_path, files=files, max_per_path=0)) == 4


def test_languages(tmp_path: Path) -> None:
    told = [{"instruction_text": "geh", "language": "hi-IN"}, {"instruction_text": "go", "language": "en-US"}]
    write_set(tmp_path, record(1, instruction=told[0]), record(2, instruction=told[1]))
    write_scenes(tmp_path, "AbC")
    assert names(read(tmp_path)) == ["vln-train-2"]
    assert len(read(tmp_path, language="")) == 2
    refused(tmp_path, EmptySourceError, "'te'", "`language`", language="te")


def test_absent_scenes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old = record(2, scene="Old", scene_id="data/scene_datasets/mp3d/AbC/AbC.glb")
    write_set(tmp_path, record(1, scene="Gone"), old)
    write_scenes(tmp_path, "AbC")
    refused(tmp_path, ManifestError, "train.json.gz", "train-1", "mp3d/Gone/Gone.glb", "skip_missing")
    assert names(read(tmp_path, skip_missing=True)) == ["vln-train-2"]
    assert "1 episodes are left out: their 1 scenes are absent" in caplog.text
    refused(tmp_path, EmptySourceError, "Gone.glb", scenes=str(tmp_path / "no"), skip_missing=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"episode_id": None}, ["a text", "'episode_id'"]),
        ({"trajectory_id": 1.5}, ["a text", "'trajectory_id'", "1.5"]),
        ({"scene_id": ""}, ["a text", "'scene_id'"]),
        ({"scene_id": "../x.glb"}, ["'scene_id'", "../x.glb"]),
        ({"start_position": [0, 0]}, ["'start_position'", "3 numbers", "[0, 0]"]),
        ({"start_rotation": [0, 0, 0, 2]}, ["'start_rotation'", "unit quaternion", "2.000"]),
        ({"start_rotation": None}, ["'start_rotation'", "4 numbers", "None"]),
        ({"reference_path": None}, ["a list", "'reference_path'"]),
        ({"reference_path": [SQUARE[0]]}, ["leads away", "'reference_path'"]),
        ({"reference_path": [SQUARE[0], [1, 2, "3"]]}, ["point 1 of 'reference_path'", "3 numbers", "'3'"]),
        ({"reference_path": [SQUARE[0], [1, 2, math.nan]]}, ["point 1 of 'reference_path'", "nan"]),
        ({"instruction": "go"}, ["an object", "'instruction'"]),
        ({"instruction": {"instruction_text": " "}}, ["'instruction'", "'instruction_text'"]),
    ],
)
def test_malformed_episodes(tmp_path: Path, changes: dict[str, Any], words: list[str]) -> None:
    path = write_set(tmp_path, record(1), record(2, **changes))
    write_scenes(tmp_path, "AbC")
    refused(tmp_path, ManifestError, f"{path}, entry 1 of episodes", *words)


def test_broken_files(tmp_path: Path) -> None:
    refused(tmp_path, ManifestError, "train.json.gz", "restore it")
    path = write_set(tmp_path, record(1))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-6] ^= 255  # in the sum at the end
    for broken in (whole[:-9], bytes(flipped), b"{}", gzip.compress(b"[")):
        path.write_bytes(broken)
        refused(tmp_path, ManifestError, str(path), "restore it")
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    refused(tmp_path, ManifestError, str(path), "git lfs pull")
    path.write_bytes(gzip.compress(b"{}"))
    refused(tmp_path, ManifestError, str(path), "a list", "'episodes'")


class House:
    """A furnished house of the simulated walks, seen from poses in Habitat's coordinates (x, up, -y)."""

    def __init__(self) -> None:
        self.walk = plan(np.random.default_rng(5), "via_landmark", "seen")

    @contextmanager
    def open(self, scene: Path, camera: Camera) -> Iterator["House"]:
        self.size = camera.size
        yield self

    def path(self) -> list[list[float]]:
        return [[float(v.at[0]), 0.0, -float(v.at[1])] for v in self.walk.views]

    def view(self, position: Point, rotation: Rotation) -> NDArray[np.uint8]:
        at = (position[0], -position[2])
        nearest = min(self.walk.views, key=lambda v: math.dist(v.at, at))
        standing = replace(nearest, at=at, heading=heading_of(rotation) + math.pi / 2)
        return np.asarray(draw(solids(self.walk.house, standing), self.size)[0])


def test_a_walk_through_a_house_gives_sequences(tmp_path: Path) -> None:
    house = House()
    write_set(tmp_path, record(1, house.path()))
    write_scenes(tmp_path, "AbC")
    (entry,) = vln_ce.read("vln", config(tmp_path, size=84, min_turn=20, min_way=0.3), WHOLE, house.open)
    store = SimpleNamespace(read=lambda name: list(entry.frames))
    frames = list(iter_frames(entry.trajectory, store))
    # The first picture of the simulator itself: where the walk looks along its path, both see the same.
    toward = house.walk.views[1]
    own = np.asarray(draw(solids(house.walk.house, toward), 84)[0], np.float32)
    seen = house.view((toward.at[0], 0.0, -toward.at[1]), rotation_of(toward.heading - math.pi / 2))
    assert np.abs(seen - own).max() <= 1
    found = extract(entry.trajectory, frames, CONFIG)
    assert found.sequences
    assert all(sequence.group == "AbC" for sequence in found.sequences)
    assert any("walked" in f.step for sequence in found.sequences for f in sequence.frames)


class FakeHabitat(SimpleNamespace):
    """What ``open_scene`` uses of habitat-sim, with the names of its version 0.3; draws the poses it is given."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.closed = 0
        state = SimpleNamespace
        super().__init__(
            made=self.made,
            closed=0,
            SimulatorConfiguration=SimpleNamespace,
            CameraSensorSpec=SimpleNamespace,
            SensorType=SimpleNamespace(COLOR="colour"),
            SensorSubType=SimpleNamespace(PINHOLE="pinhole"),
            Configuration=lambda backend, agents: SimpleNamespace(backend=backend, agents=agents),
            agent=SimpleNamespace(
                AgentConfiguration=SimpleNamespace,
                AgentState=lambda position, rotation: state(position=position, rotation=rotation),
            ),
            Simulator=self.simulator,
        )

    def simulator(self, configuration: Any) -> Any:
        if Path(configuration.backend.scene_id).read_bytes() != b"glTF":
            raise RuntimeError("no glTF")
        self.made.append(configuration)
        (sensor,) = configuration.agents[0].sensor_specifications
        shown: list[Any] = []

        def picture() -> dict[str, NDArray[np.uint8]]:
            x, _, z = shown[-1].position
            degrees = math.degrees(heading_of(tuple(shown[-1].rotation))) % 360
            pixels = np.full((*sensor.resolution, 4), 255, np.uint8)
            pixels[: len(pixels) // 2, :, :3] = (128 + 20 * round(x), 128 + 20 * round(z), round(degrees / 2))
            pixels[:, : 4 + len(shown) % 7, 1] = 0
            return {sensor.uuid: pixels}

        def close() -> None:
            self.closed += 1

        agent = SimpleNamespace(set_state=shown.append)
        return SimpleNamespace(get_agent=lambda number: agent, get_sensor_observations=picture, close=close)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeHabitat:
    made = FakeHabitat()
    monkeypatch.setitem(sys.modules, "habitat_sim", made)
    return made


def test_what_habitat_is_asked_for(tmp_path: Path, fake: FakeHabitat) -> None:
    write_scenes(tmp_path, "AbC")
    described = tmp_path / "scenes/mp3d/mp3d.scene_dataset_config.json"
    described.write_text("{}")
    scene = tmp_path / "scenes/mp3d/AbC/AbC.glb"
    with habitat.open_scene(scene, Camera(56, 90.0, 1.25)) as renderer:
        picture = renderer.view((1.0, 0.0, -2.0), rotation_of(math.pi / 2))
    assert (picture.shape, picture.dtype, picture.flags["C_CONTIGUOUS"]) == ((56, 56, 3), np.uint8, True)
    assert picture[0, -1].tolist() == [148, 88, 45]
    ((backend, agents),) = [(made.backend, made.agents) for made in fake.made]
    assert (backend.scene_id, backend.enable_physics) == (str(scene), False)
    assert backend.scene_dataset_config_file == str(described)
    (sensor,) = agents[0].sensor_specifications
    assert (sensor.resolution, sensor.position, sensor.hfov) == ([56, 56], [0.0, 1.25, 0.0], 90.0)
    assert fake.closed == 1


def test_scenes_that_cannot_be_rendered(
    tmp_path: Path, fake: FakeHabitat, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_set(tmp_path, record(1))
    write_scenes(tmp_path, "AbC")
    scene = tmp_path / "scenes/mp3d/AbC/AbC.glb"
    scene.write_bytes(b"broken")
    with pytest.raises(ManifestError, match=r"cannot load .*AbC\.glb \(no glTF\)"):
        list(vln_ce.read("vln", config(tmp_path)))
    monkeypatch.setitem(sys.modules, "habitat_sim", None)  # as where it is not installed
    with pytest.raises(ConfigError, match=r"AbC\.glb is to be rendered by habitat-sim.*vln_ce\.yaml"):
        list(vln_ce.read("vln", config(tmp_path)))


def test_configuration_is_complete() -> None:
    values = [f"sources.walks.{value}" for value in ("path=p", "scenes=s", "licence=none")]
    source = compose("demo", ["+source@sources.walks=vln_ce", *values]).sources["walks"]
    assert isinstance(source, VlnCeSource)
    assert (source.scenario, source.files, source.shards) == ("navigation", ["train/train.json.gz"], 1)
