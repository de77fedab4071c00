"""Files over HTTP: nothing that is not whole and right is ever used, and nothing comes twice."""

import hashlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.fake_origin import Origin, serve, url
from tpru.acquisition import cache, http
from tpru.acquisition.cache import RemoteFile, part_of
from tpru.acquisition.http import fetch_files
from tpru.errors import ConfigError, DiskFullError, FetchError

__all__ = ["serve"]
Serve = Callable[..., Origin]
DATA = bytes(range(256)) * 1024  # 256 KiB


def wanted(origin: Origin, name: str, check: str | None = None, size: int | None = None) -> RemoteFile:
    data = origin.files[name]
    known = f"sha256:{hashlib.sha256(data).hexdigest()}" if check is None else check
    return RemoteFile(name, f"store/{name}", url(origin, name), len(data) if size is None else size, known)


def ranges(origin: Origin) -> list[str | None]:
    return [headers.get("Range") for _, _, headers in origin.asked]


def test_files_come_whole_and_nothing_of_the_way_is_left(serve: Serve) -> None:
    origin = serve({"a.bin": DATA, "folder/b c.bin": b"b", "empty": b""})
    files = [wanted(origin, name) for name in origin.files]
    assert fetch_files(files, "x") == len(DATA) + 1
    assert [f.cached.read_bytes() for f in files] == list(origin.files.values())
    left = sorted(p.name for p in cache.root().rglob("*") if p.is_file())
    assert left == ["a.bin", "b c.bin", "empty"]
    assert fetch_files(files, "x") == 0
    assert len(origin.asked) == 2, "an empty file needs no request, and what is there none either"


@pytest.mark.parametrize("check", [None, ""], ids=["checksum", "no checksum"])
def test_a_broken_line_goes_on_where_it_broke(serve: Serve, check: str | None) -> None:
    origin = serve({"a": DATA}, faults={"a": ["cut:1000", "cut:70000"]})
    file = wanted(origin, "a", check)
    fetch_files([file], "x")
    assert file.cached.read_bytes() == DATA
    assert origin.sent == len(DATA)
    assert ranges(origin)[0] is None
    assert ranges(origin)[1:] == ["bytes=1000-", "bytes=71000-"]
    tags = [headers.get("If-Range") for _, _, headers in origin.asked[1:]]
    assert all(tags) == (check == "")


def test_a_file_that_changed_meanwhile_is_no_mixture(serve: Serve) -> None:
    origin = serve({"a": b"old" * 30000}, faults={"a": ["cut:1000"]})
    file = wanted(origin, "a", "", -1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "TRIES", 1)
        with pytest.raises(FetchError):
            fetch_files([file], "x")
    assert part_of(file.cached).stat().st_size == 1000
    origin.files["a"] = b"new" * 20000
    fetch_files([file], "x")
    assert file.cached.read_bytes() == b"new" * 20000


def test_without_checksum_and_version_a_part_is_not_trusted(serve: Serve) -> None:
    origin = serve({"a": DATA}, etags=False, faults={"a": ["cut:1000"]})
    file = wanted(origin, "a", "")
    fetch_files([file], "x")
    assert file.cached.read_bytes() == DATA
    assert ranges(origin) == [None, None]


def test_a_server_without_ranges_sends_all_again(serve: Serve) -> None:
    origin = serve({"a": DATA}, ranges=False, faults={"a": ["cut:1000"]})
    file = wanted(origin, "a")
    fetch_files([file], "x")
    assert file.cached.read_bytes() == DATA
    assert origin.sent == len(DATA) + 1000


def test_what_is_corrupt_is_thrown_away_and_fetched_anew(serve: Serve) -> None:
    origin = serve({"a": DATA}, faults={"a": ["corrupt", "corrupt"]})
    file = wanted(origin, "a")
    fetch_files([file], "x")
    assert file.cached.read_bytes() == DATA
    assert len(origin.asked) == 3


