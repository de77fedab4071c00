"""The stage that fetches: what it leaves behind, and what it refuses."""

import inspect
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.fake_origin import COMMIT, REPO, Origin, serve, url
from tests.unit.test_acquisition_choose import source
from tpru.acquisition import cache
from tpru.errors import ConfigError, EmptySourceError, FetchError
from tpru.stages import fetch

__all__ = ["serve"]
Serve = Callable[..., Origin]


def run(folder: Path, fetching: dict[str, Any], kind: str = "videos", **changes: Any) -> SimpleNamespace:
    """Run the stage for a source as its frame would; return the run."""
    values = source(kind, fetch={"accept_licence": "", "unpack": False, **fetching}, **changes).model_dump()
    del values["extract"], values["shards"]
    folder.mkdir(parents=True, exist_ok=True)
    made = SimpleNamespace(
        unit="fetch/x", config={"source": values}, folder=folder, output=lambda name: folder / name
    )
    inspect.unwrap(fetch.main)(made)  # type: ignore[arg-type]
    return made


def contents(folder: Path) -> dict[str, bytes]:
    data = folder / "data"
    return {p.relative_to(data).as_posix(): p.read_bytes() for p in sorted(data.rglob("*")) if p.is_file()}


def hub(**values: Any) -> dict[str, Any]:
    return {"kind": "hub", "repo": REPO, "revision": COMMIT, "files": ["*"], **values}


def test_videos_by_a_list(serve: Serve, tmp_path: Path) -> None:
    origin = serve({"b.mp4": b"b", "a.mp4": b"aa", "c.mp4": b"c"})
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(url(origin, name) for name in origin.files))
    made = run(tmp_path / "one", {"kind": "urls", "list": str(listed)}, max_videos=2)
    assert contents(tmp_path / "one") == {"a.mp4": b"aa", "b.mp4": b"b"}
    assert made.metrics == {"files": 2, "bytes": 3, "bytes_fetched": 3}
    rows = json.loads((tmp_path / "one/files.json").read_text())
    assert [(row["path"], row["bytes"], row["check"][:7]) for row in rows] == [
        ("a.mp4", 2, "sha256:"),
        ("b.mp4", 1, "sha256:"),
    ]
    assert (tmp_path / "one/data").resolve() == cache.root() / made.facts["folder"]
    # A longer list: what is there is not fetched again, and the first run keeps what it had.
    again = run(tmp_path / "two", {"kind": "urls", "list": str(listed)})
    assert (again.metrics["files"], again.metrics["bytes_fetched"]) == (3, 1)
    assert len(contents(tmp_path / "one")) == 2
    # The same address gives something else now: found out where the first is no longer there.
    for path in (cache.root() / "urls").rglob("a.mp4"):
        path.unlink()
    origin.files["a.mp4"] = b"ax"
    with pytest.raises(FetchError, match=r"a\.mp4 cannot be fetched from .* it is corrupt"):
        run(tmp_path / "three", {"kind": "urls", "list": str(listed)})


def test_all_files_of_a_benchmark_come(serve: Serve, tmp_path: Path) -> None:
    origin = serve({"data/a.parquet": b"a", "README.md": b"r"}, licence="cc-by-nc-4.0")
    values = hub(files=["data/*"], unpack=False, accept_licence="")
    made = SimpleNamespace(
        unit="fetch/muir",
        config={"benchmark": {"licence": "CC-BY-4.0", "fetch": values}},
        folder=tmp_path,
        output=lambda name: tmp_path / name,
    )
    with pytest.raises(ConfigError, match=r'benchmarks\.muir\.fetch\.accept_licence="cc-by-nc-4\.0"'):
        inspect.unwrap(fetch.main)(made)  # type: ignore[arg-type]
    assert not origin.data_gets()
    values["accept_licence"] = "cc-by-nc-4.0"
    inspect.unwrap(fetch.main)(made)  # type: ignore[arg-type]
    assert contents(tmp_path) == {"data/a.parquet": b"a"}


def test_an_archive_is_unpacked(serve: Serve, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("episodes/1/0.png", b"0")
    origin = serve({"set.zip": buffer.getvalue()})
    values = {"kind": "urls", "list": (url(origin, "set.zip"),), "unpack": True}
    run(tmp_path / "one", values, "aitz", max_episodes=1)
    assert contents(tmp_path / "one") == {"episodes/1/0.png": b"0"}
    assert json.loads((tmp_path / "one/files.json").read_text())[0]["path"] == "set.zip"


def test_terms_that_the_hub_tells_must_be_accepted(serve: Serve, tmp_path: Path) -> None:
    origin = serve({"a.mp4": b"a"}, licence="cc-by-nc-4.0")
    with pytest.raises(
        ConfigError, match=f'{origin.url}/datasets/{REPO}.*sources.x.fetch.accept_licence="cc-by-nc-4.0"'
    ):
        run(tmp_path, hub())
    assert not origin.data_gets()
    run(tmp_path, hub(accept_licence="CC-BY-NC-4.0"))
    assert contents(tmp_path) == {"a.mp4": b"a"}


def test_a_card_without_a_licence_leaves_that_of_the_source(serve: Serve, tmp_path: Path) -> None:
    serve({"a.mp4": b"a"}, licence=None)
    with pytest.raises(ConfigError, match="'by request'"):
        run(tmp_path, hub(), licence="by request")
    run(tmp_path, hub(), licence="MIT")


def test_an_agreement_is_asked_for_before_the_key(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve({"a.mp4": b"a"}, gated=True, token="secret")
    with pytest.raises(ConfigError, match="An agreement has to be signed on that page"):
        run(tmp_path, hub())
    with pytest.raises(FetchError, match="HF_TOKEN"):
        run(tmp_path, hub(accept_licence="cc-by-4.0"))
    monkeypatch.setenv("HF_TOKEN", "secret")
    run(tmp_path, hub(accept_licence="cc-by-4.0"))
    assert contents(tmp_path) == {"a.mp4": b"a"}


def test_patterns_that_match_nothing_are_said(serve: Serve, tmp_path: Path) -> None:
    serve({"a.mp4": b"a"})
    with pytest.raises(EmptySourceError, match=r"no file that matches; correct fetch\.files"):
        run(tmp_path, hub(files=["nothing/*"]))


def test_a_failed_file_leaves_no_record(serve: Serve, tmp_path: Path) -> None:
    serve({"a.mp4": b"a", "b.mp4": b"b"}, faults={"b.mp4": ["corrupt"] * 99})
    with pytest.raises(FetchError, match=r"b\.mp4 cannot be fetched"):
        run(tmp_path / "one", hub())
    assert not (tmp_path / "one/files.json").exists()
    assert not (tmp_path / "one/data").exists()
