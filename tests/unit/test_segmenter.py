"""The segmenters behind the mask head: one interface, how the tiny one is trained, SAM 2 against the stock one."""

import dataclasses
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional
from transformers import Sam2Config, Sam2Model, Sam2VideoConfig, Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from tpru.config.compose import compose, unit_config, unit_names
from tpru.config.tpo_schema import SegmenterConfig
from tpru.errors import ConfigError, CorruptMediaError, EmptySourceError, UpstreamError
from tpru.evaluation.segmenter import at_size, score_segmenter
from tpru.files import sha256_bytes, sha256_path, write_json
from tpru.grounding.mask_items import has_masks, masks_of
from tpru.grounding.metrics import region_similarity
from tpru.grounding.records import GroundingItem, Region
from tpru.models.segmenter import Segmenter
from tpru.models.segmenter import sam2 as sam2_module
from tpru.models.segmenter.loading import load
from tpru.models.segmenter.sam2 import Sam2Segmenter, normalised
from tpru.models.segmenter.tiny import TinySegmenter, TinySegmenterConfig, side_of
from tpru.run import Run
from tpru.stages import segmenter as stage
from tpru.store import decode_image, encode_png, write_frames, write_records
from tpru.tracking.runs import SilentTracker
from tpru.training.logs import read_log
from tpru.training.segmenter import WARMUP, draw, examples, rate, train

SIDE = 56
CONFIG = SegmenterConfig(
    version=1, kind="tiny", repo="", revision="", side=SIDE, width=32, updates=90, batch_size=8,
    learning_rate=4e-3,
)  # fmt: skip


# A small world: diamonds of many colours, which fill half of their boxes, move over a striped floor.


def diamond(centre: tuple[int, int], radius: int) -> list[tuple[int, int]]:
    x, y = centre
    return [(x - radius, y), (x, y - radius), (x + radius, y), (x, y + radius)]


def clip(seed: int, split: str, frames: int = 3) -> tuple[GroundingItem, list[bytes]]:
    """Two diamonds of unlike colours; the first is the thing, and gone from the last frame of every fourth clip."""
    rng = np.random.default_rng(seed)
    colours = rng.permutation(["red", "yellow", "blue", "lime", "white", "magenta"])[:2].tolist()
    radii = rng.integers(7, 12, 2).tolist()
    pictures, regions = [], []
    for t in range(frames):
        picture = Image.new("RGB", (SIDE, SIDE), "gray")
        floor = ImageDraw.Draw(picture)
        for y in range(0, SIDE, 8):
            floor.line([(0, y), (SIDE, y)], fill="dimgray", width=2)
        # Each keeps to its half, so that neither hides the other.
        centres = [(int(rng.integers(13, 43)), 14), (int(rng.integers(13, 43)), 42)]
        if seed % 2:
            centres.reverse()
        gone = seed % 4 == 3 and t == frames - 1
        mask = Image.new("L", picture.size)
        for number in (1, 0):
            if number or not gone:
                floor.polygon(diamond(centres[number], radii[number]), fill=colours[number])
        if not gone:
            ImageDraw.Draw(mask).polygon(diamond(centres[0], radii[0]), fill=255)
        pictures.append(encode_png(picture))
        edges = mask.getbbox()
        box = tuple(edge / SIDE for edge in edges) if edges else ()
        regions.append(Region(t, box, encode_png(mask) if edges else b""))
    item = GroundingItem(
        item_id=f"i{seed}", task="mask", split=split, dataset="made", licence="none", scenario="robot",
        level="L1", group=f"g{seed}", query=f"the {colours[0]} diamond",
        frames=tuple(sha256_bytes(p) for p in pictures), times=tuple(float(t) for t in range(frames)),
        duration=float(frames), regions=tuple(regions),
    )  # fmt: skip
    return item, pictures


@cache
def world() -> tuple[list[GroundingItem], dict[str, bytes]]:
    made = [clip(seed, "train" if seed < 80 else "test") for seed in range(100)]
    return [item for item, _ in made], {sha256_bytes(p): p for _, pictures in made for p in pictures}


