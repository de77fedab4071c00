"""Datasets of the Hugging Face hub at a pinned commit.

The hub's own library lists files with their sizes and checksums and finds the token. The bytes come by
:mod:`tpru.acquisition.http` like those of every other origin: it limits the rate, shows one progress bar,
and verifies what came, which the library does not.
"""

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from tpru.acquisition.cache import RemoteFile, inside, root
from tpru.acquisition.offers import Offer
from tpru.acquisition.pinned import require_commit
from tpru.errors import FetchError
from tpru.files import read_json, write_json


def offer(repo: str, revision: str, patterns: Sequence[str]) -> Offer:
    """What a dataset offers at a commit. Its terms are the caller's to check (``pinned.check_accepted``).

    Raises:
        ConfigError: the revision is no commit.
        FetchError: it is not there, or closed to this user.
    """
    from huggingface_hub import constants, get_token, hf_hub_url

    require_commit("hub", repo, revision)
    listed = _listing(repo, revision)
    endpoint, token = _endpoint(), get_token()
    page = f"{endpoint}/datasets/{repo}"
    files = tuple(
        RemoteFile(
            path,
            f"hub/datasets/{repo}/{revision}/{path}",
            hf_hub_url(repo, path, repo_type="dataset", revision=revision, endpoint=endpoint),
            size,
            check,
        )
        for path, size, check in listed["files"]
        if any(fnmatchcase(inside(path), pattern) for pattern in patterns)
    )
    return Offer(
        files,
        licence=listed["licence"],
        terms=page,
        gated=listed["gated"],
        headers={"Authorization": f"Bearer {token}"} if token else {},
        closed=_closed(page),
        offline="HF_HUB_OFFLINE=1 is set" if constants.HF_HUB_OFFLINE else "",
    )


def _endpoint() -> str:
    from huggingface_hub import constants

    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or constants.ENDPOINT


def _closed(page: str) -> str:
    return (
        f"visit {page}, accept its terms there with your account, make a token at "
        f"{_endpoint()}/settings/tokens and export it as HF_TOKEN"
    )


def _listing(repo: str, revision: str) -> dict[str, Any]:
    """Files, licence and whether it is gated; a commit never changes, so that the cache may keep it."""
    path = root() / f"hub/datasets/{repo}/{revision}.json"
    if path.exists():
        kept: dict[str, Any] = read_json(path)
        return kept
    listed = _ask(repo, revision)
    write_json(path, listed)
    return listed


def _ask(repo: str, revision: str) -> dict[str, Any]:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.hf_api import RepoFile

    api = HfApi(endpoint=_endpoint())
    page = f"{_endpoint()}/datasets/{repo}"
    try:
        info = api.dataset_info(repo, revision=revision)
        tree = api.list_repo_tree(repo, revision=revision, repo_type="dataset", recursive=True)
        files = sorted((f.path, f.size, _check(f)) for f in tree if isinstance(f, RepoFile))
    except GatedRepoError as error:
        raise FetchError(f"{page} is closed: {_closed(page)}") from error
    except RepositoryNotFoundError as error:
        raise FetchError(
            f"{page} does not exist or is private: correct the name, or {_closed(page)}"
        ) from error
    except RevisionNotFoundError as error:
        raise FetchError(f"{page} has no commit {revision}: see {page}/commits/main") from error
    except Exception as error:  # the hub client raises many kinds; all mean the same to the user
        offline = os.environ.get("HF_HUB_OFFLINE", "0")
        raise FetchError(
            f"{page} at {revision} is not in the cache {root()} and cannot be reached "
            f"(HF_HUB_OFFLINE={offline}): {error}. Fetch it on a machine with network"
        ) from error
    card: Any = info.card_data or {}
    licence = card.get("license") or ""
    return {
        "licence": " AND ".join(licence) if isinstance(licence, list) else str(licence),
        "gated": bool(info.gated),
        "files": files,
    }


def _check(file: Any) -> str:
    return f"sha256:{file.lfs.sha256}" if file.lfs else f"git:{file.blob_id}"
