"""Phone screens: reproducible, ordered, told apart by sight, and truly described."""

from itertools import combinations, pairwise, product

import numpy as np
import pytest

from tpru.simulators import gui
from tpru.simulators.episode import DISTINCT, Episode, Look
from tpru.simulators.gui import kit
from tpru.simulators.gui.icons import APPS
from tpru.simulators.gui.theme import CHOICES, draw_theme
from tpru.simulators.gui.words import LANGUAGES, WORDS
from tpru.trajectories.signature import change, signature

FAMILIES = (*gui.SEEN, *gui.UNSEEN)
LOOKS: tuple[Look, ...] = ("seen", "unseen")
SEEDS = range(3)
SIZE = 84
Episodes = dict[tuple[int, str, Look], Episode]


@pytest.fixture(scope="module")
def episodes() -> Episodes:
    keys = product(SEEDS, FAMILIES, LOOKS)
    return {(seed, family, look): gui.episode(seed, SIZE, family, look) for seed, family, look in keys}


def test_apps_recur_in_unseen_families_and_tasks_do_not() -> None:
    assert len(FAMILIES) == len(set(FAMILIES)) >= 24
    apps = {family.split("_")[0] for family in FAMILIES}
    assert len(apps) >= 8
    assert apps == set(APPS)
    assert all(sum(family.split("_")[0] == app for family in FAMILIES) == 3 for app in apps)
    assert len({family.split("_")[0] for family in gui.UNSEEN}) >= 6
    assert {family.split("_")[0] for family in gui.UNSEEN} <= {family.split("_")[0] for family in gui.SEEN}


def test_same_arguments_give_the_same_bytes(episodes: Episodes) -> None:
    for key in list(episodes)[::11]:
        old, new = episodes[key], gui.episode(key[0], SIZE, *key[1:])
        assert (old.goal, old.steps, old.family) == (new.goal, new.steps, new.family)
        pictures = [*old.frames, *(a.frame for a in old.alternatives)]
        again = [*new.frames, *(a.frame for a in new.alternatives)]
        assert [p.tobytes() for p in pictures] == [p.tobytes() for p in again]
        for a, b in zip(old.states, new.states, strict=True):
            assert (a.progress, a.objects, a.boxes, a.facts) == (b.progress, b.objects, b.boxes, b.facts)
            assert np.array_equal(a.labels, b.labels)


@pytest.mark.parametrize("size", [56, 84, 112, 224])
def test_frames_are_square_rgb_pictures(size: int) -> None:
    episode = gui.episode(3, size, "maps_route", "seen")
    for frame in (*episode.frames, *(a.frame for a in episode.alternatives)):
        assert (frame.size, frame.mode) == ((size, size), "RGB")
    for state in episode.states:
        assert (state.labels.shape, state.labels.dtype) == ((size, size), np.uint8)


def test_unknown_family_is_refused() -> None:
    with pytest.raises(KeyError):
        gui.episode(0, SIZE, "contacts_sing", "seen")


def test_steps_fit_the_frames_and_are_short(episodes: Episodes) -> None:
    for key, episode in episodes.items():
        assert 8 <= len(episode.frames) == len(episode.steps) == len(episode.states) <= 12, key
        assert len(set(episode.steps)) == len(episode.steps), key
        texts = (episode.goal, *episode.steps, *(a.step for a in episode.alternatives))
        assert all(text and text[-1] not in ".?" and "{" not in text for text in texts), key
        assert max(len(text.split()) for text in texts[1:]) <= 9, key


def test_frames_and_alternatives_differ_by_sight(episodes: Episodes) -> None:
    for key, episode in episodes.items():
        frames = [signature(frame) for frame in episode.frames]
        assert min(change(a, b) for a, b in combinations(frames, 2)) > DISTINCT, key
        others = [signature(a.frame) for a in episode.alternatives]
        assert min(change(a, b) for a, b in product(others, frames)) > DISTINCT, key


def test_alternatives_belong_to_a_later_frame_and_say_something_else(episodes: Episodes) -> None:
    for key, episode in episodes.items():
        assert 2 <= len(episode.alternatives) <= 4, key
        for other in episode.alternatives:
            assert 0 < other.index < len(episode.frames), key
            assert other.step != episode.steps[other.index], (key, other.step)
        assert len({a.index for a in episode.alternatives}) >= 2, key


def test_progress_grows_and_no_two_states_are_equal(episodes: Episodes) -> None:
    for key, episode in episodes.items():
        progress = [state.progress for state in episode.states]
        assert (progress[0], progress[-1]) == (0, 1), key
        assert all(a < b for a, b in pairwise(progress)), key
        for a, b in combinations(episode.states, 2):
            assert a.objects != b.objects, key
            assert a.objects.keys() == b.objects.keys(), key


