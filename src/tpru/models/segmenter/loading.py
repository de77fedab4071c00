"""Loading a segmenter: one path for the tiny one and for SAM 2."""

from pathlib import Path
from typing import cast

from tpru.config.tpo_schema import SegmenterConfig
from tpru.errors import UpstreamError
from tpru.files import read_json
from tpru.models.loading import check_complete, device
from tpru.models.segmenter import Segmenter
from tpru.models.segmenter.sam2 import Sam2Segmenter, load_sam2
from tpru.models.segmenter.tiny import TinySegmenter, TinySegmenterConfig

MODEL_TYPES = {"tiny": TinySegmenterConfig.model_type, "sam2": "sam2_video"}


def load(folder: Path, config: SegmenterConfig) -> Segmenter:
    """The frozen segmenter in a folder, on the GPU of this process where there is one.

    Raises:
        UpstreamError: a file of it is missing, or it is of another kind or width than configured.
        ConfigError: ``width`` does not fit this SAM 2.
    """
    check_complete(folder)
    wanted, found = MODEL_TYPES[config.kind], read_json(folder / "config.json").get("model_type")
    if found != wanted:
        raise UpstreamError(
            f"{folder / 'config.json'} has model_type {found!r}, but segmenter.kind={config.kind} needs "
            f"{wanted!r}: name a repo of that kind as segmenter.repo, or run stage segmenter again"
        )
    if config.kind == "sam2":
        sam2: Sam2Segmenter = load_sam2(folder, config.width)
        sam2.model.to(device())
        return sam2
    tiny = TinySegmenter.from_pretrained(folder).requires_grad_(False).eval().to(device())
    if tiny.width != config.width:
        raise UpstreamError(
            f"{folder} takes prompts of {tiny.width} numbers, but segmenter.width={config.width}: run stage "
            "segmenter again"
        )
    return cast(Segmenter, tiny)
