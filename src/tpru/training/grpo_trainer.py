"""TRL's GRPO trainer with prompts read once per group. All of TRL's private parts that the training relies
on are here; tests/unit/test_trl_symbols.py fails when they move.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Sampler
from trl import GRPOTrainer

from tpru.errors import EngineError
from tpru.models.prompts import PromptBatch, PromptBook
from tpru.models.shared_prefix import Sampling, completion_log_probs, sample
from tpru.randomness import generator
from tpru.records import Item


class GroupSampler(Sampler[int]):
    """Indices of a whole training as one pass, so that a resumed run draws what an undisturbed one would.

    Each rollout takes ``prompts`` indices, each repeated ``group`` times in a row, and is given out
    ``repeats`` times. Every pass over the items has its own order, derived from the seed.
    """

    def __init__(
        self, n_items: int, prompts: int, group: int, repeats: int, rollouts: int, seed: int
    ) -> None:
        self._n_items = n_items
        self._prompts = prompts
        self._group = group
        self._repeats = repeats
        self._rollouts = rollouts
        self._seed = seed

    def __len__(self) -> int:
        return self._rollouts * self._repeats * self._prompts * self._group

    def __iter__(self) -> Iterator[int]:
        stream = self._stream()
        for _ in range(self._rollouts):
            chosen = [next(stream) for _ in range(self._prompts)]
            for _ in range(self._repeats):
                for index in chosen:
                    yield from [index] * self._group

    def _stream(self) -> Iterator[int]:
        turn = 0
        while True:
            order = generator(self._seed, "pass", str(turn)).permutation(self._n_items)
            yield from (int(i) for i in order)
            turn += 1


class OnePassGRPOTrainer(GRPOTrainer):
    """TRL's trainer with a sampler whose order survives a restart in any pass over the data."""

    rollouts = 0

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:
        data: Any = self.train_dataset if dataset is None else dataset
        arguments: Any = self.args
        return GroupSampler(
            n_items=len(data),
            prompts=arguments.generation_batch_size // arguments.num_generations,
            group=arguments.num_generations,
            repeats=arguments.num_iterations * arguments.steps_per_generation,
            rollouts=self.rollouts,
            seed=arguments.seed,
        )


