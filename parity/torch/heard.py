"""Listens to the losses of the first steps: what they were given, and what backward made of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from math import copysign
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from parity.torch.between import following
from parity.torch.compiled import eager
from parity.torch.gradients import unmoved
from parity.torch.layouts import Array, as_array
from parity.torch.losses import Use, asked, noticed
from parity.torch.samples import BATCHES, Samples
from parity.torch.trace import first_tensor
from parity.torch.ways import ways_back
from parity.watch.check.parts import Course, Cut

FEW = 64
"""Targets of a batch that are looked for among those of the guard."""
FLAT = ("round", "sign", "floor", "ceil", "trunc", "heaviside")
"""Functions that are flat everywhere."""
SAME = 0.05
"""By how much sums in half precision differ, at most."""
FED, CALLS = 16, 3
"""Samples of the first batch that are kept, and calls of the network: of a sample, of one like it
and of one unlike it."""


class Heard:
    """The first losses that a program computes.

    Args:
        graded: Whether only a loss with gradients counts, and not that of a validation.
    """

    def __init__(self, graded: bool) -> None:
        self.graded = graded
        self.uses: list[Use] = []
        self.root: Tensor | None = None
        """Of which backward was called first."""
        self.shut = ""
        """A function without a slope that leads to it, as ``round``."""
        self._calls: list[tuple[Tensor | None, Tensor | None]] = []
        """What the network was fed before the first of them, and gave, the last first."""
        self.gradients: dict[int, Tensor] = {}
        """That backward has brought to what the losses were given, by their places."""
        self.closed = False
        self._wanted: Array | None = None
        self._own = self._open = False
        self._stack = ExitStack()

    def open(self) -> None:
        """Hear losses until `close`.

        ``F.mse_loss(self(x), y)`` gets hold of the function before the network is fed.
        """
        if not self._open:
            self._open = True
            self._stack.enter_context(noticed(self._noticed))
            self._stack.enter_context(_rooted(self._backward))

    def listen(self, module: nn.Module, targets: Array) -> None:
        """Until `close`.

        Args:
            module: What is trained.
            targets: That the guard was given, [M, ...].
        """
        self._wanted = targets
        self.open()
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
        """Place of the first loss that is learned: others may be computed to be told.

        Of several it is the first that asks for the guard's targets, if one does.
        """
        learned = sorted(self.gradients)
        several = len({self.uses[n].loss.name for n in learned}) > 1
        own = (n for n in learned if several and self.asks(self.uses[n]))
        return next(own, min(learned, default=0))

    def asks(self, use: Use) -> bool:
        """Whether the targets of a loss are among those that the guard was given."""
        if self._wanted is None or self._wanted.dtype.kind not in "iufb":
            return False
        some = as_array(use.targets).ravel()[:FEW].astype(np.float32)
        return some.size > 0 and bool(np.isin(some, self._wanted.astype(np.float32)).all())

    @property
    def use(self) -> Use | None:
        """That loss."""
        return self.uses[self.trained] if self.uses else None

    @property
    def fed(self) -> Tensor | None:
        """What the network was fed before that loss."""
        return self._call[0]

    @property
    def itself(self) -> bool:
        """Whether that loss asks for what the network was fed, as an autoencoder's."""
        if self.use is None or self.fed is None:
            return False
        wanted, fed = self.use.targets[: len(self.fed)].detach(), self.fed
        return wanted.numel() == fed.numel() and torch.equal(wanted.view_as(fed), fed)

    @property
    def answers(self) -> Tensor | None:
        """What the network gave before that loss."""
        return self._call[1]

    @property
    def _call(self) -> tuple[Tensor | None, Tensor | None]:
        """The last before it whose answers it was given: pairs are fed one after the other."""
        use, last = self.use, next(iter(self._calls), (None, None))
        if use is None:
            return last
        known = ((fed, gave) for fed, gave in self._calls if gave is not None)
        return next((each for each in known if following(each[1], use.given) is not None), last)

    @property
    def scaled(self) -> tuple[Tensor, ...]:
        """What a GradScaler may have made too large: the loss, and its own gradients."""
        return (*([] if self.root is None else [self.root]), *self.gradients.values())

    def asked(self, samples: Samples) -> dict[str, Any]:
        """What all losses tell a `Program`: the order of the targets, and whether they are used."""
        use = self.use
        alike = [other for other in self.uses if use is not None and other.loss is use.loss]
        order = tuple(as_array(other.targets) for other in alike if other.targets.ndim <= 2)
        own = asked(self.uses, samples.y, unlabelled=samples.unlabelled)
        return {"order": samples.order or order, **({} if own else {"targets": None})}

    @property
    def unreached(self) -> list[Use]:
        """Losses that no gradient has come to, while it has to others."""
        learned = [n for n, use in enumerate(self.uses) if use.given.requires_grad]
        return [self.uses[n] for n in learned if self.gradients and n not in self.gradients]

    @property
    def _counts(self) -> bool:
        return torch.is_grad_enabled() or not self.graded

    def course(self, course: Course, factor: float | None, module: nn.Module) -> Course:
        """What is known of a program, and what backward has shown of it.

        Args:
            course: What is known.
            factor: By which the loss was multiplied; None where that is unclear.
            module: That is trained.
        """
        use, root, times = self.use, self.root, 1.0 if factor is None else factor
        if self.shut and unmoved(module):
            course = course._replace(cuts=(*course.cuts, Cut(self.shut, 1.0, outside=True)))
        if root is not None:
            course = course._replace(root=float(root))
        if use is None or self.trained not in self.gradients:
            return course
        if sum(self.uses[n].loss == use.loss for n in self.gradients) > 1:
            times = copysign(1.0, times)  # each of several batches has its share of a step
        with torch.no_grad():
            own = times * float(use.of(use.given.detach(), use.targets.detach()))
        others = [self.uses[n].loss.name for n in sorted(self.gradients) if n != self.trained]
        kept = _kept(module, self.gradients[self.trained])
        terms = tuple(others)
        return course._replace(factor=times, kept=kept, own=own, terms=terms, exps=_exps(use))

    def _backward(self, root: Any) -> None:
        if self.root is None and not self._own and isinstance(root, Tensor):
            self.root = root.detach().sum()
            self.shut = next((n.lower() for n in ways_back(root) if n.lower() in FLAT), "")

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
            fed, gave = first_tensor(args), first_tensor(outputs)
            fed = None if fed is None else fed[:FED].detach().clone()
            gave = None if gave is None else gave.detach().clone()
            self._calls = [(fed, gave), *self._calls[: CALLS - 1]]


