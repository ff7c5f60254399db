"""Dropout in lock step: left off, since masks are drawn anew; the rates are told apart."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from parity.torch.kinds import DROPOUTS


class _Passing(TorchFunctionMode):
    """Every function that drops passes its input on."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if getattr(func, "__name__", "") in DROPOUTS:
            return args[0] if args else kwargs["input"]
        if "dropout_p" in kwargs:  # attention
            kwargs["dropout_p"] = 0.0
        return func(*args, **kwargs)


@contextmanager
def undropped(module: nn.Module, training: bool = True) -> Iterator[None]:
    """Meanwhile nothing is dropped in training: by layers, functions, attention, recurrent ones."""
    if not training:  # there it is a mistake that must show
        yield
        return
    fused = [m for m in module.modules() if isinstance(m, nn.MultiheadAttention | nn.RNNBase)]
    kept = [part.dropout for part in fused]
    try:
        for part in fused:
            part.dropout = 0.0
        with _Passing():
            yield
    finally:
        for part, rate in zip(fused, kept, strict=True):
            part.dropout = rate


def rate_of(inputs: Tensor, outputs: Tensor) -> float:
    """The share that a dropout drops, by how much it enlarges what it keeps; 1 if it keeps none."""
    kept = (outputs != 0) & (inputs != 0)
    if not kept.any():
        return float((inputs != 0).any())
    return float(1 - torch.median(inputs[kept] / outputs[kept]))
