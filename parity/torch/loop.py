"""What goes wrong between the steps of a training loop, as far as gradients and modes show it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from parity.torch.evaluation import TrainingMode
from parity.torch.gradients import SEVERAL, STEPS, Gradients
from parity.torch.layouts import Array, as_array
from parity.watch.check import Change, Match, Remedy
from parity.watch.check.anew import Anew

WEIGHTS = 256
"""Weights of which it is looked whether something else than the optimiser changes them."""
NO_STEP = Match(
    "the optimiser takes no step",
    "a loss was computed, and this optimiser's step() was not called",
    "Call step() of the optimiser that holds the network's weights, after loss.backward()",
    remedy=Remedy("with steps along the gradients", changes=Change.THAWED),
)
SKIPPED = Match(
    "every step is skipped: the gradients are not finite",
    "a loss was computed, step() of this optimiser was not reached, as a GradScaler skips it, and "
    "the last gradients are not finite",
    "Scale the features and targets, since float16 ends at 65504, or use torch.bfloat16 without a "
    "GradScaler",
    remedy=Remedy("in float32 with steps along the gradients", changes=Change.THAWED),
)


class Loop:
    """Watches the steps of an optimiser.

    Args:
        module: What is trained.
        optimizer: Of its weights, if it is right.
    """

    def __init__(self, module: nn.Module, optimizer: Optimizer) -> None:
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        own = {id(weight) for weight in module.parameters()}
        # Those of another network get no gradients, and that is not for want of backward().
        self.gradients = Gradients([weight for weight in weights if id(weight) in own])
        self.mode = TrainingMode(module)
        kernels = [w for w in weights if w.ndim > 1 and w.requires_grad and _plain(w)]
        self.kernel: Tensor | None = max(kernels, key=lambda w: w.numel(), default=None)
        self.left: bytes | Tensor | None = None
        """What the last step has left of some of its weights."""
        self.version = 0
        self._view: Tensor | None = None
        self._bytes: Array = np.empty(0, np.uint8)
        """The same memory as the view, where it is that of the processor."""
        self._place = -1
        """Where in memory the kernel was when the view was made."""
        self.anew = Anew(_array(self._some()))
        self.steps = 0
        self._handle = optimizer.register_step_post_hook(self._stepped)

    def before_step(self) -> list[Match]:
        """What looks wrong; asked before each step."""
        self.steps += 1
        found = [self._drawn_anew()]
        if self.steps <= STEPS:
            found.append(self.gradients.before_step(self.steps))
        if self.mode.odd:
            found.append(self.mode.step())
        return [match for match in found if match is not None]

    @property
    def clipped(self) -> float | None:
        """The length that clipping leaves to the gradients, once enough steps have been seen."""
        return self.gradients.clipped if self.steps == STEPS else None

    def never(self, known: bool) -> Match | None:
        """Why the optimiser has taken no step at all, though a loss was computed.

        Args:
            known: Whether it was said why gradients are not finite.
        """
        if self.gradients.overflow:
            return None if known else SKIPPED
        return NO_STEP

    def close(self) -> None:
        """Watch no more."""
        self.gradients.close()
        self._handle.remove()

    @property
    def batches(self) -> int:
        """Of which gradients are made for one step; two or three have other reasons, too."""
        return self.gradients.batches if self.gradients.batches >= SEVERAL else 1

    def _stepped(self, *_: Any) -> None:
        self.gradients.stepped()
        some = self._some()
        if some is not None and self.kernel is not None:
            # A loop of a small network has a thousand steps a second: bytes are the quickest.
            self.left = self._bytes.tobytes() if self._bytes.size else some.clone()
            self.version = self.kernel._version

    def _drawn_anew(self) -> Match | None:
        some, left = self._some(), self.left
        if some is None or left is None or self.kernel is None:
            return None
        # To look at values of an accelerator is to wait for it.
        if isinstance(left, Tensor):
            if self.kernel._version == self.version:
                return None
        elif self._bytes.tobytes() == left:
            return None
        else:
            left = torch.frombuffer(bytearray(left), dtype=some.dtype)
        return self.anew.found(_array(left), _array(some), self.steps)

    def _some(self) -> Tensor | None:
        """Some of the weights of the largest kernel, [N]; they change as it does."""
        if self.kernel is not None and self.kernel.data_ptr() != self._place:
            self._place = self.kernel.data_ptr()
            self._view = self.kernel.detach().view(-1)[:WEIGHTS]
            here = self._view.device.type == "cpu"
            self._bytes = self._view.view(torch.uint8).numpy() if here else self._bytes[:0]
        return self._view


def _plain(weight: Tensor) -> bool:
    """Whether its numbers lie in memory one after the other."""
    strided = weight.layout == torch.strided and weight.is_contiguous()
    return strided and weight.is_floating_point()


def _array(values: Tensor | None) -> Array:
    return np.empty(0) if values is None else as_array(values).copy()
