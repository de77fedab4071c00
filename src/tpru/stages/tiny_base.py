"""The tiny base from nothing: simulated episodes -> a small Qwen2.5-VL that sees and speaks.

    snakemake --profile local tiny_base        (or `make tiny_base`, which also puts it into the package)

It learns what single moments show and which of several came first, on seen families in seen environments
alone. It never meets the three tasks, nor an episode of any experiment: its seeds are its own.
"""

import pickle
from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from tpru.config.schema import Phase, TinyBaseConfig
from tpru.files import written_whole
from tpru.models.loading import prepare
from tpru.models.processor import CHAT_TEMPLATE, ImageTextProcessor, make_processor, train_tokenizer
from tpru.models.tiny import tiny_model
from tpru.models.vision import encode_pictures
from tpru.randomness import generator
from tpru.records import NONE_OPTION, SCENARIOS
from tpru.run import Run, say, stage
from tpru.runtime import progress, threads
from tpru.synthesis.wording import CHOICE_FORM, ORDER_FORM
from tpru.training.checkpoints import checkpoint_folder
from tpru.training.schooling import lessons, sight
from tpru.training.schooling.card import model_card
from tpru.training.schooling.heads import lay_down_heads
from tpru.training.schooling.loop import train_phase
from tpru.training.schooling.scenes import Scene, simulate
from tpru.training.schooling.speech import Encoded, Features, encode, lesson_loss

# Seeds of experiments are millions apart and start at 0; seed 500, which would meet these, is refused.
FIRST_SEED = 500_000_000
HELD_OUT = 0.05
QUIZ = 40
QUIZZED = lessons.Stage(4, plain=False, several=True)
POOL = 8  # batches drawn together


def simulated(run: Run, config: TinyBaseConfig) -> list[Scene]:
    """All episodes, kept beside the checkpoints so that a killed run does not simulate them again."""
    path = checkpoint_folder(run.folder, run.fingerprint()) / "scenes.pickle"
    if path.exists():
        scenes: list[Scene] = pickle.loads(path.read_bytes())
        return scenes
    scenes = []
    for scenario in progress(SCENARIOS, "simulate", len(SCENARIOS)):
        scenes += simulate((scenario,), config.episodes_per_scenario, FIRST_SEED, config.side, threads())
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        temporary.write_bytes(pickle.dumps(scenes))
    return scenes


def corpus(scenes: list[Scene]) -> list[str]:
    """The texts that the tokenizer learns its words from; the words of the tasks are among them, their
    answers are not."""
    said = {s for scene in scenes for s in scene.steps} | {scene.goal for scene in scenes}
    said |= {text for scene in scenes for facts in scene.facts for pair in facts for text in pair}
    said |= {name for scene in scenes for frame in scene.places for name, _ in frame}
    questions = (
        lessons.DESCRIBE + lessons.EACH + lessons.EARLIER + lessons.LATER + lessons.FIRST_OF_TWO
        + lessons.LAST_OF_TWO + lessons.FIND + lessons.STRANGE + lessons.FITS + lessons.FAR
        + lessons.ABOUT + lessons.WHERE + lessons.TALL + lessons.WIDE + lessons.PARTS
        + lessons.REPEAT + lessons.GOALS + lessons.THINK
    )  # fmt: skip
    tasks = (
        f"\nThe pictures are in random order.\n{ORDER_FORM}\nThe screens are in random order.",
        f"\nWhich order shows the task from start to end?\n{NONE_OPTION}\n{CHOICE_FORM}",
        "\nPicture Screen Step step (the goal): Which picture is step screen is the start the end moment",
        "<think> After comes Before no option shows it: No option has this order: </think><answer>",
        "The description is about something else, so no option fits: </answer>",
        "These pictures show this task: These screens show this task:",
    )
    return [*sorted(said), *((*questions, *tasks) * 20)]


