"""Task tokens, heads and their losses; who receives gradients; that plain questions are left alone."""

import itertools
import math
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PeftModel, get_peft_model
from transformers import Qwen2_5_VLForConditionalGeneration

from tests.unit import dense
from tests.unit.test_shared_prefix import parts
from tpru.config.compose import compose
from tpru.config.tpo_schema import TpoLosses, TpoTraining, Trained
from tpru.grounding.masks import decode
from tpru.grounding.records import GROUNDING_TASKS, ChatItem, GroundingItem, GroundingTask
from tpru.grounding.wording import box_text, prompt_of, read_box, read_moment, written
from tpru.models.processor import ImageTextProcessor, make_processor, prompt_text
from tpru.models.prompts import Eyes, batch_prompts, encode_prompt
from tpru.models.shared_prefix import Sampling, sample
from tpru.models.task_heads.answering import Answerer, answer_grounding, from_text, respond
from tpru.models.task_heads.heads import Frames, Moments, TaskHeads, TaskHeadsConfig, corners, ends
from tpru.models.task_heads.losses import (
    box_only_loss,
    generalised_iou,
    mask_loss,
    match,
    region_loss,
    temporal_loss,
)
from tpru.models.task_heads.model import TaskModel, moments_of, part_of, region_mask, salient_of
from tpru.models.task_heads.reading import GroundingBook
from tpru.models.task_heads.tokens import INDICATING, LEARNABLE, TASK_TOKENS, add_task_tokens, token_ids
from tpru.training.tpo import adapter_config
from tpru.training.tpo_rows import Lesson, RowBook

LOSSES = TpoLosses(language=1.0, assignment=1.0, temporal=1.0, region=1.0, mask=1.0)
ALL: dict[Trained, float] = {
    "language": 1e-3, "tokens": 1e-3, "temporal": 1e-3, "region": 1e-3, "mask": 1e-3, "vision": 0.0,
}  # fmt: skip
LESSONS: tuple[Lesson, ...] = (
    dense.temporal(),
    dense.region(),
    dense.mask(),
    ChatItem("c0", "train", "g", ("a",), "what is this", "so it is"),
)
TASKS: list[GroundingTask] = list(GROUNDING_TASKS)


@cache
def training(method: str = "lora") -> TpoTraining:
    values = {**compose("demo", []).tpo.model_dump(), "method": method}
    return TpoTraining(**{key: values[key] for key in TpoTraining.model_fields})


@cache
def processor() -> ImageTextProcessor:
    """A processor of its own: it learns new tokens."""
    made = parts().processor
    return make_processor(deepcopy(made.tokenizer), made.chat_template, 3136, 3136)


@cache
def with_tokens() -> Any:
    model = deepcopy(parts().model)
    add_task_tokens(model, processor())
    return model.eval()


def plain() -> Any:
    """A fresh model that has the task tokens."""
    return deepcopy(with_tokens())


def heads(kind: str = "detr") -> TaskHeads:
    torch.manual_seed(1)
    return TaskHeads(
        TaskHeadsConfig(hidden_size=32, frame_size=64, mask_width=6, temporal_head=kind, temporal_width=32)
    )


def taught(
    rates: dict[Trained, float], asked: list[GroundingTask] = TASKS, method: str = "lora"
) -> tuple[TaskModel, RowBook]:
    torch.manual_seed(0)
    model = plain()
    language = get_peft_model(model, adapter_config(training(method), model, processor()))
    if method == "full":
        model.model.language_model.layers.requires_grad_(True)
    if rates["vision"] > 0:
        model.model.visual.requires_grad_(True)
    eyes = Eyes(model, processor(), dense.picture, frozen=rates["vision"] == 0.0)
    made = TaskModel(language, heads(), dense.PlainSegmenter(), eyes, dense.picture, LOSSES, "l1_giou", asked)
    made.train_at(rates)
    return made, RowBook(GroundingBook(processor(), eyes), processor(), True)


def gradients(rates: dict[Trained, float], lessons: tuple[Lesson, ...], **kwargs: Any) -> dict[str, float]:
    """By part, the largest gradient that these lessons send to it; parts that do not learn have none."""
    model, book = taught(rates, **kwargs)
    model.train()
    # The B matrices of fresh adapters are 0 and would hide what reaches the A matrices.
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight.data, std=0.05)
    model([book.row(lesson) for lesson in lessons])["loss"].backward()
    found: dict[str, float] = {}
    for name, weight in model.named_parameters():
        if weight.grad is not None:
            assert weight.requires_grad, name
            part = part_of(name)
            found[part] = max(found.get(part, 0.0), float(weight.grad.abs().max()))
    return {part: size for part, size in found.items() if size > 0}


