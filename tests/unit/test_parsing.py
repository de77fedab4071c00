"""Reading answers: one rule, no guessing."""

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.builders import make_item
from tpru.evaluation.parsing import option_letters, parse_answer, read_answer, well_formed, without_reasoning
from tpru.records import NONE_OPTION, Item, Option
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


# Awkward completions. What an item offers decides: letters for pictures and the reject option, texts, orders.


def with_options(*contents: str, answer: str = "B") -> Item:
    """An item with text options; "" stands for a picture."""
    kinds = {"": "image", NONE_OPTION: "none"}
    options = tuple(
        Option(letter, kinds.get(text, "text"), text or f"f{letter}")
        for letter, text in zip("ABCDEFGH", contents, strict=False)
    )
    return replace(make_item(answer=answer), options=options)


PICTURES = with_options("", "", "", "", NONE_OPTION)
TEXTS = with_options("the plate", "the cup", "a cup", "the  Cup of tea", NONE_OPTION)
NUMBERS = with_options("4", "2", "1", "12")
ORDERS = with_options("1234", "2413", "4321", "1243", NONE_OPTION)
REPEATED = with_options("the cup", "the cup", "the plate")
WRITTEN = make_item(options=False, answer="BDAC")
DIGITS = make_item(options=False, answer="2413")


def tagged(text: str) -> str:
    return f"<think>I look.</think><answer>{text}</answer>"


@pytest.mark.parametrize(
    ("item", "text", "verdict"),
    [
        # Several answer tags, and tags inside the reasoning: the last one outside counts.
        (PICTURES, "<answer>A</answer><answer>B</answer>", "B"),
        (PICTURES, "<answer>B</answer><answer>A or B</answer>", ""),
        (PICTURES, "<think>say <answer>A</answer></think><answer>B</answer>", "B"),
        (PICTURES, "<answer>B</answer><think>or <answer>A</answer>?</think>", "B"),
        (PICTURES, "<think>say <answer>B</answer></think>", ""),
        (PICTURES, "<THINK>say <answer>B</answer></Think>", ""),
        (PICTURES, "<think>a <think>b</think> <answer>A</answer></think><answer>B</answer>", "B"),
        (PICTURES, "<think>a <think>b</think> <answer>B</answer></think>", ""),
        (PICTURES, "<think>never closed <answer>B</answer>", "B"),
        (PICTURES, "<think>a</think><think>never closed <answer>B</answer>", "B"),
        (PICTURES, "the template opened it</think><answer>B</answer>", "B"),
        (PICTURES, "<think>x</think><answer>B</answer></think>", "B"),
        (PICTURES, "<answer><think>x</think>B</answer>", "B"),
        # Tags that are not closed.
        (PICTURES, "<think>x</think><answer>B", ""),
        (PICTURES, "<think>x</think>B</answer>", ""),
        (PICTURES, "<answer>A</answer><answer>B", "A"),
        (PICTURES, "<answer>A<answer>B</answer>", "B"),
        # No tag at all, nothing at all.
        (PICTURES, "B", ""),
        (PICTURES, "The answer is B.", ""),
        (PICTURES, "\\boxed{B}", ""),
        (PICTURES, "", ""),
        (PICTURES, " \n\t", ""),
        (PICTURES, tagged(""), ""),
        (PICTURES, tagged(" \n "), ""),
        (PICTURES, tagged("..."), ""),
        # A letter and what may stand around it.
        (PICTURES, tagged("b"), "B"),
        (PICTURES, tagged("(B)"), "B"),
        (PICTURES, tagged("B)"), "B"),
        (PICTURES, tagged("B."), "B"),
        (PICTURES, tagged("B:"), "B"),
        (PICTURES, tagged("**B**"), "B"),
        (PICTURES, tagged("**B.**"), "B"),
        (PICTURES, tagged("[[B]]"), "B"),
        (PICTURES, tagged("\n\n  B\r\n"), "B"),
        (PICTURES, tagged('"B"'), "B"),
        (PICTURES, tagged("\u201cB\u201d"), "B"),
        (PICTURES, tagged("\uff22"), "B"),  # full width
        (PICTURES, tagged("\uff42"), "B"),  # full width, small
        (PICTURES, tagged("\uff08\uff22\uff09\u3002"), "B"),
        (PICTURES, tagged("\u24b7"), "B"),  # in a circle
        # More than a letter, or none that the item has.
        (PICTURES, tagged("AB"), ""),
        (PICTURES, tagged("A, B"), ""),
        (PICTURES, tagged("B B"), ""),
        (PICTURES, tagged("A or B"), ""),
        (PICTURES, tagged("not B"), ""),
        (PICTURES, tagged("option B"), ""),
        (PICTURES, tagged("Answer: B"), ""),
        (PICTURES, tagged("B, because it shows the cup"), ""),
        (PICTURES, tagged("F"), ""),
        (PICTURES, tagged("-"), ""),
        # Digits for letters.
        (PICTURES, tagged("2"), ""),
        (PICTURES, tagged("\u2461"), ""),
        (PICTURES, tagged("second"), ""),
        (NUMBERS, tagged("2"), "B"),
        (NUMBERS, tagged("\uff12"), "B"),
        (NUMBERS, tagged("12"), "D"),
        (NUMBERS, tagged("3"), ""),
        (NUMBERS, tagged("B. 2"), "B"),
        (NUMBERS, tagged("A. 2"), ""),
        # The reject option in words, where the item has one.
        (PICTURES, tagged("None of the choices provided"), "E"),
        (PICTURES, tagged("none of the choices provided."), "E"),
        (PICTURES, tagged(" None  of the\nchoices provided "), "E"),
        (PICTURES, tagged("E. None of the choices provided"), "E"),
        (PICTURES, tagged("(e) none of the choices provided"), "E"),
        (PICTURES, tagged("E None of the choices provided"), "E"),
        (PICTURES, tagged("A. None of the choices provided"), ""),
        (PICTURES, tagged("None of the above"), ""),
        (PICTURES, tagged("None"), ""),
        (PICTURES, "None of the choices provided", ""),
        (NUMBERS, tagged("None of the choices provided"), ""),
        (WRITTEN, tagged("None of the choices provided"), ""),
        # A letter and its text, or the text alone.
        (TEXTS, tagged("B. the cup"), "B"),
        (TEXTS, tagged("(B) the cup"), "B"),
        (TEXTS, tagged("B: The Cup."), "B"),
        (TEXTS, tagged("**B.** the cup"), "B"),
        (TEXTS, tagged("B - the cup"), ""),
        (TEXTS, tagged("the cup"), "B"),
        (TEXTS, tagged("THE CUP"), "B"),
        (TEXTS, tagged("the cup of tea"), "D"),
        (TEXTS, tagged("a cup"), "C"),  # the article is no letter
        (TEXTS, tagged("A cup"), "C"),
        (TEXTS, tagged("cup"), ""),
        (TEXTS, tagged("A. the cup"), ""),
        (TEXTS, tagged("Bthe cup"), ""),
        (PICTURES, tagged("B. the cup"), ""),
        (REPEATED, tagged("the cup"), ""),
        (REPEATED, tagged("B. the cup"), "B"),
        (ORDERS, tagged("2413"), "B"),
        (ORDERS, tagged("B. 2413"), "B"),
        (ORDERS, tagged("3412"), ""),
        # Another language.
        (PICTURES, tagged("\u7b54\u6848\u662fB"), ""),
        (PICTURES, tagged("\u0411"), ""),  # a Cyrillic letter
        (PICTURES, tagged("\u0412"), ""),  # one that only looks like B
        (PICTURES, tagged("die zweite"), ""),
        (WRITTEN, tagged("\uff22\u3001\uff24\u3001\uff21\u3001\uff23"), "BDAC"),
        # Orders.
        (WRITTEN, tagged("BDAC"), "BDAC"),
        (WRITTEN, tagged("bdac"), "BDAC"),
        (WRITTEN, tagged("B, D, A, C"), "BDAC"),
        (WRITTEN, tagged("B D A C"), "BDAC"),
        (WRITTEN, tagged("B->D->A->C"), "BDAC"),
        (WRITTEN, tagged("B \u2192 D \u2192 A \u2192 C"), "BDAC"),
        (WRITTEN, tagged("B-D-A-C"), "BDAC"),
        (WRITTEN, tagged("(B, D, A, C)."), "BDAC"),
        (WRITTEN, tagged("\uff22\uff24\uff21\uff23"), "BDAC"),
        (WRITTEN, tagged("B"), ""),
        (WRITTEN, tagged("BDA"), ""),
        (WRITTEN, tagged("BDAA"), ""),
        (WRITTEN, tagged("BDACB"), ""),
        (WRITTEN, tagged("BDACE"), ""),
        (WRITTEN, tagged("BDAC is wrong, ABDC"), ""),
        (WRITTEN, tagged("1, 2, 3, 4"), ""),
        (WRITTEN, tagged("first B, then D, A and C"), ""),
        (WRITTEN, tagged(""), ""),
        (DIGITS, tagged("2-4-1-3"), "2413"),
        (DIGITS, tagged("2413"), "2413"),
        (DIGITS, tagged("BDAC"), ""),
    ],
)
def test_the_verdict_on_an_awkward_completion(item: Item, text: str, verdict: str) -> None:
    assert read_answer(text, item) == verdict


