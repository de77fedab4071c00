"""Lessons: true, about what lies on the table, and never one of the three tasks."""

import re
from collections import Counter
from functools import cache
from itertools import chain

import numpy as np
import pytest

from tests.unit.schoolroom import N_MOMENTS, SCENES, make_scene, moment
from tpru.records import NONE_OPTION
from tpru.synthesis.wording import CHOICE_FORM, ORDER_FORM
from tpru.training.schooling import lessons
from tpru.training.schooling.lessons import (
    COMPARISON,
    LABELS,
    MOST_TURNS,
    PICTURE,
    STAGES,
    Lesson,
    Stage,
    Turn,
    lesson,
    stage_at,
)

WORDS = [f"word{k}" for k in range(50)]
MOST = 7
TEMPLATES = {
    name: value
    for name, value in vars(lessons).items()
    if name.isupper() and isinstance(value, tuple) and all(isinstance(v, str) for v in value)
}
LISTED = re.compile(r"^(?:Picture |Screen |Step |Image )?(\w)(?:: |\. | )" + re.escape(PICTURE), re.MULTILINE)
# Words of the three tasks: to sort, to continue, to go back, to reject.
TASK_WORDS = re.compile(
    r"\border|\bsort|\bsequence|\bnext\b|\bprevious|\bfollow|\bpreced|\bnone\b|\bmissing|\bstart to end"
    r"|\bshuffle|\brandom|\bchoices?\b|\boptions?\b|\bprovided",
    re.IGNORECASE,
)