# Tokens.


def test_the_tokens_are_single_and_start_as_the_mean_of_all_others() -> None:
    model = plain()
    tokenizer = processor().tokenizer
    assert (
        model.get_input_embeddings().weight.shape[0]
        == parts().model.get_input_embeddings().weight.shape[0] + 6
    )
    for token in TASK_TOKENS:
        assert len(tokenizer(token)["input_ids"]) == 1
    weight = model.get_input_embeddings().weight
    assert weight.shape[0] == len(tokenizer)
    mean = weight[: -len(TASK_TOKENS)].mean(0)
    torch.testing.assert_close(weight[-len(TASK_TOKENS) :], mean.expand(len(TASK_TOKENS), -1))
    assert model.get_output_embeddings().weight is weight, "still tied"


def test_tokens_are_added_once() -> None:
    model = plain()
    before = model.get_input_embeddings().weight.clone()
    add_task_tokens(model, processor())
    assert torch.equal(model.get_input_embeddings().weight, before)


def test_spare_rows_of_a_checkpoint_are_taken() -> None:
    """Qwen2.5-VL has more rows than tokens; a larger table would not fit its checkpoints."""
    model = deepcopy(parts().model)
    own = make_processor(deepcopy(parts().processor.tokenizer), parts().processor.chat_template, 3136, 3136)
    known = len(own.tokenizer)
    model.resize_token_embeddings(known + 50, mean_resizing=False)
    add_task_tokens(model, own)
    weight = model.get_input_embeddings().weight
    assert weight.shape[0] == known + 50
    torch.testing.assert_close(weight[known], weight[:known].mean(0))


def test_new_tokens_are_never_said_by_a_model_that_did_not_learn_them() -> None:
    """Their logits are the mean of all others, so the completions are those of the model without them."""
    model = plain()
    eyes = Eyes(model, processor(), dense.picture)
    old = Eyes(parts().model, parts().processor, dense.picture)
    end = parts().processor.tokenizer.eos_token_id
    how = Sampling(0.0, 12, end, ())
    for text, shown in (
        ("what is this", ()),
        ("<|vision_start|><|image_pad|><|vision_end|> which one", ("a",)),
    ):
        a = encode_prompt(text, shown, processor(), eyes)
        b = encode_prompt(text, shown, parts().processor, old)
        assert torch.equal(a.ids, b.ids)
        owner = torch.tensor([0])
        said = sample(model, batch_prompts([a], model, eyes), owner, how)
        assert said == sample(parts().model, batch_prompts([b], parts().model, old), owner, how)


# Losses against hand-made cases.


def test_generalised_iou_of_hand_made_boxes() -> None:
    a = torch.tensor([[0.0, 0.0, 0.5, 0.5]])
    assert float(generalised_iou(a, a)) == pytest.approx(1.0)
    # Beside each other with a gap of one half: union 0.25 + 0.25 of a hull of 1.5 x 0.5.
    b = torch.tensor([[1.0, 0.0, 1.5, 0.5]])
    assert float(generalised_iou(a, b)) == pytest.approx(0 - (0.75 - 0.5) / 0.75)
    # Half of it: IoU 0.5, and the hull is the union.
    c = torch.tensor([[0.0, 0.0, 0.5, 0.25]])
    assert float(generalised_iou(a, c)) == pytest.approx(0.5)
    spans = torch.tensor([[0.0, 0.5]]), torch.tensor([[0.25, 0.75]])
    assert float(generalised_iou(*spans)) == pytest.approx(1 / 3)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_generalised_iou_is_within_its_bounds(values: list[float]) -> None:
    x = torch.tensor(values).view(2, 2, 2).sort(dim=1).values.flatten(1) + torch.tensor([0.0, 0, 0.01, 0.01])
    value = float(generalised_iou(x[:1], x[1:]))
    assert -1.0 <= value <= 1.0 + 1e-6
    assert value == pytest.approx(float(generalised_iou(x[1:], x[:1])), abs=1e-6)


