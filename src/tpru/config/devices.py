"""How the batch of an update spreads over devices: arithmetic only, so that it is checked before any job."""

from tpru.config.base import UpdateSettings
from tpru.config.schema import GrpoConfig, SftConfig
from tpru.errors import BatchError


def passes_per_update(settings: UpdateSettings, nodes: int, gpus: int, key: str = "tpo.phases.*") -> int:
    """Forward and backward passes of each device per update (gradient accumulation).

    Args:
        settings: of SFT or a phase of TPO (batches count items), or GRPO (batches count completions).
        nodes: machines that train together.
        gpus: processes on each, one to a GPU.
        key: where the batch of a phase of TPO stands in the configuration; SFT and GRPO know theirs.

    Raises:
        BatchError: the batch does not spread evenly; with all numbers and what to change.
    """
    devices = nodes * gpus
    at_once = settings.per_device_batch_size * devices
    if settings.batch_size % at_once == 0:
        return settings.batch_size // at_once
    what, group = "items", 1
    if isinstance(settings, SftConfig):
        key = "sft"
    if isinstance(settings, GrpoConfig):
        group = settings.group_size
        key, what = "grpo", f"completions: {settings.batch_size // group} prompts x {group}"
    if settings.batch_size % devices:
        remedy = f"make {key}.batch_size a multiple of {devices * group}"
    else:
        remedy = f"set {key}.per_device_batch_size to {settings.batch_size // devices} or a divisor of it"
    raise BatchError(
        f"{key}.batch_size={settings.batch_size} ({what}) does not spread over {nodes} node(s) x {gpus} "
        f"device(s) x {key}.per_device_batch_size={settings.per_device_batch_size} = {at_once} at once: "
        f"{settings.batch_size / at_once:.3g} passes per update; {remedy}"
    )
