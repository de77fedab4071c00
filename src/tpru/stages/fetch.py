"""Data of a source or a benchmark from their origin -> the cache, and ``files.json`` that says which.

    python -m tpru.stages.fetch experiment=fetched_sample unit=fetch/desktop

The data stay in the cache (``$TPRU_CACHE``), which all experiments share; ``data`` leads to exactly the files
that this unit asked for. Only what it needs is fetched, and what is there is not fetched again. Where it
broke off, the same command goes on.
"""

import tempfile
from pathlib import Path

from pydantic import TypeAdapter

from tpru.acquisition import archives, cache, hub, offers
from tpru.acquisition.choose import needed
from tpru.acquisition.offers import Offer
from tpru.acquisition.pinned import check_accepted, pinned
from tpru.config.schema import Fetch, Source, UrlsFetch
from tpru.errors import EmptySourceError
from tpru.files import write_json, written_whole
from tpru.run import Run, say, stage


def offered(fetch: Fetch) -> Offer:
    """What the configured origin offers.

    Raises:
        ConfigError: the origin is not known, its revision is no commit, or the list is malformed.
        FetchError: it is not there, or closed to this user.
    """
    if isinstance(fetch, UrlsFetch):
        return offers.urls(fetch.list)
    at = pinned(fetch.origin, fetch.revision) if fetch.kind == "pinned" else fetch
    if at.kind == "hub":
        return hub.offer(at.repo, at.revision, at.files)
    if at.kind == "github":
        return offers.github(at.repo, at.revision, at.files)
    return offers.bucket(at.repo, at.files)


def settle(
    source: Source | None, offer: Offer, name: str, unpack: bool
) -> tuple[list[cache.RemoteFile], int]:
    """Fetch what the source needs (without one: all); return the files and the bytes that came.

    Raises:
        FetchError: a file cannot be had.
        DiskFullError: there is too little room.
        ManifestError: metadata at the origin are malformed.
    """
    files = {file.path: file for file in offer.files}
    if not files:
        raise EmptySourceError(f"the origin of {name} has no file that matches; correct fetch.files")
    came, there = 0, set[str]()
    with tempfile.TemporaryDirectory(prefix="tpru-fetch-") as folder:
        # What is in an archive shows only when it is there.
        while new := sorted(
            (set(files) if unpack or not source else needed(source, list(files), Path(folder))) - there
        ):
            wanted = [files[path] for path in new]
            size = sum(max(f.size, 0) for f in wanted)
            say(f"{len(new)} file(s) of {name} needed, {size / 1e6:,.1f} MB")
            came += offer.bring(wanted, name)
            for file in wanted:
                place = Path(folder) / file.path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(file.cached)
            there |= set(new)
    return [files[path] for path in sorted(there)], came


@stage("fetch")
def main(run: Run) -> None:
    name = run.unit.split("/")[1]
    source: Source | None = None
    if "source" in run.config:
        source = TypeAdapter(Source).validate_python({**run.config["source"], "extract": {}, "shards": 1})
    given = run.config["source" if source else "benchmark"]
    fetch: Fetch = TypeAdapter(Fetch).validate_python(given["fetch"])
    offer = offered(fetch)
    if fetch.kind == "hub":
        # It says of itself under which terms it is; what is known without asking was checked before.
        key = f"{'sources' if source else 'benchmarks'}.{name}"
        licence = offer.licence or given["licence"]
        check_accepted(key, licence, offer.terms, offer.gated, fetch.accept_licence)
    unpack = fetch.kind != "pinned" and fetch.unpack
    files, came = settle(source, offer, name, unpack)
    rows = []
    for file in files:
        check = file.check or cache.digest("", file.cached)
        if isinstance(fetch, UrlsFetch):
            offers.record(file, check)
        rows.append({"path": file.path, "bytes": file.cached.stat().st_size, "check": check, "url": file.url})
    if unpack:
        files = [inner for file in files for inner in archives.unpacked(file)]
    folder = cache.view(files)
    write_json(run.output("files.json"), rows)
    # No output: the checksums of the files are known, and hashing gigabytes again would tell nothing.
    with written_whole(run.folder / "data") as temporary:
        temporary.symlink_to(folder)
    size = sum(file.cached.stat().st_size for file in files)
    run.metrics = {"files": len(files), "bytes": size, "bytes_fetched": came}
    run.facts = {"folder": folder.relative_to(cache.root()).as_posix(), "terms": offer.terms}
    say(f"{len(files)} files, {size / 1e6:,.1f} MB, of which {came / 1e6:,.1f} MB came now: {folder}")


if __name__ == "__main__":
    main()