def test_the_two_region_losses() -> None:
    box, truth = torch.tensor([[0.0, 0.0, 0.5, 0.5]]), torch.tensor([[0.0, 0.0, 0.5, 0.25]])
    assert float(region_loss(box, truth, "mse")) == pytest.approx(0.25**2 / 4)
    assert float(region_loss(box, truth, "l1_giou")) == pytest.approx(2 * 0.25 / 4 + 0.2 * 0.5)


def test_matching_is_the_cheapest_of_all() -> None:
    generator = torch.Generator().manual_seed(0)
    spans = torch.rand(4, 2, generator=generator).sort(dim=1).values
    truth = torch.rand(3, 2, generator=generator).sort(dim=1).values
    rows, columns = match(spans, torch.zeros(4), truth)

    def cost(pairs: list[tuple[int, int]]) -> float:
        return sum(
            10 * float((spans[i] - truth[j]).abs().sum()) - float(generalised_iou(spans[i], truth[j]))
            for i, j in pairs
        )

    chosen = cost(list(zip(rows.tolist(), columns.tolist(), strict=True)))
    every = [cost(list(zip(order, range(3), strict=True))) for order in itertools.permutations(range(4), 3)]
    assert chosen == pytest.approx(min(every))


def test_a_perfect_set_of_moments_costs_nothing_but_doubt() -> None:
    truth = [torch.tensor([[0.0, 0.5], [0.75, 1.0]])]
    salient = torch.tensor([[1.0, 1.0, 0.0, 1.0]])
    shown = torch.ones(1, 4, dtype=torch.bool)
    spans = torch.tensor([[[0.75, 1.0], [0.2, 0.3], [0.0, 0.5]]])
    sure = torch.tensor([[9.0, -9.0, 9.0]])
    good = temporal_loss(Moments(spans, sure, 20 * salient - 10), truth, salient, shown)
    assert float(good) < 0.001
    worse = temporal_loss(Moments(spans + 0.1, sure, 20 * salient - 10), truth, salient, shown)
    assert float(worse) == pytest.approx(float(good) + 0.05 * (10 * 0.1 + 1 - _shifted()), abs=1e-3)
    doubtful = temporal_loss(Moments(spans, -sure, 20 * salient - 10), truth, salient, shown)
    assert float(doubtful) > float(good) + 0.5


def _shifted() -> float:
    """Mean generalised IoU of the two moments with themselves, moved by a tenth."""
    return (0.4 / 0.6 + 0.15 / 0.35) / 2


def test_mask_losses_fall_to_nothing_when_right_and_know_what_a_box_leaves_open() -> None:
    truth = torch.zeros(1, 4, 4)
    truth[:, 1:3, 1:3] = 1
    assert float(mask_loss(20 * truth - 10, truth)) < 0.01
    assert float(mask_loss(10 - 20 * truth, truth)) > 5
    assert float(box_only_loss(20 * truth - 10, truth)) < 0.01
    diagonal = torch.zeros(1, 4, 4)
    diagonal[0, 1, 1] = diagonal[0, 2, 2] = 1
    assert float(box_only_loss(20 * diagonal - 10, truth)) < 0.01, "it reaches all four sides"
    assert float(box_only_loss(torch.full((1, 4, 4), 10.0), truth)) > 0.2, "beyond the box"


# Heads.


def test_corners_and_ends() -> None:
    assert corners(torch.tensor([[0.5, 0.5, 0.2, 0.4]])).tolist() == [pytest.approx([0.4, 0.3, 0.6, 0.7])]
    assert ends(torch.tensor([[0.5, 0.4]])).tolist() == [pytest.approx([0.3, 0.7])]


@pytest.mark.parametrize("kind", ["detr", "mlp"])
def test_padding_of_frames_changes_nothing(kind: str) -> None:
    head = heads(kind).parts["temporal"].eval()
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, 3, 64, generator=generator)
    times = torch.tensor([[[0.0, 0.3], [0.3, 0.6], [0.6, 1.0]]])
    state = torch.randn(1, 32, generator=generator)
    alone = head(state, Frames(features, times, torch.ones(1, 3, dtype=torch.bool)))
    mask = torch.tensor([[True, True, True, False, False]])
    pad = torch.nn.functional.pad
    padded = head(state, Frames(pad(features, (0, 0, 0, 2), value=7.0), pad(times, (0, 0, 0, 2)), mask))
    torch.testing.assert_close(alone.spans, padded.spans)
    torch.testing.assert_close(alone.logits, padded.logits)
    torch.testing.assert_close(alone.saliency, padded.saliency[:, :3])


