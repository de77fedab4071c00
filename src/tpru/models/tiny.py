"""A genuine Qwen2.5-VL with small sizes: same classes, same code path, random weights."""

import torch
from transformers import GenerationConfig, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from tpru.config.schema import TinyDims
from tpru.models.processor import ImageTextProcessor


def tiny_config(dims: TinyDims, processor: ImageTextProcessor) -> Qwen2_5_VLConfig:
    """Configuration with the special tokens of the processor.

    The rotary sections (time, height, width) must add up to half the head size.
    """
    tokenizer = processor.tokenizer
    half = dims.hidden // dims.heads // 2
    side = 3 * half // 8
    ids = {
        name: tokenizer.convert_tokens_to_ids(f"<|{name}|>")
        for name in ("image_pad", "video_pad", "vision_start", "vision_end")
    }
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": dims.hidden,
            "intermediate_size": dims.intermediate,
            "num_hidden_layers": dims.layers,
            "num_attention_heads": dims.heads,
            "num_key_value_heads": dims.heads,
            "max_position_embeddings": 4096,
            # The stock 0.02 suits wide models; at this width it keeps logits of rare tokens near 0.
            "initializer_range": dims.hidden**-0.5,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1_000_000.0,
                "mrope_section": [half - 2 * side, side, side],
            },
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={
            "depth": dims.vision_depth,
            "hidden_size": dims.vision_hidden,
            "intermediate_size": dims.vision_intermediate,
            "num_heads": dims.vision_heads,
            "out_hidden_size": dims.hidden,
            "fullatt_block_indexes": [dims.vision_depth - 1],
        },
        image_token_id=ids["image_pad"],
        video_token_id=ids["video_pad"],
        vision_start_token_id=ids["vision_start"],
        vision_end_token_id=ids["vision_end"],
        tie_word_embeddings=True,
    )


def tiny_model(
    dims: TinyDims, processor: ImageTextProcessor, seed: int
) -> Qwen2_5_VLForConditionalGeneration:
    """A model with random weights that depend on the seed alone."""
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(tiny_config(dims, processor))
    tokenizer = processor.tokenizer
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    return model
