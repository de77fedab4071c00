"""How answers of people are compared with the key and with each other, on numbers made by hand."""

import re
from pathlib import Path
from typing import Any

import pytest

from tpru.errors import ManifestError
from tpru.evaluation.statistics import wilson_interval
from tpru.files import write_json
from tpru.reporting.audit import UNDECIDABLE
from tpru.reporting.audit_agreement import (
    Reader,
    Share,
    accuracy,
    by_column,
    cohens_kappa,
    judged,
    main,
    read_answers,
    read_key,
    summary,
    undecidable,
)

KEY: dict[str, Any] = {
    "experiment": "demo",
    "fingerprint": "print",
    "items": {
        f"i{k}": {"answer": a, "task": "reordering" if k < 4 else "next_frame", "scenario": "robot"}
        for k, a in enumerate("ABCDABCD")
    },
}
RIGHT = {i: v["answer"] for i, v in KEY["items"].items()}
ADA = Reader(
    "Ada",
    {f"i{k}": a for k, a in enumerate(["A", "B", "C", "A", "A", UNDECIDABLE, "C"])},
    {"answer_right": {"i0": "yes", "i1": "no", "i2": "unsure", "i3": "yes"}, "reasoning_true": {}},
)


def test_accuracy_counts_by_hand() -> None:
    assert accuracy(RIGHT, ADA) == Share(5, 7)
    assert accuracy(RIGHT, ADA, decided_only=True) == Share(5, 6)
    assert undecidable(ADA) == Share(1, 7)
    assert judged(ADA, "answer_right") == Share(2, 4)
    assert by_column(KEY, ADA, "task") == {"next_frame": Share(2, 3), "reordering": Share(3, 4)}


def test_a_share_tells_its_interval_and_n() -> None:
    found = wilson_interval(5, 7)
    assert str(Share(5, 7)) == f"71.4% [{100 * found.low:.1f}, {100 * found.high:.1f}] (5 of 7)"
    assert str(Share(8, 10)) == "80.0% [49.0, 94.3] (8 of 10)"
    assert str(Share(0, 0)) == "no item"


@pytest.mark.parametrize(
    ("a", "b", "kappa"),
    [
        # 25 yes-yes, 10 yes-no, 5 no-yes, 10 no-no: 0.70 observed, 0.7 * 0.6 + 0.3 * 0.4 = 0.54 expected
        (["y"] * 35 + ["n"] * 15, ["y"] * 25 + ["n"] * 10 + ["y"] * 5 + ["n"] * 10, 0.16 / 0.46),
        (list("ABCD"), list("ABCD"), 1.0),
        (list("AB"), list("BA"), -1.0),
        (list("AABB"), list("ABAB"), 0.0),
        (list("AAAB"), list("AAAA"), 0.0),
    ],
)
def test_kappa_by_hand(a: list[str], b: list[str], kappa: float) -> None:
    assert cohens_kappa(a, b) == pytest.approx(kappa)
    assert cohens_kappa(b, a) == pytest.approx(kappa)


def test_kappa_that_is_undefined_is_nan() -> None:
    for a, b in (([], []), (list("AAA"), list("AAA"))):
        assert cohens_kappa(a, b) != cohens_kappa(a, b)
    with pytest.raises(ValueError, match="1 and 2"):
        cohens_kappa(["A"], ["A", "B"])


def test_summary_names_every_figure() -> None:
    bo = Reader(
        "Bo", {i: RIGHT[i] for i in ("i0", "i1", "i2", "i3")}, {"answer_right": {}, "reasoning_true": {}}
    )
    text = summary(KEY, [ADA, bo])
    assert re.search(r"of all answered +71\.4% \[\d+\.\d, \d+\.\d\] \(5 of 7\)", text)
    assert "(1 of 7)" in text
    # 3 of 4 the same; expected by chance (2*1 + 1*1 + 1*1 + 0*1) / 16
    assert re.search(r"Ada and Bo: same answer 75\.0% .*\(3 of 4\), Cohen's kappa 0\.67", text)


def saved(folder: Path, **changes: Any) -> Path:
    value = {
        "experiment": "demo", "fingerprint": "print", "reader": "Ada",
        "answers": {"i0": {"answer": "A", "answer_right": "yes", "seconds": 3.2}, "i1": {"answer": UNDECIDABLE}},
        **changes,
    }  # fmt: skip
    write_json(folder / "answers.json", value)
    return folder / "answers.json"


def test_the_files_of_the_page_are_read(tmp_path: Path) -> None:
    reader = read_answers(saved(tmp_path), KEY)
    assert reader == Reader(
        "Ada", {"i0": "A", "i1": UNDECIDABLE}, {"answer_right": {"i0": "yes"}, "reasoning_true": {}}
    )
    assert read_answers(saved(tmp_path, reader=""), KEY).name == "answers"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fingerprint": "other"}, "another page"),
        ({"answers": {"i99": {"answer": "A"}}}, "another page"),
        ({"answers": []}, "no answers"),
        ({"answers": {"i0": {}}}, "no answers"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        read_answers(saved(tmp_path, **changes), KEY)


def test_the_command_prints_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / "key.json", KEY)
    monkeypatch.setattr("sys.argv", ["audit_agreement", str(tmp_path / "key.json"), str(saved(tmp_path))])
    main()
    assert "(1 of 2)" in capsys.readouterr().out
    (tmp_path / "key.json").write_text("[]")
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 11
    assert "key.json" in capsys.readouterr().err
    with pytest.raises(ManifestError, match="cannot be read"):
        read_key(tmp_path / "none.json")