def test_heads_are_saved_and_loaded_by_ordinary_calls(tmp_path: Path) -> None:
    made = heads()
    made.save_pretrained(tmp_path)
    loaded = TaskHeads.from_pretrained(tmp_path)
    assert loaded.config.temporal_width == 32
    for (name, a), (other, b) in zip(made.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(a, b)


# What the labels of an item are.


def test_targets_of_a_moment() -> None:
    assert moments_of(dense.temporal()).tolist() == [pytest.approx([1 / 3, 2 / 3])]
    assert salient_of(dense.temporal()).tolist() == pytest.approx([0, 1, 0])
    judged = dense.temporal(saliency=((4.0, 0.0, 2.0), (2.0, -1.0, 2.0)), clip_s=1.0)
    assert salient_of(judged).tolist() == pytest.approx([3 / 4, 0, 2 / 4])


def test_the_mask_of_a_region() -> None:
    item = dense.mask()
    drawn = region_mask(item.regions[0].box, item.regions[0].mask, 28)
    assert torch.equal(drawn, region_mask(item.regions[0].box, b"", 28))
    assert float(drawn.mean()) == pytest.approx(0.25)
    assert float(region_mask((), b"", 28).sum()) == 0


# Words.


def test_written_labels_are_read_back() -> None:
    moment = read_moment(written(dense.temporal()))
    assert moment is not None
    assert (moment.start_s, moment.end_s) == (1.0, 2.0)
    assert read_box(written(dense.region())) == pytest.approx((0.25, 0.25, 0.75, 0.5))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3.0 s to 1.5 s", (1.5, 3.0)), ("from 2 to 4 s", (2, 4)), ("soon", None), ("2.0 s to 2.0 s", None)],
)
def test_moments_in_words(text: str, expected: tuple[float, float] | None) -> None:
    found = read_moment(text)
    assert (found and (found.start_s, found.end_s)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[10, 20, 30, 40]", (0.1, 0.2, 0.3, 0.4)),
        ("[30, 40, 10, 20]", (0.1, 0.2, 0.3, 0.4)),
        ("[0, 0, 200, 50]", (0.0, 0.0, 1.0, 0.5)),
        ("[10, 20, 10, 40]", None),
        ("10 20 30 40", None),
    ],
)
def test_boxes_in_words(text: str, expected: tuple[float, ...] | None) -> None:
    assert read_box(text) == (expected and pytest.approx(expected))


def test_a_prompt_shows_every_frame_with_its_time_and_asks() -> None:
    item = dense.temporal()
    blocks = prompt_of(item)
    assert [b.value for b in blocks if b.type == "image"] == ["a", "b", "c"]
    text = "".join(b.value for b in blocks if b.type == "text")
    assert [line.split(":")[0] for line in text.splitlines()[1:4]] == ["0", "1", "2"]
    assert item.query in text
    followed = prompt_of(dense.mask(start=(0.0, 0.0, 0.5, 0.5)))
    assert box_text((0.0, 0.0, 0.5, 0.5)) in followed[-1].value


def test_a_time_has_one_decimal_at_most() -> None:
    item = dense.temporal(times=(0.0, 2.5, 100.04))
    text = "".join(b.value for b in prompt_of(item) if b.type == "text")
    assert [line.split(":")[0] for line in text.splitlines()[1:4]] == ["0", "2.5", "100"]


def test_a_query_may_hold_the_marker_of_a_picture() -> None:
    item = dense.temporal(query="a page that says <image>")
    assert [b.value for b in prompt_of(item) if b.type == "image"] == ["a", "b", "c"]


def test_a_written_box_is_filled_where_masks_are_asked_for() -> None:
    found = from_text("m", dense.mask(), "[0, 0, 50, 50]", dense.picture)
    assert found.assigned
    assert [int(decode(r.mask).sum()) for r in found.regions] == [28 * 28] * 3
    assert not from_text("m", dense.mask(), "no idea", dense.picture).assigned


# Gradients: who is taught by whom.


@pytest.mark.parametrize("lesson", [0, 1, 2])
def test_the_loss_of_every_head_reaches_head_language_model_and_tokens(lesson: int) -> None:
    found = gradients({**ALL}, (LESSONS[lesson],))
    item = LESSONS[lesson]
    assert isinstance(item, GroundingItem)
    assert {item.task, "language", "tokens"} <= set(found)
    assert not {"temporal", "region", "mask"} - {item.task} & set(found), "no head of another task"


