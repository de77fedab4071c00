"""How the tiny base is schooled: conversations as tokens, what is read off a tower, the loop, the card."""

import dataclasses
import math
import re
from copy import deepcopy
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from tests.unit.schoolroom import SCENES, make_scene, spot
from tests.unit.test_shared_prefix import parts
from tpru.config.compose import compose
from tpru.config.schema import ProcessorModel
from tpru.files import read_json
from tpru.models.loading import SHIPPED_BASE
from tpru.models.processor import CHAT_TEMPLATE, ImageTextProcessor, make_processor, train_tokenizer
from tpru.models.prompts import place
from tpru.models.tiny import tiny_model
from tpru.records import NONE_OPTION, SCENARIOS
from tpru.stages.processor import processor_of
from tpru.stages.tiny_base import corpus, features_of, match_scale, vocabulary_words
from tpru.synthesis.wording import CHOICE_FORM, ORDER_FORM
from tpru.training.logs import read_log
from tpru.training.schooling import scenes as scenes_module
from tpru.training.schooling import sight, speech
from tpru.training.schooling.card import model_card
from tpru.training.schooling.heads import lay_down_heads
from tpru.training.schooling.lessons import PICTURE, Lesson, Stage, Turn, lesson
from tpru.training.schooling.loop import FLOOR, WARMUP, rate, train_phase
from tpru.training.schooling.scenes import simulate

END = "<|im_end|>"


# Conversations as tokens.


@cache
def school() -> ImageTextProcessor:
    """A processor that knows the words of the scenes."""
    return make_processor(train_tokenizer(corpus(SCENES), 600), CHAT_TEMPLATE, 3136, 3136)


def image_token() -> int:
    return int(school().tokenizer.convert_tokens_to_ids("<|image_pad|>"))


def conversation(*pairs: tuple[str, str], pictures: int = 3) -> Lesson:
    opening = "\n".join(["They move it.", *(f"{k + 1}: {PICTURE}" for k in range(pictures))])
    shown = tuple((0, k) for k in range(pictures))
    return Lesson(opening, shown, tuple(Turn("describe", q, a) for q, a in pairs))


TWO_TURNS = conversation(
    ("What does 2 show?", "thing 0 reached place 1."),
    ("Which came first, 1 or 3?", "<think>1: this.</think><answer>1</answer>"),
)


def chat(made: Lesson, turns: int) -> str:
    """The conversation by the chat template, up to the answer of a turn (which is left out)."""
    messages = []
    for number, turn in enumerate(made.turns[:turns]):
        question = turn.question if number else f"{made.opening}\n{turn.question}"
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": turn.answer}]
    text: str = school().apply_chat_template(messages[:-1], add_generation_prompt=True, tokenize=False)
    return text


def without_pictures(ids: list[int]) -> str:
    """The text of token ids with one placeholder per picture."""
    text = school().tokenizer.decode(ids)
    return re.sub(r"(<\|image_pad\|>)+", "<|image_pad|>", text)


@pytest.mark.parametrize("grid", [(3, 3), (2, 4), (1, 1)])
def test_a_first_turn_stands_where_a_prompt_would(grid: tuple[int, int]) -> None:
    made = speech.encode(TWO_TURNS, school().tokenizer, image_token(), grid)
    tokens = school().tokenizer(chat(TWO_TURNS, 1))["input_ids"]
    ids, positions, after = place(tokens, image_token(), [grid] * 3)
    start, end = made.answers[0]
    assert start == len(ids)
    assert made.ids[:start] == ids
    assert made.positions[:start] == positions
    assert made.positions[start:end] == [(after + k,) * 3 for k in range(end - start)]
    assert made.ids.count(image_token()) == 3 * grid[0] * grid[1]


def test_a_conversation_reads_as_the_chat_template_writes_it() -> None:
    made = speech.encode(TWO_TURNS, school().tokenizer, image_token(), (2, 2))
    assert without_pictures(made.ids) == chat(TWO_TURNS, 2) + TWO_TURNS.turns[1].answer + END
    assert made.lesson is TWO_TURNS


