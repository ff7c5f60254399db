"""Keras' gradient descent."""

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


class KerasSGD(KerasOptimizer):
    """Gradient descent: ``velocity = momentum * velocity - lr * g``, then ``p += velocity``.

    Args:
        params: Parameters or parameter groups.
        lr: Learning rate.
        momentum: Share of the velocity that is kept in a step, at most 1.
        nesterov: Add ``momentum * velocity - lr * g``, with the new velocity, instead.
        weight_decay: First ``p -= p * weight_decay * lr``.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
    ) -> None:
        super().__init__(params, locals())

    def _slots(self, group: Settings) -> dict[str, float]:
        return {"momentum": 0.0} if group["momentum"] else {}

    def _update(
        self, group: Settings, number: Number, params: Tensors, grads: Tensors, slots: Slots
    ) -> None:
        lr = float(number(group["lr"]))
        if not group["momentum"]:
            torch._foreach_add_(params, grads, alpha=-lr)
            return
        momentum = float(through_float32(group["momentum"], number))
        velocity = slots["momentum"]
        torch._foreach_mul_(velocity, momentum)
        torch._foreach_add_(velocity, grads, alpha=-lr)
        if group["nesterov"]:
            torch._foreach_add_(params, velocity, alpha=momentum)
            torch._foreach_add_(params, grads, alpha=-lr)
        else:
            torch._foreach_add_(params, velocity)
