"""Typed, frozen and checked configuration: one model per group of ``conf/``.

Hydra composes the YAML files and refuses unknown overrides; these models check the resolved values
(type, range, unknown key in a file) and what must hold between groups. They are the only place where a
default could hide, so there are none: every value stands in ``conf/`` beside its explanation.
"""

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from tpru.acquisition.pinned import check_accepted, pinned, require_commit
from tpru.config.base import Count, LoraSettings, Name, Positive, Rate, Share, Strict, UpdateSettings
from tpru.config.tpo_schema import FromTpoConfig, GroundingConfig, SegmenterConfig, TpoConfig
from tpru.errors import ConfigError
from tpru.records import SCENARIOS, SPLITS, TASKS, Level, Scenario, Split
from tpru.seeds import split_seed

# Rows of the tables that need no model; a test compares with tpru.evaluation.scoring.
BASELINE = re.compile("chance|majority|always_none|guess_.*")
ModelName = Literal[
    "base",
    "sft",
    "sft_continued",
    "grpo",
    "grpo_from_base",
    "grpo_blind",
    "tpo",
    "tpo_chat",
    "sft_from_tpo",
    "grpo_from_tpo",
]
# Models that a training of TPO comes before, and which one.
AFTER_VARIANT = {"tpo": "full", "tpo_chat": "chat", "sft_from_tpo": "full", "grpo_from_tpo": "full"}
# Models that other programs can be given: those that differ in their weights.
ExportedModel = Literal["base", "sft", "sft_continued", "grpo", "grpo_from_base"]


class ExtractConfig(Strict):
    """conf/extract: which frames of a trajectory become a sequence."""

    version: Positive
    n_frames: Annotated[int, Field(ge=3, le=8)]
    every: Positive
    min_change: Annotated[float, Field(gt=0.0, lt=1.0)]
    black: Annotated[int, Field(ge=0, le=255)]
    jump_change: dict[Scenario, Share]
    max_key_frames: Annotated[int, Field(ge=3, le=64)]
    spacing: Positive
    stride: Positive
    max_sequences: Positive
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]

    @model_validator(mode="after")
    def _complete(self) -> "ExtractConfig":
        if self.max_key_frames < self.n_frames:
            raise ValueError(
                f"max_key_frames ({self.max_key_frames}) is below n_frames ({self.n_frames}): no "
                "sequence could be filled; raise max_key_frames"
            )
        if set(self.jump_change) != set(SCENARIOS):
            raise ValueError(f"jump_change needs exactly the keys {list(SCENARIOS)}")
        return self


class PinnedFetch(Strict):
    """conf/fetch/pinned.yaml: an origin of the table in src/tpru/acquisition/pinned.py."""

    kind: Literal["pinned"]
    origin: str
    revision: str
    accept_licence: str


class RepoFetch(Strict):
    """conf/fetch/hub.yaml, github.yaml and bucket.yaml: an origin that lists its files."""

    kind: Literal["hub", "github", "bucket"]
    repo: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)*$")]
    revision: str
    files: Annotated[tuple[str, ...], Field(min_length=1)]
    unpack: bool
    accept_licence: str

    @model_validator(mode="after")
    def _commit(self) -> "RepoFetch":
        try:
            if self.kind != "bucket":
                require_commit(self.kind, self.repo, self.revision)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self


class UrlsFetch(Strict):
    """conf/fetch/urls.yaml: a list of URLs, in a file or as it stands."""

    kind: Literal["urls"]
    list: str | tuple[str, ...]
    unpack: bool
    accept_licence: str


Fetch = Annotated[PinnedFetch | RepoFetch | UrlsFetch, Field(discriminator="kind")]


class SourceBase(Strict):
    """What every source has: ``extract`` overrides the extract group for this source alone.

    With ``fetch`` its data are fetched, and what ``paths`` names is relative to what came.
    """

    paths: ClassVar[tuple[str, ...]] = ("path",)
    # Whether its download computes something that several jobs can share; else it only lists what is there.
    sharded_download: ClassVar[bool] = False

    scenario: Scenario
    licence: str
    citation: str
    extract: dict[str, Any]
    shards: Positive
    fetch: Fetch | None


