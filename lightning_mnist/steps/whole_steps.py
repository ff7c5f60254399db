"""Several optimiser steps as one call: pixels, forward, backward, Adam, and no Python in between.

To the bits of the same steps one by one.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer

from lightning_mnist.data.batches import Batch
from lightning_mnist.preprocessing import Preprocessing, pixels_of
from lightning_mnist.steps import layers_backward
from lightning_mnist.steps.fused_adam import Group, adam, groups_of, is_plain, states_of
from lightning_mnist.steps.layers_backward import Layers
from lightning_mnist.steps.without_graph import WithoutGraph, compiled

Learn = Callable[[list[Batch]], tuple[list[Tensor], list[Tensor]]]
"""Learns some batches; gives the loss of each, a scalar, and its logits [B, C]."""


def feeds(how: Preprocessing, images: Tensor, pixels: Tensor) -> bool:
    """Whether raw images are fed as these pixels: nobody has put another way in place."""
    return torch.equal(pixels, pixels_of(images, how.invert, how.standardize, how.mean, how.std))


def whole_steps(
    without_graph: WithoutGraph | None, optimizer: Optimizer, how: Preprocessing | None
) -> Learn | None:
    """What takes the steps of `optimizer`, which has taken one, until its state is replaced.

    Returns:
        None where a step is more than this, or other.
    """
    if without_graph is None or how is None:
        return None
    if not (without_graph.is_written_out and is_plain(optimizer)):
        return None
    states = states_of(optimizer)

    @torch.no_grad()
    def learn(batches: list[Batch]) -> tuple[list[Tensor], list[Tensor]]:
        answered: tuple[list[Tensor], list[Tensor]] = compiled(steps)(
            [batch.images for batch in batches],
            [batch.labels for batch in batches],
            (how.invert, how.standardize, how.mean, how.std),
            without_graph.layers(max(len(batch.images) for batch in batches)),
            groups_of(optimizer, states),
        )
        return answered

    return learn


def steps(
    images: list[Tensor],
    labels: list[Tensor],
    pixels: tuple[bool, str, Tensor, Tensor],
    layers: Layers,
    groups: list[Group],
) -> tuple[list[Tensor], list[Tensor]]:
    """Losses, scalars, and logits [B, C] of batches, in what TorchScript knows of Python.

    Of each batch images uint8 [B, H, W] and labels int64 [B]; for the rest see `pixels_of`,
    `layers_backward.step`, which leaves gradients where `groups` has them, and `adam`.
    """
    losses: list[Tensor] = []
    answers: list[Tensor] = []
    invert, standardize, mean, std = pixels
    for i in range(len(images)):
        fed = pixels_of(images[i], invert, standardize, mean, std)
        loss, logits = layers_backward.step(fed, labels[i], layers)
        losses.append(loss)
        answers.append(logits)
        adam(groups)
    return losses, answers