def test_answers_are_the_stretches_that_hold_them_with_their_end() -> None:
    made = speech.encode(TWO_TURNS, school().tokenizer, image_token(), (2, 2))
    assert len(made.answers) == 2
    told = [school().tokenizer.decode(made.ids[start:end]) for start, end in made.answers]
    assert told == [turn.answer + END for turn in TWO_TURNS.turns]
    assert made.answers[-1][1] == len(made.ids)


def test_a_second_turn_counts_on_from_the_first_one() -> None:
    made = speech.encode(TWO_TURNS, school().tokenizer, image_token(), (2, 5))
    first_end = made.answers[0][1]
    last = made.positions[first_end - 1]
    rest = made.positions[first_end:]
    assert rest == [(last[0] + 1 + k,) * 3 for k in range(len(rest))]
    assert image_token() not in made.ids[first_end:]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_every_lesson_can_be_encoded(seed: int, grid: tuple[int, int]) -> None:
    drawn = lesson(SCENES, np.random.default_rng(seed), Stage(7, plain=False), ["some", "words"])
    made = speech.encode(drawn, school().tokenizer, image_token(), grid)
    assert len(made.ids) == len(made.positions)
    assert made.ids.count(image_token()) == len(drawn.pictures) * grid[0] * grid[1]
    texts = [t for i, t in zip(made.ids, made.positions, strict=True) if i != image_token()]
    assert all(a[0] == a[1] == a[2] for a in texts)
    assert all(a < b for a, b in pairwise(texts))
    told = [school().tokenizer.decode(made.ids[start:end]) for start, end in made.answers]
    assert told == [turn.answer + END for turn in drawn.turns]


def encoded(seed: int, pictures: int) -> tuple[speech.Encoded, speech.Features]:
    """A conversation for the tiny model of the tests, and features of its pictures."""
    p = parts()
    token = int(p.model.config.image_token_id)
    rng = np.random.default_rng(seed)
    stage = Stage(pictures, plain=False)
    while not (drawn := lesson(SCENES, rng, stage, ["some", "words"])).pictures:
        pass
    made = speech.encode(drawn, p.processor.tokenizer, token, (2, 3))
    width = p.model.get_input_embeddings().weight.shape[1]
    noise = torch.Generator().manual_seed(seed)
    return made, {shown: torch.randn(6, width, generator=noise) for shown in drawn.pictures}


def test_the_loss_of_a_batch_is_the_mean_over_the_answers_of_its_conversations() -> None:
    made = [encoded(seed, pictures) for seed, pictures in ((1, 1), (2, 3), (5, 4))]
    weights = [len(e.answers) for e, _ in made]
    with torch.no_grad():
        alone = [speech.lesson_loss(parts().model, [e], f) for e, f in made]
        features = {**made[0][1], **made[1][1], **made[2][1]}
        assert len(features) == sum(len(f) for _, f in made)
        loss, right = speech.lesson_loss(parts().model, [e for e, _ in made], features)
    expected = sum(w * float(one) for w, (one, _) in zip(weights, alone, strict=True)) / sum(weights)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert [len(r) for r in right] == [len(e.answers) for e, _ in made]


def test_a_conversation_about_words_alone_has_a_loss_too() -> None:
    words = conversation(("What does 2 show?", "a bird."), pictures=0)
    token = int(parts().model.config.image_token_id)
    made = speech.encode(words, parts().processor.tokenizer, token, (2, 3))
    assert made.positions == [(k, k, k) for k in range(len(made.ids))]
    other, features = encoded(2, 3)
    with torch.no_grad():
        alone, _ = speech.lesson_loss(parts().model, [made], {})
        both, right = speech.lesson_loss(parts().model, [other, made], features)
        one, _ = speech.lesson_loss(parts().model, [other], features)
    n, m = len(made.answers), len(other.answers)
    assert float(both) == pytest.approx((n * float(alone) + m * float(one)) / (n + m), rel=1e-4)
    assert len(right) == 2