def _kept(module: nn.Module, gradient: Tensor) -> bool:
    """Whether the last bias still has what backward has brought to the answers, added up.

    A GradScaler divides it again before a step, and clipping shortens it.
    """
    total = gradient.flatten(0, -2).sum(0) if gradient.ndim > 1 else gradient.sum().view(1)
    grads = [w.grad for w in module.parameters() if w.grad is not None]
    alike = [g for g in grads if g.shape == total.shape and bool(g.any())]
    return any(torch.allclose(g.float(), total.float(), rtol=SAME) for g in alike)


def _exps(use: Use) -> bool:
    """Whether a loss that takes the logarithms of rates is given rates."""
    last = next(ways_back(use.given), "")
    logs = use.loss.name == "PoissonNLLLoss" and bool(use.settings.get("log_input", True))
    return logs and last in ("Exp", "Softplus")


@contextmanager
def _rooted(seen: Callable[[Any], object]) -> Iterator[None]:
    """Be told within of what backward is called, before it is."""
    function = torch.autograd.backward

    @wraps(function)
    def telling(tensors: Any, *args: Any, **kwargs: Any) -> None:
        seen(tensors)
        function(tensors, *args, **kwargs)

    torch.autograd.backward = telling
    try:
        yield
    finally:
        torch.autograd.backward = function
