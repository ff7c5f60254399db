"""Keras' gradient descent, and what divides it by a mean square or a sum of squares."""

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


class KerasRMSprop(KerasOptimizer):
    """RMSprop: ``p -= lr * g / sqrt(v + epsilon)``, v the mean squared gradient.

    Args:
        params: Parameters or parameter groups.
        lr: Learning rate.
        rho: Share of the mean squared gradient that is kept in a step.
        momentum: Share of the last steps that is added to a step.
        epsilon: Added inside the root.
        centered: Take the variance of gradients for their mean square.
        weight_decay: First ``p -= p * weight_decay * lr``.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
    ) -> None:
        super().__init__(params, locals())

    def _slots(self, group: Settings) -> dict[str, float]:
        names = ["velocity"] + ["average_gradient"] * group["centered"]
        return dict.fromkeys(names + ["momentum"] * (group["momentum"] > 0), 0.0)

    def _update(
        self, group: Settings, number: Number, params: Tensors, grads: Tensors, slots: Slots
    ) -> None:
        rho, lr = group["rho"], float(number(group["lr"]))
        # Nothing fused: where a gradient is constant, centring leaves little but roundings.
        shares = torch._foreach_mul(grads, grads)
        torch._foreach_mul_(shares, 1 - rho)
        torch._foreach_mul_(slots["velocity"], rho)
        torch._foreach_add_(slots["velocity"], shares)
        del shares  # as much memory is needed again
        if group["centered"]:
            means = slots["average_gradient"]
            torch._foreach_mul_(means, rho)
            torch._foreach_add_(means, torch._foreach_mul(grads, 1 - rho))
            roots = torch._foreach_mul(means, means)
            torch._foreach_neg_(roots)
            torch._foreach_add_(roots, slots["velocity"])
            torch._foreach_add_(roots, group["epsilon"])
        else:
            roots = torch._foreach_add(slots["velocity"], group["epsilon"])
        torch._foreach_sqrt_(roots)
        if group["momentum"] > 0:
            torch._foreach_mul_(slots["momentum"], group["momentum"])
            torch._foreach_addcdiv_(slots["momentum"], grads, roots, lr)
            torch._foreach_sub_(params, slots["momentum"])
        else:
            torch._foreach_addcdiv_(params, grads, roots, -lr)


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
