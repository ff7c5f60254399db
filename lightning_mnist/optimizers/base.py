"""What Keras' optimisers share: the count of steps, weight decay, state for each weight."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from lightning_mnist.errors import InputError

Number = type[np.float32] | type[np.float64]
Settings = dict[str, Any]
Tensors = list[Tensor]
Slots = dict[str, Tensors]

FRACTIONS = ("beta_1", "beta_2", "rho", "adam_beta_1", "adam_beta_2")
NOT_NEGATIVE = (
    "lr", "epsilon", "momentum", "initial_accumulator_value", "weight_decay", "adam_weight_decay",
    "adam_lr_ratio", "rms_rate", "ns_steps",
)  # fmt: skip


class KerasOptimizer(Optimizer, ABC):
    """An optimiser with Keras' arithmetic, on any devices and floating-point types.

    `lr`, the name that torch's schedulers need, is Keras' ``learning_rate``; all else has Keras'
    names and defaults, and may differ between parameter groups. As in Keras all parameters share
    one count of steps, ``group["iterations"]``, also those without a gradient and those added
    later; where none has a gradient, nothing is done or counted.
    """

    counters: ClassVar[dict[str, float]] = {"iterations": 0}
    """What a group counts, before the first step."""

    def __init__(self, params: ParamsT, given: dict[str, Any]) -> None:
        """Have as settings what is `given`, the ``locals()`` of a kind's own ``__init__``."""
        none = ("self", "params", "__class__")
        super().__init__(params, {name: given[name] for name in given if name not in none})

    @abstractmethod
    def _slots(self, group: Settings) -> dict[str, float]:
        """Names and first values of the state that each weight has."""

    @abstractmethod
    def _update(
        self, group: Settings, number: Number, params: Tensors, grads: Tensors, slots: Slots
    ) -> None:
        """Do one step for tensors of one device and type; `number` is the type of its numbers."""

    def _count(self, group: Settings) -> None:
        """Count a step that begins."""
        group["iterations"] += 1

    def add_param_group(self, param_group: Settings) -> None:
        """Add parameters, with settings of their own; they join at the common count of steps.

        Raises:
            InputError: a setting out of range, or parameters that are not real floating point.
        """
        past = self.param_groups[0]["iterations"] if self.param_groups else 0
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group.update(self.counters)
        if wrong := next(self._wrong(group), None):
            self.param_groups.pop()
            raise InputError(f"{type(self).__name__}: {wrong}")
        for _ in range(past):
            self._count(group)

    def load_state_dict(self, state_dict: Settings) -> None:
        """Go on from what `state_dict` returned.

        Raises:
            InputError: it is the state of another kind of optimiser.
        """
        for group in state_dict["param_groups"]:
            if missing := {*self.counters, *self.defaults} - group.keys():
                raise InputError(
                    f"{type(self).__name__} was given the state of another optimiser, without "
                    f"{', '.join(sorted(missing))}; expected its own"
                )
        super().load_state_dict(state_dict)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update all parameters that have a gradient; a closure computes these anew.

        Returns:
            What `closure` returned.

        Raises:
            InputError: a gradient is sparse.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        given = [[p for p in group["params"] if p.grad is not None] for group in self.param_groups]
        if any(param.grad.is_sparse for params in given for param in params):
            raise InputError(
                f"{type(self).__name__} was given a sparse gradient; expected dense ones, "
                "so build the embedding with sparse=False"
            )
        if any(given):
            for group, params in zip(self.param_groups, given, strict=True):
                self._count(group)
                if params:
                    self._step(group, params)
        return loss

    def _step(self, group: Settings, params: Tensors) -> None:
        names = self._slots(group)
        for param in params:
            for name, first in names.items():
                if name not in self.state[param]:
                    self.state[param][name] = torch.full_like(param, first)
        slots = [[self.state[param][name] for param in params] for name in names]
        lists: Any = [params, [param.grad for param in params], *slots]
        blocks: Any = self._group_tensors_by_device_and_dtype(lists).values()
        for (alike, grads, *state), _ in blocks:
            number = number_type(alike[0].dtype)
            if group["weight_decay"]:
                decay = float(through_float32(group["weight_decay"], number))
                lr = float(number(group["lr"]))
                torch._foreach_add_(alike, torch._foreach_mul(alike, decay), alpha=-lr)
            self._update(group, number, alike, grads, dict(zip(names, state, strict=True)))

    def _wrong(self, group: Settings) -> Iterator[str]:
        for name in self.defaults:
            value = group[name]
            if name in FRACTIONS and not 0 <= np.float32(value) < 1:
                yield f"{name} is {value}; expected at least 0, and below 1 also as float32"
            if name in NOT_NEGATIVE and value is not None and not 0 <= value < np.inf:
                yield f"{name} is {value}; expected at least 0, and finite"
            if name == "momentum" and value > 1:
                yield f"{name} is {value}; expected at most 1"
        for param in group["params"]:
            if not param.is_floating_point():
                yield f"a parameter is of type {param.dtype}; expected real floating point"


def number_type(dtype: torch.dtype) -> Number:
    """The type to compute numbers in: that of the parameters, float32 for those of half precision.

    So ``1 - beta_2 ** t`` is rounded as Keras rounds it. In half precision, which Keras would use
    for parameters of half precision, it would be 0.
    """
    return np.float64 if dtype == torch.float64 else np.float32


def through_float32(value: float, number: Number) -> np.float32 | np.float64:
    """`value` as TensorFlow casts a Python number: through float32, also on its way to float64."""
    return number(np.float32(value))
