"""How a module behaves: whether it mixes samples, and works with weights that are not its own."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode

from parity.torch.network import passed
from parity.torch.samples import taken
from parity.torch.state import undrawn

LEAST = 8
"""Samples from which on it is asked whether a batch mixes them."""
DIFFER = 0.05
"""Of the answers' deviation, from which on a difference is no rounding."""


class _Weights(TorchFunctionMode):
    """Notes the weights that functions of torch are given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[int, nn.Parameter] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Note, and compute."""
        given = [*args, *(kwargs or {}).values()]
        self.seen |= {id(each): each for each in given if isinstance(each, nn.Parameter)}
        return func(*args, **(kwargs or {}))


def unregistered(module: nn.Module, x: Any, optimizer: Optimizer | None) -> int:
    """Weights that could learn and work in a module, and that neither it nor its optimiser has."""
    plain = getattr(module, "_orig_mod", module)
    known = {id(weight) for weight in plain.parameters()}
    groups = optimizer.param_groups if optimizer is not None else []
    known |= {id(weight) for group in groups for weight in group["params"]}
    with _Weights() as noted, suppress(Exception):  # a model is anyone's code
        passed(plain, taken(x, np.arange(2)), lambda *_: None)
    return sum(w.numel() for key, w in noted.seen.items() if key not in known and w.requires_grad)


def mixes(module: nn.Module, x: Any, outputs: Tensor) -> bool:
    """Whether an answer depends on the other samples of its batch, in inference.

    Args:
        module: Any.
        x: Samples for it, as `parity.torch.network.inputs`.
        outputs: What it gives for them.
    """
    count = len(outputs) if outputs.ndim else 0
    if count < LEAST or any(len(part) != count for part in _leaves(x)):
        return False
    chosen = np.arange(count - max(count // 8, 4), count)[::-1].copy()
    whole = outputs[torch.from_numpy(chosen)].float()
    try:
        part = passed(module, taken(x, chosen), lambda *_: None)
        if not _differ(whole, part.float()):
            return False
        with undrawn(module):  # what is drawn at random differs for the same samples too
            torch.manual_seed(1)
            again = passed(module, x, lambda *_: None)
    except (RuntimeError, ValueError, IndexError):  # it takes batches of one size only
        return False
    return not _differ(outputs.float(), again.float())


def _leaves(x: Any) -> list[Any]:
    if isinstance(x, tuple | list):
        return [leaf for part in x for leaf in _leaves(part)]
    return [leaf for part in x.values() for leaf in _leaves(part)] if isinstance(x, dict) else [x]


def _differ(one: Tensor, other: Tensor) -> bool:
    """Whether two answers differ by more than rounding does."""
    if one.shape != other.shape or not (one.isfinite().all() and other.isfinite().all()):
        return False
    return bool((one - other).abs().mean() > DIFFER * one.std(correction=0) + 1e-6)
