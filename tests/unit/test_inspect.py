"""What a source contains, shown without training: from results, and from a configuration."""

import contextlib
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tpru import inspect
from tpru import run as frame
from tpru.errors import ConfigError, ManifestError, UpstreamError
from tpru.records import Media, Trajectory
from tpru.reporting.contents import counts, numbers, overview, spread

MINE = ["experiment=own_data", "sources.mine.path=data", "sources.mine.licence=CC0"]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages run in a folder of their own, without MLflow."""

    @contextlib.contextmanager
    def stage_run(*_: Any) -> Iterator[Any]:
        nothing = dict.fromkeys(("params", "tag", "metrics", "artifact"), lambda *_: None)
        yield SimpleNamespace(run_id="r", **nothing)

    monkeypatch.setattr(frame, "stage_run", stage_run)
    monkeypatch.setenv("TPRU_THREADS", "1")
    monkeypatch.chdir(tmp_path)


def write_data(lengths: tuple[int, ...] = (6, 7), family: str = "<b>tidy</b>") -> None:
    root = Path("data")
    lines = []
    for number, length in enumerate(lengths):
        (root / f"e{number}").mkdir(parents=True)
        for k in range(length):
            picture = Image.new("RGB", (80, 60), (90, 30 * number, 60))
            ImageDraw.Draw(picture).rectangle((0, 0, 8 * (k + 1), 50), fill=(240, 240, 20 * k))
            picture.save(root / f"e{number}/{k}.png")
        steps = [{"frame": 1, "text": "the cup was put away"}]
        lines.append({"id": f"e{number}", "goal": f"Tidy {number}", "frames": f"e{number}/", "steps": steps})
        lines[-1]["family"] = family
    (root / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def shown(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    assert "<b>tidy" not in text
    return text


def test_a_source_of_a_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    write_data()
    path = inspect.report([*MINE, "unit=extract/mine"], 8, 8, None)
    assert path == Path("results/own_data_inspect/inspect.html")
    page, said = shown(path), capsys.readouterr().out
    assert page.count('<figure tabindex="0">') == 6 + 7 + 4 + 4
    assert page.count("the cup was put away") == 3
    assert "CC0" in page
    assert "mine-e1 · group mine-e1" in page
    assert "Trajectories by frames: 4 to 7 2" in said
    assert "Rejected by extraction" not in said
    stamp = Path("results/own_data_inspect/download/mine/run.json").stat().st_mtime_ns
    again = inspect.report([*MINE, "unit=extract/mine"], 8, 8, None)
    assert shown(again) == page
    assert Path("results/own_data_inspect/download/mine/run.json").stat().st_mtime_ns == stamp
    assert not Path("results/own_data").exists()
    assert shown(inspect.report(["results/own_data_inspect"], 8, 8, Path("x/page.html"))) == page


def test_download_alone_and_fewer_samples() -> None:
    write_data()
    path = inspect.report([*MINE, "unit=download/mine"], 1, 3, None)
    page = shown(path)
    assert page.count('<figure tabindex="0">') == 3
    # The first and the last one of six are among them.
    assert re.findall(r'alt="frame (\d)"', page) == ["0", "2", "5"]
    assert not Path("results/own_data_inspect/extract").exists()


def test_what_the_experiment_made_is_taken() -> None:
    write_data()
    inspect.report(MINE, 1, 3, None)
    Path("results/own_data_inspect").rename("results/own_data")
    assert inspect.report(MINE, 1, 3, None) == Path("results/own_data/inspect.html")
    path = inspect.report([*MINE, "sources.mine.scenario=gui"], 1, 3, None)
    assert path == Path("results/own_data_inspect/inspect.html")


def test_a_source_without_sequences_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    write_data((2, 3))
    page = shown(inspect.report(MINE, 8, 8, None))
    assert "no trajectory of mine has 4 distinct frames" in page
    assert page.count('<figure tabindex="0">') == 5
    assert "problem" in capsys.readouterr().out


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="experiment="):
        inspect.report(["unit=extract/mine"], 1, 1, None)
    with pytest.raises(ConfigError, match="one folder"):
        inspect.report(["results/a", "seed=3"], 1, 1, None)
    with pytest.raises(ConfigError, match=r"sft.*'mine'"):
        inspect.report([*MINE, "unit=sft"], 1, 1, None)
    with pytest.raises(UpstreamError, match="no finished download"):
        inspect.report(["results/nothing"], 1, 1, None)
    with pytest.raises(ManifestError, match="does not exist"):
        inspect.report(MINE, 1, 1, None)


def trajectory(number: int, **changes: Any) -> Trajectory:
    media = Media("files", 2 + number, files=())
    made = Trajectory(f"t{number}", "gui", "s", "CC0", "goal", f"g{number}", media, family="a")
    return dataclasses.replace(made, **changes)


def test_samples_take_turns() -> None:
    same = [trajectory(k, group="g") for k in range(3)]
    other = [trajectory(k, family="b") for k in range(3, 6)]
    assert [t.trajectory_id for t in spread([*same, *other], 4)] == ["t0", "t3", "t4", "t5"]
    assert spread(same, 9) == same


def test_counts_and_numbers() -> None:
    found = [trajectory(0), trajectory(1), trajectory(14, group="g0", split="test", level="L2")]
    by = counts(found, {"near_black": 3}, {})
    assert by["Trajectories by frames"] == {"2 to 3": 2, "4 to 7": 0, "8 to 15": 0, "16 to 31": 1}
    assert by["Trajectories by shared group"] == {"g0": 2}
    assert by["Groups by their trajectories"] == {"1": 1, "2": 1}
    assert by["Trajectories by level"] == {"L2": 1}
    assert by["Left out by the source"] == {"near black": 3}
    assert "Rejected by extraction" not in by
    many = counts([trajectory(k, family=f"f{k:02d}") for k in range(20)], {}, {})
    assert list(many["Trajectories by family"].items())[-1] == ("8 others", 8)
    assert numbers(found, None)["median"] == "3"
    assert "sequences" not in numbers(found, None)
    assert numbers([], 0)["longest"] == "0"
    assert overview([]).lines == ()
