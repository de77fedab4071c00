"""What is measured: sizes of models and of updates, with random weights, words and pictures."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from transformers import GenerationConfig, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from tpru.models.loading import SHIPPED_BASE, device
from tpru.models.processor import ImageTextProcessor, load_processor
from tpru.records import Block, Item

WORDS = 60
# The sizes of Qwen2.5-VL-3B-Instruct.
QWEN_3B: dict[str, Any] = {
    "text_config": {
        "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36,
        "num_attention_heads": 16, "num_key_value_heads": 2, "vocab_size": 151936,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
    },
    "vision_config": {
        "depth": 32, "hidden_size": 1280, "num_heads": 16, "intermediate_size": 3420,
        "out_hidden_size": 2048, "fullatt_block_indexes": [7, 15, 23, 31],
    },
    "tie_word_embeddings": True,
}  # fmt: skip


@dataclass(frozen=True)
class Geometry:
    """What one update has to do: pictures per prompt and their ``side`` in pixels, completions per prompt
    (``group``) and ``tokens`` of each."""

    model: Literal["tiny", "qwen-3b"]
    prompts: int
    pictures: int
    side: int
    group: int
    tokens: int
    beta: float
    method: Literal["full", "lora"]
    precision: Literal["float32", "bfloat16"]


GEOMETRIES = {
    "tiny": Geometry("tiny", 2, 7, 112, 8, 64, 0.0, "full", "float32"),
    "demo": Geometry("tiny", 16, 5, 84, 8, 48, 0.0, "full", "bfloat16"),
    "qwen-3b": Geometry("qwen-3b", 2, 7, 192, 8, 128, 0.01, "lora", "bfloat16"),
    "qwen-3b-5": Geometry("qwen-3b", 2, 5, 192, 8, 128, 0.01, "lora", "bfloat16"),
}


def make_model(geometry: Geometry) -> tuple[Any, ImageTextProcessor]:
    """A model with random weights, the same each time, and a processor that keeps the size of pictures."""
    processor = load_processor(SHIPPED_BASE)
    pixels = geometry.side**2
    processor.image_processor.size = {"shortest_edge": pixels, "longest_edge": pixels}
    config = Qwen2_5_VLConfig.from_pretrained(SHIPPED_BASE)
    if geometry.model == "qwen-3b":
        special = {k: getattr(config, k) for k in ("image_token_id", "video_token_id")}
        config = Qwen2_5_VLConfig(**QWEN_3B, **special)
    torch.manual_seed(0)
    with torch.device(device()):
        model: Any = Qwen2_5_VLForConditionalGeneration(config)
    model.to(torch.bfloat16 if geometry.model == "qwen-3b" else torch.float32)
    model.model.visual.requires_grad_(False)
    end, padding = processor.tokenizer.eos_token_id, processor.tokenizer.pad_token_id
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=padding)
    return model, processor


def make_items(geometry: Geometry) -> tuple[list[Item], dict[str, Image.Image]]:
    """One item per prompt, with words and pictures of its own."""
    rng = np.random.default_rng(0)
    pictures: dict[str, Image.Image] = {}
    items = []
    for number in range(geometry.prompts):
        blocks = [Block("text", " ".join(f"word {k}" for k in rng.integers(0, 9, WORDS // 2)))]
        for k in range(geometry.pictures):
            name = f"{number}/{k}"
            noise = rng.integers(0, 256, (geometry.side, geometry.side, 3), dtype=np.uint8)
            pictures[name] = Image.fromarray(noise)
            blocks += [Block("text", f"\nPicture {k + 1}: "), Block("image", name)]
        shown = tuple(f"{number}/{k}" for k in range(geometry.pictures))
        items.append(_item(f"item {number}", tuple(blocks), shown))
    return items, pictures


def _item(name: str, prompt: tuple[Block, ...], shown: tuple[str, ...]) -> Item:
    return Item(
        item_id=name, task="reordering", split="grpo", scenario="robot", source="bench", licence="",
        family="", group="", sequence_id="", trajectory_id="", caption="", prompt=prompt, options=(),
        answer="A", is_negative=False, negative_kind="", reasoning="", shown=shown,
        order=tuple(range(len(shown))),
    )  # fmt: skip