def test_what_stays_corrupt_is_named_and_never_used(serve: Serve) -> None:
    origin = serve({"good": b"good", "bad": DATA}, faults={"bad": ["corrupt"] * 99})
    files = [wanted(origin, "good"), wanted(origin, "bad")]
    with pytest.raises(
        FetchError, match=r"bad cannot be fetched from http://.*/bad: it is corrupt: sha256:.*6 tries"
    ):
        fetch_files(files, "x")
    assert not files[1].cached.exists()
    assert origin.data_gets().count("bad") == http.TRIES


def test_a_checksum_of_git_and_md5_count_too(serve: Serve) -> None:
    origin = serve({"a": DATA})
    git = hashlib.sha1(b"blob %d\0" % len(DATA) + DATA).hexdigest()
    for kind, value in (("git", git), ("md5", hashlib.md5(DATA).hexdigest())):
        file = RemoteFile("a", f"{kind}/a", url(origin, "a"), len(DATA), f"{kind}:{value}")
        fetch_files([file], "x")
        assert file.cached.read_bytes() == DATA
        wrong = RemoteFile("a", f"{kind}/wrong", url(origin, "a"), len(DATA), f"{kind}:{value[::-1]}")
        with pytest.raises(FetchError, match="corrupt"):
            fetch_files([wrong], "x")


def test_too_many_requests_are_waited_for_as_long_as_asked(serve: Serve) -> None:
    origin = serve({"a": b"a"}, faults={"a": ["later", "status:503"]})
    begun = time.monotonic()
    fetch_files([wanted(origin, "a")], "x")
    assert 1.0 <= time.monotonic() - begun < 3.0
    assert len(origin.asked) == 3


def test_what_is_not_there_is_not_asked_for_twice(serve: Serve) -> None:
    origin = serve({"a": b"a"}, faults={"a": ["status:404"]})
    with pytest.raises(FetchError, match=r"a cannot be fetched: http://.*/a answers with status 404"):
        fetch_files([wanted(origin, "a")], "x")
    assert len(origin.asked) == 1


def test_what_is_closed_says_what_to_do(serve: Serve) -> None:
    origin = serve({"a": b"a"}, token="secret")
    with pytest.raises(FetchError, match="status 403; ask the owner"):
        fetch_files([wanted(origin, "a")], "x", closed="ask the owner")
    fetch_files([wanted(origin, "a")], "x", {"Authorization": "Bearer secret"}, "ask the owner")


def test_a_key_is_not_passed_on_to_another_host(serve: Serve) -> None:
    other = serve({"a": DATA})
    # The same machine by another name: as for the hub, whose files come from elsewhere.
    elsewhere = url(other, "a").replace("127.0.0.1", "localhost")
    origin = serve({"a": DATA}, token="secret", faults={"a": ["cut:9", f"to:{elsewhere}"]})
    file = wanted(origin, "a")
    fetch_files([file], "x", {"Authorization": "Bearer secret"})
    assert file.cached.read_bytes() == DATA
    assert "Authorization" not in other.asked[0][2]
    assert other.asked[0][2]["Range"] == "bytes=9-", "and what is there is not fetched again"


def test_a_web_page_in_place_of_a_video_is_refused(serve: Serve) -> None:
    origin = serve({"a.mp4": DATA}, faults={"a.mp4": ["page"]})
    file = wanted(origin, "a.mp4", "", -1)
    with pytest.raises(FetchError, match="is a web page, not the file"):
        fetch_files([file], "x")
    assert not file.cached.exists()


def test_as_many_files_at_once_as_allowed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(http.WORKERS_VARIABLE, "3")
    origin = serve({f"f{k}": b"x" for k in range(9)}, delay_s=0.05)
    fetch_files([wanted(origin, name) for name in origin.files], "x")
    assert origin.most_at_once == 3


