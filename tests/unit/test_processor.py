"""Tokenizer, chat template and picture processor of the tiny model, as every stage uses them."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.unit.builders import jpeg, make_item, png, scene
from tpru.models.processor import (
    CHAT_TEMPLATE,
    SPECIAL,
    ImageTextProcessor,
    Pictures,
    load_processor,
    make_processor,
    messages,
    prompt_text,
    token_counter,
    train_tokenizer,
)
from tpru.records import NONE_OPTION, Item
from tpru.store import FrameStore, write_frames
from tpru.synthesis.wording import CHOICE_FORM, ORDER_FORM, completion

CORPUS = [
    "These pictures show this task: put the red cube on the plate.",
    "the red cube was placed on the plate",
    f"\nThe pictures are in random order.\n{ORDER_FORM}",
    f"\nWhich picture is step 2?\n{NONE_OPTION}\n{CHOICE_FORM}",
] * 5
VOCABULARY = 420
SIZES = [(112, 112), (640, 480), (30, 300), (300, 30), (57, 85), (1280, 720), (84, 84)]
BOUNDS = [(3136, 3136), (7056, 7056), (16384, 36864)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A processor with room between its bounds, as files."""
    folder = tmp_path_factory.mktemp("processor")
    made = make_processor(train_tokenizer(CORPUS, VOCABULARY), CHAT_TEMPLATE, 3136, 12544)
    made.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def processor(saved: Path) -> ImageTextProcessor:
    return load_processor(saved)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """A picture of every size, as PNG and JPEG in turn."""
    path = tmp_path_factory.mktemp("frames") / "frames.parquet"
    pictures = [scene(size=size) for size in SIZES]
    write_frames(path, [jpeg(p) if k % 2 else png(p) for k, p in enumerate(pictures)])
    return FrameStore([path])


def item_of(names: list[str], text: str = "These pictures show this task: put it there.") -> Item:
    return make_item(shown=tuple(names), text=text)


def pictures_of(item: Item, frames: FrameStore) -> list[Image.Image]:
    return [frames.image(f) for f in item.shown]


# The tokenizer.


def test_the_same_corpus_gives_the_same_tokenizer() -> None:
    first, second = (train_tokenizer(CORPUS, VOCABULARY) for _ in range(2))
    assert first.backend_tokenizer.to_str() == second.backend_tokenizer.to_str()
    assert len(first) <= VOCABULARY


def test_the_corpus_decides_which_words_are_short(processor: ImageTextProcessor) -> None:
    known, unknown = processor.tokenizer(["picture", "xqzjkvw"])["input_ids"]
    assert len(known) < len(unknown) == 7


@settings(deadline=None)
@given(st.text(max_size=40))
def test_every_text_comes_back(processor: ImageTextProcessor, text: str) -> None:
    tokenizer = processor.tokenizer
    normal = tokenizer.backend_tokenizer.normalizer.normalize_str(text)
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == normal


