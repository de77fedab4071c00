"""The language model learns the lessons on top of a vision tower that already sees."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tpru.models.prompts import place
from tpru.training.schooling.lessons import Lesson, Shown

Features = dict[Shown, Tensor]


def lesson_ids(lesson: Lesson, tokenizer: Any) -> tuple[list[int], list[int]]:
    """Token ids of the chat prompt (one placeholder per picture) and of the answer with its end."""
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": lesson.prompt}], add_generation_prompt=True, tokenize=False
    )
    return tokenizer(prompt)["input_ids"], tokenizer(lesson.answer + "<|im_end|>")["input_ids"]


def lesson_loss(
    model: Any, tokenizer: Any, lessons: list[Lesson], features: Features, grid: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Mean loss over all answer tokens, and per lesson whether every token was right (n,)."""
    image = model.config.image_token_id
    rows = []
    for lesson in lessons:
        prompt, answer = lesson_ids(lesson, tokenizer)
        ids, where, after = place(prompt, image, [grid] * len(lesson.pictures))
        steps = [(after + k,) * 3 for k in range(len(answer))]
        rows.append((ids + answer, where + steps, len(ids)))
    longest = max(len(ids) for ids, _, _ in rows)
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    labels = torch.full((len(rows), longest), -100)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    positions = torch.zeros(3, len(rows), longest, dtype=torch.long)
    for r, (ids, where, start) in enumerate(rows):
        tokens[r, : len(ids)] = torch.tensor(ids)
        labels[r, start : len(ids)] = tokens[r, start : len(ids)]
        mask[r, : len(ids)] = 1
        positions[:, r, : len(ids)] = torch.tensor(where).T
    embeds = model.get_input_embeddings()(tokens)
    shown = [features[p] for lesson in lessons for p in lesson.pictures]
    if shown:
        embeds = embeds.masked_scatter((tokens == image).unsqueeze(-1), torch.cat(shown).to(embeds.dtype))
    hidden = model.model.language_model(
        inputs_embeds=embeds, attention_mask=mask, position_ids=positions, use_cache=False
    ).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    said = wanted != -100
    logits = model.lm_head(hidden[said])
    loss = functional.cross_entropy(logits.float(), wanted[said])
    hit = torch.ones_like(wanted, dtype=torch.bool)
    hit[said] = logits.argmax(-1) == wanted[said]
    return loss, hit.all(dim=1)
