"""What `torch.compile` has made of a module."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


def plain(module: nn.Module) -> nn.Module:
    """What `torch.compile` has wrapped; the module itself where it has not."""
    wrapped: nn.Module = getattr(module, "_orig_mod", module)
    return wrapped


def eager(module: nn.Module) -> bool:
    """Whether nothing of it is compiled: a hook would be compiled too."""
    compiled = any(getattr(m, "_compiled_call_impl", None) is not None for m in module.modules())
    return plain(module) is module and not compiled


@contextmanager
def eagerly(module: nn.Module) -> Iterator[None]:
    """Within, what is compiled in place works eagerly, so that no hook is compiled."""
    compiled: list[tuple[nn.Module, Any]] = [
        (part, part._compiled_call_impl)
        for part in module.modules()
        if getattr(part, "_compiled_call_impl", None) is not None
    ]
    for part, _ in compiled:
        part._compiled_call_impl = None
    try:
        yield
    finally:
        for part, implementation in compiled:
            part._compiled_call_impl = implementation
