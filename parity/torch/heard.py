"""Listens to the losses of the first steps: what they were given, and what backward made of it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from parity.torch.compiled import eager
from parity.torch.losses import Use, noticed
from parity.torch.samples import BATCHES
from parity.torch.trace import first_tensor


class Heard:
    """The first losses that a program computes.

    Args:
        graded: Whether only a loss with gradients counts, and not that of a validation.
    """

    def __init__(self, graded: bool) -> None:
        self.graded = graded
        self.uses: list[Use] = []
        self.answers: Tensor | None = None
        """What the network gave before the first of them."""
        self.gradients: dict[int, Tensor] = {}
        """That backward has brought to what the losses were given, by their places."""
        self.closed = False
        self._own = False
        self._stack = ExitStack()

    def listen(self, module: nn.Module) -> None:
        """Until `close`."""
        self._stack.enter_context(noticed(self._noticed))
        if eager(module):
            self._stack.callback(module.register_forward_hook(self._answered).remove)

    def close(self) -> None:
        """Listen no more."""
        self._stack.close()
        self.closed = True

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Within, losses are not the program's."""
        self._own = True
        try:
            yield
        finally:
            self._own = False

    @property
    def trained(self) -> int:
        """Place of the first loss that is learned: others may be computed to be told."""
        return min(self.gradients, default=0)

    @property
    def use(self) -> Use | None:
        """That loss."""
        return self.uses[self.trained] if self.uses else None

    @property
    def unreached(self) -> list[Use]:
        """Losses that no gradient has come to, while it has to others."""
        learned = [n for n, use in enumerate(self.uses) if use.given.requires_grad]
        return [self.uses[n] for n in learned if self.gradients and n not in self.gradients]

    @property
    def _counts(self) -> bool:
        return torch.is_grad_enabled() or not self.graded

    def _noticed(self, use: Use) -> None:
        if len(self.uses) >= BATCHES or not self._counts or self._own:
            return
        if use.given.requires_grad:
            place = len(self.uses)
            use.given.register_hook(partial(self._reached, place))  # type: ignore[no-untyped-call]
        self.uses.append(use)

    def _reached(self, place: int, gradient: Tensor) -> None:
        self.gradients[place] = gradient.detach().clone()

    def _answered(self, module: nn.Module, args: Any, outputs: Any) -> None:
        if not self.uses and self._counts:
            found = first_tensor(outputs)
            self.answers = None if found is None else found.detach().clone()
