"""Origins: the hub through its own library, GitHub, buckets and lists of URLs; terms; archives."""

import hashlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.unit.fake_origin import COMMIT, REPO, Origin, serve, url
from tpru.acquisition import archives, cache, hub, offers, pinned
from tpru.acquisition.cache import RemoteFile
from tpru.errors import ConfigError, CorruptMediaError, FetchError

__all__ = ["serve"]
Serve = Callable[..., Origin]
FILES = {"meta/info.json": b"{}", "data/a b.bin": b"a" * 100_000, "README.md": b"# x"}


def fetch(repo: str, revision: str, patterns: Sequence[str] = ("*",)) -> Path:
    """A folder with the files of a dataset that match, as the stage brings them."""
    found = hub.offer(repo, revision, patterns)
    found.bring(found.files, repo)
    return cache.view(found.files)


@pytest.mark.parametrize("lfs", [True, False], ids=["large files", "files in git"])
def test_a_dataset_of_the_hub_at_a_commit(serve: Serve, lfs: bool) -> None:
    origin = serve(FILES, lfs=lfs)
    folder = fetch(REPO, COMMIT)
    assert {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    } == FILES
    asked = len(origin.asked)
    assert fetch(REPO, COMMIT) == folder
    assert len(origin.asked) == asked, "a commit never changes: nothing is asked again"


def test_of_a_dataset_only_what_is_wanted(serve: Serve) -> None:
    origin = serve(FILES)
    folder = fetch(REPO, COMMIT, ["meta/*"])
    assert [p.name for p in folder.rglob("*") if p.is_file()] == ["info.json"]
    assert origin.data_gets() == ["meta/info.json"]