def test_an_answer_is_right_when_all_of_its_tokens_are_the_most_probable_ones() -> None:
    made, features = encoded(3, 2)
    model = parts().model

    def told(wanted: list[int]) -> list[bool]:
        """Which answers are right for a model that says ``wanted`` whatever stands before."""
        scores = torch.full((len(wanted), 320), -10.0)
        scores[torch.arange(len(wanted)), torch.tensor(wanted)] = 10.0
        fake = SimpleNamespace(
            get_input_embeddings=model.get_input_embeddings,
            config=model.config,
            model=model.model,
            lm_head=lambda hidden: scores,
        )
        with torch.no_grad():
            return speech.lesson_loss(fake, [made], features)[1][0]

    tokens = [made.ids[k] for start, end in made.answers for k in range(start, end)]
    assert told(tokens) == [True] * len(made.answers)
    wrong = [*tokens[:-1], (tokens[-1] + 1) % 300]
    assert told(wrong) == [True] * (len(made.answers) - 1) + [False]


def test_pictures_change_what_is_said() -> None:
    made, features = encoded(3, 2)
    others = {shown: -f for shown, f in features.items()}
    with torch.no_grad():
        first, second = (speech.lesson_loss(parts().model, [made], f)[0] for f in (features, others))
    assert float(first) != pytest.approx(float(second), rel=1e-5)


# What linear readers learn to read off the tower.


def told_scenes() -> list[sight.Scene]:
    """Common words and answers, and some that occur in eleven moments: one too few."""
    common = [make_scene(k) for k in range(sight.LEAST_SEEN)]
    rare = dataclasses.replace(
        make_scene(90),
        steps=tuple(["a rare bird sang a rare song"] * 7 + ["nothing happened"]),
        facts=tuple([(("is it rare?", "very"), ("is it day?", "yes"))] * 7 + [()]),
    )
    again = dataclasses.replace(
        rare,
        steps=tuple(["a rare bird sang"] * 4 + ["nothing happened"] * 4),
        facts=tuple([(("is it day?", "yes"),)] * 4 + [(("is it day?", "no"),)] * 4),
    )
    many = dataclasses.replace(
        rare, facts=tuple([(("is it day?", "no"),)] * 8), steps=("nothing happened",) * 8
    )
    return [*common, rare, again, many]


def test_words_and_answers_are_kept_that_enough_moments_show() -> None:
    known = sight.vocabulary(told_scenes())
    assert {"thing", "reached", "place", "nothing", "happened"} <= set(known.words)
    # In eleven moments, twice in seven of them: a moment counts once.
    assert not {"rare", "bird", "sang", "song"} & set(known.words)
    assert ("is it day?", "no") in known.answers
    assert not {("is it day?", "yes"), ("is it rare?", "very")} & set(known.answers)
    assert sorted(known.words.values()) == list(range(len(known.words)))
    assert list(known.words) == sorted(known.words)


def test_the_answers_to_a_question_stand_side_by_side() -> None:
    scenes = [
        dataclasses.replace(make_scene(k), facts=((("b?", str(k % 3)), ("a?", "x"), ("c?", str(k % 2))),) * 8)
        for k in range(12)
    ]
    known = sight.vocabulary(scenes)
    assert known.answers == {
        ("a?", "x"): 0,
        **{("b?", str(k)): 1 + k for k in range(3)},
        **{("c?", str(k)): 4 + k for k in range(2)},
    }
    assert known.spans == {"a?": (0, 1), "b?": (1, 4), "c?": (4, 6)}


def test_targets_hold_what_a_moment_shows_and_which_questions_it_answers() -> None:
    scenes = told_scenes()
    known = sight.vocabulary(scenes)
    rare, again = len(scenes) - 3, len(scenes) - 2
    look = sight.Look([0, rare, again, again], [3, 0, 7, 0])
    wanted = sight.targets(scenes, look, known)
    shown = [{w for w, column in known.words.items() if row[column]} for row in wanted["words"]]
    # Numbers of places are in twelve moments at least, one of each common scene.
    assert shown == [
        {"thing", "0", "reached", "place", "3"},
        set(),
        {"nothing", "happened"},
        set(),
    ]
    column = known.answers[("is it day?", "no")]
    assert wanted["answers"][:, column].tolist() == [0, 0, 1, 0]
    # "yes" is too rare to be learned: that moment is not asked.
    assert wanted["asked"][:, column].tolist() == [0, 0, 1, 0]
    assert wanted["asked"].shape == wanted["answers"].shape == (4, len(known.answers))
    assert wanted["progress"].tolist() == pytest.approx([3 / 7, 0, 1, 0])


