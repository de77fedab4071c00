"""The groups of Task Preference Optimization (arXiv 2412.19326): dense data, the segmenter, the training."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tpru.config.base import Count, LoraSettings, Name, Positive, Rate, Share, Strict, UpdateSettings
from tpru.config.grounding_datasets import GroundingDataset
from tpru.grounding.records import GROUNDING_TASKS, GroundingTask

Phase = Literal["assignment", "heads", "joint"]
PHASES: tuple[Phase, ...] = ("assignment", "heads", "joint")
# Beside the three tasks, what a batch can hold: our temporal items and general chat.
Part = Literal["temporal", "region", "mask", "conversation"]
# What has a learning rate of its own; 0 keeps it as it is.
Trained = Literal["language", "tokens", "temporal", "region", "mask", "vision"]


class SimulatedGrounding(Strict):
    """What is asked about each simulated trajectory."""

    per_trajectory: dict[GroundingTask, Count]
    chat_per_trajectory: Count
    clip_frames: Annotated[int, Field(ge=2, le=64)]
    mask_frames: Annotated[int, Field(ge=1, le=64)]
    seconds_per_frame: Rate
    least_share: Share
    tracked_share: Share

    @model_validator(mode="after")
    def _all_tasks(self) -> "SimulatedGrounding":
        if set(self.per_trajectory) != set(GROUNDING_TASKS):
            raise ValueError(f"per_trajectory needs exactly the keys {list(GROUNDING_TASKS)}")
        return self


class GroundingConfig(Strict):
    """conf/grounding: dense items of the simulators and of public datasets."""

    version: Positive
    simulated: SimulatedGrounding
    datasets: dict[Name, GroundingDataset]
    chat: str
    max_train_items: Count
    max_test_items: Count
    near_duplicate_change: Share


class SegmenterConfig(Strict):
    """conf/segmenter: the frozen network that turns a prompt into a mask."""

    version: Positive
    kind: Literal["tiny", "sam2"]
    repo: str
    revision: str
    side: Annotated[int, Field(ge=28, le=1024)]
    width: Positive
    updates: Positive
    batch_size: Positive
    learning_rate: Rate

    @model_validator(mode="after")
    def _complete(self) -> "SegmenterConfig":
        if self.kind == "sam2" and not (self.repo and len(self.revision) == 40):
            raise ValueError("kind=sam2 needs `repo` and a 40-digit commit as `revision`")
        return self


class TpoLosses(Strict):
    """Weights of the losses that are added up."""

    language: Annotated[float, Field(ge=0.0)]
    assignment: Annotated[float, Field(ge=0.0)]
    temporal: Annotated[float, Field(ge=0.0)]
    region: Annotated[float, Field(ge=0.0)]
    mask: Annotated[float, Field(ge=0.0)]


class TpoPhase(Strict):
    """One of the three stages of training: how long, on what, and what learns how fast."""

    updates: Positive
    batch_size: Positive
    per_device_batch_size: Positive
    mix: dict[Part, Annotated[float, Field(ge=0.0)]]
    learning_rates: dict[Trained, Annotated[float, Field(ge=0.0)]]

    @model_validator(mode="after")
    def _whole(self) -> "TpoPhase":
        for key, kind in (("mix", Part), ("learning_rates", Trained)):
            names = set(kind.__args__)  # type: ignore[attr-defined]
            if set(getattr(self, key)) != names:
                raise ValueError(f"{key} needs exactly the keys {sorted(names)}")
        if not any(self.learning_rates.values()):
            raise ValueError("learning_rates are all 0: nothing would be trained")
        if self.batch_size % self.per_device_batch_size:
            raise ValueError(
                f"batch_size ({self.batch_size}) is not a multiple of per_device_batch_size "
                f"({self.per_device_batch_size})"
            )
        return self


class TpoVariant(Strict):
    """One training of all phases: which tasks, with or without conversation, heads or plain text."""

    tasks: tuple[GroundingTask, ...]
    conversation: bool
    answers: Literal["heads", "text"]
    temporal_head: Literal["detr", "mlp"]
    region_loss: Literal["l1_giou", "mse"]

    @model_validator(mode="after")
    def _something(self) -> "TpoVariant":
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks names one twice: {list(self.tasks)}")
        if not self.tasks and not self.conversation:
            raise ValueError("tasks is empty and conversation is off: there is nothing to learn")
        return self

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases that it goes through: without a task there is nothing to assign and no head."""
        return PHASES if self.tasks else PHASES[-1:]

    @property
    def segments(self) -> bool:
        """Whether it has a mask head."""
        return "mask" in self.tasks and self.answers == "heads"


class TpoTraining(Strict):
    """What all phases share."""

    version: Positive
    method: Literal["lora", "full"]
    lora: LoraSettings
    losses: TpoLosses
    moment_queries: Positive
    schedule: Literal["cosine", "linear", "constant"]
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0.0)]
    max_grad_norm: Rate
    gradient_checkpointing: bool
    save_every: Positive
    keep_checkpoints: Positive

    def of_updates(self, phase: TpoPhase) -> UpdateSettings:
        """What a phase has in common with every training."""
        return UpdateSettings(
            # Each part has its own; this one no optimizer reads.
            learning_rate=max(phase.learning_rates.values()),
            schedule=self.schedule,
            warmup=self.warmup,
            weight_decay=self.weight_decay,
            max_grad_norm=self.max_grad_norm,
            batch_size=phase.batch_size,
            per_device_batch_size=phase.per_device_batch_size,
            gradient_checkpointing=self.gradient_checkpointing,
            save_every=self.save_every,
            keep_checkpoints=self.keep_checkpoints,
        )


class TpoConfig(TpoTraining):
    """conf/tpo: three stages of training with task tokens and task heads."""

    variants: dict[Name, TpoVariant]
    phases: dict[Phase, TpoPhase]
    evaluation_batch: Positive

    @model_validator(mode="after")
    def _all_phases(self) -> "TpoConfig":
        if set(self.phases) != set(PHASES):
            raise ValueError(f"phases needs exactly the keys {list(PHASES)}")
        return self

    @property
    def segments(self) -> bool:
        """Whether any variant has a mask head."""
        return any(variant.segments for variant in self.variants.values())


class FromTpoConfig(Strict):
    """conf/sft_from_tpo and conf/grpo_from_tpo: as SFT and GRPO, on top of TPO."""

    version: Positive
