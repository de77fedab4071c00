"""Whether answers follow from their reasoning: completions labelled by hand, and rates counted by hand."""

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.builders import make_item
from tpru.evaluation.consistency import Verdict, conclusions, consistency_rows, reasoning, verdict
from tpru.evaluation.parsing import read_answer
from tpru.evaluation.statistics import wilson_interval
from tpru.records import NONE_OPTION, Item, Option, Prediction

NONE = Option("E", "none", NONE_OPTION)


def choice(item_id: str = "i0", answer: str = "B", group: str = "g0") -> Item:
    made = make_item(item_id, answer=answer, group=group)
    return replace(made, options=(*(Option(x, "image", f"f{x}") for x in "ABCD"), NONE))


def predict(item: Item, text: str) -> Prediction:
    parsed = read_answer(text, item)
    return Prediction(item.item_id, "m", "b", text, parsed, parsed == item.answer, 9)


PICTURES = choice()
ORDERS = replace(
    PICTURES,
    task="reordering",
    options=(
        *(Option(x, "permutation", o) for x, o in zip("ABCD", ("1234", "2413", "4321", "1243"), strict=True)),
        NONE,
    ),
)
WRITTEN = make_item(options=False, answer="BDAC")
C, I, U = "consistent", "inconsistent", "undecided"  # noqa: E741


@pytest.mark.parametrize(
    ("item", "thought", "answer", "expected"),
    [
        # What SFT teaches here.
        (PICTURES, "2: the cup was lifted. Then B: the cup was put on the plate.", "B", C),
        (PICTURES, "2: the cup was lifted. Then B: the cup was put on the plate.", "D", I),
        (PICTURES, "2: the cup was lifted. Before it A: the drawer was opened.", "A", C),
        (PICTURES, "2: the cup was lifted. Then no option: E.", "E", C),
        (PICTURES, "2: the cup was lifted. Then no option: E.", "B", I),
        (PICTURES, "At the end the tray is full, the description is about something else: E.", "E", C),
        (ORDERS, "2: it was opened. 4: it was filled. 1: it was shut. 3: it was taken away.", "B", C),
        (ORDERS, "2: it was opened. 4: it was filled. 1: it was shut. 3: it was taken away.", "A", I),
        (ORDERS, "3: one. 4: two. 1: three. 2: four. No option has this order: E.", "E", C),
        (ORDERS, "3: one. 4: two. 1: three. 2: four. No option has this order: E.", "C", I),
        (
            ORDERS,
            "2: one. 4: two. 1: three. 3: four. No option has this order: E.",
            "E",
            I,
        ),  # option B has it
        (WRITTEN, "B: one. D: two. A: three. C: four.", "BDAC", C),
        (WRITTEN, "B: one. D: two. A: three. C: four.", "DBAC", I),
        (WRITTEN, "B: one. D: two. A: three. A: four.", "BDAC", U),
        # What an earlier base model wrote.
        (PICTURES, "1: a. 2: b. 4: c. Missing 3: the walker opened the door. That is D.", "D", C),
        (PICTURES, "1: a. 2: b. 4: c. Missing 3: the walker opened the door. That is D.", "B", I),
        (ORDERS, "1: a. 2: b. 3: c. 4: d. In order: 2413.", "B", C),
        (ORDERS, "1: a. 2: b. 3: c. 4: d. In order: 2413.", "E", I),
        (ORDERS, "1: a. 2: b. 3: c. 4: d. In order: 3142.", "E", C),  # no option has it
        (ORDERS, "1: a. 2: b. 3: c. 4: d. In order: 1231.", "B", U),
        (ORDERS, "1: a. 2: b. 3: c. 4: d.", "A", U),  # gone through, not put in order
        # What large models write.
        (PICTURES, "The cup is on the plate in picture C, but not yet in A. So the answer is B.", "B", C),
        (PICTURES, "Could it be A? The answer is A. No, wait: the lid is open. The answer is C.", "C", C),
        (PICTURES, "Could it be A? The answer is A. No, wait: the lid is open. The answer is C.", "A", I),
        (PICTURES, "The missing step is option (D).", "D", C),
        (PICTURES, "Step 3 must be picture **B**, since the arm is raised", "B", C),
        (PICTURES, "Picture C comes next.", "C", C),
        (PICTURES, "Picture C comes next.", "D", I),
        (PICTURES, "Image D is the missing one", "D", C),
        (PICTURES, "Option B fits best because the drawer is shut.", "B", C),
        (PICTURES, "I would choose option A", "A", C),
        (PICTURES, "Therefore, C.", "C", C),
        (PICTURES, "Hence the correct option is: D", "D", C),
        (PICTURES, "None of the choices shows an open door.", "E", C),
        (PICTURES, "None of the choices shows an open door.", "A", I),
        (PICTURES, "The answer is B. But its lid is shut, so none of them is right.", "E", C),
        (PICTURES, "the answer is A cup on a plate", "A", C),  # a known slip: the article as a letter
        (PICTURES, "So a cup is lifted first and then put down.", "A", U),
        (PICTURES, "That is A cup.", "A", U),
        (PICTURES, "It is not B, since the door is open.", "C", U),
        (PICTURES, "Option B is wrong, A shows another room.", "C", U),
        (PICTURES, "The answer is F.", "B", U),
        (ORDERS, "Looking at pictures 1, 2, 3 and 4: first 2, the lid, and so on; 2 -> 4 -> 1 -> 3.", "B", C),
        (ORDERS, "Pictures 1, 2, 3 and 4 show a phone.", "A", U),
        (ORDERS, "So the correct order is 1, 2, 3, 4.", "A", C),
        (ORDERS, "So the correct order is 1, 2, 3, 4.", "B", I),
        (ORDERS, "The order 2413 is right, so the answer is C.", "C", I),  # C says something else
        (ORDERS, "The order 2413 is right, so the answer is B.", "B", C),
        (ORDERS, "Not 4321. The order is 2413.", "B", C),
        (WRITTEN, "B, then D, then A, and then C", "BDAC", C),
        (WRITTEN, "The order is A, C, B, D? No: B, D, A, C.", "BDAC", C),
        (WRITTEN, "The order is A, C, B, D? No: B, D, A, C.", "ACBD", I),
        (WRITTEN, "A BAD CAB stood there", "BDAC", U),
        # Nothing to judge.
        (PICTURES, "The answer is B.", "2", U),
        (PICTURES, "I see a cup.", "B", U),
        (PICTURES, "", "B", U),
        (PICTURES, "\u7b54\u6848\u662f B", "B", U),
    ],
)
def test_labelled_by_hand(item: Item, thought: str, answer: str, expected: Verdict) -> None:
    assert verdict(item, predict(item, f"<think>{thought}</think><answer>{answer}</answer>")) == expected