def test_targets_hold_where_things_are() -> None:
    scenes = told_scenes()
    known = sight.vocabulary(scenes)
    # Numbers of things are in one scene each, which is too few; what all names share is kept.
    assert known.names == {"the": 0, "thing": 1}
    bare = dataclasses.replace(scenes[1], places=((),) * 8)
    wanted = sight.targets([scenes[0], bare], sight.Look([0, 1, 0], [2, 0, 5]), known)
    assert wanted["of"].tolist() == [0, 2]
    torch.testing.assert_close(wanted["boxes"], torch.tensor([spot(2), spot(5)]))
    assert wanted["named"].tolist() == [[1, 1], [1, 1]]


def test_cells_share_a_box_by_what_they_show_of_it() -> None:
    inside, across = [0.1, 0.1, 0.3, 0.2], [0.25, 0.0, 0.75, 1.0]
    shares = sight.cells(torch.tensor([inside, across]), (2, 2))
    torch.testing.assert_close(shares, torch.tensor([[1.0, 0, 0, 0], [0.25] * 4]))
    wide = sight.cells(torch.tensor([[0.2, 0.5, 1.0, 1.0]]), (2, 3))
    third = 1 / 3
    expected = [0, 0, 0, (third - 0.2) / 0.8, third / 0.8, third / 0.8]
    torch.testing.assert_close(wide, torch.tensor([expected]))


def test_a_thing_is_found_where_its_name_looks() -> None:
    """With readers set by hand: the second word looks for what stands in the third token."""
    known = sight.Vocabulary({}, {}, {}, {"the": 0, "cube": 1})
    readers = sight.Readers(4, known)
    for layer in (readers.names, readers.things, readers.box):
        nn.init.zeros_(layer.bias)
    with torch.no_grad():
        readers.names.weight.copy_(torch.tensor([[0.0, 40.0], [0, 0], [0, 1], [0, 0]]))
        readers.things.weight.copy_(torch.eye(4))
        readers.box.weight.copy_(torch.tensor([[0.0, 0, 1, 0], [0, 0, 0, 0], [0, 0, -9, 0], [0, 0, -9, 0]]))
    seen = torch.tensor([[[0.0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 2, 0]]])
    logits, box = readers.find(seen, torch.tensor([[1.0, 1.0]]))
    assert logits.argmax().item() == 2
    middle = torch.sigmoid(torch.tensor(2.0)).item()
    assert box[0].tolist() == pytest.approx([middle, 0.5, middle, 0.5], abs=1e-3)


def test_several_moments_of_every_drawn_scene_are_looked_at() -> None:
    scenes = [make_scene(k, moments=8 if k % 2 else 3) for k in range(10)]
    look = sight.draw(scenes, 64, np.random.default_rng(0))
    assert len(look.scenes) == len(look.frames) == 64
    for start in range(0, 64, sight.FRAMES_PER_SCENE):
        (scene,) = set(look.scenes[start : start + sight.FRAMES_PER_SCENE])
        frames = look.frames[start : start + sight.FRAMES_PER_SCENE]
        assert all(0 <= f < len(scenes[scene].steps) for f in frames)
        assert scene % 2 == 0 or len(set(frames)) == len(frames)


def test_losses_of_sight_have_gradients_in_the_tower() -> None:
    visual = parts().model.model.visual
    known = sight.vocabulary(told_scenes())
    torch.manual_seed(0)
    readers = sight.Readers(32, known)
    look = sight.draw(told_scenes(), 8, np.random.default_rng(1))
    made = sight.losses(
        visual, readers, torch.randn(8, 16, 1176), (4, 4), look, sight.targets(told_scenes(), look, known)
    )
    assert set(made) == {"words", "answers", "progress", "order", "token", "box", "overlap", "order_right"}
    weight = visual.patch_embed.proj.weight
    for part in ("words", "order", "token", "box"):
        (gradient,) = torch.autograd.grad(made[part], [weight], retain_graph=True)
        assert gradient.abs().max() > 0, part
    assert 0 <= float(made["overlap"]) <= 1
    assert 0 <= float(made["order_right"]) <= 1
    assert not made["order_right"].requires_grad


