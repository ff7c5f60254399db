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


def fused_step(optimizer: Optimizer) -> Step | None:
    """What takes the steps of `optimizer`, to its bits, for as long as its state is not replaced.

    Args:
        optimizer: Has taken a step of its own, which has made its state.

    Returns:
        Takes a closure, which puts gradients into all parameters. None where the optimiser is
        another, is changed or hooked, or its parameters are not all on the CPU and of one type.
    """
    return _step_of(optimizer) if is_plain(optimizer) else None


def adam(
    params: list[Tensor],
    gradients: list[Tensor],
    state: list[list[Tensor]],
    settings: list[float],
    decoupled: bool,
    amsgrad: bool,
    maximize: bool,
) -> None:
    """A step of Adam or, with weight decay `decoupled`, of AdamW, in what TorchScript knows.

    Args:
        params: All of one dtype, on the CPU.
        gradients: Of each.
        state: Steps so far, first and second moments and, with amsgrad, the largest; each a list
            with one tensor for each parameter.
        settings: Learning rate, both betas, weight decay, epsilon.
        decoupled: Whether it is AdamW.
        amsgrad: As of torch.
        maximize: As of torch.
    """
    counts, first, second, largest = state
    rate, beta1, beta2, decay, epsilon = settings
    torch._foreach_add_(counts, 1)
    if decoupled:
        torch._fused_adamw_(
            params, gradients, first, second, largest, counts, lr=rate, beta1=beta1, beta2=beta2,
            weight_decay=decay, eps=epsilon, amsgrad=amsgrad, maximize=maximize,
        )  # fmt: skip
    else:
        torch._fused_adam_(
            params, gradients, first, second, largest, counts, lr=rate, beta1=beta1, beta2=beta2,
            weight_decay=decay, eps=epsilon, amsgrad=amsgrad, maximize=maximize,
        )  # fmt: skip


def state_of(optimizer: Optimizer) -> list[list[Tensor]]:
    """The `state` of `adam`, which an optimiser keeps."""
    states = [optimizer.state[parameter] for parameter in optimizer.param_groups[0]["params"]]
    return [[held[name] for held in states if name in held] for name in _STATE]


def settings_of(optimizer: Optimizer) -> tuple[list[float], bool, bool, bool]:
    """What `adam` is told besides, as a schedule has set it for the next step."""
    (group,) = optimizer.param_groups
    settings = [group["lr"], *group["betas"], group["weight_decay"], group["eps"]]
    return settings, type(optimizer) is AdamW, group["amsgrad"], group["maximize"]


def _step_of(optimizer: Optimizer) -> Step:
    params, state = optimizer.param_groups[0]["params"], state_of(optimizer)

    def step(closure: Callable[[], Any]) -> None:
        closure()
        with torch.no_grad():
            gradients = [parameter.grad for parameter in params]
            adam(params, gradients, state, *settings_of(optimizer))

    return step


def is_plain(optimizer: Optimizer) -> bool:
    """Whether its step is `adam` and nothing else: torch's class, unhooked, one group."""
    if type(optimizer) not in _KINDS or len(optimizer.param_groups) != 1:
        return False
    (group,) = optimizer.param_groups
    params, numbers = group["params"], (group["lr"], *group["betas"])
    hooked = any(getattr(optimizer, name) for name in _HOOKS)
    hooked = hooked or any(getattr(common, name) for name in _HOOKS_OF_ALL)
    # A schedule wraps `step` to be told of the first one; anything else may change what it does.
    wrapped = hasattr(optimizer.step, "_wrapped_by_lr_sched")
    told = wrapped and getattr(optimizer, "_opt_called", False)
    return (
        group["fused"] is True
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
        _step_of(ours)(lambda: None)
    except (AttributeError, KeyError, RuntimeError, TypeError):
        return False
    theirs.step()
    return torch.equal(*weights)
