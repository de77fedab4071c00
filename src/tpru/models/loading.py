"""Loading weights: one path for the tiny model and for hub checkpoints."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.utils.logging import disable_progress_bar

from tpru.config.schema import ModelConfig
from tpru.errors import ConfigError, UpstreamError
from tpru.runtime import threads

WEIGHTS = ["*.json", "*.safetensors", "*.txt", "*.jinja"]
TEXT_ONLY = ["*.json", "*.txt", "*.jinja"]
SHIPPED_BASE = Path(__file__).parent / "tiny_base"


def prepare() -> None:
    """Give torch the cores of this job, make its results repeatable, and keep the log readable."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    disable_progress_bar()
    torch.set_num_threads(threads())
    torch.backends.cudnn.benchmark = False


def device() -> torch.device:
    """The GPU of this process when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_model(folder: Path, config: ModelConfig) -> Qwen2_5_VLForConditionalGeneration:
    """Load weights from a folder in the configured precision and attention.

    Raises:
        UpstreamError: a file of the weights is missing.
        ConfigError: flash_attention_2 is asked for and cannot run here.
    """
    check_complete(folder)
    try:
        return Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder, dtype=getattr(torch, config.dtype), attn_implementation=config.attention
        )
    except ImportError as error:
        raise ConfigError(
            f"model.attention={config.attention} cannot run here ({error}). Install "
            "requirements/gpu.txt on a machine with a GPU, or set model.attention=sdpa."
        ) from error


def check_complete(folder: Path) -> None:
    """Refuse a folder of weights that lacks a file, before anything is loaded or a connection is tried.

    Raises:
        UpstreamError: naming the file.
    """
    index = folder / "model.safetensors.index.json"
    parts = {"model.safetensors"}
    if index.exists():
        parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    for name in ("config.json", *sorted(parts)):
        if not (folder / name).exists():
            raise UpstreamError(
                f"{folder / name} is missing (HF_HUB_OFFLINE={os.environ.get('HF_HUB_OFFLINE', '0')}): fetch "
                "the whole model on a machine with network and run stage base_model again"
            )


def fetch(repo: str, revision: str, patterns: list[str]) -> Path:
    """Folder of a pinned hub checkpoint, from the cache or from the hub.

    ``HF_HUB_OFFLINE=1`` keeps it off the network: compute nodes often have none.

    Raises:
        UpstreamError: it is neither cached nor reachable.
    """
    from huggingface_hub import snapshot_download

    try:
        found: Any = snapshot_download(repo, revision=revision, allow_patterns=patterns)
    except Exception as error:  # the hub client raises many kinds; all mean the same to the user
        offline = os.environ.get("HF_HUB_OFFLINE", "0")
        raise UpstreamError(
            f"{repo} at {revision} is not in the cache and cannot be fetched "
            f"(HF_HUB_OFFLINE={offline}): {error}. Fetch it on a machine with network: "
            f"hf download {repo} --revision {revision}"
        ) from error
    return Path(found)
