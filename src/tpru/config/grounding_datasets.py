"""Public datasets of dense supervision, one model per file of conf/grounding_dataset."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tpru.config.base import Count, Rate, Share, Strict


class DatasetBase(Strict):
    """What every one has: where it is, under which terms, how pictures are kept, how many items.

    Names of files and folders are relative to ``path``, or absolute.
    """

    path: str
    licence: str
    citation: str
    scenario: str
    frame_size: Annotated[int, Field(ge=0, le=2048)]
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]
    max_items: Count
    skip_missing: bool


class ClipDataset(DatasetBase):
    """Clips are shown as so many frames at most."""

    frames: Annotated[int, Field(ge=1, le=256)]


class CharadesStaDataset(ClipDataset):
    """conf/grounding_dataset/charades_sta.yaml: moments of indoor activities (arXiv 1705.02101)."""

    kind: Literal["charades_sta"]
    train: str
    test: str
    videos: str


class QvHighlightsDataset(ClipDataset):
    """conf/grounding_dataset/qvhighlights.yaml: moments and highlights of web videos (arXiv 2107.09609)."""

    kind: Literal["qvhighlights"]
    train: str
    test: str
    videos: str


class RefCocoDataset(DatasetBase):
    """conf/grounding_dataset/refcoco*.yaml: things in photos that a phrase names (arXiv 1608.00272)."""

    kind: Literal["refcoco"]
    refs: str
    instances: str
    pictures: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    masks: bool

    @model_validator(mode="after")
    def _apart(self) -> "RefCocoDataset":
        if both := set(self.train) & set(self.test):
            raise ValueError(f"train and test both name {sorted(both)}")
        return self


class RefYoutubeVosDataset(ClipDataset):
    """conf/grounding_dataset/ref_youtube_vos.yaml: masks of things in web videos (Seo et al., ECCV 2020)."""

    kind: Literal["ref_youtube_vos"]
    expressions: str
    meta: str
    pictures: str
    annotations: str
    fps: Rate
    test_share: Share


class MevisDataset(ClipDataset):
    """conf/grounding_dataset/mevis.yaml: masks of things that motion tells apart (arXiv 2308.08544)."""

    kind: Literal["mevis"]
    train: str
    test: str
    expressions: str
    masks: str
    fps: Rate


class Got10kDataset(ClipDataset):
    """conf/grounding_dataset/got10k.yaml: boxes of one thing through a clip (arXiv 1810.11981)."""

    kind: Literal["got10k"]
    train: str
    test: str
    leave_out: tuple[str, ...]


GroundingDataset = Annotated[
    CharadesStaDataset
    | QvHighlightsDataset
    | RefCocoDataset
    | RefYoutubeVosDataset
    | MevisDataset
    | Got10kDataset,
    Field(discriminator="kind"),
]