def pixels(scenes: list[Scene], processor: ImageTextProcessor) -> list[Tensor]:
    """Patches of the frames of every scene: (frames, patches, values of a patch), in half precision."""
    out = []
    for scene in progress(scenes, "cut into patches", len(scenes)):
        cut = processor.image_processor([Image.fromarray(f) for f in scene.frames], return_tensors="pt")
        out.append(cut["pixel_values"].view(len(scene.frames), -1, cut["pixel_values"].shape[-1]).half())
    return out


def learn_to_see(run: Run, config: TinyBaseConfig, model: Any, scenes: list[Scene], cut: list[Tensor]) -> Any:
    """Train the vision tower with linear readers, which are thrown away.

    They also tell, and log, which of two moments of a scene came first: what the tower knows about time
    before any language.
    """
    known = sight.vocabulary(scenes)
    side = config.side // 28
    torch.manual_seed(run.seed)
    readers = sight.Readers(config.dims.hidden, known)
    visual = model.model.visual

    def losses(step: int) -> dict[str, Tensor]:
        rng = generator(run.seed, "sight", str(step))
        look = sight.draw(scenes, config.sight.batch_size, rng)
        patches = torch.stack([cut[s][f] for s, f in zip(look.scenes, look.frames, strict=True)]).float()
        wanted = sight.targets(scenes, look, known)
        with torch.autocast("cpu", getattr(torch, config.precision), config.precision != "float32"):
            return sight.losses(visual, readers, patches, (2 * side, 2 * side), look, wanted)

    parts = ("words", "answers", "progress", "order", "token", "box")
    phase = config.sight
    train_phase(
        run, "sight", [visual, readers], losses, parts, phase.steps, phase.learning_rate, phase.save_every
    )
    return readers


@torch.no_grad()
def match_scale(model: Any, features: Features) -> Features:
    """Give the pictures the size that words have in the language model, in its last vision layer and in
    the features at hand: next to large pictures the label that stands before them would be lost."""
    said = model.get_input_embeddings().weight.pow(2).mean().sqrt()
    seen = torch.cat(list(features.values())).pow(2).mean().sqrt()
    last = model.model.visual.merger.mlp[-1]
    last.weight.mul_(said / seen)
    last.bias.mul_(said / seen)
    return {k: v * (said / seen) for k, v in features.items()}


