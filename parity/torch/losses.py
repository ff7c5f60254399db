"""Notices which loss functions of torch a program calls, and with what."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

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
    "kl_div": Loss("KLDivLoss"),
    "poisson_nll_loss": Loss("PoissonNLLLoss"),
    "gaussian_nll_loss": Loss("GaussianNLLLoss"),
    "soft_margin_loss": Loss("SoftMarginLoss"),
    "hinge_embedding_loss": Loss("HingeEmbeddingLoss"),
    "multi_margin_loss": Loss("MultiMarginLoss"),
    "multilabel_soft_margin_loss": Loss("MultiLabelSoftMarginLoss"),
}
"""By the name of the function, which torch's modules call too."""
FOLLOWING: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda values: torch.softmax(values, -1),
    "log_softmax": lambda values: torch.log_softmax(values, -1),
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "tanh": torch.tanh,
}
"""What a program may do to the network's answers before it hands them to the loss."""


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

    def of(self, given: Tensor, targets: Tensor) -> Tensor:
        """The loss of another batch, a scalar."""
        value = self.function(given, targets, **self.settings)
        return value if value.ndim == 0 else value.mean()


@contextmanager
def noticed(seen: Callable[[Use], object]) -> Iterator[None]:
    """Be told of each call of a loss function within, before it computes anything."""
    functions = {name: getattr(F, name) for name in LOSSES}
    for name, function in functions.items():
        setattr(F, name, _telling(LOSSES[name], function, seen))
    try:
        yield
    finally:
        for name, function in functions.items():
            setattr(F, name, function)


def _telling(
    loss: Loss, function: Callable[..., Tensor], seen: Callable[[Use], object]
) -> Callable[..., Tensor]:
    names = list(inspect.signature(function).parameters)

    def telling(*args: Any, **kwargs: Any) -> Tensor:
        settings = dict(zip(names, args, strict=False)) | kwargs
        given, targets = settings.pop(names[0], None), settings.pop(names[1], None)
        tensors = isinstance(given, Tensor) and isinstance(targets, Tensor)
        if tensors and not torch.compiler.is_compiling():
            seen(Use(loss, function, given, targets, settings))
        return function(*args, **kwargs)

    return telling


def following(answers: Tensor, given: Tensor) -> str | None:
    """What a program has done to the network's answers before the loss got them.

    Returns:
        Empty for nothing but a change of shape; None where it is none of `FOLLOWING`.
    """
    if answers.numel() != given.numel() or not answers.numel():
        return None
    arranged = given.detach()
    if given.ndim == 3 and answers.shape == (given.shape[0], given.shape[2], given.shape[1]):
        arranged = arranged.transpose(1, 2)
    wanted = arranged.reshape(-1).float()
    values = answers.detach()
    if torch.equal(values.reshape(-1).float(), wanted):
        return ""
    if values.ndim == 0:
        return None
    for name, function in FOLLOWING.items():
        if torch.allclose(function(values.float()).reshape(-1), wanted, atol=1e-5):
            return name
    return None
