"""Keeps some of the samples that a program judges its network on."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from parity.torch.facts import facts_of
from parity.torch.state import looking
from parity.watch.check import Match, Program
from parity.watch.check.prepared import inverted, prepared

MOST = 128
"""Samples that are kept."""


class Judged:
    """Listens until an eager module was asked, in inference, without gradients, for enough."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._kept: list[Tensor] = []
        self.enough = False
        """Whether there are as many samples as are compared."""
        self._handle = module.register_forward_pre_hook(self._called)

    def compared(self, program: Program) -> Match | None:
        """How they are prepared unlike those of training; asked once there are enough."""
        self.enough = False
        samples, self._kept = torch.cat(self._kept)[:MOST], []
        self.close()
        with suppress(Exception):  # a model is anyone's code
            fed = facts_of(self.module, samples).fed
            others = {} if fed is None else {"validation": fed}
            known = replace(program, others=others)
            return inverted(known) or prepared(known)
        return None

    def close(self) -> None:
        """Listen no more."""
        self._handle.remove()

    def _called(self, module: nn.Module, args: Any) -> None:
        if torch.is_grad_enabled() or module.training or looking():
            return
        x = args[0] if len(args) == 1 else None
        if isinstance(x, Tensor) and x.ndim and x.shape[1:] == (self._kept or [x])[0].shape[1:]:
            self._kept.append(x[:MOST].detach().clone())
            self.enough = sum(map(len, self._kept)) >= MOST