class LevelCounts(Strict):
    """Number of episodes by level (arXiv 2503.24376)."""

    L1: Positive
    L2: Count
    L3: Count


class SimulatedSource(SourceBase):
    """conf/source/simulated_*.yaml: an embedded simulator."""

    paths: ClassVar[tuple[str, ...]] = ()
    sharded_download: ClassVar[bool] = True

    kind: Literal["simulated"]
    episodes: LevelCounts
    size: Annotated[int, Field(ge=56, le=1024)]
    first_seed: Count


class EpisodesSource(SourceBase):
    """conf/source/episodes.yaml: the user's own folder with a JSONL manifest."""

    kind: Literal["episodes"]
    path: str
    manifest: str
    max_episodes: Count
    skip_short: bool


class LerobotSource(SourceBase):
    """conf/source/lerobot.yaml: a LeRobotDataset v2.1 or v3.0 folder."""

    kind: Literal["lerobot"]
    path: str
    camera: str
    max_episodes: Count
    group: Literal["episode", "dataset"]


class ScreenAgentSource(SourceBase):
    """conf/source/screenagent.yaml: ScreenAgent sessions, converted to *episodes* first."""

    kind: Literal["screenagent"]
    path: str
    max_episodes: Count


class LdrawSource(SourceBase):
    """conf/source/ldraw.yaml: building sets as LDraw models, built step by step."""

    paths: ClassVar[tuple[str, ...]] = ("path", "parts")
    sharded_download: ClassVar[bool] = True

    kind: Literal["ldraw"]
    path: str
    parts: str
    size: Annotated[int, Field(ge=56, le=1024)]
    min_visible: Annotated[float, Field(gt=0.0, le=0.5)]
    max_models: Count
    azimuth: Annotated[float, Field(ge=-180.0, le=180.0)]
    elevation: Annotated[float, Field(ge=0.0, le=80.0)]


class AitzSource(SourceBase):
    """conf/source/aitz.yaml: Android in the Zoo, recorded tasks on phones."""

    kind: Literal["aitz"]
    path: str
    max_episodes: Count
    skip_short: bool
    own_split: bool


class GuiOdysseySource(SourceBase):
    """conf/source/gui_odyssey.yaml: GUI-Odyssey, recorded tasks that lead through several apps."""

    kind: Literal["gui_odyssey"]
    path: str
    max_episodes: Count
    skip_short: bool
    keep_given_up: bool
    group: Literal["apps", "instruction"]
    split: Literal["", "random", "task", "device", "app"]


class ShareRobotSource(SourceBase):
    """conf/source/sharerobot.yaml: the planning episodes of ShareRobot."""

    paths: ClassVar[tuple[str, ...]] = ("path", "images")

    kind: Literal["sharerobot"]
    path: str
    images: str
    max_episodes: Count
    group: Literal["goal", "episode"]
    own_split: bool


class ObservationsSource(SourceBase):
    """conf/source/observations.yaml: the user's own walks, ordered pictures with or without poses."""

    kind: Literal["observations"]
    path: str
    max_episodes: Count
    up: Literal["y", "z"]
    heading: Literal["clockwise", "counter_clockwise"]
    min_turn: Annotated[float, Field(gt=0.0, le=180.0)]
    min_way: Rate


class RldsSource(SourceBase):
    """conf/source/rlds.yaml: RLDS episodes in TFRecord files (Open X-Embodiment)."""

    kind: Literal["rlds"]
    path: str
    split: Annotated[str, Field(min_length=1)]
    camera: str
    language: str
    max_episodes: Count
    group: Literal["instruction", "episode", "dataset"]
    skip_short: bool
    skip_without_goal: bool


class AndroidControlSource(SourceBase):
    """conf/source/android_control.yaml: AndroidControl as published, in GZIP TFRecord files."""

    paths: ClassVar[tuple[str, ...]] = ("path", "split_file")

    kind: Literal["android_control"]
    path: str
    split_file: str
    split: str
    texts: Literal["actions", "instructions"]
    max_episodes: Count
    group: Literal["goal", "app", "episode"]
    skip_short: bool