def test_labels_are_the_boxes(episodes: Episodes) -> None:
    for key, episode in episodes.items():
        for state in episode.states:
            assert state.boxes, key
            assert set(np.unique(state.labels)) == set(range(len(state.boxes) + 1)), key
            for k, (left, top, right, bottom) in enumerate(state.boxes.values(), 1):
                rows, columns = np.nonzero(state.labels == k)
                measured = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                assert measured == pytest.approx([v * SIZE for v in (left, top, right, bottom)]), key


def test_things_with_boxes_have_a_state(episodes: Episodes) -> None:
    always = {"the title bar", "the corner button"}
    for key, episode in episodes.items():
        for state in episode.states:
            assert set(state.boxes) - always <= set(state.objects), key


def test_facts_are_few_short_questions(episodes: Episodes) -> None:
    for key, episode in episodes.items():
        for state in episode.states:
            assert 3 <= len(state.facts) <= 6, key
            assert len({question for question, _ in state.facts}) == len(state.facts), key
            for question, answer in state.facts:
                assert question.endswith("?"), (key, question)
                assert 1 <= len(answer.split()) <= 4, (key, question, answer)


def test_facts_about_colours_and_looks_are_true_of_the_state(episodes: Episodes) -> None:
    for key, episode in episodes.items():
        paints = CHOICES[key[2]].paints
        for state in episode.states:
            facts = dict(state.facts)
            for question, answer in facts.items():
                if question.startswith("which colour has"):
                    assert answer in paints, (key, question)
            if "what does the finger touch?" in facts:
                assert state.objects["the finger"] == f"on {facts['what does the finger touch?']}", key
            if "which keyboard is open?" in facts:
                pad = facts["which keyboard is open?"]
                assert state.objects["the keyboard"] == ("closed" if pad == "none" else pad), key


def test_questions_recur_and_their_answers_vary(episodes: Episodes) -> None:
    answers: dict[str, list[str]] = {}
    for episode in episodes.values():
        for question, answer in (fact for state in episode.states for fact in state.facts):
            answers.setdefault(question, []).append(answer)
    frequent = {question: own for question, own in answers.items() if len(own) >= 20}
    assert len(frequent) >= 20
    total = sum(map(len, answers.values()))
    assert sum(map(len, frequent.values())) / total > 0.75
    always = [q for q, own in frequent.items() if max(map(own.count, set(own))) > 0.97 * len(own)]
    assert not always


def test_ten_looks_of_a_family_differ_by_seed() -> None:
    first = [gui.episode(seed, 56, "chat_send", "seen").frames for seed in range(10)]
    own = [[signature(frame) for frame in frames] for frames in first]
    for a, b in combinations(own, 2):
        assert min(change(x, y) for x, y in product(a, b)) > DISTINCT


def test_seen_and_unseen_share_no_choice() -> None:
    shared = [pool for pool in vars(kit).values() if isinstance(pool, dict) and set(pool) == set(LOOKS)]
    pools = [pool for pool in shared if isinstance(pool["seen"], tuple)]
    assert len(pools) >= 10
    for pool in pools:
        assert not set(pool["seen"]) & set(pool["unseen"])
    seen, unseen = CHOICES["seen"], CHOICES["unseen"]
    for name in ("fonts", "paints", "tiles", "patterns", "bodies", "lamps"):
        assert not set(getattr(seen, name)) & set(getattr(unseen, name)), name
    assert not set(seen.paints.values()) & set(unseen.paints.values())
    assert (seen.header, seen.switch, seen.finger) != (unseen.header, unseen.switch, unseen.finger)
    for name in ("corner", "tint", "tilt", "glow", "shade"):
        (low, high), (least, most) = getattr(seen, name), getattr(unseen, name)
        assert high < least or most < low, name


def test_a_theme_keeps_to_its_look() -> None:
    for seed, look in product(range(30), LOOKS):
        theme, choices = draw_theme(np.random.default_rng(seed), look), CHOICES[look]
        assert theme.main in choices.paints
        assert theme.font in choices.fonts
        assert theme.tile in choices.tiles
        assert choices.tilt[0] <= abs(theme.camera.angle) <= choices.tilt[1]


def test_languages_of_the_looks_are_disjoint() -> None:
    drawn = {
        look: {kit.draw_kit(np.random.default_rng(seed), look).language for seed in range(40)}
        for look in LOOKS
    }
    assert drawn == {"seen": set(LANGUAGES[:3]), "unseen": set(LANGUAGES[3:])}
    assert all(len(words) == len(LANGUAGES) and all(words) for words in WORDS.values())