def items(split: str) -> list[GroundingItem]:
    return [item for item in world()[0] if item.split == split]


def picture_of(frame: str) -> Image.Image:
    return decode_image(world()[1][frame])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[TinySegmenter, Path]:
    log = tmp_path_factory.mktemp("segmenter") / "log.jsonl"
    shown = examples(items("train"), picture_of, SIDE, side_of(SIDE))
    return train(shown, CONFIG, 0, log).requires_grad_(False), log


def sam2_parts(hidden: int = 128) -> dict[str, Any]:
    """A SAM 2 of a million random weights for pictures of 64 pixels."""
    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 8, "image_size": [64, 64],
        "embed_dim_per_stage": [8, 16, 32, 64], "blocks_per_stage": [1, 1, 2, 1],
        "num_attention_heads_per_stage": [1, 1, 2, 2], "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [3], "window_positional_embedding_background_size": [2, 2],
    }  # fmt: skip
    vision = {
        "model_type": "sam2_vision_model", "backbone_config": backbone, "fpn_hidden_size": hidden,
        "backbone_channel_list": [64, 32, 16, 8], "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
    }  # fmt: skip
    decoder = {"hidden_size": hidden, "mlp_dim": 32, "iou_head_hidden_dim": 32, "num_attention_heads": 2}
    return {
        "vision_config": vision,
        "prompt_encoder_config": {"hidden_size": hidden, "image_size": 64},
        "mask_decoder_config": decoder,
    }


@cache
def sam2_model() -> Any:
    torch.manual_seed(0)
    config = Sam2VideoConfig(
        **sam2_parts(), image_size=64, memory_attention_hidden_size=128, memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32, memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=128, memory_encoder_output_channels=64, mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128, memory_fuser_intermediate_dim=32, memory_fuser_num_layers=1,
    )  # fmt: skip
    model = Sam2VideoModel(config)
    # Fresh weights say next to nothing about a picture: the logits must differ to be compared.
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model


@cache
def untrained() -> TinySegmenter:
    torch.manual_seed(0)
    return TinySegmenter(TinySegmenterConfig(picture=SIDE, width=32)).requires_grad_(False).eval()


@pytest.fixture(params=["tiny", "sam2 like a point", "sam2 like a box"])
def segmenter(request: pytest.FixtureRequest) -> Segmenter:
    kinds = {
        "tiny": untrained,
        "sam2 like a point": lambda: Sam2Segmenter(sam2_model(), 128),
        "sam2 like a box": lambda: Sam2Segmenter(sam2_model(), 256),
    }
    return kinds[request.param]()


def pictures(count: int, seed: int = 0) -> list[Image.Image]:
    """Coarse random pictures that are not square."""
    rng = np.random.default_rng(seed)
    small = [Image.fromarray(rng.integers(0, 255, (5, 7, 3), dtype=np.uint8)) for _ in range(count)]
    return [p.resize((70, 50), Image.Resampling.BICUBIC) for p in small]


BOXES = torch.tensor([[0.1, 0.2, 0.5, 0.6], [0.3, 0.3, 0.9, 0.8], [0.0, 0.5, 0.2, 1.0]])


# The interface, of both kinds.


def test_a_prompt_and_a_picture_give_a_mask(segmenter: Segmenter) -> None:
    seen = segmenter.look(pictures(3))
    prompts = segmenter.point(BOXES)
    assert len(seen) == 3
    assert prompts.shape == (3, segmenter.width)
    together = segmenter.masks(seen, prompts)
    assert together.shape == (3, segmenter.side, segmenter.side)
    for k in range(3):
        alone = segmenter.masks([seen[k]], prompts[k : k + 1])[0]
        torch.testing.assert_close(together[k], alone, rtol=1e-3, atol=1e-3)
    other_prompt = segmenter.masks(seen, prompts.roll(1, 0))
    other_picture = segmenter.masks(seen[1:] + seen[:1], prompts)
    assert min(float((together - other).abs().mean()) for other in (other_prompt, other_picture)) > 1e-3