class AitwSource(SourceBase):
    """conf/source/aitw.yaml: a part of Android in the Wild as published, in GZIP TFRecord files."""

    paths: ClassVar[tuple[str, ...]] = ("path", "split_file")

    kind: Literal["aitw"]
    path: str
    split_file: str
    split: str
    max_episodes: Count
    group: Literal["goal", "episode"]
    max_waiting: Annotated[int, Field(ge=2)]
    skip_incomplete: bool
    skip_short: bool


class VlnCeSource(SourceBase):
    """conf/source/vln_ce.yaml: paths of R2R and RxR, rendered by habitat-sim."""

    paths: ClassVar[tuple[str, ...]] = ("path", "scenes")
    sharded_download: ClassVar[bool] = True

    kind: Literal["vln_ce"]
    path: str
    files: Annotated[list[str], Field(min_length=1)]
    scenes: str
    language: str
    max_episodes: Count
    max_per_path: Count
    skip_missing: bool
    size: Annotated[int, Field(ge=56, le=1024)]
    field: Annotated[float, Field(ge=30.0, le=150.0)]
    eye: Annotated[float, Field(gt=0.0, le=3.0)]
    min_turn: Annotated[float, Field(gt=0.0, le=180.0)]
    min_way: Annotated[float, Field(gt=0.0, le=10.0)]
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]


class SeedBenchR1Source(SourceBase):
    """conf/source/seed_bench_r1.yaml: narrated steps of egocentric videos (SEED-Bench-R1, EgoPlan)."""

    paths: ClassVar[tuple[str, ...]] = ("path", "videos")

    kind: Literal["seed_bench_r1"]
    path: str
    annotations: Annotated[list[str], Field(min_length=1)]
    videos: str
    footage: Literal["clips", "whole"]
    max_episodes: Count
    group: Literal["participant", "video"]
    skip_missing: bool


class VideosSource(SourceBase):
    """conf/source/videos.yaml: filmed builds, of which settled states remain."""

    kind: Literal["videos"]
    path: str
    group: str
    goal: Annotated[str, Field(min_length=1)]
    shots: Literal["split", "join"]
    max_videos: Count
    skip_short: bool
    side: Annotated[int, Field(ge=64, le=640)]
    settled_s: Annotated[float, Field(ge=0.0)]
    min_change: Annotated[float, Field(gt=0.0, lt=1.0)]
    cut_change: Annotated[float, Field(gt=0.0, le=1.0)]
    exposure: Annotated[float, Field(ge=1.0, le=4.0)]
    hand_share: Annotated[float, Field(gt=0.0, le=1.0)]
    look_ahead: Annotated[int, Field(ge=1, le=30)]
    black: Annotated[float, Field(ge=0.0, le=255.0)]
    blur: Share
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]

    @model_validator(mode="after")
    def _usable(self) -> "VideosSource":
        try:
            named = re.compile(self.group).groupindex
        except re.error as error:
            raise ValueError(f"group {self.group!r} is no regular expression ({error})") from error
        if "group" not in named:
            raise ValueError(f"group {self.group!r} needs a part (?P<group>...) that names the build")
        try:
            self.goal.format(title="")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"goal {self.goal!r} may hold {{title}} and no other braces") from error
        if self.min_change >= self.cut_change:
            raise ValueError(
                f"min_change ({self.min_change}) must be below cut_change ({self.cut_change}): every new "
                "state would be a new shot"
            )
        return self


Source = Annotated[
    SimulatedSource
    | EpisodesSource
    | LerobotSource
    | ScreenAgentSource
    | LdrawSource
    | AitzSource
    | GuiOdysseySource
    | ShareRobotSource
    | ObservationsSource
    | RldsSource
    | AndroidControlSource
    | AitwSource
    | SeedBenchR1Source
    | VlnCeSource
    | VideosSource,
    Field(discriminator="kind"),
]


class EndpointConfig(Strict):
    """A vision-language model behind an OpenAI-compatible endpoint, and what it is asked."""

    model: Annotated[str, Field(min_length=1)]
    judge: bool
    blind_order: bool
    show_goal: bool
    max_side: Annotated[int, Field(ge=28, le=4096)]
    temperature: Annotated[float, Field(ge=0.0, le=2.0)]
    max_tokens: Positive
    asks: Annotated[int, Field(ge=1, le=10)]
    concurrency: Annotated[int, Field(ge=1, le=256)]
    retries: Annotated[int, Field(ge=0, le=50)]
    timeout_s: Rate


