"""Keras' Adam, which with weight decay is its AdamW, and Adam with Nesterov's momentum."""

from typing import ClassVar

import numpy as np
import torch
from torch.optim.optimizer import ParamsT

from lightning_mnist.optimizers.base import (
    KerasOptimizer,
    Number,
    Settings,
    Slots,
    Tensors,
    number_type,
    through_float32,
)

DECAY = 0.96
"""How fast the momentum warms up."""


class KerasAdam(KerasOptimizer):
    """Adam: ``p -= alpha * m / (sqrt(v) + epsilon)``, with the bias correction in ``alpha``.

    Args:
        params: Parameters or parameter groups.
        lr: Learning rate.
        beta_1: Share of the mean gradient that is kept in a step.
        beta_2: Share of the mean squared gradient that is kept in a step.
        epsilon: Added to the root before any bias correction (the paper's "epsilon hat").
        amsgrad: Divide by the largest mean squared gradient so far.
        weight_decay: First ``p -= p * weight_decay * lr``.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
    ) -> None:
        super().__init__(params, locals())

    def _slots(self, group: Settings) -> dict[str, float]:
        names = ["momentum", "velocity"] + ["velocity_hat"] * group["amsgrad"]
        return dict.fromkeys(names, 0.0)

    def _update(
        self, group: Settings, number: Number, params: Tensors, grads: Tensors, slots: Slots
    ) -> None:
        t = number(group["iterations"])
        beta_1, beta_2 = (through_float32(group[name], number) for name in ("beta_1", "beta_2"))
        alpha = number(group["lr"]) * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        torch._foreach_lerp_(slots["momentum"], grads, 1 - group["beta_1"])
        squares = torch._foreach_mul(grads, grads)
        torch._foreach_lerp_(slots["velocity"], squares, 1 - group["beta_2"])
        del squares  # as much memory is needed again
        if group["amsgrad"]:
            torch._foreach_maximum_(slots["velocity_hat"], slots["velocity"])
        roots = torch._foreach_sqrt(slots["velocity_hat" if group["amsgrad"] else "velocity"])
        torch._foreach_add_(roots, group["epsilon"])
        torch._foreach_addcdiv_(params, slots["momentum"], roots, -float(alpha))


class KerasAdamW(KerasAdam):
    """`KerasAdam` that decays weights by default: Keras' AdamW is its Adam in all else.

    Args:
        params: Parameters or parameter groups.
        lr: Learning rate.
        weight_decay: First ``p -= p * weight_decay * lr``.
        beta_1: Share of the mean gradient that is kept in a step.
        beta_2: Share of the mean squared gradient that is kept in a step.
        epsilon: Added to the root before any bias correction.
        amsgrad: Divide by the largest mean squared gradient so far.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, beta_1, beta_2, epsilon, amsgrad, weight_decay)


class KerasNadam(KerasOptimizer):
    """Adam with Nesterov's momentum, which warms up: ``u_t = beta_1 * (1 - 0.5 * 0.96 ** t)``.

    Args:
        params: Parameters or parameter groups.
        lr: Learning rate.
        beta_1: Share of the mean gradient that is kept in a step.
        beta_2: Share of the mean squared gradient that is kept in a step.
        epsilon: Added to the root of the bias-corrected mean square.
        weight_decay: First ``p -= p * weight_decay * lr``.
    """

    counters: ClassVar[dict[str, float]] = {"iterations": 0, "u_product": 1.0}

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
    ) -> None:
        super().__init__(params, locals())

    def _slots(self, group: Settings) -> dict[str, float]:
        return {"momentum": 0.0, "velocity": 0.0}

    def _count(self, group: Settings) -> None:
        """Also multiply the momenta so far: one number a group, of its first parameter's type."""
        super()._count(group)
        number = number_type(group["params"][0].dtype)
        warm = 1 - number(0.5) * number(DECAY) ** number(group["iterations"])
        product = number(group["u_product"]) * number(group["beta_1"]) * warm
        group["u_product"] = float(product)

    def _update(
        self, group: Settings, number: Number, params: Tensors, grads: Tensors, slots: Slots
    ) -> None:
        t, half, product = number(group["iterations"]), number(0.5), number(group["u_product"])
        beta_1, beta_2, decay = (
            through_float32(value, number) for value in (group["beta_1"], group["beta_2"], DECAY)
        )
        u, u_next = (beta_1 * (1 - half * decay**step) for step in (t, t + 1))
        torch._foreach_lerp_(slots["momentum"], grads, float(1 - beta_1))
        squares = torch._foreach_mul(grads, grads)
        torch._foreach_lerp_(slots["velocity"], squares, float(1 - beta_2))
        del squares  # as much memory is needed again
        roots = torch._foreach_div(slots["velocity"], float(1 - beta_2**t))
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, group["epsilon"])
        means = torch._foreach_mul(slots["momentum"], float(u_next / (1 - product * u_next)))
        torch._foreach_add_(means, grads, alpha=float((1 - u) / (1 - product)))
        torch._foreach_addcdiv_(params, means, roots, -float(number(group["lr"])))