def test_what_the_hub_sends_is_held_against_its_checksum(serve: Serve) -> None:
    for lfs in (True, False):
        origin = serve(FILES, lfs=lfs, faults={"data/a b.bin": ["corrupt", "cut:5"]})
        listed = fetch(REPO, COMMIT)
        assert (listed / "data/a b.bin").read_bytes() == FILES["data/a b.bin"]
        assert origin.data_gets().count("data/a b.bin") == 3
        for path in sorted(cache.root().rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()


@pytest.mark.parametrize("revision", ["main", "v1.0", "", COMMIT[:8], COMMIT.upper()])
def test_a_branch_is_refused_with_the_way_to_its_commit(revision: str) -> None:
    with pytest.raises(ConfigError, match=r"40 hex digits.*HfApi\(\)\.dataset_info"):
        fetch(REPO, revision)
    with pytest.raises(ConfigError, match=r"git ls-remote https://github.com/a/b HEAD"):
        pinned.require_commit("github", "a/b", revision)


def test_a_gated_dataset_gives_the_page_and_the_variable(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = serve(FILES, gated=True, token="hf_secret")
    assert hub.offer(REPO, COMMIT, ["*"]).gated
    page = f"visit {origin.url}/datasets/{REPO}, accept its terms.*HF_TOKEN"
    with pytest.raises(FetchError, match=page):
        fetch(REPO, COMMIT)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert fetch(REPO, COMMIT).exists()


def test_a_dataset_or_commit_that_is_not_there_is_named(serve: Serve) -> None:
    origin = serve(FILES)
    with pytest.raises(FetchError, match="nobody/nothing does not exist or is private"):
        fetch("nobody/nothing", COMMIT)
    with pytest.raises(
        FetchError, match=f"has no commit {'f' * 40}: see {origin.url}/datasets/{REPO}/commits"
    ):
        fetch(REPO, "f" * 40)


def test_offline_what_is_missing_is_said(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = serve(FILES)
    fetch(REPO, COMMIT, ["meta/*"])
    asked = len(origin.asked)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fetch(REPO, COMMIT, ["meta/*"]).exists()
    with pytest.raises(
        FetchError, match=r"2 of 3 files of .* are not in the cache .* HF_HUB_OFFLINE=1 is set"
    ):
        fetch(REPO, COMMIT)
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch(REPO, "e" * 40)
    assert len(origin.asked) == asked


def test_a_repository_of_github_at_a_commit(serve: Serve) -> None:
    origin = serve(FILES, faults={"data/a b.bin": ["corrupt"]})
    offer = offers.github(REPO, COMMIT, ["data/*"])
    assert [f.path for f in offer.files] == ["data/a b.bin"]
    offer.bring(offer.files, "x")
    assert offer.files[0].cached.read_bytes() == FILES["data/a b.bin"]
    assert origin.data_gets() == ["data/a b.bin"] * 2


def test_a_folder_of_a_bucket_stays_what_it_was_first(serve: Serve) -> None:
    origin = serve(FILES, faults={"data/a b.bin": ["corrupt"]})
    offer = offers.bucket("bucket/robots/1.0", ["*"])
    assert [f.path for f in offer.files] == sorted(FILES)
    offer.bring(offer.files, "x")
    assert {f.path: f.cached.read_bytes() for f in offer.files} == FILES
    assert all(
        "generation=17" in p for m, p, _ in origin.asked if "robots" in p and m == "GET" and "/o?" not in p
    )
    origin.files = {}
    assert offers.bucket("bucket/robots/1.0", ["*"]).files == offer.files


def test_an_origin_that_is_not_there_is_named(serve: Serve) -> None:
    serve(FILES)
    with pytest.raises(FetchError, match=r"nobody/nothing/git/trees.* answers with status 404"):
        offers.github("nobody/nothing", COMMIT, ["*"])
    with pytest.raises(FetchError, match=r"b/nothing/o.* answers with status 404"):
        offers.bucket("nothing/x", ["*"])


def test_a_list_of_urls(serve: Serve, tmp_path: Path) -> None:
    origin = serve({"a b.mp4": b"a", "c.mp4": b"c", "download": b"d"})
    sha = hashlib.sha256(b"c").hexdigest()
    path = tmp_path / "list.csv"
    path.write_text(
        f"url,sha256,name\n# a remark\n\n{url(origin, 'a b.mp4')}\n{url(origin, 'c.mp4')}, {sha.upper()}\n"
        f"{url(origin, 'download')}?id=7,,d.mp4\n"
    )
    offer = offers.urls(str(path))
    assert [(f.path, f.size) for f in offer.files] == [("a b.mp4", 1), ("c.mp4", 1), ("d.mp4", 1)]
    assert offer.files[1].check == f"sha256:{sha}"
    offer.bring(offer.files, "x")
    assert offers.urls(path.read_text().splitlines()[3:]).files[0].store == offer.files[0].store


def test_the_first_fetch_of_a_url_decides_what_it_is(serve: Serve) -> None:
    origin = serve({"a.mp4": b"first"})
    first = offers.urls([url(origin, "a.mp4")])
    first.bring(first.files, "x")
    offers.record(first.files[0], cache.digest("", first.files[0].cached))
    first.files[0].cached.unlink()
    origin.files["a.mp4"] = b"other"
    again = offers.urls([url(origin, "a.mp4")])
    with pytest.raises(FetchError, match="corrupt"):
        again.bring(again.files, "x")
    with pytest.raises(ConfigError, match="was fetched from there before"):
        offers.urls([f"{url(origin, 'a.mp4')} {'0' * 64}"])


@pytest.mark.parametrize(
    "line", ["ftp://x/a", "a.mp4", "http://x/", "http://x/a b c", f"http://x/a {'0' * 64} {'1' * 64}"]
)
def test_a_line_that_is_no_url_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match=r"line 1 of the list of URLs"):
        offers.urls([line])


def test_a_list_that_is_not_there_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.txt cannot be read"):
        offers.urls(str(tmp_path / "nothing.txt"))
    with pytest.raises(ConfigError, match="is empty"):
        offers.urls(["# nothing"])


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("CC-BY-4.0", True), ("cc-by-sa-4.0", True), ("Apache-2.0 AND CC-BY-4.0", True), ("MIT", True),
        ("CC-BY-NC-4.0", False), ("MIT AND cc-by-nc-sa-4.0", False), ("other", False), ("", False),
        ("all rights reserved", False), ("cc-by-nd-4.0", False),
    ],
)  # fmt: skip
def test_what_allows_everything_needs_no_word(licence: str, free: bool) -> None:
    assert pinned.restricts(licence) is not free
    value = licence or "none stated"
    pinned.check_accepted("sources.x", licence, "https://terms", False, value)
    for wrong in ("", "yes") if not free else ():
        written = f'sources.x.fetch.accept_licence="{value}"'
        with pytest.raises(ConfigError, match=f"Read them at https://terms.*{written}"):
            pinned.check_accepted("sources.x", licence, "https://terms", False, wrong)


