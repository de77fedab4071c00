"""Then language: conversations about single moments and which of several came first, in their own wordings.

A conversation shows a few pictures and asks several things about them. An answer about one of them names
its label first: looking up what follows a label just said is what a small model learns soonest. No question
puts three pictures in order, asks which picture follows or precedes given ones, or offers to reject all
choices: those are the tasks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tpru.records import DIGITS, LETTERS
from tpru.training.schooling.scenes import Scene

Rng = np.random.Generator
Shown = tuple[int, int]  # scene, frame

PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
LABELS = (DIGITS, LETTERS)
NAMES = ("", "", "Picture ", "Screen ", "Step ", "Image ")
MARKS = (": ", ": ", ". ", " ")
DESCRIBE = (
    "What does {} show?", "Describe {}.", "What has just happened in {}?", "Name the moment of {}.",
    "Say what is seen in {}.", "What is going on in {}?",
)  # fmt: skip
EACH = (
    "What do these show?", "Describe each.", "Name every moment.", "Tell them one by one.",
    "Go through all of them.", "Say what is seen in each.",
)  # fmt: skip
EARLIER = (
    "Which came first, {} or {}?", "Which one is earlier, {} or {}?", "{} or {}: which was taken before?",
    "Name the earlier one of {} and {}.", "Of {} and {}, which is closer to the beginning?",
)  # fmt: skip
FIRST_OF_TWO = (
    "Which came first?", "Which one is earlier?", "Which was taken before?", "Name the earlier one.",
    "Which is closer to the beginning?",
)  # fmt: skip
LAST_OF_TWO = (
    "Which came last?", "Which one is later?", "Which was taken after?", "Name the later one.",
    "Which is closer to the end?",
)  # fmt: skip
LATER = (
    "Which came last, {} or {}?", "Which one is later, {} or {}?", "{} or {}: which was taken after?",
    "Name the later one of {} and {}.", "Of {} and {}, which is closer to the end?",
)  # fmt: skip
FIRST_OF_MANY = (
    "Which of {} came first?", "Of {}, which one is the earliest?", "Name the earliest of {}.",
    "Compare {}: which was taken before the others?", "Which of {} is closest to the beginning?",
)  # fmt: skip
LAST_OF_MANY = (
    "Which of {} came last?", "Of {}, which one is the latest?", "Name the latest of {}.",
    "Compare {}: which was taken after the others?", "Which of {} is closest to the end?",
)  # fmt: skip
LEFT_OUT = ("Leave out {}. ", "Not counting {}: ", "Apart from {}. ", "Cover {}. ")
FIND = (
    "Find this: {}.", "Which one shows this: {}?", "Where can one see that {}?", "Point to this: {}.",
)  # fmt: skip
STRANGE = ("Which one is from another place?", "Find the stranger.", "Which does not belong to the others?")
FITS = ("Is this being done: {}?", "Does this belong to: {}?", "Could the aim be: {}?")
FAR = ("How far along is {}?", "How much is done in {}?", "How near is the end in {}?")
ABOUT = ("{1} ({0})", "In {0}: {1}", "{0}, {1}")
WHERE = (
    "In which part of {0} is {1}?", "{0}: {1} is in which part?", "Tell the part of {0} that has {1}.",
    "In {0}, where does one see {1}?",
)  # fmt: skip
# The parts of a picture, from its top left: where the middle of a thing is.
TALL = ("top", "upper", "middle", "lower", "bottom")
WIDE = ("far left", "left", "centre", "right", "far right")
PARTS = ("nothing yet", "a little", "about half", "most of it", "all of it")
REPEAT = ("Repeat:", "Say after me:", "Write this again:")
GOALS = ("The aim: {}.", "Somebody wants to {}.", "What is to be done: {}.", "They {}.")
THINK = ("Think first.", "First inside think tags.", "Reason, then answer in tags.")


MOST_TURNS = 4
WORDS_SHARE = 0.1
# Of the lessons with pictures those that show just two: to compare comes before to find and compare.
PAIR_SHARE = 0.3
LONGEST_REPEAT = 20


@dataclass(frozen=True)
class Stage:
    """How rich the lessons are: the most pictures of one (0: words alone), whether the wording is plain (no
    goals, no words that do not matter, one way to ask), and whether more than two moments are compared."""

    most_pictures: int
    plain: bool
    several: bool = False


# From which share of the schooling on. Copying and looking up by a label come first, on words: they are
# learned in minutes there and hardly at all on pictures. A model that can look up then learns to look, and
# with two pictures on the table to compare them.
STAGES: tuple[tuple[float, Stage], ...] = (
    (0.0, Stage(0, True)),
    (0.15, Stage(2, True)),
    (0.45, Stage(4, True)),
    (0.6, Stage(7, False)),
)
# The phase after those: what was learned about pairs, among many pictures.
COMPARISON = Stage(7, False, several=True)
LAST_SHARE = 0.3
MIXED_SHARE = 0.3


def stage_at(share: float) -> Stage:
    """The stage at this share of the schooling."""
    return next(stage for start, stage in reversed(STAGES) if share >= start)


@dataclass(frozen=True)
class Turn:
    """One question and its answer."""

    kind: str
    question: str
    answer: str


@dataclass(frozen=True)
class Lesson:
    """A conversation: the pictures with their labels, one placeholder each, and questions about them."""

    opening: str
    pictures: tuple[Shown, ...]
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Table:
    """What lies on the table: the pictures, their labels, and which of them is from another scene."""

    shown: tuple[Shown, ...]
    labels: tuple[str, ...]
    stranger: int | None
    plain: bool


def lesson(scenes: list[Scene], rng: Rng, stage: Stage, words: list[str]) -> Lesson:
    """A conversation about pictures of a random scene, or about words."""
    if not stage.most_pictures or rng.random() < WORDS_SHARE:
        return recall(rng, words, stage.plain)
    s = int(rng.integers(len(scenes)))
    scene = scenes[s]
    n = int(rng.integers(1, stage.most_pictures + 1))
    if stage.most_pictures > 1 and rng.random() < PAIR_SHARE:
        n = 2
    frames = rng.permutation(len(scene.steps))[:n]
    shown = [(s, int(f)) for f in frames]
    stranger = None
    if len(shown) > 2 and not stage.plain and rng.random() < 0.12:
        stranger = _invite(scenes, s, shown, rng)
    labels = _labels(rng, len(shown), stage.several)
    listed = _listed(labels, [PICTURE] * len(labels), rng, stage.plain)
    table = Table(tuple(shown), tuple(labels), stranger, stage.plain)
    offered = SEVERAL if stage.several else KINDS
    kinds = [(make, share) for make, share, least in offered if least <= len(shown)]
    if stranger is not None:
        kinds = [(make, share) for make, share in kinds if make in (describe, fact, find)]
    shares = np.array([share for _, share in kinds])
    chosen = rng.choice(len(kinds), size=int(rng.integers(2, MOST_TURNS + 1)), p=shares / shares.sum())
    turns = [kinds[i][0](scenes, table, rng) for i in chosen]
    if stranger is not None:
        asked = Turn("stranger", _pick(rng, STRANGE), labels[stranger])
        turns.insert(int(rng.integers(len(turns) + 1)), asked)
    opening = listed if stage.plain else _around(scene, listed, rng, words)
    return Lesson(opening, tuple(shown), tuple(turns))


def _labels(rng: Rng, n: int, several: bool) -> list[str]:
    """The first ``n`` digits or letters; where many are compared now and then digits, then letters."""
    labels = list(_pick(rng, LABELS)[:n])
    if several and n > 2 and rng.random() < MIXED_SHARE:
        digits = int(rng.integers(1, n - 1))
        labels = [*LABELS[0][:digits], *LABELS[1][: n - digits]]
    return labels


def _listed(labels: list[str], texts: list[str], rng: Rng, plain: bool) -> str:
    """Labelled texts, one a line."""
    name, mark = ("", ": ") if plain else (_pick(rng, NAMES), _pick(rng, MARKS))
    return "\n".join(f"{name}{label}{mark}{text}" for label, text in zip(labels, texts, strict=True))


def recall(rng: Rng, words: list[str], plain: bool) -> Lesson:
    """No pictures: words to be said again, or labelled words and questions about them."""
    if rng.random() < 0.5:
        return Lesson("", (), (repeat(rng, words),))
    n = int(rng.integers(2, 8))
    labels = list(_pick(rng, LABELS)[:n])
    said = [_words(rng, words, 1, 4) for _ in labels]
    turns = []
    for k in rng.permutation(n)[:MOST_TURNS]:
        if rng.random() < 0.5:
            question = _ask(rng, DESCRIBE, plain).format(labels[k])
            turns.append(Turn("recall", question, f"{labels[k]}: {said[k]}."))
        else:
            turns.append(Turn("locate", _ask(rng, FIND, plain).format(said[k]), labels[k]))
    return Lesson(_listed(labels, said, rng, plain), (), tuple(turns))


def _words(rng: Rng, words: list[str], least: int, most: int) -> str:
    """At least ``least`` and fewer than ``most`` random words."""
    return " ".join(words[i] for i in rng.integers(len(words), size=int(rng.integers(least, most))))


def _ask(rng: Rng, ways: tuple[str, ...], plain: bool) -> str:
    """One way to ask; plainly the first."""
    return ways[0] if plain else _pick(rng, ways)


def _invite(scenes: list[Scene], s: int, shown: list[Shown], rng: Rng) -> int | None:
    """Put a picture of another scene of the same world in place of one; return its place."""
    others = [int(i) for i in rng.integers(len(scenes), size=8) if i != s]
    others = [i for i in others if scenes[i].scenario == scenes[s].scenario]
    if not others:
        return None
    place = int(rng.integers(len(shown)))
    shown[place] = (others[0], int(rng.integers(len(scenes[others[0]].steps))))
    return place


def _pick(rng: Rng, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _around(scene: Scene, listed: str, rng: Rng, words: list[str]) -> str:
    """The pictures, often with a goal or words that do not matter before or behind them."""
    parts = [listed]
    if rng.random() < 0.5:
        parts.insert(0, _pick(rng, GOALS).format(scene.goal))
    if rng.random() < 0.4:
        parts.insert(int(rng.integers(len(parts) + 1)), _words(rng, words, 2, 10))
    return "\n".join(parts)


def _thinking(turn: Turn, thought: str, rng: Rng) -> Turn:
    """Half of the time the answer comes in tags, behind a thought."""
    if rng.random() < 0.5:
        return turn
    said = f"<think>{thought}</think><answer>{turn.answer}</answer>"
    return Turn(turn.kind + "_thinking", f"{turn.question} {_pick(rng, THINK)}", said)


def _step(scenes: list[Scene], shown: Shown) -> str:
    return scenes[shown[0]].steps[shown[1]]


def describe(scenes: list[Scene], table: Table, rng: Rng) -> Turn:
    """What one of the pictures shows."""
    k = int(rng.integers(len(table.shown)))
    question = _ask(rng, DESCRIBE, table.plain).format(table.labels[k])
    return Turn("describe", question, f"{table.labels[k]}: {_step(scenes, table.shown[k])}.")


def fact(scenes: list[Scene], table: Table, rng: Rng) -> Turn:
    """A question about one of the pictures."""
    k = int(rng.integers(len(table.shown)))
    scene, frame = table.shown[k]
    facts = scenes[scene].facts[frame]
    if not facts:
        return describe(scenes, table, rng)
    question, answer = facts[int(rng.integers(len(facts)))]
    asked = _ask(rng, ABOUT, table.plain).format(table.labels[k], question)
    return Turn("fact", asked, f"{table.labels[k]}: {answer}")


def far(scenes: list[Scene], table: Table, rng: Rng) -> Turn:
    """How much of the task is done in one of the pictures."""
    k = int(rng.integers(len(table.shown)))
    scene, frame = table.shown[k]
    part = PARTS[min(4, round(4 * scenes[scene].progress[frame]))]
    return Turn("far", _ask(rng, FAR, table.plain).format(table.labels[k]), f"{table.labels[k]}: {part}")


def where(scenes: list[Scene], table: Table, rng: Rng) -> Turn:
    """In which part of one of the pictures a thing is."""
    k = int(rng.integers(len(table.shown)))
    scene, frame = table.shown[k]
    places = scenes[scene].places[frame]
    if not places:
        return describe(scenes, table, rng)
    thing, (left, top, right, bottom) = places[int(rng.integers(len(places)))]
    part = f"{_part(TALL, (top + bottom) / 2)} {_part(WIDE, (left + right) / 2)}"
    asked = _ask(rng, WHERE, table.plain).format(table.labels[k], thing)
    return Turn("where", asked, f"{table.labels[k]}: {part}")


def _part(names: tuple[str, ...], at: float) -> str:
    """The name of the part of [0, 1] that holds ``at``."""
    return names[min(len(names) - 1, int(at * len(names)))]


def each(scenes: list[Scene], table: Table, rng: Rng) -> Turn:
    """What every picture shows, in the order in which they stand."""
    mark = ": " if table.plain else _pick(rng, (": ", " shows ", " = "))
    pairs = zip(table.labels, table.shown, strict=True)
    said = " ".join(f"{label}{mark}{_step(scenes, shown)}." for label, shown in pairs)
    return Turn(
        "each", _ask(rng, EACH, table.plain), f"<think>{said}</think>" if rng.random() < 0.4 else said
    )


def earlier(scenes: list[Scene], table: Table, rng: Rng) -> Turn:
    """Which of two pictures of one scene came first, or last."""
    i, j = (int(k) for k in rng.permutation(len(table.shown))[:2])
    before, after = sorted((i, j), key=lambda k: table.shown[k][1])
    # Both from the start would cancel: which pictures to look at depends on the word.
    wants_later = not table.plain and rng.random() < 0.5
    if len(table.shown) == 2 and rng.random() < 0.7:
        question = _ask(rng, LAST_OF_TWO if wants_later else FIRST_OF_TWO, table.plain)
    else:
        named = _ask(rng, LATER if wants_later else EARLIER, table.plain)
        question = named.format(table.labels[i], table.labels[j])
    turn = Turn("earlier", question, table.labels[after if wants_later else before])
    if table.plain:
        return turn
    told = (f"{table.labels[k]}: {_step(scenes, table.shown[k])}" for k in (before, after))
    return _thinking(turn, ", then ".join(told) + ".", rng)


def extreme(scenes: list[Scene], table: Table, rng: Rng) -> Turn:
    """Which of several pictures of a scene came first, or last: of those named, or of those not left out."""
    size = len(table.shown)
    counted = sorted(int(k) for k in rng.permutation(size)[: int(rng.integers(2, size + 1))])
    wants_last = rng.random() < LAST_SHARE
    plainly = LAST_OF_TWO if wants_last else FIRST_OF_TWO
    if len(counted) == size:
        question = _pick(rng, plainly)
    elif rng.random() < 0.6:
        left = [table.labels[k] for k in rng.permutation(size) if k not in counted]
        question = _pick(rng, LEFT_OUT).format(_together(left)) + _pick(rng, plainly)
    else:
        named = [table.labels[k] for k in counted]
        question = _pick(rng, LAST_OF_MANY if wants_last else FIRST_OF_MANY).format(_together(named))
    asked = sorted(counted, key=lambda k: table.shown[k][1])[-1 if wants_last else 0]
    turn = Turn("extreme", question, table.labels[asked])
    return _thinking(turn, f"{turn.answer}: {_step(scenes, table.shown[asked])}.", rng)


def _together(labels: list[str]) -> str:
    """A, B and C."""
    return " and ".join(filter(None, (", ".join(labels[:-1]), labels[-1])))


def find(scenes: list[Scene], table: Table, rng: Rng) -> Turn:
    """Which picture shows what is said."""
    k = int(rng.integers(len(table.shown)))
    step = _step(scenes, table.shown[k])
    turn = Turn("find", _ask(rng, FIND, table.plain).format(step), table.labels[k])
    return turn if table.plain else _thinking(turn, f"{table.labels[k]}: {step}.", rng)


def fits(scenes: list[Scene], table: Table, rng: Rng) -> Turn:
    """Whether a goal is that of the pictures."""
    scene = scenes[table.shown[0][0]]
    others = [scenes[i] for i in rng.integers(len(scenes), size=8)]
    others = [o for o in others if o.scenario == scene.scenario and o.family != scene.family]
    right = rng.random() < 0.5 or not others
    goal = scene.goal if right else others[0].goal
    return Turn("fits", _ask(rng, FITS, table.plain).format(goal), "yes" if right else "no")


def repeat(rng: Rng, words: list[str]) -> Turn:
    """Words to be said again: every token gets an embedding that can be said with confidence."""
    labels = "".join(rng.permutation(list(_pick(rng, LABELS)[: int(rng.integers(2, 7))])))
    said = labels if rng.random() < 0.2 else _words(rng, words, 3, LONGEST_REPEAT)
    if rng.random() < 0.3:
        said = f"<think>{said}</think><answer>{labels[:1]}</answer>"
    return Turn("repeat", f"{_pick(rng, REPEAT)} {said}", said)


Make = Callable[[list[Scene], Table, Rng], Turn]
# Kind, its share, and the pictures that it needs at least.
KINDS: tuple[tuple[Make, float, int], ...] = (
    (describe, 1.5, 1), (fact, 1.0, 1), (where, 1.2, 1), (far, 0.3, 1), (fits, 0.3, 1),
    (earlier, 2.5, 2), (each, 0.7, 2), (find, 1.5, 2),
)  # fmt: skip
SEVERAL: tuple[tuple[Make, float, int], ...] = (
    (describe, 1.0, 1), (fact, 0.7, 1), (where, 0.8, 1), (far, 0.3, 1), (fits, 0.2, 1),
    (earlier, 1.5, 2), (extreme, 4.0, 3), (each, 0.3, 2), (find, 1.0, 2),
)  # fmt: skip
