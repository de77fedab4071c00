"""A trained model as one folder that other programs load with transformers' own classes.

Beside our weights stands a processor of a class of ours (:class:`tpru.models.processor.ImageTextProcessor`),
which ``AutoProcessor`` of another environment does not know: it would load the tokenizer alone.
"""

import shutil
from pathlib import Path

from tpru.files import read_json, write_json, written_whole

WEIGHTS = ("config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json")
PROCESSOR = "processor_config.json"
TOKENIZER = "tokenizer_config.json"
KNOWN = {"processor_class": "Qwen2_5_VLProcessor"}


def write_exported(folder: Path, weights: Path, processor: Path) -> None:
    """Write ``folder``: links to the weights of one folder, the processor of the other by its class.

    The processor gains a part for videos, without which transformers loads none; it has the values of that
    for pictures; nothing here shows videos.
    """
    with written_whole(folder) as temporary:
        shutil.copytree(processor, temporary)
        for pattern in WEIGHTS:
            for file in weights.glob(pattern):
                (temporary / file.name).unlink(missing_ok=True)
                (temporary / file.name).symlink_to(file.resolve())
        parts = read_json(processor / PROCESSOR)
        pictures = {k: v for k, v in parts["image_processor"].items() if k != "image_processor_type"}
        video = {**pictures, "video_processor_type": "Qwen2VLVideoProcessor"}
        write_json(temporary / PROCESSOR, {**parts, **KNOWN, "video_processor": video})
        write_json(temporary / TOKENIZER, {**read_json(processor / TOKENIZER), **KNOWN})
