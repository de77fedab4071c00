"""Which reader a configured dataset has."""

from collections.abc import Iterator

from tpru.config.grounding_datasets import (
    CharadesStaDataset,
    GroundingDataset,
    MevisDataset,
    QvHighlightsDataset,
    RefCocoDataset,
    RefYoutubeVosDataset,
)
from tpru.grounding.records import Clip
from tpru.grounding.sources import charades_sta, got10k, mevis, qvhighlights, ref_youtube_vos, refcoco


def read_dataset(name: str, config: GroundingDataset) -> Iterator[Clip]:
    """The clips of a configured dataset; raises as its reader does."""
    if isinstance(config, CharadesStaDataset):
        return charades_sta.read(name, config)
    if isinstance(config, QvHighlightsDataset):
        return qvhighlights.read(name, config)
    if isinstance(config, RefCocoDataset):
        return refcoco.read(name, config)
    if isinstance(config, RefYoutubeVosDataset):
        return ref_youtube_vos.read(name, config)
    if isinstance(config, MevisDataset):
        return mevis.read(name, config)
    return got10k.read(name, config)
