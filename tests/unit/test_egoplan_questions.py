"""Training records of SEED-Bench-R1 as questions with four answers."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.test_egoplan_records import level_3, published, read
from tpru.errors import ManifestError
from tpru.trajectories.egoplan_questions import questions
from tpru.trajectories.egoplan_records import EgoPlanRecord

WRONG = ["open drawer", "grab knife", "close drawer", "slice onion", "peel onion", "Grab onion", "Peel onion"]


def records(tmp_path: Path, count: int, **changes: Any) -> list[EgoPlanRecord]:
    many = [published(sample_id=k, negative_answers=WRONG, **changes) for k in range(count)]
    return read(tmp_path / "training.jsonl", *many)


def test_three_wrong_answers_and_the_right_one(tmp_path: Path) -> None:
    found = questions(records(tmp_path, 400), seed=0)
    assert (found[7].question_id, found[7].record.sample_id) == ("EpicKitchens/P07_113/7", "7")
    drawn: Counter[str] = Counter()
    for question in found:
        assert question.options["ABCD".index(question.answer)] == "grab onion"
        wrong = [text for text in question.options if text != "grab onion"]
        # "Grab onion" is the right answer once more, "Peel onion" a wrong one once more.
        assert len({text.casefold() for text in wrong} - {"grab onion"}) == 3
        drawn.update(text.casefold() for text in wrong)
    # 400 draws of 3 of 5 (240 each) and of one of 4 letters (100 each): within five deviations.
    assert all(abs(n - 240) < 49 for n in drawn.values())
    assert len(drawn) == 5
    letters = Counter(question.answer for question in found)
    assert all(abs(letters[letter] - 100) < 44 for letter in "ABCD")


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 9), st.permutations(range(6)))
def test_a_question_depends_on_seed_and_name_alone(
    tmp_path_factory: pytest.TempPathFactory, seed: int, order: list[int]
) -> None:
    found = records(tmp_path_factory.mktemp("q"), 6)
    straight = questions(found, seed)
    assert questions([found[k] for k in order], seed) == tuple(straight[k] for k in order)
    turned = [replace(record, negatives=record.negatives[::-1]) for record in found]
    assert [q.options for q in questions(turned, seed)] == [q.options for q in straight]


def test_other_seeds_ask_otherwise(tmp_path: Path) -> None:
    found = records(tmp_path, 30)
    assert [q.options for q in questions(found, 0)] != [q.options for q in questions(found, 1)]


def test_records_without_enough_wrong_answers(tmp_path: Path) -> None:
    few = published(negative_answers=["a", "A", "b", "Grab onion"])
    for record, number in ((few, 2), (level_3(), 0)):
        (found,) = read(tmp_path / "x.jsonl", record)
        with pytest.raises(ManifestError, match=rf"x\.jsonl, line 1: .*'negative_answers'.*found {number}"):
            questions([found], 0)
