"""How a module behaves: whether it mixes samples, and works with weights that are not its own."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode

from parity.arrays import Array
from parity.torch.compiled import plain
from parity.torch.kinds import SHUT, name_of
from parity.torch.layouts import as_array
from parity.torch.masks import turned_mask
from parity.torch.network import answered
from parity.torch.samples import taken
from parity.torch.state import undrawn
from parity.watch.check.mixed import mixed
from parity.watch.check.parts import Course, Cut

_DROPS_UNTOLD = ("dropout", "dropout1d", "dropout2d", "dropout3d")
"""Functions of torch that leave values out unless they are told that nothing is trained."""


SOME = 16
"""Samples of which it is looked what comes through."""


class _Noted(TorchFunctionMode):
    """Notes the weights that functions of torch are given, and what no gradient gets through."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[int, Tensor] = {}
        self.cuts: list[Cut] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Note, and compute."""
        given = [each for each in (*args, *(kwargs or {}).values()) if isinstance(each, Tensor)]
        self.seen |= {id(each): each for each in given if each.is_leaf and each.requires_grad}
        outputs = func(*args, **(kwargs or {}))
        name = name_of(func)
        if name in SHUT and given and given[0].grad_fn is not None and given[0].numel():
            clamps = name.startswith("cl") and isinstance(outputs, Tensor)
            shut = float((outputs != given[0]).float().mean()) if clamps else 1.0
            self.cuts.append(Cut(name, shut))
        return outputs


def behaviour_of(
    module: nn.Module, x: Any, outputs: Tensor, optimizer: Optimizer | None
) -> dict[str, Any]:
    """What a `Program` says of how a module works."""
    with _Noted() as noted, suppress(Exception):  # a model is anyone's code
        answered(module, taken(x, np.arange(min(SOME, len(outputs)))), graded=True)
    return {
        "mixes": mixes(module, x, outputs),
        "time_first": time_first(module),
        "unregistered": unregistered(module, x, noted.seen, optimizer),
        "always_drops": always_drops(module, x),
        "course": Course(
            cuts=tuple(noted.cuts),
            turned=turned_mask(module, x),
            no_eps=no_eps_of(optimizer),
        ),
    }


def unregistered(
    module: nn.Module, x: Any, seen: dict[int, Tensor], optimizer: Optimizer | None
) -> int:
    """Weights that could learn and work in a module, and that neither it nor its optimiser has.

    `seen` are tensors that could learn and that it has worked with, by identity.
    """
    known = {id(tensor) for tensor in (*plain(module).parameters(), *_leaves(x))}
    known |= {id(weight) for weight in _weights(optimizer)}
    return sum(weight.numel() for key, weight in seen.items() if key not in known)


def no_eps_of(optimizer: Optimizer | None) -> str:
    """An epsilon that is 0 in the precision of the weights, where it keeps steps from 0 / 0."""
    for weight in _weights(optimizer):
        eps = optimizer.param_groups[0].get("eps") if optimizer is not None else None
        if not isinstance(eps, float) or not eps or weight.dtype != torch.float16:
            return ""
        if not float(torch.tensor(eps, dtype=weight.dtype)):
            return f"eps={eps:g}"
    return ""


def _weights(optimizer: Optimizer | None) -> list[Tensor]:
    groups = optimizer.param_groups if optimizer is not None else []
    return [weight for group in groups for weight in group["params"]]


def always_drops(module: nn.Module, x: Any) -> int:
    """Calls of functional dropouts that are not told whether the network is trained.

    Those that are told to work in inference too are meant to.
    """
    functions = {name: getattr(F, name) for name in _DROPS_UNTOLD}
    count = 0

    def listening(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Tensor:
            nonlocal count
            share = args[1] if len(args) > 1 else kwargs.get("p", 0.5)
            count += len(args) < 3 and "training" not in kwargs and share > 0
            return function(*args, **kwargs)

        return called

    try:
        for name, function in functions.items():
            setattr(F, name, listening(function))
        with suppress(Exception):  # a model is anyone's code
            answered(module, taken(x, np.arange(2)))
    finally:
        for name, function in functions.items():
            setattr(F, name, function)
    return count


def beyond_table(module: nn.Module, x: Any) -> tuple[int, int] | None:
    """The number that an embedding is asked for and does not have, and how many it has."""
    found: list[tuple[int, int]] = []

    def asked(table: nn.Module, args: Any) -> None:
        rows = table.num_embeddings
        if isinstance(rows, int) and args and isinstance(args[0], Tensor) and args[0].numel():
            low, high = int(args[0].min()), int(args[0].max())
            found.extend((n, rows) for n in (low, high) if not 0 <= n < rows)

    tables = [part for part in module.modules() if isinstance(part, nn.Embedding)]
    handles = [table.register_forward_pre_hook(asked) for table in tables]
    try:
        with suppress(Exception):  # that is why it is asked
            answered(module, x)
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None


def time_first(module: nn.Module) -> bool:
    """Whether recurrent or attention layers take the first axis for time."""
    kinds = nn.RNNBase, nn.MultiheadAttention
    return any(isinstance(m, kinds) and not m.batch_first for m in module.modules())


def mixes(module: nn.Module, x: Any, outputs: Tensor) -> bool:
    """Whether an answer depends on the other samples of its batch, in inference."""
    if not outputs.ndim or any(len(part) != len(outputs) for part in _leaves(x)):
        return False

    def answers(x: Any) -> Array:
        return as_array(answered(module, x).float())

    def again() -> Array:
        with undrawn(module):
            torch.manual_seed(1)
            return answers(x)

    try:
        return mixed(as_array(outputs.float()), lambda chosen: answers(taken(x, chosen)), again)
    except (RuntimeError, ValueError, IndexError):  # it takes batches of one size only
        return False


def _leaves(x: Any) -> list[Any]:
    if isinstance(x, tuple | list):
        return [leaf for part in x for leaf in _leaves(part)]
    return [leaf for part in x.values() for leaf in _leaves(part)] if isinstance(x, dict) else [x]