# Heads that are laid down.


def attentions(tokens: Tensor) -> tuple[Tensor, ...]:
    """Attention of every layer (heads, to, from) of a model whose heads were laid down."""
    dims = compose("demo", []).tiny_base.dims
    model = tiny_model(dims, school(), seed=0)
    lay_down_heads(model)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        made = model.model.language_model(input_ids=tokens[None], output_attentions=True, use_cache=False)
    return tuple(a[0] for a in made.attentions)


def test_heads_of_the_first_layer_look_at_the_token_so_many_places_before() -> None:
    tokens = torch.from_numpy(np.random.default_rng(0).integers(20, 600, 60))
    first, places = attentions(tokens)[0], torch.arange(10, 60)
    for head, seen in enumerate(first):
        assert seen[places, places - head - 1].mean() > 0.7


def test_heads_of_the_second_layer_look_behind_the_same_token() -> None:
    tokens = torch.from_numpy(np.random.default_rng(1).permutation(np.arange(20, 300))[:24]).repeat(2)
    second, places = attentions(tokens)[1], torch.arange(26, 44)
    for head, seen in enumerate(second):
        behind = seen[places, places - 24 + head + 1].mean()
        assert behind > 5 * (1 - behind) / 40, "well above an even look at all tokens before"


# The loop.


@pytest.mark.parametrize("steps", [101, 500, 9000])
def test_the_rate_rises_and_then_falls_to_its_floor(steps: int) -> None:
    rates = [rate(step, steps) for step in range(1, steps + 1)]
    top = rates.index(max(rates)) + 1
    assert rates[0] == pytest.approx(1 / WARMUP, rel=0.01)
    assert all(a < b for a, b in pairwise(rates[:top]))
    assert all(a > b for a, b in pairwise(rates[top - 1 :]))
    assert top <= WARMUP
    assert rates[-1] == pytest.approx(FLOOR)
    assert 0 < max(rates) <= 1


def test_the_rate_is_half_a_cosine_after_the_warm_up() -> None:
    assert rate(500, 1000) == pytest.approx(FLOOR + (1 - FLOOR) / 2)
    assert rate(250, 1000) == pytest.approx(FLOOR + (1 - FLOOR) * (1 + math.sqrt(0.5)) / 2)


class Line(nn.Module):
    """Two parameters; the second one asks for no gradient in ``frozen``."""

    def __init__(self, frozen: bool = False) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.5))
        self.start = nn.Parameter(torch.tensor(-0.25), requires_grad=not frozen)

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * x + self.start


def fake_run(folder: Path, fingerprint: str = "abc") -> tuple[Any, list[tuple[dict[str, float], int]]]:
    """Stands in for a run, and what its tracker heard."""
    heard: list[tuple[dict[str, float], int]] = []
    tracker = SimpleNamespace(metrics=lambda values, step: heard.append((values, step)))
    return SimpleNamespace(folder=folder, tracker=tracker, fingerprint=lambda: fingerprint), heard


class CutError(Exception):
    """The power is gone."""


def schooled(folder: Path, module: Line, cut_at: int = 0, steps: int = 9, fingerprint: str = "abc") -> Line:
    """Train to the end, or up to a cut in the middle of an update."""

    def losses(step: int) -> dict[str, Tensor]:
        if step == cut_at:
            raise CutError
        x = torch.linspace(-1, 1, 5) + step / 10
        error = functional.mse_loss(module(x), 3 * x + 1)
        return {"error": error, "size": module.slope.abs() * 0.01, "watched": error.detach() * 100}

    run, _ = fake_run(folder, fingerprint)
    train_phase(run, "line", [module], losses, ("error", "size"), steps, 0.1, 3)
    return module


def weights(module: nn.Module) -> list[float]:
    return [p.item() for p in module.parameters()]


