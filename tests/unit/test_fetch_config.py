"""Where data come from, in the configuration: what can be refused before anything is asked."""

import re
from pathlib import Path

import pytest

from tests.unit.fake_origin import COMMIT
from tpru.config.compose import CONF, compose, leaves, unit_config, unit_names
from tpru.errors import ConfigError

LEROBOT = "+source@sources.arm=lerobot"
KEYS = ["sources.arm.path=.", "sources.arm.licence=MIT"]
HUB = ["+fetch@sources.arm.fetch=hub", "sources.arm.fetch.repo=a/b", f"sources.arm.fetch.revision='{COMMIT}'"]
SCREENAGENT = ["+source@sources.arm=screenagent", "sources.arm.path=data", "+fetch@sources.arm.fetch=pinned"]


def test_a_fetched_source_has_one_more_unit() -> None:
    without, fetched = compose("demo", [LEROBOT, *KEYS]), compose("demo", [LEROBOT, *KEYS, *HUB])
    assert set(unit_names(fetched)) - set(unit_names(without)) == {"fetch/arm"}
    assert unit_names(fetched)[0] == "fetch/arm"
    assert unit_config(fetched, "fetch/arm")["source"]["fetch"]["repo"] == "a/b"
    # What is fetched is an input of the download, not a value of it: a local folder stays as it was.
    assert "fetched" not in unit_config(without, "download/arm")
    assert unit_config(fetched, "download/arm")["fetched"]
    assert "fetch" not in unit_config(fetched, "download/arm")["source"]


@pytest.mark.parametrize(
    "change",
    ["sources.arm.max_episodes=3", "sources.arm.camera=x", f"sources.arm.fetch.revision='{'a' * 40}'"],
)
def test_what_is_fetched_depends_on_what_the_source_reads(change: str) -> None:
    before, after = (compose("demo", [LEROBOT, *KEYS, *HUB, *more]) for more in ([], [change]))
    assert leaves(unit_config(before, "fetch/arm")) != leaves(unit_config(after, "fetch/arm"))


def test_what_is_fetched_depends_on_nothing_else() -> None:
    others = ["sources.arm.shards=3", "+sources.arm.extract.stride=1", "seed=3"]
    before, after = (compose("demo", [LEROBOT, *KEYS, *HUB, *more]) for more in ([], others))
    assert leaves(unit_config(before, "fetch/arm")) == leaves(unit_config(after, "fetch/arm"))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ([LEROBOT, *KEYS, *HUB, "sources.arm.fetch.revision=main"], "sources.arm.fetch.*'main'.*40 hex digits.*HfApi"),
        ([LEROBOT, *KEYS, *HUB[:2]], r"full_key: sources\.arm\.fetch\.revision"),
        ([LEROBOT, *KEYS, *HUB, "sources.arm.path=/data"], r"sources\.arm\.path \('/data'\) must be relative"),
        ([LEROBOT, *KEYS, *HUB, "sources.arm.path=../data"], r"must be relative to what is fetched"),
        ([LEROBOT, *KEYS, *HUB, "sources.arm.fetch.repo='a b'"], r"  sources\.arm\.fetch\.repo: "),
        ([*SCREENAGENT, "sources.arm.fetch.origin=nothing"], r"sources\.arm\.fetch: origin 'nothing' is not known"),
        (["+fetch@sources.robot.fetch=pinned", "sources.robot.fetch.origin=screenagent"], "has nothing to fetch"),
        (
            ["+source@sources.arm=gui_odyssey", "sources.arm.path=.", SCREENAGENT[2], "sources.arm.fetch.origin=gui_odyssey"],
            "revision '' of OpenGVLab/GUI-Odyssey is no commit",
        ),
    ],
)  # fmt: skip
def test_refused(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        compose("demo", overrides)


MUIR = ["+benchmark@benchmarks.muir=muirbench", "benchmarks.muir.path=data"]
MUIR_HUB = [change.replace("sources.arm", "benchmarks.muir") for change in HUB]


def test_files_of_a_benchmark_are_fetched_too() -> None:
    own, fetched = compose("demo", MUIR), compose("demo", [*MUIR, *MUIR_HUB])
    assert set(unit_names(fetched)) - set(unit_names(own)) == {"fetch/muir"}
    assert set(unit_config(fetched, "fetch/muir")["benchmark"]) == {"licence", "fetch"}
    before, after = (unit_config(config, "benchmark/muir") for config in (own, fetched))
    assert after.pop("fetched")
    assert before == after
    other = compose("demo", [*MUIR, *MUIR_HUB, "benchmarks.muir.max_items=9"])
    assert unit_config(other, "fetch/muir") == unit_config(fetched, "fetch/muir")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ([*MUIR, *MUIR_HUB, "benchmarks.muir.path=/data"], r"benchmarks\.muir\.path \('/data'\) must be relative"),
        ([*MUIR, *MUIR_HUB, "benchmarks.muir.fetch.revision=main"], r"benchmarks\.muir\.fetch.*40 hex digits"),
        (
            [*MUIR, "+fetch@benchmarks.muir.fetch=urls", "benchmarks.muir.fetch.list=[http://x/a]", "benchmarks.muir.licence=mine"],
            r'write benchmarks\.muir\.fetch\.accept_licence="mine"',
        ),
        (
            [LEROBOT.replace("arm", "muir"), *(k.replace("arm", "muir") for k in KEYS), *MUIR, *MUIR_HUB],
            "a source has this name, too",
        ),
    ],
)  # fmt: skip
def test_a_benchmark_is_refused_like_a_source(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        compose("demo", overrides)


def test_terms_must_be_accepted_in_the_very_words() -> None:
    videos = [
        "+source@sources.builds=videos",
        "sources.builds.path=.",
        "sources.builds.licence='all rights reserved'",
    ]
    videos += ["+fetch@sources.builds.fetch=urls", "sources.builds.fetch.list=[http://x/a.mp4]"]
    with pytest.raises(ConfigError, match="under the terms 'all rights reserved'") as refused:
        compose("demo", videos)
    written = re.search(r'write (sources\.builds\.fetch\.accept_licence)="(.*?)"', str(refused.value))
    assert written
    compose("demo", [*videos, f"{written[1]}='{written[2]}'"])
    with pytest.raises(ConfigError, match="it is 'yes'"):
        compose("demo", [*videos, f"{written[1]}=yes"])


def test_free_data_of_the_table_need_no_word() -> None:
    fetch = compose("demo", [*SCREENAGENT, "sources.arm.fetch.origin=screenagent"]).sources["arm"].fetch
    assert fetch is not None
    assert fetch.kind == "pinned"


OWN = [
    p.relative_to(CONF) for group in ("source", "benchmark") for p in sorted((CONF / group).glob("*.yaml"))
]


@pytest.mark.parametrize("file", [p for p in OWN if "\npath:" in (CONF / p).read_text()], ids=str)
def test_nothing_is_fetched_unless_it_is_said(file: Path) -> None:
    assert "\nfetch: null\n" in (CONF / file).read_text()
