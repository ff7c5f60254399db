"""The step of torch's fused Adam as the one call of its kernel that it comes to.

`torch.optim.Adam.step` looks over its tensors anew at every step, in a hundred calls of Python that
take a sixth of a small network's step. State, settings and bits stay the optimiser's own.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer
from torch.optim import optimizer as common

Step = Callable[[Callable[[], Any]], None]
_KINDS = (Adam, AdamW)
_HOOKS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")
_HOOKS_OF_ALL = ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks")
_STATE = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
State = list[list[Tensor]]
"""Steps so far, first and second moments and, with amsgrad, the largest: one for each parameter."""
Group = tuple[list[Tensor], list[Tensor], State, list[float], bool, bool, bool]
"""Parameters of a group of one dtype, on the CPU, their gradients and state; learning rate, both
betas, weight decay and epsilon; whether it is AdamW, with amsgrad, and maximises."""


def fused_step(optimizer: Optimizer) -> Step | None:
    """What takes the steps of `optimizer`, to its bits, for as long as its state is not replaced.

    Args:
        optimizer: Has taken a step of its own, which has made its state.

    Returns:
        Takes a closure, which puts gradients into all parameters. None where the optimiser is
        another, is changed or hooked, or its parameters are not all on the CPU and of one type.
    """
    if not is_plain(optimizer):
        return None
    states = states_of(optimizer)

    def step(closure: Callable[[], Any]) -> None:
        closure()
        with torch.no_grad():
            adam(groups_of(optimizer, states))

    return step


def adam(groups: list[Group]) -> None:
    """A step of Adam or, with weight decay decoupled, of AdamW, in what TorchScript knows."""
    for params, gradients, state, settings, decoupled, amsgrad, maximize in groups:
        counts, first, second, largest = state
        rate, beta1, beta2, decay, epsilon = settings
        torch._foreach_add_(counts, 1)
        if decoupled:
            torch._fused_adamw_(
                params, gradients, first, second, largest, counts, lr=rate, beta1=beta1,
                beta2=beta2, weight_decay=decay, eps=epsilon, amsgrad=amsgrad, maximize=maximize,
            )  # fmt: skip
        else:
            torch._fused_adam_(
                params, gradients, first, second, largest, counts, lr=rate, beta1=beta1,
                beta2=beta2, weight_decay=decay, eps=epsilon, amsgrad=amsgrad, maximize=maximize,
            )  # fmt: skip


def groups_of(optimizer: Optimizer, states: list[State]) -> list[Group]:
    """What `adam` is told, as a schedule has set it for the next step; all have gradients."""
    decoupled = type(optimizer) is AdamW
    return [
        (
            [parameter.detach() for parameter in group["params"]],
            [parameter.grad for parameter in group["params"]],
            state,
            [group["lr"], *group["betas"], group["weight_decay"], group["eps"]],
            decoupled,
            group["amsgrad"],
            group["maximize"],
        )
        for group, state in zip(optimizer.param_groups, states, strict=True)
    ]


def states_of(optimizer: Optimizer) -> list[State]:
    """What an optimiser keeps for each of its groups."""
    states = [[optimizer.state[p] for p in group["params"]] for group in optimizer.param_groups]
    return [[[held[name] for held in group if name in held] for name in _STATE] for group in states]


def is_plain(optimizer: Optimizer) -> bool:
    """Whether its step is `adam` and nothing else: torch's class, unhooked."""
    if type(optimizer) not in _KINDS:
        return False
    groups = optimizer.param_groups
    params = [parameter for group in groups for parameter in group["params"]]
    numbers = [number for group in groups for number in (group["lr"], *group["betas"])]
    hooked = any(getattr(optimizer, name) for name in _HOOKS)
    hooked = hooked or any(getattr(common, name) for name in _HOOKS_OF_ALL)
    # A schedule wraps `step` to be told of the first one; anything else may change what it does.
    wrapped = hasattr(optimizer.step, "_wrapped_by_lr_sched")
    told = wrapped and getattr(optimizer, "_opt_called", False)
    return (
        all(group["fused"] is True for group in groups)
        and not hooked
        and ("step" not in vars(optimizer) or told)
        and all(isinstance(number, float) for number in numbers)
        and len({parameter.dtype for parameter in params}) == 1
        and all(p.device.type == "cpu" and optimizer.state.get(p) for p in params)
        and _agrees(type(optimizer))  # type: ignore[arg-type] # mypy takes no class for hashable
    )


@cache
def _agrees(kind: Any) -> bool:
    """Whether this takes the steps of an optimiser of this kind: the kernel is torch's private."""
    weights = [torch.nn.Parameter(torch.linspace(-1, 1, 5)) for _ in range(2)]
    ours, theirs = (kind([weight], lr=0.1, fused=True) for weight in weights)
    for weight in weights:
        weight.grad = torch.linspace(-1, 2, 5)
    ours.step()
    theirs.step()
    try:
        with torch.no_grad():
            adam(groups_of(ours, states_of(ours)))
    except (AttributeError, KeyError, RuntimeError, TypeError):
        return False
    theirs.step()
    return torch.equal(*weights)