@pytest.mark.parametrize(("cut_at", "continues"), [(1, 0), (3, 0), (4, 3), (6, 3), (8, 6)])
def test_a_phase_that_was_cut_ends_with_the_same_weights_and_log(
    cut_at: int, continues: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = schooled(tmp_path / "whole", Line())
    with pytest.raises(CutError):
        schooled(tmp_path / "cut", Line(), cut_at)
    capsys.readouterr()
    again = schooled(tmp_path / "cut", Line())
    assert weights(again) == weights(whole)
    assert weights(whole) != weights(Line())
    logs = [read_log(tmp_path / name / "line.jsonl") for name in ("whole", "cut")]
    assert logs[0] == logs[1]
    assert [record["step"] for record in logs[0]] == list(range(1, 10))
    said = re.findall(r"continuing from \S+checkpoint-(\d+)", capsys.readouterr().out)
    assert said == ([str(continues)] if continues else [])


def test_a_finished_phase_is_loaded_and_not_trained_again(tmp_path: Path) -> None:
    whole = schooled(tmp_path, Line())
    assert weights(schooled(tmp_path, Line(), cut_at=1)) == weights(whole)


def test_another_configuration_does_not_continue_this_one(tmp_path: Path) -> None:
    schooled(tmp_path, Line())
    with pytest.raises(CutError):
        schooled(tmp_path, Line(), cut_at=1, fingerprint="other")


def test_one_checkpoint_is_kept_and_what_is_frozen_stays(tmp_path: Path) -> None:
    made = schooled(tmp_path, Line(frozen=True), steps=7)
    assert [p.name for p in tmp_path.glob("checkpoints/abc/line/*")] == ["checkpoint-7"]
    assert made.start.item() == -0.25
    assert made.slope.item() != 0.5


def test_parts_that_are_only_watched_are_logged_but_not_trained(tmp_path: Path) -> None:
    module = Line()
    run, heard = fake_run(tmp_path)

    def losses(step: int) -> dict[str, Tensor]:
        return {"error": module.slope**2, "watched": module.start**2 * 1000}

    train_phase(run, "line", [module], losses, ("error",), 4, 0.1, 2)
    assert module.start.item() == pytest.approx(-0.25, abs=1e-2)  # the decay of AdamW alone
    ((told, step),) = heard
    assert step == 4
    assert set(told) == {"line/error", "line/watched"}


# The stage around it.


def test_pictures_get_the_size_of_words_in_the_tower_too() -> None:
    model = deepcopy(parts().model)
    cut = [torch.randn(n, 16, 1176, generator=torch.Generator().manual_seed(n)) for n in (2, 3)]
    before = features_of(model, cut, 56)
    assert set(before) == {(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)}
    scaled = match_scale(model, before)
    assert set(scaled) == set(before)
    after = features_of(model, cut, 56)
    for shown, feature in scaled.items():
        torch.testing.assert_close(feature, after[shown], atol=1e-6, rtol=1e-4)
    sizes = [
        x.detach().pow(2).mean().sqrt()
        for x in (model.get_input_embeddings().weight, torch.cat(list(scaled.values())))
    ]
    torch.testing.assert_close(*sizes, atol=0, rtol=1e-4)
    # All by one number: nothing but the size changes.
    factor = scaled[(0, 0)][0, 0] / before[(0, 0)][0, 0]
    for shown, feature in before.items():
        torch.testing.assert_close(scaled[shown], feature * factor, atol=1e-6, rtol=1e-4)


def test_the_tokenizer_knows_the_words_of_the_tasks_but_learns_from_no_answer() -> None:
    texts = corpus(SCENES)
    whole = "\n".join(texts)
    for phrase in (NONE_OPTION, ORDER_FORM, CHOICE_FORM, *(s.goal for s in SCENES), *SCENES[5].steps):
        assert phrase in whole
    assert not re.search(r"<answer>\s*[A-Z]+\s*</answer>", whole)


def test_words_to_repeat_are_readable_tokens() -> None:
    words = vocabulary_words(school().tokenizer)
    assert len(words) > 100
    assert all(w and w == w.strip() and "\ufffd" not in w and "<|" not in w for w in words)


def test_scenes_come_from_seen_families_in_seen_environments_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Any] = []

    class Here:
        """A pool that only notes what it is to do."""

        def __init__(self, **_: Any) -> None: ...

        def __enter__(self) -> "Here":
            return self

        def __exit__(self, *_: Any) -> None: ...

        def map(self, work: Any, listed: list[Any], chunksize: int) -> list[Any]:
            assert work is scenes_module._one
            jobs.extend(listed)
            return []

    monkeypatch.setattr(scenes_module, "ProcessPoolExecutor", Here)
    assert simulate(SCENARIOS, 60, 1000, 56, 1) == []
    assert len(jobs) == 60 * len(SCENARIOS)
    for scenario in SCENARIOS:
        mine = [(family, seed, side) for name, family, seed, side in jobs if name == scenario]
        seen = import_module(f"tpru.simulators.{scenario}").SEEN
        assert mine == [(seen[i % len(seen)], 1000 + i, 56) for i in range(60)]