class FilterAuditConfig(Strict):
    """conf/filter_audit: which defects are planted in simulated trajectories, and how many."""

    version: Positive
    episodes: Positive
    defects: Positive
    size: Annotated[int, Field(ge=56, le=1024)]
    first_seed: Count


class DescribeConfig(Strict):
    """conf/describe: how captions are made."""

    version: Positive
    captioner: Literal["template", "endpoint"]
    detail: Literal["goal", "steps"]
    other_actions: dict[Scenario, tuple[str, ...]]
    endpoint: EndpointConfig | None

    @model_validator(mode="after")
    def _has_endpoint(self) -> "DescribeConfig":
        if self.captioner == "endpoint" and self.endpoint is None:
            raise ValueError("captioner=endpoint needs the values under `endpoint`: choose describe=endpoint")
        return self


class NegativeRates(Strict):
    """Share of items whose right answer is the reject option, by kind."""

    caption: Share
    withheld: Share


class SplitsConfig(Strict):
    """How groups are spread over sft, grpo and test, and what happens to near-duplicates."""

    sft: Share
    grpo: Share
    test: Share
    near_duplicate_change: Share
    near_duplicates: Literal["fail", "drop"]

    @model_validator(mode="after")
    def _sums_to_one(self) -> "SplitsConfig":
        total = sum(getattr(self, s) for s in SPLITS)
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"sft + grpo + test must be 1, they are {total:g}")
        if self.test == 0.0:
            raise ValueError("test must be above 0: nothing could be evaluated")
        return self


class SynthesizeConfig(Strict):
    """conf/synthesize: which items are made from the sequences."""

    version: Positive
    items_per_sequence: dict[str, Count]
    negatives: NegativeRates
    permutation_answer_share: Share
    splits: SplitsConfig
    max_pictures: Positive
    max_tokens: Positive
    max_test_items: Count
    guessers: Literal["warn", "fail"]

    @model_validator(mode="after")
    def _known_tasks(self) -> "SynthesizeConfig":
        if set(self.items_per_sequence) != set(TASKS):
            raise ValueError(f"items_per_sequence needs exactly the keys {list(TASKS)}")
        if self.negatives.caption + self.negatives.withheld > 1.0:
            raise ValueError("negatives.caption + negatives.withheld exceed 1")
        return self


