"""Keras' RMSprop."""

import torch
from torch.optim.optimizer import ParamsT

from lightning_mnist.optimizers.base import KerasOptimizer, Number, Settings, Slots, Tensors


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
