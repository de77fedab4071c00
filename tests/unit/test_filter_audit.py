"""What the audit of the key-frame filter plants, how it counts, and that the filter passes."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.builders import scene
from tpru.config.compose import compose
from tpru.randomness import generator
from tpru.records import SCENARIOS, Scenario
from tpru.simulators import robot
from tpru.trajectories.extraction import cut_reversals, distinct_frames, distinct_neighbours
from tpru.trajectories.filter_audit import (
    DEFECTS,
    FOREIGN,
    NO_DEFECT,
    Shown,
    Tally,
    added,
    audit_episode,
    plant,
    simulated,
    summary,
    tally,
)
from tpru.trajectories.frames import PictureFrame

DEMO = compose("demo", [])
EXTRACT = DEMO.extract.model_copy(update={"n_frames": 3})
CONFIG = DEMO.filter_audit
STEPS = [scene(at=(4 + 13 * k, 30)) for k in range(7)]
OTHERS = [scene(at=(4 + 13 * k, 30), background=(60, 120, 60)) for k in range(3)]


def planted(defect: str, n: int = 2, name: str = "") -> list[Shown]:
    return plant(defect, STEPS, OTHERS, n, generator(0, name))


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(DEFECTS), st.integers(0, 9), st.text(max_size=3))
def test_defects_are_planted_between_the_steps(defect: str, n: int, name: str) -> None:
    shown = planted(defect, n, name)
    assert [s.image for s in shown if not s.planted] == STEPS
    assert [s.step for s in shown if not s.planted] == list(range(7))
    extra = [(shown[k - 1], s) for k, s in enumerate(shown) if s.planted]
    assert len(extra) == min(n, 5) * (3 if defect == "still" else 1)
    assert not shown[0].planted
    assert not shown[1].planted
    assert not shown[-1].planted
    expected = {"still": 0, "near_duplicate": 0, "reversal": -1}
    for before, defective in extra:
        if defect in expected:
            assert defective.step == before.step + expected[defect]
        else:
            assert defective.step == FOREIGN


def test_what_is_planted_looks_as_it_should() -> None:
    (near,) = (s.image for s in planted("near_duplicate", 1) if s.planted)
    differences = [np.abs(np.asarray(near, int) - np.asarray(step, int)).mean() for step in STEPS]
    assert 1.0 < min(differences) < 10.0
    assert sorted(differences)[1] > 1.2 * min(differences)
    assert all(np.asarray(s.image).max() == 0 for s in planted("black") if s.planted)
    assert all(s.image in OTHERS for s in planted("jump") if s.planted)
    assert planted("jump") == planted("jump")
    assert planted("jump") != planted("jump", name="another")
    with pytest.raises(ValueError, match="no defect 'rain'"):
        planted("rain")


def test_what_is_counted() -> None:
    """A filter that sees a jump on screens as a step, as ours does, and one that sees it as a jump."""
    shown = [Shown(STEPS[k], k) for k in range(5)]
    shown.insert(3, Shown(OTHERS[1], FOREIGN, True))
    assert tally("jump", "gui", shown, EXTRACT) == Tally("jump", "gui", 6, 5, 5, 5, 1, 1)
    assert tally("jump", "robot", shown, EXTRACT) == Tally("jump", "robot", 5, 5, 5, 5, 1, 0)
    # Back to the first frame: two stretches of three, and none of them shows a step twice.
    shown = [Shown(STEPS[k], k, k == 0 and n > 0) for n, k in enumerate((0, 1, 2, 0, 3))]
    assert tally("reversal", "robot", shown, EXTRACT) == Tally("reversal", "robot", 7, 7, 4, 4, 1, 0)
    # Half as long, and nothing is left.
    assert tally("reversal", "robot", shown[:3], EXTRACT.model_copy(update={"n_frames": 4})).found == 0
    # A filter that takes the smallest change for a step keeps what was filmed again.
    blind = EXTRACT.model_copy(update={"min_change": 1e-9})
    noisy = [*shown[:2], Shown(Image.eval(STEPS[1], lambda v: v // 2), 1, True), *shown[2:3]]
    assert tally("near_duplicate", "gui", noisy, blind) == Tally("near_duplicate", "gui", 4, 3, 3, 3, 1, 1)


def test_shares_have_their_n_and_interval() -> None:
    one = Tally("jump", "gui", 80, 60, 64, 48, 20, 5)
    assert (one.precision[0], one.recall[0], one.missed[0]) == (0.75, 0.75, 0.25)
    share, interval = one.precision
    assert (round(interval.low, 3), round(interval.high, 3)) == (0.645, 0.832)
    both = added("jump", "all", [one, one])
    assert both == Tally("jump", "all", 160, 120, 128, 96, 40, 10)
    assert both.precision[0] == share
    assert both.precision[1].high < interval.high
    nothing = added("jump", "gui", [])
    assert (nothing.precision[1].low, nothing.precision[1].high) == (0.0, 1.0)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_filter_on_simulated_trajectories(scenario: Scenario) -> None:
    found = [t for k in range(3) for t in audit_episode((scenario, k, CONFIG, EXTRACT))]
    rows = {t.defect: t for t in summary(found) if t.scenario == scenario}
    assert list(rows) == [NO_DEFECT, *DEFECTS]
    clean = rows[NO_DEFECT]
    assert clean.genuine == clean.kept
    assert clean.found == clean.steps
    assert clean.planted == 0
    for defect in ("still", "near_duplicate", "black"):
        assert rows[defect].planted >= 6
        assert rows[defect].left == 0
        assert rows[defect].found == rows[defect].steps
    assert rows["reversal"].left == 0
    assert rows["reversal"].recall[0] > 0.7
    if scenario in ("robot", "assembly"):
        assert rows["jump"].left == 0


def test_the_audit_is_the_same_each_time() -> None:
    job: Any = ("assembly", 1, CONFIG, EXTRACT)
    assert audit_episode(job) == audit_episode(job)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_clean_trajectories_lose_nothing_to_the_checks_for_defects(scenario: Scenario) -> None:
    without = DEMO.extract.model_copy(update={"black": 0})
    drawn = [simulated(scenario, number, CONFIG) for number in range(3, 7)]
    if scenario == "robot":
        # The arm passes closest to the camera in these, of 300 that were looked at.
        drawn += [robot.episode(3, 112, "line_up", "seen").frames]
        drawn += [robot.episode(400077, 112, "swap", "unseen").frames]
    for pictures in drawn:
        frames = [PictureFrame(k, f, b"") for k, f in enumerate(pictures)]
        rejected: Counter[str] = Counter()
        checked = distinct_frames(frames, scenario, DEMO.extract, rejected)
        plainly = distinct_neighbours(frames, without, Counter())
        assert [(c.index, c.change) for c in checked] == [(c.index, c.change) for c in plainly]
        assert not {"black_frames", "jumps"} & set(rejected)
        assert cut_reversals(checked, EXTRACT.min_change)
