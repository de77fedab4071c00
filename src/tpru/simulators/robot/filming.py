"""One attempt at an episode: the arm works; the camera pictures chosen moments and what else might be."""

import math
from dataclasses import dataclass

from PIL import Image

from tpru.simulators.episode import (
    DISTINCT,
    Alternative,
    Episode,
    Labels,
    RejectedError,
    Rng,
    State,
    boxes_of,
)
from tpru.simulators.robot.acting import PICKS, PUSHES, Worker
from tpru.simulators.robot.arm import Arm
from tpru.simulators.robot.others import others
from tpru.simulators.robot.scenery import Scenery
from tpru.simulators.robot.tasks import Task
from tpru.simulators.robot.words import DONE, facts, first_situation, objects, step_text, update
from tpru.simulators.robot.world import Eye, add_plate, add_table, add_thing, pb, physics
from tpru.trajectories.signature import change, signature

SHOWN = {  # number of moves: which of their moments become frames
    2: (
        "grasped lifted carried released",
        "above lifted carried released",
        "lifted carried lowered released",
    ),
    3: ("lifted carried released", "grasped lifted released", "lifted lowered released"),
    4: ("lifted released", "carried released", "grasped released"),
}
PUSHED = {2: "behind edge onto left", 3: "behind edge left"}
FAILING = 0.2  # share of the attempts in which one grasp fails
MOST = 12  # frames
SHOWS = 0.008  # least share of the picture that the moved thing takes up
TRIED, WANTED, LEAST = 5, 4, 2  # alternatives


@dataclass(frozen=True)
class Shot:
    """A frame to be taken: after ``moment`` of move number ``move``; before it came ``before``."""

    move: int
    moment: str
    before: str


def plan(rng: Rng, task: Task) -> list[Shot]:
    """Which moments become frames; in some episodes one thing slips and is lifted again."""
    number = len(task.moves)
    moments = (PUSHED[number] if task.push else str(rng.choice(SHOWN[number]))).split()
    loose = [k for k, m in enumerate(task.moves) if task.things[m.thing].place.at[2] < 0.003]
    fails = bool(rng.uniform() < FAILING) and bool(loose) and not task.push
    failing = int(rng.choice(loose)) if fails else -1
    shots = []
    for k in range(number):
        own = moments
        if k == failing:
            own = ["lifted", "slipped", "lifted", *(m for m in moments if PICKS.index(m) > 2)]
        shots += [Shot(k, m, before) for m, before in zip(own, ["", *own], strict=False)]
    return shots


class Stage:
    """A furnished world with an arm that works and a camera."""

    def __init__(self, client: int, task: Task, scenery: Scenery, size: int) -> None:
        self.client, self.task = client, task
        add_table(client)
        owners = {add_plate(client, plate): plate.name for plate in task.plates if plate.solid}
        # A pushed thing must slide and not tip over; a held one must not slip.
        bodies = [add_thing(client, thing, 0.4 if task.push else 1.2) for thing in task.things]
        owners |= {body: thing.name for body, thing in zip(bodies, task.things, strict=True)}
        self.arm = Arm(client, scenery.home, scenery.arm)
        self.home = scenery.home
        self.worker = Worker(self.arm, bodies, task, math.radians(scenery.camera.yaw))
        self.eye = Eye(client, scenery, task, owners, self.arm.body, size)

    def look(self, thing: str) -> tuple[Image.Image, Labels]:
        """The picture and its labels; RejectedError unless everything is in place and ``thing`` shows."""
        self.worker.check()
        frame, labels = self.eye.look(self.worker.casters())
        if thing and (labels == self.eye.names.index(thing) + 1).mean() < SHOWS:
            raise RejectedError(f"{thing} is hidden")
        return frame, labels

    def perform(self, shot: Shot, rng: Rng) -> None:
        """Go on from the moment before the shot to its own."""
        move = self.task.moves[shot.move]
        if shot.moment == "slipped":
            self.worker.slip(move.thing, self.task.things[move.thing].place, rng)
            return
        parts = PUSHES if self.task.push else PICKS
        start = parts.index(shot.before) + 1 if shot.before in parts else 0
        for part in parts[start : parts.index(shot.moment) + 1]:
            if self.task.push:
                self.worker.push(move.thing, move.place, part)
            else:
                self.worker.pick(move.thing, move.place, part)

    def go_home(self) -> None:
        self.arm.travel(self.home, self.arm.yaw, self.home[2])

    def instead(self, shot: Shot, rng: Rng) -> tuple[Image.Image, str] | None:
        """What another action than the shot's shows, and its step; the world is as before afterwards."""
        if "slipped" in (shot.moment, shot.before):
            return None
        found = others(self.worker, self.task.moves[shot.move], shot.before, shot.moment)
        if not found:
            return None
        other = found[int(rng.integers(len(found)))]
        saved = pb.saveState(physicsClientId=self.client)
        pose = self.arm.at, self.arm.yaw, self.arm.width
        places = list(self.worker.places)
        try:
            other.act()
            return self.look(other.thing)[0], other.step
        except RejectedError:
            return None
        finally:
            pb.restoreState(saved, physicsClientId=self.client)
            pb.removeState(saved, physicsClientId=self.client)
            self.arm.at, self.arm.yaw, self.arm.width = pose
            self.worker.places = places


