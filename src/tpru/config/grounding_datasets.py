"""Public datasets of dense supervision, one model per file of conf/grounding_dataset."""

from typing import Annotated, Literal

from pydantic import Field

from tpru.config.base import Count, Strict


class DatasetBase(Strict):
    """What every one has: where it is, under which terms, how clips become pictures, how many items."""

    path: str
    licence: str
    citation: str
    scenario: str
    frames: Annotated[int, Field(ge=1, le=256)]
    frame_size: Annotated[int, Field(ge=0, le=2048)]
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]
    max_items: Count


class CharadesStaDataset(DatasetBase):
    """conf/grounding_dataset/charades_sta.yaml: moments of indoor activities (arXiv 1705.02101)."""

    kind: Literal["charades_sta"]
    train: str
    test: str
    videos: str


GroundingDataset = Annotated[CharadesStaDataset, Field(discriminator="kind")]