class TinyDims(Strict):
    """Sizes of the tiny Qwen2.5-VL; the heads must divide the widths."""

    vocabulary: Annotated[int, Field(ge=300)]
    hidden: Positive
    layers: Annotated[int, Field(ge=3)]
    heads: Positive
    intermediate: Positive
    vision_hidden: Positive
    vision_depth: Positive
    vision_heads: Positive
    vision_intermediate: Positive

    @model_validator(mode="after")
    def _divisible(self) -> "TinyDims":
        if self.hidden % self.heads or (self.hidden // self.heads) % 8:
            raise ValueError("hidden / heads must be a whole multiple of 8 (rotary sections)")
        if self.vision_hidden % self.vision_heads or (self.vision_hidden // self.vision_heads) % 4:
            raise ValueError("vision_hidden / vision_heads must be a whole multiple of 4")
        return self


class ModelConfig(Strict):
    """conf/model: which vision-language model, at which picture size and precision."""

    kind: Literal["tiny", "hub"]
    repo: str
    revision: str
    min_pixels: Positive
    max_pixels: Positive
    dtype: Literal["float32", "bfloat16"]
    precision: Literal["float32", "bfloat16"]
    attention: Literal["eager", "sdpa", "flash_attention_2"]

    @model_validator(mode="after")
    def _complete(self) -> "ModelConfig":
        if self.kind == "hub" and not (self.repo and len(self.revision) == 40):
            raise ValueError("kind=hub needs `repo` and a 40-digit commit as `revision`")
        if self.min_pixels > self.max_pixels:
            raise ValueError(f"min_pixels {self.min_pixels} exceeds max_pixels {self.max_pixels}")
        return self


class ProcessorConfig(Strict):
    """conf/processor: tokenizer and picture processor as files."""

    version: Positive


class ProcessorModel(Strict):
    """The values of a model that its tokenizer and picture processor depend on."""

    kind: Literal["tiny", "hub"]
    repo: str
    revision: str
    min_pixels: Positive
    max_pixels: Positive


class BaseModelConfig(Strict):
    """conf/base_model: the model that everything starts from."""

    version: Positive


class Phase(Strict):
    """One phase of the schooling of the tiny base."""

    steps: Positive
    batch_size: Annotated[int, Field(ge=4)]
    learning_rate: Rate
    save_every: Positive


class TinyBaseConfig(Strict):
    """conf/tiny_base: how the shipped tiny base was made."""

    version: Positive
    episodes_per_scenario: Annotated[int, Field(ge=8)]
    side: Annotated[int, Field(ge=56, multiple_of=28)]
    dims: TinyDims
    precision: Literal["float32", "bfloat16"]
    sight: Phase
    speech: Phase
    comparison: Phase


class TrainerSettings(UpdateSettings):
    """What SFT and GRPO share."""

    version: Positive
    method: Literal["lora", "full"]
    lora: LoraSettings
    train_vision: bool
    max_items: Count
    probe_items: Count
    probe_every: Positive
    probe_tokens: Positive


class SftConfig(TrainerSettings):
    """conf/sft: supervised warm-up on reasoning and answer."""

    epochs: Positive


class SftContinuedConfig(Strict):
    """conf/sft_continued: the control arm, more SFT instead of GRPO; all else as in SFT."""

    version: Positive
    epochs: Positive
    splits: Annotated[tuple[Literal["sft", "grpo"], ...], Field(min_length=1)]


class GrpoFromBaseConfig(Strict):
    """conf/grpo_from_base: the arm without a warm-up; all else as in GRPO."""

    version: Positive


class RewardConfig(Strict):
    """Which reward, and its weights."""

    name: Literal["strict", "tpru"]
    accuracy_weight: Annotated[float, Field(ge=0.0)]
    format_weight: Annotated[float, Field(ge=0.0)]
    partial_credit: Share


class VllmConfig(Strict):
    """Completions by vLLM in place of our own sampling."""

    mode: Literal["off", "colocate", "server"]
    memory_share: Annotated[float, Field(gt=0.0, lt=1.0)]
    tensor_parallel: Positive
    server_url: str
    most_difference: Rate

    @model_validator(mode="after")
    def _reachable(self) -> "VllmConfig":
        if self.mode == "server" and not self.server_url:
            raise ValueError("mode=server needs server_url, e.g. http://gpu-node:8000")
        return self


class GrpoConfig(TrainerSettings):
    """conf/grpo: group relative policy optimisation (arXiv 2402.03300) on the merged SFT model."""

    steps: Positive
    group_size: Annotated[int, Field(ge=2)]
    beta: Annotated[float, Field(ge=0.0)]
    epsilon: Rate
    epsilon_high: Rate
    delta: Annotated[float, Field(gt=1.0)] | None
    loss_type: Literal["grpo", "dr_grpo", "dapo", "bnpo"]
    scale_rewards: Literal["group", "batch", "none"]
    updates_per_rollout: Positive
    sample_at_once: Positive
    vllm: VllmConfig
    refills: Count
    least_pass_rate: Share
    most_pass_rate: Share
    temperature: Rate
    top_p: Annotated[float, Field(gt=0.0, le=1.0)]
    max_completion_tokens: Positive
    reward: RewardConfig

    @model_validator(mode="after")
    def _groups(self) -> "GrpoConfig":
        if self.batch_size % self.group_size:
            raise ValueError(
                f"group_size ({self.group_size}) does not divide batch_size ({self.batch_size} "
                f"completions per update): {self.batch_size / self.group_size:g} prompts. Choose "
                f"batch_size = {self.group_size} x prompts, e.g. "
                f"{max(1, round(self.batch_size / self.group_size)) * self.group_size}"
            )
        if self.refills and self.per_device_batch_size % self.group_size:
            raise ValueError(
                f"refills needs whole groups on every device: per_device_batch_size "
                f"({self.per_device_batch_size}) must be a multiple of group_size ({self.group_size})"
            )
        if self.save_every % self.updates_per_rollout:
            raise ValueError(
                f"save_every ({self.save_every}) must be a multiple of updates_per_rollout "
                f"({self.updates_per_rollout}): a checkpoint in the middle of a rollout cannot be "
                "continued exactly"
            )
        return self

    @model_validator(mode="after")
    def _rates(self) -> "GrpoConfig":
        if self.least_pass_rate > self.most_pass_rate:
            raise ValueError(
                f"least_pass_rate ({self.least_pass_rate}) is above most_pass_rate "
                f"({self.most_pass_rate}): no item would be left"
            )
        return self

    @property
    def filters(self) -> bool:
        """Whether items are left out for their pass rate."""
        return self.least_pass_rate > 0.0 or self.most_pass_rate < 1.0


class PassRatesConfig(Strict):
    """conf/pass_rates: how hard the items of GRPO are for the SFT model."""

    version: Positive
    samples: Annotated[int, Field(ge=2)]
    batch_size: Positive
    temperature: Rate
    top_p: Annotated[float, Field(gt=0.0, le=1.0)]
    max_completion_tokens: Positive
    max_items: Count


class HeldoutBenchmark(Strict):
    """conf/benchmark/heldout.yaml: the test split of the synthesized items."""

    kind: Literal["heldout"]
    max_items: Count


class ProtocolConfig(Strict):
    """How models are asked, where a benchmark asks otherwise than conf/evaluate."""

    temperature: Annotated[float, Field(ge=0.0, le=2.0)]
    top_p: Annotated[float, Field(gt=0.0, le=1.0)]
    max_new_tokens: Positive


class ExternalBenchmark(Strict):
    """What every external benchmark has; its stage is `benchmark`."""

    path: str
    fetch: Fetch | None
    max_items: Count
    images: Literal["in_place", "first"]
    reject: tuple[str, ...]
    max_tokens: Positive
    too_long: Literal["fail", "drop"]
    protocol: ProtocolConfig | None
    licence: str
    citation: str


class MuirbenchBenchmark(ExternalBenchmark):
    """conf/benchmark/muirbench.yaml: MuirBench, twelve tasks on several pictures."""

    kind: Literal["muirbench"]


class TpruTestBenchmark(ExternalBenchmark):
    """conf/benchmark/tpru_test.yaml: the test set of TPRU."""

    kind: Literal["tpru_test"]


class LegoPuzzlesBenchmark(ExternalBenchmark):
    """conf/benchmark/lego_puzzles.yaml: LEGO-Puzzles, eleven tasks of spatial reasoning."""

    kind: Literal["lego_puzzles"]
    categories: dict[str, str]


class VideoBenchmark(ExternalBenchmark):
    """What every benchmark has that shows frames of videos."""

    frames: Annotated[int, Field(ge=1, le=256)]
    frames_per_second: Rate
    frame_size: Annotated[int, Field(ge=0, le=2048)]
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]


class Annotations(Strict):
    """A file of questions and the level (arXiv 2503.24376) of all of them, empty where it has none."""

    file: Annotated[str, Field(min_length=1)]
    level: Level


class SeedBenchR1Benchmark(VideoBenchmark):
    """conf/benchmark/seed_bench_r1.yaml, egoplan_bench.yaml, egoplan_bench2.yaml: what to do next."""

    kind: Literal["seed_bench_r1"]
    annotations: Annotated[tuple[Annotations, ...], Field(min_length=1)]
    ego4d: str
    epic_kitchens: str


class LongVideoBenchBenchmark(VideoBenchmark):
    """conf/benchmark/longvideobench.yaml: questions on videos of up to an hour."""

    kind: Literal["longvideobench"]
    annotations: Annotated[str, Field(min_length=1)]
    subtitles: bool


External = Annotated[
    TpruTestBenchmark
    | MuirbenchBenchmark
    | LegoPuzzlesBenchmark
    | SeedBenchR1Benchmark
    | LongVideoBenchBenchmark,
    Field(discriminator="kind"),
]
Benchmark = Annotated[HeldoutBenchmark | External, Field(discriminator="kind")]


class AskedEndpoint(Strict):
    """conf/endpoint: a model behind an OpenAI-compatible endpoint, evaluated beside the local ones."""

    model: Annotated[str, Field(min_length=1)]
    max_side: Annotated[int, Field(ge=28, le=4096)]
    temperature: Annotated[float, Field(ge=0.0, le=2.0)]
    max_tokens: Positive
    concurrency: Annotated[int, Field(ge=1, le=256)]
    retries: Annotated[int, Field(ge=0, le=50)]
    timeout_s: Rate


class EvaluateConfig(Strict):
    """conf/evaluate: how models are asked."""

    version: Positive
    models: tuple[ModelName, ...]
    batch_size: Positive
    max_new_tokens: Positive


class ReportConfig(Strict):
    """conf/report: what the page shows."""

    version: Positive
    gallery_items: Count
    contact_sheet_sequences: Count
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)]
    bootstrap_samples: Positive
    judge: bool