def test_never_faster_than_allowed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(http.RATE_VARIABLE, "500K")
    origin = serve({f"f{k}": DATA for k in range(2)})
    begun = time.monotonic()
    fetch_files([wanted(origin, name) for name in origin.files], "x")
    assert time.monotonic() - begun >= 2 * len(DATA) / 500e3 * 0.9


@pytest.mark.parametrize("text", ["fast", "-1", "5X"])
def test_a_rate_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(http.RATE_VARIABLE, text)
    with pytest.raises(ConfigError, match=http.RATE_VARIABLE):
        http.rate()


def test_room_is_looked_at_before_anything_comes(serve: Serve) -> None:
    origin = serve({"a": b"a"})
    huge = wanted(origin, "a", size=10**18)
    with pytest.raises(DiskFullError, match=r"1000000000\.000 GB are to be written.*are missing.*TPRU_CACHE"):
        fetch_files([huge], "x")
    assert not origin.asked


def test_what_leads_outside_is_refused() -> None:
    for path in ("../x", "/x", "a/../../x", "", "a\\b", "a/.."):
        with pytest.raises(FetchError, match="leads outside"):
            cache.inside(path)
    assert cache.inside("a/b..c/.d") == "a/b..c/.d"


def _fetch(file: RemoteFile) -> None:
    fetch_files([file], "x")


def test_killed_in_the_middle_it_goes_on(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = serve({"a": DATA})
    file = wanted(origin, "a")
    monkeypatch.setenv(http.RATE_VARIABLE, "100K")
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=_fetch, args=(file,))
    child.start()
    part = part_of(file.cached)
    while not (part.exists() and part.stat().st_size):
        time.sleep(0.01)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    there = part.stat().st_size
    assert 0 < there < len(DATA)
    assert not file.cached.exists()
    monkeypatch.delenv(http.RATE_VARIABLE)
    assert fetch_files([file], "x") == len(DATA) - there
    assert file.cached.read_bytes() == DATA
    assert ranges(origin)[-1] == f"bytes={there}-"


def test_two_at_the_same_time_fetch_each_file_once(serve: Serve) -> None:
    origin = serve({f"f{k}": DATA for k in range(4)}, delay_s=0.1)
    files = [wanted(origin, name) for name in origin.files]
    fork = multiprocessing.get_context("fork")
    both = [fork.Process(target=fetch_files, args=(files, "x")) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [p.exitcode for p in both] == [0, 0]
    assert sorted(origin.data_gets()) == sorted(origin.files)
    assert {f.cached.read_bytes() for f in files} == {DATA}
    assert not list(cache.root().rglob("*.part"))


@given(faults=st.lists(st.sampled_from(["cut:0", "cut:1", "cut:40000", "corrupt", "status:500"]), max_size=5))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_goes_wrong_the_file_is_right(serve: Serve, faults: list[str]) -> None:
    """As many tries as there are faults: what comes is the file, and never anything else."""
    origin = serve({"a": DATA[:50000]}, faults={"a": list(faults)})
    file = wanted(origin, "a")
    file.cached.unlink(missing_ok=True)
    fetch_files([file], "x")
    assert file.cached.read_bytes() == DATA[:50000]


def test_a_view_holds_what_was_asked_for_and_nothing_else(serve: Serve, tmp_path: Path) -> None:
    origin = serve({"a": b"a", "d/b": b"b"})
    files = [wanted(origin, name) for name in origin.files]
    fetch_files(files, "x")
    both, one = cache.view(files), cache.view(files[:1])
    assert cache.view(files[::-1]) == both != one
    assert sorted(p.relative_to(both).as_posix() for p in both.rglob("*")) == ["a", "d", "d/b"]
    assert [p.name for p in one.rglob("*")] == ["a"]
    assert (both / "a").stat().st_ino == files[0].cached.stat().st_ino, "a second name, not a copy"
    with pytest.raises(FetchError, match="several files would be named 'a'"):
        cache.view([files[0], RemoteFile("a", files[1].store, "", 1, "")])
