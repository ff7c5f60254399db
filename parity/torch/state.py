"""Looks at a model leave no trace: modes, buffers and random generators are put back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def unchanged(module: nn.Module, training: bool = False) -> Iterator[None]:
    """Put a module into a mode; afterwards it, and all randomness, is as it was before."""
    modes = [(part, part.training) for part in module.modules()]
    cached = torch.is_autocast_cache_enabled()
    buffers = [
        (part, name, buffer, buffer.detach().clone())
        for part in module.modules()
        for name, buffer in part.named_buffers(recurse=False)
    ]
    with undrawn(module), _at_work(module):
        if training:
            module.train()  # as the program does: some keep parts in inference
        else:
            for part, _ in modes:
                part.training = False
        # Weights that are cast without a graph must not be kept for the training's own pass.
        torch.set_autocast_cache_enabled(False)
        try:
            yield
        finally:
            torch.set_autocast_cache_enabled(cached)
            for part, mode in modes:
                part.training = mode
            for part, name, buffer, kept in buffers:
                part._buffers[name] = buffer
                if not torch.equal(buffer, kept):  # backward may still need what was not touched
                    with torch.no_grad():
                        buffer.copy_(kept)


_LOOKED_AT: list[nn.Module] = []


def looking() -> bool:
    """Whether a module works within `unchanged`, and not for its program."""
    return bool(_LOOKED_AT)


@contextmanager
def _at_work(module: nn.Module) -> Iterator[None]:
    _LOOKED_AT.append(module)
    try:
        yield
    finally:
        _LOOKED_AT.pop()


@contextmanager
def undrawn(module: nn.Module | None = None) -> Iterator[None]:
    """Whatever is drawn at random within, afterwards the generators are as they were before.

    Those of torch, on the devices of `module` too, of NumPy and of Python.
    """
    places = {p.device for p in module.parameters()} if module is not None else set()
    (kind,) = {place.type for place in places if place.type != "cpu"} or {"cuda"}
    devices = [place.index for place in places if place.type == kind and place.index is not None]
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices, device_type=kind):
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


@contextmanager
def arithmetic(dtype: torch.dtype) -> Iterator[None]:
    """New tensors without a type of their own get `dtype`."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
