"""The adapter of torch, for any module: layers, answers, weights, gradients, a step, the guard."""

from parity.torch.checking import check
from parity.torch.guard import CollapseGuard
from parity.torch.lockstep import LockStep, gradients
from parity.torch.network import (
    Array,
    Layer,
    Table,
    answers,
    dead_units,
    layers,
    set_weights,
    weights,
)

__all__ = [
    "Array",
    "CollapseGuard",
    "Layer",
    "LockStep",
    "Table",
    "answers",
    "check",
    "dead_units",
    "gradients",
    "layers",
    "set_weights",
    "weights",
]