class SharedPromptTrainer(OnePassGRPOTrainer):
    """GRPO that reads each prompt once per group, and each of its pictures once.

    For TRL a prompt is a single number, the position of its item: what it stands for is looked up in
    ``book`` for sampling (TRL's ``rollout_func``) and for the log-probabilities.
    """

    items: list[Item]
    book: PromptBook
    sampling: Sampling
    # Nats by which vLLM may differ from the model that trains.
    most_difference = 0.0
    # Completions that are sampled side by side.
    sample_at_once = 1
    # How many times at most groups without variance are replaced by new ones, in every update.
    refills = 0
    # Rows of the batch at hand whose advantage is not 0; None: all are needed.
    _moving: Tensor | None = None

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        self._check_engine()
        group: Any = self.num_generations
        model: Any = self.model
        training = model.training
        for number in range(self.refills if training else 0):
            flat = (batch["advantages"].view(-1, group) == 0).all(dim=1)
            # Every process or none: to complete and score is done together.
            if not self.accelerator.gather(flat.any()[None]).any():
                break
            data: Any = self.train_dataset
            rng = generator(
                self.args.seed, "refill", str(self.state.global_step), str(number),
                str(self.accelerator.process_index),
            )  # fmt: skip
            chosen = rng.choice(len(data), size=len(flat), replace=len(data) < len(flat))
            rows = [data[int(i)] for i in chosen for _ in range(group)]
            more = super()._generate_and_score_completions(rows)
            batch = refilled(batch, more, group)
            tokens = batch["completion_mask"].sum()
            batch["num_items_in_batch"] = self.accelerator.gather(tokens[None]).sum()
        return batch

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        # A group whose rewards are all equal has no advantage: without a KL term it moves nothing, and its
        # share of the forward and backward pass is saved. The loss still divides by the tokens of all.
        if self.beta == 0.0:
            self._moving = inputs["advantages"].nonzero().flatten()
        try:
            loss: Tensor = super()._compute_loss(model, inputs)
        finally:
            self._moving = None
        return loss

    def _check_engine(self) -> None:
        """Whether vLLM samples from the model that trains, by the log-probabilities of what it said.

        Raises:
            EngineError: they are too far from the model's own.
        """
        known = self._metrics["train"].get("sampling/sampling_logp_difference/mean", [])
        if known and known[-1] > self.most_difference:
            raise EngineError(
                f"vLLM's log-probabilities differ by {known[-1]:.3f} nats from those of the model that "
                f"trains (grpo.vllm.most_difference={self.most_difference}): the engine has other weights. "
                "Check that it serves the same model in the same precision; with mode=server, restart it."
            )

    def rollout(self, prompts: list[str]) -> dict[str, Any]:
        """Completions of a batch of positions; TRL's ``rollout_func``."""
        positions = torch.tensor([int(p) for p in prompts], device=self.accelerator.device)
        if self.use_vllm:
            return self._rollout_by_engine(positions.tolist())
        model = self._plain(self.model)
        training = model.training
        # No dropout; and with gradient checkpointing a layer in training has no use for a cache.
        model.eval()
        with torch.no_grad():
            completions = []
            for part in positions.split(self.sample_at_once):
                batch, owner = self._prompts(part, model)
                completions += sample(model, batch, owner, self.sampling)
        model.train(training)
        return {
            "prompt_ids": [[p] for p in positions.tolist()],
            "completion_ids": completions,
            "logprobs": None,
        }

    def _rollout_by_engine(self, positions: list[int]) -> dict[str, Any]:
        """The same by vLLM, to which TRL has handed the weights; it prepares the pictures itself."""
        items = [self.items[p] for p in positions]
        group: Any = self.num_generations
        _, completions, log_probs, _ = self.vllm_generation.generate(
            prompts=[self.book.prompt(item).ids.tolist() for item in items],
            images=[[self.book.eyes.picture(f) for f in item.shown] for item in items],
            num_generations=group,
        )
        return {
            "prompt_ids": [[p] for p in positions],
            "completion_ids": completions,
            # Of each token the alternatives; the first is the one that was drawn.
            "logprobs": [[token[0] for token in row] for row in log_probs],
        }

    def _prompts(self, positions: Tensor, model: Any) -> tuple[PromptBatch, Tensor]:
        """The distinct prompts of a batch as the model embeds them, and which of them each row has."""
        distinct, owner = positions.unique(return_inverse=True)
        return self.book.batch([self.items[i] for i in distinct.tolist()], model), owner

    def _plain(self, model: Any) -> Any:
        """A model with its adapter layers in place, without wrappers around it."""
        model = self.accelerator.unwrap_model(model)
        return model.get_base_model() if isinstance(model, PeftModel) else model

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        *_: Any,
        compute_entropy: bool = False,
        **__: Any,
    ) -> tuple[Tensor, Tensor | None, None]:
        rows = torch.arange(len(input_ids), device=input_ids.device)
        if self._moving is not None:
            rows = self._moving if len(self._moving) else rows[:1]
        mask = attention_mask[rows, 1:]
        longest = int(mask.sum(1).max())
        # The policy, or the reference, which is a model of its own where no adapter can be switched off.
        plain = self._plain(model)

        def forward() -> tuple[Tensor, Tensor | None]:
            batch, owner = self._prompts(input_ids[rows, 0], plain)
            with self.accelerator.autocast():
                return completion_log_probs(
                    plain, batch, owner, input_ids[rows, 1 : longest + 1], mask[:, :longest],
                    self.temperature, compute_entropy,
                )  # fmt: skip

        chosen, entropy = as_forward_pass(model, self.accelerator.unwrap_model(model), forward)
        missing = input_ids.shape[1] - 1 - longest
        whole = chosen.new_zeros(len(input_ids), longest + missing)
        if entropy is not None:
            # What was left out counts as the mean of the rest: that is what is logged.
            mean = entropy.sum() / mask.sum()
            entropy = (whole + mean).index_copy(0, rows, functional.pad(entropy, (0, missing)))
        return whole.index_copy(0, rows, functional.pad(chosen, (0, missing))), entropy, None


def refilled(batch: dict[str, Any], more: dict[str, Any], group: int) -> dict[str, Any]:
    """A scored batch whose groups without variance are replaced by those of ``more`` that have some.

    Rows are completions, ``group`` in a row of one prompt; what is padded is padded to the longer of both.
    """

    def rows_of(groups: Tensor) -> Tensor:
        return (groups[:, None] * group + torch.arange(group, device=groups.device)).flatten()

    flat, useful = (
        ((b["advantages"].view(-1, group) == 0).all(dim=1) == without).nonzero().flatten()
        for b, without in ((batch, True), (more, False))
    )
    n = min(len(flat), len(useful))
    places, found = rows_of(flat[:n]), rows_of(useful[:n])
    out = dict(batch)
    for name, rows in batch.items():
        if not isinstance(rows, Tensor) or rows.ndim == 0:
            continue
        others: Tensor = more[name]
        if rows.ndim == 2:
            width = max(rows.shape[1], others.shape[1])
            rows, others = (functional.pad(x, (0, width - x.shape[1])) for x in (rows, others))
        out[name] = rows.index_copy(0, places, others[found])
    return out


def as_forward_pass(wrapped: Any, model: Any, function: Callable[[], Any]) -> Any:
    """Call a function as the forward pass of a model, with all that is wrapped around the model.

    DistributedDataParallel and its like exchange gradients only for what happened in their forward pass.
    The function uses parts of the model and never calls the model itself.
    """
    if wrapped is model:
        return function()
    usual = vars(model).get("forward")
    model.forward = function
    try:
        return wrapped()
    finally:
        del model.forward
        if usual is not None:
            model.forward = usual
