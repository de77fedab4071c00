"""How well the key-frame filter works: simulated trajectories, whose steps are known, with planted defects.

The filter sees pictures alone, as with recorded data; what simulators say of states is not used.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from PIL import Image

from tpru.config.schema import ExtractConfig, FilterAuditConfig
from tpru.evaluation.statistics import Interval, wilson_interval
from tpru.randomness import generator
from tpru.records import SCENARIOS, Scenario
from tpru.simulators.episode import Look
from tpru.store import decode_image, encode_jpeg
from tpru.trajectories.extraction import distinct_frames, stretches
from tpru.trajectories.frames import PictureFrame

Pictures = Sequence[Image.Image]

NO_DEFECT = "none"
DEFECTS = ("still", "near_duplicate", "reversal", "jump", "black")
FOREIGN = -1  # the step of a frame that shows none of the trajectory
STILL_FRAMES = 3  # how long a picture stands still
GRAIN = 4.0  # standard deviation of 255, as of a camera in a room
JPEG_QUALITY = 60


@dataclass(frozen=True)
class Shown:
    """A frame that the filter is shown: its picture, the step it shows, and whether it was planted."""

    image: Image.Image
    step: int
    planted: bool = False


@dataclass(frozen=True)
class Tally:
    """What the filter did, in numbers of frames.

    ``kept`` are the frames of all stretches that sequences are drawn from, and ``genuine`` those among them
    that show a step the stretch had not shown before. Of ``steps`` the ``found`` are in some stretch. Of the
    ``planted`` frames the ``left`` are kept though not genuine.
    """

    defect: str
    scenario: str
    kept: int
    genuine: int
    steps: int
    found: int
    planted: int
    left: int

    @property
    def precision(self) -> tuple[float, Interval]:
        """Share of kept frames that are genuine, with its Wilson interval."""
        return _share(self.genuine, self.kept)

    @property
    def recall(self) -> tuple[float, Interval]:
        """Share of steps that are found, with its Wilson interval."""
        return _share(self.found, self.steps)

    @property
    def missed(self) -> tuple[float, Interval]:
        """Share of planted frames that are left, with its Wilson interval."""
        return _share(self.left, self.planted)


def _share(part: int, n: int) -> tuple[float, Interval]:
    return part / n if n else 0.0, wilson_interval(part, n)


def plant(
    defect: str, frames: Pictures, elsewhere: Pictures, n: int, rng: np.random.Generator
) -> list[Shown]:
    """The frames of a trajectory with ``n`` defects of a kind, each behind another frame.

    Args:
        defect: one of :data:`DEFECTS`, or :data:`NO_DEFECT`.
        frames: the trajectory; every frame is a step.
        elsewhere: frames of another trajectory of the same scenario, for jumps.
        n: how many; fewer where the trajectory is too short.
        rng: chooses the places.

    A *still* shows a frame three more times, a *near_duplicate* once more with the grain of a camera and the
    losses of JPEG. A *reversal* goes back to the frame before. A *jump* is one frame of another place and
    *black* one without a picture.
    """
    # Neither the first frame (there is nothing to go back to) nor the last (nothing comes after a jump).
    inside = np.arange(1, len(frames) - 1)
    chosen = set(rng.permutation(inside)[:n].tolist()) if defect != NO_DEFECT else set()
    shown: list[Shown] = []
    for step, image in enumerate(frames):
        shown.append(Shown(image, step))
        if step not in chosen:
            continue
        if defect == "still":
            shown += [Shown(image, step, True)] * STILL_FRAMES
        elif defect == "near_duplicate":
            shown.append(Shown(filmed_again(image, rng), step, True))
        elif defect == "reversal":
            shown.append(Shown(frames[step - 1], step - 1, True))
        elif defect == "jump":
            shown.append(Shown(elsewhere[int(rng.integers(len(elsewhere)))], FOREIGN, True))
        elif defect == "black":
            shown.append(Shown(Image.new("RGB", image.size), FOREIGN, True))
        else:
            raise ValueError(f"no defect {defect!r}; expected one of {DEFECTS}")
    return shown


def filmed_again(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The same picture with the grain of a camera, stored as JPEG."""
    pixels = np.asarray(image, np.float64)
    grained = np.clip(pixels + rng.normal(0.0, GRAIN, pixels.shape), 0, 255).round().astype(np.uint8)
    return decode_image(encode_jpeg(Image.fromarray(grained), JPEG_QUALITY))


def tally(defect: str, scenario: Scenario, shown: Sequence[Shown], config: ExtractConfig) -> Tally:
    """Run the filter over one trajectory and count."""
    frames = (PictureFrame(i, s.image, b"") for i, s in enumerate(shown))
    rejected: Counter[str] = Counter()
    parts = stretches(distinct_frames(frames, scenario, config, rejected), config, rejected)
    kept = genuine = 0
    found: set[int] = set()
    left: set[int] = set()
    for part in parts:
        steps: set[int] = set()
        for candidate in part:
            frame = shown[candidate.index]
            if frame.step != FOREIGN and frame.step not in steps:
                genuine += 1
            elif frame.planted:
                left.add(candidate.index)
            steps.add(frame.step)
        kept += len(part)
        found |= steps - {FOREIGN}
    n_steps = len({s.step for s in shown} - {FOREIGN})
    return Tally(
        defect, scenario, kept, genuine, n_steps, len(found), sum(s.planted for s in shown), len(left)
    )


def added(defect: str, scenario: str, tallies: Iterable[Tally]) -> Tally:
    """Several tallies as one."""
    names = ("kept", "genuine", "steps", "found", "planted", "left")
    listed = list(tallies)
    return Tally(defect, scenario, **{name: sum(getattr(t, name) for t in listed) for name in names})


Job = tuple[Scenario, int, FilterAuditConfig, ExtractConfig]


def jobs(config: FilterAuditConfig, extract: ExtractConfig) -> list[Job]:
    """One for every simulated trajectory."""
    return [(scenario, k, config, extract) for scenario in SCENARIOS for k in range(config.episodes)]


def audit_episode(job: Job) -> list[Tally]:
    """Plant every kind of defect in one trajectory, one kind at a time, and count."""
    scenario, number, config, extract = job
    frames = simulated(scenario, number, config)
    elsewhere = simulated(scenario, config.episodes + number, config)
    out = []
    for defect in (NO_DEFECT, *DEFECTS):
        rng = generator(config.first_seed, scenario, str(number), defect)
        out.append(tally(defect, scenario, plant(defect, frames, elsewhere, config.defects, rng), extract))
    return out


def simulated(scenario: Scenario, number: int, config: FilterAuditConfig) -> Pictures:
    """The frames of an episode; families, seen and unseen ones, take turns."""
    simulator = import_module(f"tpru.simulators.{scenario}")
    families = [*simulator.SEEN, *simulator.UNSEEN]
    family = families[number % len(families)]
    look: Look = "seen" if family in simulator.SEEN else "unseen"
    frames: Pictures = simulator.episode(config.first_seed + number, config.size, family, look).frames
    return frames


def summary(found: Iterable[Tally]) -> list[Tally]:
    """Every kind of defect, over all scenarios and then by scenario."""
    listed = list(found)
    out = []
    for defect in (NO_DEFECT, *DEFECTS):
        here = [t for t in listed if t.defect == defect]
        out.append(added(defect, "all", here))
        out += [added(defect, s, (t for t in here if t.scenario == s)) for s in SCENARIOS]
    return out
