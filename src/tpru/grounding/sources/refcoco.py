"""RefCOCO, RefCOCO+ and RefCOCOg: things in photos that a phrase names (arXiv 1608.00272, 1511.02283).

``refs(unc).p`` (RefCOCO, RefCOCO+), ``refs(umd).p`` or ``refs(google).p`` is a pickled list of objects with
``ref_id``, ``ann_id``, ``image_id``, ``split`` and ``sentences``, each with ``sent_id`` and ``sent``. The box
(left, top, width, height in pixels from 0) and the outline are those of the annotation ``ann_id`` in
``instances.json``, a COCO file, which also names the picture: no file has the
``file_name`` of the pickle.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpru.config.grounding_datasets import RefCocoDataset
from tpru.errors import ManifestError
from tpru.grounding.records import Clip, GroundingItem, Region, Side
from tpru.grounding.sources.items import (
    LEAVE_OUT,
    NO_MEDIA,
    LeftOut,
    UnusableError,
    make_item,
    read_sides,
    without_tested,
    words,
)
from tpru.grounding.sources.json_parts import JsonParts, Place
from tpru.grounding.sources.pickled import load_plain
from tpru.grounding.sources.pictures import Stored, box_shares, mask_region, read_picture, stored
from tpru.grounding.sources.rle import decode
from tpru.trajectories.sources.reading import field

# A photo has no clock: it lasts so long, as the frame of a simulator does.
PHOTO_S = 1.0
TOO_SMALL = "no pixel of its mask is left in the shrunk picture"


@dataclass(frozen=True)
class _Ref:
    where: str
    ann_id: int
    split: str
    sentences: tuple[tuple[int, str], ...]  # number and words


@dataclass(frozen=True)
class _Photo:
    file: str
    width: int
    height: int


class _Instances:
    """The photos of a COCO file, and where in it the annotations are; these are decoded one at a time."""

    def __init__(self, path: Path) -> None:
        self.parts = JsonParts(path)
        self.photos: dict[int, _Photo] = {}
        self._places: dict[int, Place] = {}
        for (member, number), place in self.parts.places(2):
            if member not in ("images", "annotations"):
                continue
            where = f"{path}, {member}[{number}]"
            record = self.parts.value(place)
            key = field(record, "id", int, where)
            if member == "annotations":
                self._places[key] = place
                continue
            width, height = (field(record, side, int, where) for side in ("width", "height"))
            self.photos[key] = _Photo(field(record, "file_name", str, where), width, height)

    def annotation(self, ref: _Ref, image_id: int) -> dict[str, Any]:
        """The annotation that a ref names; checks that it is of the photo."""
        place = self._places.get(ref.ann_id)
        record = self.parts.value(place) if place else None
        if record is None or record.get("image_id") != image_id:
            said = f"of photo {record.get('image_id')}" if record else "not there"
            raise ManifestError(
                f"{ref.where}: the annotation {ref.ann_id} under 'ann_id' is {said} in {self.parts.path}, "
                f"expected one of photo {image_id}; take both files of the same release"
            )
        return dict(record)


def read(name: str, config: RefCocoDataset) -> Iterator[Clip]:
    """The photos of both sides, each with an item per sentence, and one more per sentence with its mask.

    Photos are one group for all three sets, which share them.

    Raises:
        ManifestError: a file is not of the format, a split is unknown, or a photo is missing and may not be.
        CorruptMediaError: a photo cannot be decoded.
        EmptySourceError: nothing is left.
    """
    root, left = Path(config.path), LeftOut(name, config)
    refs = _refs(root / config.refs)
    splits = Counter(ref.split for found in refs.values() for ref in found)
    if unknown := sorted({*config.train, *config.test} - set(splits)):
        raise ManifestError(
            f"{root / config.refs} has no split {unknown}; it has {dict(sorted(splits.items()))}: name these "
            "under train and test"
        )
    instances = _Instances(root / config.instances)
    train, test = (
        {
            image: kept
            for image, found in refs.items()
            if (kept := [ref for ref in found if ref.split in chosen])
        }
        for chosen in (config.train, config.test)
    )
    # The split "google" divides things, not photos.
    train = without_tested(train, set(test), left, lambda ref: len(ref.sentences))
    sides = (
        _clips(name, config, "train", train, instances, left),
        _clips(name, config, "test", test, instances, left),
    )
    yield from read_sides(name, config, left, sides)


def _refs(path: Path) -> dict[int, list[_Ref]]:
    """By photo."""
    records = load_plain(path)
    if not isinstance(records, list):
        raise ManifestError(f"{path}: expected a list, found {type(records).__name__}; restore the file")
    found: dict[int, list[_Ref]] = {}
    for number, record in enumerate(records):
        where = f"{path}, entry {number}"
        sentences = tuple(
            (
                field(sentence, "sent_id", int, where),
                words(field(sentence, "sent", str, where), f"{where}, 'sent'"),
            )
            for sentence in field(record, "sentences", list, where)
        )
        ref = _Ref(where, field(record, "ann_id", int, where), field(record, "split", str, where), sentences)
        found.setdefault(field(record, "image_id", int, where), []).append(ref)
    return found


def _clips(
    name: str,
    config: RefCocoDataset,
    side: Side,
    refs: Mapping[int, Sequence[_Ref]],
    instances: _Instances,
    left: LeftOut,
) -> Iterator[Clip]:
    for image_id in sorted(refs):
        try:
            picture = _photo(config, image_id, refs[image_id][0].where, instances)
        except UnusableError as error:
            left.unusable(error, sum(len(ref.sentences) for ref in refs[image_id]))
            continue
        items: list[GroundingItem] = []
        for ref in refs[image_id]:
            annotation = instances.annotation(ref, image_id)
            tasks = {"region": _region(annotation, ref, instances.photos[image_id])}
            if config.masks:
                region = _mask(annotation, ref, instances.photos[image_id], picture)
                if region.mask:
                    tasks["mask"] = region
                else:
                    left.count(TOO_SMALL, len(ref.sentences))
            items += (
                make_item(
                    name,
                    config,
                    "mask" if task == "mask" else "region",
                    side,
                    f"{task}/{sent_id}",
                    group=f"coco/{image_id}",
                    query=query,
                    frames=(picture.frame_id,),
                    times=(0.0,),
                    duration=PHOTO_S,
                    regions=(region,),
                )
                for sent_id, query in ref.sentences
                for task, region in tasks.items()
            )
        yield Clip(tuple(items), (picture.data,))


def _photo(config: RefCocoDataset, image_id: int, where: str, instances: _Instances) -> Stored:
    photo = instances.photos.get(image_id)
    if photo is None:
        raise ManifestError(
            f"{where}: the photo {image_id} under 'image_id' is not in {instances.parts.path}; take both "
            "files of the same release"
        )
    path = Path(config.path) / config.pictures / photo.file
    if not path.is_file():
        raise UnusableError(NO_MEDIA, f"{where}: the photo {path} does not exist; add it, {LEAVE_OUT}")
    image = read_picture(path, where)
    if image.size != (photo.width, photo.height):
        raise ManifestError(
            f"{where}: the photo {path} has {image.width} x {image.height} pixels, {instances.parts.path} "
            f"says {photo.width} x {photo.height}; take the pictures of train2014 as they were published"
        )
    return stored(image, config)


def _region(annotation: dict[str, Any], ref: _Ref, photo: _Photo) -> Region:
    where = f"{ref.where}, 'bbox' of annotation {ref.ann_id}"
    return Region(0, box_shares(field(annotation, "bbox", list, where), (photo.width, photo.height), where))


def _mask(annotation: dict[str, Any], ref: _Ref, photo: _Photo, picture: Stored) -> Region:
    where = f"{ref.where}, 'segmentation' of annotation {ref.ann_id}"
    return mask_region(0, decode(annotation.get("segmentation"), photo.height, photo.width, where), picture)
