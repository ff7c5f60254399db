"""Watches the first steps of a training for gradients that earlier steps have left."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from parity.watch.check import Belief, Change, Match, Remedy

STEPS = 4
"""Steps that are watched."""
SEVERAL = 4
"""Batches for one step from which on gradients are gathered; adversaries and sharpness-aware steps
take two or three."""
LEAST = 2
"""Of these, how many must have been taken with all gradients so far."""

SHORTER = 0.1
"""Part that clipping leaves of a gradient, below which it matters."""
ALIKE = 0.02
"""By how much the lengths of clipped gradients differ, at most."""
CUT = 0.5
"""Share of gradients of one and the same size from which on each of them was cut to it."""

NO_GRADIENTS = Match(
    "the weights get no gradients, and stay as they are",
    f"in each of the first {STEPS} steps every gradient was missing or 0",
    "Call loss.backward() between zero_grad() and step(), on a loss that was computed from the "
    "network's answers",
    remedy=Remedy("with steps along the gradients", changes=Change.THAWED),
)


class Gradients:
    """Compares what the optimiser uses with what backward has made since its last step.

    Gradients that are clipped or unscaled are neither, and nothing is said of them.

    Args:
        weights: Of the optimiser; the smallest that learns is watched.
    """

    def __init__(self, weights: Sequence[Tensor]) -> None:
        learned = [weight for weight in weights if weight.requires_grad and weight.is_leaf]
        self.learned = learned
        self.weight: Tensor | None = min(learned, key=lambda w: w.numel(), default=None)
        self._fresh: Tensor | None = None
        """What backward has made since the last step."""
        self._all: Tensor | None = None
        """What it has made in all."""
        self.batches = 0
        """Of which gradients were made for one step, the fewest so far."""
        self._passes = self._wasted = 0
        """Backward passes since the last step; steps given the gradients of the last of several."""
        self._last: Tensor | None = None
        """What backward has made last."""
        self._reached: set[int] = set()
        """Weights that have got a gradient, by identity."""
        self._kept = self._none = 0
        self._lengths: list[float] = []
        """Of all gradients together, where they are shorter than backward has made them."""
        self._cut = 0
        """Steps in which each gradient was cut to one size."""
        self._handle: Any = None
        if self.weight is not None:
            self._handle = self.weight.register_hook(self._made)  # type: ignore[no-untyped-call]

    def before_step(self, step: int) -> Match | None:
        """Say whether gradients of earlier steps are still there; asked before each step.

        Args:
            step: Of the optimiser, from 1.
        """
        if self._handle is None or self.weight is None:
            return None
        used = self.weight.grad
        fresh, self._fresh = self._fresh, None
        passes, self._passes = self._passes, 0
        # A first step may come after the first batch, and the next ones after many.
        self.batches = passes if step <= 2 else min(self.batches, passes)
        if used is not None and fresh is not None and self._last is not None:
            self._wasted += _same(used, self._last) and not _same(used, fresh)
        if step == STEPS:
            self.close()
        made = fresh is not None and not bool(fresh.any())  # and 0: the cause lies elsewhere
        reached = {id(w) for w in self.learned if w.grad is not None and bool(w.grad.any())}
        self._reached |= reached
        self._none += not made and not reached
        if used is not None and fresh is not None and used.norm() < SHORTER * fresh.norm():
            self._lengths.append(_length(self.learned))
            self._cut += _each_cut(used)
        if step > 1 and used is not None and fresh is not None and self._all is not None:
            self._kept += _same(used, self._all) and not _same(used, fresh)
        if step < STEPS:
            return None
        if self._none == STEPS:
            return NO_GRADIENTS
        if self._wasted == STEPS and self.batches >= SEVERAL:
            return self._thrown_away()
        if self._kept < LEAST:
            return self._cut_off()
        return Match(
            "gradients are never set to zero: each step adds those of all steps before",
            f"in {self._kept} of the first {step} steps the optimiser was given the sum of all "
            "gradients so far",
            "Call optimizer.zero_grad() in each step, before loss.backward()",
            remedy=Remedy("with gradients set to zero", changes=Change.ZEROED),
        )

    def _thrown_away(self) -> Match:
        """Gradients that are set to zero before a step could use them; it may be meant so."""
        return Match(
            "gradients are set to zero before a step has used them",
            f"of {self.batches} batches or more that gradients were made of, each of the first "
            f"{STEPS} steps was given those of the last one",
            "Call optimizer.zero_grad() after optimizer.step(), as often as it",
            Belief.MAYBE,
            Remedy("with a step after each batch", changes=Change.EACH),
        )

    def _cut_off(self) -> Match | None:
        """Layers that no gradient reaches, while it does others; it may be meant so."""
        missed = [w for w in self.learned if w.ndim > 1 and id(w) not in self._reached]
        if not missed or not self._reached:
            return None
        kernels = sum(w.ndim > 1 for w in self.learned)
        return Match(
            "no gradient reaches some of the layers: the network cuts them off",
            f"in each of the first {STEPS} steps the gradients of {len(missed)} of {kernels} "
            "kernels were missing or 0",
            "Leave detach() and torch.no_grad() out of forward()",
            Belief.MAYBE,
            Remedy("with gradients through detach() and no_grad()", changes=Change.ATTACHED),
        )

    @property
    def overflow(self) -> bool:
        """Whether some of what backward has made last is not finite."""
        made = [self._last, *(weight.grad for weight in self.learned)]
        return any(gradient is not None and not _finite(gradient) for gradient in made)

    def stepped(self) -> None:
        """What backward makes within a step, as a closure does, is no batch of the next one."""
        self._passes = 0

    @property
    def clipped(self) -> float | None:
        """The length that clipping leaves to all gradients together, of each or of their norm."""
        found = self._lengths
        alike = len(found) >= LEAST and max(found) <= (1 + ALIKE) * min(found)
        alike |= self._cut >= LEAST and self._cut == len(found)
        return max(found) if alike and max(found) > 0 else None

    def close(self) -> None:
        """Watch no more."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _made(self, gradient: Tensor) -> Any:
        self._passes += 1
        made = gradient.detach().to_dense() if gradient.is_sparse else gradient.detach().clone()
        self._last = made
        self._fresh = made if self._fresh is None else self._fresh + made
        self._all = made if self._all is None else self._all + made


