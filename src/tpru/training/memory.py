"""What a training takes of a device's memory, predicted before it is submitted.

    python -m tpru.training.memory experiment=my_run model=qwen2_5_vl_7b grpo=tpru

Weights are counted on the meta device. What a pass keeps for the gradients is counted there too, by running
the model's own layers on tensors without contents, so that nothing has to be known about their insides.
"""

import sys
import warnings
from dataclasses import asdict, dataclass
from typing import Any

import torch
from peft import get_peft_model
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from tpru.config.compose import compose
from tpru.config.schema import GrpoConfig, ModelConfig
from tpru.errors import TpruError
from tpru.models.loading import SHIPPED_BASE, fetch
from tpru.training.common import lora_config

FLOAT32 = 4
ADAM = 2
COUNTED = "tpru_counted"


@dataclass(frozen=True)
class Load:
    """A pass of the loss: prompts side by side, completions of each, and tokens of both (the longest)."""

    prompts: int
    group: int
    prompt_tokens: int
    completion_tokens: int

    @property
    def row(self) -> int:
        """Tokens of a prompt with all its completions behind it."""
        return self.prompt_tokens + self.group * self.completion_tokens


@dataclass(frozen=True)
class Memory:
    """Bytes on one device."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    sampling: int

    @property
    def total(self) -> int:
        """The larger of loss and sampling beside what is always there."""
        return self.weights + self.gradients + self.optimizer + max(self.activations, self.sampling)


def predict(config: Qwen2_5_VLConfig, model: ModelConfig, grpo: GrpoConfig, load: Load) -> Memory:
    """Memory of GRPO on one device: the language model trained, prompts read once per group.

    Optimizer states have the type of the weights that they belong to, as torch keeps them. A trained vision
    tower's activations are not counted.
    """
    size = getattr(torch, model.dtype).itemsize
    adapted = grpo.method == "lora"
    with torch.device("meta"):
        whole: Any = Qwen2_5_VLForConditionalGeneration(config)
        whole.model.visual.requires_grad_(grpo.train_vision)
        weights = sum(p.numel() for p in whole.parameters()) * size
        if adapted:
            whole = get_peft_model(whole, lora_config(grpo))
        trained = sum(p.numel() for p in whole.parameters() if p.requires_grad)
    # PEFT keeps adapters in float32.
    trained *= FLOAT32 if adapted else size
    # Beside the weights the adapter, or a reference model of its own.
    beside = trained if adapted else weights * bool(grpo.beta)
    return Memory(
        weights + beside,
        trained,
        ADAM * trained,
        _activations(config, model, grpo, load),
        _sampling(config, size, load),
    )


def _activations(config: Qwen2_5_VLConfig, model: ModelConfig, grpo: GrpoConfig, load: Load) -> int:
    """What the loss keeps: as many layers as there are, the words' probabilities and the mask."""
    text = config.get_text_config()
    one, two = (_kept(config, model, grpo, load, layers) for layers in (1, 2))
    layer, rest = two - one, one - (two - one)
    tokens = load.prompts * load.group * load.completion_tokens
    # log_softmax keeps its result; its gradient is as large, and so is the product that made it.
    words = 3 * tokens * text.vocab_size * FLOAT32
    mask = load.prompts * load.row**2
    if grpo.gradient_checkpointing:
        size = getattr(torch, model.dtype).itemsize
        stored = load.prompts * load.row * text.hidden_size * size
        return rest + text.num_hidden_layers * stored + layer + words + mask
    return rest + text.num_hidden_layers * layer + words + mask


def _kept(config: Qwen2_5_VLConfig, model: ModelConfig, grpo: GrpoConfig, load: Load, layers: int) -> int:
    """Bytes saved for the gradients by a language model of so many layers."""
    sizes = config.to_dict()
    sizes["text_config"] |= {"num_hidden_layers": layers, "layer_types": ["full_attention"] * layers}
    short = Qwen2_5_VLConfig(**sizes)
    storages: dict[int, tuple[Tensor, int]] = {}

    def note(tensor: Tensor) -> Tensor:
        # The tensor is held, so that its number is not given to another one.
        storages[id(tensor.untyped_storage())] = (tensor, tensor.untyped_storage().nbytes())
        return tensor

    with torch.device("meta"):
        whole: Any = Qwen2_5_VLForConditionalGeneration(short).to(getattr(torch, model.dtype))
        if grpo.method == "lora":
            whole = get_peft_model(whole, lora_config(grpo)).get_base_model()
        language = whole.model.language_model
        language.config._attn_implementation = COUNTED
        embeds = torch.empty(load.prompts, load.row, short.get_text_config().hidden_size, dtype=whole.dtype)
        embeds.requires_grad_()
        positions = torch.empty(3, load.prompts, load.row, dtype=torch.long)
        lower = model.precision == "bfloat16" and model.dtype == "float32"
        with (
            saved_tensors_hooks(note, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16, enabled=lower),
        ):
            language(
                inputs_embeds=embeds, attention_mask={"full_attention": None}, position_ids=positions,
                use_cache=False,
            )  # fmt: skip
        fixed = {id(p.untyped_storage()) for p in whole.parameters()}
    return sum(size for number, (_, size) in storages.items() if number not in fixed)


def _sampling(config: Qwen2_5_VLConfig, size: int, load: Load) -> int:
    """Keys and values of prompts and completions, and the probabilities of the next words."""
    text = config.get_text_config()
    head = text.hidden_size // text.num_attention_heads
    keys = 2 * text.num_hidden_layers * text.num_key_value_heads * head * size
    rows = load.prompts * load.group
    return load.prompts * load.row * keys + 3 * rows * text.vocab_size * 8


def table(memory: Memory) -> str:
    """The parts in GB."""
    shown = ", ".join(f"{name} {value / 1e9:.2f}" for name, value in asdict(memory).items())
    return f"{memory.total / 1e9:.2f} GB on each device ({shown}; loss and sampling take turns)"


def load_of(grpo: GrpoConfig, prompt_tokens: int) -> Load:
    """The pass of a configuration: whole groups side by side, every completion as long as it may be."""
    prompts = max(1, grpo.per_device_batch_size // grpo.group_size)
    group = min(grpo.group_size, grpo.per_device_batch_size)
    return Load(prompts, group, prompt_tokens, grpo.max_completion_tokens)


class _Counted(torch.autograd.Function):
    """An attention that computes nothing and keeps what a flash kernel keeps."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        out = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, out)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        raise NotImplementedError


def _counted(
    module: Any, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any
) -> tuple[Tensor, None]:
    out: Tensor = _Counted.apply(query, key, value)
    return out.transpose(1, 2), None


ALL_ATTENTION_FUNCTIONS.register(COUNTED, _counted)


def main() -> None:
    """The command line: prompts are taken to be as long as ``synthesize.max_tokens`` allows."""
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    named = [a.removeprefix("experiment=") for a in sys.argv[1:] if a.startswith("experiment=")]
    overrides = [a for a in sys.argv[1:] if not a.startswith("experiment=")]
    try:
        config = compose(named[-1] if named else "demo", overrides)
        hub = config.model.kind == "hub"
        folder = fetch(config.model.repo, config.model.revision, ["config.json"]) if hub else SHIPPED_BASE
    except TpruError as error:
        print(f"tpru: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    sizes = Qwen2_5_VLConfig.from_pretrained(folder)
    load = load_of(config.grpo, config.synthesize.max_tokens)
    print(f"grpo: {table(predict(sizes, config.model, config.grpo, load))}; {load}")


if __name__ == "__main__":
    main()
