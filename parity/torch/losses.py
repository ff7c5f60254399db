"""Notices which loss functions of torch a program calls, and with what."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from parity.torch.between import following
from parity.torch.layouts import Array
from parity.watch.check import Loss

LOSSES = {
    "cross_entropy": Loss("CrossEntropyLoss", "categorical", "logits"),
    "nll_loss": Loss("NLLLoss", "categorical", "log probabilities", "numbers"),
    "binary_cross_entropy": Loss("BCELoss", "binary", "probabilities"),
    "binary_cross_entropy_with_logits": Loss("BCEWithLogitsLoss", "binary", "logits"),
    "mse_loss": Loss("MSELoss", "distance"),
    "l1_loss": Loss("L1Loss", "distance"),
    "smooth_l1_loss": Loss("SmoothL1Loss", "distance"),
    "huber_loss": Loss("HuberLoss", "distance"),
    "kl_div": Loss("KLDivLoss", "", "log probabilities"),
    "poisson_nll_loss": Loss("PoissonNLLLoss"),
    "gaussian_nll_loss": Loss("GaussianNLLLoss"),
    "soft_margin_loss": Loss("SoftMarginLoss"),
    "hinge_embedding_loss": Loss("HingeEmbeddingLoss"),
    "cosine_embedding_loss": Loss("CosineEmbeddingLoss"),
    "margin_ranking_loss": Loss("MarginRankingLoss"),
    "multi_margin_loss": Loss("MultiMarginLoss"),
    "multilabel_soft_margin_loss": Loss("MultiLabelSoftMarginLoss"),
}
"""By the name of the function, which torch's modules call too."""
OPPOSITE = 0.99
"""Cosine between gradients that are one but for their size, and perhaps their sign."""
CHANCE = 8
"""Targets of one batch that are no more alike by chance."""


_USUAL_IGNORED = {"CrossEntropyLoss": -100, "NLLLoss": -100}
"""The class number that torch's losses leave out where they are not told another."""


class Use(NamedTuple):
    """A loss at work.

    Attributes:
        loss: What it is.
        function: torch's own, untouched.
        given: What the network answers, as the loss gets it.
        targets: Likewise.
        settings: Other arguments.
    """

    loss: Loss
    function: Callable[..., Tensor]
    given: Tensor
    targets: Tensor
    settings: dict[str, Any]

    @property
    def described(self) -> Loss:
        """The loss with its settings for single classes."""
        weights, ignored = self.settings.get("weight"), self.settings.get("ignore_index")
        positive = self.settings.get("pos_weight")
        known: tuple[float, ...] = ()
        of_yes: tuple[float, ...] = ()
        if isinstance(weights, Tensor) and self.loss.kind == "categorical":
            known = tuple(weights.detach().flatten().tolist())
        elif isinstance(positive, Tensor) and positive.numel() == 1:
            known = 1.0, float(positive)
        elif isinstance(positive, Tensor):
            of_yes = tuple(positive.detach().flatten().tolist())
        return replace(
            self.loss,
            weights=known,
            of_yes=of_yes,
            ignored=ignored if isinstance(ignored, int) else _USUAL_IGNORED.get(self.loss.name),
        )

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Of answers and targets, for losses that broadcast what they are given."""
        if self.loss.kind != "distance":
            return None
        return tuple(self.given.shape), tuple(self.targets.shape)

    def of(self, given: Tensor, targets: Tensor) -> Tensor:
        """The loss of another batch, a scalar."""
        value = self.function(given, target=targets, **self.settings)
        return value if value.ndim == 0 else value.mean()


@contextmanager
def noticed(seen: Callable[[Use], object]) -> Iterator[None]:
    """Be told of each call of a loss function within, before it computes anything.

    A program that has got hold of a function before is noticed by what that function calls.
    """
    places = [(F, name, name) for name in LOSSES]
    places += [(torch._C._nn, inner, name) for inner, name in _INNER.items()]
    places.append((torch, "binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits"))
    functions = [getattr(place, own) for place, own, _ in places]
    outer, depth = {name: getattr(F, name) for name in LOSSES}, [0]
    for (place, own, name), function in zip(places, functions, strict=True):
        telling = _telling(LOSSES[name], function, outer[name], depth, seen)
        setattr(place, own, telling)
    try:
        yield
    finally:
        for (place, own, _), function in zip(places, functions, strict=True):
            setattr(place, own, function)


_INNER = {
    "cross_entropy_loss": "cross_entropy",
    "nll_loss_nd": "nll_loss",
    "binary_cross_entropy": "binary_cross_entropy",
    "mse_loss": "mse_loss",
    "l1_loss": "l1_loss",
    "smooth_l1_loss": "smooth_l1_loss",
    "huber_loss": "huber_loss",
}
"""What torch's functions call, by their names; their further arguments are not theirs."""


