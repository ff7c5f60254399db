"""Keras' Adagrad."""

import numpy as np
import torch
from torch.optim.optimizer import ParamsT

from lightning_mnist.optimizers.base import (
    KerasOptimizer,
    Number,
    Settings,
    Slots,
    Tensors,
    through_float32,
)


class KerasAdagrad(KerasOptimizer):
    """Adagrad: ``p -= lr * g / sqrt(a + epsilon)``, a the sum of squared gradients.

    Args:
        params: Parameters or parameter groups.
        lr: Learning rate.
        initial_accumulator_value: What the sum begins with.
        epsilon: Added inside the root.
        weight_decay: First ``p -= p * weight_decay * lr``.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
    ) -> None:
        super().__init__(params, locals())

    def _slots(self, group: Settings) -> dict[str, float]:
        first = through_float32(group["initial_accumulator_value"], np.float64)
        return {"accumulator": float(first)}

    def _update(
        self, group: Settings, number: Number, params: Tensors, grads: Tensors, slots: Slots
    ) -> None:
        torch._foreach_add_(slots["accumulator"], torch._foreach_mul(grads, grads))
        roots = torch._foreach_add(slots["accumulator"], group["epsilon"])
        torch._foreach_sqrt_(roots)
        torch._foreach_addcdiv_(params, grads, roots, -float(number(group["lr"])))
