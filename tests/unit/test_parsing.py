"""Reading answers: one rule, no guessing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.builders import make_item
from tpru.evaluation.parsing import option_letters, parse_answer, well_formed
from tpru.synthesis.wording import completion

CHOICE = "ABCDE"


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("<answer>C</answer>", "C"),
        ("<think>x</think><answer>C</answer>", "C"),
        ("<answer>c</answer>", "C"),
        ("<ANSWER>C</Answer>", "C"),
        ("<answer>  C\n</answer>", "C"),
        ("<answer>C.</answer>", "C"),
        ("<answer>(c).</answer>", "C"),
        ("<answer>[C]</answer>", "C"),
        ("<answer>'C'</answer>", "C"),
        ("<answer>**C**</answer>", "C"),
        ("<answer>A</answer> no, <answer>C</answer>", "C"),
        ("<think>maybe <answer>A</answer>?</think><answer>C</answer>", "C"),
        ("<answer>A<answer>C</answer>", "C"),
        ("<answer>C</answer> and <answer>A", "C"),
        ("<answer>C</answer> as I said", "C"),
        # Nothing to read.
        ("", ""),
        ("C", ""),
        ("The answer is C.", ""),
        ("<answer>C", ""),
        ("C</answer>", ""),
        ("<answer></answer>", ""),
        ("<answer> . </answer>", ""),
        ("<answer>F</answer>", ""),
        ("<answer>CD</answer>", ""),
        ("<answer>C or D</answer>", ""),
        ("<answer>option C</answer>", ""),
        ("<answer>3</answer>", ""),
        ("<answer>C</answer><answer>nonsense</answer>", ""),
        ("<think>C</think>", ""),
    ],
)
def test_a_letter_is_read_from_the_last_answer_tag(text: str, letter: str) -> None:
    assert parse_answer(text, CHOICE, 4) == letter


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("CABD", "CABD"),
        ("cabd", "CABD"),
        (" C A B D ", "CABD"),
        ("C, A, B, D", "CABD"),
        ("C,A,B,D.", "CABD"),
        ("C-A-B-D", "CABD"),
        ("C > A > B > D", "CABD"),
        ("C -> A -> B -> D", "CABD"),
        ("(C, A, B, D)", "CABD"),
        ("[C]\n", ""),
        ("CAB", ""),
        ("CABDE", ""),
        ("CABB", ""),
        ("CABE", ""),
        ("3124", ""),
        ("CABDCABD", ""),
        ("first C then ABD", ""),
    ],
)
def test_an_order_must_name_every_picture_once(text: str, order: str) -> None:
    assert parse_answer(f"<answer>{text}</answer>", "", 4) == order


def test_an_order_is_as_long_as_its_pictures() -> None:
    assert parse_answer("<answer>CAB</answer>", "", 3) == "CAB"
    assert parse_answer("<answer>CAB</answer>", "", 4) == ""
    assert parse_answer("<answer>HGFEDCBA</answer>", "", 8) == "HGFEDCBA"


def test_only_the_letters_of_the_item_are_answers() -> None:
    assert parse_answer("<answer>E</answer>", "ABCDE", 4) == "E"
    assert parse_answer("<answer>E</answer>", "ABC", 4) == ""


def test_option_letters_are_those_of_the_item() -> None:
    assert option_letters(make_item()) == "ABCDE"
    assert option_letters(make_item(options=False)) == ""


@settings(deadline=None)
@given(st.text(max_size=60), st.sampled_from(CHOICE))
def test_whatever_stands_before_it_the_last_tag_counts(before: str, letter: str) -> None:
    assert parse_answer(f"{before}<answer>{letter}</answer>", CHOICE, 4) == letter


@settings(deadline=None)
@given(st.text(alphabet=" ABCabc<>/answer.\n", max_size=40))
def test_what_is_read_is_an_option_or_nothing(text: str) -> None:
    assert parse_answer(text, CHOICE, 3) in {"", *CHOICE}
    order = parse_answer(text, "", 3)
    assert order == "" or sorted(order) == ["A", "B", "C"]


@pytest.mark.parametrize(
    "text",
    [
        "<think>reason</think><answer>C</answer>",
        "<think>two\nlines</think>\n<answer>C</answer>",
        "  <think>reason</think>  <answer>C</answer>\n",
        "<think>a < b and b > c</think><answer>C</answer>",
        "<think>reason</think><answer>CABD</answer>",
    ],
)
def test_a_thought_and_an_answer_are_well_formed(text: str) -> None:
    assert well_formed(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "C",
        "<answer>C</answer>",
        "<think>reason</think>",
        "<think></think><answer>C</answer>",
        "<think>reason</think><answer></answer>",
        "<answer>C</answer><think>reason</think>",
        "<think>reason</think> so <answer>C</answer>",
        "Well: <think>reason</think><answer>C</answer>",
        "<think>reason</think><answer>C</answer> done",
        "<think>reason</think><answer>C</answer><answer>C</answer>",
        "<think>reason</think><answer>C</answer> or D</answer>",
        "<think>reason</think><think>more</think><answer>C</answer>",
        "<think>reason</think><answer><think>more</think>C</answer>",
        "<think>it is <answer>C</answer></think><answer>C</answer>",
        "<think>reason<answer>C</answer></think><answer>D</answer>",
        "<think><think>reason</think></think><answer>C</answer>",
        "<think>reason</think><answer><answer>C</answer>",
        "<think>reason</think><answer>C",
        "<think>reason<answer>C</answer>",
        "<Think>reason</Think><answer>C</answer>",
    ],
)
def test_anything_else_is_not_well_formed(text: str) -> None:
    assert not well_formed(text)


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_characters="<>"), min_size=1, max_size=40).filter(str.strip),
    st.permutations("ABCD").map("".join) | st.sampled_from(CHOICE),
)
def test_what_is_taught_is_well_formed_and_read_back(reasoning: str, answer: str) -> None:
    target = completion(reasoning, answer)
    assert well_formed(target)
    assert parse_answer(target, CHOICE if len(answer) == 1 else "", 4) == answer
