"""The step of torch's fused Adam as the one call of its kernel that it comes to.

`torch.optim.Adam.step` looks over its tensors anew at every step, in a hundred calls of Python that
take a sixth of a small network's step. State, settings and bits stay the optimiser's own.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.optim import Adam, AdamW, Optimizer
from torch.optim import optimizer as common

Step = Callable[[Callable[[], Any]], None]
_KERNELS = {Adam: "_fused_adam_", AdamW: "_fused_adamw_"}
_HOOKS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")
_HOOKS_OF_ALL = ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks")
_MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")


def fused_step(optimizer: Optimizer) -> Step | None:
    """What takes the steps of `optimizer`, to its bits, for as long as its state is not replaced.

    Args:
        optimizer: Has taken a step of its own, which has made its state.

    Returns:
        Takes a closure, which puts gradients into all parameters. None where the optimiser is
        another, is changed or hooked, or its parameters are not all on the CPU and of one type.
    """
    kind: Any = type(optimizer)
    if _is_plain(optimizer) and _agrees(kind):
        return _step_of(optimizer)
    return None


def _step_of(optimizer: Optimizer) -> Step:
    (group,) = optimizer.param_groups
    params = group["params"]
    states = [optimizer.state[parameter] for parameter in params]
    moments = [[state[name] for state in states if name in state] for name in _MOMENTS]
    counts = [state["step"] for state in states]
    kernel: Any = getattr(torch, _KERNELS[type(optimizer)])

    def step(closure: Callable[[], Any]) -> None:
        closure()
        with torch.no_grad():
            torch._foreach_add_(counts, 1)
            beta1, beta2 = group["betas"]
            kernel(
                params, [parameter.grad for parameter in params], *moments, counts,
                lr=group["lr"], beta1=beta1, beta2=beta2, weight_decay=group["weight_decay"],
                eps=group["eps"], amsgrad=group["amsgrad"], maximize=group["maximize"],
            )  # fmt: skip

    return step


def _is_plain(optimizer: Optimizer) -> bool:
    """Whether its step is the kernel's and nothing else: torch's class, unhooked, one group."""
    if type(optimizer) not in _KERNELS or len(optimizer.param_groups) != 1:
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
