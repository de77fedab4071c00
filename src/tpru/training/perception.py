"""Schooling of the tiny base: it learns to name what single pictures show and to repeat words.

It stands in for the sight and speech that a hub model brings. Questions have wordings of their own, the
pictures are those of the training groups, and the three tasks do not appear. Repeating random tokens
gives every token of the vocabulary an embedding that adapters can use: a token that was never said
before could not be said with confidence after.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tpru.config.schema import BaseModelConfig
from tpru.files import written_whole
from tpru.models.processor import ImageTextProcessor, Pictures
from tpru.randomness import generator
from tpru.run import Run, say
from tpru.store import FrameStore
from tpru.training.callbacks import trim_log
from tpru.training.checkpoints import checkpoint_folder, mark_complete, newest_complete

ONE = ("What does this show?", "Describe it.", "What has just happened here?", "Name this moment.")
MANY = ("What do these show?", "Describe each.", "Name every moment.", "Tell them one by one.")
IMAGE_TOKEN = "<|image_pad|>"
REPEAT = ("Repeat:", "Say after me:", "Write this again:")
MOST_PICTURES = 4
REPEATED_SHARE = 0.25
REPEATED_TOKENS = 12


@dataclass(frozen=True)
class Sight:
    """One picture and the words for it."""

    frame_id: str
    text: str


def examples(sights: list[Sight], batch_size: int, steps: int, seed: int) -> Iterator[list[list[Sight]]]:
    """Batches of picture lists: one picture each in the first half, one to four in the second."""
    for step in range(steps):
        rng = generator(seed, "perception", str(step))
        most = 1 if step < steps // 2 else MOST_PICTURES
        sizes = rng.integers(1, most + 1, batch_size)
        yield [[sights[i] for i in rng.integers(len(sights), size=n)] for n in sizes]


def conversation(listed: list[Sight], rng: np.random.Generator, tokenizer: Any) -> list[dict[str, Any]]:
    """Question and answer about a list of pictures, or about words alone, as chat messages."""
    if rng.random() < REPEATED_SHARE:
        words = repeated(rng, tokenizer)
        content = [
            {"type": "image"},
            {"type": "text", "text": f"\n{REPEAT[rng.integers(3)]} {words}"},
        ]
        return [{"role": "user", "content": content}, {"role": "assistant", "content": words}]
    if len(listed) == 1:
        content = [{"type": "image"}]
        question, answer = ONE[rng.integers(len(ONE))], f"{listed[0].text}."
    else:
        content = []
        for number in range(1, len(listed) + 1):
            content += [{"type": "text", "text": f"{number}: "}, {"type": "image"}]
        question = MANY[rng.integers(len(MANY))]
        answer = " ".join(f"{n}: {s.text}." for n, s in enumerate(listed, start=1))
    content.append({"type": "text", "text": f"\n{question}"})
    return [
        {"role": "user", "content": content},
        {"role": "assistant", "content": answer},
    ]


def repeated(rng: np.random.Generator, tokenizer: Any) -> str:
    """Random tokens of the vocabulary as text; single letters, digits and tags come as they do there."""
    n = int(rng.integers(3, REPEATED_TOKENS))
    ids = rng.integers(len(tokenizer.all_special_ids), len(tokenizer), n)
    text: str = tokenizer.decode(ids.tolist(), skip_special_tokens=True)
    return text.replace("\ufffd", "").strip() or "A"


def encode(
    batch: list[list[Sight]],
    processor: ImageTextProcessor,
    pictures: Pictures,
    rng: np.random.Generator,
) -> dict[str, torch.Tensor]:
    """Model inputs with labels on the answers only."""
    chats = [conversation(listed, rng, processor.tokenizer) for listed in batch]
    prompts = [
        processor.apply_chat_template(c[:1], add_generation_prompt=True, tokenize=False) for c in chats
    ]
    texts = [f"{p}{c[1]['content']}<|im_end|>" for p, c in zip(prompts, chats, strict=True)]
    # A repeated text comes with the first picture alone.
    images = [
        [pictures(s.frame_id) for s in listed[: p.count(IMAGE_TOKEN)]]
        for listed, p in zip(batch, prompts, strict=True)
    ]
    inputs: dict[str, torch.Tensor] = dict(
        processor(text=texts, images=images, padding=True, padding_side="right", return_tensors="pt")
    )
    labels = inputs["input_ids"].clone()
    labels[inputs["attention_mask"] == 0] = -100
    start = processor.tokenizer.convert_tokens_to_ids("<|im_start|>")
    for row, ids in enumerate(inputs["input_ids"]):
        answer = int((ids == start).nonzero()[-1]) + 3  # "<|im_start|>", "assistant", line break
        labels[row, :answer] = -100
    return {**inputs, "labels": labels}


def school(
    run: Run,
    model: Any,
    processor: ImageTextProcessor,
    sights: list[Sight],
    frames: FrameStore,
    config: BaseModelConfig,
) -> None:
    """Train every weight of the model in place; continues from a complete checkpoint."""
    folder = checkpoint_folder(run.folder, run.fingerprint())
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=max(2, config.steps), pct_start=0.1
    )
    first = resume(newest_complete(folder), model, optimizer, schedule)
    log = run.folder / "log.jsonl"
    trim_log(log, first)
    pictures = Pictures(frames, processor)
    model.train()
    for step, batch in enumerate(examples(sights, config.batch_size, config.steps, run.seed), start=1):
        if step <= first:
            continue
        rng = generator(run.seed, "wording", str(step))
        loss = model(**encode(batch, processor, pictures, rng)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        tell(run, log, step, loss.item(), config.steps)
        if step % config.save_every == 0 and step < config.steps:
            save(folder / f"checkpoint-{step}", model, optimizer, schedule)


def tell(run: Run, log: Path, step: int, loss: float, steps: int) -> None:
    """Log the loss of one step."""
    with log.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"step": step, "loss": loss}) + "\n")
    if step % 20 == 0 or step == steps:
        run.tracker.metrics({"loss": loss}, step)
        say(f"step {step}/{steps}  loss {loss:.3f}")


def save(folder: Path, model: Any, optimizer: Any, schedule: Any) -> None:
    """Write a complete checkpoint."""
    with written_whole(folder) as temporary:
        temporary.mkdir()
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        }
        torch.save(state, temporary / "state.pt")
        mark_complete(temporary)


def resume(checkpoint: Path | None, model: Any, optimizer: Any, schedule: Any) -> int:
    """Load a checkpoint into the parts and return its step; 0 without one."""
    if checkpoint is None:
        return 0
    say(f"continuing from {checkpoint}")
    state = torch.load(checkpoint / "state.pt", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return int(checkpoint.name.rsplit("-", 1)[1])
