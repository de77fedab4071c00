"""SAM 2 (arXiv 2408.00714) by transformers as a segmenter; all that is touched of its inner parts is here.

A prompt takes the place of what its prompt encoder makes of points or of a box: one token of ``hidden``
numbers (a point), or two (the corners of a box), behind which the model itself always puts one that says "no
more".
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from tpru.errors import ConfigError

# Mean and deviation of red, green and blue that the checkpoints were trained with.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
THING = 1  # the one object of a session


@dataclass(frozen=True)
class Seen:
    """One picture as the vision encoder gives it.

    features: of each level, (places, 1, channels), the coarsest last; positions: of the places of that one.
    """

    features: tuple[Tensor, ...]
    positions: Tensor


class Sam2Segmenter:
    """A :class:`tpru.models.segmenter.Segmenter`; its weights are frozen.

    ``width`` is that of one token or of two; ``side`` a quarter of the picture's, 256 for the checkpoints.
    """

    def __init__(self, model: Any, width: int) -> None:
        self.model = model.requires_grad_(False).eval()
        self.width = width
        self.hidden: int = model.prompt_encoder.hidden_size
        self.picture: int = model.prompt_encoder.input_image_size
        self.side: int = model.prompt_encoder.mask_input_size[0]
        if width not in (self.hidden, 2 * self.hidden):
            raise ConfigError(
                f"segmenter.width={width} does not fit this SAM 2: {self.hidden} makes prompts like points, "
                f"{2 * self.hidden} prompts like boxes: set either"
            )

    def look(self, pictures: list[Image.Image]) -> list[Seen]:
        """Features of each picture, which is stretched to a square first; one at a time, as each is large."""
        out = []
        for picture in pictures:
            pixels = normalised(picture, self.picture).to(self.model.device, self.model.dtype)
            with torch.no_grad():
                seen = self.model.get_image_features(pixels.unsqueeze(0), return_dict=True)
            out.append(Seen(tuple(seen.fpn_hidden_states), seen.fpn_position_encoding[-1]))
        return out

    def masks(self, seen: list[Seen], prompts: Tensor) -> Tensor:
        """Logits (n, side, side) of what each prompt (n, width) means in its picture."""
        model, n = self.model, len(seen)
        *finer, coarsest = (
            torch.cat(level, dim=1) for level in zip(*(s.features for s in seen), strict=True)
        )
        maps = [
            level.permute(1, 2, 0).unflatten(2, tuple(size))
            for level, size in zip(
                (*finer, coarsest + model.no_memory_embedding), model.backbone_feature_sizes, strict=True
            )
        ]
        encoder = model.prompt_encoder
        tokens = prompts.to(model.dtype).view(n, 1, -1, self.hidden)
        end = encoder.not_a_point_embed.weight.expand(n, 1, 1, self.hidden)
        _, no_mask = encoder(input_points=None, input_labels=None, input_boxes=None, input_masks=None)
        logits, *_ = model.mask_decoder(
            image_embeddings=maps[-1],
            image_positional_embeddings=model.get_image_wide_positional_embeddings().repeat(n, 1, 1, 1),
            sparse_prompt_embeddings=torch.cat([tokens, end], dim=2),
            dense_prompt_embeddings=no_mask.expand(n, -1, -1, -1),
            multimask_output=False,
            high_resolution_features=maps[:-1],
        )
        out: Tensor = logits[:, 0, 0].to(prompts.dtype)
        return out

    def follow(self, clips: list[list[Seen]], prompts: Tensor) -> list[Tensor]:
        """Logits (frames, side, side) by clip.

        The first mask goes into the model's memory as if it had been drawn. The model finds it again without
        gradients, so that only the first frame's logits tell the prompt anything: training needs clips of one
        frame alone, and should give no more.
        """
        first = self.masks([clip[0] for clip in clips], prompts)
        return [
            torch.cat([mask.unsqueeze(0), *self._found(clip, mask.detach())])
            for clip, mask in zip(clips, first, strict=True)
        ]

    def _found(self, clip: list[Seen], mask: Tensor) -> list[Tensor]:
        """Logits (1, side, side) of each frame after the first."""
        if len(clip) == 1:
            return []
        device = self.model.device
        # The frames are known by their features, which stand in the session's cache; there are no pixels.
        session = Sam2VideoInferenceSession(
            video=torch.zeros(len(clip), 0),
            video_height=self.picture,
            video_width=self.picture,
            inference_device=device,
            inference_state_device=device,
            dtype=self.model.dtype,
            max_vision_features_cache_size=len(clip),
        )
        for t, seen in enumerate(clip):
            features = {"vision_feats": list(seen.features), "vision_pos_embeds": [seen.positions]}
            session.cache.cache_vision_features(t, features)
        size = (self.picture, self.picture)
        drawn = functional.interpolate(mask.float()[None, None], size, mode="bilinear", align_corners=False)
        session.add_mask_inputs(session.obj_id_to_idx(THING), 0, (drawn > 0).to(self.model.dtype))
        session.obj_with_new_inputs = [THING]
        found = [out.pred_masks for out in self.model.propagate_in_video_iterator(session, start_frame_idx=0)]
        return [logits[0].clone().to(mask.dtype) for logits in found[1:]]

    def point(self, boxes: Tensor) -> Tensor:
        """The prompt (n, width) that the model itself makes of boxes (n, 4), shares of the picture.

        Where a prompt is one token, that of a point in the middle of the box.
        """
        pixels = boxes.to(self.model.dtype) * self.picture
        encoder = self.model.prompt_encoder
        if self.width == self.hidden:
            middle = ((pixels[:, :2] + pixels[:, 2:]) / 2)[:, None, None]
            inside = torch.ones(middle.shape[:3], dtype=torch.int64, device=middle.device)
            tokens, _ = encoder(input_points=middle, input_labels=inside, input_boxes=None, input_masks=None)
        else:
            tokens, _ = encoder(
                input_points=None, input_labels=None, input_boxes=pixels.unsqueeze(1), input_masks=None
            )
        # The last token is the one that says "no more".
        prompts: Tensor = tokens[:, 0, :-1].flatten(1)
        return prompts


def normalised(picture: Image.Image, side: int) -> Tensor:
    """Pixels (3, side, side) of a picture stretched to a square, as the checkpoints want them."""
    square = picture.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    values = (np.asarray(square, dtype=np.float32) / 255 - MEAN) / DEVIATION
    return torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1)


def load_sam2(folder: Path, width: int) -> Sam2Segmenter:
    """The segmenter of a folder with a checkpoint of SAM 2 for videos."""
    return Sam2Segmenter(Sam2VideoModel.from_pretrained(folder), width)
