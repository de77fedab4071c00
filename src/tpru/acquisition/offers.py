"""What an origin offers: GitHub repositories at a commit, public buckets, and lists of URLs.

All become a list of files with sizes and checksums, so that choosing, fetching and verifying are one thing.
The hub is in :mod:`tpru.acquisition.hub`.
"""

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import urllib3

from tpru.acquisition.cache import RemoteFile, inside, root
from tpru.acquisition.http import REDIRECTS, TIMEOUT, fetch_files, workers
from tpru.errors import ConfigError, FetchError
from tpru.files import read_json, short_hash, write_json, write_text
from tpru.web import TRY_AGAIN, pool

GITHUB, GITHUB_RAW = "https://api.github.com", "https://raw.githubusercontent.com"
BUCKETS = "https://storage.googleapis.com"
RETRIES = REDIRECTS.new(status=5, connect=5, read=5, status_forcelist=TRY_AGAIN, backoff_factor=1.0)
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Offer:
    """The files of an origin and its terms; ``closed`` and ``offline`` say what to do where it is so."""

    files: tuple[RemoteFile, ...]
    licence: str = ""
    terms: str = ""
    gated: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    closed: str = ""
    offline: str = ""

    def bring(self, files: Sequence[RemoteFile], what: str) -> int:
        """Bring files of this origin to the cache; return how many bytes came.

        Raises:
            FetchError: a file cannot be had.
            DiskFullError: there is too little room.
        """
        missing = [f for f in files if not f.cached.exists()]
        if missing and self.offline:
            raise FetchError(
                f"{len(missing)} of {len(files)} files of {what} are not in the cache {root()} "
                f"({missing[0].path} is one) and {self.offline}: fetch them where there is network"
            )
        return fetch_files(missing, f"fetch {what}", self.headers, self.closed)


