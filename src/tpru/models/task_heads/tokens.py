"""The six tokens of the tasks, as rows of the vocabulary."""

from typing import Any

import torch

from tpru.grounding.records import GROUNDING_TASKS, GroundingTask
from tpru.models.processor import ImageTextProcessor

# What the model says, and the learnable token that is put behind it.
INDICATING: dict[GroundingTask, str] = {task: f"<|{task}|>" for task in GROUNDING_TASKS}
LEARNABLE: dict[GroundingTask, str] = {task: f"<|{task}_task|>" for task in GROUNDING_TASKS}
TASK_TOKENS = (*INDICATING.values(), *LEARNABLE.values())


def add_task_tokens(model: Any, processor: ImageTextProcessor) -> None:
    """Give tokenizer and model the task tokens, unless they have them.

    Their rows start as the mean of all others, in the embedding and, where that is another matrix, in the
    output: a logit that is the mean of all is never the largest. Checkpoints may have spare rows (Qwen2.5-VL
    does), which are then taken.
    """
    tokenizer = processor.tokenizer
    if (
        tokenizer.add_tokens([token for token in TASK_TOKENS if token not in tokenizer.get_vocab()], True)
        == 0
    ):
        return
    known = len(tokenizer) - len(TASK_TOKENS)
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    tables = {id(t.weight): t.weight for t in (model.get_input_embeddings(), model.get_output_embeddings())}
    with torch.no_grad():
        for weight in tables.values():
            weight[known : len(tokenizer)] = weight[:known].mean(dim=0)


def token_ids(processor: ImageTextProcessor, tokens: dict[GroundingTask, str]) -> dict[GroundingTask, int]:
    """Their numbers in the vocabulary."""
    return {task: processor.tokenizer.convert_tokens_to_ids(token) for task, token in tokens.items()}