def test_a_scene_holds_what_the_simulator_knows_of_every_frame() -> None:
    (made,) = simulate(("gui",), 1, 5, 56, 1)
    n = len(made.steps)
    assert made.frames.shape == (n, 56, 56, 3)
    assert made.frames.dtype == np.uint8
    assert len(made.facts) == len(made.progress) == n
    assert (made.progress[0], made.progress[-1]) == (0, 1)
    assert made.family == import_module("tpru.simulators.gui").SEEN[0]
    assert len(made.places) == n
    assert sum(map(len, made.places)) > n
    for name, box in {shown for frame in made.places for shown in frame}:
        assert name
        assert 0 <= box[0] < box[2] <= 1
        assert 0 <= box[1] < box[3] <= 1
    assert any(made.facts)


def test_the_card_names_what_was_seen_and_none_of_what_was_not() -> None:
    config = compose("demo", []).tiny_base
    card = model_card(config, 5700, 300, {"describe": 0.5, "earlier": 0.875})
    assert card.startswith("---\nlicense: apache-2.0")
    for fact in ("5,700", "300", "| describe | 50.0% |", "| earlier | 87.5% |", f"{config.dims.hidden} x"):
        assert fact in card
    (line,) = re.findall(r"^- Families: (.+)\.$", card, re.MULTILINE)
    named = dict(part.split(": ") for part in line.split("; "))
    assert set(named) == set(SCENARIOS)
    for scenario, families in named.items():
        simulator = import_module(f"tpru.simulators.{scenario}")
        assert families.split(", ") == list(simulator.SEEN)
        assert not set(simulator.UNSEEN) & set(families.split(", "))
    assert "{" not in card


# The base that is shipped.


def test_the_shipped_base_has_the_sizes_of_the_configuration() -> None:
    dims = compose("demo", []).tiny_base.dims
    found = read_json(SHIPPED_BASE / "config.json")
    text, vision = found["text_config"], found["vision_config"]
    assert (text["hidden_size"], text["num_hidden_layers"]) == (dims.hidden, dims.layers)
    assert (text["num_attention_heads"], text["num_key_value_heads"]) == (dims.heads, dims.heads)
    assert text["vocab_size"] <= dims.vocabulary
    assert (vision["hidden_size"], vision["depth"]) == (dims.vision_hidden, dims.vision_depth)
    assert found["architectures"] == ["Qwen2_5_VLForConditionalGeneration"]


def test_the_shipped_base_comes_with_its_card() -> None:
    card = (SHIPPED_BASE / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0")
    episodes = re.search(r"schooled on ([\d,]+) simulated episodes", card)
    assert episodes, "the card of an interim base: run `make tiny_base`"
    made = compose("demo", []).tiny_base.episodes_per_scenario * len(SCENARIOS)
    assert int(episodes.group(1).replace(",", "")) == pytest.approx(made, rel=0.06), "but for those held out"


def test_the_processor_of_the_shipped_base_takes_the_configured_bounds() -> None:
    model = compose("demo", []).model
    shown = {k: getattr(model, k) for k in ("kind", "repo", "revision")}
    made = processor_of(SHIPPED_BASE, ProcessorModel(**shown, min_pixels=3136, max_pixels=12544))
    assert made.image_processor.size["shortest_edge"] == 3136
    assert made.image_processor.size["longest_edge"] == 12544
    assert made.chat_template == CHAT_TEMPLATE
    assert made.tokenizer.padding_side == "left"
    assert made.tokenizer.eos_token == END
    for letter in "ABCDE":
        assert len(made.tokenizer(letter)["input_ids"]) == 1