class AuditConfig(Strict):
    """conf/audit: which items people are asked."""

    version: Positive
    items: Positive
    splits: tuple[Split, ...]
    picture_side: Annotated[int, Field(ge=56, le=1024)]
    readers: tuple[str, ...]


class LmmsEvalConfig(Strict):
    """conf/lmms_eval: what lmms-eval asks of which models."""

    version: Positive
    models: Annotated[tuple[ExportedModel, ...], Field(min_length=1)]
    tasks: Annotated[tuple[Annotated[str, Field(pattern=r"^[^,\s]+$")], ...], Field(min_length=1)]
    include_path: str
    limit: Count
    batch_size: Positive
    max_new_tokens: Count
    python: Annotated[str, Field(min_length=1)]


class JudgeConfig(Strict):
    """conf/judge: who says what reasonings conclude, and of which answers."""

    version: Positive
    models: Annotated[tuple[Name, ...], Field(min_length=1)]
    benchmark: Name
    items: Count
    model: Annotated[str, Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0.0, le=2.0)]
    max_tokens: Positive
    concurrency: Annotated[int, Field(ge=1, le=256)]
    retries: Annotated[int, Field(ge=0, le=50)]
    timeout_s: Rate


class Config(Strict):
    """The whole resolved configuration of one experiment."""

    name: Name
    seed: Count
    seeds: tuple[Count, ...]
    unit: str | None
    sources: dict[Name, Source]
    extract: ExtractConfig
    filter_audit: FilterAuditConfig
    describe: DescribeConfig
    synthesize: SynthesizeConfig
    model: ModelConfig
    processor: ProcessorConfig
    base_model: BaseModelConfig
    tiny_base: TinyBaseConfig
    sft: SftConfig
    sft_continued: SftContinuedConfig
    pass_rates: PassRatesConfig
    grpo: GrpoConfig
    grpo_from_base: GrpoFromBaseConfig
    grounding: GroundingConfig
    segmenter: SegmenterConfig
    tpo: TpoConfig
    sft_from_tpo: FromTpoConfig
    grpo_from_tpo: FromTpoConfig
    evaluate: EvaluateConfig
    benchmarks: dict[Name, Benchmark]
    endpoints: dict[Name, AskedEndpoint]
    report: ReportConfig
    audit: AuditConfig
    lmms_eval: LmmsEvalConfig
    judge: JudgeConfig

    @model_validator(mode="after")
    def _across_groups(self) -> "Config":
        if self.seed == 500:
            raise ValueError("seed 500 makes the episodes that the tiny base was schooled on; take another")
        if self.seed in self.seeds:
            raise ValueError(f"seeds holds {self.seed}, which is seed itself: list only further ones")
        twice = sorted({seed for seed in self.seeds if self.seeds.count(seed) > 1})
        if twice:
            raise ValueError(f"seeds holds {twice} more than once")
        if not self.sources:
            raise ValueError("sources is empty: add one, e.g. `- /source@sources.robot: simulated_robot`")
        if not self.benchmarks:
            raise ValueError("benchmarks is empty: add one, e.g. `- /benchmark@benchmarks.heldout: heldout`")
        for name, source in self.sources.items():
            _check_extract_overrides(name, source, self.extract)
            if isinstance(source, SimulatedSource) and source.fetch:
                raise ValueError(f"sources.{name}.fetch: a simulator has nothing to fetch; set it to null")
            paths = {key: str(getattr(source, key)) for key in source.paths}
            _check_fetch(f"sources.{name}", source.fetch, source.licence, paths)
        for name, benchmark in self.benchmarks.items():
            if isinstance(benchmark, ExternalBenchmark):
                _check_fetch(
                    f"benchmarks.{name}", benchmark.fetch, benchmark.licence, {"path": benchmark.path}
                )
                if benchmark.fetch and name in self.sources:
                    raise ValueError(f"benchmarks.{name}: a source has this name, too; rename one of them")
        if "base" not in self.evaluate.models:
            raise ValueError("evaluate.models must hold `base`: every comparison starts from it")
        for name, variant in AFTER_VARIANT.items():
            if name in self.evaluate.models and variant not in self.tpo.variants:
                raise ValueError(
                    f"evaluate.models: {name} goes on from tpo.variants.{variant}, which is not there"
                )
        always = {"base", "sft", "grpo"}
        untrained = [m for m in self.lmms_eval.models if m not in {*always, *self.evaluate.models}]
        if untrained:
            raise ValueError(
                f"lmms_eval.models: {untrained} are trained only where evaluate.models names them"
            )
        _check_judge(self)
        local = get_args(ModelName)
        taken = [n for n in self.endpoints if split_seed(n)[0] in local or BASELINE.fullmatch(n)]
        if taken:
            raise ValueError(
                f"endpoints {taken} have names that the tables use for others: choose other ones"
            )
        return self