def test_a_head_teaches_the_language_model_beyond_the_token_that_names_the_task() -> None:
    """Without the loss of the indicating token what remains is the head's own."""
    for lesson in LESSONS[:3]:
        model, book = taught(ALL)
        assert isinstance(lesson, GroundingItem)
        losses = model([book.row(lesson)])
        losses[lesson.task].backward()
        reached = {
            part_of(n) for n, w in model.named_parameters() if w.grad is not None and w.grad.abs().max() > 0
        }
        assert reached == {lesson.task, "language", "tokens"}


def test_in_the_first_phase_no_head_is_asked() -> None:
    phase = compose("demo", []).tpo.phases["assignment"]
    found = gradients(dict(phase.learning_rates), LESSONS[:3], asked=[])
    assert set(found) == {"language", "tokens"}


@pytest.mark.parametrize("lesson", [0, 1, 2])
def test_without_adapters_all_language_layers_learn_and_the_new_rows(lesson: int) -> None:
    model, book = taught(ALL, method="full")
    model([book.row(LESSONS[lesson])])["loss"].backward()
    for name, weight in model.named_parameters():
        layer = ".layers." in name and "language_model" in name
        learns = layer or "trainable_tokens_delta" in name
        assert weight.requires_grad == (learns or name.startswith("heads.")), name
        if learns:
            assert weight.grad is not None, name
            assert weight.grad.abs().max() > 0, name
    merged = model.language.merge_and_unload()
    assert merged.get_input_embeddings().weight is merged.get_output_embeddings().weight


def test_what_has_no_learning_rate_gets_no_gradient() -> None:
    for frozen in ("language", "tokens", "temporal", "region", "mask"):
        rates: dict[Trained, float] = {**ALL, frozen: 0.0}  # type: ignore[dict-item]
        assert frozen not in gradients(rates, LESSONS)


def test_the_tower_learns_only_where_it_may() -> None:
    assert "vision" not in gradients(ALL, LESSONS)
    assert "vision" in gradients({**ALL, "vision": 1e-3}, LESSONS)


def test_old_rows_and_the_language_model_itself_never_learn() -> None:
    model, book = taught(ALL)
    model([book.row(lesson) for lesson in LESSONS])["loss"].backward()
    learned = [n for n, w in model.named_parameters() if w.grad is not None]
    assert all("lora_" in n or "trainable_tokens" in n or n.startswith("heads.") for n in learned)


def test_conversation_teaches_words_alone() -> None:
    model, book = taught(ALL)
    losses = model([book.row(LESSONS[3])])
    assert set(losses) == {"loss", "language"}
    losses["loss"].backward()
    assert all(w.grad is None for n, w in model.named_parameters() if n.startswith("heads."))


def test_losses_are_weighted() -> None:
    model, book = taught(ALL)
    model._losses = TpoLosses(language=0.0, assignment=0.0, temporal=2.0, region=3.0, mask=0.0)
    with torch.no_grad():
        found = model([book.row(lesson) for lesson in LESSONS])
    assert float(found["loss"]) == pytest.approx(2 * float(found["temporal"]) + 3 * float(found["region"]))


def test_rows_side_by_side_do_not_change_each_other() -> None:
    model, book = taught(ALL)
    with torch.no_grad():
        together = model([book.row(lesson) for lesson in LESSONS])
        alone = [model([book.row(lesson)]) for lesson in LESSONS]
    for task, losses in zip(GROUNDING_TASKS, alone, strict=False):
        assert float(together[task]) == pytest.approx(float(losses[task]), rel=1e-4)


def test_a_checkpoint_holds_what_is_trained_and_nothing_else(tmp_path: Path) -> None:
    model, _ = taught(ALL)
    kept = model.state_dict()
    assert set(kept) == {n for n, w in model.named_parameters() if w.requires_grad}
    other, _ = taught({**ALL, "region": 0.0})
    with pytest.raises(ValueError, match="region"):
        other.load_state_dict(kept)


# Answers.


def answerer(model: TaskModel) -> Answerer:
    merged = model.language.merge_and_unload()
    return Answerer(
        "m", merged, model.heads.eval(), dense.PlainSegmenter(), Eyes(merged, processor(), dense.picture),
        processor().tokenizer, token_ids(processor(), INDICATING), token_ids(processor(), LEARNABLE),
        dense.picture,
    )  # fmt: skip


@cache
def learned() -> TaskModel:
    model, book = taught(ALL)
    model.train()
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        model([book.row(lesson) for lesson in LESSONS])["loss"].backward()
        optimizer.step()
    return model.eval()


