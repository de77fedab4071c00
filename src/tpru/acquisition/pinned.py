"""The one table of known origins: where data are, at which revision, under which terms.

A revision stands here only where it was read from the repository itself; where none does, the configuration
must give one. Sizes are in GB, 0 where unknown.
"""

import re
from dataclasses import dataclass
from typing import Literal

from tpru.errors import ConfigError

# Licences that allow passing on and commercial use, by their SPDX names and those of the hub.
FREE = re.compile(
    r"(cc0-1\.0|cc-by(-sa)?-\d\.\d|apache-2\.0|mit|bsd-[23]-clause|isc|zlib|unlicense|odc-by(-1\.0)?|"
    r"odbl(-1\.0)?|pddl(-1\.0)?|cdla-permissive-[12]\.0)",
    re.IGNORECASE,
)
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Pinned:
    """An origin.

    Attributes:
        kind: a dataset of the Hugging Face hub, a repository of GitHub, or a public Google Cloud bucket.
        repo: its name; for a bucket ``bucket/folder``.
        revision: a commit, "" where none is known (a bucket has none: each file is checked by its MD5).
        files: patterns of the files that are of use (``*`` matches slashes, too).
        licence: what it says of itself.
        terms: the page with the terms.
        gated: whether an agreement must be signed there before files are given out.
        gigabytes: of the files, about.
    """

    kind: Literal["hub", "github", "bucket"]
    repo: str
    revision: str
    files: tuple[str, ...]
    licence: str
    terms: str
    gated: bool = False
    gigabytes: float = 0.0


ORIGINS: dict[str, Pinned] = {
    "screenagent": Pinned(
        "github",
        "niuzaisheng/ScreenAgent",
        "2312c852908dda5fbc43d903fad5929a9dec649d",
        ("data/ScreenAgent/train/*",),
        "Apache-2.0",
        "https://github.com/niuzaisheng/ScreenAgent#license",
        gigabytes=0.211,
    ),
    "aitz_example": Pinned(
        "github",
        "IMNearth/CoAT",
        "9ab1a9f0e76581c50c84f8ebc6ada1a2084a0c71",
        ("data-example/*",),
        "Apache-2.0 AND CC-BY-4.0",
        "https://github.com/IMNearth/CoAT",
        gigabytes=0.00015,
    ),
    # 25 episodes of BridgeData, their first ten steps: to try out, not to train on.
    "bridge_example": Pinned(
        "github",
        "octo-models/octo",
        "241fb3514b7c40957a86d869fecb7c7fc353f540",
        ("tests/debug_dataset/bridge_dataset/1.0.0/*",),
        "MIT AND CC-BY-4.0",
        "https://github.com/octo-models/octo/blob/main/LICENSE",
        gigabytes=0.0035,
    ),
    # 103 sets, 49 of which have eight or more steps, and the whole parts library (their parts alone: 27 MB).
    "ldraw": Pinned(
        "github",
        "gkjohnson/ldraw-parts-library",
        "1f24cac1821b9a86a5a84cd3a40291aad24679b3",
        ("models/*.mpd", "complete/ldraw/LDConfig.ldr", "complete/ldraw/CA*.txt", "complete/ldraw/p*/*.dat"),
        "CC-BY-2.0",
        "https://www.ldraw.org/legal-info",
    ),
    "gui_odyssey": Pinned(
        "hub",
        "OpenGVLab/GUI-Odyssey",
        "",
        ("annotations/*", "screenshots/*", "splits/*"),
        "CC-BY-4.0",
        "https://huggingface.co/datasets/OpenGVLab/GUI-Odyssey",
        gigabytes=171.0,
    ),
    "android_control": Pinned(
        "bucket",
        "gresearch/android_control",
        "",
        ("android_control-*", "splits.json"),
        "CC-BY-4.0",
        "https://github.com/google-research/google-research/tree/master/android_control",
        gigabytes=47.0,
    ),
    "aitw": Pinned(
        "bucket",
        "gresearch/android-in-the-wild",
        "",
        ("*",),
        "CC-BY-4.0",
        "https://github.com/google-research/google-research/tree/master/android_in_the_wild",
    ),
}


def pinned(name: str, revision: str) -> Pinned:
    """A known origin at its revision, or at the given one.

    Raises:
        ConfigError: there is none of this name, or no commit is known or given.
    """
    if name not in ORIGINS:
        raise ConfigError(
            f"origin {name!r} is not known; known are {sorted(ORIGINS)}. For others see fetch=hub, github, "
            "bucket and urls (docs/fetching.md)"
        )
    known = ORIGINS[name]
    if known.kind != "bucket" and (revision or not known.revision):
        require_commit(known.kind, known.repo, revision)
    return Pinned(**{**vars(known), "revision": revision or known.revision})


def require_commit(kind: str, repo: str, revision: str) -> None:
    """Refuse a revision that is no commit: a branch holds something else tomorrow.

    Raises:
        ConfigError: it says how to find the commit.
    """
    if COMMIT.fullmatch(revision):
        return
    find = f"git ls-remote https://github.com/{repo} HEAD"
    if kind == "hub":
        find = f"python -c 'from huggingface_hub import HfApi; print(HfApi().dataset_info(\"{repo}\").sha)'"
    raise ConfigError(
        f"revision {revision!r} of {repo} is no commit of 40 hex digits, and a branch or tag may change "
        f"under the same name. Look it up once and write it down: {find}"
    )


def restricts(licence: str) -> bool:
    """Whether a licence is not known to allow passing on and commercial use."""
    return not all(FREE.fullmatch(part.strip()) for part in licence.split(" AND "))


def check_accepted(key: str, licence: str, terms: str, gated: bool, accepted: str) -> None:
    """Refuse data whose terms have to be accepted and were not; ``key`` is where they are configured.

    Raises:
        ConfigError: with the terms, their page and the value to write.
    """
    licence = licence.strip() or "none stated"
    if not (restricts(licence) or gated) or accepted.lower() == licence.lower():
        return
    agreement = " An agreement has to be signed on that page, too." if gated else ""
    raise ConfigError(
        f"the data of {key} are under the terms {licence!r}, which are not known to allow passing "
        f"them on and using them commercially. Read them{f' at {terms}' if terms else ''}.{agreement} To go "
        f'on under these terms write {key}.fetch.accept_licence="{licence}"'
        + (f" (it is {accepted!r})" if accepted else "")
    )