LONG = 100_000


UNITS = [
    "x",
    "<",
    "<answer>",
    "</answer>",
    "<think>",
    "</think>",
    "<think></think>",
    "<answer>B",
    "B.",
    "<think><answer>",
    "<think",
    "</answer><answer>",
    "<answer></think>",
    "ﷺ",
]


@pytest.mark.parametrize("unit", [*UNITS, " ", "\n", "B "])
@pytest.mark.parametrize("item", [PICTURES, TEXTS, WRITTEN])
def test_a_completion_of_any_length_takes_no_time(item: Item, unit: str) -> None:
    """What grew with the square of the length would take minutes here."""
    text = (unit * LONG)[: 2 * LONG]
    started = time.process_time()
    for said in (text, f"<answer>{text}", f"{text}</answer>", f"<think>{text}</answer>", tagged(text)):
        assert read_answer(said, item) == ""
        assert not well_formed(said) or said == tagged(text)
    assert read_answer(text + tagged("B"), PICTURES) == "B"
    assert time.process_time() - started < 3.0


@settings(deadline=None)
@given(st.lists(st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "A", "B", "BDAC", " "])))
def test_what_is_read_never_depends_on_closed_thoughts(parts: list[str]) -> None:
    text = "".join(parts)
    for item in (PICTURES, WRITTEN):
        verdict = read_answer(text, item)
        assert verdict in ("", "A", "B", "BDAC")
        assert read_answer(f"<think>{without_reasoning(text)}</think>" + text, item) == verdict
    assert without_reasoning(without_reasoning(text)) == without_reasoning(text)


@settings(deadline=None)
@given(st.text(alphabet="<>/ABE.* \n", max_size=30), st.sampled_from("ABCDE"))
def test_letters_alone_are_read_as_the_reward_reads_them(noise: str, letter: str) -> None:
    for text in (f"{noise}<answer>{letter}</answer>", f"<answer>{noise}</answer>"):
        assert read_answer(text, PICTURES) == parse_answer(text, "ABCDE", 4)
