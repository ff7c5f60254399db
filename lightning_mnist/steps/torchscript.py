"""Functions of tensors that run without Python, where torch still has TorchScript.

After a product has pushed Python out of the processor's caches, each of its calls costs
microseconds; TorchScript's interpreter is small and stays in them.
"""

import sys
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as TorchScript, or where torch has none any more, as it is: the same, slower."""
    if sys.version_info >= (3, 14):  # for which torch no longer promises anything
        return function
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.script(function)  # type: ignore[no-any-return]
    except (AttributeError, OSError, RuntimeError):  # gone, without source, or other kernels
        return function
