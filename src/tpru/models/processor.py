"""Tokenizer and picture processor behind one interface, for the tiny model and for hub checkpoints."""

import io
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.image_utils import SizeDict
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (
    Qwen2VLImageProcessorPil,
    smart_resize,
)

from tpru.records import Block, Item
from tpru.store import FrameStore

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
# Qwen's rule for cutting text into words before merging bytes.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Labels and answers are capital letters, alone or in a row. Each is a token of its own, the same one after a
# space, a bracket or another letter: " A" and "A" as two tokens would be two labels.
LETTER = r"[A-H](?![a-z])"
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\n' -}}"
    "{%- if message['content'] is string -%}{{- message['content'] -}}{%- else -%}"
    "{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'image' -%}{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}"
    "{%- else -%}{{- part['text'] -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{- '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
Message = dict[str, Any]


class ImageTextProcessor(Qwen2_5_VLProcessor):
    """Qwen2.5-VL's processor without its video part, which would need torchvision.

    There is no torchvision build for a CPU-only torch, and nothing here reads videos: they become
    pictures at the extraction.
    """

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(image_processor, tokenizer, chat_template=chat_template, **kwargs)

    @classmethod
    def get_attributes(cls) -> list[str]:
        """The parts that are saved and loaded."""
        return ["image_processor", "tokenizer"]


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE with Qwen's special tokens and splitting rule, trained on ``texts``."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LETTER), behavior="isolated"),
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=[s for s in SPECIAL if s not in ("<|im_end|>", "<|endoftext|>")],
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def make_processor(
    tokenizer: Any, chat_template: str, min_pixels: int, max_pixels: int
) -> ImageTextProcessor:
    """A processor that resizes pictures to between the two numbers of pixels, sides multiples of 28."""
    pictures = Qwen2VLImageProcessorPil(size={"shortest_edge": min_pixels, "longest_edge": max_pixels})
    tokenizer.padding_side = "left"
    return ImageTextProcessor(pictures, tokenizer, chat_template=chat_template)


def load_processor(folder: Path) -> ImageTextProcessor:
    """Load a saved processor; padding is on the left, as generation needs it."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    pictures = Qwen2VLImageProcessorPil.from_pretrained(folder)
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    return ImageTextProcessor(pictures, tokenizer, chat_template=template)


def messages(prompt: tuple[Block, ...]) -> list[Message]:
    """A prompt as chat messages with interleaved picture placeholders."""
    content = [
        {"type": "image"} if block.type == "image" else {"type": "text", "text": block.value}
        for block in prompt
    ]
    return [{"role": "user", "content": content}]


def prompt_text(processor: ImageTextProcessor, prompt: tuple[Block, ...]) -> str:
    """A prompt as the model reads it, one placeholder token per picture."""
    text: str = processor.apply_chat_template(messages(prompt), add_generation_prompt=True, tokenize=False)
    return text


class EncodedFrames(Protocol):
    """Encoded pictures by frame id."""

    def encoded(self, frame_id: str) -> bytes:
        """The bytes of one picture."""


def token_counter(processor: ImageTextProcessor, frames: EncodedFrames) -> Callable[[Item], int]:
    """A function that gives the prompt length of an item in tokens, pictures included."""
    merge = processor.image_processor.merge_size**2
    known: dict[str, int] = {}

    def picture_tokens(frame_id: str) -> int:
        if frame_id not in known:
            with Image.open(io.BytesIO(frames.encoded(frame_id))) as image:
                width, height = image.size
            patches = processor.image_processor.get_number_of_image_patches(height, width, {})
            known[frame_id] = int(patches) // merge
        return known[frame_id]

    def count(item: Item) -> int:
        text = len(processor.tokenizer(prompt_text(processor, item.prompt))["input_ids"])
        # The text holds one placeholder per picture already.
        return text + sum(picture_tokens(f) - 1 for f in item.shown)

    return count


def picture_bounds(processor: ImageTextProcessor) -> tuple[int, int]:
    """Least and most pixels of a picture after resizing."""
    size = processor.image_processor.size
    return int(size["shortest_edge"]), int(size["longest_edge"])


class Pictures:
    """Pictures by frame id, decoded once and kept at the size that the model will see.

    A training step asks for each picture many times, and decoding a large screenshot costs far more than
    looking at its few tokens. Shrinking is the processor's own; where its second pass over the shrunk
    picture would change it again (bounds too close), the picture is kept as it is.
    """

    def __init__(self, frames: FrameStore, processor: ImageTextProcessor, most: int = 8192) -> None:
        self._frames = frames
        self._processor = processor
        self._most = most
        self._kept: OrderedDict[str, Image.Image] = OrderedDict()

    def __reduce__(self) -> tuple[type["Pictures"], tuple[FrameStore, ImageTextProcessor, int]]:
        """Another process starts with nothing kept."""
        return Pictures, (self._frames, self._processor, self._most)

    def __call__(self, frame_id: str) -> Image.Image:
        """The RGB picture of a frame."""
        if frame_id in self._kept:
            self._kept.move_to_end(frame_id)
        else:
            self._kept[frame_id] = self._shrunk(self._frames.image(frame_id))
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return self._kept[frame_id]

    def _shrunk(self, image: Image.Image) -> Image.Image:
        pictures = self._processor.image_processor
        factor = pictures.patch_size * pictures.merge_size
        least, most = picture_bounds(self._processor)
        if image.width * image.height <= most:
            return image
        channels = np.asarray(image).transpose(2, 0, 1)
        size = SizeDict(shortest_edge=least, longest_edge=most)
        once = pictures.resize(channels, size=size, resample=pictures.resample, factor=factor)
        height, width = once.shape[-2:]
        again = smart_resize(height, width, factor, least, most)
        return Image.fromarray(once.transpose(1, 2, 0)) if again == (height, width) else image