def test_clips_of_any_lengths_are_followed_at_once(segmenter: Segmenter) -> None:
    seen = segmenter.look(pictures(6))
    clips = [seen[:3], seen[3:4], seen[4:]]
    prompts = segmenter.point(BOXES)
    followed = segmenter.follow(clips, prompts)
    assert [f.shape for f in followed] == [(n, segmenter.side, segmenter.side) for n in (3, 1, 2)]
    first = segmenter.masks([c[0] for c in clips], prompts)
    torch.testing.assert_close(torch.stack([f[0] for f in followed]), first)
    for k in range(3):
        (alone,) = segmenter.follow([clips[k]], prompts[k : k + 1])
        torch.testing.assert_close(alone, followed[k], rtol=1e-3, atol=1e-3)


def test_what_is_found_later_depends_on_the_first_frame(segmenter: Segmenter) -> None:
    seen = segmenter.look(pictures(3))
    (followed,) = segmenter.follow([seen], segmenter.point(BOXES[:1]))
    (otherwise,) = segmenter.follow([[seen[1], *seen[1:]]], segmenter.point(BOXES[:1]))
    assert float((followed[1:] - otherwise[1:]).abs().mean()) > 1e-4


def test_gradients_reach_the_prompt_and_no_weight(segmenter: Segmenter) -> None:
    prompts = segmenter.point(BOXES[:2]).requires_grad_()
    seen = segmenter.look(pictures(5))
    torch.stack([f.sum() for f in segmenter.follow([seen[:2], seen[2:]], prompts)]).sum().backward()
    assert prompts.grad is not None
    assert (prompts.grad.abs().sum(1) > 0).all()
    model: Any = getattr(segmenter, "model", segmenter)
    assert [name for name, p in model.named_parameters() if p.grad is not None or p.requires_grad] == []


# The tiny one.


def test_it_learns_in_seconds_to_beat_the_filled_box(trained: tuple[TinySegmenter, Path]) -> None:
    model, log = trained
    scores = score_segmenter(model, items("test"), picture_of)
    assert scores["first_box"] < 0.6
    assert scores["first"] > 0.75
    assert scores["followed"] > scores["followed_box"] + 0.15
    records = read_log(log)
    assert [r["step"] for r in records] == list(range(1, CONFIG.updates + 1))
    for part in ("first", "followed"):
        begun, ended = ([r[part] for r in records[cut]] for cut in (slice(10), slice(-10, None)))
        assert np.mean(ended) < 0.6 * np.mean(begun)