@torch.no_grad()
def features_of(model: Any, cut: list[Tensor], side: int) -> Features:
    """What the tower now says of every frame."""
    out: Features = {}
    for number, patches in enumerate(progress(cut, "look", len(cut))):
        seen = encode_pictures(model.model.visual, patches.float(), (side // 14, side // 14))
        out.update({(number, frame): feature for frame, feature in enumerate(seen)})
    return out


def learn_to_speak(
    run: Run,
    config: TinyBaseConfig,
    name: str,
    phase: Phase,
    stage_at: Callable[[float], lessons.Stage],
    model: Any,
    tokenizer: Any,
    scenes: list[Scene],
    features: Features,
) -> None:
    """Train the language model on lessons; ``stage_at`` tells how rich they are at a share of the phase."""
    words = vocabulary_words(tokenizer)
    grid = (config.side // 28, config.side // 28)
    image = model.config.image_token_id
    model.model.visual.requires_grad_(False)
    waiting: list[list[Encoded]] = []

    def losses(step: int) -> dict[str, Tensor]:
        if (step - 1) % POOL == 0 or not waiting:
            # Conversations of like length side by side need little padding; drawn by the first step of
            # the pool, so that a continued run draws the same.
            first = step - (step - 1) % POOL
            rng = generator(run.seed, name, str(first))
            now = stage_at(first / phase.steps)
            drawn = [lessons.lesson(scenes, rng, now, words) for _ in range(POOL * phase.batch_size)]
            encoded = sorted((encode(d, tokenizer, image, grid) for d in drawn), key=lambda e: len(e.ids))
            order = rng.permutation(POOL)
            waiting[:] = [encoded[k * phase.batch_size :][: phase.batch_size] for k in order]
            del waiting[: step - first]
        with torch.autocast("cpu", getattr(torch, config.precision), config.precision != "float32"):
            loss, right = lesson_loss(model, waiting.pop(0), features)
        return {"loss": loss, "right": torch.tensor([float(h) for row in right for h in row]).mean()}

    train_phase(run, name, [model], losses, ("loss",), phase.steps, phase.learning_rate, phase.save_every)
    model.model.visual.requires_grad_(True)


def vocabulary_words(tokenizer: Any) -> list[str]:
    """Every token that stands for readable text."""
    first = len(tokenizer.all_special_ids)
    texts = (tokenizer.decode([i]).strip() for i in range(first, len(tokenizer)))
    return [t for t in texts if t and "\ufffd" not in t]


@torch.no_grad()
def quiz(
    model: Any, tokenizer: Any, scenes: list[Scene], features: Features, grid: tuple[int, int], seed: int
) -> dict[str, float]:
    """Share of lessons on held-out episodes whose every token is the most probable one, by kind; those that
    compare also by scenario."""
    words, image = vocabulary_words(tokenizer), model.config.image_token_id
    hits: dict[str, list[bool]] = defaultdict(list)
    for number in range(QUIZ):
        rng = generator(seed, "quiz", str(number))
        drawn = [lessons.lesson(scenes, rng, QUIZZED, words) for _ in range(32)]
        batch = [encode(d, tokenizer, image, grid) for d in drawn]
        _, right = lesson_loss(model, batch, features)
        for lesson, answers in zip(drawn, right, strict=True):
            for turn, hit in zip(lesson.turns, answers, strict=True):
                hits[turn.kind].append(hit)
                if turn.kind in ("earlier", "extreme"):
                    hits[f"{turn.kind}/{scenes[lesson.pictures[0][0]].scenario}"].append(hit)
    return {kind: sum(found) / len(found) for kind, found in sorted(hits.items())}


@stage("tiny_base")
def main(run: Run) -> None:
    prepare()
    config = TinyBaseConfig(**run.config["tiny_base"])
    scenes = simulated(run, config)
    order = generator(run.seed, "held out").permutation(len(scenes))
    held = [scenes[i] for i in islice(order, int(HELD_OUT * len(scenes)))]
    school = [scenes[i] for i in order[len(held) :]]
    tokenizer = train_tokenizer(corpus(school), config.dims.vocabulary)
    processor = make_processor(tokenizer, CHAT_TEMPLATE, config.side**2, config.side**2)
    tokenizer.chat_template = CHAT_TEMPLATE
    model = tiny_model(config.dims, processor, run.seed)
    lay_down_heads(model)
    say(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(school)} episodes to learn from")
    cut = pixels(school, processor)
    learn_to_see(run, config, model, school, cut)
    model.train()
    seen = match_scale(model, features_of(model, cut, config.side))
    learn_to_speak(run, config, "speech", config.speech, lessons.stage_at, model, tokenizer, school, seen)
    # From here on as if from a file, so that a longer schooling can start from the shipped one.
    model.half().float()
    seen = features_of(model, cut, config.side)
    learn_to_speak(
        run,
        config,
        "comparison",
        config.comparison,
        lambda _: lessons.COMPARISON,
        model,
        tokenizer,
        school,
        seen,
    )
    model.eval()
    quizzed = features_of(model, pixels(held, processor), config.side)
    grid = (config.side // 28, config.side // 28)
    scores = quiz(model, tokenizer, held, quizzed, grid, run.seed)
    write_model(run.output("model"), model, processor, model_card(config, len(school), len(held), scores))
    run.metrics |= {
        "parameters": float(sum(p.numel() for p in model.parameters())),
        "episodes": float(len(scenes)),
        **{f"quiz/{k}": v for k, v in scores.items()},
    }
    for kind, score in scores.items():
        say(f"quiz {kind}: {score:.1%}")


def write_model(folder: Path, model: Any, processor: ImageTextProcessor, card: str) -> None:
    """Weights in half precision, processor and model card."""
    with written_whole(folder) as temporary:
        model.half().save_pretrained(temporary)
        processor.save_pretrained(temporary)
        (temporary / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
