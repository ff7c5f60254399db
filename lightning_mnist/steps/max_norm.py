"""Weights kept short: each hidden unit's incoming ones, after every step of an optimiser."""

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from lightning_mnist.network import MLP

EPSILON = 1e-7
"""What `keras.constraints.MaxNorm` adds to each norm that it divides by."""


def keep_short(network: MLP, optimizer: Optimizer, limit: float) -> None:
    """Have `optimizer` cut norms back to `limit` after each of its steps.

    The same arithmetic as ``keras.constraints.MaxNorm(limit, axis=0)``, which also shrinks norms
    below the limit, by a ten millionth.
    """
    hidden = [layer for layer in network if isinstance(layer, nn.Linear)][:-1]

    @torch.no_grad()
    def cut_back(*_: Any) -> None:
        for layer in hidden:
            norms = layer.weight.square().sum(dim=1, keepdim=True).sqrt()
            layer.weight.mul_(norms.clamp(max=limit) / (norms + EPSILON))

    optimizer.register_step_post_hook(cut_back)
