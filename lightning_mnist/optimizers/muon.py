"""Keras' Muon."""

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from lightning_mnist.optimizers.adam import KerasAdam
from lightning_mnist.optimizers.base import KerasOptimizer, Number, Settings, Slots, Tensors

TINY = 1e-7
"""What Keras adds to the norm that it divides by; `epsilon` is Adam's."""


class KerasMuon(KerasAdam):
    """Momentum whose matrices are made orthogonal before they are added; vectors are Adam's.

    Jordan, Muon: An optimizer for hidden layers in neural networks, 2024: five steps of a Newton-
    Schulz iteration bring all singular values near 1. Each matrix, the last layer's too, moves by
    ``rms_rate * sqrt(max(rows, columns))`` times that, so that Adam's rates and decays suit it (Liu
    et al., Muon is Scalable for LLM Training, 2025). ``torch.optim.Muon`` takes no vectors, has
    other defaults, and iterates in bfloat16; here products are as precise as
    all others, and so in ``bf16-mixed`` they are bfloat16 too.

    Args:
        params: Parameters or parameter groups.
        lr: Learning rate.
        adam_beta_1: For vectors, the share of the mean gradient that is kept in a step.
        adam_beta_2: Likewise of the mean squared gradient.
        adam_weight_decay: What `weight_decay` is to matrices.
        epsilon: Added to the root of a vector's mean squared gradient.
        weight_decay: First ``p -= p * weight_decay * lr``, for matrices.
        muon_a: Of the polynomial ``a x + b x^3 + c x^5`` that is iterated.
        muon_b: Likewise.
        muon_c: Likewise.
        adam_lr_ratio: Rate of vectors, in multiples of `lr`.
        momentum: Share of the momentum that is kept in a step, at most 1.
        ns_steps: Iterations.
        nesterov: Add ``g + momentum * m``, with the new momentum, instead of ``m``.
        rms_rate: None leaves out that factor, with the root.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1.0,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
    ) -> None:
        KerasOptimizer.__init__(self, params, locals())

    def _step(self, group: Settings, params: Tensors) -> None:
        as_adam = {
            "beta_1": group["adam_beta_1"],
            "beta_2": group["adam_beta_2"],
            "weight_decay": group["adam_weight_decay"],
            "amsgrad": False,
        }
        matrices = [param for param in params if param.ndim == 2]
        vectors = [param for param in params if param.ndim != 2]
        for settings, members in ((group, matrices), (group | as_adam, vectors)):
            if members:
                super()._step(settings, members)

    def _slots(self, group: Settings) -> dict[str, float]:
        return super()._slots(group) if "beta_1" in group else {"momentum": 0.0}

    def _update(
        self, group: Settings, number: Number, params: Tensors, grads: Tensors, slots: Slots
    ) -> None:
        if "beta_1" in group:
            rate = group["lr"] * group["adam_lr_ratio"]
            super()._update(group | {"lr": rate}, number, params, grads, slots)
            return
        share = group["momentum"]
        for param, grad, momentum in zip(params, grads, slots["momentum"], strict=True):
            momentum += grad + momentum * (share - 1)
            moved = grad + share * momentum if group["nesterov"] else momentum
            update = float(number(group["lr"])) * orthogonal(moved, group)
            if group["rms_rate"] is not None:
                update = update * float(number(max(param.shape)) ** 0.5) * group["rms_rate"]
            param -= update


def orthogonal(matrix: Tensor, group: Settings) -> Tensor:
    """Nearly the orthogonal matrix nearest to one [M, N]: singular values are about 0.7 to 1.2."""
    a, b, c = (group[name] for name in ("muon_a", "muon_b", "muon_c"))
    wide: Tensor = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    wide = wide / (torch.linalg.matrix_norm(wide) + TINY)
    for _ in range(group["ns_steps"]):
        gram = wide @ wide.T
        wide = a * wide + (b * gram + (c * gram) @ gram) @ wide
    return wide.T if matrix.shape[0] > matrix.shape[1] else wide
