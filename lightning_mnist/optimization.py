"""Optimiser and schedule as flags name them, and which parameters weight decay shrinks."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

from lightning.pytorch.cli import instantiate_class
from lightning.pytorch.utilities.types import LRSchedulerTypeUnion
from torch import nn
from torch.optim import Optimizer

from lightning_mnist.errors import InputError

DecayOn = Literal["all", "matrices"]
Configured = tuple[list[Optimizer], list[LRSchedulerTypeUnion]]
DECAYS = ("weight_decay", "adam_weight_decay")
"""Settings of optimisers; the second one of those that treat vectors otherwise."""
Chosen = dict[str, Any]
"""``class_path`` and ``init_args``."""


def configured(
    module: nn.Module, optimizer: Chosen, scheduler: Chosen | None, decay_on: DecayOn
) -> Callable[[], Configured]:
    """The ``configure_optimizers`` of a module; without a scheduler the rate stays as it is.

    Raises:
        InputError: there is no weight decay to choose parameters for.
    """
    built = instantiate_class(parameter_groups(module, decay_on), optimizer)
    if decay_on != "all" and "weight_decay" not in built.defaults:
        raise InputError(
            f"--weight_decay_on {decay_on}: {type(built).__name__} has no weight decay; expected "
            "an --optimizer that has, or all"
        )
    if decay_on != "all":
        built.param_groups[-1].update((name, 0.0) for name in DECAYS if name in built.defaults)
    schedulers = [instantiate_class(built, scheduler)] if scheduler else []
    return lambda: ([built], schedulers)


def parameter_groups(module: nn.Module, decay_on: DecayOn) -> Iterable[Any]:
    """The parameters for an optimiser: all in one group, or those that are no matrices apart.

    "matrices" leaves out biases and batch norm's scales and offsets, a number a unit, of which
    decay regularises nothing (He et al., Bag of Tricks for Image Classification with Convolutional
    Neural Networks, 2019, "no bias decay").
    """
    parameters = list(module.parameters())
    if decay_on == "all":
        return parameters
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    rest = [parameter for parameter in parameters if parameter.ndim < 2]
    return [{"params": matrices}, {"params": rest}]
