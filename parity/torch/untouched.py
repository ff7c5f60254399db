"""Weights that a training has left as they were: a second optimiser, or a loss, was forgotten."""

import gc
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from parity.torch.losses import Use
from parity.watch.check import Belief, Change, Match, Remedy
from parity.watch.check.words import listed

SOME = 16
"""Weights of each kernel that are looked at."""


class Untouched:
    """Knows the kernels of a module that could learn, as they were before the first step.

    Args:
        module: What is trained.
        optimizer: That its guard was given.
    """

    def __init__(self, module: nn.Module, optimizer: Optimizer) -> None:
        self.own = _held(optimizer)
        self._kept = [
            (name, weight, weight._version, _some(weight))
            for name, weight in module.named_parameters()
            if weight.requires_grad and weight.ndim > 1
        ]

    def found(self, unreached: Sequence[Use]) -> Match | None:
        """What was forgotten, once the training has ended.

        Args:
            unreached: Losses whose answers no gradient has come to, while others' got some.
        """
        return self._without_loss(unreached) or self._never_stepped()

    @property
    def ungiven(self) -> bool:
        """Whether kernels get gradients and no optimiser has them."""
        others = {id(w) for _, w, *_ in self._kept if _graded(w)} - self.own
        return bool(others) and not others & {key for each in _optimizers() for key in _held(each)}

    def _left(self, *, own: bool) -> dict[str, Tensor]:
        """Those that nothing has changed, of the optimiser or of none that is known."""
        return {
            name: weight
            for name, weight, version, before in self._kept
            if (id(weight) in self.own) == own
            and weight._version == version
            and torch.equal(_some(weight), before)
        }

    def _never_stepped(self) -> Match | None:
        """A second optimiser that takes no step, though its weights get gradients."""
        left = {n: w for n, w in self._left(own=False).items() if _graded(w)}
        if not left:
            return None
        held = {key for other in _optimizers() for key in _held(other)}
        names = [name for name, weight in left.items() if id(weight) in held]
        if not names:
            return None
        return Match(
            "a second optimiser takes no step, and its weights stay as they are",
            f"{listed(names)} got gradients, belong to an optimiser that is not the guard's, and "
            "are what they were before the first step",
            "Call step() of each optimiser after loss.backward()",
            Belief.LIKELY,
            Remedy("with all weights trained", changes=Change.THAWED),
        )

    def _without_loss(self, unreached: Sequence[Use]) -> Match | None:
        """A part of the network whose loss was computed and never used."""
        names = [n for n, weight in self._left(own=True).items() if not _graded(weight)]
        if not names or not unreached:
            return None
        use = unreached[0]
        return Match(
            "a loss is computed and never trained on",
            f"no gradient comes to what {use.loss.name} was given, {list(use.given.shape)}, and "
            f"{listed(names)} stay as they were before the first step",
            "Add it to the loss whose backward() is called: (loss_a + loss_b).backward()",
            Belief.LIKELY,
        )


def _optimizers() -> list[Optimizer]:
    return [each for each in gc.get_objects() if issubclass(type(each), Optimizer)]


def _held(optimizer: Optimizer) -> set[int]:
    return {id(weight) for group in optimizer.param_groups for weight in group["params"]}


def _graded(weight: Tensor) -> bool:
    return weight.grad is not None and bool(weight.grad.any())


def _some(weight: Tensor) -> Tensor:
    flat = weight.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // SOME)].clone()
