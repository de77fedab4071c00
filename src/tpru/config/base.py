"""What every group of the configuration is made of."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0.0)]


class Strict(BaseModel):
    """A frozen group whose unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class LoraSettings(Strict):
    """Low-rank adapters on the language layers (arXiv 2106.09685)."""

    r: Positive
    alpha: Positive
    dropout: Share
    target: tuple[str, ...]


class UpdateSettings(Strict):
    """What every training has: how an update is made, and when it is kept."""

    learning_rate: Rate
    schedule: Literal["constant", "linear", "cosine"]
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0.0)]
    max_grad_norm: Rate
    batch_size: Positive
    per_device_batch_size: Positive
    gradient_checkpointing: bool
    save_every: Positive
    keep_checkpoints: Positive

    @model_validator(mode="after")
    def _accumulation(self) -> "UpdateSettings":
        if self.batch_size % self.per_device_batch_size:
            raise ValueError(
                f"batch_size ({self.batch_size}) is not a multiple of per_device_batch_size "
                f"({self.per_device_batch_size}); one device would need "
                f"{self.batch_size / self.per_device_batch_size:g} passes per update"
            )
        return self