def stage_of(number: int) -> Stage:
    """Of every three lessons one is plain; the most pictures take turns."""
    return Stage(1 + number // 3 % MOST, plain=number % 3 == 2)


@cache
def drawn() -> tuple[Lesson, ...]:
    """Many lessons of every length, plain and rich."""
    return tuple(lesson(SCENES, np.random.default_rng(k), stage_of(k), WORDS) for k in range(4500))


def plain() -> tuple[Lesson, ...]:
    """The plain ones."""
    return drawn()[2::3]


@cache
def pictured() -> tuple[Lesson, ...]:
    """Those with pictures; the others are about words alone."""
    return tuple(made for made in drawn() if made.pictures)


@cache
def several() -> tuple[Lesson, ...]:
    """Lessons of the phase that compares more than two moments."""
    return tuple(lesson(SCENES, np.random.default_rng(k), COMPARISON, WORDS) for k in range(2000))


def turns(kind: str) -> list[tuple[Lesson, Turn]]:
    """Turns of a kind, with and without a thought; there must be some of both where both exist."""
    found = [(d, t) for d in drawn() for t in d.turns if t.kind.removesuffix("_thinking") == kind]
    assert len(found) > 20, kind
    return found


def labels_of(made: Lesson) -> list[str]:
    """Labels in the order of the pictures."""
    return LISTED.findall(made.opening)


def pattern(templates: tuple[str, ...], *inside: str) -> re.Pattern[str]:
    """Matches a question made from one of the templates, alone or with a request to think."""
    thinking = "|".join(map(re.escape, lessons.THINK))
    made = []
    for template in templates:
        text = re.escape(template)
        for k, part in enumerate(inside):
            text = text.replace(rf"\{{{k}\}}", f"({part})")
        for part in inside:
            text = text.replace(r"\{\}", f"({part})", 1)
        made.append(text)
    return re.compile(rf"(?:{'|'.join(made)})(?: (?:{thinking}))?")


def asked(question: str, templates: tuple[str, ...], *inside: str) -> list[str]:
    """What stands in the gaps of the template that a question was made from."""
    found = pattern(templates, *inside).fullmatch(question)
    assert found, question
    return [g for g in found.groups() if g is not None]


def compared(made: Lesson, turn: Turn) -> list[str]:
    """The labels of the two pictures that a question compares: named, or the only ones on the table."""
    if pattern(lessons.FIRST_OF_TWO + lessons.LAST_OF_TWO).fullmatch(turn.question):
        return labels_of(made)
    return asked(turn.question, lessons.EARLIER + lessons.LATER, r"\w", r"\w")


def said(turn: Turn) -> str:
    """The answer without tags and thought."""
    if not turn.kind.endswith("_thinking"):
        return turn.answer
    found = re.fullmatch(r"<think>.+</think><answer>(.+)</answer>", turn.answer)
    assert found, turn.answer
    return found.group(1)


def shown_at(made: Lesson, label: str) -> tuple[int, int]:
    """Scene and frame of the picture with a label."""
    return made.pictures[labels_of(made).index(label)]


# Nothing of the three tasks.


def test_no_wording_speaks_of_the_three_tasks() -> None:
    assert len(TEMPLATES) > 10
    for name, listed in TEMPLATES.items():
        for text in listed:
            assert not TASK_WORDS.search(text), (name, text)


def test_no_lesson_offers_to_reject_or_asks_in_the_form_of_a_task() -> None:
    for made in chain(drawn(), several()):
        for text in (made.opening, *chain.from_iterable((t.question, t.answer) for t in made.turns)):
            for phrase in (NONE_OPTION, ORDER_FORM, CHOICE_FORM):
                assert phrase not in text
            assert not TASK_WORDS.search(text), text


def test_no_answer_puts_labels_in_an_order() -> None:
    """Labels come alone, or in the order in which they stand; words to repeat are no question."""
    for made in chain(drawn(), several()):
        labels = labels_of(made)
        for turn in made.turns:
            if turn.kind.startswith("repeat"):
                assert turn.answer in turn.question
            elif turn.kind == "locate":
                assert len(turn.answer) == 1
            elif turn.kind in ("recall", "describe", "fact", "where", "far"):
                label, told = turn.answer.split(": ", 1)
                assert label in labels or "word" in told
                assert not re.search(rf"\b[{LABELS[1]}]\b", told)
            elif turn.kind.startswith("each"):
                told = re.findall(r"(\w)(?:: | shows | = )thing", turn.answer)
                assert told == labels
            elif turn.kind.startswith(("earlier", "extreme", "find", "stranger")):
                assert said(turn) in labels
            else:
                assert not re.search(rf"\b[{''.join(labels)}]\b", re.sub(r"\d+", "", said(turn)))


def test_a_question_about_several_pictures_asks_for_one_of_them() -> None:
    for made, turn in turns("earlier"):
        inside = compared(made, turn)
        assert len(inside) == len(set(inside)) == 2
    assert not any(t.kind.startswith("extreme") for d in drawn() for t in d.turns)
    for made, turn in extremes():
        assert said(turn) in counted(made, turn)[0]


# More than two moments compared.


def extremes() -> list[tuple[Lesson, Turn]]:
    """Questions which of several pictures came first, or last."""
    return [(d, t) for d in several() for t in d.turns if t.kind.startswith("extreme")]


def counted(made: Lesson, turn: Turn) -> tuple[list[str], bool]:
    """The labels among which a question asks, and whether for the last of them."""
    question, labels = turn.question, labels_of(made)
    for last, all_of, many in (
        (False, lessons.FIRST_OF_TWO, lessons.FIRST_OF_MANY),
        (True, lessons.LAST_OF_TWO, lessons.LAST_OF_MANY),
    ):
        if pattern(all_of).fullmatch(question):
            return labels, last
        named = pattern(many, r"\w(?:, \w)* and \w").fullmatch(question)
        if named:
            return re.findall(r"\b[A-H1-8]\b", next(g for g in named.groups() if g)), last
        left = tuple(a + b for a in lessons.LEFT_OUT for b in all_of)
        out = pattern(left, r"\w(?:(?:, \w)* and \w)?").fullmatch(question)
        if out:
            gone = re.findall(r"\b[A-H1-8]\b", next(g for g in out.groups() if g))
            assert set(gone) < set(labels)
            return [k for k in labels if k not in gone], last
    raise AssertionError(question)


def test_the_first_or_last_of_those_that_count_is_named() -> None:
    sizes: Counter[int] = Counter()
    lasts = 0
    for made, turn in extremes():
        among, last = counted(made, turn)
        order = sorted(among, key=lambda label: shown_at(made, label)[1])
        assert said(turn) == order[-1 if last else 0]
        sizes[len(among)] += 1
        lasts += last
        if turn.kind == "extreme_thinking":
            step = moment(*shown_at(made, said(turn)))
            assert turn.answer.startswith(f"<think>{said(turn)}: {step}.</think>")
    assert set(sizes) == set(range(2, MOST + 1))
    assert 0.25 < lasts / len(extremes()) < 0.35


def test_digits_and_letters_lie_on_one_table_only_where_several_are_compared() -> None:
    enough = [d for d in several() if len(d.pictures) > 2]
    both = [d for d in enough if len({k.isdigit() for k in labels_of(d)}) == 2]
    assert 0.2 < len(both) / len(enough) < 0.4
    for made in both:
        labels = labels_of(made)
        digits = sum(k.isdigit() for k in labels)
        assert labels == [*LABELS[0][:digits], *LABELS[1][: len(labels) - digits]]
        assert len(labels) - digits >= 2


# What lies on the table.


def test_every_picture_has_one_label_from_the_first_on() -> None:
    for made in drawn():
        assert made.opening.count(PICTURE) == len(made.pictures)
        labels = labels_of(made)
        assert labels in [list(kind[: len(made.pictures)]) for kind in LABELS]
        assert not any(PICTURE in t.question or PICTURE in t.answer for t in made.turns)


@pytest.mark.parametrize("most", range(1, MOST + 1))
def test_at_most_so_many_pictures_all_different(most: int) -> None:
    made = [lesson(SCENES, np.random.default_rng(k), Stage(most, k % 2 == 0), WORDS) for k in range(200)]
    assert {len(d.pictures) for d in made} - {0} == set(range(1, most + 1))
    assert all(len(set(d.pictures)) == len(d.pictures) for d in made)


def test_pictures_are_of_the_scenes_given_and_of_one_but_for_a_stranger() -> None:
    strangers = 0
    for made in drawn():
        assert all(0 <= s < len(SCENES) and 0 <= f < N_MOMENTS for s, f in made.pictures)
        counts = Counter(s for s, _ in made.pictures).most_common()
        others = {t.kind for t in made.turns}
        if len(counts) > 1:
            strangers += 1
            assert [n for _, n in counts[1:]] == [1]
            assert len({SCENES[s].scenario for s, _ in made.pictures}) == 1
            assert others <= {"stranger", "describe", "fact", "find", "find_thinking"}
        assert (len(counts) > 1) == ("stranger" in others)
    assert strangers > 50


def test_a_scene_without_its_like_has_no_stranger() -> None:
    alone = [make_scene(k) for k in range(4)]  # of four scenarios
    made = [lesson(alone, np.random.default_rng(k), Stage(MOST, False), WORDS) for k in range(300)]
    assert not [t for d in made for t in d.turns if t.kind == "stranger"]
    assert {len({s for s, _ in d.pictures}) for d in made} == {0, 1}


def test_goals_and_moments_are_those_of_the_scenes_given() -> None:
    goals = {s.goal for s in SCENES}
    steps = {step for s in SCENES for step in s.steps}
    for made in drawn():
        texts = [made.opening, *chain.from_iterable((t.question, t.answer) for t in made.turns)]
        for text in texts:
            assert set(re.findall(r"move thing \d+ around", text)) <= goals
            assert set(re.findall(r"thing \d+ reached place \d", text)) <= steps
        told = set(re.findall(r"move thing \d+ around", made.opening))
        assert told <= {SCENES[s].goal for s, _ in made.pictures}


def test_a_lesson_has_a_few_turns_and_all_kinds_occur() -> None:
    kinds = Counter(t.kind for d in drawn() for t in d.turns)
    assert {k.removesuffix("_thinking") for k in kinds} == {
        *(
            "describe",
            "fact",
            "where",
            "far",
            "each",
            "earlier",
            "find",
            "fits",
            "repeat",
            "stranger",
            "recall",
            "locate",
        ),
    }
    assert {"earlier_thinking", "find_thinking"} <= set(kinds)
    usual = set(range(2, MOST_TURNS + 1))
    strangers = [d for d in pictured() if "stranger" in {t.kind for t in d.turns}]
    assert {len(d.turns) for d in pictured() if d not in strangers} == usual
    assert {len(d.turns) for d in strangers} == {n + 1 for n in usual}
    assert {len(d.turns) for d in drawn() if d.turns[0].kind == "recall"} == usual
    assert {len(d.turns) for d in drawn() if d.turns[0].kind == "repeat"} == {1}


def test_one_picture_is_not_compared() -> None:
    alone = [d for d in drawn() if len(d.pictures) == 1]
    kinds = {t.kind.removesuffix("_thinking") for d in alone for t in d.turns}
    assert kinds == {"describe", "fact", "where", "far", "fits"}


def test_a_lesson_depends_on_its_generator_alone() -> None:
    for k in range(20):
        assert lesson(SCENES, np.random.default_rng(k), stage_of(k), WORDS) == drawn()[k]
    assert len(set(drawn())) > 4000


# Stages.


def test_lessons_grow_richer_and_begin_with_words_alone() -> None:
    stages = [stage_at(k / 100) for k in range(101)]
    shown = [s.most_pictures for s in stages]
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (0, MOST)
    assert [s.plain for s in stages] == sorted((s.plain for s in stages), reverse=True)
    assert not stages[-1].plain
    assert [stage_at(start) for start, _ in STAGES] == [stage for _, stage in STAGES]
    early = [lesson(SCENES, np.random.default_rng(k), stages[0], WORDS) for k in range(200)]
    assert not any(d.pictures for d in early)
    assert {t.kind for d in early for t in d.turns} == {"recall", "locate", "repeat"}


def test_a_plain_lesson_asks_in_one_way_and_holds_nothing_that_does_not_matter() -> None:
    kinds = {t.kind for d in plain() for t in d.turns}
    assert not {k for k in kinds if k.endswith("_thinking")} | {"stranger"} & kinds
    first = [templates[0] for name, templates in TEMPLATES.items() if name not in ("LABELS", "REPEAT")]
    ways = [
        re.escape(t).replace(r"\{\}", ".+").replace(r"\{0\}", ".+").replace(r"\{1\}", ".+") for t in first
    ]
    for made in plain():
        if made.pictures:
            lines = made.opening.splitlines()
            assert lines == [f"{label}: {PICTURE}" for label in labels_of(made)]
        for turn in made.turns:
            if turn.kind != "repeat":
                assert any(re.fullmatch(way, turn.question) for way in ways if way != ".+"), turn.question


def test_a_rich_lesson_has_goals_and_words_that_do_not_matter() -> None:
    rich = [d for k, d in enumerate(drawn()) if k % 3 != 2 and d.pictures]
    goals = sum(bool(re.search(r"move thing \d+ around", d.opening)) for d in rich)
    noise = sum(bool(re.search(r"^word", d.opening, re.MULTILINE)) for d in rich)
    assert 0.4 < goals / len(rich) < 0.6
    assert 0.3 < noise / len(rich) < 0.5


# Words alone.


def test_a_lesson_about_words_has_no_picture_and_asks_nothing_else() -> None:
    words = [d for d in drawn() if not d.pictures]
    assert 0.05 < len(words) / len(drawn()) < 0.2
    for made in words:
        assert PICTURE not in made.opening
        kinds = {t.kind for t in made.turns}
        assert kinds <= ({"recall", "locate"} if made.opening else {"repeat"})
    assert not {"recall", "locate", "repeat"} & {t.kind for d in pictured() for t in d.turns}


def test_words_are_recalled_by_their_label_and_labels_by_their_words() -> None:
    for made, turn in turns("recall") + turns("locate"):
        listed = [
            re.fullmatch(r"(?:Picture |Screen |Step |Image )?(\w)(?:: |\. | )(word.*)", line)
            for line in made.opening.splitlines()
        ]
        beside = {found.group(1): found.group(2) for found in listed if found}
        assert len(beside) == len(listed) >= 2
        if turn.kind == "locate":
            (words,) = asked(turn.question, lessons.FIND, r"word[\w ]+")
            assert beside[turn.answer] == words
        else:
            (label,) = asked(turn.question, lessons.DESCRIBE, r"\w")
            assert turn.answer == f"{label}: {beside[label]}."


# Answers are true.


def test_the_earlier_and_the_later_one_are_named() -> None:
    later = 0
    for made, turn in turns("earlier"):
        inside = compared(made, turn)
        wants_later = bool(
            pattern(lessons.LATER, r"\w", r"\w").fullmatch(turn.question)
            or pattern(lessons.LAST_OF_TWO).fullmatch(turn.question)
        )
        (scene_a, a), (scene_b, b) = (shown_at(made, label) for label in inside)
        assert scene_a == scene_b
        right = inside[a < b] if wants_later else inside[a > b]
        assert said(turn) == right
        later += wants_later
    # The plain third asks for the earlier one alone.
    assert 0.25 < later / len(turns("earlier")) < 0.45


def test_a_thought_tells_both_moments_in_the_order_of_time() -> None:
    for made, turn in turns("earlier"):
        if turn.kind == "earlier":
            continue
        inside = compared(made, turn)
        first, second = sorted(inside, key=lambda label: shown_at(made, label)[1])
        told = ", then ".join(f"{label}: {moment(*shown_at(made, label))}" for label in (first, second))
        assert turn.answer.startswith(f"<think>{told}.</think><answer>")


def test_what_is_to_be_found_is_in_the_picture_named() -> None:
    for made, turn in turns("find"):
        (step,) = asked(turn.question, lessons.FIND, r"thing \d+ reached place \d")
        assert moment(*shown_at(made, said(turn))) == step


def test_a_description_is_that_of_the_picture_asked_for() -> None:
    for made, turn in turns("describe"):
        (label,) = asked(turn.question, lessons.DESCRIBE, r"\w")
        assert turn.answer == f"{label}: {moment(*shown_at(made, label))}."


def test_a_list_describes_every_picture_behind_its_label() -> None:
    for made, turn in turns("each"):
        assert turn.question in lessons.EACH
        text = turn.answer.removeprefix("<think>").removesuffix("</think>")
        (mark,) = {m for m in (": ", " shows ", " = ") if m in text}
        pairs = zip(labels_of(made), made.pictures, strict=True)
        assert text == " ".join(f"{label}{mark}{moment(*shown)}." for label, shown in pairs)


def test_a_fact_is_one_of_the_picture_asked_about() -> None:
    for made, turn in turns("fact"):
        question = r"where is thing \d+\?"
        text = [*map(re.escape, lessons.ABOUT)]
        label = next(
            found.group(1)
            for t in text
            if (
                found := re.fullmatch(t.replace(r"\{0\}", r"(\w)").replace(r"\{1\}", question), turn.question)
            )
        )
        scene, frame = shown_at(made, label)
        assert f"thing {scene}?" in turn.question
        assert turn.answer == f"{label}: at place {frame}"


def test_a_moment_without_facts_is_described_instead() -> None:
    silent = [make_scene(k, facts=False) for k in range(8)]
    made = [lesson(silent, np.random.default_rng(k), Stage(MOST, False), WORDS) for k in range(300)]
    assert "fact" not in {t.kind for d in made for t in d.turns}


def test_how_far_it_is_follows_the_progress_of_the_picture() -> None:
    answers = set()
    for made, turn in turns("far"):
        (label,) = asked(turn.question, lessons.FAR, r"\w")
        scene, frame = shown_at(made, label)
        share = SCENES[scene].progress[frame]
        part = turn.answer.removeprefix(f"{label}: ")
        assert abs(lessons.PARTS.index(part) / 4 - share) <= 1 / 8 + 1e-9
        answers.add(part)
    assert answers == set(lessons.PARTS)


def test_a_goal_fits_where_it_is_that_of_the_scene_and_else_is_of_another_family() -> None:
    answers = Counter[str]()
    for made, turn in turns("fits"):
        (goal,) = asked(turn.question, lessons.FITS, r"move thing \d+ around")
        scene = SCENES[made.pictures[0][0]]
        (other,) = [s for s in SCENES if s.goal == goal]
        assert turn.answer == ("yes" if goal == scene.goal else "no")
        assert other.scenario == scene.scenario
        assert (other.family == scene.family) == (turn.answer == "yes")
        answers[turn.answer] += 1
    assert min(answers["yes"], answers["no"]) > 0.25 * answers.total()


def test_the_stranger_is_the_picture_of_the_other_scene() -> None:
    for made, turn in turns("stranger"):
        assert turn.question in lessons.STRANGE
        counts = Counter(s for s, _ in made.pictures)
        assert counts[shown_at(made, turn.answer)[0]] == 1


def test_words_come_back_as_they_were() -> None:
    for _, turn in turns("repeat"):
        (start,) = [s for s in lessons.REPEAT if turn.question.startswith(s)]
        assert turn.question == f"{start} {turn.answer}"


def test_a_place_is_told_by_the_part_of_the_picture_that_holds_its_middle() -> None:
    wide = {"far left": 0, "left": 1, "centre": 2, "right": 3, "far right": 4}
    found = set()
    for made, turn in turns("where"):
        (label,) = (x for x in labels_of(made) if turn.answer.startswith(f"{x}: "))
        scene, frame = made.pictures[labels_of(made).index(label)]
        ((name, (left, _, right, _)),) = SCENES[scene].places[frame]
        assert name in turn.question
        tall, column = turn.answer.removeprefix(f"{label}: ").split(" ", 1)
        assert tall == "middle"
        assert wide[column] == int(5 * (left + right) / 2)
        found.add(column)
    assert len(found) > 2


@pytest.mark.parametrize(
    ("at", "part"), [(0.0, "top"), (0.19, "top"), (0.2, "upper"), (0.99, "bottom"), (1.0, "bottom")]
)
def test_parts_share_the_picture_alike(at: float, part: str) -> None:
    assert lessons._part(lessons.TALL, at) == part