def github(repo: str, commit: str, patterns: Sequence[str]) -> Offer:
    """Files of a GitHub repository at a commit; each is checked by the name that git gives it.

    Raises:
        FetchError: it is not there or too large to be listed.
    """
    token = os.environ.get("GITHUB_TOKEN", "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    closed = "it is private, or too much was asked in an hour: export a token as GITHUB_TOKEN"
    kept = root() / f"github/{repo}/{commit}.json"
    if not kept.exists():
        url = f"{GITHUB}/repos/{repo}/git/trees/{commit}?recursive=1"
        tree = _json(url, headers, closed)
        if tree.get("truncated"):
            raise FetchError(f"{repo} has too many files for {url}: clone it and give its folder as `path`")
        # Kind 160000 is another repository, 120000 a link.
        blobs = [b for b in tree["tree"] if b["type"] == "blob" and b["mode"] != "120000"]
        write_json(kept, sorted((b["path"], b["size"], f"git:{b['sha']}") for b in blobs))
    files = tuple(
        RemoteFile(
            path, f"github/{repo}/{commit}/{path}", f"{GITHUB_RAW}/{repo}/{commit}/{quote(path)}", size, check
        )
        for path, size, check in read_json(kept)
        if any(fnmatchcase(inside(path), pattern) for pattern in patterns)
    )
    return Offer(files, terms=f"https://github.com/{repo}", headers=headers, closed=closed)


def bucket(place: str, patterns: Sequence[str]) -> Offer:
    """Files below ``bucket/folder`` of a public Google Cloud bucket, each at the generation first listed.

    A bucket has no commits: the first listing stays in the cache, and what differs from it is refused.

    Raises:
        FetchError: it is not there or not public.
    """
    name, _, folder = place.strip("/").partition("/")
    kept = root() / f"bucket/{place.strip('/')}.json"
    if not kept.exists():
        rows: list[tuple[str, int, str, str]] = []
        query = {
            "prefix": f"{folder}/" if folder else "",
            "fields": "nextPageToken,items(name,size,md5Hash,generation)",
        }
        while True:
            page = _json(f"{BUCKETS}/storage/v1/b/{quote(name)}/o?{urlencode(query)}", {}, "it is not public")
            for item in page.get("items", []):
                md5 = base64.b64decode(item["md5Hash"]).hex() if "md5Hash" in item else ""
                rows.append(
                    (item["name"], int(item["size"]), f"md5:{md5}" if md5 else "", item["generation"])
                )
            if "nextPageToken" not in page:
                break
            query["pageToken"] = page["nextPageToken"]
        write_json(kept, sorted(row for row in rows if not row[0].endswith("/")))
    files = []
    for path, size, check, generation in read_json(kept):
        short = inside(path.removeprefix(f"{folder}/"))
        if any(fnmatchcase(short, pattern) for pattern in patterns):
            url = f"{BUCKETS}/{quote(name)}/{quote(path)}?generation={generation}"
            files.append(RemoteFile(short, f"bucket/{name}/{generation}/{path}", url, size, check))
    return Offer(tuple(files), terms=f"{BUCKETS}/{place}")


def urls(listed: str | Sequence[str]) -> Offer:
    """Files of a list of ``url [sha256] [name]``, one a line, blanks or commas between; ``#`` is a remark.

    A checksum that the list does not give is that of the first fetch, which the cache keeps.

    Raises:
        ConfigError: the list is not there or empty, or a line is malformed.
    """
    rows = _rows(listed)
    found = []
    for url, check, name in rows:
        folder = f"urls/{short_hash(url)}"
        recorded = root() / folder / "checksum"
        known = recorded.read_text(encoding="utf-8").strip() if recorded.exists() else ""
        if check and known and check != known:
            raise ConfigError(
                f"the list says {check} for {url}, but {known} was fetched from there before; correct the "
                f"list, or delete {recorded.parent} to fetch it anew"
            )
        found.append(RemoteFile(inside(name), f"{folder}/{name}", url, -1, check or known))
    with ThreadPoolExecutor(max_workers=workers()) as threads:
        return Offer(tuple(threads.map(_sized, found)))


def record(file: RemoteFile, check: str) -> None:
    """Keep the checksum of a file of a list: later fetches must match it."""
    write_text(file.cached.with_name("checksum"), f"{check}\n")


def _rows(listed: str | Sequence[str]) -> list[tuple[str, str, str]]:
    lines = list(listed) if not isinstance(listed, str) else _lines(Path(listed))
    rows: list[tuple[str, str, str]] = []
    for number, line in enumerate(lines, 1):
        words = re.split(r"[\s,;]+", line.split(" #")[0].strip().strip('"'))
        if not words[0] or words[0].startswith("#") or words[0].lower() == "url":
            continue
        url, *rest = words
        sums = [word.lower() for word in rest if SHA256.fullmatch(word.lower())]
        names = [word for word in rest if not SHA256.fullmatch(word.lower())]
        name = names[0] if names else unquote(urlsplit(url).path.rsplit("/", 1)[-1])
        if urlsplit(url).scheme not in ("http", "https") or not name or len(names) > 1 or len(sums) > 1:
            raise ConfigError(
                f"line {number} of the list of URLs is {line.strip()!r}; expected `url [sha256] [name]`, "
                "with a name where the address ends in none"
            )
        rows.append((url, f"sha256:{sums[0]}" if sums else "", name))
    if not rows:
        raise ConfigError(
            f"the list of URLs {listed!r} is empty; expected a line `url [sha256] [name]` for each file"
        )
    return rows


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the list of URLs {path} cannot be read ({error}); correct fetch.list") from error


def _sized(file: RemoteFile) -> RemoteFile:
    """With its size, where the server tells; what is wrong with the address is said when it is fetched."""
    if file.cached.exists():
        return file
    try:
        asked = {"Accept-Encoding": "identity", "User-Agent": "tpru"}
        done = pool(file.url).request("HEAD", file.url, headers=asked, retries=REDIRECTS, timeout=TIMEOUT)
    except urllib3.exceptions.HTTPError:
        return file
    size = done.headers.get("Content-Length", "")
    known = int(size) if done.status == 200 and size.isdigit() else -1
    return RemoteFile(file.path, file.store, file.url, known, file.check)


def _json(url: str, headers: Mapping[str, str], closed: str) -> Any:
    try:
        answer = pool(url).request(
            "GET", url, headers={**headers, "User-Agent": "tpru"}, retries=RETRIES, timeout=TIMEOUT
        )
    except urllib3.exceptions.HTTPError as error:
        raise FetchError(f"{url} cannot be reached ({error}): fetch on a machine with network") from error
    if answer.status != 200:
        hint = closed if answer.status in (401, 403, 429) else "correct its name and revision"
        raise FetchError(f"{url} answers with status {answer.status}: {hint}")
    try:
        return json.loads(answer.data)
    except ValueError as error:
        raise FetchError(f"{url} answers with something else than JSON ({error})") from error