def test_an_agreement_must_be_accepted_too() -> None:
    pinned.check_accepted("sources.x", "MIT", "https://terms", False, "")
    with pytest.raises(ConfigError, match="An agreement has to be signed"):
        pinned.check_accepted("sources.x", "MIT", "https://terms", True, "")
    pinned.check_accepted("sources.x", "MIT", "https://terms", True, "MIT")


def test_the_table_holds_commits_and_pages_only() -> None:
    for name, known in pinned.ORIGINS.items():
        assert known.terms.startswith("https://"), name
        assert not known.revision or pinned.COMMIT.fullmatch(known.revision), name
        assert known.revision or known.kind != "github", name
    assert pinned.pinned("screenagent", "").revision.startswith("2312c852")
    assert pinned.pinned("screenagent", COMMIT).revision == COMMIT
    with pytest.raises(ConfigError, match="is no commit"):
        pinned.pinned("gui_odyssey", "")
    with pytest.raises(ConfigError, match="is no commit"):
        pinned.pinned("screenagent", "main")
    with pytest.raises(ConfigError, match="is not known; known are"):
        pinned.pinned("nothing", "")


def archive(name: str, members: dict[str, bytes], root: Path) -> RemoteFile:
    path = root / "a" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as made:
            for member, data in members.items():
                made.writestr(member, data)
    else:
        with tarfile.open(path, "w:gz") as made_tar:
            for member, data in members.items():
                entry = tarfile.TarInfo(member)
                entry.size = len(data)
                made_tar.addfile(entry, io.BytesIO(data))
    return RemoteFile(f"set/{name}", f"a/{name}", "http://x", path.stat().st_size, "sha256:0")


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_an_archive_becomes_its_files(name: str, serve: Serve) -> None:
    file = archive(name, {"e1/1.png": b"1", "e1/2.png": b"22"}, cache.root())
    files = archives.unpacked(file)
    assert [(f.path, f.size, f.cached.read_bytes()) for f in files] == [
        ("set/e1/1.png", 1, b"1"),
        ("set/e1/2.png", 2, b"22"),
    ]
    assert archives.unpacked(file) == files
    plain = RemoteFile("b.mp4", "b.mp4", "http://x", 1, "")
    assert archives.unpacked(plain) == [plain]


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
@pytest.mark.parametrize("member", ["../out", "/out", "a/../../out"])
def test_an_archive_that_leads_outside_leaves_nothing(name: str, member: str, serve: Serve) -> None:
    file = archive(name, {"good": b"1", member: b"2"}, cache.root())
    with pytest.raises(FetchError, match="leads outside"):
        archives.unpacked(file)
    assert not [p for p in cache.root().rglob("*") if p.name in ("good", "out")]


def test_links_in_archives_are_refused(serve: Serve) -> None:
    root = cache.root() / "a"
    root.mkdir(parents=True)
    with tarfile.open(root / "x.tar", "w") as made:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(entry)
    with zipfile.ZipFile(root / "x.zip", "w") as made_zip:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        made_zip.writestr(info, "/etc/passwd")
    for name in ("x.tar", "x.zip"):
        with pytest.raises(FetchError, match="a link or a device"):
            archives.unpacked(RemoteFile(name, f"a/{name}", "http://x", 1, ""))


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_a_damaged_archive_is_named(name: str, serve: Serve) -> None:
    file = archive(name, {"a": bytes(range(256)) * 40}, cache.root())
    data = bytearray(file.cached.read_bytes())
    middle = len(data) // 2
    file.cached.write_bytes(bytes(data[:middle]))
    with pytest.raises(CorruptMediaError, match=f"set/{name} from http://x is damaged"):
        archives.unpacked(file)