def test_only_the_reasoning_is_read() -> None:
    assert reasoning("<think>so\n\n B</think><answer>C</answer>") == "so B"
    assert reasoning("<think>one</think>between<think>two</think><answer>C</answer>") == "one two"
    assert reasoning("<think>a <think>b</think> c</think> d") == "a b c"
    assert reasoning("The answer is B.<answer>C</answer>") == "The answer is B."
    assert reasoning("<answer>C</answer> because") == ""
    assert reasoning("The answer is B.") == ""
    assert reasoning("<think>cut off, so B") == "cut off, so B"


def test_an_item_without_reject_option_has_no_none() -> None:
    item = replace(PICTURES, options=PICTURES.options[:4])
    assert conclusions("None of the choices fits.", item) == []


def test_rates_by_hand() -> None:
    """Six answers: right and consistent twice, right and not, wrong and consistent, wrong and not, unreadable."""
    texts = [
        "<think>So B.</think><answer>B</answer>",
        "<think>Picture B comes next.</think><answer>B</answer>",
        "<think>The answer is D.</think><answer>B</answer>",
        "<think>The answer is D.</think><answer>D</answer>",
        "<think>The answer is D.</think><answer>A</answer>",
        "<think>The answer is D.</think>",
    ]
    items = [choice(f"i{k}", group=f"g{k}") for k in range(6)]
    rows = consistency_rows(items, [predict(i, t) for i, t in zip(items, texts, strict=True)][::-1], "m", "b")
    found = {r.answers: (r.n, r.decided, r.consistent) for r in rows}
    assert found == {"all": (6, 5, 3), "right": (3, 3, 2), "wrong": (3, 2, 1)}
    for row in rows:
        interval = wilson_interval(row.consistent, row.decided)
        assert (row.rate, row.low, row.high) == (row.consistent / row.decided, interval.low, interval.high)


def test_nothing_decided_is_nothing_known() -> None:
    (row, *_) = consistency_rows([PICTURES], [predict(PICTURES, "")], "m", "b")
    assert (row.n, row.decided, row.rate, row.low, row.high) == (1, 0, 0.0, 0.0, 1.0)
    with pytest.raises(KeyError):
        consistency_rows([PICTURES], [], "m", "b")


@settings(deadline=None)
@given(st.text(alphabet="ABCDE1234 .:,isTheno->", max_size=80), st.sampled_from("ABCDE"))
def test_what_is_concluded_can_be_answered(text: str, answer: str) -> None:
    for item in (PICTURES, ORDERS):
        assert set(conclusions(text, item)) <= set("ABCDE")
        # With the conclusion as the answer it follows, unless letter and order speak of different options.
        for concluded in set(conclusions(text, item)):
            made = verdict(item, predict(item, f"<think>{text}</think><answer>{concluded}</answer>"))
            assert made == (C if len(set(conclusions(text, item))) == 1 else I)
    assert all(sorted(c) == list("ABCD") for c in conclusions(text, WRITTEN))


@pytest.mark.parametrize("unit", ["answer is ", "1, 2, ", "A: ", "so ", "*"])
def test_a_long_reasoning_takes_no_time(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    started = time.process_time()
    for item in (PICTURES, ORDERS, WRITTEN):
        conclusions(reasoning(f"<think>{text}</think>"), item)
    assert time.process_time() - started < 3.0