def test_a_prompt_can_be_found_by_its_gradients(trained: tuple[TinySegmenter, Path]) -> None:
    """From the middle of the picture, as an adapter that knows nothing yet would begin."""
    model, _ = trained
    chosen = items("test")[:8]
    seen = model.look([picture_of(item.frames[0]) for item in chosen])
    true = torch.from_numpy(np.stack([masks_of(item)[0] for item in chosen])).float().unsqueeze(1)
    wanted = functional.interpolate(true, (model.side, model.side), mode="area").squeeze(1)
    prompts = model.point(torch.tensor([[0.2, 0.2, 0.8, 0.8]]).expand(8, 4)).clone().requires_grad_()
    optimizer = torch.optim.Adam([prompts], lr=0.08)
    for _ in range(50):
        logits = model.masks(seen, prompts)
        loss = functional.binary_cross_entropy_with_logits(logits, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = at_size(logits.detach(), SIDE, SIDE)
    assert np.mean([region_similarity(f, masks_of(i)[0]) for f, i in zip(found, chosen, strict=True)]) > 0.65


def test_prompts_say_which_box_they_point_at() -> None:
    model = untrained()
    prompts = model.point(BOXES)
    torch.testing.assert_close(model.pointed(prompts), BOXES)
    assert 0.3 < float(model.point(torch.rand(200, 4)).square().mean()) < 3
    halfway = model.pointed((prompts[0] + prompts[1]) / 2)
    torch.testing.assert_close(halfway, (BOXES[0] + BOXES[1]) / 2)


def test_it_is_saved_and_loaded_as_it_was(trained: tuple[TinySegmenter, Path], tmp_path: Path) -> None:
    model, _ = trained
    model.save_pretrained(tmp_path / "model")
    again: Any = load(tmp_path / "model", CONFIG)
    assert not again.training
    assert not any(p.requires_grad for p in again.parameters())
    seen = [m.look(pictures(2)) for m in (model, again)]
    torch.testing.assert_close(seen[0][0].coarse, seen[1][0].coarse, rtol=0, atol=0)
    followed = [m.follow([s], m.point(BOXES[:1]))[0] for m, s in zip((model, again), seen, strict=True)]
    torch.testing.assert_close(followed[0], followed[1], rtol=0, atol=0)


def test_a_folder_of_another_kind_or_width_is_refused(tmp_path: Path) -> None:
    untrained().save_pretrained(tmp_path)
    with pytest.raises(UpstreamError, match=r"width=64"):
        load(tmp_path, CONFIG.model_copy(update={"width": 64}))
    with pytest.raises(UpstreamError, match=r"tpru_tiny_segmenter.*sam2_video"):
        load(tmp_path, CONFIG.model_copy(update={"kind": "sam2"}))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(UpstreamError, match=r"model\.safetensors is missing"):
        load(tmp_path, CONFIG)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    shown = examples(items("train")[:10], picture_of, SIDE, side_of(SIDE))
    config = CONFIG.model_copy(update={"updates": 4})
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        torch.rand(7)  # what was drawn before does not matter
        train(shown, config, seed, tmp_path / f"{name}.jsonl").save_pretrained(tmp_path / name)
    sums = {name: sha256_path(tmp_path / name / "model.safetensors") for name in "abc"}
    assert sums["a"] == sums["b"] != sums["c"]
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_the_rate_rises_and_falls() -> None:
    rates = [rate(update, 200) for update in range(1, 201)]
    top = rates.index(max(rates))
    assert top == round(200 * WARMUP) - 1
    assert 0.98 < rates[top] <= 1
    assert rates[-1] < 0.001
    assert rate(1, 1) == 1


# What it is shown.


def test_examples_hold_each_picture_once_and_masks_where_things_are() -> None:
    chosen = items("train")[:4]
    shown = examples([*chosen, chosen[0]], picture_of, SIDE, side_of(SIDE))
    assert shown.pictures.shape == (12, 3, SIDE, SIDE)
    assert shown.frames[0] == shown.frames[4]
    for thing, item in enumerate(chosen):
        for t, frame in enumerate(item.frames):
            pixels = np.asarray(picture_of(frame)).transpose(2, 0, 1)
            assert np.array_equal(shown.pictures[shown.frames[thing][t]].numpy(), pixels)
        areas = shown.masks[thing].float().mean((1, 2)) / 255
        expected = [mask.mean() for mask in masks_of(item)]
        assert areas.tolist() == pytest.approx(expected, abs=0.002)
        assert shown.boxes[thing].any(1).tolist() == [mask.any() for mask in masks_of(item)]
    assert not shown.masks[3][-1].any(), "gone from the last frame"


def test_a_batch_points_at_what_the_first_frame_shows_and_goes_on_in_time() -> None:
    shown = examples(items("train")[3:4], picture_of, SIDE, side_of(SIDE))
    batch = draw(shown, 40, np.random.default_rng(0))
    true = shown.masks[0].float() / 255
    pairs = set()
    for masks, box in zip(batch.masks, batch.boxes, strict=True):
        at = [next(t for t in range(3) if torch.equal(mask, true[t])) for mask in masks]
        pairs.add(tuple(at))
        assert float((box - shown.boxes[0][at[0]]).abs().max()) < 0.15
        assert not torch.equal(box, shown.boxes[0][at[0]])
    assert pairs == {(0, 1), (0, 2), (1, 2)}, "the thing is gone from the third"
    single = examples([clip(0, "train", frames=1)[0]], lambda _: pictures(1)[0], SIDE, side_of(SIDE))
    assert torch.equal(*draw(single, 1, np.random.default_rng(0)).masks[0])


def test_items_without_masks_teach_nothing() -> None:
    item = items("train")[0]
    boxes = dataclasses.replace(item, regions=tuple(dataclasses.replace(r, mask=b"") for r in item.regions))
    partly = dataclasses.replace(item, regions=(*item.regions[:-1], boxes.regions[-1]))
    late = dataclasses.replace(item, regions=(Region(0, ()), *item.regions[1:]))
    other = dataclasses.replace(item, task="region", regions=item.regions[:1])
    assert has_masks(item)
    assert not [i for i in (boxes, partly, late, other) if has_masks(i)]
    with pytest.raises(EmptySourceError, match=r"none of 4 .*per_trajectory\.mask"):
        examples([boxes, partly, late, other], picture_of, SIDE, side_of(SIDE))


def test_a_mask_that_is_no_picture_is_named() -> None:
    item = items("train")[0]
    broken = dataclasses.replace(item.regions[1], mask=b"no picture")
    with pytest.raises(CorruptMediaError, match=r"the mask of frame 1 of item i0"):
        masks_of(dataclasses.replace(item, regions=(item.regions[0], broken)))


# How good it is.


class Oracle:
    """Answers with given masks (clips, frames, height, width), whatever it is shown."""

    width, side = 4, 4

    def __init__(self, answers: list[list[Any]]) -> None:
        self.answers: Iterator[list[Any]] = iter(answers)

    def look(self, pictures: list[Image.Image]) -> list[Any]:
        return pictures

    def masks(self, seen: list[Any], prompts: Tensor) -> Tensor:
        raise NotImplementedError

    def point(self, boxes: Tensor) -> Tensor:
        return boxes

    def follow(self, clips: list[list[Any]], prompts: Tensor) -> list[Tensor]:
        return [torch.tensor(np.stack(next(self.answers)), dtype=torch.float32) * 20 - 10 for _ in clips]


def test_scores_by_hand() -> None:
    whole = np.ones((4, 4), dtype=bool)
    left = whole.copy()
    left[:, 2:] = False
    corner = left.copy()
    corner[2:] = False
    nothing = ~whole

    def region(frame: int, mask: Any) -> Region:
        if not mask.any():
            return Region(frame, ())
        rows, columns = np.nonzero(mask)
        box = (columns.min() / 4, rows.min() / 4, (columns.max() + 1) / 4, (rows.max() + 1) / 4)
        return Region(frame, tuple(float(b) for b in box), encode_png(Image.fromarray(mask).convert("L")))

    def item(*masks: Any) -> GroundingItem:
        regions = tuple(region(t, mask) for t, mask in enumerate(masks))
        return dataclasses.replace(items("test")[0], regions=regions, frames=tuple("f" * len(masks)))

    asked = [item(left, left, nothing, nothing), item(left, whole)]
    found = [[corner, left, nothing, corner], [left, corner]]
    scores = score_segmenter(Oracle(found), asked, lambda _: pictures(1)[0])
    assert scores == {
        "first": pytest.approx((0.5 + 1) / 2),
        "first_box": 1,
        "followed": pytest.approx((1 + 0.25) / 2),
        "followed_box": pytest.approx((1 + 0.5) / 2),
        "absent": 0.5,
    }
    assert set(score_segmenter(Oracle([[left]]), [item(left)], lambda _: pictures(1)[0])) == {
        "first",
        "first_box",
    }


# SAM 2 against transformers' own way through it.


def stock_pixels(shown: list[Image.Image]) -> Tensor:
    return torch.stack([normalised(p, 64) for p in shown])


def test_masks_of_boxes_are_those_of_the_stock_image_model() -> None:
    stock = Sam2Model(Sam2Config(**sam2_parts())).eval()
    shared = stock.state_dict().keys()
    stock.load_state_dict({k: v for k, v in sam2_model().state_dict().items() if k in shared})
    segmenter = Sam2Segmenter(sam2_model(), 256)
    shown = pictures(3)
    with torch.no_grad():
        expected = stock(
            pixel_values=stock_pixels(shown), input_boxes=64 * BOXES.unsqueeze(1), multimask_output=False
        ).pred_masks
        found = segmenter.masks(segmenter.look(shown), segmenter.point(BOXES))
        middles = 64 * ((BOXES[:, :2] + BOXES[:, 2:]) / 2)[:, None, None]
        pointed = stock(
            pixel_values=stock_pixels(shown), input_points=middles, multimask_output=False
        ).pred_masks
        like_points = Sam2Segmenter(sam2_model(), 128)
        of_points = like_points.masks(like_points.look(shown), like_points.point(BOXES))
    torch.testing.assert_close(found, expected[:, 0, 0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(of_points, pointed[:, 0, 0], rtol=1e-3, atol=1e-3)
    assert float((found - of_points).abs().mean()) > 1e-3


def test_a_mask_is_followed_as_by_the_stock_video_model_from_pixels() -> None:
    segmenter = Sam2Segmenter(sam2_model(), 256)
    shown = pictures(4)
    with torch.no_grad():
        (found,) = segmenter.follow([segmenter.look(shown)], segmenter.point(BOXES[:1]))
    drawn = functional.interpolate(found[None, :1], (64, 64), mode="bilinear", align_corners=False) > 0
    assert 0 < int(drawn.sum()) < 64 * 64
    session = Sam2VideoInferenceSession(
        video=stock_pixels(shown), video_height=64, video_width=64, dtype=torch.float32
    )
    session.add_mask_inputs(session.obj_id_to_idx(1), 0, drawn.float())
    session.obj_with_new_inputs = [1]
    stock = [o.pred_masks[0, 0] for o in sam2_model().propagate_in_video_iterator(session, start_frame_idx=0)]
    torch.testing.assert_close(found[1:], torch.stack(stock[1:]), rtol=1e-3, atol=1e-3)


def test_pixels_are_what_the_checkpoints_want() -> None:
    white = normalised(Image.new("RGB", (30, 20), "white"), 8)
    assert white.shape == (3, 8, 8)
    assert white[:, 3, 3].tolist() == pytest.approx(
        [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    )
    red = normalised(Image.new("L", (8, 8), 0), 8)
    assert red[:, 0, 0].tolist() == pytest.approx([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])


def test_sam2_is_loaded_from_a_folder(tmp_path: Path) -> None:
    sam2_model().save_pretrained(tmp_path)
    config = CONFIG.model_copy(update={"kind": "sam2", "width": 256})
    loaded = load(tmp_path, config)
    given = Sam2Segmenter(sam2_model(), 256)
    found = [s.masks(s.look(pictures(1)), s.point(BOXES[:1])) for s in (loaded, given)]
    torch.testing.assert_close(found[0], found[1])
    with pytest.raises(ConfigError, match=r"width=64 .* 128 .* 256"):
        load(tmp_path, config.model_copy(update={"width": 64}))


# The stage and its unit.


def made_run(folder: Path, config: SegmenterConfig) -> Run:
    """A run of the stage beside a finished unit ``grounding``."""
    results = folder / "results" / "made"
    unit = results / "grounding"
    write_records(unit / "grounding.parquet", GroundingItem, world()[0])
    write_frames(unit / "frames.parquet", world()[1].values())
    outputs = {p.name: {"bytes": p.stat().st_size} for p in unit.glob("*.parquet")}
    write_json(unit / "run.json", {"fingerprint": "f", "mlflow_run_id": "", "outputs": outputs})
    values = {"name": "made", "unit": "segmenter", "seed": 0, "segmenter": config.model_dump()}
    return Run("made", "segmenter", values, results / "segmenter", SilentTracker())


def test_the_stage_trains_the_tiny_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "TRIED", 8)
    config = CONFIG.model_copy(update={"updates": 3})
    run = made_run(tmp_path, config)
    stage.main.__wrapped__(run)
    assert set(run.outputs) == {"model", "log.jsonl"}
    assert run.inputs == {"grounding": "f"}
    assert run.metrics["things"] == 80
    assert run.metrics["tried"] == 8
    assert {"first", "first_box", "followed", "followed_box", "absent"} <= set(run.metrics)
    assert isinstance(load(run.folder / "model", config), TinySegmenter)


def test_the_stage_links_sam2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked = []

    def fetch(repo: str, revision: str, patterns: list[str]) -> Path:
        asked.append((repo, revision))
        sam2_model().save_pretrained(tmp_path / "hub")
        return tmp_path / "hub"

    monkeypatch.setattr(stage, "fetch", fetch)
    monkeypatch.setattr(stage, "TRIED", 3)
    changes = {"kind": "sam2", "repo": "some/sam2", "revision": "0" * 40, "width": 256}
    run = made_run(tmp_path, CONFIG.model_copy(update=changes))
    stage.main.__wrapped__(run)
    assert asked == [("some/sam2", "0" * 40)]
    assert (run.folder / "model").resolve() == tmp_path / "hub"
    assert run.outputs == ["model"]
    assert run.metrics["tried"] == 3
    assert 0 < run.metrics["first_box"] < 0.6


VARIANT = "+tpo.variants.{name}={{tasks:[{tasks}],conversation:true,answers:{answers},temporal_head:detr,region_loss:mse}}"


@pytest.mark.parametrize(
    ("variants", "needed"),
    [
        ((), False),
        ((("a", "temporal,region", "heads"),), False),
        ((("a", "temporal,mask", "text"),), False),
        ((("a", "temporal", "heads"), ("b", "mask", "heads")), True),
    ],
)
def test_it_is_a_unit_only_where_a_variant_has_a_mask_head(
    variants: tuple[tuple[str, str, str], ...], needed: bool
) -> None:
    overrides = [VARIANT.format(name=n, tasks=t, answers=a) for n, t, a in variants]
    config = compose("demo", overrides)
    assert ("segmenter" in unit_names(config)) == needed
    if needed:
        assert set(unit_config(config, "segmenter")) == {"name", "unit", "seed", "segmenter"}
    else:
        with pytest.raises(ConfigError, match="segmenter"):
            unit_config(config, "segmenter")


def test_the_shipped_configuration_is_of_the_tiny_one() -> None:
    config = compose("demo", []).segmenter
    model = TinySegmenter(TinySegmenterConfig(picture=config.side, width=config.width))
    assert config.kind == "tiny"
    assert 100_000 < model.num_parameters() < 600_000
    (mask,) = model.masks(model.look(pictures(1)), model.point(BOXES[:1]))
    assert mask.shape == (config.side // 2, config.side // 2)


def test_inner_parts_of_sam2_are_where_they_were() -> None:
    """What :mod:`tpru.models.segmenter.sam2` touches of transformers beside documented arguments."""
    model = sam2_model()
    encoder = model.prompt_encoder
    assert encoder.not_a_point_embed.weight.shape == (1, encoder.hidden_size)
    assert encoder.mask_input_size == (16, 16)
    assert encoder.input_image_size == 64
    assert model.no_memory_embedding.shape == (1, 1, 128)
    assert [tuple(size) for size in model.backbone_feature_sizes] == [(16, 16), (8, 8), (4, 4)]
    assert sam2_module.Sam2VideoInferenceSession(video=torch.zeros(3, 0), dtype=torch.float32).num_frames == 3


def test_masks_at_the_size_of_a_picture() -> None:
    (large,) = at_size(torch.tensor([[[5.0, -5.0], [5.0, -5.0]]]), 6, 4)
    assert large.tolist() == [[True, True, False, False]] * 6