@pytest.mark.parametrize(
    "text",
    [completion("A: the cube was placed. In order: CABD.", "CABD"), "a\n\n b  c ,d .", "Grüße 🍳 1234"],
)
def test_targets_come_back_to_the_letter(processor: ImageTextProcessor, text: str) -> None:
    assert processor.tokenizer.decode(processor.tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize("letter", "ABCDE")
def test_an_option_letter_is_one_token(processor: ImageTextProcessor, letter: str) -> None:
    (token,) = processor.tokenizer(letter)["input_ids"]
    assert processor.tokenizer.decode([token]) == letter


def test_special_tokens_are_one_token_each_and_told_apart(processor: ImageTextProcessor) -> None:
    tokenizer = processor.tokenizer
    ids = [tokenizer(special)["input_ids"] for special in SPECIAL]
    assert all(len(i) == 1 for i in ids)
    assert len({i[0] for i in ids}) == len(SPECIAL)
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token == "<|endoftext|>"
    assert tokenizer.decode(tokenizer("x<|im_end|>")["input_ids"], skip_special_tokens=True) == "x"


# Saved and loaded.


def test_a_loaded_processor_reads_as_the_saved_one(processor: ImageTextProcessor, frames: FrameStore) -> None:
    made = make_processor(train_tokenizer(CORPUS, VOCABULARY), CHAT_TEMPLATE, 3136, 12544)
    item = item_of(frames.ids_in_order()[:3])
    assert prompt_text(made, item.prompt) == prompt_text(processor, item.prompt)
    inputs = [
        p(text=[prompt_text(p, item.prompt)], images=[pictures_of(item, frames)], return_tensors="pt")
        for p in (made, processor)
    ]
    assert inputs[0].keys() == inputs[1].keys()
    for key in inputs[0]:
        assert torch.equal(inputs[0][key], inputs[1][key])


def test_padding_is_on_the_left_after_loading(processor: ImageTextProcessor, frames: FrameStore) -> None:
    assert processor.tokenizer.padding_side == "left"
    names = frames.ids_in_order()
    batch = [item_of(names[:1]), item_of(names[:4], "A much longer text about the same task.")]
    texts = [prompt_text(processor, item.prompt) for item in batch]
    pictures = [pictures_of(item, frames) for item in batch]
    padded = processor(text=texts, images=pictures, padding=True, return_tensors="pt")
    alone = processor(text=texts[:1], images=pictures[:1], return_tensors="pt")
    short = alone["input_ids"].shape[1]
    missing = padded["input_ids"].shape[1] - short
    assert missing > 0
    assert padded["input_ids"][0, missing:].tolist() == alone["input_ids"][0].tolist()
    assert set(padded["input_ids"][0, :missing].tolist()) == {processor.tokenizer.pad_token_id}
    assert padded["attention_mask"][0].tolist() == [0] * missing + [1] * short
    assert padded["attention_mask"][1].all()


# The chat template.


def test_the_prompt_is_the_chat_form_of_qwen_with_pictures_in_place(
    processor: ImageTextProcessor,
) -> None:
    item = make_item(shown=("f0", "f1"), text="Look.")
    picture = "<|vision_start|><|image_pad|><|vision_end|>"
    assert prompt_text(processor, item.prompt) == (
        f"<|im_start|>user\nLook.\nStep 1: {picture}\nStep 2: {picture}"
        f"\nWhich one?\n{CHOICE_FORM}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_target_follows_its_prompt(processor: ImageTextProcessor) -> None:
    item = make_item(text="Look.")
    answer = {"role": "assistant", "content": [{"type": "text", "text": "<answer>C</answer>"}]}
    whole = processor.apply_chat_template([*messages(item.prompt), answer], tokenize=False)
    assert whole == prompt_text(processor, item.prompt) + "<answer>C</answer><|im_end|>\n"
    system = {"role": "system", "content": "Be brief."}
    text = processor.apply_chat_template([system, *messages(item.prompt)], tokenize=False)
    assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nLook.")


def test_messages_keep_the_order_of_texts_and_pictures() -> None:
    item = make_item(shown=("f0", "f1"), text="Look.")
    ((role, content),) = [(m["role"], m["content"]) for m in messages(item.prompt)]
    assert role == "user"
    assert [part["type"] for part in content] == ["text", "text", "image", "text", "image", "text"]


# Lengths.


@pytest.mark.parametrize("n_pictures", range(1, 8))
def test_the_token_counter_gives_the_real_length(
    processor: ImageTextProcessor, frames: FrameStore, n_pictures: int
) -> None:
    names = frames.ids_in_order()
    count = token_counter(processor, frames)
    for start in range(0, 7, 3):
        item = item_of([names[(start + k) % 7] for k in range(n_pictures)])
        inputs = processor(text=[prompt_text(processor, item.prompt)], images=[pictures_of(item, frames)])
        assert count(item) == len(inputs["input_ids"][0])
        assert count(item) == count(item)  # also from what it remembers


@pytest.mark.parametrize("bounds", BOUNDS)
def test_the_token_counter_follows_the_bounds_of_the_pictures(
    frames: FrameStore, bounds: tuple[int, int]
) -> None:
    made = make_processor(train_tokenizer(CORPUS, VOCABULARY), CHAT_TEMPLATE, *bounds)
    count = token_counter(made, frames)
    pad = made.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    for name in frames.ids_in_order():
        item = item_of([name])
        inputs = made(text=[prompt_text(made, item.prompt)], images=[pictures_of(item, frames)])
        assert count(item) == len(inputs["input_ids"][0])
        cells = inputs["input_ids"][0].count(pad)
        short, long = sorted(frames.image(name).size)
        # A cell is 28 x 28 pixels. One number for both bounds fixes the size of square pictures only,
        # and a slim picture is at least one cell wide whatever its area.
        if short == long or (bounds[0] < bounds[1] and long < 3 * short):
            assert bounds[0] <= cells * 28 * 28 <= bounds[1]


def test_placeholders_and_their_types_match_the_pictures(
    processor: ImageTextProcessor, frames: FrameStore
) -> None:
    names = frames.ids_in_order()
    batch = [item_of(names[:2]), item_of(names[2:7]), item_of(names[6:7])]
    inputs = processor(
        text=[prompt_text(processor, item.prompt) for item in batch],
        images=[pictures_of(item, frames) for item in batch],
        padding=True,
        return_tensors="pt",
    )
    pad = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    mask = inputs["input_ids"] == pad
    assert torch.equal(inputs["mm_token_type_ids"].bool(), mask)
    assert set(inputs["mm_token_type_ids"].unique().tolist()) == {0, 1}
    grids = inputs["image_grid_thw"]
    assert len(grids) == 8
    assert mask.sum() == grids.prod(dim=1).sum() // 4
    assert inputs["pixel_values"].shape[0] == grids.prod(dim=1).sum()
    per_item = [grids[:2], grids[2:7], grids[7:]]
    assert mask.sum(dim=1).tolist() == [int(g.prod(dim=1).sum()) // 4 for g in per_item]


def test_each_picture_is_opened_once(
    processor: ImageTextProcessor, frames: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    encoded = frames.encoded

    def open_and_note(frame_id: str) -> bytes:
        opened.append(frame_id)
        return encoded(frame_id)

    monkeypatch.setattr(frames, "encoded", open_and_note)
    count = token_counter(processor, frames)
    names = frames.ids_in_order()
    assert count(item_of(names[:2])) == count(item_of(names[:2]))
    count(item_of(names[1:3]))
    assert opened == names[:3]


# Pictures kept at the size that the model sees.


@pytest.mark.parametrize("bounds", BOUNDS)
def test_a_kept_picture_gives_the_model_what_the_whole_one_gives(
    frames: FrameStore, bounds: tuple[int, int]
) -> None:
    made = make_processor(train_tokenizer(CORPUS, VOCABULARY), CHAT_TEMPLATE, *bounds)
    pictures = Pictures(frames, made)
    for name in frames.ids_in_order():
        text = [prompt_text(made, item_of([name]).prompt)]
        whole, kept = (
            made(text=text, images=[[image]], return_tensors="pt")
            for image in (frames.image(name), pictures(name))
        )
        assert torch.equal(whole["input_ids"], kept["input_ids"])
        assert torch.equal(whole["image_grid_thw"], kept["image_grid_thw"])
        assert torch.equal(whole["pixel_values"], kept["pixel_values"])


def test_large_pictures_are_kept_small(processor: ImageTextProcessor, frames: FrameStore) -> None:
    pictures = Pictures(frames, processor)
    large = frames.ids_in_order()[5]
    assert frames.image(large).size == (1280, 720)
    kept = pictures(large)
    assert kept.mode == "RGB"
    assert kept.width * kept.height <= 12544


def test_a_kept_picture_is_decoded_once_until_others_push_it_out(
    processor: ImageTextProcessor, frames: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    image = frames.image

    def decode_and_note(frame_id: str) -> Image.Image:
        decoded.append(frame_id)
        return image(frame_id)

    monkeypatch.setattr(frames, "image", decode_and_note)
    a, b, c = frames.ids_in_order()[:3]
    pictures = Pictures(frames, processor, most=2)
    for name in (a, b, a, c, a, b):  # b was asked for the longest ago when c came
        pictures(name)
    assert decoded == [a, b, c, b]