class Film:
    """The frames taken so far and what is known about them."""

    def __init__(self, stage: Stage, rng: Rng) -> None:
        self.stage, self.rng, self.task = stage, rng, stage.task
        self.situation = first_situation(self.task)
        self.frames: list[Image.Image] = []
        self.steps: list[str] = []
        self.states: list[State] = []
        self.alternatives: list[Alternative] = []

    def take(self, step: str, progress: float, thing: str = "") -> None:
        """Take a frame in which ``thing`` can be seen."""
        frame, labels = self.stage.look(thing)
        boxes, labels = boxes_of(labels, self.stage.eye.names)
        answers = facts(self.situation, self.task, boxes, self.rng)
        self.frames.append(frame)
        self.steps.append(step)
        self.states.append(State(progress, objects(self.situation), boxes, labels, answers))

    def shoot(self, shots: list[Shot], closing: bool) -> None:
        """Carry out the task; ``closing``: with a last picture of the arm at rest."""
        task, total = self.task, len(self.task.moves) + (0.5 if closing else 0.0)
        tried = set(self.rng.permutation(len(shots))[: 2 * TRIED].tolist())
        self.take(f"the arm waits beside {task.start}", 0.0)
        for k, shot in enumerate(shots):
            if k in tried and len(self.alternatives) < WANTED:
                self.branch(shot)
            self.stage.perform(shot, self.rng)
            move = task.moves[shot.move]
            update(self.situation, task, move, shot.moment)
            done = (shot.move + DONE[shot.moment]) / total
            self.take(step_text(task, move, shot.moment), done, task.things[move.thing].name)
        if closing:
            self.stage.go_home()
            self.situation.gripper = "far from everything, the work is done"
            self.take(f"the arm moved away from {task.end}", 1.0)

    def branch(self, shot: Shot) -> None:
        found = self.stage.instead(shot, self.rng)
        if found is not None:
            self.alternatives.append(Alternative(len(self.frames), *found))

    def develop(self) -> Episode:
        """The episode; RejectedError when two frames of different states look alike."""
        looks = [signature(frame) for frame in self.frames]
        for k, one in enumerate(looks):
            for j, other in enumerate(looks[:k]):
                same = self.states[k].objects == self.states[j].objects
                if not same and change(one, other) <= DISTINCT:
                    raise RejectedError(f"frames {j} and {k} look alike")
        kept = [
            a for a in self.alternatives if all(change(signature(a.frame), look) > DISTINCT for look in looks)
        ]
        if len(kept) < LEAST:
            raise RejectedError("too few alternatives")
        task = self.task
        return Episode(
            task.goal, task.family, tuple(self.frames), tuple(self.steps), tuple(self.states), tuple(kept)
        )


def film(task: Task, scenery: Scenery, rng: Rng, size: int) -> Episode:
    """Carry out the task and picture it; RejectedError when something goes wrong unasked."""
    shots = plan(rng, task)
    closing = len(shots) + 2 <= MOST and (len(shots) < 8 or bool(rng.uniform() < 0.5))
    with physics() as client:
        made = Film(Stage(client, task, scenery, size), rng)
        made.shoot(shots, closing)
        return made.develop()
