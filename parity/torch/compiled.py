"""What `torch.compile` has made of a module."""

from torch import nn


def plain(module: nn.Module) -> nn.Module:
    """What `torch.compile` has wrapped; the module itself where it has not."""
    wrapped: nn.Module = getattr(module, "_orig_mod", module)
    return wrapped


def eager(module: nn.Module) -> bool:
    """Whether nothing of it is compiled: a hook would be compiled too."""
    compiled = any(getattr(m, "_compiled_call_impl", None) is not None for m in module.modules())
    return plain(module) is module and not compiled
