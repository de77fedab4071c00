"""What is scored and compared of dense items, from hand-made items and predictions."""

import dataclasses

import pytest

from tests.unit.dense_report import SIMULATED, TEST, TRAIN, answers, variant
from tpru.errors import UpstreamError
from tpru.evaluation.statistics import holm
from tpru.grounding.results import DenseComparison, DenseResults, dense_results, part_of, questions
from tpru.grounding.scores import compare_grounding


@pytest.fixture(scope="module")
def results() -> DenseResults:
    return dense_results(TRAIN, TEST, answers(TEST), SIMULATED, n_resamples=300)


def named(results: DenseResults, a: str, b: str, part: str = "temporal") -> DenseComparison:
    (found,) = [
        c for c in results.comparisons if (c.model_a, c.model_b, c.part, c.dataset) == (a, b, part, "all")
    ]
    return found


def value(results: DenseResults, model: str, part: str, metric: str, dataset: str = "all") -> float:
    (row,) = [
        r
        for r in results.rows
        if (r.model, r.part, r.metric, r.dataset, r.level) == (model, part, metric, dataset, "all")
    ]
    return row.value


def test_every_part_has_rows_of_its_variants_and_guessers(results: DenseResults) -> None:
    models = {
        part: list(dict.fromkeys(r.model for r in results.rows if r.part == part))
        for part in ("temporal", "region", "mask", "tracked")
    }
    blind = ["guess_constant", "guess_words"]
    assert models == {
        "temporal": ["full", "temporal", "tasks", "text", *blind],
        "region": ["full", "region", "tasks", "text", *blind],
        "mask": ["full", "tasks", "text", *blind],
        "tracked": ["full", "tasks", "text", *blind, "guess_stay"],
    }
    assert results.simulated == ("robot", "gui")
    assert {r.level for r in results.rows} == {"all", "L1", "L3"}


def test_figures_are_those_of_the_answers(results: DenseResults) -> None:
    # "temporal" is right on 7 of 8 items of the simulators, and on 7 of 8 of the public dataset
    assert value(results, "temporal", "temporal", "R1@0.5") == 7 / 8
    assert value(results, "temporal", "temporal", "R1@0.5", "charades_sta") == 7 / 8
    assert value(results, "tasks", "mask", "J&F") == 1 / 8
    assert value(results, "full", "tracked", "J&F") == 1.0
    # what is followed leaves its first box at once
    assert value(results, "guess_stay", "tracked", "AO") == 0.0
    assigned = {r.assigned for r in results.rows if r.model == "text" and r.level == r.dataset == "all"}
    assert assigned == {2 / 8}


def test_tracked_masks_are_a_part_of_their_own() -> None:
    assert {part_of(item) for item in TEST if item.task == "mask"} == {"mask", "tracked"}
    assert all(bool(item.start) == (part_of(item) == "tracked") for item in TEST)


def test_comparisons_are_paired_and_have_verdicts(results: DenseResults) -> None:
    better = named(results, "full", "temporal")
    assert (better.question, better.n, better.level, better.verdict) == ("together", 8, "all", "not worse")
    assert (better.mean_a, better.mean_b, better.difference) == (1.0, 7 / 8, 1 / 8)
    assert named(results, "tasks", "temporal").verdict == "worse"
    assert named(results, "tasks", "temporal").high < 0
    # on L1 are the numbers 0, 1, 4 and 5: "text" knows two of the four, "full" all
    guessed = named(results, "full", "guess_words", "region")
    assert (guessed.question, guessed.level, guessed.n) == ("guessers", "L1", 4)
    choice = named(results, "full", "text", "mask")
    assert (choice.question, choice.verdict, choice.difference) == ("choices", "better", 6 / 8)
    assert named(results, "full", "tasks").question == "choices"


def test_a_comparison_is_the_one_of_compare_grounding(results: DenseResults) -> None:
    asked = [item for item in TEST if part_of(item) == "temporal"]
    ids = {item.item_id for item in asked}
    full, alone = ([p for p in answers(TEST)[name][1] if p.item_id in ids] for name in ("full", "temporal"))
    expected = compare_grounding(asked, full, alone, pooled=SIMULATED, n_resamples=300)[0]
    found = named(results, "full", "temporal")
    assert {k: getattr(found, k) for k in dataclasses.asdict(expected)} == dataclasses.asdict(expected)


def test_p_values_are_adjusted_within_a_question(results: DenseResults) -> None:
    for question in ("together", "guessers", "choices"):
        asked = [c for c in results.comparisons if c.question == question]
        assert len(asked) > 2
        assert [c.p_adjusted for c in asked] == holm([c.p_value for c in asked])


def test_what_is_compared_differs_in_one_thing() -> None:
    variants = {
        "detr": variant("temporal", "region"),
        "mlp": variant("region", "temporal", temporal_head="mlp"),
        "both": variant("temporal", "region", temporal_head="mlp", region_loss="mse"),
        "alone": variant("region"),
        "alone_mse": variant("region", region_loss="mse"),
    }
    asked = [q for q in questions(variants, "temporal") if q[0] != "guessers"]
    assert asked == [("choices", "all", "detr", "mlp")]
    # a set head for moments concerns no box; "both" answers boxes in another way than any task alone
    asked = [q for q in questions(variants, "region") if q[0] != "guessers"]
    assert asked == [
        ("together", "all", "detr", "alone"),
        ("choices", "all", "mlp", "both"),
        ("choices", "all", "alone", "alone_mse"),
    ]


def test_items_without_levels_are_compared_as_a_whole() -> None:
    plain = [dataclasses.replace(item, level="") for item in TEST]
    results = dense_results(TRAIN, plain, answers(plain), SIMULATED, n_resamples=50)
    guessed = named(results, "full", "guess_constant", "region")
    assert (guessed.level, guessed.n) == ("all", 8)


def test_answers_to_other_items_are_refused() -> None:
    given = answers(TEST[:-5])
    with pytest.raises(UpstreamError, match="do not match one to one"):
        dense_results(TRAIN, TEST, given, SIMULATED, n_resamples=50)


def test_nothing_asked_is_nothing_scored() -> None:
    assert dense_results(TRAIN, [], {}, SIMULATED) == DenseResults((), [], [])
