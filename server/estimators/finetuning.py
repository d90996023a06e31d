"""Fine-tuning: AdamW with a linear schedule over batches of texts of like lengths, the same for every head.

D. P. Kingma, J. Ba: Adam, arXiv:1412.6980; I. Loshchilov, F. Hutter: Decoupled weight decay, arXiv:1711.05101.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from server.errors import UntrainableRows
from server.estimators.base import Progress, Report
from server.estimators.network import Network

# The share of all steps in which the learning rate grows to its full size.
WARM_UP = 0.1
LONGEST_GRADIENT = 1.0
# See TextClass: models below this size learn too little from few rows with the usual rate.
FEW_WEIGHTS = 50_000_000
RATE_OF_FEW, USUAL_RATE = 1e-4, 5e-5
# Batches whose texts are sorted by length together; over all texts, no order would be left to chance.
SORTED_TOGETHER = 50
# What torch's cross entropy leaves out.
IGNORED = -100
# The loss that is told is the mean of this many steps.
SMOOTHED = 20


@dataclass(frozen=True)
class Arguments:
    """Training arguments, as in TextClass."""

    epochs: float
    batch_size: int
    learning_rate: float | None
    weight_decay: float
    seed: int


def fine_tune(
    network: Network,
    ids: Sequence[Sequence[int]],
    labels: Sequence[int] | Sequence[list[int | None]],
    arguments: Arguments,
    report: Report,
) -> None:
    """Train all weights of the network in place.

    Args:
        network: the model, with a head for the labels.
        ids: the token ids of each text.
        labels: for each text its label's number, or those of its tokens' labels; None is not learned from.
        arguments: how long, how fast, and in which batches.
        report: told of every step.

    Raises:
        UntrainableRows: loss or weights are no numbers any more, or the GPU's memory ran out.
    """
    torch.manual_seed(arguments.seed)
    network.model.train()
    try:
        _train(network, ids, labels, arguments, report)
    except torch.OutOfMemoryError as error:
        size = arguments.batch_size
        raise UntrainableRows(
            f"the GPU's memory ran out with batches of {size} texts; set a smaller per_device_train_batch_size"
        ) from error
    finally:
        network.model.eval()


def _train(
    network: Network, ids: Sequence[Sequence[int]], labels: Sequence[Any], arguments: Arguments, report: Report
) -> None:
    generator = np.random.default_rng(arguments.seed)
    steps = max(1, math.ceil(arguments.epochs * math.ceil(len(ids) / arguments.batch_size)))
    optimizer, schedule = _optimizer(network.model, arguments, steps)
    lengths = [len(one) for one in ids]
    losses: list[float] = []
    while len(losses) < steps:
        for batch in _shuffled(lengths, arguments.batch_size, generator)[: steps - len(losses)]:
            losses.append(_step(network, [list(ids[i]) for i in batch], [labels[i] for i in batch], optimizer))
            schedule.step()
            if not math.isfinite(losses[-1]):
                raise UntrainableRows(
                    f"the loss is no number any more after step {len(losses)}; set a smaller learning_rate"
                )
            recent = losses[-SMOOTHED:]
            report(Progress(len(losses), steps, sum(recent) / len(recent)))
    # No loss comes after the last step to tell.
    if not all(bool(weights.isfinite().all()) for weights in network.model.parameters()):
        raise UntrainableRows("the last step left weights that are no numbers; set a smaller learning_rate")


def _optimizer(model: Any, arguments: Arguments, steps: int) -> tuple[Any, Any]:
    """AdamW without decay of biases and norms, and a rate that grows over WARM_UP and falls to nothing."""
    few = sum(weights.numel() for weights in model.parameters()) < FEW_WEIGHTS
    rate = arguments.learning_rate or (RATE_OF_FEW if few else USUAL_RATE)
    matrices = [weights for weights in model.parameters() if weights.ndim >= 2]
    others = [weights for weights in model.parameters() if weights.ndim < 2]
    groups = [{"params": matrices, "weight_decay": arguments.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate)
    growing = max(1, round(WARM_UP * steps))

    def share(step: int) -> float:
        return min((step + 1) / growing, max(0.0, (steps - step) / max(1, steps - growing)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def _shuffled(lengths: Sequence[int], size: int, generator: np.random.Generator) -> list[list[int]]:
    """All positions in batches, in random order, each of texts of like lengths."""
    order = list(range(len(lengths)))
    generator.shuffle(order)
    batches = []
    together = size * SORTED_TOGETHER
    for start in range(0, len(order), together):
        part = sorted(order[start : start + together], key=lambda index: -lengths[index])
        batches += [part[first : first + size] for first in range(0, len(part), size)]
    generator.shuffle(batches)
    return batches


def _step(network: Network, ids: list[list[int]], labels: list[Any], optimizer: Any) -> float:
    inputs = network.padded(ids)
    target = torch.tensor(_aligned(labels, inputs["input_ids"].shape[1], network), device=network.device)
    logits = network.model(**inputs).logits.flatten(0, -2)
    total = torch.nn.functional.cross_entropy(logits, target.flatten(), ignore_index=IGNORED, reduction="sum")
    # A batch may hold nothing to learn from.
    loss = total / max(1, int((target != IGNORED).sum()))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.model.parameters(), LONGEST_GRADIENT)
    optimizer.step()
    optimizer.zero_grad()
    return float(loss.detach())


def _aligned(labels: list[Any], width: int, network: Network) -> list[Any]:
    """The labels of texts as they are; those of tokens padded as the tokens are."""
    if not isinstance(labels[0], list):
        return labels
    rows = [[IGNORED if number is None else number for number in row] for row in labels]
    gaps = [[IGNORED] * (width - len(row)) for row in rows]
    left = network.tokenizer.padding_side == "left"
    return [gap + row if left else row + gap for gap, row in zip(gaps, rows, strict=True)]
