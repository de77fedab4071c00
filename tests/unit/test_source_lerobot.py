"""LeRobotDataset v2.1 and v3.0: minimal folders written here, and five real episodes in both."""

import io
import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tpru.errors import EmptySourceError, ManifestError, TpruError
from tpru.runtime import priority_kept
from tpru.trajectories.media import iter_frames
from tpru.trajectories.sources.lerobot import LeRobotConfig, read

REAL = Path(__file__).parents[3] / "shared/data"
CAMERA = "observation.images.front"
LENGTHS = (5, 4, 6)
TASKS = (["Pick up the cup."], ["Open the box."], ["Pick up the cup.", "Open the box."])
V2 = {
    "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
}
V3 = {
    "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}


def write_video(path: Path, numbers: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with priority_kept(), av.open(str(path), "w") as container:
        stream = container.add_stream("libsvtav1", rate=10, options={"preset": "12"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for stamp, number in enumerate(numbers):
            grey = np.full((48, 64, 3), number * 10, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_an_encoder_leaves_the_priority_of_the_process_alone(tmp_path: Path) -> None:
    before = os.sched_getscheduler(0)
    write_video(tmp_path / "a.mp4", [1, 2])
    assert os.sched_getscheduler(0) == before


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), (number * 10, 0, 0)).save(buffer, format="PNG")
    return buffer.getvalue()


def write_info(root: Path, version: str, dtype: str, **changes: Any) -> None:
    features = {
        "action": {"dtype": "float32", "shape": [2]},
        CAMERA: {"dtype": dtype, "shape": [48, 64, 3], "names": ["height", "width", "channel"]},
        "observation.images.side": {"dtype": dtype, "shape": [3, 48, 64]},
        "observation.images.a_depth": {"dtype": "video", "info": {"video.is_depth_map": True}},
    }
    info = {"codebase_version": version, "fps": 10, "chunks_size": 2, "features": features}
    info |= {"total_episodes": len(LENGTHS), **(V2 if version == "v2.1" else V3), **changes}
    (root / "meta").mkdir(parents=True, exist_ok=True)
    (root / "meta/info.json").write_text(json.dumps(info))


def data_rows(episode: int, dtype: str) -> list[dict[str, Any]]:
    """Rows of one episode, out of order as nothing in the format forbids."""
    rows = []
    for frame in reversed(range(LENGTHS[episode])):
        row = {"episode_index": episode, "frame_index": frame, "action": [0.0, 1.0]}
        picture = {"bytes": png(number(episode, frame)), "path": f"frame_{frame}.png"}
        rows.append(row | ({CAMERA: picture} if dtype == "image" else {}))
    return rows


def number(episode: int, frame: int) -> int:
    return sum(LENGTHS[:episode]) + frame


def write_v2(root: Path, dtype: str = "video", episodes: tuple[int, ...] = (0, 1, 2)) -> Path:
    write_info(root, "v2.1", dtype)
    lines = [{"episode_index": e, "tasks": TASKS[e], "length": LENGTHS[e]} for e in episodes]
    (root / "meta/episodes.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    for e in episodes:
        fields = {"episode_chunk": e // 2, "episode_index": e, "video_key": CAMERA}
        data = root / V2["data_path"].format(**fields)
        data.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(data_rows(e, dtype)), data)
        if dtype == "video":
            shown = [number(e, frame) for frame in range(LENGTHS[e])]
            write_video(root / V2["video_path"].format(**fields), shown)
    return root


def write_v3(root: Path, dtype: str = "video") -> Path:
    """Episodes 0 and 1 share files of index 0, episode 2 has those of index 1."""
    write_info(root, "v3.0", dtype)
    files, starts = (0, 0, 1), (0, LENGTHS[0], 0)
    rows = []
    for e, (file, start) in enumerate(zip(files, starts, strict=True)):
        row = {
            "episode_index": e,
            "tasks": TASKS[e],
            "length": LENGTHS[e],
            "stats/action/min": [0.0],
        }
        row |= {"data/chunk_index": 0, "data/file_index": file}
        row |= {f"videos/{CAMERA}/chunk_index": 0, f"videos/{CAMERA}/file_index": file}
        row |= {f"videos/{CAMERA}/from_timestamp": start / 10}
        row |= {f"videos/{CAMERA}/to_timestamp": (start + LENGTHS[e]) / 10}
        rows.append(row)
    write_episodes(root, rows)
    for file, episodes in enumerate(((0, 1), (2,))):
        fields = {"chunk_index": 0, "file_index": file, "video_key": CAMERA}
        data = root / V3["data_path"].format(**fields)
        data.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist([row for e in episodes for row in data_rows(e, dtype)])
        pq.write_table(table, data, row_group_size=3)
        if dtype == "video":
            shown = [number(e, frame) for e in episodes for frame in range(LENGTHS[e])]
            write_video(root / V3["video_path"].format(**fields), shown)
    return root


def write_episodes(root: Path, rows: list[dict[str, Any]]) -> None:
    path = root / "meta/episodes/chunk-000/file-000.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


WRITERS = {"v2.1": write_v2, "v3.0": write_v3}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both versions with video, read only."""
    return {v: write(tmp_path_factory.mktemp("set") / v) for v, write in WRITERS.items()}


def config(root: Path, **changes: Any) -> LeRobotConfig:
    return LeRobotConfig(**{"name": "set", "path": str(root), "licence": "MIT", **changes})


def refused(root: Path, kind: type[TpruError], *words: str, **changes: Any) -> None:
    with pytest.raises(TpruError) as caught:
        list(read(config(root, **changes)))
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("version", WRITERS)
def test_video_episodes(videos: dict[str, Path], version: str) -> None:
    data = read(config(videos[version], citation="c"))
    assert (data.total, data.licence, data.citation) == (3, "MIT", "c")
    trajectories = [found.trajectory for found in data]
    assert [t.trajectory_id for t in trajectories] == ["set-000000", "set-000001", "set-000002"]
    assert [t.group for t in trajectories] == [t.trajectory_id for t in trajectories]
    assert [t.media.n_frames for t in trajectories] == list(LENGTHS)
    assert trajectories[2].goal == "Pick up the cup.; Open the box."
    for e, trajectory in enumerate(trajectories):
        reds = [np.asarray(f.image)[24, 32, 0] for f in iter_frames(trajectory)]
        expected = [10 * number(e, frame) for frame in range(LENGTHS[e])]
        assert len(reds) == len(expected)
        assert np.allclose(np.array(reds, float), expected, atol=4)


@pytest.mark.parametrize("version", WRITERS)
def test_embedded_pictures_keep_their_bytes(tmp_path: Path, version: str) -> None:
    data = read(config(WRITERS[version](tmp_path, "image")))
    for _ in range(2):  # a second pass gives the same
        for e, found in enumerate(data):
            assert found.trajectory.media.kind == "embedded"
            assert found.trajectory.media.n_frames == LENGTHS[e]
            assert found.frames == tuple(png(number(e, i)) for i in range(LENGTHS[e]))


def test_choices(videos: dict[str, Path]) -> None:
    data = read(config(videos["v2.1"], max_episodes=2, group="dataset", camera=CAMERA))
    assert [found.trajectory.group for found in data] == ["set", "set"]


def test_missing_info(tmp_path: Path) -> None:
    refused(tmp_path, ManifestError, "meta/info.json", "does not exist", "download it again")


@pytest.mark.parametrize("text", ["{", "[]", '{"codebase_version": "v2.1"}'])
def test_bad_info(tmp_path: Path, text: str) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/info.json").write_text(text)
    refused(tmp_path, ManifestError, "meta/info.json", "restore it")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"codebase_version": "v1.6"}, ["'v1.6'", "v2.1, v3.0", "convert"]),
        ({"fps": None}, ["fps None", "above 0"]),
        ({"video_path": None}, ["episode 0", "video_path"]),
        ({"video_path": "{nothing}.mp4"}, ["episode 0", "cannot be filled", "restore meta"]),
        ({"video_path": "../{video_key}.mp4"}, ["leads outside the dataset"]),
        ({"total_episodes": 5}, ["0 to 4", "[3, 4]", "restore meta"]),
    ],
)
def test_wrong_info(tmp_path: Path, changes: dict[str, Any], words: list[str]) -> None:
    write_v2(tmp_path)
    write_info(tmp_path, "v2.1", "video", **changes)
    refused(tmp_path, ManifestError, *words)


def test_unknown_camera(videos: dict[str, Path]) -> None:
    refused(videos["v3.0"], ManifestError, "'top'", CAMERA, "name one", camera="top")


def test_unknown_scenario(videos: dict[str, Path]) -> None:
    refused(videos["v3.0"], ManifestError, "'arm'", "robot", scenario="arm")


@pytest.mark.parametrize("version", WRITERS)
def test_missing_video(tmp_path: Path, version: str) -> None:
    WRITERS[version](tmp_path)
    path = sorted(tmp_path.rglob("*.mp4"))[-1]
    path.unlink()
    refused(tmp_path, ManifestError, "episode 2", path.name, "download it again")
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    refused(tmp_path, ManifestError, "episode 2", path.name, "git lfs pull")


@pytest.mark.parametrize("version", WRITERS)
def test_missing_and_short_data_of_pictures(tmp_path: Path, version: str) -> None:
    WRITERS[version](tmp_path, "image")
    path = sorted(tmp_path.joinpath("data").rglob("*.parquet"))[-1]
    pq.write_table(pa.Table.from_pylist(data_rows(2, "image")[1:]), path)
    refused(tmp_path, ManifestError, "5 pictures", "episode 2", "promises 6", "restore")
    pq.write_table(pa.Table.from_pylist(data_rows(2, "video")), path)
    refused(tmp_path, ManifestError, path.name, "holds no pictures", "restore")
    path.unlink()
    refused(tmp_path, ManifestError, "episode 2", path.name, "download it again")


def test_gaps(tmp_path: Path) -> None:
    write_v2(tmp_path, episodes=(0, 2))
    refused(tmp_path, ManifestError, "lists 2 episodes", "first missing: [1]", "without gaps")


def test_missing_lists_of_episodes(tmp_path: Path) -> None:
    write_info(tmp_path / "2", "v2.1", "video")
    refused(tmp_path / "2", ManifestError, "episodes.jsonl", "download it again")
    write_info(tmp_path / "3", "v3.0", "video")
    refused(tmp_path / "3", ManifestError, "meta/episodes", "restore meta")


def test_malformed_rows_of_episodes(tmp_path: Path) -> None:
    write_v2(tmp_path)
    lines = tmp_path / "meta/episodes.jsonl"
    lines.write_text("{")
    refused(tmp_path, ManifestError, "episodes.jsonl", "restore it")
    lines.write_text('{"episode_index": 0, "tasks": [" "], "length": 5}')
    refused(tmp_path, ManifestError, "episode 0", "names no task")
    lines.write_text('{"episode_index": 0, "tasks": ["t"]}')
    refused(tmp_path, ManifestError, "no episode_index or length")


def test_v3_without_cut_or_broken_meta(tmp_path: Path) -> None:
    write_v3(tmp_path)
    path = tmp_path / "meta/episodes/chunk-000/file-000.parquet"
    rows = pq.read_table(path).to_pylist()
    write_episodes(tmp_path, [{k: v for k, v in r.items() if "stamp" not in k} for r in rows])
    refused(tmp_path, ManifestError, "episode 0", "from_timestamp", "restore meta")
    path.write_bytes(b"PAR1")
    refused(tmp_path, ManifestError, "file-000.parquet", "restore meta")


def test_no_episodes(tmp_path: Path) -> None:
    write_info(tmp_path, "v2.1", "video", total_episodes=0)
    (tmp_path / "meta/episodes.jsonl").write_text("")
    refused(tmp_path, EmptySourceError, str(tmp_path), "no episodes", "choose another")


@pytest.mark.skipif(not REAL.exists(), reason="the shared sample data are not beside the project")
def test_real_episodes_are_the_same_in_both_versions() -> None:
    folders = (REAL / "g1_lerobot/v2.1_subset5", REAL / "g1_lerobot/v3.0_subset5")
    old, new = ([found.trajectory for found in read(config(folder))] for folder in folders)
    lengths = [221, 277, 267, 280, 260]
    assert [t.media.n_frames for t in old] == [t.media.n_frames for t in new] == lengths
    assert {t.goal for t in old + new} == {"Pick up the yellow bottle on the table."}
    for episode in (1, 4):  # the second of a shared file, and one with a file of its own
        pairs = zip(iter_frames(old[episode], every=45), iter_frames(new[episode], every=45), strict=True)
        assert all(a.image.tobytes() == b.image.tobytes() for a, b in pairs)
