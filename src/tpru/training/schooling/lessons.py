"""Then language: questions about single moments and pairs of moments, in wordings of their own.

A lesson is a prompt with pictures in place and what to say. None of them puts three pictures in order,
asks which picture follows or precedes given ones, or offers to reject all choices: those are the tasks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tpru.training.schooling.scenes import Scene

Rng = np.random.Generator
Shown = tuple[int, int]  # scene, frame

PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
LABELS = ("12345678", "ABCDEFGH", "12345678", "ABCDEFGH", "abcdefgh")
NAMES = ("", "", "Picture ", "Screen ", "Step ", "Image ", "Frame ", "Photo ", "View ")
MARKS = (": ", ". ", ") ", " = ", " ", "\n")
DESCRIBE = (
    "What does this show?", "Describe it.", "What has just happened here?", "Name this moment.",
    "Say what is seen.", "What is going on?",
)  # fmt: skip
EACH = (
    "What do these show?", "Describe each.", "Name every moment.", "Tell them one by one.",
    "Go through all of them.", "Say what is seen in each.",
)  # fmt: skip
EARLIER = (
    "Which came first?", "Which one is earlier?", "Which was taken before the other?",
    "Name the earlier one.", "Where does it begin?",
)  # fmt: skip
LATER = (
    "Which came last?", "Which one is later?", "Which was taken after the other?",
    "Name the later one.", "Where does it end?",
)  # fmt: skip
FIND = (
    "Find this: {}.", "Which one shows this: {}?", "Where can one see that {}?", "Point to this: {}.",
)  # fmt: skip
STRANGE = ("Which one is from another place?", "Find the stranger.", "Which does not belong to the others?")
FITS = ("Is this being done: {}?", "Does this belong to: {}?", "Could the aim be: {}?")
FAR = ("How far along is it?", "How much is done?", "How near is the end?")
PARTS = ("nothing yet", "a little", "about half", "most of it", "all of it")
REPEAT = ("Repeat:", "Say after me:", "Write this again:")
GOALS = ("The aim: {}.", "Somebody wants to {}.", "What is to be done: {}.", "They {}.")
THINK = ("Think first.", "First inside think tags.", "Reason, then answer in tags.")


@dataclass(frozen=True)
class Lesson:
    """A prompt with one placeholder per picture, the pictures, and the answer."""

    kind: str
    prompt: str
    pictures: tuple[Shown, ...]
    answer: str


def lesson(scenes: list[Scene], rng: Rng, most_pictures: int, words: list[str]) -> Lesson:
    """One lesson of a random kind with at most ``most_pictures`` pictures."""
    kinds = [(make, share) for make, share, least in KINDS if least <= most_pictures]
    shares = np.array([share for _, share in kinds])
    make = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))][0]
    scene = int(rng.integers(len(scenes)))
    return make(scenes, scene, rng, most_pictures, words)


def _pick(rng: Rng, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _frames(scene: Scene, rng: Rng, count: int) -> list[int]:
    """Different frames of a scene in random order."""
    return [int(f) for f in rng.permutation(len(scene.steps))[:count]]


def _listed(rng: Rng, count: int) -> tuple[str, list[str]]:
    """The pictures one a line with labels, and the labels."""
    labels = list(_pick(rng, LABELS)[:count])
    name, mark = _pick(rng, NAMES), _pick(rng, MARKS)
    return "\n".join(f"{name}{label}{mark}{PICTURE}" for label in labels), labels


def _asked(scene: Scene, pictures: str, question: str, rng: Rng, words: list[str]) -> str:
    """Pictures and question in either order, often with a goal or words that do not matter around them."""
    parts = [pictures, question]
    if rng.random() < 0.25:
        parts.reverse()
    if rng.random() < 0.5:
        parts.insert(0, _pick(rng, GOALS).format(scene.goal))
    if rng.random() < 0.4:
        noise = " ".join(words[i] for i in rng.integers(len(words), size=int(rng.integers(2, 12))))
        parts.insert(int(rng.integers(len(parts) + 1)), noise)
    return "\n".join(parts)


def _answer(thought: str, said: str, rng: Rng) -> tuple[str, str]:
    """What is added to the question, and the answer with or without a thought before it."""
    if rng.random() < 0.5:
        return "", said
    return " " + _pick(rng, THINK), f"<think>{thought}</think><answer>{said}</answer>"


def describe(scenes: list[Scene], s: int, rng: Rng, most: int, words: list[str]) -> Lesson:
    """One picture, what it shows."""
    f = _frames(scenes[s], rng, 1)[0]
    prompt = _asked(scenes[s], PICTURE, _pick(rng, DESCRIBE), rng, words)
    return Lesson("describe", prompt, ((s, f),), f"{scenes[s].steps[f]}.")


def fact(scenes: list[Scene], s: int, rng: Rng, most: int, words: list[str]) -> Lesson:
    """One picture, one question about it."""
    f = _frames(scenes[s], rng, 1)[0]
    facts = scenes[s].facts[f]
    if not facts:
        return describe(scenes, s, rng, most, words)
    question, answer = facts[int(rng.integers(len(facts)))]
    return Lesson("fact", _asked(scenes[s], PICTURE, question, rng, words), ((s, f),), answer)


def far(scenes: list[Scene], s: int, rng: Rng, most: int, words: list[str]) -> Lesson:
    """One picture, how much of the task is done."""
    f = _frames(scenes[s], rng, 1)[0]
    part = PARTS[min(4, round(4 * scenes[s].progress[f]))]
    prompt = f"{_pick(rng, GOALS).format(scenes[s].goal)}\n{PICTURE}\n{_pick(rng, FAR)}"
    return Lesson("far", prompt, ((s, f),), part)


def each(scenes: list[Scene], s: int, rng: Rng, most: int, words: list[str]) -> Lesson:
    """Several pictures, what each shows, in the order in which they stand."""
    frames = _frames(scenes[s], rng, int(rng.integers(2, most + 1)))
    listed, labels = _listed(rng, len(frames))
    mark = _pick(rng, (": ", " shows ", " = "))
    said = " ".join(f"{k}{mark}{scenes[s].steps[f]}." for k, f in zip(labels, frames, strict=True))
    if rng.random() < 0.4:
        said = f"<think>{said}</think>"
    prompt = _asked(scenes[s], listed, _pick(rng, EACH), rng, words)
    return Lesson("each", prompt, tuple((s, f) for f in frames), said)


def earlier(scenes: list[Scene], s: int, rng: Rng, most: int, words: list[str]) -> Lesson:
    """Two moments of one scene: which came first, or last."""
    frames = _frames(scenes[s], rng, 2)
    listed, labels = _listed(rng, 2)
    wants_later = rng.random() < 0.5
    right = labels[(frames[0] < frames[1]) == wants_later]
    first, second = sorted(zip(frames, labels, strict=True))
    thought = f"{first[1]}: {scenes[s].steps[first[0]]}, then {second[1]}: {scenes[s].steps[second[0]]}."
    hint, said = _answer(thought, right, rng)
    question = _pick(rng, LATER if wants_later else EARLIER) + hint
    prompt = _asked(scenes[s], listed, question, rng, words)
    return Lesson("earlier", prompt, tuple((s, f) for f in frames), said)


def find(scenes: list[Scene], s: int, rng: Rng, most: int, words: list[str]) -> Lesson:
    """Several moments of one scene: which one shows what is said."""
    frames = _frames(scenes[s], rng, int(rng.integers(2, most + 1)))
    listed, labels = _listed(rng, len(frames))
    k = int(rng.integers(len(frames)))
    step = scenes[s].steps[frames[k]]
    hint, said = _answer(f"{labels[k]}: {step}.", labels[k], rng)
    prompt = _asked(scenes[s], listed, _pick(rng, FIND).format(step) + hint, rng, words)
    return Lesson("find", prompt, tuple((s, f) for f in frames), said)


def stranger(scenes: list[Scene], s: int, rng: Rng, most: int, words: list[str]) -> Lesson:
    """Moments of one scene and one of another: which is the other?"""
    shown = [(s, f) for f in _frames(scenes[s], rng, int(rng.integers(2, most)))]
    others = [
        i for i in rng.integers(len(scenes), size=8) if scenes[i].scenario == scenes[s].scenario and i != s
    ]
    if not others:
        return each(scenes, s, rng, most, words)
    k = int(rng.integers(len(shown) + 1))
    shown.insert(k, (others[0], _frames(scenes[others[0]], rng, 1)[0]))
    listed, labels = _listed(rng, len(shown))
    prompt = _asked(scenes[s], listed, _pick(rng, STRANGE), rng, words)
    return Lesson("stranger", prompt, tuple(shown), labels[k])


def fits(scenes: list[Scene], s: int, rng: Rng, most: int, words: list[str]) -> Lesson:
    """Moments of one scene: is this their goal?"""
    frames = _frames(scenes[s], rng, int(rng.integers(1, most + 1)))
    listed, _ = _listed(rng, len(frames))
    others = [i for i in rng.integers(len(scenes), size=8) if scenes[i].scenario == scenes[s].scenario]
    others = [i for i in others if scenes[i].family != scenes[s].family]
    right = rng.random() < 0.5 or not others
    goal = scenes[s].goal if right else scenes[others[0]].goal
    prompt = f"{listed}\n{_pick(rng, FITS).format(goal)}"
    return Lesson("fits", prompt, tuple((s, f) for f in frames), "yes" if right else "no")


def repeat(scenes: list[Scene], s: int, rng: Rng, most: int, words: list[str]) -> Lesson:
    """Words to be said again: every token gets an embedding that can be said with confidence."""
    said = " ".join(words[i] for i in rng.integers(len(words), size=int(rng.integers(2, 10))))
    labels = "".join(rng.permutation(list(_pick(rng, LABELS)[: int(rng.integers(2, 7))])))
    said = labels if rng.random() < 0.4 else said
    if rng.random() < 0.3:
        said = f"<think>{said}</think><answer>{labels[:1]}</answer>"
    return Lesson("repeat", f"{_pick(rng, REPEAT)} {said}", (), said)


Make = Callable[[list[Scene], int, Rng, int, list[str]], Lesson]
# Kind, its share, and the pictures that it needs at least.
KINDS: tuple[tuple[Make, float, int], ...] = (
    (describe, 1.0, 1), (fact, 1.0, 1), (far, 0.4, 1), (fits, 0.5, 1), (repeat, 0.5, 1),
    (earlier, 2.0, 2), (each, 1.5, 2), (find, 1.5, 2), (stranger, 0.5, 3),
)  # fmt: skip
