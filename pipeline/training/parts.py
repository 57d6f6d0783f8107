"""A step on a batch in parts: what comes of it depends on the parts, and not on which worker does which of them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.training.workers import Workers


def sum_over_parts(
    backward: Callable[[int], Tensor],
    network: nn.Module,
    parameters: Sequence[nn.Parameter],
    *,
    shards: int,
    workers: Workers,
) -> Tensor:
    """Set the gradients of a step, and move running statistics, by the parts of all workers.

    Gradients and losses are added in the order of the parts. Every part finds the running statistics as they were
    before the step; the mean of what the parts make of them counts, so that they remember as many batches as a step on
    the whole batch would leave them.

    Args:
        backward: computes the gradients of one part, counted from 0, and returns its scalar loss; both are its share
            of the batch's.
        network: whose buffers are moved.
        parameters: whose gradients are set; one that has none in a part has none in any.
        shards: parts of the batch.
        workers: those that share the parts.

    Returns:
        The scalar loss of the batch.
    """
    buffers = list(network.buffers())
    before = [buffer.clone() for buffer in buffers]
    found = []
    for part in workers.parts(shards):
        for parameter in parameters:
            parameter.grad = None
        _copy(before, buffers)
        loss = backward(part)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        moves = [(now - then) / shards for now, then in zip(buffers, before, strict=True) if now.is_floating_point()]
        found.append(torch.cat([tensor.flatten() for tensor in (loss, *gradients, *moves)]))
    total = workers.sum_in_order(torch.stack(found))
    loss, *sums = _like(total, [loss, *gradients, *moves])
    _copy(sums[: len(gradients)], gradients)
    floating = [pair for pair in zip(buffers, before, strict=True) if pair[0].is_floating_point()]
    for (buffer, then), move in zip(floating, sums[len(gradients) :], strict=True):
        torch.add(then, move, out=buffer)
    return loss


def part_seed(seed: int, step: int, part: int) -> int:
    """Seed of what a network draws in one part of one step."""
    return int(np.random.SeedSequence([seed, step, part]).generate_state(1, np.uint64)[0])


def _copy(sources: Sequence[Tensor], targets: Sequence[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source)


def _like(flat: Tensor, shapes: Sequence[Tensor]) -> list[Tensor]:
    """A flat tensor as tensors of these shapes."""
    pieces = torch.split(flat, [tensor.numel() for tensor in shapes])
    return [piece.view(tensor.shape) for piece, tensor in zip(pieces, shapes, strict=True)]