def _check_judge(config: Config) -> None:
    """What is judged must be answered; the defaults need it only once the judge is asked for."""
    models, benchmark = config.judge.models, config.judge.benchmark
    seeds = [None, *config.seeds]
    asked = {"sft", "grpo", *config.evaluate.models}
    unknown = [
        m
        for m in models
        if m not in config.endpoints and not (split_seed(m)[0] in asked and split_seed(m)[1] in seeds)
    ]
    if unknown:
        raise ValueError(f"judge.models: {unknown} are neither in evaluate.models nor in endpoints")
    if len(set(models)) < len(models):
        raise ValueError(f"judge.models names one twice: {list(models)}")
    if benchmark not in {"heldout", *config.benchmarks}:
        raise ValueError(f"judge.benchmark: {benchmark!r} is none of {list(config.benchmarks)}")


def _check_extract_overrides(name: str, source: SourceBase, extract: ExtractConfig) -> None:
    unknown = sorted(set(source.extract) - set(ExtractConfig.model_fields))
    if unknown:
        raise ValueError(f"sources.{name}.extract has unknown keys {unknown}")
    try:
        ExtractConfig(**{**extract.model_dump(), **source.extract})
    except ValidationError as error:
        problems = [
            f"{'.'.join(['sources', name, 'extract', *map(str, p['loc'])])}: "
            + p["msg"].removeprefix("Value error, ")
            + (f", got {p['input']!r}" if p["loc"] else "")
            for p in error.errors()
        ]
        raise ValueError("; ".join(problems)) from error


def _check_fetch(key: str, fetch: Fetch | None, licence: str, paths: dict[str, str]) -> None:
    """What can be known of fetched data before anything is fetched: their paths, origin and terms."""
    if fetch is None:
        return
    for name, value in paths.items():
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(
                f"{key}.{name} ({str(path)!r}) must be relative to what is fetched ('.' is all of it)"
            )
    try:
        if isinstance(fetch, PinnedFetch):
            at = pinned(fetch.origin, fetch.revision)
            check_accepted(key, at.licence, at.terms, at.gated, fetch.accept_licence)
        elif fetch.kind != "hub":  # the hub says itself under which terms: when it is asked
            check_accepted(key, licence, "", False, fetch.accept_licence)
    except ConfigError as error:
        raise ValueError(f"{key}.fetch: {error}") from error