def _telling(
    loss: Loss,
    function: Callable[..., Tensor],
    outer: Callable[..., Tensor],
    depth: list[int],
    seen: Callable[[Use], object],
) -> Callable[..., Tensor]:
    names = list(inspect.signature(outer).parameters)

    def telling(*args: Any, **kwargs: Any) -> Tensor:
        if torch.compiler.is_compiling() or depth[0]:
            return function(*args, **kwargs)
        settings = dict(zip(names, args, strict=False)) | kwargs
        given, targets = settings.pop(names[0], None), settings.pop("target", None)
        if isinstance(given, Tensor) and isinstance(targets, Tensor):
            seen(Use(loss, outer, given, targets, settings if function is outer else {}))
        depth[0] += 1
        try:
            return function(*args, **kwargs)
        finally:
            depth[0] -= 1

    return telling


def factor_of(use: Use, gradient: Tensor | None) -> float | None:
    """By which a program multiplies a loss before backward; None where it does something else.

    Args:
        use: The loss at work.
        gradient: That backward has brought to what the loss was given; None where it has not.
    """
    if gradient is None:
        return None
    with torch.enable_grad():
        given = use.given.detach().clone().requires_grad_()
        (own,) = torch.autograd.grad(use.of(given, use.targets.detach()), given)
    own, made = own.flatten().float(), gradient.flatten().float()
    along = float(own @ made)
    alike = abs(along) > OPPOSITE * float(own.norm()) * float(made.norm()) > 0
    return along / float(own @ own) if alike else None


def asked(uses: Sequence[Use], targets: Array, *, unlabelled: bool = False) -> bool:
    """Whether targets may be what losses ask for.

    An adversary's are given one number, and then another, for all samples, whatever class these
    have; and a program whose loss is its own, or that computes its targets, may not use targets
    that are all alike. Where each sample has one number, a loss that asks for many, as an
    autoencoder's, asks for others.

    Args:
        uses: Of losses, as far as they were heard.
        targets: That the guard was given, [N, ...].
        unlabelled: Whether these are the samples themselves, for want of others.
    """
    if unlabelled and not any(use.targets[:1].numel() == targets[:1].size for use in uses):
        return False
    alike = targets.size > 0 and not bool((targets != targets[:1]).any())
    if not uses:
        return not alike
    given = [use.targets for use in uses if use.targets.numel() > 1]  # one alone is always alike
    constant = [values.flatten()[:1] for values in given if bool((values == values[:1]).all())]
    if alike and len(constant) < len(given):
        return False
    if targets.size == len(targets) and any(map(_many, given)):
        return False
    mixed = bool((targets[:CHANCE] != targets[:1]).any()) and len(np.unique(targets)) > 2
    if mixed and any(use.loss.kind != "categorical" and _one(use.targets) for use in uses):
        return False
    return all(torch.equal(each, constant[0]) for each in constant)


def _many(values: Tensor) -> bool:
    """Whether targets are several numbers for each sample that tell no class, in shares of 1."""
    rows = values.detach().reshape(len(values), -1).float() if values.ndim > 1 else values[:, None]
    return rows.shape[1] > 1 and bool(((rows.sum(dim=1) - 1).abs() > 1e-3).any())


def _one(values: Tensor) -> bool:
    """Whether targets are one and the same number, for more samples than chance has it."""
    return values.ndim > 0 and len(values) >= CHANCE and bool((values == values[:1]).all())


def swapped(answers: Tensor, use: Use) -> bool:
    """Whether the loss got the network's answers for targets."""
    return following(answers, use.given) is None and following(answers, use.targets) is not None


def misread(answers: Tensor, use: Use) -> bool:
    """Whether the loss takes for classes what the network's answers have as places.

    So it is after ``view`` or ``reshape`` where axes had to be moved: [B, C, H, W] to [-1, C], or
    [B, T, C] to [B, C, T]. The values are the same, and those of one class lie otherwise apart.

    Args:
        answers: Of the network, [B, ...].
        use: Of a loss that takes its second axis for classes.
    """
    given = use.given.detach()
    if use.loss.kind != "categorical" or answers.ndim < 3 or given.ndim < 2:
        return False
    classes, shape = given.shape[1], list(answers.shape[1:])
    if answers.numel() != given.numel() or shape.count(classes) != 1:
        return False
    apart = prod(shape[shape.index(classes) + 1 :]), prod(given.shape[2:])
    same = torch.allclose(answers.flatten().float(), given.flatten().float(), rtol=1e-5, atol=1e-7)
    return apart[0] != apart[1] and same