def broken(module: nn.Module, *seen: Tensor | None) -> tuple[str, ...]:
    """Names of weights whose gradients are not finite, though all that was seen is.

    Args:
        module: After backward.
        seen: Answers and targets of the batch; None for what is not known.
    """
    if any(each is None or not _finite(each) for each in seen):
        return ()
    named = module.named_parameters()
    return tuple(n for n, w in named if w.grad is not None and not _finite(w.grad))


def unmoved(module: nn.Module) -> bool:
    """Whether backward has come to a module, and all gradients that it has brought are 0."""
    given = [weight.grad for weight in module.parameters() if weight.grad is not None]
    return bool(given) and not any(bool(gradient.any()) for gradient in given)


def _finite(values: Tensor) -> bool:
    return bool(torch.isfinite(values.detach()).all())


def _each_cut(used: Tensor) -> bool:
    sizes = used.detach().to_dense().abs() if used.is_sparse else used.detach().abs()
    return bool((sizes >= sizes.max()).float().mean() >= CUT) and sizes.numel() > LEAST


def _length(weights: list[Tensor]) -> float:
    norms = [weight.grad.detach().norm().float() for weight in weights if weight.grad is not None]
    return float(torch.stack(norms).norm()) if norms else 0.0


def _same(one: Tensor, other: Tensor) -> bool:
    used = one.detach().to_dense() if one.is_sparse else one.detach()
    return bool(torch.allclose(used, other, rtol=1e-3, atol=1e-12)) and bool(used.any())