def overfitted() -> TaskModel:
    """A model that has learned its three questions by heart."""
    return deepcopy(learned())


def test_answers_of_a_model_that_learned_its_lessons_and_its_export(tmp_path: Path) -> None:
    model = overfitted()
    items = [lesson for lesson in LESSONS if isinstance(lesson, GroundingItem)]
    model.language.save_pretrained(str(tmp_path / "adapter"))
    model.heads.save_pretrained(tmp_path / "heads")
    made = answerer(model)
    book = GroundingBook(processor(), made.eyes)
    found = {p.item_id: p for p in answer_grounding(made, items, [book.prompt(i) for i in items])}
    assert all(p.assigned for p in found.values())
    best = found["t0"].moments[0]
    assert (best.start_s, best.end_s) == pytest.approx((1.0, 2.0), abs=0.3)
    assert [m.score for m in found["t0"].moments] == sorted(
        (m.score for m in found["t0"].moments), reverse=True
    )
    assert found["r0"].regions[0].box == pytest.approx((0.25, 0.25, 0.75, 0.5), abs=0.1)
    assert len(found["m0"].regions) == 3

    # The ordinary calls: a Qwen2.5-VL, a PEFT adapter on the base with its tokens, heads.
    made.model.save_pretrained(tmp_path / "merged")
    loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(tmp_path / "merged").eval()
    again = Answerer(
        **{
            **vars(made), "model": loaded, "heads": TaskHeads.from_pretrained(tmp_path / "heads").eval(),
            "eyes": Eyes(loaded, processor(), dense.picture),
        }
    )  # fmt: skip
    for one in answer_grounding(again, items, [book.prompt(i) for i in items]):
        known = found[one.item_id]
        assert one.assigned
        for a, b in zip(one.moments, known.moments, strict=True):
            assert (a.start_s, a.end_s, a.score) == pytest.approx((b.start_s, b.end_s, b.score), abs=1e-4)
        for c, d in zip(one.regions, known.regions, strict=True):
            assert c.box == pytest.approx(d.box, abs=1e-4)
            assert c.mask == d.mask
    adapted = PeftModel.from_pretrained(plain(), str(tmp_path / "adapter"))
    text = prompt_text(processor(), prompt_of(items[0]))
    eyes = Eyes(adapted.get_base_model(), processor(), dense.picture)
    prompts = [encode_prompt(text, items[0].frames, processor(), eyes)]
    with torch.no_grad():
        for base, own in ((adapted.get_base_model(), eyes), (loaded, again.eyes)):
            batch = batch_prompts(prompts, base, own)
            hidden = base.model.language_model(
                inputs_embeds=batch.embeds, attention_mask=batch.mask, position_ids=batch.positions
            ).last_hidden_state
            logits = base.lm_head(hidden[:, -1])
            assert int(logits.argmax()) == token_ids(processor(), INDICATING)["temporal"]


def test_with_the_adapter_off_the_model_is_the_one_before() -> None:
    model = overfitted()
    before = plain()
    ids = torch.tensor([processor().tokenizer("what is this then")["input_ids"]])
    with torch.no_grad(), model.language.disable_adapter():
        assert torch.equal(model.base(input_ids=ids).logits, before(input_ids=ids).logits)


def test_a_plain_question_is_answered_as_by_the_merged_model_alone() -> None:
    """Nothing is computed for heads, and the completion is that of ordinary sampling."""
    model = overfitted()
    made = answerer(model)
    prompt = encode_prompt(
        prompt_text(processor(), prompt_of(dense.region())) + "so", ("a",), processor(), made.eyes
    )
    end = processor().tokenizer.eos_token_id
    how = Sampling(0.0, 10, end, tuple(made.indicating.values()))
    calls = {"n": 0}
    made.model.model.language_model.register_forward_hook(lambda *_: calls.update(n=calls["n"] + 1))
    said = respond(made, [prompt], how)
    with_heads = calls["n"]
    calls["n"] = 0
    assert said == sample(made.model, batch_prompts([prompt], made.model, made.eyes), torch.tensor([0]), how)
    assert with_heads == calls["n"]


def test_numbers_of_a_region_are_finite_for_any_state() -> None:
    boxes = heads().parts["region"](torch.tensor(np.full((1, 32), 1e4), dtype=torch.float32))
    assert all(math.isfinite(v) for v in boxes.flatten().tolist())
