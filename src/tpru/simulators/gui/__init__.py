"""A phone that carries out a task: a family tells a story of screens, a screen is a column of parts.

Nine apps (contacts, settings, clock, shop, chat, calendar, notes, maps, photos) with three families of
tasks each. Lengths are in units of 1/224 of the picture. A part paints itself at a height and returns
the height at which the next one starts.
"""

import numpy as np

from tpru.simulators.episode import DISTINCT, Alternative, Episode, Look, RejectedError, Rng, State, distinct
from tpru.simulators.gui.apps import FAMILIES, FRONTS
from tpru.simulators.gui.facts import facts_of, objects_of
from tpru.simulators.gui.kit import Story, draw_kit
from tpru.simulators.gui.screen import Screen, View, photograph
from tpru.simulators.gui.theme import Theme, draw_theme
from tpru.trajectories.signature import change, signature

UNSEEN: tuple[str, ...] = (
    *("contacts_delete", "clock_cities", "shop_review", "chat_voice"),
    *("calendar_invite", "notes_style", "maps_bus", "photos_share"),
)
SEEN: tuple[str, ...] = tuple(family for family in FAMILIES if family not in UNSEEN)
ATTEMPTS = 20
MOST_OTHERS = 4  # alternatives per episode
LOOKS: tuple[Look, ...] = ("seen", "unseen")


def episode(seed: int, size: int, family: str, look: Look) -> Episode:
    """A task carried out on a phone.

    Args:
        seed: any whole number from 0; with the other arguments it decides every byte.
        size: side of the frames in pixels.
        family: one of ``SEEN`` or ``UNSEEN``; the first frame of each shows the home screen.
        look: what the phone, its language, its contents and the light may be.

    Raises:
        KeyError: the family is unknown.
        RejectedError: no draw gave frames that differ.
    """
    place = list(FAMILIES).index(family) if family in FAMILIES else -1
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([seed, max(place, 0), LOOKS.index(look), attempt])
        try:
            return _attempt(rng, size, family, look)
        except RejectedError:
            continue
    raise RejectedError(f"{family}: no draw of seed {seed} gave frames that differ")


def _attempt(rng: Rng, size: int, family: str, look: Look) -> Episode:
    kit, theme = draw_kit(rng, look), draw_theme(rng, look)
    story = FAMILIES[family](kit)
    app = family.split("_")[0]
    other = str(rng.choice([name for name in FRONTS if name != app]))
    story.others.insert(0, (1, f"the {other} app was opened", FRONTS[other](kit)))
    views = [photograph(theme, screen, size) for _, screen in story.frames]
    frames = tuple(view.frame for view in views)
    if not distinct(frames):
        raise RejectedError(f"{family}: two frames look alike")
    others = _alternatives(rng, theme, story, views, size)
    if len(others) < 2:
        raise RejectedError(f"{family}: too few alternatives differ from the frames")
    return Episode(
        goal=story.goal,
        family=family,
        frames=frames,
        steps=tuple(step for step, _ in story.frames),
        states=_states(rng, theme, [screen for _, screen in story.frames], views),
        alternatives=others,
    )


def _alternatives(
    rng: Rng, theme: Theme, story: Story, views: list[View], size: int
) -> tuple[Alternative, ...]:
    """Up to ``MOST_OTHERS`` of what the story offers, each unlike every frame."""
    signatures = [signature(view.frame) for view in views]
    order = sorted(int(i) for i in rng.permutation(len(story.others))[:MOST_OTHERS])
    drawn: list[Alternative] = []
    for index, step, screen in (story.others[i] for i in order):
        frame = photograph(theme, screen, size).frame
        own = signature(frame)
        if min(change(own, other) for other in signatures) > DISTINCT:
            drawn.append(Alternative(index, frame, step))
    return tuple(drawn)


def _states(rng: Rng, theme: Theme, screens: list[Screen], views: list[View]) -> tuple[State, ...]:
    """States whose objects are all that any frame shows."""
    objects = [objects_of(screen) for screen in screens]
    names = sorted({name for own in objects for name in own})
    return tuple(
        State(
            progress=i / (len(screens) - 1),
            objects={name: objects[i].get(name, "not on the screen") for name in names},
            boxes=view.boxes,
            labels=view.labels,
            facts=facts_of(rng, screen, view, theme),
        )
        for i, (screen, view) in enumerate(zip(screens, views, strict=True))
    )
